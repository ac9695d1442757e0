/* ub: the whole run against a scripted BSF and a scripted card; each refusal has its reason. */
#include "test/unit/mtd/fake_bsf.h"

#include "common/log.h"
#include "mtd/ub.h"

#define NOW INT64_C(1900000000)
#define IMPI "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
#define TMPI "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@tmpi.bsf.3gppnetwork.org"

static struct clock *clk;
static struct rnd_seeded rnd;
static struct secret *k, *opc;
static struct fake_bsf bsf;
static struct mt_ub_conf conf;
static struct mt_ub_ask ask;
static struct mt_ub *run;

/* The card: K, OPc, SQN array; answers in card_step(). */
static struct {
	struct sqn_array sqn;
	uint8_t rand[16], autn[16];
	mt_auth_fn *fn;
	void *arg;
	int asked, wrong_macs;
	bool silent, gone, fails, gba_u;
} card;

/* How the run ended. */
static struct {
	int n;
	struct mt_ub_result r;
	struct secret *ks;
} got;

static enum rc
card_authenticate(void *ctx, const uint8_t rand[static 16], const uint8_t autn[static 16], mt_auth_fn *fn, void *arg)
{
	(void)ctx;
	if (card.gone)
		return RC_STATE;
	ck_assert_ptr_null(card.fn);
	memcpy(card.rand, rand, 16);
	memcpy(card.autn, autn, 16);
	card.fn = fn;
	card.arg = arg;
	card.asked++;
	return RC_OK;
}

static void
card_cancel(void *ctx)
{
	(void)ctx;
	card.fn = NULL;
}

static bool
card_step(void)
{
	static const struct sqn_limits limits = { SQN_DELTA_DEFAULT, 0 };
	mt_auth_fn *fn = card.fn;
	struct mt_auth a = { .how = MT_AUTH_OK };
	struct aka_result r = { .sqn = 0 };
	enum rc rc;

	if (fn == NULL || card.silent)
		return false;
	card.fn = NULL;
	rc = aka_check(k, opc, card.rand, card.autn, &r);
	if (card.fails) {
		a.how = MT_AUTH_FAILED;
		a.detail = "pulled";
	} else if (rc == RC_DENIED || card.wrong_macs-- > 0) {
		a.how = MT_AUTH_MAC;
		a.mac = REASON_BSF_AUTN;
	} else if (sqn_accept(&card.sqn, &limits, r.sqn) != RC_OK) {
		a.how = MT_AUTH_SYNC;
		ck_ok(aka_make_auts(k, opc, card.rand, sqn_highest(&card.sqn), a.auts));
	} else {
		a.res = r.res;
		a.ck = card.gba_u ? NULL : r.ck;
		a.ik = card.gba_u ? NULL : r.ik;
	}
	fn(card.arg, &a);
	aka_result_clear(&r);
	return true;
}

static void
on_end(void *arg, struct mt_ub_result *r)
{
	ck_assert_ptr_eq(arg, &got);
	run = NULL;
	got.n++;
	got.r = *r;
	got.ks = r->ks.ks;
	r->ks.ks = NULL;
}

static void
setup(void)
{
	uint8_t octets[16];

	log_set_level(LOG_LEVEL_ERROR);

	memset(octets, 0x11, sizeof octets);
	ck_ok(secret_from(span_of(octets, 16), &k));
	memset(octets, 0x22, sizeof octets);
	ck_ok(secret_from(span_of(octets, 16), &opc));
	ck_ok(clock_new_virtual(NOW * 1000, &clk));
	rnd_seeded_init(&rnd, 7);
	memset(&card, 0, sizeof card);
	memset(&got, 0, sizeof got);
	memset(&conf, 0, sizeof conf);
	(void)snprintf(conf.user_agent, sizeof conf.user_agent, "%s", MT_USER_AGENT);
	fake_bsf_init(&bsf, clk, k, opc, IMPI);
	ask = (struct mt_ub_ask){ .impi = { IMPI }, .fqdn = FAKE_BSF_FQDN, .min_left_s = 60, .now_s = NOW };
	run = NULL;
}

static void
teardown(void)
{
	mt_ub_cancel(run);
	secret_free(got.ks);
	fake_bsf_clear(&bsf);
	clock_free(clk);
	secret_free(k);
	secret_free(opc);
}

