/* bsfd ub: the conversation of ub.md, right ones and every row of its section 6; quotas (B2), durability, TMPI. */
#include <stdio.h>

#include "bsfd/core.h"
#include "common/kdf.h"
#include "common/milenage.h"
#include "test/unit/bsfd/phone.h"
#include "test/unit/vectors.h"

static struct fix f;
static struct phone p;
static struct xchg e;

static void
setup(void)
{
	memset(&e, 0, sizeof e);
	fix_open(&f, ":memory:");
	fix_start(&f);
	fix_subscribe(&f);
	phone_open(&p, IMPI, K_HEX, OPC_HEX);
}

static void
teardown(void)
{
	phone_close(&p);
	fix_end(&f);
}

/* A core with another configuration: the test changes f.conf, then calls this. */
static void
restart(void)
{
	turn_end(f.turn);
	bsf_free(f.b);
	fix_start(&f);
}

static int64_t
count_bootstraps(void)
{
	int64_t subscribers = 0, bootstraps = 0, nafs = 0;

	ck_ok(bsf_store_count(f.store, &subscribers, &bootstraps, &nafs));
	return bootstraps;
}

static void
ck_refused(int status, const char *code)
{
	char start[64], reason[64];
	const char *at;

	ck_assert_msg(e.status == status, "status %d, not %d: %s", e.status, status, e.body);
	snprintf(start, sizeof start, "%s: ", code);
	ck_assert_msg(strncmp(e.body, start, strlen(start)) == 0, "%s", e.body);
	ck_assert_str_eq(e.type, "text/plain");
	snprintf(reason, sizeof reason, "reason=%s:", code);
	at = strstr(fix_log, reason);
	ck_assert_msg(at != NULL, "not logged: %s in %s", reason, fix_log);
	ck_assert_str_eq(e.info, "");
}

/* --- a run */

START_TEST(a_run)
{
	struct bsf_bootstrap run;
	struct secret *ks = NULL;
	struct btid btid;
	char lifetime[64];

	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	ck_assert_uint_eq(e.n_body, 0);
	ck_assert(strstr(e.www, "stale") == NULL);
	ck_assert_int_eq(phone_reply(&f, &p, &e), 200);
	body_text(&e, "btid", btid.s, sizeof btid.s);
	body_text(&e, "lifetime", lifetime, sizeof lifetime);
	ck_assert_str_eq(lifetime, "2027-01-15T16:00:00Z");		/* START_S + 8 h */
	ck_ok(bsf_store_get_bootstrap(f.store, &btid, START_S, &run, &ks));
	ck_assert(secret_eq(ks, p.ks));
	ck_assert_str_eq(run.impi.s, IMPI);
	ck_assert_mem_eq(run.rand, p.rand, 16);
	ck_assert_int_eq(run.created_s, START_S);
	ck_assert_int_eq(run.expires_s, START_S + 8 * 3600);
	ck_assert_int_eq(run.type, BSF_GBA_ME);
	ck_ok(btid_make(p.rand, BSF_NAME, &run.btid));
	ck_assert_str_eq(btid.s, run.btid.s);
	secret_free(ks);
}
END_TEST

START_TEST(traced_as_step_7_with_the_btid)
{
	static const char *const msgs[] = { "401 challenge", "200 BootstrappingInfo" };
	struct btid btid;
	json_t *events;

	phone_bootstrap(&f, &p, &btid);
	events = trace_since(f.trace, 0);
	ck_assert_uint_eq(json_array_size(events), 2);
	for (size_t i = 0; i < 2; i++) {
		json_t *o = json_array_get(events, i);

		ck_assert_int_eq(json_integer_value(json_object_get(o, "step")), 7);
		ck_assert_str_eq(json_string_value(json_object_get(o, "from")), "bsfd");
		ck_assert_str_eq(json_string_value(json_object_get(o, "msg")), msgs[i]);
		ck_assert_str_eq(json_string_value(json_object_get(o, "btid")), btid.s);
		ck_assert_str_eq(json_string_value(json_object_get(o, "result")), "ok");
	}
	json_decref(events);
}
END_TEST

START_TEST(subscribers_own_lifetime)
{
	char text[BSF_TEXT_MAX], lifetime[64];

	ck_assert_int_eq(fix_add(&f, "{\"imsi\":\"001010000000002\",\"impi\":\"b@x.org\",\"k\":\"" K_HEX "\",\"opc\":\"" OPC_HEX "\","
	    "\"amf\":\"8000\",\"ks_lifetime\":\"1m\"}", text), REASON_NONE);
	strcpy(p.username, "b@x.org");
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	ck_assert_int_eq(phone_reply(&f, &p, &e), 200);
	body_text(&e, "lifetime", lifetime, sizeof lifetime);
	ck_assert_str_eq(lifetime, "2027-01-15T08:01:00Z");
}
END_TEST

