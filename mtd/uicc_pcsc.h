/*
 * uicc_pcsc: a card in a real reader, by PC/SC (pcsc-lite). RULES C1: the loop never waits for a card: all calls that may block
 * are made by two threads of this module, which hand their results to the loop.
 *
 *	loop ──commands──> worker ── SCardConnect, Transmit, transactions
 *	  ^────post()──── worker, watcher ── SCardGetStatusChange: readers and cards that come and go
 *
 * pcscd may be started later, or end and come back: the reader is then empty meanwhile, and the log says so once.
 */
#ifndef MTD_UICC_PCSC_H
#define MTD_UICC_PCSC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"
#include "common/span.h"

struct clock;
struct loop;
struct mt_uicc;

/* The reader of that name; NULL = whichever first has a card, and that one as long as it has. RC_NOMEM, RC_IO (no threads). */
enum rc mt_uicc_pcsc_new(struct loop *loop, struct clock *clock, const char *reader, struct mt_uicc **out) MUST_USE;

/*
 * What is sent with T=0 for a short APDU: case 1 gets a P3 of 00, case 4 goes without its Le, which GET RESPONSE then asks for
 * (ISO 7816-3 12.2). With T=1 an APDU travels as it is. Pure. The number of octets.
 */
#define MT_PCSC_APDU_MAX 261
size_t mt_pcsc_tpdu(bool t0, struct span apdu, uint8_t out[static MT_PCSC_APDU_MAX]);

#endif
