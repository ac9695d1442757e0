/*
 * uicc: the card's face (RULES C1): one reader, at most one card in it, reached by nothing but APDUs. Asynchronous: a card
 * reader blocks, so every answer comes later, from the loop, never inside the call that asked.
 *
 *	usim.c ──begin, transmit, end──> uicc.c ──mt_uicc_reader──> uicc_soft.c (and uicc_pcsc.c)
 *
 * A user has the card for itself between begin and end, since selection and PIN state are the card's, not the user's. Users
 * queue in the order of their begin. When the card goes, every session ends by itself.
 */
#ifndef MTD_UICC_H
#define MTD_UICC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"
#include "common/reason.h"
#include "common/span.h"

struct clock;
struct mt_uicc;
struct mt_uicc_session;

/* --- for who uses the card */

struct mt_uicc_cb {
	/* The card is this session's until mt_uicc_end(). */
	void (*on_begun)(struct mt_uicc_session *s, void *arg);
	/*
	 * It ended by itself, before or after on_begun: REASON_CARD_NONE (not in, or pulled), REASON_CARD_SILENT (no answer in time),
	 * REASON_CARD_BROKEN (the reader failed). Nothing follows, an answer under way included; call mt_uicc_end() to free it.
	 */
	void (*on_ended)(struct mt_uicc_session *s, enum reason why, void *arg);
};
/*
 * data and sw are the card's last word: 61xx and 6Cxx were followed and are not seen here. data is borrowed until the session
 * transmits again or ends.
 */
typedef void mt_uicc_on_answer(void *arg, struct span data, uint16_t sw);

/* Queue for the card; on_begun or on_ended follows. With no card in, on_ended. RC_NOMEM. The caller ends it in each case. */
enum rc mt_uicc_begin(struct mt_uicc *u, const struct mt_uicc_cb *cb, void *arg, struct mt_uicc_session **out) MUST_USE;
/*
 * One command APDU, one at a time; fn runs once, or on_ended instead. RC_STATE (not begun, or one is under way), RC_RANGE (4 to
 * 261 octets).
 */
enum rc mt_uicc_transmit(struct mt_uicc_session *s, struct span apdu, mt_uicc_on_answer *fn, void *arg) MUST_USE;
/* Give it back and free the session, at any time; no callback follows. NULL is fine. */
void mt_uicc_end(struct mt_uicc_session *s);

bool mt_uicc_present(const struct mt_uicc *u);
/* Counts insertions: another number = the card was out in between. */
uint64_t mt_uicc_generation(const struct mt_uicc *u);
/* in: true = inserted, false = removed. One listener; NULL = none. If a card is in, its insertion is told once more. */
void mt_uicc_listen(struct mt_uicc *u, void (*fn)(void *arg, bool in), void *arg);
/* How many APDUs were sent to the card since the start, follow-ups included (K6). */
uint64_t mt_uicc_apdus(const struct mt_uicc *u);

/* --- for an operator (ksctl mtd uicc) */

const char *mt_uicc_kind(const struct mt_uicc *u);
const char *mt_uicc_name(const struct mt_uicc *u);
/*
 * Put a software card in; fn tells from the loop how that went. At once, and without fn: RC_STATE: the reader is real, a hand is
 * wanted. RC_EXISTS: there is one in, or coming. RC_RANGE, RC_IO.
 */
enum rc mt_uicc_insert(struct mt_uicc *u, const char *image_path, void (*fn)(void *arg, enum rc rc), void *arg) MUST_USE;
/* Take it out, in the middle of whatever it does. RC_STATE: the reader is real. RC_NOTFOUND: none is in. */
enum rc mt_uicc_eject(struct mt_uicc *u) MUST_USE;

/* Sessions must have ended. Frees the reader too. NULL is fine. */
void mt_uicc_free(struct mt_uicc *u);

/* --- for who is a reader; all calls on the loop thread */

struct mt_uicc_reader {
	/*
	 * Send one APDU to the card (copy it). mt_uicc_answered() follows exactly once, never inside this call, also when the card
	 * goes meanwhile. RC_IO: it could not be sent, nothing follows.
	 */
	enum rc (*transmit)(void *reader, struct span apdu);
	/* A user begins (true) or has ended (false): the place for a reader's transaction. May be NULL. */
	void (*exclusive)(void *reader, bool on);
	void (*free)(void *reader);
	const char *kind;	/* "software", "pcsc" */
	/* The image, or the reader's name; "" = none. May be NULL. */
	const char *(*name)(void *reader);
	/* A software reader's, else NULL: as mt_uicc_insert(), mt_uicc_eject(). */
	enum rc (*insert)(void *reader, const char *image_path, void (*fn)(void *arg, enum rc rc), void *arg);
	void (*eject)(void *reader);
};
/* answer_timeout_ms: 0 = 30,000. RC_NOMEM. On failure the reader stays the caller's. */
enum rc mt_uicc_new(struct clock *clock, const struct mt_uicc_reader *ops, void *reader, int64_t answer_timeout_ms,
    struct mt_uicc **out) MUST_USE;
/* The reader behind u, for the module that made it. */
void *mt_uicc_reader(const struct mt_uicc *u);
/* The card's answer: data and two octets of status word. A shorter one, or RC_IO, is a broken reader. */
void mt_uicc_answered(struct mt_uicc *u, enum rc rc, struct span answer);
/* A card came, or went. Repeated is fine. */
void mt_uicc_card(struct mt_uicc *u, bool in);

#endif
