/* call: one message on either Ua port, until its answer is out with the turn. */
#ifndef NAFKCD_CALL_H
#define NAFKCD_CALL_H

#include "nafkcd/core.h"

#define NAFKC_ETAG_LEN 18	/* 16 hex digits between quotes */

struct nafkc_auth;
struct nafkc_state;

struct nafkc_call {
	struct nafkc_call *prev, *next;
	struct nafkc *k;		/* NULL: the core has gone; the answer stands in the outbox */
	struct http_xchg *x;
	struct nafkc_ask ask;		/* as far as it was understood */
	int64_t began_ms;
	struct nafkc_auth *auth;	/* the second port: what the answer's header needs (auth.h) */
	/* the answer */
	int status;
	char retry_after[24], etag[NAFKC_ETAG_LEN + 1];	/* "" = none */
	const char *allow;		/* 405: what is allowed; static */
	bool close;			/* the connection ends with it */
	char *body;
	size_t n;
};

/* Out of memory ends the process. x->req stays valid until the answer. */
struct nafkc_call *nafkc_call_new(struct nafkc *k, struct http_xchg *x);
/* A copy of these octets, in place of the body before, which is cleansed. false: out of memory, there is none. */
bool nafkc_call_set_body(struct nafkc_call *c, const char *p, size_t n) MUST_USE;
/* Status, body and headers of a refusal; text NULL: the reason's own. */
void nafkc_call_put_error(struct nafkc_call *c, enum reason why, const char *text, int64_t retry_after_s);
/* The same, logged and counted, into the turn. c is not to be touched afterwards. */
void nafkc_call_refuse(struct nafkc_call *c, enum reason why, const char *text, int64_t retry_after_s);
/* What stands in c, into the turn. */
void nafkc_call_answer(struct nafkc_call *c);
/* A request header, NULL if there is none. */
const char *nafkc_call_header(const struct nafkc_call *c, const char *name);

/* --- state.c: the state of a key                                                                               RULES N7 */

/* The form of the question: GET, the triple from Host and headers. name_btid: it must be there. false: it was refused. */
bool nafkc_state_form(struct nafkc_call *c, bool name_btid);
/* The state of the triple; of several NAF_IDs with its FQDN, the one that there is a key or a tombstone of, which c then names. */
enum rc nafkc_state_find(struct nafkc_call *c, struct nafkc_state *out) MUST_USE;
/* The answer to whoever may have it: 200, 304, 404, 410. */
void nafkc_state_tell(struct nafkc_call *c, enum rc rc, const struct nafkc_state *s);
/* A device's question on the first port; its certificate was taken. */
void nafkc_state_ask(struct nafkc_call *c);

#endif
