/* uicc_child: a reader whose card is a process (card_child.h): what mtd has for uicc { image = … } (RULES C1). */
#ifndef MTD_UICC_CHILD_H
#define MTD_UICC_CHILD_H

#include <sys/types.h>

#include "common/rc.h"

struct clock;
struct loop;
struct mt_uicc;

/* An empty reader. user: what the daemon becomes later, and the card with it; NULL = stays. Borrowed. RC_NOMEM. */
enum rc mt_uicc_child_new(struct loop *loop, struct clock *clock, const char *user, struct mt_uicc **out) MUST_USE;
/*
 * Put a card in: its process is started, and fn tells from the loop how that went: RC_OK, or as mt_card_image_load() and
 * mt_card_new(); the card's process has logged what was wrong. fn may be NULL.
 * At once and without fn: RC_EXISTS: there is one in, or coming. RC_RANGE (path), RC_IO: no process.
 */
enum rc mt_uicc_child_insert(struct mt_uicc *u, const char *image_path, void (*fn)(void *arg, enum rc rc), void *arg) MUST_USE;
/* For a start without a loop yet: wait, 10 s at most, for the card that is coming, and say what fn would have been told. */
enum rc mt_uicc_child_settle(struct mt_uicc *u) MUST_USE;
/* Take it out, in the middle of whatever it does. Nothing in: nothing happens. */
void mt_uicc_child_eject(struct mt_uicc *u);

/* The image of the card that is in or coming, "" = none; and its process, 0 = none. */
const char *mt_uicc_child_image(const struct mt_uicc *u);
pid_t mt_uicc_child_pid(const struct mt_uicc *u);

#endif
