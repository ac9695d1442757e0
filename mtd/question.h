/*
 * mt_question: the state of one key, asked of its NAF Key Center over HTTPS with HTTP Digest.          RULES N7; TS 33.222 5.3
 *
 *	GET key-state, X-KSLocal-BTID, X-KSLocal-Device-ID, If-None-Match ─▶
 *	                                        ◀─ 401, realm "3GPP-bootstrapping@" the FQDN of this TLS connection, or the end
 *	the same with Authorization: username B-TID, password base64(Ks_(ext)_NAF of that very key) ─▶
 *	                                        ◀─ 200, 304, 404, 410; 401 with stale: once more
 */
#ifndef MTD_QUESTION_H
#define MTD_QUESTION_H

#include "mtd/mt.h"
#include "mtd/state_msg.h"
#include "mtd/store.h"

#define MT_QUESTION_MS 8000	/* in all: less than what an asker on the local interface waits for a word */

struct mt_question;

typedef void mt_question_fn(void *arg, const struct mt_said *said);
/*
 * k is borrowed during the call, center until the end. k->ks_naf NULL: the store's. fn exactly once, from the loop, with the question
 * gone, unless cancelled.
 * RC_NOTFOUND, RC_EXPIRED: the key is not in the store; RC_NOMEM, RC_IO, RC_CRYPTO, RC_SYNTAX, RC_RANGE (the URL), RC_DENIED.
 */
enum rc mt_question_start(const struct mt_seams *s, const struct mt_center_conf *center, const struct mt_key *k, int64_t now_s,
    mt_question_fn *fn, void *arg, struct mt_question **out) MUST_USE;
/* NULL is fine. */
void mt_question_cancel(struct mt_question *q);

#endif
