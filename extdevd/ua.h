/*
 * ua: the device's side of Ua: one Key Request over HTTPS with certificates on both sides, and what its answer means.
 *
 *	POST https://FQDN/keycentre/v1/key-request   {B-TID, NAF_ID, Device_ID}        seed 8.3.1 steps 11, 12
 *	200 {B-TID, Device_ID, Ks_local_MT, expiry}                                    step 16
 *	403 bootstrap-again | 503 later | anything else: no
 *
 * The URL's host is the FQDN of the chosen NAF_ID, and the server's certificate must carry it as dNSName before B-TID and
 * Device_ID are sent (N4): http_client's work.
 */
#ifndef EXTDEVD_UA_H
#define EXTDEVD_UA_H

#include "extdevd/policy.h"
#include "extdevd/store.h"

struct extdev_ua_call;

struct extdev_ua_answer {
	enum reason why;		/* REASON_NONE: ks and expires_s hold */
	enum extdev_next next;		/* what to do otherwise */
	int64_t retry_after_s;		/* EXTDEV_LATER; 0 = not told */
	char detail[256];		/* for people */
	struct secret *ks;		/* the callee frees it */
	int64_t expires_s;
	char pseudonym[UAXML_PSEUDONYM_MAX + 1];	/* K12; "" = none came */
	int status;			/* 0 = no answer */
};
typedef void extdev_on_ua(void *arg, struct extdev_ua_answer *a);

/* fn runs exactly once, never inside this call, unless cancelled. RC_NOMEM, RC_SYNTAX (URL). */
enum rc extdev_ua_send(struct extdev *e, size_t center, const struct extdev_request *r, extdev_on_ua *fn, void *arg,
    struct extdev_ua_call **out) MUST_USE;
/* fn will not run; NULL is fine. */
void extdev_ua_cancel(struct extdev_ua_call *c);

/*
 * ua_state.c: is this key still what the Key Center gave? A conditional request:                                          N7
 *
 *	GET https://FQDN/keycentre/v1/key-state   B-TID and Device_ID as headers, If-None-Match
 *	200 {B-TID, Device_ID, expiry}, ETag | 304 as before | 404 unknown | 410 taken back | anything else: it said nothing
 */
enum extdev_said {
	EXTDEV_SAID_NOTHING,		/* why tells */
	EXTDEV_SAID_GOOD,		/* expires_s and etag hold */
	EXTDEV_SAID_SAME,		/* what the ETag stood for */
	EXTDEV_SAID_UNKNOWN,
	EXTDEV_SAID_GONE
};
struct extdev_ua_state {
	enum extdev_said said;
	enum reason why;		/* REASON_NONE for GOOD and SAME */
	char detail[256];		/* for people */
	int64_t expires_s;
	char etag[EXTDEV_ETAG_MAX + 1];	/* "" = none */
	int64_t retry_after_s;		/* 0 = not told */
	int64_t took_us;
};
struct extdev_ua_ask;
typedef void extdev_on_ua_state(void *arg, struct extdev_ua_state *a);

/* k is borrowed during the call. fn runs exactly once, never inside this call, unless cancelled. RC_NOMEM, RC_SYNTAX (URL). */
enum rc extdev_ua_ask_state(struct extdev *e, size_t center, const struct extdev_key *k, extdev_on_ua_state *fn, void *arg,
    struct extdev_ua_ask **out) MUST_USE;
/* fn will not run; NULL is fine. */
void extdev_ua_ask_cancel(struct extdev_ua_ask *a);

#endif
