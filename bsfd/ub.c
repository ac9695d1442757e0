/*
 * ub: bootstrapping over HTTP Digest AKA, the BSF's end.             TS 24.109 4, A; TS 33.220 4.5.2; RFC 3310; spec ub.md
 *
 *	UE                                              BSF
 *	 | GET, username, nonce="" ---------------------> |  IMPI or TMPI known? room for a challenge (B2)? SQN, RAND
 *	 | <------------- 401, nonce = RAND || AUTN ----- |
 *	 | GET, response ------------------------------->  |  the challenge is open and this name's; response from XRES?
 *	 | <------ 200, B-TID, lifetime, rspauth -------- |  Ks and B-TID are on disk (one Ks per challenge)
 *
 *	 | GET, auts, response with empty password ------> |  MAC-S? SQN follows the card
 *	 | <------------- 401, fresh challenge ---------- |  once in a run
 *
 * A wrong response, an unknown nonce and a wrong AUTS get 401 with a fresh challenge; the rest, one status per reason.
 */
#include <string.h>
#include <strings.h>

#include "bsfd/core.h"
#include "bsfd/store.h"
#include "bsfd/ub_answer.h"
#include "common/hex.h"
#include "common/kdf.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/purge.h"
#include "common/rnd.h"
#include "common/timeguard.h"
#include "common/turn.h"

#define TMPI_TOKEN "3gpp-gba-tmpi"

static enum reason
reason_of(enum rc rc)
{
	return rc == RC_NOTFOUND ? REASON_UB_IMPI_UNKNOWN : rc == RC_RANGE ? REASON_UB_SQN_END : REASON_INTERNAL;
}

/* --- step 2: a challenge */

static enum rc
make_challenge(struct ub_request *r, const struct impi *impi, bool resynced, struct bsf_challenge *c)
{
	uint8_t opaque[BSF_OPAQUE_LEN / 2];
	enum rc rc;

	*c = (struct bsf_challenge){ .impi = impi->s, .username = r->d.username, .source = r->source, .resynced = resynced };
	if ((rc = rnd_bytes(r->b->s.rnd, opaque, sizeof opaque)) != RC_OK)
		return rc;
	hex_print(span_of(opaque, sizeof opaque), c->opaque);
	if ((rc = bsf_auc_challenge(r->b->auc, impi, &c->av)) != RC_OK)
		return rc;
	digest_nonce_print(c->av.rand, c->av.autn, c->nonce);
	return bsf_challenges_add(r->b->challenges, c);
}

/* why: REASON_NONE in step 1 and after a right AUTS, else what was wrong with the answer to an earlier one. */
static void
challenge(struct ub_request *r, const struct impi *impi, enum reason why, bool resynced)
{
	struct bsf *b = r->b;
	struct bsf_challenge c;
	int64_t retry_s = 0;
	enum rc rc;

	if (why != REASON_NONE)
		log_reason(why, "ub: %s username=%s btid=%s", r->source, r->who, r->btid.s);
	if (bsf_challenges_room(b->challenges, impi->s, r->source, &retry_s) != RC_OK) {
		bsf_ub_refuse(r, REASON_UB_QUOTA, retry_s, "");
		return;
	}
	if ((rc = make_challenge(r, impi, resynced, &c)) != RC_OK) {
		bsf_ub_refuse(r, reason_of(rc), 0, rc_str(rc));
		return;
	}
	bsf_ub_challenge(r, &c, why);
}

/* --- who it is */

static bool
resolve(struct ub_request *r, struct impi *impi)
{
	struct span user = span_str(r->d.username);
	enum rc rc;

	if (tmpi_is(user)) {
		rc = bsf_store_get_tmpi(r->b->s.store, r->d.username, impi);
		if (rc != RC_OK)
			bsf_ub_refuse(r, rc == RC_NOTFOUND ? REASON_UB_TMPI_UNKNOWN : REASON_INTERNAL, 0, "");
	} else if ((rc = impi_parse(user, impi)) != RC_OK)
		bsf_ub_refuse(r, REASON_UB_USERNAME, 0, rc_str(rc));
	return rc == RC_OK;
}

/* An answer to a challenge that is not open, or not any more: a fresh one for the same name. */
static void
challenge_again(struct ub_request *r, enum reason why)
{
	struct impi impi;

	if (resolve(r, &impi))
		challenge(r, &impi, why, false);
}

/* --- step 4: the response was right */

/* Both sides compute a TMPI only if both said the token (ub.md 7). */
static bool
says_tmpi(const struct http_request *q)
{
	const char *s = http_header_get(q->headers, q->n_headers, "User-Agent");

	while (s != NULL && *s != '\0') {
		size_t n = strcspn(s, " \t;,()");

		if (n == strlen(TMPI_TOKEN) && strncasecmp(s, TMPI_TOKEN, n) == 0)
			return true;
		s += n;
		s += strspn(s, " \t;,()");
	}
	return false;
}

