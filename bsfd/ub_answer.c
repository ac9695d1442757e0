/* ub_answer: see ub_answer.h. */
#include "bsfd/ub_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bsfd/core.h"
#include "bsfd/store.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/turn.h"
#include "common/xml.h"

#define INFO_TYPE "application/vnd.3gpp.bsf+xml"
#define INFO_NS "uri:3gpp-gba"
#define BUSY_RETRY_S 1

/* One answer, waiting for the turn. */
struct ub_answer {
	struct bsf *b;
	struct http_xchg *x;
	char nonce[DIGEST_NONCE_LEN + 1];	/* of the challenge it carries; "" = none */
	int status;
	bool close;
	int64_t retry_s;		/* 0 = no Retry-After */
	const char *type;		/* of body */
	char www[1024], info[512];	/* WWW-Authenticate, Authentication-Info; "" = none */
	char body[1024];
	size_t n_body;
};

/* --- answers leave when the turn is durable */

static void
add(struct http_header *h, size_t *n, const char *name, const char *value)
{
	if (value[0] != '\0')
		h[(*n)++] = (struct http_header){ name, value };
}

static void
put_reason(struct ub_answer *a, enum reason why)
{
	const struct reason_info *r = reason_get(why);
	int n = snprintf(a->body, sizeof a->body, "%s: %s\n", r->code, r->what);

	a->status = r->http;
	a->type = "text/plain";
	a->n_body = n < 0 ? 0 : (size_t)n;
}

static void
release(void *arg, enum rc rc)
{
	struct ub_answer *a = arg;
	struct http_header h[8];
	char retry[24] = "";
	size_t n = 0;

	if (rc != RC_OK) {	/* nothing of what it says is on disk */
		bsf_challenges_withdraw(a->b->challenges, a->nonce);
		a->www[0] = a->info[0] = '\0';
		a->retry_s = BUSY_RETRY_S;
		put_reason(a, REASON_NOT_DURABLE);
	}
	if (a->retry_s > 0)
		(void)snprintf(retry, sizeof retry, "%lld", (long long)a->retry_s);
	add(h, &n, "Server", BSF_SERVER_TOKEN);
	add(h, &n, "WWW-Authenticate", a->www);
	add(h, &n, "Authentication-Info", a->info);
	add(h, &n, "Content-Type", a->n_body > 0 ? a->type : "");
	add(h, &n, "Cache-Control", "no-store");
	add(h, &n, "Retry-After", retry);
	add(h, &n, "Allow", a->status == 405 ? "GET" : "");
	http_answer(a->x, a->status, h, n, span_of(a->body, a->n_body), a->close);
	free(a);
}

static struct ub_answer *
answer_new(struct ub_request *r)
{
	struct ub_answer *a = calloc(1, sizeof *a);

	if (a == NULL)
		log_fatal("ub: out of memory with a request waiting");
	a->b = r->b;
	a->x = r->x;
	return a;
}

/* Step 7 of scenario 1 is our conversation with the phone; the B-TID is known from the challenge on (S1). */
static void
trace(struct ub_request *r, const char *msg, const char *result)
{
	struct trace_event e = { .step = 7, .from = "bsfd", .to = "mtd", .msg = msg, .btid = r->btid.s, .result = result };

	trace_emit(r->b->s.trace, &e);
}

void
bsf_ub_refuse(struct ub_request *r, enum reason why, int64_t retry_s, const char *part)
{
	struct ub_answer *a = answer_new(r);
	char msg[16];

	log_reason(why, "ub: %s username=%s btid=%s%s%s", r->source, r->who, r->btid.s, part[0] != '\0' ? ": " : "", part);
	put_reason(a, why);
	a->retry_s = a->status == 503 && retry_s == 0 ? BUSY_RETRY_S : retry_s;
	a->close = why == REASON_STOPPING;
	(void)snprintf(msg, sizeof msg, "%d", a->status);
	trace(r, msg, reason_get(why)->code);
	metric_add(r->b->count.ub_refusals, 1);
	turn_later(r->b->s.turn, release, a);
}

