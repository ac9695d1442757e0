/*
 * fuzz_mt_state: a Key Center that answers anything to the state question. Input: one octet for the status, header lines up to an
 * empty one, the body.
 *
 * Properties: only a challenge of our Key Center is answered, and what answers it is right; a key is gone only by 410, and good only by
 * 200 and 304; an answer whose Authentication-Info is not the right one says nothing; texts are bounded and printable.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/log.h"
#include "mtd/state_msg.h"

#define FQDN "nafkc.example.org"
#define BTID "oKGio6SlpqeoqaqrrK2urw==@bsf.example.org"
#define HEADERS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct triple triple;
static struct secret *password;
static struct digest sent;

static void
setup(void)
{
	log_set_level(LOG_LEVEL_ERROR);
	assert(naf_id_parse(span_str(FQDN "/0100000002"), &triple.naf_id) == RC_OK);
	assert(btid_parse(span_str(BTID), &triple.btid) == RC_OK);
	assert(device_id_parse(span_str("urn:x:1"), &triple.device_id) == RC_OK);
	assert(secret_from(span_str("gK2dc6iwgkMkAD5Ig868coVXoBwLrEdBlLQPAz06yOk="), &password) == RC_OK);
	sent = (struct digest){ .have = DIGEST_QOP, .alg = DIGEST_ALG_MD5, .qop = DIGEST_QOP_AUTH, .username = BTID,
	    .realm = DIGEST_GBA_PREFIX FQDN, .nonce = "n", .uri = "/s", .cnonce = "c", .nc = "00000001" };
}

static void
try_challenge(const struct http_reply *r)
{
	const struct digest_gba_ask q = { .fqdn = FQDN, .btid = BTID, .method = "GET", .uri = "/s", .password = password, .cnonce = "c", .nc = 1 };
	struct digest d;
	const char *bad = NULL;
	bool stale = false;

	if (mt_state_answer(r, &q, &d, &stale, &bad) != REASON_NONE) {
		assert(bad != NULL);
		return;
	}
	assert(strstr(d.realm, DIGEST_GBA_PREFIX FQDN) != NULL);
	assert(digest_check(&d, password, "GET", (struct span){ NULL, 0 }, d.response) == RC_OK);
}

static void
try_answer(const struct http_reply *r)
{
	const struct mt_state_asked q = { &triple, &sent, password, true };
	const char *info = http_header_get(r->headers, r->n_headers, "Authentication-Info");
	struct mt_said said;
	struct digest i;

	memset(&said, 0xa5, sizeof said);
	mt_state_judge(r, &q, &said);
	assert((said.verdict == MT_SAID_GOOD) == (said.why == REASON_NONE));
	assert(said.verdict != MT_SAID_GONE || r->status == 410);
	assert(said.verdict != MT_SAID_UNKNOWN || r->status == 404);
	assert(said.verdict != MT_SAID_GOOD || r->status == 200 || r->status == 304);
	assert(said.lifetime == 0 || r->status == 200);
	assert(said.etag[0] == '\0' || said.verdict == MT_SAID_GOOD);
	if (said.verdict != MT_SAID_NOTHING && info != NULL)
		assert(digest_parse_info(span_str(info), &i) == RC_OK && digest_check(&sent, password, "", r->body, i.rspauth) == RC_OK);
	assert(strlen(said.detail) <= MT_STATE_DETAIL_MAX);
	for (const char *c = said.detail; *c != '\0'; c++)
		assert(*c >= ' ' && *c <= '~');
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const int statuses[] = { 0, 200, 304, 401, 404, 410, 403, 503 };
	char names[HEADERS_MAX][64], values[HEADERS_MAX][1024];
	struct http_header h[HEADERS_MAX];
	struct http_reply r = { .headers = h, .why = REASON_HTTP_UNREACHABLE };
	struct span in = { p, n }, line, name, first;

	if (password == NULL)
		setup();
	if (!span_take(&in, 1, &first))
		return 0;
	r.status = statuses[first.p[0] % 8];
	while (r.n_headers < HEADERS_MAX && span_upto(&in, '\n', &line) && line.n > 0) {
		if (!span_upto(&line, ':', &name) || !span_to_str(name, names[r.n_headers], sizeof names[0]) ||
		    !span_to_str(span_trim(line), values[r.n_headers], sizeof values[0]))
			continue;
		h[r.n_headers] = (struct http_header){ names[r.n_headers], values[r.n_headers] };
		r.n_headers++;
	}
	r.body = in;
	try_challenge(&r);
	try_answer(&r);
	return 0;
}
