#include "test/bench/load/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/profile.h"
#include "common/uaxml.h"

struct call {
	bool foreign;
	const struct device *d;
	op_done_fn *fn;
	void *arg;
};

/* The key, for this device and this B-TID: what a device would look at. */
static const char *
judge(const struct call *c, const struct reply *r)
{
	static char text[160];
	struct uaxml_response got;
	const char *bad = "";

	if (r->status != 200) {
		(void)snprintf(text, sizeof text, "Ua: %d %s%.100s", r->status, r->detail,
		    r->status != 0 && r->body.n > 0 ? (const char *)r->body.p : "");
		return text;
	}
	if (c->foreign)
		return NULL;
	if (uaxml_parse_response(r->body, &got, &bad) != RC_OK) {
		(void)snprintf(text, sizeof text, "Ua: bad Key Response: %s", bad);
		return text;
	}
	secret_free(got.ks_local_mt);
	return strcmp(got.device_id.s, c->d->id) == 0 ? NULL : "Ua: another device's key";
}

static void
on_reply(void *arg, const struct reply *r)
{
	struct call c = *(struct call *)arg;

	free(arg);
	c.fn(c.arg, judge(&c, r));
}

void
ua_run(const struct target *t, struct peer *p, const struct device *d, const struct btid *btid, op_done_fn *fn, void *arg)
{
	struct call *c = malloc(sizeof *c);
	struct uaxml_request q = { .btid = *btid };
	char body[UAXML_MAX], text[UAXML_MAX + 512];
	size_t n = 0;
	int len;

	if (c == NULL)
		die("out of memory");
	*c = (struct call){ t->foreign, d, fn, arg };
	(void)snprintf(q.device_id.s, sizeof q.device_id.s, "%s", d->id);
	if (uaxml_print_request(&q, body, sizeof body, &n) != RC_OK)
		die("Ua: the request does not print");
	len = snprintf(text, sizeof text, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%.*s", profile.ua.path,
	    t->naf_fqdn, profile.ua.media_type_charset, n, (int)n, body);
	peer_ask(p, span_of(text, (size_t)len), on_reply, c);
}

void
get_run(struct peer *p, const char *address, op_done_fn *fn, void *arg)
{
	struct call *c = malloc(sizeof *c);
	char text[256];
	int len = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: load\r\n\r\n", address);

	if (c == NULL)
		die("out of memory");
	*c = (struct call){ true, NULL, fn, arg };
	peer_ask(p, span_of(text, (size_t)len), on_reply, c);
}