START_TEST(gba_u_is_kept_as_such)
{
	char text[BSF_TEXT_MAX];
	struct secret *res = NULL;
	struct digest d;
	uint8_t autn[16];

	ck_assert_int_eq(fix_add(&f, "{\"imsi\":\"001010000000002\",\"impi\":\"u@x.org\",\"k\":\"" K_HEX "\",\"opc\":\"" OPC_HEX "\","
	    "\"amf\":\"8000\",\"gba_u\":true}", text), REASON_NONE);
	strcpy(p.username, "u@x.org");
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	/* what the UICC does first: AUTN out of AUTN* */
	{
		struct secret *ck = NULL, *ik = NULL;
		uint8_t ak[6];

		ck_ok(digest_nonce_parse(p.d.nonce, p.rand, autn));
		ck_ok(milenage_f2345(p.k, p.opc, p.rand, &res, &ck, &ik, ak));
		ck_ok(aka_autn_star(ik, autn, autn));
		secret_free(ck);
		secret_free(ik);
	}
	d = phone_base(&f, &p);
	d.have |= DIGEST_QOP | DIGEST_NC | DIGEST_CNONCE;
	d.qop = DIGEST_QOP_AUTH_INT;
	strcpy(d.nc, "00000001");
	strcpy(d.cnonce, "x");
	strcpy(d.nonce, p.d.nonce);
	ck_ok(digest_response(&d, res, "GET", span_str(""), d.response));
	phone_send(&f, &p, &d, &e);
	ck_assert_int_eq(e.status, 200);
	ck_assert_ptr_nonnull(strstr(e.body, "<btid>"));
	{
		json_t *list = json_array();

		ck_ok(bsf_store_list_bootstraps(f.store, START_S, list));
		ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "type")), "GBA_U");
		json_decref(list);
	}
	secret_free(res);
}
END_TEST

/* --- vectors: ub_digest, octet for octet */

struct script {
	struct rnd rnd;
	uint8_t rand[16];
};

static enum rc
script_bytes(void *ctx, uint8_t *out, size_t n)
{
	struct script *s = ctx;

	memset(out, 0x11, n);
	if (n == 16)
		memcpy(out, s->rand, 16);
	return RC_OK;
}

START_TEST(vectors_of_ub_digest)
{
	json_t *doc = vectors_load(), *v = vec_get(doc, "computed.ub_digest"), *base = vec_get(doc, "computed.base");
	const uint64_t sqn = UINT64_C(0xff9bb4d0b607);
	struct script script = { .rnd = { script_bytes, &script } };
	struct bsf_seams seams = { .clock = f.clock, .guard = f.guard, .rnd = &script.rnd, .store = f.store, .turn = f.turn,
	    .trace = f.trace, .net = f.net };
	char form[512], auth[2048], www[256], info[256], text[BSF_TEXT_MAX];
	struct impi impi;

	vec_hex(base, "rand", script.rand, 16);
	turn_end(f.turn);
	bsf_free(f.b);
	f.conf.fqdn = vec_str(v, "realm");
	f.conf.ind = sqn_ind(sqn);
	/* 2030-01-01T12:00:00Z is the lifetime's end */
	clock_step_wall(f.clock, (INT64_C(1893499200) - 8 * 3600 - START_S) * 1000);
	timeguard_accept(f.guard);
	ck_ok(bsf_new(&seams, &f.conf, &f.b));
	ck_ok(bsf_start(f.b));
	turn_end(f.turn);
	snprintf(form, sizeof form, "{\"imsi\":\"%s\",\"mnc_length\":2,\"k\":\"" K_HEX "\",\"op\":\"cdc202d5123e20f62b6d676ac72cb318\","
	    "\"amf\":\"b9b9\"}", vec_str(base, "imsi"));
	ck_assert_int_eq(fix_add(&f, form, text), REASON_NONE);
	ck_ok(impi_parse(span_str(vec_str(base, "impi")), &impi));
	ck_ok(store_begin(f.store));
	ck_ok(bsf_store_set_sqn(f.store, &impi, sqn - 32));
	ck_ok(store_end(f.store, true));
	restart();	/* the SQN of the store, and the same randomness */
	bsf_free(f.b);
	ck_ok(bsf_new(&seams, &f.conf, &f.b));
	turn_end(f.turn);

	snprintf(auth, sizeof auth, "Digest username=\"%s\", realm=\"%s\", nonce=\"\", uri=\"/\", response=\"\"",
	    vec_str(v, "username"), vec_str(v, "realm"));
	xchg_init(&e, auth, UA_TMPI);
	xchg_run(&f, &e);
	ck_assert_int_eq(e.status, 401);
	snprintf(www, sizeof www, "nonce=\"%s\"", vec_str(v, "nonce"));
	ck_assert_msg(strstr(e.www, www) != NULL, "%s", e.www);

	snprintf(auth, sizeof auth, "Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"/\", qop=auth-int, nc=%s, cnonce=\"%s\", "
	    "response=\"%s\", algorithm=AKAv1-MD5", vec_str(v, "username"), vec_str(v, "realm"), vec_str(v, "nonce"), vec_str(v, "nc"),
	    vec_str(v, "cnonce"), vec_str(v, "akav1_response"));
	xchg_init(&e, auth, UA_TMPI);
	xchg_run(&f, &e);
	ck_assert_int_eq(e.status, 200);
	ck_assert_str_eq(e.body, vec_str(v, "body_200"));
	snprintf(info, sizeof info, "rspauth=\"%s\"", vec_str(v, "akav1_rspauth_200"));
	ck_assert_msg(strstr(e.info, info) != NULL, "%s", e.info);
	json_decref(doc);
}
END_TEST

