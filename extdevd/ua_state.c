/* ua_state: one question about a key's state, and what its answer means. Changes nothing: state.c does.          RULES N7 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/profile.h"
#include "common/uaxml.h"
#include "extdevd/core.h"

#define URL_MAX 1024
#define TIMEOUT_MS 10000	/* it looks into its own store, and asks nobody */

struct extdev_ua_ask {
	struct extdev *e;
	struct http_flight *flight;
	struct triple asked;
	bool conditional;
	int64_t since_ms;
	extdev_on_ua_state *fn;
	void *arg;
};

/* A value that can be sent back as it came: printable, and whole. */
static bool
etag_ok(const char *value)
{
	size_t n = value != NULL ? strlen(value) : 0;

	for (size_t i = 0; i < n; i++)
		if (value[i] < 0x20 || value[i] > 0x7e)
			return false;
	return n > 0 && n <= EXTDEV_ETAG_MAX;
}

static void
read_state(const struct extdev_ua_ask *q, const struct http_reply *r, struct extdev_ua_state *a)
{
	const char *etag = http_header_get(r->headers, r->n_headers, "ETag");
	struct uaxml_state m;
	const char *bad = "";
	enum rc rc = uaxml_parse_state(r->body, &m, &bad);

	if (rc != RC_OK) {
		a->why = rc == RC_NOMEM ? REASON_INTERNAL : REASON_EXT_NAF_BAD_ANSWER;
		(void)snprintf(a->detail, sizeof a->detail, "%s", bad);
	} else if (strcmp(m.btid.s, q->asked.btid.s) != 0 || strcmp(m.device_id.s, q->asked.device_id.s) != 0) {
		a->why = REASON_EXT_NAF_OTHER;
		(void)snprintf(a->detail, sizeof a->detail, "it is about %.100s and %.100s", m.btid.s, m.device_id.s);
	} else {
		a->said = EXTDEV_SAID_GOOD;
		a->why = REASON_NONE;
		a->expires_s = m.lifetime;
		if (etag_ok(etag))
			(void)snprintf(a->etag, sizeof a->etag, "%s", etag);
	}
}

static void
read_refusal(const struct http_reply *r, struct extdev_ua_state *a)
{
	struct uaxml_error m = { "", "" };
	char text[128];

	if (uaxml_parse_error(r->body, &m) != RC_OK)
		m.reason[0] = m.text[0] = '\0';
	a->said = r->status == 410 ? EXTDEV_SAID_GONE : r->status == 404 ? EXTDEV_SAID_UNKNOWN : EXTDEV_SAID_NOTHING;
	a->why = r->status == 410 ? REASON_EXT_KEY_GONE : r->status == 404 ? REASON_EXT_STATE_UNKNOWN : extdev_naf_reason(r->status, m.reason);
	a->retry_after_s = extdev_retry_after(http_header_get(r->headers, r->n_headers, "Retry-After"));
	(void)snprintf(a->detail, sizeof a->detail, "status %d%s%s%s%s", r->status, m.reason[0] != '\0' ? ", " : "", m.reason,
	    m.text[0] != '\0' ? ": " : "", log_text(span_str(m.text), text, sizeof text));
}

static void
on_reply(void *arg, const struct http_reply *r)
{
	struct extdev_ua_ask *q = arg;
	struct extdev_ua_state a = { .said = EXTDEV_SAID_NOTHING, .why = r->why };

	q->flight = NULL;
	a.took_us = (clock_mono_ms(q->e->s.clock) - q->since_ms) * 1000;
	if (r->status == 0)
		(void)snprintf(a.detail, sizeof a.detail, "%s", r->detail != NULL ? r->detail : "");
	else if (r->status == 200)
		read_state(q, r, &a);
	else if (r->status == 304 && q->conditional) {
		a.said = EXTDEV_SAID_SAME;
		a.why = REASON_NONE;
	} else
		read_refusal(r, &a);
	q->fn(q->arg, &a);
	free(q);
}

/* As configured; else the profile's path where the key requests go. */
static enum rc
make_url(const struct extdev_center_conf *center, char out[static URL_MAX])
{
	size_t scheme = strlen("https://"), host;
	int n;

	if (center->state_url != NULL) {
		n = snprintf(out, URL_MAX, "%s", center->state_url);
	} else if (center->url != NULL && strlen(center->url) > scheme) {
		host = strcspn(center->url + scheme, "/");
		n = snprintf(out, URL_MAX, "%.*s%s", (int)(scheme + host), center->url, profile.ua.state_path);
	} else {
		n = snprintf(out, URL_MAX, "https://%s%s", center->naf_id.fqdn, profile.ua.state_path);
	}
	return n > 0 && n < URL_MAX ? RC_OK : RC_SYNTAX;
}

enum rc
extdev_ua_ask_state(struct extdev *e, size_t center, const struct extdev_key *k, extdev_on_ua_state *fn, void *arg,
    struct extdev_ua_ask **out)
{
	const struct extdev_center_conf *conf = &e->conf.centers[center];
	const struct http_header headers[] = {
		{ profile.ua.btid_header, k->from.triple.btid.s }, { profile.ua.device_id_header, k->from.triple.device_id.s },
		{ "Accept", profile.ua.media_type }, { "If-None-Match", k->etag },
	};
	char url[URL_MAX];
	struct http_call call = { .method = "GET", .url = url, .dial = conf->dial, .headers = headers,
	    .n_headers = k->etag[0] != '\0' ? 4 : 3, .tls = e->s.tls != NULL ? e->s.tls[center] : NULL, .timeout_ms = TIMEOUT_MS,
	    .body_max = UAXML_MAX };
	struct extdev_ua_ask *q;
	enum rc rc;

	if ((rc = make_url(conf, url)) != RC_OK)
		return rc;
	if ((q = calloc(1, sizeof *q)) == NULL)
		return RC_NOMEM;
	q->e = e;
	q->asked = k->from.triple;
	q->conditional = k->etag[0] != '\0';
	q->since_ms = clock_mono_ms(e->s.clock);
	q->fn = fn;
	q->arg = arg;
	if ((rc = http_send(e->s.http, &call, on_reply, q, &q->flight)) != RC_OK) {
		free(q);
		return rc;
	}
	*out = q;
	return RC_OK;
}

void
extdev_ua_ask_cancel(struct extdev_ua_ask *q)
{
	if (q == NULL)
		return;
	http_cancel(q->e->s.http, q->flight);
	free(q);
}
