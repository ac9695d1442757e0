#include "extdevd/ua.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/profile.h"
#include "common/timeguard.h"
#include "common/uaxml.h"
#include "extdevd/core.h"

#define URL_MAX 1024
#define TIMEOUT_MS 15000	/* the Key Center asks its BSF meanwhile, twice at worst */

struct extdev_ua_call {
	struct extdev *e;
	struct http_flight *flight;
	struct extdev_request asked;
	extdev_on_ua *fn;
	void *arg;
};

/* 200: is it a key, and the one that was asked for? */
static void
read_key(const struct extdev_ua_call *c, struct span body, struct extdev_ua_answer *a)
{
	struct uaxml_response m;
	const char *bad = "";
	enum rc rc = uaxml_parse_response(body, &m, &bad);

	a->next = EXTDEV_GIVE_UP;
	if (rc != RC_OK) {
		a->why = rc == RC_NOMEM ? REASON_INTERNAL : REASON_EXT_NAF_BAD_ANSWER;
		(void)snprintf(a->detail, sizeof a->detail, "%s", bad);
		return;
	}
	a->why = REASON_NONE;
	if (strcmp(m.btid.s, c->asked.triple.btid.s) != 0 || strcmp(m.device_id.s, c->asked.triple.device_id.s) != 0) {
		a->why = REASON_EXT_NAF_OTHER;
		(void)snprintf(a->detail, sizeof a->detail, "it is about %.100s and %.100s", m.btid.s, m.device_id.s);
	} else if (m.lifetime <= timeguard_now(c->e->s.guard)) {
		a->why = REASON_EXT_NAF_OVER;
	}
	if (a->why != REASON_NONE) {
		secret_free(m.ks_local_mt);
		return;
	}
	a->ks = m.ks_local_mt;
	a->expires_s = m.lifetime;
	(void)snprintf(a->pseudonym, sizeof a->pseudonym, "%s", m.mt_pseudonym);
}

static void
read_refusal(const struct http_reply *r, struct extdev_ua_answer *a)
{
	struct uaxml_error m = { "", "" };
	char text[128];

	if (uaxml_parse_error(r->body, &m) != RC_OK)
		m.reason[0] = m.text[0] = '\0';
	a->why = extdev_naf_reason(r->status, m.reason);
	a->next = extdev_after_naf(r->status, a->why, m.reason);
	a->retry_after_s = extdev_retry_after(http_header_get(r->headers, r->n_headers, "Retry-After"));
	(void)snprintf(a->detail, sizeof a->detail, "status %d%s%s%s%s", r->status, m.reason[0] != '\0' ? ", " : "", m.reason,
	    m.text[0] != '\0' ? ": " : "", log_text(span_str(m.text), text, sizeof text));
}

static void
on_reply(void *arg, const struct http_reply *r)
{
	struct extdev_ua_call *c = arg;
	struct extdev_ua_answer a = { .why = r->why, .status = r->status };

	c->flight = NULL;
	if (r->status == 0) {
		a.next = extdev_after_naf(0, r->why, "");
		(void)snprintf(a.detail, sizeof a.detail, "%s", r->detail != NULL ? r->detail : "");
	} else if (r->status == 200) {
		read_key(c, r->body, &a);
	} else {
		read_refusal(r, &a);
	}
	c->fn(c->arg, &a);
	free(c);
}

/* The profile's path at the NAF's FQDN, unless the configuration has a URL. */
static enum rc
make_url(const struct extdev_center_conf *center, char out[static URL_MAX])
{
	int n = center->url != NULL ? snprintf(out, URL_MAX, "%s", center->url)
	    : snprintf(out, URL_MAX, "https://%s%s", center->naf_id.fqdn, profile.ua.path);

	return n > 0 && n < URL_MAX ? RC_OK : RC_SYNTAX;
}

enum rc
extdev_ua_send(struct extdev *e, size_t center, const struct extdev_request *r, extdev_on_ua *fn, void *arg,
    struct extdev_ua_call **out)
{
	const struct extdev_center_conf *conf = &e->conf.centers[center];
	const struct http_header headers[] = {
		{ "Content-Type", profile.ua.media_type_charset }, { "Accept", profile.ua.media_type },
	};
	struct uaxml_request m = { .btid = r->triple.btid, .device_id = r->triple.device_id, .has_fqdn = true, .has_ua = true,
	    .naf_id = r->triple.naf_id };
	char url[URL_MAX], doc[UAXML_MAX];
	struct http_call call = { .method = "POST", .url = url, .dial = conf->dial, .headers = headers, .n_headers = 2,
	    .tls = e->s.tls != NULL ? e->s.tls[center] : NULL, .timeout_ms = TIMEOUT_MS, .body_max = UAXML_MAX };
	struct extdev_ua_call *c;
	size_t n = 0;
	enum rc rc;

	if ((rc = make_url(conf, url)) != RC_OK || (rc = uaxml_print_request(&m, doc, sizeof doc, &n)) != RC_OK)
		return rc;
	if ((c = calloc(1, sizeof *c)) == NULL)
		return RC_NOMEM;
	c->e = e;
	c->asked = *r;
	c->fn = fn;
	c->arg = arg;
	call.body = span_of(doc, n);
	if ((rc = http_send(e->s.http, &call, on_reply, c, &c->flight)) != RC_OK) {
		free(c);
		return rc;
	}
	*out = c;
	return RC_OK;
}

void
extdev_ua_cancel(struct extdev_ua_call *c)
{
	if (c == NULL)
		return;
	http_cancel(c->e->s.http, c->flight);
	free(c);
}