static void
go(void)
{
	const struct mt_ub_env env = { clk, &rnd.rnd, &bsf.client, &conf, { card_authenticate, card_cancel, NULL } };
	int before = got.n;

	ck_ok(mt_ub_start(&env, &ask, on_end, &got, &run));
	ck_assert_int_eq(got.n, before);	/* never inside the call */
	while (fake_bsf_step(&bsf) || card_step())
		;
}

static void
expect(enum reason why)
{
	ck_assert_int_eq(got.n, 1);
	ck_assert_msg(got.r.why == why, "%s (%s), expected %s", reason_get(got.r.why)->code, got.r.detail, reason_get(why)->code);
	ck_assert((got.ks != NULL) == (why == REASON_NONE));
}

START_TEST(right_run)
{
	uint8_t rand[16];

	go();
	expect(REASON_NONE);
	ck_assert_int_eq(bsf.requests, 2);
	ck_assert_int_eq(card.asked, 1);
	ck_assert_str_eq(got.r.ks.btid.s, bsf.btid.s);
	ck_assert(secret_eq(got.ks, bsf.ks));
	ck_assert_str_eq(got.r.ks.impi.s, IMPI);
	ck_assert_int_eq(got.r.ks.created, NOW);
	ck_assert_int_eq(got.r.ks.expires, NOW + 3600);
	ck_ok(btid_rand(&got.r.ks.btid, rand));
	ck_assert_int_eq(memcmp(rand, got.r.ks.rand, 16), 0);
	ck_assert_str_eq(got.r.tmpi, bsf.tmpi);
	ck_assert(got.r.challenged);
	ck_assert(!got.r.tmpi_refused);
	ck_assert_str_eq(bsf.last_username, IMPI);
}
END_TEST

START_TEST(what_is_sent)
{
	conf.n_headers = 1;
	(void)snprintf(conf.headers[0].name, sizeof conf.headers[0].name, "X-Device-IMEI");
	(void)snprintf(conf.headers[0].value, sizeof conf.headers[0].value, "490154203237518");
	go();
	expect(REASON_NONE);
	ck_assert_str_eq(bsf.last_url, "http://" FAKE_BSF_FQDN "/");
	ck_assert_str_eq(bsf.last_dial, "");
	ck_assert_ptr_nonnull(strstr(bsf.last_headers, "User-Agent: " MT_USER_AGENT "\n"));
	ck_assert_ptr_nonnull(strstr(bsf.last_headers, "X-Device-IMEI: 490154203237518\n"));
	ck_assert_ptr_nonnull(strstr(bsf.last_headers, "Accept: */*\n"));
	ck_assert_ptr_nonnull(strstr(bsf.last_headers, "Date: Sun, 17 Mar 2030 17:46:40 GMT\n"));
	ck_assert_ptr_nonnull(strstr(bsf.last_authorization, "qop=auth-int"));
	ck_assert_ptr_nonnull(strstr(bsf.last_authorization, "algorithm=AKAv1-MD5"));
	ck_assert_ptr_nonnull(strstr(bsf.last_authorization, "uri=\"/\""));
}
END_TEST

START_TEST(url_and_dial)
{
	(void)snprintf(conf.url, sizeof conf.url, "http://bsf.example.net:8080/gba/bsf?x=1");
	(void)snprintf(conf.dial, sizeof conf.dial, "127.0.0.1:4001");
	go();
	expect(REASON_NONE);
	ck_assert_str_eq(bsf.last_url, conf.url);
	ck_assert_str_eq(bsf.last_dial, "127.0.0.1:4001");
	ck_assert_ptr_nonnull(strstr(bsf.last_authorization, "uri=\"/gba/bsf?x=1\""));
}
END_TEST

START_TEST(url_that_is_none)
{
	const struct mt_ub_env env = { clk, &rnd.rnd, &bsf.client, &conf, { card_authenticate, card_cancel, NULL } };

	(void)snprintf(conf.url, sizeof conf.url, "bsf.example.net");
	ck_rc(mt_ub_start(&env, &ask, on_end, &got, &run), RC_SYNTAX);
	ck_assert_int_eq(got.n, 0);
}
END_TEST

START_TEST(akav2)
{
	bsf.alg = DIGEST_ALG_AKAV2_MD5;
	go();
	expect(REASON_NONE);
	ck_assert(secret_eq(got.ks, bsf.ks));
}
END_TEST

