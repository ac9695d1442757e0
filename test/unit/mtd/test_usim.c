/* What the MT asks of a USIM, against the software card in its reader (C1), on a virtual clock. */
#include "mtd/usim.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sqn.h"
#include "mtd/uicc.h"
#include "mtd/uicc_soft.h"
#include "test/unit/mtd/card_fixture.h"

static json_t *doc;
static struct clock *clk;
static struct mt_uicc *u;
static struct mt_usim *usim;
static struct mt_card_image image;
static struct mt_usim_conf conf;
static char log_text_seen[4096];

/* What came back. */
static struct {
	int n;
	enum reason why;
	struct mt_usim_info info;
	struct mt_usim_auth auth;
	bool eject, again;
} got;

static void
on_line(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	strncat(log_text_seen, line, sizeof log_text_seen - strlen(log_text_seen) - 2);
	strcat(log_text_seen, "\n");
}

static void
insert(void)
{
	ck_ok(mt_uicc_soft_insert_image(u, &image, NULL));
}

static void
usim_again(void)
{
	mt_usim_free(usim);
	ck_ok(mt_usim_new(u, &conf, &usim));
}

static void
setup(void)
{
	log_capture(on_line, NULL);
	log_text_seen[0] = '\0';
	memset(&got, 0, sizeof got);
	memset(&conf, 0, sizeof conf);
	doc = vectors_load();
	image = card_image_of_set(doc, 0);
	ck_ok(clock_new_virtual(1, &clk));
	ck_ok(mt_uicc_soft_new(clk, rnd_system(), &u));
	usim = NULL;
	usim_again();
}

static void
teardown(void)
{
	mt_usim_free(usim);
	mt_uicc_free(u);
	clock_free(clk);
	mt_card_image_clear(&image);
	secret_free(got.auth.res);
	secret_free(got.auth.ck);
	secret_free(got.auth.ik);
	json_decref(doc);
}

static void
on_open(void *arg, enum reason why, const struct mt_usim_info *info)
{
	struct mt_usim_op *op;

	ck_assert_ptr_eq(arg, &got);
	got.n++;
	got.why = why;
	ck_assert_ptr_nonnull(info);
	ck_assert(why == REASON_NONE || info->app[MT_APP_USIM].aid_len == 0);
	got.info = *info;
	if (got.again) {		/* the next question out of the answer */
		got.again = false;
		ck_ok(mt_usim_open(usim, on_open, &got, &op));
	}
}

static void
on_auth(void *arg, struct mt_usim_auth *a)
{
	ck_assert_ptr_eq(arg, &got);
	got.n++;
	secret_free(got.auth.res);
	secret_free(got.auth.ck);
	secret_free(got.auth.ik);
	got.auth = *a;
}

static void
open_card(void)
{
	struct mt_usim_op *op;
	int n = got.n;

	ck_ok(mt_usim_open(usim, on_open, &got, &op));
	ck_assert_int_eq(got.n, n);	/* never inside the call */
	clock_advance(clk, 0);
	ck_assert_int_eq(got.n, n + 1);
}

static void
authenticate(const uint8_t *rand, const uint8_t *autn)
{
	struct mt_usim_op *op;
	int n = got.n;

	ck_ok(mt_usim_authenticate(usim, &got.info, &(struct mt_usim_challenge){ MT_APP_USIM, false, rand, autn }, on_auth, &got, &op));
	ck_assert_int_eq(got.n, n);
	clock_advance(clk, 0);
	ck_assert_int_eq(got.n, n + 1);
}

static void
challenge(uint64_t seq, struct aka_vector *v)
{
	static const uint8_t amf[2] = { 0x80, 0x00 };
	uint8_t rand[16];

	ck_ok(rnd_bytes(rnd_system(), rand, sizeof rand));
	ck_ok(aka_make(image.k, image.opc, rand, seq << SQN_IND_BITS, amf, v));
}