START_TEST(vector_of_the_empty_password)
{
	json_t *doc = vectors_load(), *v = vec_get(doc, "computed.ub_digest");
	struct digest d = { .have = DIGEST_QOP, .qop = DIGEST_QOP_AUTH_INT, .uri = "/" };

	/* the very function on_auts() uses, with its arguments */
	snprintf(d.username, sizeof d.username, "%s", vec_str(v, "username"));
	snprintf(d.realm, sizeof d.realm, "%s", vec_str(v, "realm"));
	snprintf(d.nonce, sizeof d.nonce, "%s", vec_str(v, "nonce"));
	snprintf(d.nc, sizeof d.nc, "%s", vec_str(v, "nc"));
	snprintf(d.cnonce, sizeof d.cnonce, "%s", vec_str(v, "cnonce"));
	ck_ok(digest_check(&d, NULL, "GET", span_str(""), vec_str(v, "akav1_response_sync_failure_empty_password")));
	json_decref(doc);
}
END_TEST

/* --- what is tolerated (ub.md 10) */

static const struct {
	unsigned qop;
	unsigned drop;		/* parameters left out of step 3 */
	const char *cnonce;
} odd[] = {
	{ DIGEST_QOP_AUTH_INT, DIGEST_ALGORITHM, NULL },
	{ DIGEST_QOP_AUTH_INT, DIGEST_OPAQUE, NULL },
	{ DIGEST_QOP_AUTH_INT, DIGEST_ALGORITHM, "MTIzNDU2Nzg5MDEyMzQ1Ng==" },
	{ DIGEST_QOP_AUTH, 0, NULL },
	{ 0, 0, NULL },
};

static int
odd_reply(int i)
{
	struct secret *res = NULL;
	struct digest d;
	bool fresh;

	p.qop = odd[i].qop;
	d = phone_answer(&f, &p, &fresh, &res);
	d.have &= ~odd[i].drop;
	if (odd[i].cnonce != NULL)
		strcpy(d.cnonce, odd[i].cnonce);
	ck_ok(digest_response(&d, res, "GET", span_str(""), d.response));
	phone_send(&f, &p, &d, &e);
	if (e.status == 200)
		phone_judge(&d, res, &e);
	secret_free(res);
	return e.status;
}

START_TEST(odd_clients_are_served)
{
	p.user_agent = "3gpp-gba";
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	ck_assert_int_eq(odd_reply(_i), 200);
}
END_TEST

START_TEST(qop_may_be_strict)
{
	f.conf.ub.qop = DIGEST_QOP_AUTH_INT;
	f.conf.ub.no_qop = false;
	restart();
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	if (odd[_i].qop == DIGEST_QOP_AUTH_INT)
		ck_assert_int_eq(odd_reply(_i), 200);
	else {
		odd_reply(_i);
		ck_refused(400, "ub-qop");
	}
}
END_TEST

static const char *const first[] = {
	"Digest username=\"" IMPI "\", realm=\"" BSF_NAME "\", uri=\"/\"",
	"Digest username=\"" IMPI "\", realm=\"" BSF_NAME "\", uri=\"/\", nonce=\"\", response=\"\", algorithm=AKAv1-MD5",
	"Digest realm=\"BSF.mnc001.mcc001.pub.3gppnetwork.org\",username=\"" IMPI "\",uri=\"/\",nonce=\"\",response=\"\"",
	"digest username=\"" IMPI "\", realm=\"" BSF_NAME "\", uri=\"http://" BSF_NAME "/\", nonce=\"\", response=\"\", extra=1",
	"Digest username=\"" IMPI "\", realm=\"" BSF_NAME "\", uri=\"http://" BSF_NAME ":80\", nonce=\"\", response=\"\"",
};

START_TEST(first_requests_that_are_taken)
{
	xchg_init(&e, first[_i], NULL);
	xchg_run(&f, &e);
	ck_assert_int_eq(e.status, 401);
}
END_TEST

/* --- refusals without a challenge */