/* In GBA_U the card keeps CK and IK, of which AKAv2's password is made: such a challenge cannot be answered, whoever sent it. */
START_TEST(akav2_to_a_card_that_keeps_its_keys)
{
	bsf.alg = DIGEST_ALG_AKAV2_MD5;
	card.gba_u = true;
	go();
	expect(REASON_BSF_CHALLENGE);
}
END_TEST

/* --- TMPI (ub.md 7) */

START_TEST(tmpi_used_and_replaced)
{
	(void)snprintf(ask.tmpi, sizeof ask.tmpi, TMPI);
	(void)snprintf(bsf.tmpi, sizeof bsf.tmpi, TMPI);
	go();
	expect(REASON_NONE);
	ck_assert_str_eq(bsf.last_username, TMPI);
	ck_assert_str_eq(got.r.tmpi, bsf.tmpi);
	ck_assert_str_ne(got.r.tmpi, TMPI);
	ck_assert(!got.r.tmpi_refused);
	ck_assert_int_eq(bsf.requests, 2);
}
END_TEST

START_TEST(tmpi_unknown_then_impi)
{
	(void)snprintf(ask.tmpi, sizeof ask.tmpi, TMPI);
	go();
	expect(REASON_NONE);
	ck_assert_int_eq(bsf.requests, 3);
	ck_assert_str_eq(bsf.last_username, IMPI);
	ck_assert(got.r.tmpi_refused);
	ck_assert_str_eq(got.r.tmpi, bsf.tmpi);
}
END_TEST

/* The BSF takes the TMPI for somebody else's: AUTN is of another subscriber. */
START_TEST(tmpi_of_another_then_impi)
{
	(void)snprintf(ask.tmpi, sizeof ask.tmpi, TMPI);
	(void)snprintf(bsf.tmpi, sizeof bsf.tmpi, TMPI);
	card.wrong_macs = 1;
	go();
	expect(REASON_NONE);
	ck_assert(got.r.tmpi_refused);
	ck_assert_str_eq(bsf.last_username, IMPI);
}
END_TEST

/* ub.md 7: an older release lacks the token; no error, no TMPI. */
START_TEST(no_tmpi_token)
{
	bsf.tmpi_token = false;
	go();
	expect(REASON_NONE);
	ck_assert_str_eq(got.r.tmpi, "");
}
END_TEST

START_TEST(no_tmpi_token_of_ours)
{
	(void)snprintf(conf.user_agent, sizeof conf.user_agent, "other");
	go();
	expect(REASON_NONE);
	ck_assert_str_eq(got.r.tmpi, "");
}
END_TEST

/* --- the card's answers */

START_TEST(resynchronisation)
{
	card.sqn.seq[1] = 5000;		/* the AuC starts at 0 */
	go();
	expect(REASON_NONE);
	ck_assert_int_eq(bsf.resyncs, 1);
	ck_assert_int_eq(bsf.requests, 3);
	ck_assert_int_eq(bsf.challenges, 2);
	ck_assert(secret_eq(got.ks, bsf.ks));
}
END_TEST

static void
forget_resync(struct fake_bsf *b, int n, struct fake_reply *r)
{
	(void)r;
	if (n == 2) {		/* its answer to AUTS: an old SQN again */
		b->sqn = 0;
		fake_challenge(b, r);
	}
}

START_TEST(one_resynchronisation_alone)
{
	card.sqn.seq[1] = 5000;
	bsf.twist = forget_resync;
	go();
	expect(REASON_BSF_RESYNC);
	ck_assert_int_eq(bsf.resyncs, 1);
	ck_assert_int_eq(bsf.requests, 2);
	ck_assert_int_eq(bsf.done, 0);
}
END_TEST

START_TEST(mac_wrong_once)
{
	card.wrong_macs = 1;
	go();
	expect(REASON_NONE);
	ck_assert_int_eq(bsf.requests, 3);
	ck_assert_int_eq(bsf.fresh, 1);		/* not on the connection that brought the wrong one */
}
END_TEST

START_TEST(mac_wrong_twice)
{
	card.wrong_macs = 9;
	go();
	expect(REASON_BSF_AUTN);
	ck_assert_int_eq(bsf.requests, 2);	/* nothing is answered but a new start */
	ck_assert_int_eq(card.asked, 2);
}
END_TEST

