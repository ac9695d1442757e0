/*
 * card_child: the software card as a process of its own (RULES C1): K, OPc, and in GBA_U Ks, are in its memory and in no other.
 * It is this very program run anew, so nothing of mtd's memory comes along:
 *
 *	mtd ──APDU──> socketpair (packets) ──> mtd --software-card IMAGE [USER]
 *	    <─answer─
 *
 * Its first packet tells how the start went: one octet, enum rc, and behind RC_OK the ICC_ID. Then one answer per APDU. It has
 * no network and starts nothing, and it ends with the socket's other end, which is to say with mtd, whatever ends that.
 */
#ifndef MTD_CARD_CHILD_H
#define MTD_CARD_CHILD_H

#include <stdbool.h>

#define MT_CARD_CHILD_ARG "--software-card"
#define MT_CARD_CHILD_FD 3
#define MT_CARD_CHILD_PACKET_MAX 264

/* Is this process to be the card? Ask first thing in main(). */
bool mt_card_child_is(int argc, char **argv);
/* Be it; never returns. */
_Noreturn void mt_card_child_main(int argc, char **argv);

#endif
