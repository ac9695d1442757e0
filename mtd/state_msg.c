#include "mtd/state_msg.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/uaxml.h"

void
mt_said_nothing(struct mt_said *out, enum reason why, const char *detail)
{
	*out = (struct mt_said){ .verdict = MT_SAID_NOTHING, .why = why };
	(void)log_text(span_str(detail), out->detail, sizeof out->detail);
}

/* --- a challenge */

/* The first that is Digest. RC_NOTFOUND: there is none. */
static enum rc
pick(const struct http_reply *r, struct digest *out)
{
	enum rc rc = RC_NOTFOUND;

	for (size_t i = 0; i < r->n_headers && rc == RC_NOTFOUND; i++) {
		if (span_eq_nocase(span_str(r->headers[i].name), "WWW-Authenticate"))
			rc = digest_parse_challenge(span_str(r->headers[i].value), out);
	}
	return rc;
}

enum reason
mt_state_answer(const struct http_reply *r, const struct digest_gba_ask *q, struct digest *out, bool *stale, const char **bad)
{
	struct digest challenge;
	enum rc rc;

	*bad = "";
	if ((rc = pick(r, &challenge)) != RC_OK) {
		*bad = rc == RC_NOTFOUND ? "no WWW-Authenticate: Digest" : "malformed WWW-Authenticate";
		return REASON_MT_STATE_CHALLENGE;
	}
	*stale = challenge.stale;
	rc = digest_gba_answer(&challenge, q, out);
	if (rc == RC_DENIED)
		return REASON_MT_STATE_REALM;
	if (rc == RC_SYNTAX || rc == RC_RANGE) {
		*bad = "realm, nonce, algorithm or qop";
		return REASON_MT_STATE_CHALLENGE;
	}
	return rc == RC_OK ? REASON_NONE : REASON_INTERNAL;
}

/* --- an answer */

/* The Key Center's own proof that it holds our Ks_(ext)_NAF: optional, but right where it is there. */
static bool
is_proven(const struct http_reply *r, const struct mt_state_asked *q)
{
	size_t n = http_header_count(r->headers, r->n_headers, "Authentication-Info");
	struct digest info;

	if (n == 0)
		return true;
	return n == 1 && digest_parse_info(span_str(http_header_get(r->headers, r->n_headers, "Authentication-Info")), &info) == RC_OK &&
	    digest_gba_check_info(q->sent, &info, q->password, r->body) == RC_OK;
}

static void
read_state(const struct http_reply *r, const struct triple *t, struct mt_said *out)
{
	struct uaxml_state m;
	const char *bad = "";

	if (uaxml_parse_state(r->body, &m, &bad) != RC_OK) {
		mt_said_nothing(out, REASON_MT_STATE_ANSWER, bad);
		return;
	}
	if (strcmp(m.btid.s, t->btid.s) != 0 || strcmp(m.device_id.s, t->device_id.s) != 0) {
		mt_said_nothing(out, REASON_MT_STATE_ANSWER, "it is about another key");
		return;
	}
	out->verdict = MT_SAID_GOOD;
	out->lifetime = m.lifetime;
}

/* A refusal's own words. */
static void
refused(const struct http_reply *r, enum mt_verdict verdict, enum reason why, struct mt_said *out)
{
	struct uaxml_error m = { "", "" };
	char text[MT_STATE_DETAIL_MAX + 1];

	if (uaxml_parse_error(r->body, &m) != RC_OK)
		m.reason[0] = m.text[0] = '\0';
	(void)snprintf(text, sizeof text, "status %d%s%.40s%s%.80s", r->status, m.reason[0] != '\0' ? ", " : "", m.reason,
	    m.text[0] != '\0' ? ": " : "", m.text);
	mt_said_nothing(out, why, text);
	out->verdict = verdict;
}

void
mt_state_judge(const struct http_reply *r, const struct mt_state_asked *q, struct mt_said *out)
{
	const char *etag = http_header_get(r->headers, r->n_headers, "ETag");

	*out = (struct mt_said){ .verdict = MT_SAID_GOOD, .why = REASON_NONE };
	if (r->status == 0) {
		mt_said_nothing(out, REASON_MT_STATE_AWAY, r->detail != NULL && r->detail[0] != '\0' ? r->detail : reason_get(r->why)->what);
		return;
	}
	if (!is_proven(r, q)) {
		mt_said_nothing(out, REASON_MT_STATE_PROOF, "Authentication-Info");
		return;
	}
	switch (r->status) {
	case 200:
		read_state(r, q->triple, out);
		break;
	case 304:
		if (!q->conditional)
			mt_said_nothing(out, REASON_MT_STATE_ANSWER, "304 to a question without condition");
		break;
	case 404:
		refused(r, MT_SAID_UNKNOWN, REASON_UA_KEY_UNKNOWN, out);
		break;
	case 410:
		refused(r, MT_SAID_GONE, REASON_UA_KEY_GONE, out);
		break;
	case 401:
		refused(r, MT_SAID_NOTHING, REASON_MT_STATE_DENIED, out);
		break;
	default:
		refused(r, MT_SAID_NOTHING, r->status >= 500 || r->status == 429 ? REASON_MT_STATE_AWAY : REASON_MT_STATE_ANSWER, out);
		break;
	}
	out->status = r->status;
	if (out->verdict == MT_SAID_GOOD && etag != NULL)
		(void)span_to_str(span_str(etag), out->etag, sizeof out->etag);
}