/* Under the TMPI and under the IMPI: two challenges stay open at the BSF, a third is one too many for its quota (B2). */
START_TEST(mac_wrong_under_the_tmpi_and_the_impi)
{
	(void)snprintf(ask.tmpi, sizeof ask.tmpi, TMPI);
	(void)snprintf(bsf.tmpi, sizeof bsf.tmpi, TMPI);
	card.wrong_macs = 9;
	go();
	expect(REASON_BSF_AUTN);
	ck_assert(got.r.tmpi_refused);
	ck_assert_int_eq(bsf.requests, 2);
	ck_assert_int_eq(card.asked, 2);
}
END_TEST

START_TEST(card_fails)
{
	card.fails = true;
	go();
	expect(REASON_UICC_FAILED);
	ck_assert_str_eq(got.r.detail, "pulled");
}
END_TEST

START_TEST(card_gone)
{
	card.gone = true;
	go();
	expect(REASON_UICC_FAILED);
}
END_TEST

START_TEST(card_silent)
{
	card.silent = true;
	go();
	ck_assert_int_eq(got.n, 0);
	clock_advance(clk, 59000);
	ck_assert_int_eq(got.n, 0);
	clock_advance(clk, 1000);
	expect(REASON_UICC_FAILED);
	ck_assert_ptr_null(card.fn);		/* it was told that nobody listens any more */
}
END_TEST

START_TEST(cancelled_anywhere)
{
	const struct mt_ub_env env = { clk, &rnd.rnd, &bsf.client, &conf, { card_authenticate, card_cancel, NULL } };

	ck_ok(mt_ub_start(&env, &ask, on_end, &got, &run));
	for (int i = 0; i < _i; i++)
		ck_assert(fake_bsf_step(&bsf) || card_step());
	mt_ub_cancel(run);
	run = NULL;
	ck_assert(!fake_bsf_step(&bsf));
	ck_assert(!card_step());
	ck_assert_int_eq(got.n, 0);
}
END_TEST

/* --- what a BSF can do wrong: the request that is twisted, how, and the reason */

/* NONCE stands for the nonce. */
static void
set_challenge(struct fake_bsf *b, struct fake_reply *r, const char *like)
{
	const char *at = strstr(like, "NONCE");
	char text[1024];

	if (at == NULL)
		(void)snprintf(text, sizeof text, "%s", like);
	else
		(void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - like), like, b->nonce, at + 5);
	fake_header(r, "WWW-Authenticate", text);
}

