/*
 * fuzz_ub: an Authorization header through bsfd's whole Ub: parser, challenges, AuC, store, answer.
 *
 * Before each input a phone has asked for a challenge. In the input these octets stand for what a fuzzer could not guess:
 * 01 the nonce, 02 its opaque, 03 the right response (to nc=00000001, cnonce="x", qop=auth-int, uri="/", IMPI, our realm),
 * 04 the IMPI, 05 the realm, 06 a right AUTS, 07 the response that goes with it.
 *
 * Properties: answered exactly once, with the turn and not before; one of Ub's statuses; 401 and only 401 carries a challenge;
 * a B-TID is made by a 200 alone, one each, and a 200 needs the right response in the input.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bsfd/bsf.h"
#include "bsfd/store.h"
#include "common/aka.h"
#include "common/b64.h"
#include "common/clock.h"
#include "common/digest_aka.h"
#include "common/hex.h"
#include "common/link.h"
#include "common/log.h"
#include "common/milenage.h"
#include "common/rnd.h"
#include "common/timeguard.h"
#include "common/trace.h"
#include "common/turn.h"

#define NAME "bsf.mnc001.mcc001.pub.3gppnetwork.org"
#define IMPI "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
#define FORM "{\"imsi\":\"001010123456789\",\"impi\":\"" IMPI "\",\"k\":\"465b5ce8b199b49faa5f0a2ee238a6bc\"," \
	"\"opc\":\"cd63cb71954a9f4e48a5994e37a02baf\",\"amf\":\"8000\"}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define must(x) do { if (!(x)) { fprintf(stderr, "fuzz_ub: %s\n", #x); abort(); } } while (0)

static struct world {
	struct clock *clock;
	struct timeguard *guard;
	struct rnd_seeded rnd;
	struct secret *key, *k, *opc;
	struct store *store;
	struct turn *turn;
	struct trace *trace;
	struct link_net *net;
	struct bsf *b;
} w;

static struct {
	int answers, status;
	char www[1024];
} got;

static void
on_answer(struct http_xchg *x, int status, const struct http_header *h, size_t n, struct span body, bool close)
{
	const char *www = http_header_get(h, n, "WWW-Authenticate");

	(void)x;
	(void)body;
	(void)close;
	got.answers++;
	got.status = status;
	snprintf(got.www, sizeof got.www, "%s", www == NULL ? "" : www);
	must(strcmp(http_header_get(h, n, "Server"), BSF_SERVER_TOKEN) == 0);
}

static void
ask(const char *authorization)
{
	struct http_peer peer = { .address = "127.0.0.1:1" };
	struct http_header h[] = { { "Authorization", authorization }, { "User-Agent", "3gpp-gba-tmpi" } };
	struct http_request req = { .method = "GET", .path = "/", .headers = h, .n_headers = 2, .peer = &peer };
	struct http_xchg x = { .req = &req, .answer = on_answer };

	memset(&got, 0, sizeof got);
	bsf_on_ub(&x, w.b);
	must(got.answers == 0);
	turn_end(w.turn);
	must(got.answers == 1);
}

static void
drop_line(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

static void
open_world(void)
{
	struct bsf_conf conf;
	struct bsf_seams seams;
	json_t *o = json_loads(FORM, 0, NULL), *out = NULL;
	char text[BSF_TEXT_MAX];

	log_capture(drop_line, NULL);
	log_set_level(LOG_LEVEL_DEBUG);	/* formatted, so that formats are under test too */
	rnd_seeded_init(&w.rnd, 1);
	must(clock_new_virtual(INT64_C(1800000000000), &w.clock) == RC_OK);
	must(secret_new(32, &w.key) == RC_OK);
	must(hex_parse_secret(span_str("465b5ce8b199b49faa5f0a2ee238a6bc"), 16, &w.k) == RC_OK);
	must(hex_parse_secret(span_str("cd63cb71954a9f4e48a5994e37a02baf"), 16, &w.opc) == RC_OK);
	must(store_open(":memory:", &bsf_store_schema, w.key, &w.store) == RC_OK);
	must(turn_new(w.store, &w.turn) == RC_OK);
	must(timeguard_new(w.clock, w.store, TIMEGUARD_STEP_MAX_S, &w.guard) == RC_OK);
	must(trace_new("bsfd", NULL, 16, w.clock, w.turn, &w.trace) == RC_OK);
	must(link_mem_new(w.clock, &w.net) == RC_OK);
	bsf_conf_default(&conf);
	conf.fqdn = NAME;
	conf.zn.host = "bsf.example.org";
	conf.zn.realm = "example.org";
	conf.ub.per_source = 16;
	seams = (struct bsf_seams){ w.clock, w.guard, &w.rnd.rnd, w.store, w.turn, w.trace, w.net, NULL };
	must(bsf_new(&seams, &conf, &w.b) == RC_OK);
	must(bsf_subscriber_add(w.b, o, &out, text) == REASON_NONE);
	turn_end(w.turn);
	json_decref(o);
	json_decref(out);
}

