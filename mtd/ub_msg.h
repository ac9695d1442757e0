/* mt_ub_msg: Ub's messages, made and judged without I/O: URL, Authorization, challenge, Authentication-Info, body. */
#ifndef MTD_UB_MSG_H
#define MTD_UB_MSG_H

#include "common/digest_aka.h"
#include "common/http.h"
#include "common/reason.h"
#include "common/rnd.h"
#include "mtd/ub.h"

#define MT_UB_TOKEN "3gpp-gba-tmpi"	/* product token, ub.md 7 */

/* The Request-URI of an http(s) URL: its path and query, "/" when it has none. RC_SYNTAX, RC_RANGE. */
enum rc mt_ub_uri(const char *url, char *out, size_t cap) MUST_USE;
/* Step 1: empty nonce and response. */
void mt_ub_fill_initial(struct digest *d, const char *username, const char *realm, const char *uri);
/*
 * Step 3: d holds the challenge, and then what answers it (ub.md 3).
 *   password, auts   RES's; or NULL and AUTS, the password then being empty (RFC 3310 3.4)
 * RC_CRYPTO, RC_RANGE.
 */
enum rc mt_ub_fill_answer(struct digest *d, const char *username, const char *uri, const struct rnd *rnd,
    const struct secret *password, const uint8_t *auts) MUST_USE;
/* "Thu, 08 Jan 2004 10:13:17 GMT" */
#define MT_UB_DATE_LEN 63
void mt_ub_print_date(int64_t now_s, char out[static MT_UB_DATE_LEN + 1]);

/* A product token in a User-Agent or Server field. */
bool mt_ub_has_token(const char *field);
/* Retry-After in seconds, at most an hour; 0 = none, or a date. */
int64_t mt_ub_retry_after(const struct http_reply *r);

/*
 * The challenge of a 401 that we can answer: Digest with an AKA algorithm, for our realm. Chosen: qop alone (auth-int, or auth
 * where that is tolerated).
 *   *bad    what was missing or wrong, a constant
 * REASON_NONE, _BSF_NO_CHALLENGE, _BSF_CHALLENGE, _BSF_REALM.
 */
enum reason mt_ub_challenge(const struct http_reply *r, const char *realm, unsigned tolerate, struct digest *out,
    uint8_t rand[static AKA_RAND_LEN], uint8_t autn[static AKA_AUTN_LEN], const char **bad);

/*
 * Authentication-Info of a 200 against what we sent (ours) and the body as received.
 * REASON_NONE, _BSF_NO_INFO, _BSF_RSPAUTH.
 */
enum reason mt_ub_check_info(const struct http_reply *r, const struct digest *ours, const struct secret *password, unsigned tolerate,
    const char **bad);

/* The B-TID against this run's RAND. REASON_NONE, _BSF_BTID. */
enum reason mt_ub_check_btid(const struct btid *btid, const uint8_t rand[static AKA_RAND_LEN], unsigned tolerate);

/*
 * The whole 200: Authentication-Info, body, B-TID, lifetime, in this order; B-TID and expiry into out.
 *   detail   what was wrong, or ""
 */
#define MT_UB_DETAIL_MAX BTID_MAX
struct mt_ub_sent {		/* what it answers; borrowed */
	const struct digest *d;
	const struct secret *password;
	const uint8_t *rand;
	const struct mt_ub_conf *conf;
	const struct mt_ub_ask *ask;
};
enum reason mt_ub_check_done(const struct http_reply *r, const struct mt_ub_sent *sent, struct mt_ks *out,
    char detail[static MT_UB_DETAIL_MAX + 1]);

#endif
