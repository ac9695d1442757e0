/* mt_policy: what the MT decides without I/O: who is admitted, which NAF, which Ks serves a derive, who pays for a run. Pure. */
#ifndef MTD_POLICY_H
#define MTD_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/device_id.h"
#include "common/rc.h"
#include "common/reason.h"
#include "mtd/mt.h"
#include "mtd/store.h"

/* Fills in the defaults of mt.h for what is 0. */
void mt_policy_defaults(struct mt_conf *conf);

/* K11: may this Device_ID be told the B-TID and have keys? What the user decided (d) comes before the configuration. */
enum mt_admission { MT_ADMIT, MT_ADMIT_UNLISTED, MT_ADMIT_REFUSED, MT_ADMIT_ASK };
enum mt_admission mt_policy_admission(const struct mt_conf *conf, const struct device_id *id, enum mt_decision d);
/* The NAF_IDs of this MT, best first: the configured ones, then those of the card's EF_NAFKCA; info NULL = no card. Returns how many. */
size_t mt_policy_nafs(const struct mt_conf *conf, const struct mt_usim_info *info, struct naf_id out[static MT_NAFS_MAX]);
/* K1. */
bool mt_policy_offers(const struct mt_conf *conf, const struct mt_usim_info *info, const struct naf_id *naf);
/* Whose Ks a NAF gets: the ISIM's where that is configured and the card has one. */
enum mt_app_kind mt_policy_app(const struct mt_conf *conf, const struct mt_usim_info *info, const struct naf_id *naf);
/*
 * Does a run leave its Ks in this application? REASON_NONE, or REASON_CARD_NO_GBA_U: the configuration wants it to and the card
 * cannot.
 */
enum reason mt_policy_gba_u(const struct mt_conf *conf, const struct mt_usim_app *app, bool *gba_u);
/* K11: "tcp:127.…", "tcp:[::1]:…", "unix:…" never leave the host. */
bool mt_policy_is_loopback(const char *address);

/*
 * K8: how a derive is served. newest is the B-TID of the valid Ks, "" = none.
 *   asked    the request's btid, "" = none
 *   stale    its stale_btid, "" = none
 *   dead     the key that newest would make for this asker was ended before its Ks (N8)
 *   shown    what the asker's last info on this connection showed: "" = no B-TID; asked_info false = it asked no info
 */
struct mt_derive_facts {
	const char *newest, *asked, *stale, *shown;
	bool asked_info, run_under_way, dead;
};
enum mt_derive_way {
	MT_WAY_NEWEST,		/* derive from the newest Ks, no run */
	MT_WAY_JOIN,		/* wait for the run under way */
	MT_WAY_RUN,		/* pay and start a run */
	MT_WAY_DROP_AND_RUN,	/* pay, drop the newest Ks, start a run */
	MT_WAY_STALE		/* stale-btid; dead: for N8 */
};
enum mt_derive_way mt_policy_derive(const struct mt_derive_facts *f);

/*
 * K8: buckets of at most per_hour runs that fill evenly within an hour.
 * Brings b to now; true and one run taken, or false and *retry_after_s until one is in (1 or more).
 */
bool mt_policy_bucket_take(struct mt_bucket *b, unsigned per_hour, int64_t now_ms, int64_t *retry_after_s);
/* One run back: it never reached the BSF. */
void mt_policy_bucket_give(struct mt_bucket *b, unsigned per_hour, int64_t now_ms);
/* A full one. */
struct mt_bucket mt_policy_bucket_full(unsigned per_hour, int64_t now_ms);

#endif
