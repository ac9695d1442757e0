/*
 * uicc_soft: a reader whose card is software (card.h) and lives in this process: for the simulator and for tests. mtd itself has
 * uicc_child.h. The card's counters are made durable by a blocking write on the loop, before the answer leaves.
 */
#ifndef MTD_UICC_SOFT_H
#define MTD_UICC_SOFT_H

#include "common/rc.h"

struct clock;
struct mt_card_image;
struct mt_uicc;
struct rnd;

/* An empty reader. RC_NOMEM. clock and rnd are borrowed for its life; free it by mt_uicc_free(). */
enum rc mt_uicc_soft_new(struct clock *clock, const struct rnd *rnd, struct mt_uicc **out) MUST_USE;
/*
 * Put a card in: its image (conf/card.conf.sample) is read, its counters from IMAGE.state.
 * RC_EXISTS: there is one in. RC_DENIED: the image is readable by others, or the state is not this card's. RC_SYNTAX. RC_IO.
 * RC_NOMEM, RC_CRYPTO. The log says what was wrong; of an image file, line and what was expected.
 */
enum rc mt_uicc_soft_insert(struct mt_uicc *u, const char *image_path) MUST_USE;
/* The same from a struct (card_image.h), which is copied. state_path NULL: its counters live in memory. */
enum rc mt_uicc_soft_insert_image(struct mt_uicc *u, const struct mt_card_image *image, const char *state_path) MUST_USE;
/* Take it out, in the middle of whatever it does. Nothing in: nothing happens. */
void mt_uicc_soft_eject(struct mt_uicc *u);

#endif
