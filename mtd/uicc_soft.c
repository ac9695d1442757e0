#include "mtd/uicc_soft.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "mtd/apdu.h"
#include "mtd/card.h"
#include "mtd/uicc.h"

struct soft {
	struct mt_uicc *u;
	const struct rnd *rnd;
	struct clock_timer *answer;	/* the answer is the loop's to give, not transmit's */
	struct mt_card *card;		/* NULL = none in */
	struct mt_apdu cmd;		/* for the timer */
	bool pulled;			/* the card that cmd was for is gone, whatever is in now */
};

static void
on_answer(void *arg)
{
	struct soft *s = arg;
	uint8_t out[MT_CARD_ANSWER_MAX];
	size_t n;

	if (s->pulled) {
		mt_uicc_answered(s->u, RC_IO, (struct span){ NULL, 0 });
		return;
	}
	n = mt_card_apdu(s->card, (struct span){ s->cmd.b, s->cmd.n }, out);
	explicit_bzero(s->cmd.b, sizeof s->cmd.b);		/* may have held the PIN */
	mt_uicc_answered(s->u, RC_OK, (struct span){ out, n });
	explicit_bzero(out, sizeof out);
}

static enum rc
soft_transmit(void *reader, struct span apdu)
{
	struct soft *s = reader;

	if (s->card == NULL || apdu.n > sizeof s->cmd.b)
		return RC_IO;
	memcpy(s->cmd.b, apdu.p, apdu.n);
	s->cmd.n = apdu.n;
	s->pulled = false;
	clock_timer_set(s->answer, 0);
	return RC_OK;
}

static void
soft_free(void *reader)
{
	struct soft *s = reader;

	clock_timer_free(s->answer);
	mt_card_free(s->card);
	free(s);
}

static const struct mt_uicc_reader soft_reader = { .transmit = soft_transmit, .free = soft_free };

enum rc
mt_uicc_soft_new(struct clock *clock, const struct rnd *rnd, struct mt_uicc **out)
{
	struct soft *s;
	enum rc rc = RC_NOMEM;

	if ((s = calloc(1, sizeof *s)) == NULL)
		return rc;
	s->rnd = rnd;
	if ((rc = clock_timer_new(clock, on_answer, s, &s->answer)) != RC_OK)
		goto out;
	if ((rc = mt_uicc_new(clock, &soft_reader, s, 0, &s->u)) != RC_OK)
		goto out;
	*out = s->u;
	s = NULL;
out:
	if (s != NULL)
		soft_free(s);
	return rc;
}

enum rc
mt_uicc_soft_insert_image(struct mt_uicc *u, const struct mt_card_image *image, const char *state_path)
{
	struct soft *s = mt_uicc_reader(u);
	enum rc rc;

	if (s->card != NULL)
		return RC_EXISTS;
	if ((rc = mt_card_new(image, state_path, s->rnd, &s->card)) != RC_OK)
		return rc;
	mt_uicc_card(u, true);
	return RC_OK;
}

enum rc
mt_uicc_soft_insert(struct mt_uicc *u, const char *image_path)
{
	struct soft *s = mt_uicc_reader(u);
	struct iccid iccid;
	enum rc rc;

	if (s->card != NULL)
		return RC_EXISTS;
	if ((rc = mt_card_open(image_path, s->rnd, &s->card, &iccid)) != RC_OK)
		return rc;
	mt_uicc_card(u, true);
	log_info("card: %s is in the software reader", iccid.s);
	return RC_OK;
}

void
mt_uicc_soft_eject(struct mt_uicc *u)
{
	struct soft *s = mt_uicc_reader(u);

	if (s->card == NULL)
		return;
	mt_card_free(s->card);
	s->card = NULL;
	s->pulled = true;
	mt_uicc_card(u, false);
}
