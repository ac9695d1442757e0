/* usim_int: the inside of usim: one question under way, and the steps it walks over (usim.c walks, usim_steps.c knows the card). */
#ifndef MTD_USIM_INT_H
#define MTD_USIM_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mtd/apdu.h"
#include "mtd/fcp.h"
#include "mtd/usim.h"

struct mt_uicc_session;

enum mt_usim_step {
	MT_STEP_MF, MT_STEP_SELECT_ICCID, MT_STEP_READ_ICCID, MT_STEP_SELECT_DIR, MT_STEP_READ_DIR, MT_STEP_SELECT_USIM,
	MT_STEP_SELECT_IMSI, MT_STEP_READ_IMSI, MT_STEP_SELECT_AD, MT_STEP_READ_AD, MT_STEP_SELECT_UST, MT_STEP_READ_UST,
	MT_STEP_AUTHENTICATE, MT_STEP_PIN_QUERY, MT_STEP_PIN_VERIFY, MT_STEP_DONE
};

struct mt_usim {
	struct mt_uicc *u;
	struct mt_usim_conf conf;
	uint64_t pin_refused;		/* generation of the card that refused it; 0 = none did */
	TAILQ_HEAD(, mt_usim_op) ops;
};

struct mt_usim_op {
	struct mt_usim *m;
	struct mt_uicc_session *session;
	enum mt_usim_step step;
	enum mt_usim_step resume;	/* after the PIN */
	bool pin_given;
	bool authenticates;		/* else: open */
	void (*on_open)(void *arg, enum reason why, const struct mt_usim_info *info);
	void (*on_auth)(void *arg, struct mt_usim_auth *a);
	void *arg;
	struct mt_usim_info info;
	struct mt_fcp fcp;		/* of what was selected last */
	uint8_t record;			/* of EF_DIR */
	uint8_t rand[AKA_RAND_LEN], autn[AKA_AUTN_LEN];
	struct mt_usim_auth auth;
	TAILQ_ENTRY(mt_usim_op) entry;
};

struct mt_usim_step_form {
	const char *name;
	void (*ask)(const struct mt_usim_op *op, struct mt_apdu *a);
	/* Sets op->step to the next, or says why there is none. */
	enum reason (*take)(struct mt_usim_op *op, struct span data, uint16_t sw);
	uint16_t fid;			/* of what is selected */
	uint8_t len;			/* of what is read; 0 = as the FCP says */
	bool wants_pin;			/* the card may ask for its PIN here */
};
extern const struct mt_usim_step_form mt_usim_steps[MT_STEP_DONE];

#endif
