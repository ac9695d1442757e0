/*
 * mt_gba: the procedure at the MT: which Ks serves, one Ub run at a time, Ks_(ext)_NAF and Ks_local_MT.
 *                                                            seed 7.5, 7.6, 8.3; TS 33.220 4.5.2; RULES K2–K8
 *
 *	derive ─▶ policy: newest Ks │ join the run │ pay and start one
 *	              └─▶ Ks_(ext)_NAF (kept, derived, or by the UICC) ─▶ Ks_local_MT ─▶ store ─▶ answer
 *
 * No copy of a key lives here: the store is asked each time, inside the turn. Results are told by callbacks, perhaps inside
 * the call; who passes them to a wire hands that to turn_later().
 */
#ifndef MTD_GBA_H
#define MTD_GBA_H

#include <stdbool.h>
#include <stdint.h>

#include "common/localif.h"
#include "common/reason.h"
#include "mtd/mt.h"
#include "mtd/run.h"
#include "mtd/sim.h"
#include "mtd/store.h"

struct mt_ask;
struct mt_gba;

/* Seams and conf are borrowed. Caller frees, with the turn drained. RC_NOMEM, RC_IO. */
enum rc mt_gba_new(const struct mt_seams *s, const struct mt_conf *conf, struct mt_gba **out) MUST_USE;
/* What waits is answered by nobody. NULL is fine. */
void mt_gba_free(struct mt_gba *g);
void mt_gba_start(struct mt_gba *g);
/* Takes nothing new; done once nobody waits any more, perhaps inside this call. */
void mt_gba_stop(struct mt_gba *g, void (*done)(void *arg), void *arg);

/*
 * Everything that depends on the card goes through this gate: fn runs at once when it is known which card is in, or that none
 * is; else when it has been read.
 */
void mt_gba_when_settled(struct mt_gba *g, void (*fn)(void *arg), mt_progress_fn *progress, void *arg);

/*
 * info (L1/L2): the valid B-TID (K7), for a Device_ID that is admitted (K11); "" = none. Of two applications it is the one that the
 * first NAF_ID gets. RC_IO and the like.
 */
enum rc mt_gba_info(struct mt_gba *g, const struct localif_info *ask, struct btid *out) MUST_USE;

/* derive (L3/L4) */
struct mt_derive {
	struct localif_derive ask;
	struct mt_origin from;
	bool asked_info;		/* on this connection before, and … */
	struct btid shown;		/* … this is what its last info showed (K8) */
};
struct mt_derived {
	struct btid btid;
	char challenge[CHALLENGE_LEN + 1];
};
/* derived is NULL unless o->why is REASON_NONE. */
typedef void mt_gba_derived_fn(void *arg, const struct mt_outcome *o, const struct mt_derived *derived);
void mt_gba_derive(struct mt_gba *g, const struct mt_derive *d, mt_gba_derived_fn *fn, mt_progress_fn *progress, void *arg);

/* C2: whose keys may be used now, or why none may: the card's reasons, _LOCAL_UNKNOWN_KEY (no card was ever in), _INTERNAL. */
enum reason mt_gba_key_card(struct mt_gba *g, struct iccid *out);

/*
 * complete (L5): confirms the key when the proof is right. proof "" = a foreign peer, nothing is confirmed (K3); out "" then.
 * REASON_NONE, _LOCAL_UNKNOWN_KEY, _LOCAL_KEY_MISMATCH, the card's, _INTERNAL.
 */
enum reason mt_gba_complete(struct mt_gba *g, const struct localif_complete *c, char out[static PROOF_LEN + 1]);

/* K2: a finished `use` handshake confirms. k as the store gave it. RC_NOTFOUND: gone since; else as the store. */
enum rc mt_gba_confirm(struct mt_gba *g, const struct mt_key *k) MUST_USE;

/* A run now for an application, asked by the operator: joins one under way, and no bucket pays. ks NULL unless done. */
typedef void mt_gba_booted_fn(void *arg, const struct mt_outcome *o, const struct mt_ks *ks);
void mt_gba_bootstrap(struct mt_gba *g, enum mt_app_kind kind, mt_gba_booted_fn *fn, mt_progress_fn *progress, void *arg);

/* K5: this connection has ended. */
void mt_gba_conn_ended(struct mt_gba *g, const struct mt_origin *from);

/*
 * Keys are gone, or one ends sooner (expires; INT64_MAX: none was shortened): the purge is told, and whoever uses keys, which is
 * whoever gave fn here. Expiry and another card tell by themselves; a pair's older key that a newer one replaced does not.
 */
void mt_gba_keys_gone(struct mt_gba *g, int64_t expires);
void mt_gba_on_keys_gone(struct mt_gba *g, void (*fn)(void *arg), void *arg);

/* Who is admitted by what the user says, and what is decided already: before info and derive. Borrowed. */
struct mt_ask *mt_gba_ask(struct mt_gba *g);
/* K11. REASON_NONE, or why this Device_ID is not admitted. */
enum reason mt_gba_admits(struct mt_gba *g, const struct device_id *id);

/* For status, key-list, tests; borrowed. */
const struct mt_sim *mt_gba_sim(const struct mt_gba *g);
/* RC_NOTFOUND, RC_EXPIRED. Caller mt_ks_clear()s. */
enum rc mt_gba_ks(struct mt_gba *g, enum mt_app_kind kind, struct mt_ks *out) MUST_USE;
/* K1: what is offered, best first: configured, or named by the card. Returns how many. */
size_t mt_gba_nafs(const struct mt_gba *g, struct naf_id out[static MT_NAFS_MAX]);
bool mt_gba_bsf(const struct mt_gba *g, char out[static FQDN_MAX + 1]);
void mt_gba_counts(const struct mt_gba *g, struct mt_counts *out);

#endif