START_TEST(open_tells_who_it_is)
{
	image.t0 = _i == 1;		/* with and without 61xx */
	card_serve(&image.app[MT_CARD_USIM], MT_SERVICE_GBA);
	insert();
	open_card();
	ck_assert_int_eq(got.why, REASON_NONE);
	ck_assert_str_eq(got.info.iccid.s, vec_str(doc, "computed.usim.iccid"));
	ck_assert_str_eq(got.info.imsi.s, vec_str(doc, "computed.base.imsi"));
	ck_assert_str_eq(got.info.app[MT_APP_USIM].impi.s, vec_str(doc, "computed.base.impi"));
	ck_assert_uint_eq(got.info.mnc_len, 2);
	ck_assert_uint_eq(got.info.app[MT_APP_USIM].aid_len, 16);
	ck_assert_mem_eq(got.info.app[MT_APP_USIM].aid, image.app[MT_CARD_USIM].aid, 16);
	ck_assert(got.info.app[MT_APP_USIM].gba && !got.info.app[MT_APP_USIM].local_key);
	ck_assert_uint_eq(got.info.generation, 1);
	ck_assert_str_eq(log_text_seen, "");
}
END_TEST

START_TEST(services)
{
	card_serve(&image.app[MT_CARD_USIM], MT_SERVICE_LOCAL_KEY);
	insert();
	open_card();
	ck_assert(!got.info.app[MT_APP_USIM].gba && !got.info.app[MT_APP_USIM].local_key);	/* 76 only with 68 */
	mt_uicc_soft_eject(u);
	card_serve(&image.app[MT_CARD_USIM], MT_SERVICE_GBA);
	insert();
	open_card();
	ck_assert(got.info.app[MT_APP_USIM].gba && got.info.app[MT_APP_USIM].local_key);
	ck_assert_uint_eq(got.info.generation, 2);
}
END_TEST

START_TEST(authenticate_gives_res_ck_ik)
{
	struct aka_vector v;

	image.t0 = _i == 1;
	insert();
	open_card();
	challenge(1, &v);
	authenticate(v.rand, v.autn);
	ck_assert_int_eq(got.auth.verdict, MT_USIM_OK);
	ck_assert_int_eq(got.auth.why, REASON_NONE);
	ck_assert(secret_eq(got.auth.res, v.xres) && secret_eq(got.auth.ck, v.ck) && secret_eq(got.auth.ik, v.ik));
	aka_vector_clear(&v);
}
END_TEST

START_TEST(authenticate_gives_auts)
{
	struct aka_vector v;
	uint64_t ms;

	insert();
	open_card();
	challenge(7, &v);
	authenticate(v.rand, v.autn);
	authenticate(v.rand, v.autn);		/* replayed */
	ck_assert_int_eq(got.auth.verdict, MT_USIM_SYNC);
	ck_assert_ptr_null(got.auth.res);
	ck_ok(aka_check_auts(image.k, image.opc, v.rand, got.auth.auts, &ms));
	ck_assert_uint_eq(ms, 7 << SQN_IND_BITS);
	v.autn[8] ^= 1;
	authenticate(v.rand, v.autn);
	ck_assert_int_eq(got.auth.verdict, MT_USIM_MAC);
	ck_assert_int_eq(got.auth.why, REASON_CARD_MAC);
	aka_vector_clear(&v);
}
END_TEST

START_TEST(c1_no_card)
{
	open_card();
	ck_assert_int_eq(got.why, REASON_CARD_NONE);
	ck_assert_ptr_nonnull(strstr(log_text_seen, "reason=card-none"));
}
END_TEST

/* A timer that fires between all others of this instant, until so many APDUs were sent. */
static struct {
	struct clock_timer *t;
	uint64_t apdus;
	void (*then)(void);
} watch;

static void
on_watch(void *arg)
{
	(void)arg;
	if (mt_uicc_apdus(u) < watch.apdus) {
		clock_timer_set(watch.t, 0);
		return;
	}
	watch.then();
}

static void
when_sent(uint64_t apdus, void (*then)(void))
{
	watch.apdus = apdus;
	watch.then = then;
	ck_ok(clock_timer_new(clk, on_watch, NULL, &watch.t));
	clock_timer_set(watch.t, 0);
	clock_advance(clk, 0);
	ck_assert_uint_ge(mt_uicc_apdus(u), apdus);
	clock_timer_free(watch.t);
}

static void
change_card(void)
{
	mt_uicc_soft_eject(u);
	insert();		/* at once another one in */
}

/* Pulled before the n-th APDU is answered. */
START_TEST(c1_pulled_on_the_way)
{
	struct mt_usim_op *op;

	insert();
	ck_ok(mt_usim_open(usim, on_open, &got, &op));
	when_sent((uint64_t)_i + 1, change_card);
	ck_assert_int_eq(got.n, 1);
	ck_assert_int_eq(got.why, REASON_CARD_NONE);
	open_card();
	ck_assert_int_eq(got.why, REASON_NONE);
}
END_TEST

