/*
 * localif: the messages of the local interface as structs. Between an rpc body (JSON object) and a struct, both ways, by pure
 * functions; what each operation does is extdevd's and mtd's.               ARCHITECTURE 4, RULES K1, K3, K8, W2, W3, U9
 *
 * Parsers: unknown members are ignored; a member of a wrong type or form is RC_SYNTAX with *bad its name, and the message is
 * refused whole (bad-message). *out is untouched then. What the seed paper does not name may be absent: text members are "" then.
 * Printers: a new object (the caller's), NULL when memory is out.
 */
#ifndef COMMON_LOCALIF_H
#define COMMON_LOCALIF_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/device_id.h"
#include "common/proof.h"
#include "common/rc.h"

#define LOCALIF_VERSION 1
#define LOCALIF_NAF_IDS_MAX 16	/* K1: more in a list are neither read nor judged */

/* Names of operations and of progress words (U10). */
#define LOCALIF_HELLO "hello"
#define LOCALIF_INFO "info"		/* L1/L2 */
#define LOCALIF_DERIVE "derive"		/* L3/L4 */
#define LOCALIF_COMPLETE "complete"	/* L5 */
#define LOCALIF_FORGET "forget"
#define LOCALIF_USE "use"
#define LOCALIF_RENEW "renew"		/* L0 */
#define LOCALIF_WAIT_CARD "waiting-card"
#define LOCALIF_WAIT_USER "asking-user"
#define LOCALIF_WAIT_BOOTSTRAPPING "bootstrapping"
#define LOCALIF_WAIT_QUEUE "queued"
#define LOCALIF_WAIT_STATE "key-state"	/* the Key Center is asked before use (N10) */

/* hello, and its answer: who speaks. */
enum localif_role { LOCALIF_ROLE_UNKNOWN, LOCALIF_ROLE_DEVICE, LOCALIF_ROLE_MT };
enum localif_kind { LOCALIF_KIND_UNKNOWN, LOCALIF_KIND_FIXED, LOCALIF_KIND_RANDOM };
struct localif_hello {
	int version;			/* 1..; another version is the receiver's to judge. Absent: 1 */
	enum localif_role role;		/* absent, or a word we do not know: UNKNOWN */
	enum localif_kind device_id_kind;	/* a device's */
	struct mt_id mt_id;		/* an MT's */
	struct device_id device_id;	/* a device's that has only one; "" = not told. So an MT can begin `use` (U1) */
	char challenge[CHALLENGE_MAX + 1];	/* an MT's, new on each channel, for derive's holds; "" = not told */
};
enum rc localif_hello_parse(const json_t *body, struct localif_hello *out, const char **bad) MUST_USE;
json_t *localif_hello_print(const struct localif_hello *m);

/* info: device → MT.                                                                        seed 8.3.1 step 2 */
struct localif_info {
	struct device_id device_id;	/* "" = not told */
	struct run_id run;		/* S1 */
};
enum rc localif_info_parse(const json_t *body, struct localif_info *out, const char **bad) MUST_USE;
json_t *localif_info_print(const struct localif_info *m);

/* Its answer: the NAF_IDs in the MT's order (absent = none), the B-TID if a valid Ks exists.   seed 8.3.1 step 4, 8.3.2 step 4 */
struct localif_info_ok {
	struct naf_id naf_ids[LOCALIF_NAF_IDS_MAX];
	size_t n_naf_ids;
	struct btid btid;		/* "" = none */
};
enum rc localif_info_ok_parse(const json_t *body, struct localif_info_ok *out, const char **bad) MUST_USE;
json_t *localif_info_ok_print(const struct localif_info_ok *m);

/* derive: NAF_ID and Device_ID must be there.                                             seed 8.3.1 step 6, 8.3.2 step 6 */
struct localif_derive {
	struct naf_id naf_id;
	struct device_id device_id;
	struct btid btid;		/* the one that info brought; "" = a new bootstrapping (K8) */
	struct btid stale_btid;		/* "" , or the one that the NAF called bootstrap-again (K8) */
	struct run_id run;
	/*
	 * "", or PROOF_HOLDS over the hello answer's challenge with the pair's confirmed key. While a tunnel of this Device_ID is up,
	 * a derive without it is taken for a newcomer's: busy, unless that tunnel turns out to be dead (K13).
	 */
	char holds[PROOF_LEN + 1];
};
enum rc localif_derive_parse(const json_t *body, struct localif_derive *out, const char **bad) MUST_USE;
json_t *localif_derive_print(const struct localif_derive *m);

/* Its answer: B-TID and NAF_ID must be there.                                                     seed 8.3.1 step 10 */
struct localif_derive_ok {
	struct btid btid;
	struct naf_id naf_id;
	char challenge[CHALLENGE_MAX + 1];	/* "" = an MT without proofs; printable ASCII */
};
enum rc localif_derive_ok_parse(const json_t *body, struct localif_derive_ok *out, const char **bad) MUST_USE;
json_t *localif_derive_ok_print(const struct localif_derive_ok *m);

/* complete: the triple must be there.                                                           seed 8.3.1 step 18, K3 */
struct localif_complete {
	struct triple triple;
	struct run_id run;
	char proof[PROOF_LEN + 1];	/* "" = none */
};
enum rc localif_complete_parse(const json_t *body, struct localif_complete *out, const char **bad) MUST_USE;
json_t *localif_complete_print(const struct localif_complete *m);

/* Its answer. */
struct localif_complete_ok {
	char proof[PROOF_LEN + 1];
};
enum rc localif_complete_ok_parse(const json_t *body, struct localif_complete_ok *out, const char **bad) MUST_USE;
json_t *localif_complete_ok_print(const struct localif_complete_ok *m);

/*
 * forget: on the messages' stream of a tunnel (TUNNEL_MESSAGES), the tunnel being on a confirmed key. The triple is the key's that is to
 * go, perhaps of another Device_ID; the proof is PROOF_FORGET made with that key over the PSK identity (link_psk_of()) of the tunnel's
 * key, and without a right one it is refused: nobody deletes a key that was never his.                                     K5
 */
struct localif_forget {
	struct triple triple;
	char proof[PROOF_LEN + 1];
};
enum rc localif_forget_parse(const json_t *body, struct localif_forget *out, const char **bad) MUST_USE;
json_t *localif_forget_print(const struct localif_forget *m);

/* use: a triple and nothing else; its answer, and those of forget and renew, are empty objects, as renew is. */
enum rc localif_triple_parse(const json_t *body, struct triple *out, const char **bad) MUST_USE;
json_t *localif_triple_print(const struct triple *t);

#endif
