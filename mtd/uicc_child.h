/* uicc_child: a reader whose card is a process (card_child.h): what mtd has for uicc { image = … } (RULES C1). */
#ifndef MTD_UICC_CHILD_H
#define MTD_UICC_CHILD_H

#include <sys/types.h>

#include "common/rc.h"

struct clock;
struct loop;
struct mt_uicc;

/*
 * An empty reader; mt_uicc_insert() starts a card's process, which logs what is wrong with its image: then RC_SYNTAX, RC_DENIED
 * and whatever else mt_card_image_load() and mt_card_new() say. user: what the daemon becomes later, and the card with it; NULL = stays.
 * Borrowed. RC_NOMEM.
 */
enum rc mt_uicc_child_new(struct loop *loop, struct clock *clock, const char *user, struct mt_uicc **out) MUST_USE;
/*
 * For a start without a loop yet: wait, 10 s at most, for the card that is coming, and say what fn would have been told.
 * RC_NOTFOUND: none is.
 */
enum rc mt_uicc_child_settle(struct mt_uicc *u) MUST_USE;
/* Its process, 0 = none. */
pid_t mt_uicc_child_pid(const struct mt_uicc *u);

#endif