/* Ks, B-TID, TMPI and the next block of SQNs, all or nothing. */
static enum rc
keep(struct ub_request *r, const struct bsf_bootstrap *run, const struct secret *ks)
{
	struct bsf *b = r->b;
	char tmpi[TMPI_LEN + 1] = "";
	enum rc rc, rc2;

	if (says_tmpi(r->x->req) && (rc = kdf_tmpi(ks, run->rand, span_str(run->impi.s), b->conf.fqdn, tmpi)) != RC_OK)
		return rc;
	if ((rc = store_begin_plain(b->s.store)) != RC_OK)
		return rc;
	rc = bsf_store_put_bootstrap(b->s.store, run, ks, b->conf.one_btid ? 1 : BSF_BTIDS_PER_IMPI, tmpi);
	if (rc == RC_OK) {
		rc = bsf_auc_top_up(b->auc, &run->impi);
		if (rc == RC_RANGE)	/* near the end of its SQNs: this run is good all the same */
			rc = RC_OK;
	}
	rc2 = store_end(b->s.store, rc == RC_OK);
	if (rc == RC_OK)
		rc = rc2;
	if (rc != RC_OK)
		bsf_auc_forget(b->auc, &run->impi);
	return rc;
}

static void
bootstrapped(struct ub_request *r, const struct bsf_challenge *c, const struct impi *impi, const struct secret *xres,
    const struct secret *ks)
{
	struct bsf *b = r->b;
	struct bsf_bootstrap run = { .btid = r->btid, .impi = *impi, .subscriber = c->av.subscriber,
	    .type = c->av.gba_u ? BSF_GBA_U : BSF_GBA_ME };
	struct ub_answer *a = NULL;
	enum rc rc;

	memcpy(run.rand, c->av.rand, sizeof run.rand);
	run.created_s = timeguard_now(b->s.guard);
	run.expires_s = run.created_s + bsf_policy_lifetime(c->av.ks_lifetime_s, b->conf.ks_lifetime_s, b->conf.ks_lifetime_max_s);
	if ((rc = bsf_ub_make_200(r, &run, xres, &a)) != RC_OK || (rc = keep(r, &run, ks)) != RC_OK)
		goto out;
	log_info("ub: %s username=%s impi=%s btid=%s: bootstrapped, %lld s", r->source, r->who, impi->s, r->btid.s,
	    (long long)(run.expires_s - run.created_s));
	purge_expect(b->purge, run.expires_s);
	bsf_ub_send(r, a);
	a = NULL;
out:
	if (rc != RC_OK)
		bsf_ub_refuse(r, reason_of(rc), 0, rc_str(rc));
	bsf_ub_drop(a);
}

/* --- step 3: what is answered to an open challenge */

/* Wrong: no longer to be answered. Only its own answer says so, so nobody else can do that to it without having seen it. */
static void
wrong(struct ub_request *r, struct bsf_challenge *c, const struct impi *impi, enum reason why)
{
	bsf_challenges_spend(r->b->challenges, c);
	challenge(r, impi, why, false);
}

static void
on_response(struct ub_request *r, struct bsf_challenge *c, const struct impi *impi)
{
	const struct http_request *q = r->x->req;
	struct secret *xres = NULL, *ks = NULL;
	enum rc rc = bsf_auc_expect(r->b->auc, impi, c->av.rand, &xres, &ks);

	if (rc == RC_OK)
		rc = digest_check(&r->d, xres, q->method, q->body, r->d.response);
	if (rc == RC_DENIED)
		wrong(r, c, impi, REASON_UB_RESPONSE_WRONG);
	else if (rc != RC_OK)
		bsf_ub_refuse(r, reason_of(rc), 0, rc_str(rc));
	else {
		bootstrapped(r, c, impi, xres, ks);
		bsf_challenges_close(r->b->challenges, c);	/* one Ks per challenge, whatever becomes of the turn */
	}
	secret_free(xres);
	secret_free(ks);
}

static void
on_auts(struct ub_request *r, struct bsf_challenge *c, const struct impi *impi)
{
	const struct http_request *q = r->x->req;
	enum rc rc = digest_check(&r->d, NULL, q->method, q->body, r->d.response);	/* RFC 3310 3.4: empty password */

	if (rc == RC_OK && c->resynced) {
		bsf_challenges_spend(r->b->challenges, c);
		bsf_ub_refuse(r, REASON_UB_RESYNC_TWICE, 0, "");
		return;
	}
	if (rc == RC_OK)
		rc = bsf_auc_resync(r->b->auc, impi, c->av.rand, r->d.auts);
	if (rc == RC_DENIED)
		wrong(r, c, impi, REASON_UB_AUTS_WRONG);
	else if (rc != RC_OK)
		bsf_ub_refuse(r, reason_of(rc), 0, rc_str(rc));
	else {
		bsf_challenges_close(r->b->challenges, c);
		metric_add(r->b->count.resyncs, 1);
		challenge(r, impi, REASON_NONE, true);
	}
}

