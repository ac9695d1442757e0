/*
 * kscache: Ks_(ext)_NAF of B-TIDs asked for lately, in memory only: bounded, each for a while and never past its expiry.   RULES N3
 */
#ifndef NAFKCD_KSCACHE_H
#define NAFKCD_KSCACHE_H

#include <stddef.h>
#include <stdint.h>

#include "common/btid.h"
#include "common/naf_id.h"
#include "common/rc.h"
#include "common/secret.h"

#define NAFKC_KSCACHE_MAX 1024	/* entries; the oldest goes for a new one */

struct clock;
struct nafkc_kscache;

struct nafkc_ks {		/* what the BSF gave */
	const struct secret *ks_naf;
	int64_t expires_s;
	const char *impi;	/* "" = not told */
};

/* keep_s 0 = off: nothing is kept. Caller frees. */
enum rc nafkc_kscache_new(struct clock *clock, int64_t keep_s, struct nafkc_kscache **out) MUST_USE;
void nafkc_kscache_free(struct nafkc_kscache *c);
/* Copies; failing to is no failure. In place of an older entry of that name. */
void nafkc_kscache_put(struct nafkc_kscache *c, const struct btid *btid, const struct naf_id *naf_id, const struct nafkc_ks *ks,
    int64_t now_s);
/* NULL: not there, or over at now_s. Borrowed until the next call. */
const struct nafkc_ks *nafkc_kscache_get(struct nafkc_kscache *c, const struct btid *btid, const struct naf_id *naf_id, int64_t now_s);
/* All of it. */
void nafkc_kscache_drop(struct nafkc_kscache *c);
size_t nafkc_kscache_count(const struct nafkc_kscache *c);

#endif