static void tw_down(struct fake_bsf *b, struct fake_reply *r) { (void)b; r->status = 0; r->why = REASON_HTTP_TIMEOUT; }
static void tw_503(struct fake_bsf *b, struct fake_reply *r) { (void)b; r->status = 503; fake_header(r, "Retry-After", " 17 "); }
static void tw_500(struct fake_bsf *b, struct fake_reply *r) { (void)b; r->status = 500; }
static void tw_302(struct fake_bsf *b, struct fake_reply *r) { (void)b; r->status = 302; fake_header(r, "Location", "http://elsewhere.example/"); }
static void tw_403(struct fake_bsf *b, struct fake_reply *r) { (void)b; r->status = 403; }
static void tw_404(struct fake_bsf *b, struct fake_reply *r) { (void)b; r->status = 404; }
static void tw_200(struct fake_bsf *b, struct fake_reply *r) { (void)b; r->status = 200; }
static void tw_401(struct fake_bsf *b, struct fake_reply *r) { (void)b; r->status = 401; }
static void tw_no_www(struct fake_bsf *b, struct fake_reply *r) { (void)b; fake_header_drop(r, "WWW-Authenticate"); }
static void tw_basic(struct fake_bsf *b, struct fake_reply *r) { set_challenge(b, r, "Basic realm=\"x\""); }
static void tw_broken(struct fake_bsf *b, struct fake_reply *r) { set_challenge(b, r, "Digest realm=\"" FAKE_BSF_FQDN); }
static void
tw_realm(struct fake_bsf *b, struct fake_reply *r)
{
	set_challenge(b, r, "Digest realm=\"bsf.other.example\", nonce=\"NONCE\", algorithm=AKAv1-MD5, qop=\"auth-int\"");
}
static void
tw_no_realm(struct fake_bsf *b, struct fake_reply *r)
{
	set_challenge(b, r, "Digest nonce=\"NONCE\", algorithm=AKAv1-MD5, qop=\"auth-int\"");
}
static void
tw_short_nonce(struct fake_bsf *b, struct fake_reply *r)
{
	set_challenge(b, r, "Digest realm=\"" FAKE_BSF_FQDN "\", nonce=\"AAAAAAAAAAAAAAAAAAAAAA==\", algorithm=AKAv1-MD5, qop=\"auth-int\"");
}
static void
tw_no_nonce(struct fake_bsf *b, struct fake_reply *r)
{
	set_challenge(b, r, "Digest realm=\"" FAKE_BSF_FQDN "\", algorithm=AKAv1-MD5, qop=\"auth-int\"");
}
static void
tw_md5(struct fake_bsf *b, struct fake_reply *r)
{
	set_challenge(b, r, "Digest realm=\"" FAKE_BSF_FQDN "\", nonce=\"NONCE\", algorithm=MD5, qop=\"auth-int\"");
}
static void
tw_no_algorithm(struct fake_bsf *b, struct fake_reply *r)
{
	set_challenge(b, r, "Digest realm=\"" FAKE_BSF_FQDN "\", nonce=\"NONCE\", qop=\"auth-int\"");
}
static void
tw_qop_auth(struct fake_bsf *b, struct fake_reply *r)
{
	set_challenge(b, r, "Digest realm=\"" FAKE_BSF_FQDN "\", nonce=\"NONCE\", algorithm=AKAv1-MD5, qop=\"auth\", opaque=\"5ccc069c403ebaf9\"");
}
static void
tw_no_qop(struct fake_bsf *b, struct fake_reply *r)
{
	set_challenge(b, r, "Digest realm=\"" FAKE_BSF_FQDN "\", nonce=\"NONCE\", algorithm=AKAv1-MD5");
}
static void tw_no_info(struct fake_bsf *b, struct fake_reply *r) { (void)b; fake_header_drop(r, "Authentication-Info"); }
static void tw_info_empty(struct fake_bsf *b, struct fake_reply *r) { (void)b; fake_header(r, "Authentication-Info", "qop=auth-int"); }
static void tw_info_broken(struct fake_bsf *b, struct fake_reply *r) { (void)b; fake_header(r, "Authentication-Info", "rspauth=\"00"); }
static void
tw_info_wrong(struct fake_bsf *b, struct fake_reply *r)
{
	(void)b;
	fake_header(r, "Authentication-Info", "qop=auth-int, rspauth=\"00112233445566778899aabbccddeeff\"");
}
static void
tw_info_nc(struct fake_bsf *b, struct fake_reply *r)
{
	(void)b;
	for (size_t i = 0; i < r->n; i++) {
		char *nc = strstr(r->h[i].value, "nc=00000001");

		if (nc != NULL)
			nc[10] = '2';
	}
}
static void tw_body_changed(struct fake_bsf *b, struct fake_reply *r) { (void)b; strcat(r->body, " "); }
static void tw_body_empty(struct fake_bsf *b, struct fake_reply *r) { r->body[0] = '\0'; fake_prove(b, r); }
static void
tw_body_ns(struct fake_bsf *b, struct fake_reply *r)
{
	(void)snprintf(r->body, sizeof r->body, "<BootstrappingInfo xmlns=\"urn:x\"><btid>%s</btid>"
	    "<lifetime>2031-01-01T00:00:00Z</lifetime></BootstrappingInfo>", b->btid.s);
	fake_prove(b, r);
}
static void
tw_no_btid(struct fake_bsf *b, struct fake_reply *r)
{
	(void)snprintf(r->body, sizeof r->body, "<BootstrappingInfo xmlns=\"uri:3gpp-gba\">"
	    "<lifetime>2031-01-01T00:00:00Z</lifetime></BootstrappingInfo>");
	fake_prove(b, r);
}
static void
tw_bad_btid(struct fake_bsf *b, struct fake_reply *r)
{
	fake_info(b, r, "no at sign", NOW + 3600, "");
	fake_prove(b, r);
}
static void
tw_bad_lifetime(struct fake_bsf *b, struct fake_reply *r)
{
	(void)snprintf(r->body, sizeof r->body, "<BootstrappingInfo xmlns=\"uri:3gpp-gba\"><btid>%s</btid>"
	    "<lifetime>tomorrow</lifetime></BootstrappingInfo>", b->btid.s);
	fake_prove(b, r);
}
static void tw_opaque_btid(struct fake_bsf *b, struct fake_reply *r) { fake_info(b, r, "3f2a@" FAKE_BSF_FQDN, NOW + 3600, ""); fake_prove(b, r); }
static void
tw_other_btid(struct fake_bsf *b, struct fake_reply *r)
{
	fake_info(b, r, "AAAAAAAAAAAAAAAAAAAAAA==@" FAKE_BSF_FQDN, NOW + 3600, "");
	fake_prove(b, r);
}
static void tw_past(struct fake_bsf *b, struct fake_reply *r) { fake_info(b, r, b->btid.s, NOW - 1, ""); fake_prove(b, r); }
static void tw_now(struct fake_bsf *b, struct fake_reply *r) { fake_info(b, r, b->btid.s, NOW, ""); fake_prove(b, r); }
static void tw_short(struct fake_bsf *b, struct fake_reply *r) { fake_info(b, r, b->btid.s, NOW + 60, ""); fake_prove(b, r); }

