/*
 * card_serve: 'ksctl card serve IMAGE': the software card in vpcd's virtual reader, so that pcscd, and through it mtd and any
 * other program, finds it like a card in a real one.
 *
 *	program ──PC/SC──> pcscd ── vpcd (its driver) <──TCP, we connect── ksctl card serve
 *
 * vpcd's messages, each behind its length in two octets: one octet 00 power off, 01 power on, 02 reset, 04 ATR wanted (answered by
 * the ATR); anything longer is a command APDU, answered by the card's answer.
 */
#ifndef CTL_CARD_SERVE_H
#define CTL_CARD_SERVE_H

#include <stdbool.h>

#include "common/span.h"
#include "ctl/ksctl.h"

#define KSCTL_VPCD_PORT 35963

/* Is it "card serve …"? */
bool ksctl_card_serve_is(int argc, char **argv);
/* argv: "ksctl card serve [--port N] IMAGE". Prints a ready line; runs until vpcd or a signal ends it. */
enum ksctl_exit ksctl_card_serve(int argc, char **argv);

/* One message of vpcd, answered by this card: how many octets of out, 0 = none is wanted. Pure but for the card. */
struct mt_card;
#define KSCTL_CARD_ANSWER_MAX 258
size_t ksctl_card_answer(struct mt_card *c, struct span in, uint8_t out[static KSCTL_CARD_ANSWER_MAX]);

#endif