#define REST ", realm=\"" BSF_NAME "\", nonce=\"\", uri=\"/\", response=\"\""
static const struct {
	const char *authorization;
	int status;
	const char *code;
} refusals[] = {
	{ NULL, 400, "ub-no-authorization" },
	{ "Basic Zm9vOmJhcg==", 400, "ub-syntax" },
	{ "Digest", 400, "ub-syntax" },
	{ "Digest ", 400, "ub-syntax" },
	{ "Digest username=\"" IMPI "\"", 400, "ub-syntax" },
	{ "Digest username=\"" IMPI REST, 400, "ub-syntax" },
	{ "Digest username=\"" IMPI "\"" REST ", username=\"" IMPI "\"", 400, "ub-syntax" },
	{ "Digest username=\"" IMPI "\", realm=\"" BSF_NAME "\", nonce=\"\", response=\"\"", 400, "ub-syntax" },
	{ "Digest realm=\"" BSF_NAME "\", nonce=\"\", uri=\"/\", response=\"\"", 400, "ub-syntax" },
	{ "Digest username=\"" IMPI "\", nonce=\"\", uri=\"/\", response=\"\"", 400, "ub-syntax" },
	{ "Digest username=\"" IMPI "\"" REST ", auts=\"AAAA\"", 400, "ub-syntax" },
	{ "Digest username=\"" IMPI "\", realm=\"bsf.example.org\", nonce=\"\", uri=\"/\", response=\"\"", 400, "ub-realm" },
	{ "Digest username=\"" IMPI "\", realm=\"" BSF_NAME "\", nonce=\"\", uri=\"/x\", response=\"\"", 400, "ub-uri" },
	{ "Digest username=\"" IMPI "\", realm=\"" BSF_NAME "\", nonce=\"\", uri=\"\", response=\"\"", 400, "ub-uri" },
	{ "Digest username=\"" IMPI "\", realm=\"" BSF_NAME "\", nonce=\"\", uri=\"/?a\", response=\"\"", 400, "ub-uri" },
	{ "Digest username=\"" IMPI "\", realm=\"" BSF_NAME "\", nonce=\"\", uri=\"http://\", response=\"\", algorithm=MD5", 400, "ub-algorithm" },
	{ "Digest username=\"" IMPI "\"" REST ", algorithm=MD5", 400, "ub-algorithm" },
	{ "Digest username=\"" IMPI "\"" REST ", algorithm=AKAv2-MD5", 400, "ub-algorithm" },
	{ "Digest username=\"nobody\"" REST, 400, "ub-username" },
	{ "Digest username=\"\"" REST, 400, "ub-username" },
	{ "Digest username=\"a@b@c\"" REST, 400, "ub-username" },
	{ "Digest username=\"nobody@ims.mnc001.mcc001.3gppnetwork.org\"" REST, 403, "ub-impi-unknown" },
	{ "Digest username=\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@tmpi.bsf.3gppnetwork.org\"" REST, 403, "ub-tmpi-unknown" },
	{ "Digest username=\"" IMPI "\", realm=\"" BSF_NAME "\", nonce=\"abc\", uri=\"/\", response=\"\"", 400, "ub-syntax" },
	{ "Digest username=\"" IMPI "\", realm=\"" BSF_NAME "\", nonce=\"abc\", uri=\"/\", response=\"00112233445566778899aabbccddeeff\","
	    " qop=auth-int, nc=00000001", 400, "ub-syntax" },
	{ "Digest username=\"" IMPI "\", realm=\"" BSF_NAME "\", nonce=\"abc\", uri=\"/\", response=\"00112233445566778899aabbccddeeff\","
	    " qop=auth-conf, nc=00000001, cnonce=\"a\"", 400, "ub-qop" },
};

START_TEST(refused)
{
	xchg_init(&e, refusals[_i].authorization, UA_TMPI);
	xchg_run(&f, &e);
	ck_refused(refusals[_i].status, refusals[_i].code);
	ck_assert_str_eq(e.www, "");
	ck_assert_int_eq(count_bootstraps(), 0);
}
END_TEST

START_TEST(two_authorization_headers)
{
	xchg_init(&e, first[0], NULL);
	e.h[e.req.n_headers++] = (struct http_header){ "authorization", first[0] };
	xchg_run(&f, &e);
	ck_refused(400, "ub-no-authorization");
}
END_TEST

START_TEST(other_method_and_path)
{
	xchg_init(&e, first[0], NULL);
	e.req.method = "POST";
	xchg_run(&f, &e);
	ck_refused(405, "ub-method");
	ck_assert_str_eq(e.allow, "GET");
	xchg_init(&e, first[0], NULL);
	e.req.path = "/favicon.ico";
	xchg_run(&f, &e);
	ck_refused(404, "ub-path");
}
END_TEST

START_TEST(another_path_by_configuration)
{
	f.conf.ub.path = "/gba";
	restart();
	xchg_init(&e, "Digest username=\"" IMPI "\", realm=\"" BSF_NAME "\", uri=\"/gba?x=1\"", NULL);
	e.req.path = "/gba";
	e.req.query = "x=1";
	xchg_run(&f, &e);
	ck_assert_int_eq(e.status, 401);
	xchg_init(&e, "Digest username=\"" IMPI "\", realm=\"" BSF_NAME "\", uri=\"/gba\"", NULL);
	e.req.path = "/gba";
	e.req.query = "x=1";
	xchg_run(&f, &e);
	ck_refused(400, "ub-uri");
}
END_TEST

/* --- ub.md 6: response wrong */

START_TEST(wrong_response_then_the_right_one)
{
	struct secret *other = NULL, *mine = p.k;

	ck_ok(hex_parse_secret(span_str("00112233445566778899aabbccddeeff"), 16, &other));
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	{
		struct secret *res = NULL;
		bool fresh;
		struct digest d = phone_answer(&f, &p, &fresh, &res);

		ck_ok(digest_response(&d, other, "GET", span_str(""), d.response));
		phone_send(&f, &p, &d, &e);
		secret_free(res);
	}
	ck_refused(401, "ub-response-wrong");
	ck_assert(strstr(e.www, "stale") == NULL);
	ck_assert_int_eq(count_bootstraps(), 0);
	ck_assert_ptr_eq(p.k, mine);
	ck_assert_int_eq(phone_reply(&f, &p, &e), 200);		/* to the fresh challenge */
	ck_assert_int_eq(count_bootstraps(), 1);
	/* and what was spent is forgiven: two more may be open at once */
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	secret_free(other);
}
END_TEST