static const struct {
	const char *name;
	int request;
	void (*twist)(struct fake_bsf *b, struct fake_reply *r);
	enum reason why;
} wrong[] = {
	{ "no answer", 1, tw_down, REASON_BSF_UNREACHABLE },
	{ "no answer later", 2, tw_down, REASON_BSF_UNREACHABLE },
	{ "503", 1, tw_503, REASON_BSF_BUSY },
	{ "503 later", 2, tw_503, REASON_BSF_BUSY },
	{ "500", 1, tw_500, REASON_BSF_STATUS },
	{ "302", 1, tw_302, REASON_BSF_STATUS },
	{ "403", 1, tw_403, REASON_BSF_REFUSED },
	{ "404", 1, tw_404, REASON_BSF_REFUSED },
	{ "200 without a challenge", 1, tw_200, REASON_BSF_NO_CHALLENGE },
	{ "403 to the response", 2, tw_403, REASON_BSF_RESPONSE },
	{ "401 to the response", 2, tw_401, REASON_BSF_RESPONSE },
	{ "no WWW-Authenticate", 1, tw_no_www, REASON_BSF_NO_CHALLENGE },
	{ "Basic", 1, tw_basic, REASON_BSF_NO_CHALLENGE },
	{ "malformed WWW-Authenticate", 1, tw_broken, REASON_BSF_CHALLENGE },
	{ "realm of another", 1, tw_realm, REASON_BSF_REALM },
	{ "no realm", 1, tw_no_realm, REASON_BSF_REALM },
	{ "nonce of 16 octets", 1, tw_short_nonce, REASON_BSF_CHALLENGE },
	{ "no nonce", 1, tw_no_nonce, REASON_BSF_CHALLENGE },
	{ "MD5", 1, tw_md5, REASON_BSF_CHALLENGE },
	{ "no algorithm", 1, tw_no_algorithm, REASON_BSF_CHALLENGE },
	{ "qop auth alone", 1, tw_qop_auth, REASON_BSF_CHALLENGE },
	{ "no qop", 1, tw_no_qop, REASON_BSF_CHALLENGE },
	{ "no Authentication-Info", 2, tw_no_info, REASON_BSF_NO_INFO },
	{ "Authentication-Info without rspauth", 2, tw_info_empty, REASON_BSF_NO_INFO },
	{ "malformed Authentication-Info", 2, tw_info_broken, REASON_BSF_NO_INFO },
	{ "wrong rspauth", 2, tw_info_wrong, REASON_BSF_RSPAUTH },
	{ "nc not ours", 2, tw_info_nc, REASON_BSF_RSPAUTH },
	{ "body changed by one blank", 2, tw_body_changed, REASON_BSF_RSPAUTH },
	{ "no body", 2, tw_body_empty, REASON_BSF_BODY },
	{ "another namespace", 2, tw_body_ns, REASON_BSF_BODY },
	{ "no btid", 2, tw_no_btid, REASON_BSF_BODY },
	{ "no B-TID's form", 2, tw_bad_btid, REASON_BSF_BODY },
	{ "lifetime no dateTime", 2, tw_bad_lifetime, REASON_BSF_BODY },
	{ "opaque B-TID", 2, tw_opaque_btid, REASON_BSF_BTID },
	{ "B-TID of another RAND", 2, tw_other_btid, REASON_BSF_BTID },
	{ "lifetime over", 2, tw_past, REASON_BSF_LIFETIME },
	{ "lifetime ends now", 2, tw_now, REASON_BSF_LIFETIME },
	{ "lifetime as short as ks_min_left", 2, tw_short, REASON_BSF_LIFETIME },
};
static int wrong_now;