/* qop, nc, cnonce and response as the rest of the arithmetic needs them. */
static bool
answer_ok(struct ub_request *r)
{
	const struct digest *d = &r->d;
	unsigned need = DIGEST_NC | DIGEST_CNONCE;

	if (d->response[0] == '\0')
		bsf_ub_refuse(r, REASON_UB_SYNTAX, 0, "response is missing");
	else if ((d->have & DIGEST_QOP) == 0 ? !r->b->conf.ub.no_qop : (d->qop & r->b->conf.ub.qop) == 0)
		bsf_ub_refuse(r, REASON_UB_QOP, 0, "");
	else if ((d->have & DIGEST_QOP) != 0 && (d->have & need) != need)
		bsf_ub_refuse(r, REASON_UB_SYNTAX, 0, "nc or cnonce is missing beside qop");
	else
		return true;
	return false;
}

static void
on_answer(struct ub_request *r)
{
	struct bsf_challenge *c = bsf_challenges_find(r->b->challenges, r->d.nonce);
	struct impi impi;

	if (c == NULL || strcmp(c->username, r->d.username) != 0) {
		challenge_again(r, REASON_UB_NONCE_UNKNOWN);
		return;
	}
	if (impi_parse(span_str(c->impi), &impi) != RC_OK || btid_make(c->av.rand, r->b->conf.fqdn, &r->btid) != RC_OK)
		log_fatal("ub: an open challenge has no identity");
	if ((r->d.have & DIGEST_OPAQUE) != 0 && strcmp(r->d.opaque, c->opaque) != 0)
		bsf_ub_refuse(r, REASON_UB_SYNTAX, 0, "opaque is not the one that was sent");
	else if ((r->d.have & DIGEST_AUTS) != 0)
		on_auts(r, c, &impi);
	else
		on_response(r, c, &impi);
}

/* --- the request */

/* The uri parameter is the Request-URI, as path or as absolute URI of the same path. */
static bool
uri_ok(const struct http_request *q, const char *uri)
{
	static const char *const schemes[] = { "http://", "https://" };
	size_t n = strlen(q->path);

	for (size_t i = 0; i < 2; i++)
		if (strncasecmp(uri, schemes[i], strlen(schemes[i])) == 0) {
			uri += strlen(schemes[i]);
			uri += strcspn(uri, "/");
			if (*uri == '\0')
				uri = "/";
			break;
		}
	if (strncmp(uri, q->path, n) != 0)
		return false;
	return q->query == NULL ? uri[n] == '\0' : uri[n] == '?' && strcmp(uri + n + 1, q->query) == 0;
}

static bool
authorization_ok(struct ub_request *r)
{
	const struct http_request *q = r->x->req;
	enum rc rc;

	if (http_header_count(q->headers, q->n_headers, "Authorization") != 1) {
		bsf_ub_refuse(r, REASON_UB_NO_AUTHORIZATION, 0, "");
		return false;
	}
	rc = digest_parse_authorization(span_str(http_header_get(q->headers, q->n_headers, "Authorization")), &r->d);
	if (rc != RC_OK) {
		bsf_ub_refuse(r, REASON_UB_SYNTAX, 0, rc == RC_NOTFOUND ? "another scheme than Digest" : rc_str(rc));
		return false;
	}
	(void)log_text(span_str(r->d.username), r->who, sizeof r->who);
	if ((r->d.have & (DIGEST_USERNAME | DIGEST_REALM | DIGEST_URI)) != (DIGEST_USERNAME | DIGEST_REALM | DIGEST_URI))
		bsf_ub_refuse(r, REASON_UB_SYNTAX, 0, "username, realm or uri is missing");
	else if (strcasecmp(r->d.realm, r->b->conf.fqdn) != 0)
		bsf_ub_refuse(r, REASON_UB_REALM, 0, "");
	else if (!uri_ok(q, r->d.uri))
		bsf_ub_refuse(r, REASON_UB_URI, 0, "");
	else if (r->d.alg != DIGEST_ALG_AKAV1_MD5)
		bsf_ub_refuse(r, REASON_UB_ALGORITHM, 0, "");
	else
		return true;
	return false;
}

static bool
request_ok(struct ub_request *r)
{
	const struct http_request *q = r->x->req;

	if (r->b->stopping)
		bsf_ub_refuse(r, REASON_STOPPING, 0, "");
	else if (strcmp(q->path, r->b->conf.ub.path) != 0)
		bsf_ub_refuse(r, REASON_UB_PATH, 0, "");
	else if (strcmp(q->method, "GET") != 0)
		bsf_ub_refuse(r, REASON_UB_METHOD, 0, "");
	else if (timeguard_jumped(r->b->s.guard))
		bsf_ub_refuse(r, REASON_CLOCK_JUMPED, 0, "");
	else
		return authorization_ok(r);
	return false;
}

void
bsf_on_ub(struct http_xchg *x, void *bsf)
{
	struct ub_request r = { .b = bsf, .x = x, .who = "-" };
	struct impi impi;

	bsf_challenge_source(x->req->peer->address, r.source);
	if (!request_ok(&r))
		return;
	if (r.d.nonce[0] != '\0') {
		if (answer_ok(&r))
			on_answer(&r);
	} else if (resolve(&r, &impi))
		challenge(&r, &impi, REASON_NONE, false);
}