static int
wrong_reply(void)
{
	struct secret *res = NULL;
	bool fresh;
	struct digest d = phone_answer(&f, &p, &fresh, &res);

	memset(d.response, '0', DIGEST_LEN);
	phone_send(&f, &p, &d, &e);
	secret_free(res);
	return e.status;
}

START_TEST(guessing_is_bounded)
{
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	ck_assert_int_eq(wrong_reply(), 401);
	ck_assert_int_eq(wrong_reply(), 503);
	ck_refused(503, "ub-quota");
	ck_assert_str_eq(e.retry, "60");
	clock_advance(f.clock, 60000);
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	ck_assert_int_eq(phone_reply(&f, &p, &e), 200);
}
END_TEST

START_TEST(the_response_covers_method_and_body)
{
	struct secret *res = NULL;
	bool fresh;
	struct digest d;
	char header[DIGEST_HEADER_MAX + 1];

	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	d = phone_answer(&f, &p, &fresh, &res);
	ck_ok(digest_response(&d, res, "GET", span_str(""), d.response));
	ck_ok(digest_print_authorization(&d, header, sizeof header));
	xchg_init(&e, header, UA_TMPI);
	e.req.body = span_str("<x/>");
	xchg_run(&f, &e);
	ck_refused(401, "ub-response-wrong");
	secret_free(res);
}
END_TEST

/* --- stale and foreign nonces, replay: one Ks per run */

START_TEST(after_its_time_a_nonce_is_stale)
{
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	clock_advance(f.clock, 60000);
	ck_assert_int_eq(phone_reply(&f, &p, &e), 401);
	ck_refused(401, "ub-nonce-unknown");
	ck_assert(p.d.have & DIGEST_STALE);
	ck_assert(p.d.stale);
	ck_assert_int_eq(phone_reply(&f, &p, &e), 200);
}
END_TEST

START_TEST(a_replay_makes_no_second_ks)
{
	struct secret *res = NULL;
	bool fresh;
	struct digest d;

	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	d = phone_answer(&f, &p, &fresh, &res);
	ck_ok(digest_response(&d, res, "GET", span_str(""), d.response));
	phone_send(&f, &p, &d, &e);
	ck_assert_int_eq(e.status, 200);
	phone_send(&f, &p, &d, &e);
	ck_refused(401, "ub-nonce-unknown");
	ck_assert(p.d.stale);
	ck_assert_int_eq(count_bootstraps(), 1);
	secret_free(res);
}
END_TEST

START_TEST(both_copies_in_one_turn_make_one_ks)
{
	struct secret *res = NULL;
	struct xchg twin = { .answers = 0 };
	char header[DIGEST_HEADER_MAX + 1];
	struct digest d;
	bool fresh;

	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	d = phone_answer(&f, &p, &fresh, &res);
	ck_ok(digest_response(&d, res, "GET", span_str(""), d.response));
	ck_ok(digest_print_authorization(&d, header, sizeof header));
	xchg_init(&e, header, UA_TMPI);
	xchg_init(&twin, header, UA_TMPI);
	bsf_on_ub(&e.x, f.b);
	bsf_on_ub(&twin.x, f.b);
	turn_end(f.turn);
	ck_assert_int_eq(e.status, 200);
	ck_assert_int_eq(twin.status, 401);
	ck_assert_int_eq(count_bootstraps(), 1);
	secret_free(res);
}
END_TEST

START_TEST(a_nonce_belongs_to_its_name)
{
	char text[BSF_TEXT_MAX];

	/* same K: only the name differs */
	ck_assert_int_eq(fix_add(&f, "{\"imsi\":\"001010000000002\",\"impi\":\"b@x.org\",\"k\":\"" K_HEX "\",\"opc\":\"" OPC_HEX "\","
	    "\"amf\":\"8000\"}", text), REASON_NONE);
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	{
		struct digest mine = p.d;

		strcpy(p.username, "b@x.org");
		ck_assert_int_eq(phone_reply(&f, &p, &e), 401);
		ck_refused(401, "ub-nonce-unknown");
		ck_assert_int_eq(count_bootstraps(), 0);
		/* and the owner's challenge is still open */
		p.d = mine;
		memset(&p.sqn, 0, sizeof p.sqn);
		strcpy(p.username, IMPI);
		ck_assert_int_eq(phone_reply(&f, &p, &e), 200);
	}
}
END_TEST

START_TEST(opaque_comes_back_or_not_at_all)
{
	struct secret *res = NULL;
	bool fresh;
	struct digest d;

	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	d = phone_answer(&f, &p, &fresh, &res);
	strcpy(d.opaque, "other");
	ck_ok(digest_response(&d, res, "GET", span_str(""), d.response));
	phone_send(&f, &p, &d, &e);
	ck_refused(400, "ub-syntax");
	secret_free(res);
}
END_TEST

/* --- ub.md 6: SQN out of range */

static const int64_t ahead[] = { 1, 1 << 20, INT64_C(1) << 35 };

START_TEST(auts_then_a_fresh_challenge)
{
	p.sqn.seq[3] = 1 + (uint64_t)ahead[_i];
	p.sqn.seq[31] = 1 + (uint64_t)ahead[_i];
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	ck_assert_int_eq(phone_reply(&f, &p, &e), 401);
	ck_assert_uint_eq(e.n_body, 0);
	ck_assert(strstr(e.www, "stale") == NULL);
	ck_assert_int_eq(count_bootstraps(), 0);
	ck_assert_int_eq(phone_reply(&f, &p, &e), 200);
	/* the next run needs none */
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	ck_assert_int_eq(phone_reply(&f, &p, &e), 200);
}
END_TEST

