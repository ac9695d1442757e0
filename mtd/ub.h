/*
 * mt_ub: one bootstrapping run at the BSF, HTTP Digest AKA.                     TS 24.109 4, TS 33.220 4.5.2, ub.md
 *
 *	MT                                              BSF
 *	 │ GET, Digest username=TMPI|IMPI, empty nonce ─▶ │
 *	 │ ◀─ 401 realm, nonce = base64(RAND || AUTN) ─── │
 *	 │ card: AUTHENTICATE(RAND, AUTN)                 │
 *	 │   SQN stale: GET, auts=… ────────────────────▶ │   once per run
 *	 │   ◀─ 401 with a fresh challenge ────────────── │
 *	 │   MAC wrong: once more from the start          │
 *	 │ GET, Digest response ────────────────────────▶ │
 *	 │ ◀─ 200 BootstrappingInfo, Authentication-Info  │
 *	 │ rspauth right? then B-TID, lifetime, Ks, TMPI  │
 *
 * A refusal under a TMPI is tried once more under the IMPI (ub.md 6). Nothing is stored here; the caller does.
 */
#ifndef MTD_UB_H
#define MTD_UB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/aka.h"
#include "common/imsi.h"
#include "common/reason.h"
#include "mtd/mt.h"
#include "mtd/store.h"

struct clock;
struct http_client;
struct mt_ub;

/* What the card said to a challenge. */
enum mt_auth_how { MT_AUTH_OK, MT_AUTH_SYNC, MT_AUTH_MAC, MT_AUTH_FAILED };
struct mt_auth {
	enum mt_auth_how how;
	const struct secret *res, *ck, *ik;	/* OK; borrowed; ck and ik NULL when they stay in the UICC (GBA_U) */
	uint8_t auts[AKA_AUTS_LEN];		/* SYNC */
	enum reason mac;			/* MAC: what the run ends with if that stays */
	const char *detail;			/* FAILED: for the log; may be NULL */
};
typedef void mt_auth_fn(void *arg, const struct mt_auth *a);
/* The card as Ub sees it. fn runs once, later, unless cancelled. RC_STATE (no card in), RC_NOMEM: it will not run. */
struct mt_ub_card {
	enum rc (*authenticate)(void *ctx, const uint8_t rand[static AKA_RAND_LEN], const uint8_t autn[static AKA_AUTN_LEN],
	    mt_auth_fn *fn, void *arg);
	void (*cancel)(void *ctx);
	void *ctx;
};

struct mt_ub_env {		/* borrowed until the run has ended */
	struct clock *clock;
	const struct rnd *rnd;
	const struct http_client *http;
	const struct mt_ub_conf *conf;
	struct mt_ub_card card;
};

struct mt_ub_ask {		/* copied */
	struct impi impi;
	char tmpi[TMPI_LEN + 1];	/* "" = none */
	char fqdn[FQDN_MAX + 1];	/* the BSF's name: the realm */
	int64_t min_left_s;		/* a Ks must live longer than this to be of use */
	int64_t now_s;			/* timeguard's */
};

struct mt_ub_result {
	enum reason why;		/* REASON_NONE = done */
	char detail[160];		/* harmless text for logs and answers */
	int64_t retry_after_s;		/* 0 = not told */
	bool challenged;		/* the BSF gave a challenge: an authentication vector was spent */
	bool tmpi_refused;		/* the TMPI given is of no more use */
	struct mt_ks ks;		/* done: its secret may be taken (set ks.ks NULL) */
	char tmpi[TMPI_LEN + 1];	/* done: the new TMPI, "" = none came of it */
	bool tmpi_due;			/* done, Ks in the UICC: both ends know TMPIs, and the UICC must derive it */
	int64_t dur_us;
};
typedef void mt_ub_fn(void *arg, struct mt_ub_result *r);

/*
 * fn runs once, never inside this call; the run is then gone. It logs its refusal itself.
 * RC_NOMEM, RC_CRYPTO; RC_SYNTAX: no request can be made of the URL, said in the log.
 */
enum rc mt_ub_start(const struct mt_ub_env *env, const struct mt_ub_ask *ask, mt_ub_fn *fn, void *arg, struct mt_ub **out) MUST_USE;
/* At once, without fn. NULL is fine. */
void mt_ub_cancel(struct mt_ub *u);

/* Pure: BootstrappingInfo (TS 24.109 C.1). currenttime: 0 = none. RC_SYNTAX, RC_RANGE; *bad = what is wrong. */
struct mt_bootstrapping_info {
	struct btid btid;
	int64_t lifetime, currenttime;
};
enum rc mt_ub_parse_info(struct span body, struct mt_bootstrapping_info *out, const char **bad) MUST_USE;

#endif