static void
twist_wrong(struct fake_bsf *b, int n, struct fake_reply *r)
{
	if (n == wrong[wrong_now].request)
		wrong[wrong_now].twist(b, r);
}

START_TEST(each_refusal)
{
	wrong_now = _i;
	bsf.twist = twist_wrong;
	go();
	ck_assert_msg(got.n == 1 && got.r.why == wrong[_i].why, "%s: %s (%s)", wrong[_i].name, reason_get(got.r.why)->code, got.r.detail);
	ck_assert_ptr_null(got.ks);
	ck_assert_int_eq(bsf.requests, wrong[_i].request);
	ck_assert(got.r.challenged == (wrong[_i].request == 2));
	if (wrong[_i].why == REASON_BSF_BUSY)
		ck_assert_int_eq(got.r.retry_after_s, 17);
	ck_assert_str_eq(reason_get(got.r.why)->local, "bootstrap-failed");
}
END_TEST

/* --- each tolerance alone lets pass what it names */

static void
tolerated(unsigned tolerate, void (*twist)(struct fake_bsf *b, struct fake_reply *r), int request)
{
	for (int i = 0; i < TABLE_N(wrong); i++) {
		if (wrong[i].twist == twist && wrong[i].request == request)
			wrong_now = i;
	}
	conf.tolerate = tolerate;
	bsf.twist = twist_wrong;
	go();
	expect(REASON_NONE);
}

START_TEST(tolerate_no_info)
{
	tolerated(MT_TOLERATE_NO_INFO, tw_no_info, 2);
}
END_TEST

START_TEST(tolerate_no_info_but_not_a_wrong_one)
{
	wrong_now = 0;
	while (wrong[wrong_now].twist != tw_info_wrong)
		wrong_now++;
	conf.tolerate = MT_TOLERATE_NO_INFO;
	bsf.twist = twist_wrong;
	go();
	expect(REASON_BSF_RSPAUTH);
}
END_TEST

START_TEST(tolerate_opaque_btid)
{
	tolerated(MT_TOLERATE_OPAQUE_BTID, tw_opaque_btid, 2);
	ck_assert_str_eq(got.r.ks.btid.s, "3f2a@" FAKE_BSF_FQDN);
}
END_TEST

START_TEST(tolerate_qop_auth)
{
	tolerated(MT_TOLERATE_QOP_AUTH, tw_qop_auth, 1);
	ck_assert_ptr_nonnull(strstr(bsf.last_authorization, "qop=auth,"));
}
END_TEST

/* --- odds */

static void
stale_once(struct fake_bsf *b, int n, struct fake_reply *r)
{
	if (n == 2) {
		char *www;

		fake_header_drop(r, "Authentication-Info");
		r->body[0] = '\0';
		fake_challenge(b, r);
		for (size_t i = 0; i < r->n; i++) {
			if (strcmp(r->h[i].name, "WWW-Authenticate") == 0) {
				www = r->h[i].value;
				strcat(www, ", stale=true");
			}
		}
	}
}

START_TEST(stale_nonce_is_tried_again)
{
	bsf.twist = stale_once;
	go();
	expect(REASON_NONE);
	ck_assert_int_eq(bsf.requests, 3);
}
END_TEST

static void
stale_always(struct fake_bsf *b, int n, struct fake_reply *r)
{
	if (n >= 2)
		stale_once(b, 2, r);
}

START_TEST(stale_nonce_once)
{
	bsf.twist = stale_always;
	go();
	expect(REASON_BSF_RESPONSE);
	ck_assert_int_eq(bsf.requests, 3);
}
END_TEST

static void
with_currenttime(struct fake_bsf *b, int n, struct fake_reply *r)
{
	if (n == 2) {		/* their clock is a day behind */
		fake_info(b, r, b->btid.s, NOW - 86400 + 1800, "<Extension><currenttime>2030-03-16T17:46:40.5Z</currenttime><x>y</x></Extension>");
		fake_prove(b, r);
	}
}