static void
send_auts(uint64_t sqn_ms, bool right_mac, bool right_response)
{
	struct secret *res = NULL;
	bool fresh;
	struct digest d = phone_answer(&f, &p, &fresh, &res);

	d.have |= DIGEST_AUTS;
	ck_ok(aka_make_auts(p.k, p.opc, p.rand, sqn_ms, d.auts));
	if (!right_mac)
		d.auts[13] ^= 1;
	ck_ok(digest_response(&d, right_response ? NULL : res, "GET", span_str(""), d.response));
	phone_send(&f, &p, &d, &e);
	secret_free(res);
}

START_TEST(one_auts_per_run)
{
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	send_auts(1000 << 5, true, true);
	ck_assert_int_eq(e.status, 401);
	send_auts(2000 << 5, true, true);
	ck_refused(403, "ub-resync-twice");
	/* a new run may again */
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	send_auts(3000 << 5, true, true);
	ck_assert_int_eq(e.status, 401);
	ck_assert_uint_eq(e.n_body, 0);
}
END_TEST

START_TEST(wrong_auts)
{
	struct bsf_subscriber s;
	struct impi impi = { IMPI };

	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	send_auts(1000 << 5, false, true);
	ck_refused(401, "ub-auts-wrong");
	clock_advance(f.clock, 60000);
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	send_auts(1000 << 5, true, false);	/* response with the RES instead of the empty password */
	ck_refused(401, "ub-auts-wrong");
	ck_ok(bsf_store_get_subscriber(f.store, &impi, &s));
	ck_assert_uint_lt(sqn_seq(s.sqn), 1000);
	ck_assert_int_eq(phone_reply(&f, &p, &e), 200);
}
END_TEST

START_TEST(auts_of_an_unknown_nonce)
{
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	clock_advance(f.clock, 60000);
	send_auts(1000 << 5, true, true);
	ck_refused(401, "ub-nonce-unknown");
	ck_assert(p.d.stale);
}
END_TEST

/* --- B2 */

START_TEST(B2_a_stranger_does_not_keep_the_phone_out)
{
	struct phone stranger;
	struct xchg x = { .answers = 0 };
	struct digest mine;
	char address[64];
	int kept_out = 0;

	phone_open(&stranger, IMPI, K_HEX, OPC_HEX);
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	mine = p.d;
	for (int i = 0; i < 100; i++) {
		snprintf(address, sizeof address, "10.0.0.%d:%d", i % 4, 1024 + i);
		stranger.address = address;
		kept_out += phone_ask(&f, &stranger, &x) == 503;
	}
	ck_assert_int_eq(kept_out, 92);		/* two for each of its four addresses */
	p.d = mine;
	ck_assert_int_eq(phone_reply(&f, &p, &e), 200);
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);	/* and a second run finds room */
	ck_assert_int_eq(phone_reply(&f, &p, &e), 200);
	phone_close(&stranger);
}
END_TEST

START_TEST(B2_quota_by_address_not_by_port)
{
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	p.address = "127.0.0.1:40001";
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	p.address = "127.0.0.1:40002";
	ck_assert_int_eq(phone_ask(&f, &p, &e), 503);
	ck_refused(503, "ub-quota");
	ck_assert_int_ge(atoi(e.retry), 1);
	ck_assert_int_le(atoi(e.retry), 60);
	p.address = "127.0.0.2:40002";
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
}
END_TEST

START_TEST(B2_step_1_costs_no_commit)
{
	uint64_t before = fix_commits(&f);
	struct btid btid;

	for (unsigned i = 0; i < 40; i++) {
		ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
		ck_assert_uint_eq(fix_commits(&f), before + i);
		ck_assert_int_eq(phone_reply(&f, &p, &e), 200);
		ck_assert_uint_eq(fix_commits(&f), before + i + 1);
		body_text(&e, "btid", btid.s, sizeof btid.s);
	}
}
END_TEST

/* --- B1 */

START_TEST(B1_eight_btids_or_one)
{
	struct btid btid[10];
	struct bsf_bootstrap run;

	f.conf.one_btid = _i == 1;
	restart();
	for (int i = 0; i < 10; i++) {
		phone_bootstrap(&f, &p, &btid[i]);
		clock_advance(f.clock, 1000);
	}
	for (int i = 0; i < 10; i++) {
		struct secret *ks = NULL;

		ck_rc(bsf_store_get_bootstrap(f.store, &btid[i], START_S + 100, &run, &ks),
		    i < (_i == 1 ? 9 : 2) ? RC_NOTFOUND : RC_OK);
		secret_free(ks);
	}
}
END_TEST

START_TEST(T1_expired_ones_are_purged)
{
	struct btid btid;

	phone_bootstrap(&f, &p, &btid);
	ck_assert_int_eq(count_bootstraps(), 1);
	clock_advance(f.clock, 8 * 3600 * 1000);
	turn_end(f.turn);
	clock_advance(f.clock, 1000);
	turn_end(f.turn);
	ck_assert_int_eq(count_bootstraps(), 0);
}
END_TEST

