#include "mtd/question.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/hex.h"
#include "common/profile.h"
#include "common/rnd.h"
#include "common/uaxml.h"
#include "mtd/ub_msg.h"

#define CNONCE_LEN 16
#define USER_AGENT "kslocal mtd; Release-6; 3gpp-gba"
#define PORT "8444"

struct mt_question {
	const struct mt_seams *s;
	const struct mt_center_conf *center;
	mt_question_fn *fn;
	void *arg;
	struct triple triple;
	char etag[MT_ETAG_MAX + 1];
	char url[sizeof ((struct mt_center_conf *)NULL)->url + FQDN_MAX];
	char uri[512];
	struct secret *password;
	struct digest sent;
	unsigned answers;		/* to challenges, so far */
	struct http_flight *flight;
	struct clock_timer *deadline;
};

static void
question_free(struct mt_question *q)
{
	http_cancel(q->s->http, q->flight);
	clock_timer_free(q->deadline);
	secret_free(q->password);
	free(q);
}

void
mt_question_cancel(struct mt_question *q)
{
	if (q != NULL)
		question_free(q);
}

/* The one way out. */
static void
end(struct mt_question *q, const struct mt_said *said)
{
	mt_question_fn *fn = q->fn;
	void *arg = q->arg;

	question_free(q);
	fn(arg, said);
}

static void
end_without(struct mt_question *q, enum reason why, const char *detail)
{
	struct mt_said said;

	mt_said_nothing(&said, why, detail);
	end(q, &said);
}

static void
on_deadline(void *question)
{
	end_without(question, REASON_MT_STATE_AWAY, "no answer in time");
}

static void on_reply(void *arg, const struct http_reply *r);

/* Without Authorization the first time. */
static enum rc
ask(struct mt_question *q)
{
	char authorization[DIGEST_HEADER_MAX];
	struct http_header h[6] = {
		{ profile.ua.btid_header, q->triple.btid.s }, { profile.ua.device_id_header, q->triple.device_id.s },
		{ "User-Agent", USER_AGENT }, { "Accept", profile.ua.media_type }
	};
	struct http_call call = {
		.method = "GET", .url = q->url, .dial = q->center->dial[0] != '\0' ? q->center->dial : NULL, .headers = h, .n_headers = 4,
		.tls = q->center->tls, .timeout_ms = MT_QUESTION_MS, .body_max = UAXML_MAX
	};
	enum rc rc;

	if (q->etag[0] != '\0')
		h[call.n_headers++] = (struct http_header){ "If-None-Match", q->etag };
	if (q->answers > 0) {
		if ((rc = digest_print_authorization(&q->sent, authorization, sizeof authorization)) != RC_OK)
			return rc;
		h[call.n_headers++] = (struct http_header){ "Authorization", authorization };
	}
	return http_send(q->s->http, &call, on_reply, q, &q->flight);
}

static void
on_challenge(struct mt_question *q, const struct http_reply *r)
{
	uint8_t random[CNONCE_LEN];
	char cnonce[2 * CNONCE_LEN + 1];
	const struct digest_gba_ask how = {
		.fqdn = q->center->naf_id.fqdn, .btid = q->triple.btid.s, .method = "GET", .uri = q->uri, .body = { NULL, 0 },
		.password = q->password, .cnonce = cnonce, .nc = 1
	};
	const struct mt_state_asked asked = { &q->triple, &q->sent, q->password, q->etag[0] != '\0' };
	struct mt_said said;
	const char *bad = "";
	bool stale = false;
	enum reason why;

	if (rnd_bytes(q->s->rnd, random, sizeof random) != RC_OK) {
		end_without(q, REASON_INTERNAL, "");
		return;
	}
	hex_print(span_of(random, sizeof random), cnonce);
	why = mt_state_answer(r, &how, &q->sent, &stale, &bad);
	/* RFC 2617 3.2.1: a second challenge is for a second try only where the nonce alone was over */
	if (q->answers > 0 && (why != REASON_NONE || !stale || q->answers > 1)) {
		mt_state_judge(r, &asked, &said);
		end(q, &said);
		return;
	}
	if (why == REASON_NONE) {
		q->answers++;
		why = ask(q) == RC_OK ? REASON_NONE : REASON_INTERNAL;
	}
	if (why != REASON_NONE)
		end_without(q, why, bad);
}

static void
on_reply(void *arg, const struct http_reply *r)
{
	struct mt_question *q = arg;
	const struct mt_state_asked asked = { &q->triple, &q->sent, q->password, q->etag[0] != '\0' };
	struct mt_said said;
	char text[64];

	q->flight = NULL;
	if (r->status == 401) {
		on_challenge(q, r);
		return;
	}
	if (q->answers == 0 && r->status > 0 && r->status < 500) {
		/* nothing that was not asked with the key's own proof is believed */
		(void)snprintf(text, sizeof text, "status %d where a challenge is due", r->status);
		end_without(q, REASON_MT_STATE_CHALLENGE, text);
		return;
	}
	mt_state_judge(r, &asked, &said);
	end(q, &said);
}

static enum rc
make_password(struct mt_question *q, const struct mt_key *k, int64_t now_s)
{
	struct secret *ks_naf = NULL;
	enum rc rc;

	if (k->ks_naf != NULL)
		return digest_gba_password(k->ks_naf, &q->password);
	rc = mt_store_get_key_naf(q->s->store, &k->iccid, &k->triple, now_s, &ks_naf);
	if (rc == RC_OK)
		rc = digest_gba_password(ks_naf, &q->password);
	secret_free(ks_naf);
	return rc;
}

enum rc
mt_question_start(const struct mt_seams *s, const struct mt_center_conf *center, const struct mt_key *k, int64_t now_s,
    mt_question_fn *fn, void *arg, struct mt_question **out)
{
	struct mt_question *q = calloc(1, sizeof *q);
	enum rc rc = RC_NOMEM;

	if (q == NULL)
		return RC_NOMEM;
	q->s = s;
	q->center = center;
	q->fn = fn;
	q->arg = arg;
	q->triple = k->triple;
	memcpy(q->etag, k->etag, sizeof q->etag);
	if (center->url[0] != '\0')
		(void)snprintf(q->url, sizeof q->url, "%s", center->url);
	else
		(void)snprintf(q->url, sizeof q->url, "https://%s:" PORT "%s", center->naf_id.fqdn, profile.ua.state_path);
	if ((rc = mt_ub_uri(q->url, q->uri, sizeof q->uri)) != RC_OK)
		goto out;
	if ((rc = make_password(q, k, now_s)) != RC_OK)
		goto out;
	if ((rc = clock_timer_new(s->clock, on_deadline, q, &q->deadline)) != RC_OK)
		goto out;
	clock_timer_set(q->deadline, MT_QUESTION_MS);
	if ((rc = ask(q)) != RC_OK)
		goto out;
	*out = q;
	q = NULL;
out:
	if (q != NULL)
		question_free(q);
	return rc;
}