/* What the placeholders stand for. */
struct known {
	struct digest challenge;
	char response[DIGEST_LEN + 1], auts[B64_LEN(AKA_AUTS_LEN) + 1], auts_response[DIGEST_LEN + 1];
};

static void
learn(struct known *k)
{
	struct digest d = { .have = DIGEST_QOP, .qop = DIGEST_QOP_AUTH_INT, .username = IMPI, .realm = NAME, .nc = "00000001",
	    .cnonce = "x", .uri = "/" };
	struct secret *res = NULL, *ck = NULL, *ik = NULL;
	uint8_t rand[16], autn[16], ak[6], auts[AKA_AUTS_LEN];

	ask("Digest username=\"" IMPI "\", realm=\"" NAME "\", nonce=\"\", uri=\"/\", response=\"\"");
	must(got.status == 401);
	must(digest_parse_challenge(span_str(got.www), &k->challenge) == RC_OK);
	must(digest_nonce_parse(k->challenge.nonce, rand, autn) == RC_OK);
	must(milenage_f2345(w.k, w.opc, rand, &res, &ck, &ik, ak) == RC_OK);
	snprintf(d.nonce, sizeof d.nonce, "%s", k->challenge.nonce);
	must(digest_response(&d, res, "GET", span_str(""), k->response) == RC_OK);
	must(digest_response(&d, NULL, "GET", span_str(""), k->auts_response) == RC_OK);
	must(aka_make_auts(w.k, w.opc, rand, 31, auts) == RC_OK);
	b64_print(span_of(auts, sizeof auts), k->auts);
	secret_free(res);
	secret_free(ck);
	secret_free(ik);
}

static int64_t
count_bootstraps(void)
{
	int64_t subscribers, bootstraps, nafs;

	must(bsf_store_count(w.store, &subscribers, &bootstraps, &nafs) == RC_OK);
	return bootstraps;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char header[8192];
	struct known k;
	const char *words[] = { NULL, k.challenge.nonce, k.challenge.opaque, k.response, IMPI, NAME, k.auts, k.auts_response };
	size_t at = 0;
	int64_t before;
	struct digest d;

	if (w.b == NULL)
		open_world();
	learn(&k);
	for (size_t i = 0; i < n; i++) {
		char one[2] = { (char)data[i], '\0' };
		const char *word = data[i] >= 1 && data[i] <= 7 ? words[data[i]] : one;

		if (data[i] == 0 || at + strlen(word) >= sizeof header)
			break;
		memcpy(header + at, word, strlen(word));
		at += strlen(word);
	}
	header[at] = '\0';
	before = count_bootstraps();
	ask(header);
	switch (got.status) {
	case 200:
		must(strstr(header, k.response) != NULL);
		must(count_bootstraps() == (before < BSF_BTIDS_PER_IMPI ? before + 1 : before));
		break;
	case 401:
		must(digest_parse_challenge(span_str(got.www), &d) == RC_OK);
		must(count_bootstraps() == before);
		break;
	case 400: case 403: case 503:
		must(count_bootstraps() == before);
		break;
	default:
		fprintf(stderr, "fuzz_ub: status %d\n", got.status);
		abort();
	}
	must((got.status == 401) == (got.www[0] != '\0'));
	clock_advance(w.clock, 61000);	/* what is open ends */
	turn_end(w.turn);
	return 0;
}