START_TEST(T1_a_thousand_are_gone_within_a_second)
{
	struct secret *ks = NULL;
	int turns = 0;

	ck_ok(secret_new(KS_LEN, &ks));
	ck_ok(store_begin(f.store));
	for (int i = 0; i < 1000; i++) {
		struct bsf_bootstrap run = { .created_s = START_S, .expires_s = START_S + 100 };

		snprintf((char *)run.rand, sizeof run.rand, "%d", i);
		ck_ok(btid_make(run.rand, BSF_NAME, &run.btid));
		snprintf(run.impi.s, sizeof run.impi.s, "%d@x.org", i);
		run.subscriber = 1000 + i;
		ck_ok(bsf_store_put_bootstrap(f.store, &run, ks, 8, ""));
	}
	ck_ok(store_end(f.store, true));
	turn_end(f.turn);
	restart();	/* the purge finds them by itself */
	clock_advance(f.clock, 99999);
	turn_end(f.turn);
	ck_assert_int_eq(count_bootstraps(), 1000);
	for (; turns < 100 && count_bootstraps() > 0; turns++) {
		clock_advance(f.clock, 10);
		turn_end(f.turn);
	}
	ck_assert_int_eq(count_bootstraps(), 0);
	ck_assert_int_le(turns, 99);
	secret_free(ks);
}
END_TEST

/* --- durable before answered */

START_TEST(commit_fails_at_the_200)
{
	uint64_t stored;
	struct bsf_subscriber s;
	struct impi impi = { IMPI };

	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	fix_break_store(&f, true);
	ck_assert_int_eq(phone_reply(&f, &p, &e), 503);
	ck_assert(strncmp(e.body, "not-durable: ", 13) == 0);
	ck_assert_str_eq(e.info, "");
	ck_assert_str_ne(e.retry, "");
	fix_break_store(&f, false);
	ck_assert_int_eq(count_bootstraps(), 0);
	ck_ok(bsf_store_get_subscriber(f.store, &impi, &s));
	stored = s.sqn;
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	ck_assert_int_eq(phone_reply(&f, &p, &e), 200);
	ck_ok(bsf_store_get_subscriber(f.store, &impi, &s));
	ck_assert_uint_ge(s.sqn, stored);
}
END_TEST

START_TEST(commit_fails_at_a_challenge_that_needs_one)
{
	restart();	/* no block in memory: the next challenge reserves one */
	fix_break_store(&f, true);
	for (int i = 0; i < 3; i++) {	/* what was never sent counts for no quota */
		ck_assert_int_eq(phone_ask(&f, &p, &e), 503);
		ck_assert(strncmp(e.body, "not-durable: ", 13) == 0);
		ck_assert_str_eq(e.www, "");
	}
	fix_break_store(&f, false);
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	ck_assert_int_eq(phone_reply(&f, &p, &e), 200);
}
END_TEST

START_TEST(commit_fails_at_the_auts)
{
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	p.sqn.seq[31] = 1 << 20;
	fix_break_store(&f, true);
	ck_assert_int_eq(phone_reply(&f, &p, &e), 503);
	fix_break_store(&f, false);
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	ck_assert_int_eq(phone_reply(&f, &p, &e), 401);	/* the SQN did not follow: AUTS again */
	ck_assert_int_eq(phone_reply(&f, &p, &e), 200);
}
END_TEST

/* --- TMPI */

static void
my_tmpi(char out[static TMPI_LEN + 1])
{
	ck_ok(kdf_tmpi(p.ks, p.rand, span_str(IMPI), BSF_NAME, out));
}

START_TEST(tmpi_second_run)
{
	char t1[TMPI_LEN + 1], t2[TMPI_LEN + 1];
	struct btid btid;

	phone_bootstrap(&f, &p, &btid);
	my_tmpi(t1);
	strcpy(p.username, t1);
	phone_bootstrap(&f, &p, &btid);	/* A1 with the TMPI, Ks and all KDFs with the IMPI */
	my_tmpi(t2);
	ck_assert_str_ne(t1, t2);
	strcpy(p.username, t2);
	phone_bootstrap(&f, &p, &btid);
	/* the one before the newest still names the subscriber: the 200 with the newest may have been lost */
	strcpy(p.username, t2);
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	strcpy(p.username, t1);
	ck_assert_int_eq(phone_ask(&f, &p, &e), 403);
	ck_refused(403, "ub-tmpi-unknown");
	strcpy(p.username, IMPI);
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
}
END_TEST

static const struct {
	const char *user_agent;
	bool tmpi;
} agents[] = {
	{ UA_TMPI, true }, { "3gpp-gba-tmpi", true }, { "x,3GPP-GBA-TMPI", true }, { "x (3gpp-gba-tmpi)", true },
	{ NULL, false }, { "", false }, { "3gpp-gba", false }, { "3gpp-gba-tmpi2", false }, { "not-3gpp-gba-tmpi", false },
};

START_TEST(tmpi_only_for_those_who_say_so)
{
	char tmpi[TMPI_LEN + 1];
	struct btid btid;

	p.user_agent = agents[_i].user_agent;
	phone_bootstrap(&f, &p, &btid);
	my_tmpi(tmpi);
	strcpy(p.username, tmpi);
	ck_assert_int_eq(phone_ask(&f, &p, &e), agents[_i].tmpi ? 401 : 403);
}
END_TEST

