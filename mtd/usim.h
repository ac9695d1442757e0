/*
 * usim: what the MT asks of a USIM or ISIM, as sequences of APDUs on the card's face (usim-gba.md 1–3). Each question is a session of
 * its own: select, PIN if the card wants one, ask, give the card back.
 */
#ifndef MTD_USIM_H
#define MTD_USIM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/aka.h"
#include "common/btid.h"
#include "common/imsi.h"
#include "common/naf_id.h"
#include "common/rc.h"
#include "common/reason.h"
#include "common/secret.h"
#include "mtd/fcp.h"

struct mt_uicc;
struct mt_usim;
struct mt_usim_op;

struct mt_usim_conf {
	char pin[9];		/* 4..8 digits, "" = none */
	unsigned mnc_len;	/* where EF_AD does not tell: 2 or 3; 0 = such a card is refused */
};

/* Where a card has two applications, each has its own B-TID and Ks (seed 7.6). */
enum mt_app_kind { MT_APP_USIM, MT_APP_ISIM, MT_APPS };

#define MT_NAFKCA_MAX 4		/* records of EF_NAFKCA that are read */

struct mt_usim_app {		/* aid_len 0: it is not on this card */
	uint8_t aid[MT_AID_MAX];
	uint8_t aid_len;
	struct impi impi;
	bool gba;		/* EF_UST service 68, EF_IST service 2: GBA_U */
	bool local_key;		/* service 76 or 4, with it: EF_NAFKCA */
	struct {		/* EF_GBABP: the run whose Ks is in the card */
		bool run;	/* there was one: rand */
		bool whole;	/* and a terminal wrote how it ended: btid, expires */
		uint8_t rand[AKA_RAND_LEN];
		struct btid btid;
		int64_t expires;
	} bp;
	char nafkca[MT_NAFKCA_MAX][FQDN_MAX + 1];	/* FQDNs, best first */
	uint8_t n_nafkca;
};

/* The card, and the applications on it. */
struct mt_usim_info {
	struct iccid iccid;
	uint64_t generation;	/* of mt_uicc_generation(): the very card */
	struct imsi imsi;
	unsigned mnc_len;
	struct mt_usim_app app[MT_APPS];	/* the USIM is always there */
};

enum mt_usim_verdict {
	MT_USIM_OK,		/* res, ck, ik */
	MT_USIM_SYNC,		/* genuine, but SQN not fresh: auts */
	MT_USIM_MAC,		/* not from the home network: why = REASON_CARD_MAC */
	MT_USIM_FAILED		/* why tells */
};
struct mt_usim_auth {
	enum mt_usim_verdict verdict;
	enum reason why;		/* REASON_NONE with OK and SYNC */
	struct secret *res, *ck, *ik;	/* the receiver's to free; NULL unless OK; ck and ik also where Ks stays in the card (GBA_U) */
	uint8_t auts[AKA_AUTS_LEN];
};

/* u and the conf's pin live as long as this. RC_NOMEM. */
enum rc mt_usim_new(struct mt_uicc *u, const struct mt_usim_conf *conf, struct mt_usim **out) MUST_USE;
/* Operations under way are cancelled. NULL is fine. */
void mt_usim_free(struct mt_usim *m);

/*
 * Who is it? Reads EF_ICCID, EF_DIR; of the first USIM EF_IMSI, EF_AD, EF_UST; of the first ISIM, if there is one that can be read,
 * EF_IMPI, EF_IST; of each with GBA EF_GBABP, EF_NAFKCA. fn runs exactly once, later, from the loop, unless cancelled; info is
 * borrowed; where why is not REASON_NONE it holds the ICC_ID alone, "" if not even that was read. The refusal was logged here.
 * why: REASON_CARD_NONE, _SILENT, _BROKEN, _UNREADABLE (EF_ICCID: counts as no card, C2), _NO_USIM, _PIN_NEEDED, _PIN_WRONG,
 * _PIN_BLOCKED, _PIN_TRIES, _MNC, _STATUS.
 */
enum rc mt_usim_open(struct mt_usim *m, void (*fn)(void *arg, enum reason why, const struct mt_usim_info *info), void *arg,
    struct mt_usim_op **out) MUST_USE;

/*
 * The questions below are for the very card that on tells of: another one gives REASON_CARD_CHANGED. fn as above.
 */

/* AUTHENTICATE. The secrets in a are the receiver's. */
struct mt_usim_challenge {
	enum mt_app_kind app;
	bool gba_u;			/* in the GBA context: autn is AUTN*, and Ks stays in the card; else in the 3G context */
	const uint8_t *rand, *autn;	/* 16 octets each, copied */
};
enum rc mt_usim_authenticate(struct mt_usim *m, const struct mt_usim_info *on, const struct mt_usim_challenge *c,
    void (*fn)(void *arg, struct mt_usim_auth *a), void *arg, struct mt_usim_op **out) MUST_USE;

/* A run whose Ks is in the card. */
struct mt_usim_run {
	enum mt_app_kind app;
	uint8_t rand[AKA_RAND_LEN];
	struct btid btid;
	int64_t expires;
};
/*
 * B-TID and lifetime into EF_GBABP, if the RAND there is this run's (TS 33.220 G.1). why: REASON_NONE; REASON_CARD_OTHER_KS (C3);
 * REASON_CARD_GBABP: cannot be read, or written.
 */
enum rc mt_usim_put_btid(struct mt_usim *m, const struct mt_usim_info *on, const struct mt_usim_run *run,
    void (*fn)(void *arg, enum reason why), void *arg, struct mt_usim_op **out) MUST_USE;
/*
 * Ks_ext_NAF out of the Ks in the card, if that is still this run's: RAND and B-TID of EF_GBABP are compared in the same session
 * (C3). key is the receiver's, NULL unless why is REASON_NONE. why: REASON_CARD_OTHER_KS (or none at all), _GBABP, _STATUS.
 * RC_RANGE: NAF_ID and IMPI are longer together than a command holds.
 */
enum rc mt_usim_ks_ext_naf(struct mt_usim *m, const struct mt_usim_info *on, const struct mt_usim_run *run, const struct naf_id *naf,
    void (*fn)(void *arg, enum reason why, struct secret *key), void *arg, struct mt_usim_op **out) MUST_USE;

/* fn will not run; the card is given back. Not after fn ran. NULL is fine. */
void mt_usim_cancel(struct mt_usim_op *op);

#endif