/* --- 401 */

static enum rc
print_challenge(const struct bsf *b, const struct bsf_challenge *c, bool stale, char *out, size_t cap)
{
	struct digest d = { .have = DIGEST_REALM | DIGEST_NONCE | DIGEST_ALGORITHM | DIGEST_QOP | DIGEST_OPAQUE };

	if (stale)
		d.have |= DIGEST_STALE;
	d.stale = stale;
	d.alg = DIGEST_ALG_AKAV1_MD5;
	d.qop = DIGEST_QOP_AUTH_INT;
	(void)snprintf(d.realm, sizeof d.realm, "%s", b->conf.fqdn);
	(void)snprintf(d.nonce, sizeof d.nonce, "%s", c->nonce);
	(void)snprintf(d.opaque, sizeof d.opaque, "%s", c->opaque);
	return digest_print_challenge(&d, out, cap);
}

void
bsf_ub_challenge(struct ub_request *r, const struct bsf_challenge *c, enum reason why)
{
	struct bsf *b = r->b;
	struct ub_answer *a = answer_new(r);

	a->status = 401;
	memcpy(a->nonce, c->nonce, sizeof a->nonce);
	if (btid_make(c->av.rand, b->conf.fqdn, &r->btid) != RC_OK ||
	    print_challenge(b, c, why == REASON_UB_NONCE_UNKNOWN, a->www, sizeof a->www) != RC_OK)
		log_fatal("ub: the configured fqdn does not fit a header");
	if (why != REASON_NONE)
		put_reason(a, why);
	log_debug("ub: %s username=%s btid=%s: challenged", r->source, r->who, r->btid.s);
	trace(r, c->resynced ? "401 challenge after AUTS" : "401 challenge", why == REASON_NONE ? "ok" : reason_get(why)->code);
	metric_add(b->count.challenges, 1);
	turn_later(b->s.turn, release, a);
}

/* --- 200 */

/* Body and Authentication-Info. */
static enum rc
print_200(struct ub_request *r, const struct bsf_bootstrap *run, const struct secret *xres, struct ub_answer *a)
{
	struct digest info = r->d;
	char lifetime[UTC_TEXT_LEN + 1];
	struct xml_out x;
	enum rc rc;

	clock_print_utc(run->expires_s, lifetime);
	xml_out_init(&x, a->body, sizeof a->body);
	xml_out_open(&x, INFO_NS, "BootstrappingInfo");
	xml_out_text(&x, "btid", span_str(run->btid.s));
	xml_out_text(&x, "lifetime", span_str(lifetime));
	if ((rc = xml_out_close(&x, "BootstrappingInfo", &a->n_body)) != RC_OK)
		return rc;
	a->type = INFO_TYPE;
	if ((rc = digest_response(&r->d, xres, "", span_of(a->body, a->n_body), info.rspauth)) != RC_OK)
		return rc;
	info.have = DIGEST_RSPAUTH | (r->d.have & (DIGEST_QOP | DIGEST_CNONCE | DIGEST_NC));
	return digest_print_info(&info, a->info, sizeof a->info);
}

enum rc
bsf_ub_make_200(struct ub_request *r, const struct bsf_bootstrap *run, const struct secret *xres, struct ub_answer **out)
{
	struct ub_answer *a = answer_new(r);
	enum rc rc = print_200(r, run, xres, a);

	a->status = 200;
	if (rc == RC_OK)
		*out = a;
	else
		free(a);
	return rc;
}

void
bsf_ub_send(struct ub_request *r, struct ub_answer *a)
{
	trace(r, "200 BootstrappingInfo", "ok");
	metric_add(r->b->count.bootstraps, 1);
	turn_later(r->b->s.turn, release, a);
}

void
bsf_ub_drop(struct ub_answer *a)
{
	free(a);
}