/* --- states of the daemon */

START_TEST(T2_clock_jumped)
{
	clock_step_wall(f.clock, INT64_C(3) * 86400 * 1000);
	ck_assert_int_eq(phone_ask(&f, &p, &e), 503);
	ck_refused(503, "clock-jumped");
	clock_step_wall(f.clock, -INT64_C(3) * 86400 * 1000);
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
}
END_TEST

static void
on_stopped(void *arg)
{
	*(bool *)arg = true;
}

START_TEST(stopping)
{
	bool stopped = false;

	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	bsf_stop(f.b, on_stopped, &stopped);
	ck_assert(!stopped);
	ck_assert_int_eq(phone_reply(&f, &p, &e), 503);
	ck_refused(503, "stopping");
	ck_assert(e.close);
	for (int i = 0; i < 100 && !stopped; i++) {
		clock_advance(f.clock, 100);
		link_mem_run(f.net);
		turn_end(f.turn);
	}
	ck_assert(stopped);
}
END_TEST

START_TEST(subscriber_deleted_in_between)
{
	struct impi impi = { IMPI };

	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	ck_ok(store_begin(f.store));
	ck_ok(bsf_store_delete_subscriber(f.store, &impi));
	ck_ok(store_end(f.store, true));
	turn_end(f.turn);
	bsf_auc_forget(f.b->auc, &impi);
	phone_reply(&f, &p, &e);
	ck_refused(403, "ub-impi-unknown");
}
END_TEST

START_TEST(no_key_in_log_or_trace)
{
	char hex[2][65], *trace;
	struct btid btid;
	json_t *events;

	phone_bootstrap(&f, &p, &btid);
	hex_print(secret_span(p.ks), hex[0]);
	hex_print(span_of(secret_span(p.ks).p + 16, 16), hex[1]);
	events = trace_since(f.trace, 0);
	trace = json_dumps(events, 0);
	ck_assert(strstr(fix_log, K_HEX) == NULL && strstr(fix_log, OPC_HEX) == NULL);
	for (int i = 0; i < 2; i++)
		ck_assert(strstr(fix_log, hex[i]) == NULL && strstr(trace, hex[i]) == NULL);
	free(trace);
	json_decref(events);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("bsfd ub (B1, B2, S1, T1, T2)");
	TCase *tc = tcase_create("ub");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_run);
	tcase_add_test(tc, traced_as_step_7_with_the_btid);
	tcase_add_test(tc, subscribers_own_lifetime);
	tcase_add_test(tc, gba_u_is_kept_as_such);
	tcase_add_test(tc, vectors_of_ub_digest);
	tcase_add_test(tc, vector_of_the_empty_password);
	tcase_add_loop_test(tc, odd_clients_are_served, 0, TABLE_N(odd));
	tcase_add_loop_test(tc, qop_may_be_strict, 0, TABLE_N(odd));
	tcase_add_loop_test(tc, first_requests_that_are_taken, 0, TABLE_N(first));
	tcase_add_loop_test(tc, refused, 0, TABLE_N(refusals));
	tcase_add_test(tc, two_authorization_headers);
	tcase_add_test(tc, other_method_and_path);
	tcase_add_test(tc, another_path_by_configuration);
	tcase_add_test(tc, wrong_response_then_the_right_one);
	tcase_add_test(tc, guessing_is_bounded);
	tcase_add_test(tc, the_response_covers_method_and_body);
	tcase_add_test(tc, after_its_time_a_nonce_is_stale);
	tcase_add_test(tc, a_replay_makes_no_second_ks);
	tcase_add_test(tc, both_copies_in_one_turn_make_one_ks);
	tcase_add_test(tc, a_nonce_belongs_to_its_name);
	tcase_add_test(tc, opaque_comes_back_or_not_at_all);
	tcase_add_loop_test(tc, auts_then_a_fresh_challenge, 0, TABLE_N(ahead));
	tcase_add_test(tc, one_auts_per_run);
	tcase_add_test(tc, wrong_auts);
	tcase_add_test(tc, auts_of_an_unknown_nonce);
	tcase_add_test(tc, B2_a_stranger_does_not_keep_the_phone_out);
	tcase_add_test(tc, B2_quota_by_address_not_by_port);
	tcase_add_test(tc, B2_step_1_costs_no_commit);
	tcase_add_loop_test(tc, B1_eight_btids_or_one, 0, 2);
	tcase_add_test(tc, T1_expired_ones_are_purged);
	tcase_add_test(tc, T1_a_thousand_are_gone_within_a_second);
	tcase_add_test(tc, commit_fails_at_the_200);
	tcase_add_test(tc, commit_fails_at_a_challenge_that_needs_one);
	tcase_add_test(tc, commit_fails_at_the_auts);
	tcase_add_test(tc, tmpi_second_run);
	tcase_add_loop_test(tc, tmpi_only_for_those_who_say_so, 0, TABLE_N(agents));
	tcase_add_test(tc, T2_clock_jumped);
	tcase_add_test(tc, stopping);
	tcase_add_test(tc, subscriber_deleted_in_between);
	tcase_add_test(tc, no_key_in_log_or_trace);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