START_TEST(currenttime_where_our_clock_is_not_trusted)
{
	bsf.twist = with_currenttime;
	conf.use_currenttime = true;
	go();
	expect(REASON_NONE);
	ck_assert_int_eq(got.r.ks.expires, NOW + 1800);
}
END_TEST

START_TEST(currenttime_is_not_looked_at_otherwise)
{
	bsf.twist = with_currenttime;
	go();
	expect(REASON_BSF_LIFETIME);
}
END_TEST

static void
second_challenge(struct fake_bsf *b, int n, struct fake_reply *r)
{
	if (n == 1) {
		(void)b;
		ck_assert_uint_lt(r->n, 8);
		memmove(&r->h[1], &r->h[0], r->n * sizeof r->h[0]);
		r->n++;
		(void)snprintf(r->h[0].name, sizeof r->h[0].name, "www-authenticate");
		(void)snprintf(r->h[0].value, sizeof r->h[0].value, "Digest realm=\"x\", nonce=\"abc\", algorithm=MD5");
	}
}

START_TEST(the_aka_challenge_among_several)
{
	bsf.twist = second_challenge;
	go();
	expect(REASON_NONE);
}
END_TEST

/* S: a log names identifiers and never a key, a RES or an Authorization header. */
static char logged[1 << 16];
static void
on_log(enum log_level level, const char *line, void *arg)
{
	size_t n = strlen(logged);

	(void)level;
	(void)arg;
	(void)snprintf(logged + n, sizeof logged - n, "%s\n", line);
}

START_TEST(log_names_identifiers_alone)
{
	struct digest d;

	logged[0] = '\0';
	log_set_level(LOG_LEVEL_DEBUG);
	log_capture(on_log, NULL);
	card.wrong_macs = 1;
	go();
	log_capture(NULL, NULL);
	expect(REASON_NONE);
	ck_ok(digest_parse_authorization(span_str(bsf.last_authorization), &d));
	ck_assert_ptr_nonnull(strstr(logged, IMPI));
	ck_assert_ptr_nonnull(strstr(logged, bsf.btid.s));
	ck_assert_ptr_null(strstr(logged, d.response));
	ck_assert_ptr_null(strstr(logged, d.cnonce));
	ck_assert_ptr_null(strstr(logged, "Digest"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/ub");
	TCase *t = tcase_create("ub");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, right_run);
	tcase_add_test(t, what_is_sent);
	tcase_add_test(t, url_and_dial);
	tcase_add_test(t, url_that_is_none);
	tcase_add_test(t, akav2);
	tcase_add_test(t, akav2_to_a_card_that_keeps_its_keys);
	tcase_add_test(t, tmpi_used_and_replaced);
	tcase_add_test(t, tmpi_unknown_then_impi);
	tcase_add_test(t, tmpi_of_another_then_impi);
	tcase_add_test(t, no_tmpi_token);
	tcase_add_test(t, no_tmpi_token_of_ours);
	tcase_add_test(t, resynchronisation);
	tcase_add_test(t, one_resynchronisation_alone);
	tcase_add_test(t, mac_wrong_once);
	tcase_add_test(t, mac_wrong_twice);
	tcase_add_test(t, mac_wrong_under_the_tmpi_and_the_impi);
	tcase_add_test(t, card_fails);
	tcase_add_test(t, card_gone);
	tcase_add_test(t, card_silent);
	tcase_add_loop_test(t, cancelled_anywhere, 0, 3);
	tcase_add_loop_test(t, each_refusal, 0, TABLE_N(wrong));
	tcase_add_test(t, tolerate_no_info);
	tcase_add_test(t, tolerate_no_info_but_not_a_wrong_one);
	tcase_add_test(t, tolerate_opaque_btid);
	tcase_add_test(t, tolerate_qop_auth);
	tcase_add_test(t, stale_nonce_is_tried_again);
	tcase_add_test(t, stale_nonce_once);
	tcase_add_test(t, currenttime_where_our_clock_is_not_trusted);
	tcase_add_test(t, currenttime_is_not_looked_at_otherwise);
	tcase_add_test(t, the_aka_challenge_among_several);
	tcase_add_test(t, log_names_identifiers_alone);
	suite_add_tcase(s, t);
	return unit_run(s);
}
