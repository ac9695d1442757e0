/*
 * auth: HTTP Digest on the second Ua port, the NAF's end: nonces, counts that come twice, the two headers of an answer.
 *                                                                                TS 24.109 5.2; TS 33.222 5.3; RFC 2617
 *   nonce = hex of time 8 || random 8 || the first 16 octets of HMAC-SHA-256(a key made at each start, time || random)
 *
 * so that nothing is kept for whoever only asks for challenges. What is kept, for nonces that were answered rightly, is the highest
 * count so far: of at most NAFKC_NONCES_MAX nonces, the oldest out; a nonce from before one that went is over.
 */
#ifndef NAFKCD_AUTH_H
#define NAFKCD_AUTH_H

#include "common/digest_gba.h"
#include "common/http.h"

#define NAFKC_NONCE_LIFE_MS 60000
#define NAFKC_NONCES_MAX 4096

struct clock;
struct nafkc_nonces;
struct rnd;

/* RC_NOMEM, RC_CRYPTO. Caller frees. */
enum rc nafkc_nonces_new(const struct clock *clock, const struct rnd *rnd, struct nafkc_nonces **out) MUST_USE;
void nafkc_nonces_free(struct nafkc_nonces *n);
/* A fresh one, as digest.nonce. RC_CRYPTO. */
enum rc nafkc_nonce_make(struct nafkc_nonces *n, char *out, size_t cap) MUST_USE;
/* Ours, and not over. */
bool nafkc_nonce_good(const struct nafkc_nonces *n, const char *nonce);
/* The same, and its count (8 hex digits) is higher than any before, which is remembered. */
bool nafkc_nonce_use(struct nafkc_nonces *n, const char *nonce, const char *nc);

/* What one exchange needs. */
struct nafkc_auth {
	struct digest d;		/* the Authorization that came */
	struct secret *password;	/* once it was right */
	bool other;			/* the request names another B-TID than it is authenticated with */
	bool waits;			/* for Zn */
	char text[1024];		/* WWW-Authenticate, or Authentication-Info */
};
void nafkc_auth_free(struct nafkc_auth *a);
/* The "bootstrapping required indication" for a 401. RC_CRYPTO. */
enum rc nafkc_auth_challenge(struct nafkc_auth *a, struct nafkc_nonces *n, const char *fqdn, bool stale) MUST_USE;
/* The header of an answer, false: none: a challenge for 401, else rspauth over the body for who was authenticated. Borrowed from a. */
bool nafkc_auth_header(struct nafkc_auth *a, int status, struct span body, struct http_header *out);

#endif
