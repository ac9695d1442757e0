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
	MT_STEP_MF, MT_STEP_SELECT_ICCID, MT_STEP_READ_ICCID, MT_STEP_SELECT_DIR, MT_STEP_READ_DIR, MT_STEP_SELECT_APP,
	MT_STEP_SELECT_IMSI, MT_STEP_READ_IMSI, MT_STEP_SELECT_AD, MT_STEP_READ_AD, MT_STEP_SELECT_IMPI, MT_STEP_READ_IMPI,
	MT_STEP_SELECT_UST, MT_STEP_READ_UST, MT_STEP_SELECT_GBABP, MT_STEP_READ_GBABP, MT_STEP_SELECT_NAFKCA, MT_STEP_READ_NAFKCA,
	MT_STEP_AUTHENTICATE, MT_STEP_BOOTSTRAP, MT_STEP_PUT_BTID, MT_STEP_NAF, MT_STEP_PIN_QUERY, MT_STEP_PIN_VERIFY, MT_STEP_DONE
};

enum mt_usim_question { MT_ASK_OPEN, MT_ASK_AUTH, MT_ASK_PUT_BTID, MT_ASK_NAF };

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
	enum mt_usim_question question;
	void (*on_open)(void *arg, enum reason why, const struct mt_usim_info *info);
	void (*on_auth)(void *arg, struct mt_usim_auth *a);
	void (*on_put)(void *arg, enum reason why);
	void (*on_naf)(void *arg, enum reason why, struct secret *key);
	void *arg;
	struct mt_usim_info info;
	enum mt_app_kind kind;		/* of the application selected */
	struct mt_fcp fcp;		/* of what was selected last */
	uint8_t record;			/* of EF_DIR, EF_NAFKCA */
	bool gba_u;
	uint8_t rand[AKA_RAND_LEN], autn[AKA_AUTN_LEN];
	struct mt_usim_run run;
	struct mt_apdu cmd;		/* PUT_BTID, NAF: made before the card is asked */
	struct mt_usim_auth auth;
	struct secret *key;
	TAILQ_ENTRY(mt_usim_op) entry;
};

struct mt_usim_step_form {
	const char *name;
	void (*ask)(const struct mt_usim_op *op, struct mt_apdu *a);
	/* Sets op->step to the next, or says why there is none. */
	enum reason (*take)(struct mt_usim_op *op, struct span data, uint16_t sw);
	uint16_t fid;			/* of what is selected */
	uint16_t isim_fid;		/* and in the ISIM; 0 = the same */
	uint8_t len;			/* of what is read; 0 = as the FCP says */
	bool wants_pin;			/* the card may ask for its PIN here */
};
extern const struct mt_usim_step_form mt_usim_steps[MT_STEP_DONE];

enum reason mt_usim_go(struct mt_usim_op *op, enum mt_usim_step next);
/* usim_gba.c: the steps of GBA; and what comes after an application's services are known. */
enum reason mt_usim_after_services(struct mt_usim_op *op);
void mt_usim_ask_bootstrap(const struct mt_usim_op *op, struct mt_apdu *a);
void mt_usim_ask_made(const struct mt_usim_op *op, struct mt_apdu *a);
enum reason mt_usim_take_select_gbabp(struct mt_usim_op *op, struct span data, uint16_t sw);
enum reason mt_usim_take_gbabp(struct mt_usim_op *op, struct span data, uint16_t sw);
enum reason mt_usim_take_select_nafkca(struct mt_usim_op *op, struct span data, uint16_t sw);
enum reason mt_usim_take_nafkca(struct mt_usim_op *op, struct span data, uint16_t sw);
enum reason mt_usim_take_bootstrap(struct mt_usim_op *op, struct span data, uint16_t sw);
enum reason mt_usim_take_put_btid(struct mt_usim_op *op, struct span data, uint16_t sw);
enum reason mt_usim_take_naf(struct mt_usim_op *op, struct span data, uint16_t sw);

#endif
