/*
 * store: what the BSF keeps: subscribers, bootstrappings, TMPIs and NAFs (ARCHITECTURE 5), as verbs over common/store.h.
 * All writes belong between store_begin and store_end of the caller. Reads give copies.
 *
 * Everywhere: RC_IO, the database failed (logged here); RC_NOMEM; RC_DENIED, a sealed value is not from this store and place.
 */
#ifndef BSFD_STORE_H
#define BSFD_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/aka.h"
#include "common/btid.h"
#include "common/imsi.h"
#include "common/rc.h"
#include "common/secret.h"
#include "common/store.h"

struct bsf_naf;

#define BSF_BTIDS_PER_IMPI 8	/* B1 */
#define BSF_TMPIS_PER_IMPI 2	/* the newest, and the one before it: its 200 may have been lost */

/* --- subscribers */

struct bsf_subscriber {
	struct impi impi;
	struct imsi imsi;
	struct iccid iccid;
	uint8_t amf[2];
	uint64_t sqn;		/* no SQN above it was ever used: what is reserved (B2) */
	bool gba_u;		/* the UICC does GBA_U, the subscription allows it */
	int64_t number;		/* its row's, in what was read */
	int64_t ks_lifetime_s;	/* 0 = the BSF's own */
};

/* uss: the member of subscriber.json as text, "" = none. RC_EXISTS: this IMPI or IMSI is there. */
enum rc bsf_store_put_subscriber(struct store *st, const struct bsf_subscriber *s, const char *uss, const struct secret *k,
    const struct secret *opc) MUST_USE;
/* RC_NOTFOUND. */
enum rc bsf_store_get_subscriber(struct store *st, const struct impi *impi, struct bsf_subscriber *out) MUST_USE;
/* For auc.c alone. RC_NOTFOUND. Caller frees both. */
enum rc bsf_store_get_credentials(struct store *st, const struct impi *impi, struct secret **k, struct secret **opc) MUST_USE;
/* A new text the caller frees, "" = none. RC_NOTFOUND. */
enum rc bsf_store_get_uss(struct store *st, const struct impi *impi, char **out) MUST_USE;
enum rc bsf_store_set_sqn(struct store *st, const struct impi *impi, uint64_t sqn) MUST_USE;
/* Its bootstrappings and TMPIs go too. RC_NOTFOUND. */
enum rc bsf_store_delete_subscriber(struct store *st, const struct impi *impi) MUST_USE;
/* Appends {"impi","imsi","iccid","amf","gba_u","ks_lifetime","sqn"} each; no key. */
enum rc bsf_store_list_subscribers(struct store *st, json_t *out) MUST_USE;
/* *n subscribers, bootstrappings not yet deleted, NAFs. */
enum rc bsf_store_count(struct store *st, int64_t *subscribers, int64_t *bootstraps, int64_t *nafs) MUST_USE;

/* --- bootstrappings */

enum bsf_gba { BSF_GBA_ME = 0, BSF_GBA_U = 1 };

struct bsf_bootstrap {
	struct btid btid;
	struct impi impi;
	int64_t subscriber;	/* its number */
	uint8_t rand[AKA_RAND_LEN];
	enum bsf_gba type;
	int64_t created_s, expires_s;
};

/*
 * Keeps it and, of the IMPI's older ones, the newest keep - 1 (B1), keep being at most BSF_BTIDS_PER_IMPI. Its btid is btid_make()'s
 * of its rand.
 *   tmpi   maps to the IMPI from now on, beside the one before it; "" = none
 * RC_EXISTS: this RAND, or TMPI, is there.
 */
enum rc bsf_store_put_bootstrap(struct store *st, const struct bsf_bootstrap *b, const struct secret *ks, unsigned keep,
    const char *tmpi) MUST_USE;
/* RC_NOTFOUND; RC_EXPIRED from expires_s on (T1). Caller frees *ks. */
enum rc bsf_store_get_bootstrap(struct store *st, const struct btid *btid, int64_t now_s, struct bsf_bootstrap *out,
    struct secret **ks) MUST_USE;
/* RC_NOTFOUND. */
enum rc bsf_store_get_tmpi(struct store *st, const char *tmpi, struct impi *out) MUST_USE;
/* Appends {"btid","impi","type","created","expires"} each, live ones only. */
enum rc bsf_store_list_bootstraps(struct store *st, int64_t now_s, json_t *out) MUST_USE;
/* As purge.h asks. */
enum rc bsf_store_purge(struct store *st, int64_t now_s, unsigned max, unsigned *n) MUST_USE;
int64_t bsf_store_next_expiry(struct store *st);

/* --- NAFs: one entry per FQDN, put replaces */

enum rc bsf_store_put_naf(struct store *st, const struct bsf_naf *naf) MUST_USE;
/* RC_NOTFOUND. */
enum rc bsf_store_delete_naf(struct store *st, const char *fqdn) MUST_USE;
/* Each to fn, which copies. An entry that does not parse is left out and logged. */
enum rc bsf_store_each_naf(struct store *st, void (*fn)(const struct bsf_naf *naf, void *arg), void *arg) MUST_USE;

/* --- B4 */

#define BSF_DOUBT_RAISE (UINT64_C(1) << 16)	/* SQN */

/*
 * The generation grows with every block of SQNs and every start; a side file beside the store remembers the highest one.
 * Counts one up. *sure = false: the store was older than its side file, or has subscribers and no (readable) side file; then
 * every SQN was raised by BSF_DOUBT_RAISE.
 *   side  NULL = a store in memory, always sure
 */
enum rc bsf_store_open_generation(struct store *st, const char *side, uint64_t *generation, bool *sure) MUST_USE;
enum rc bsf_store_next_generation(struct store *st, uint64_t *generation) MUST_USE;
/* After the commit. A failure costs a raise at the next start: logged, no more. */
void bsf_store_note_generation(const char *side, uint64_t generation);

#endif
