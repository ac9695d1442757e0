/*
 * mt_keys: Ks ─▶ Ks_(ext)_NAF ─▶ Ks_local_MT, and the proofs that two ends hold the same. Stateless: all is in the store, in the
 * turn's transaction.                                                     TS 33.220 B.3, TS 33.259 A; seed 8.3; RULES K2, K3, K5, K6
 */
#ifndef MTD_KEYS_H
#define MTD_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/proof.h"
#include "common/rc.h"
#include "common/secret.h"
#include "mtd/store.h"

struct mt_keys_env {		/* borrowed */
	struct store *store;
	const struct rnd *rnd;
	unsigned unused_max;	/* K5 */
};

struct mt_keys_made {
	char challenge[CHALLENGE_LEN + 1];
	char kcv[KCV_LEN + 1];
	bool naf_derived, key_derived;	/* false: it was there */
};
/*
 * The key of (naf, ks->btid, device), derived and stored unless it is there; asked for again it is the same, with the same challenge.
 *   app, ks      whose run
 *   ks_ext_naf   GBA_U: what the UICC derived; NULL = it is kept (mt_keys_kept()), or the Ks is here (GBA_ME)
 * RC_STATE: the Ks is in the UICC, and neither is the case. RC_EXPIRED: that key was ended before its Ks (N8). RC_NOMEM, RC_IO, RC_CRYPTO, RC_DENIED.
 */
struct mt_keys_source {
	const struct mt_app *app;
	const struct mt_ks *ks;
	const struct secret *ks_ext_naf;
};
enum rc mt_keys_derive(const struct mt_keys_env *e, const struct mt_keys_source *src, const struct naf_id *naf,
    const struct device_id *device, const struct mt_origin *from, int64_t now_s, struct mt_keys_made *out) MUST_USE;
/* K6: the Ks is here, or its Ks_(ext)_NAF is: no card is needed. */
bool mt_keys_kept(const struct mt_keys_env *e, const struct mt_app *app, const struct mt_ks *ks, const struct naf_id *naf, int64_t now_s);

struct mt_keys_proven {
	char proof[PROOF_LEN + 1];	/* ours; "" when none was given */
	char kcv[KCV_LEN + 1];
	bool confirmed;			/* it was not before */
};
/* proof "": nothing is confirmed. RC_NOTFOUND, RC_EXPIRED; RC_DENIED: a wrong proof, nothing changed (K3). RC_NOMEM, RC_IO, RC_CRYPTO. */
enum rc mt_keys_complete(const struct mt_keys_env *e, const struct iccid *iccid, const struct triple *t, const char *proof,
    int64_t now_s, struct mt_keys_proven *out) MUST_USE;

#endif