START_TEST(another_card_is_not_asked)
{
	struct aka_vector v;
	uint64_t apdus;

	insert();
	open_card();
	mt_uicc_soft_eject(u);
	insert();
	apdus = mt_uicc_apdus(u);
	challenge(1, &v);
	authenticate(v.rand, v.autn);
	ck_assert_int_eq(got.auth.verdict, MT_USIM_FAILED);
	ck_assert_int_eq(got.auth.why, REASON_CARD_CHANGED);
	ck_assert_uint_eq(mt_uicc_apdus(u), apdus);
	aka_vector_clear(&v);
}
END_TEST

START_TEST(pin_is_given_when_the_card_asks)
{
	struct aka_vector v;

	strcpy(image.pin, "1234");
	strcpy(conf.pin, "1234");
	usim_again();
	insert();
	open_card();
	ck_assert_int_eq(got.why, REASON_NONE);
	ck_assert_str_eq(got.info.imsi.s, vec_str(doc, "computed.base.imsi"));
	challenge(1, &v);
	authenticate(v.rand, v.autn);
	ck_assert_int_eq(got.auth.verdict, MT_USIM_OK);
	aka_vector_clear(&v);
	ck_assert_ptr_null(strstr(log_text_seen, "1234"));
}
END_TEST

START_TEST(no_pin_configured)
{
	strcpy(image.pin, "1234");
	insert();
	open_card();
	ck_assert_int_eq(got.why, REASON_CARD_PIN_NEEDED);
}
END_TEST

/* A wrong PIN costs one try, whatever is asked afterwards, and by whomever: also after a restart of the MT. */
START_TEST(a_wrong_pin_is_tried_once)
{
	strcpy(image.pin, "1234");
	strcpy(conf.pin, "4321");
	usim_again();
	insert();
	open_card();
	ck_assert_int_eq(got.why, REASON_CARD_PIN_WRONG);
	for (int i = 0; i < 5; i++) {
		open_card();
		ck_assert_int_eq(got.why, REASON_CARD_PIN_TRIES);
		usim_again();
	}
	/* nor is the right one: a try was lost, somebody must look */
	strcpy(conf.pin, "1234");
	usim_again();
	open_card();
	ck_assert_int_eq(got.why, REASON_CARD_PIN_TRIES);
	ck_assert_ptr_null(strstr(log_text_seen, "4321"));
}
END_TEST

static struct mt_usim_op *a, *b;

static void
cancel_two(void)
{
	ck_assert_int_eq(got.n, 0);
	mt_usim_cancel(a);		/* under way */
	mt_usim_cancel(b);		/* waiting */
}

START_TEST(questions_queue_and_can_be_cancelled)
{
	struct mt_usim_op *c;

	insert();
	ck_ok(mt_usim_open(usim, on_open, &got, &a));
	ck_ok(mt_usim_open(usim, on_open, &got, &b));
	ck_ok(mt_usim_open(usim, on_open, &got, &c));
	when_sent(3, cancel_two);
	ck_assert_int_eq(got.n, 1);
	ck_assert_int_eq(got.why, REASON_NONE);
	mt_usim_cancel(NULL);
	got.again = true;
	ck_ok(mt_usim_open(usim, on_open, &got, &a));
	clock_advance(clk, 0);
	ck_assert_int_eq(got.n, 3);
	ck_ok(mt_usim_open(usim, on_open, &got, &a));
	mt_usim_free(usim);		/* with a question open */
	usim = NULL;
	clock_advance(clk, 0);
	ck_assert_int_eq(got.n, 3);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("usim");
	TCase *t = tcase_create("usim");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, open_tells_who_it_is, 0, 2);
	tcase_add_test(t, services);
	tcase_add_loop_test(t, authenticate_gives_res_ck_ik, 0, 2);
	tcase_add_test(t, authenticate_gives_auts);
	tcase_add_test(t, c1_no_card);
	tcase_add_loop_test(t, c1_pulled_on_the_way, 0, 12);
	tcase_add_test(t, another_card_is_not_asked);
	tcase_add_test(t, pin_is_given_when_the_card_asks);
	tcase_add_test(t, no_pin_configured);
	tcase_add_test(t, a_wrong_pin_is_tried_once);
	tcase_add_test(t, questions_queue_and_can_be_cancelled);
	suite_add_tcase(s, t);
	return unit_run(s);
}
