/*
 * uicc_soft: a reader whose card is software (card.h), for labs and tests. It answers APDUs and nothing else; K and OPc
 * do not leave the card's files. In this process for now; the next piece of work puts it into a child (C1).
 */
#ifndef MTD_UICC_SOFT_H
#define MTD_UICC_SOFT_H

#include "common/rc.h"

struct clock;
struct mt_card_image;
struct mt_uicc;
struct rnd;

/* An empty reader. RC_NOMEM. Free it by mt_uicc_free(). */
enum rc mt_uicc_soft_new(struct clock *clock, const struct rnd *rnd, struct mt_uicc **out) MUST_USE;
/*
 * Put a card in: its image (conf/card.conf.sample) is read, its counters from IMAGE.state.
 * RC_EXISTS: there is one in. RC_DENIED: image or state readable by others, or the state is not this card's.
 * RC_SYNTAX: the log says file, line and what was expected. RC_IO.
 */
enum rc mt_uicc_soft_insert(struct mt_uicc *u, const char *image_path) MUST_USE;
/* The same from a struct (card_image.h), which is copied. state_path NULL: its counters live in memory. */
enum rc mt_uicc_soft_insert_image(struct mt_uicc *u, const struct mt_card_image *image, const char *state_path) MUST_USE;
/* Take it out, in the middle of whatever it does. Nothing in: nothing happens. */
void mt_uicc_soft_eject(struct mt_uicc *u);

#endif
