/*
 * usim: what the MT asks of a USIM, as sequences of APDUs on the card's face (usim-gba.md 1–3). Each question is a session of
 * its own: select, PIN if the card wants one, ask, give the card back.
 */
#ifndef MTD_USIM_H
#define MTD_USIM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/aka.h"
#include "common/imsi.h"
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

/* The card, and the USIM application on it. */
struct mt_usim_info {
	struct iccid iccid;
	uint8_t aid[MT_AID_MAX];
	uint8_t aid_len;
	uint64_t generation;	/* of mt_uicc_generation(): the very card */
	struct imsi imsi;
	unsigned mnc_len;
	struct impi impi;
	bool gba;		/* EF_UST service 68 */
	bool local_key;		/* service 76, with 68: EF_NAFKCA */
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
	struct secret *res, *ck, *ik;	/* the receiver's to free; NULL unless OK */
	uint8_t auts[AKA_AUTS_LEN];
};

/* u and the conf's pin live as long as this. RC_NOMEM. */
enum rc mt_usim_new(struct mt_uicc *u, const struct mt_usim_conf *conf, struct mt_usim **out) MUST_USE;
/* Operations under way are cancelled. NULL is fine. */
void mt_usim_free(struct mt_usim *m);

/*
 * Who is it? Reads EF_ICCID, EF_DIR, and of the first USIM EF_IMSI, EF_AD, EF_UST. fn runs exactly once, later, from the loop,
 * unless cancelled; info is borrowed, NULL unless why is REASON_NONE. The refusal was logged here.
 * why: REASON_CARD_NONE, _SILENT, _BROKEN, _UNREADABLE (EF_ICCID: counts as no card, C2), _NO_USIM, _PIN_NEEDED, _PIN_WRONG,
 * _PIN_BLOCKED, _PIN_TRIES, _MNC, _STATUS.
 */
enum rc mt_usim_open(struct mt_usim *m, void (*fn)(void *arg, enum reason why, const struct mt_usim_info *info), void *arg,
    struct mt_usim_op **out) MUST_USE;
/*
 * AUTHENTICATE in the 3G context, in the application and on the very card that on tells of: another one gives
 * REASON_CARD_CHANGED. fn as above; the secrets in a are the receiver's.
 */
enum rc mt_usim_authenticate(struct mt_usim *m, const struct mt_usim_info *on, const uint8_t rand[static AKA_RAND_LEN],
    const uint8_t autn[static AKA_AUTN_LEN], void (*fn)(void *arg, struct mt_usim_auth *a), void *arg,
    struct mt_usim_op **out) MUST_USE;
/* fn will not run; the card is given back. Not after fn ran. NULL is fine. */
void mt_usim_cancel(struct mt_usim_op *op);

#endif
