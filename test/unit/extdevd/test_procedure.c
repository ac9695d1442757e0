/* procedure and local: who asks, who joins, several MTs, renew, start, stop, and the link's life. */
#include "common/link_impl.h"
#include "test/unit/extdevd/rig.h"

static struct rig_done d, d2, d3;

static void
setup_unstarted(void)
{
	rig_new();
}

static void
start_with_mt(void)
{
	rig_mt_up(&rig.mt, "unix:/mt", MT1);
	rig_start();
}

/* --- one at a time; later askers join */

START_TEST(later_askers_join)
{
	rig_ask(&d, false, false);
	rig_info(NULL);
	rig_ask(&d2, false, false);
	rig_derive(NULL, B1);
	rig_ask(&d3, true, false);
	rig_naf_key(7, 3600);
	rig_complete(B1, 7);
	rig_is_done(&d, 1, B1);
	rig_is_done(&d2, 1, B1);
	rig_is_done(&d3, 1, B1);
	ck_assert_str_eq(d.r.run.s, d2.r.run.s);
	ck_assert_int_eq(rig.n_requests, 1);
	rig_got_nothing();
}
END_TEST

/* Who wants a new bootstrapping is not served by one that runs without. */
START_TEST(K9_new_is_served_after_the_one_under_way)
{
	rig_ask(&d, false, false);
	rig_info(B1);
	rig_ask(&d2, false, true);
	rig_derive(B1, B1);
	rig_naf_key(7, 3600);
	rig_complete(B1, 7);
	rig_is_done(&d, 2, B1);
	ck_assert_int_eq(d2.n, 0);
	rig_info(B1);
	rig_derive(NULL, B2);
	rig_naf_key(8, 3600);
	rig_complete(B2, 8);
	rig_is_done(&d2, 1, B2);
}
END_TEST

START_TEST(a_failure_is_everybodys)
{
	rig_ask(&d, false, false);
	rig_ask(&d2, true, false);
	rig_refuse(rig_got("info"), REASON_LOCAL_REFUSED, 0);
	rig_has_failed(&d, REASON_LOCAL_REFUSED);
	rig_has_failed(&d2, REASON_LOCAL_REFUSED);
}
END_TEST

/* A request that a kill left pending is not forgotten because the key that is there does for whoever asks next. */
START_TEST(N6_a_pending_request_outlives_a_reuse)
{
	rig_scenario1(&d, B1, 7);
	rig_ask(&d2, false, true);
	rig_info(B1);
	rig_derive(NULL, B2);
	rig_restart();
	ck_assert(rig_pending());
	if (_i == 0) {			/* somebody asks, and is served by the old key */
		rig_naf_silent(REASON_HTTP_UNREACHABLE);
		rig_ask(&d, false, false);
		rig_is_done(&d, 0, B1);
		rig_advance(31 * 1000);
	}
	rig_naf_key(8, 3600);
	rig_complete(B2, 8);
	ck_assert(!rig_pending());
	ck_assert_int_eq(rig_keys().all, 1);
	ck_assert_str_eq(rig_keys().btids[0], B2);
}
END_TEST

/* --- K1 */

static void
naf(struct extdev_want *w, struct naf_id *id, const char *text)
{
	ck_ok(naf_id_parse(span_str(text), id));
	*w = (struct extdev_want){ .naf = id };
}

START_TEST(K1_the_asker_chooses)
{
	struct extdev_want w;
	struct naf_id id;

	naf(&w, &id, NAF2);
	memset(&d, 0, sizeof d);
	extdev_establish(rig.e, &w, rig_on_done, NULL, &d);
	rig_info(NULL);
	ck_assert_str_eq(rig_member(rig_got("derive"), "naf_id"), NAF2);
	rig_derive(NULL, B1);
	ck_assert_str_eq(rig_flight()->url, "https://other.example.org/keycentre/v1/key-request");
	rig_naf_key(7, 3600);
	rig_complete(B1, 7);
	rig_is_done(&d, 1, B1);
	/* that key will not do for another Key Center */
	naf(&w, &id, NAF1);
	memset(&d, 0, sizeof d);
	extdev_establish(rig.e, &w, rig_on_done, NULL, &d);
	rig_info(B1);
	rig_refuse(rig_got("derive"), REASON_LOCAL_REFUSED, 0);
	rig_has_failed(&d, REASON_LOCAL_REFUSED);
	naf(&w, &id, NAF2);
	memset(&d, 0, sizeof d);
	extdev_establish(rig.e, &w, rig_on_done, NULL, &d);
	rig_run();
	rig_is_done(&d, 0, B1);
}
END_TEST

/* A NAF_ID that is not ours is never dialled, whoever names it. */
START_TEST(K1_a_stranger_is_not_dialled)
{
	struct extdev_want w;
	struct naf_id id;

	naf(&w, &id, "evil.example.org/0100000002");
	memset(&d, 0, sizeof d);
	extdev_establish(rig.e, &w, rig_on_done, NULL, &d);
	rig_run();
	rig_has_failed(&d, REASON_EXT_NO_COMMON_NAF);
	rig_ask(&d, false, false);
	rig_answer(rig_got("info"), json_pack("{s:[s, s]}", "naf_ids", "evil.example.org/0100000002", "nafkc.example.org/0100000003"));
	rig_has_failed(&d, REASON_EXT_NO_COMMON_NAF);
	ck_assert_ptr_nonnull(strstr(d.detail, "evil.example.org/0100000002"));	/* both lists */
	ck_assert_ptr_nonnull(strstr(d.detail, "nafkc.example.org/0100000003"));
	ck_assert_ptr_nonnull(strstr(d.detail, NAF1));
	ck_assert_ptr_nonnull(strstr(d.detail, NAF2));
	ck_assert_int_eq(rig.n_requests, 0);
	rig_got_nothing();
}
END_TEST

START_TEST(K1_an_empty_list_our_first)
{
	rig_ask(&d, false, false);
	rig_answer(rig_got("info"), NULL);
	ck_assert_str_eq(rig_member(rig_got("derive"), "naf_id"), NAF1);
	rig_refuse(rig_got("derive"), REASON_LOCAL_NAF_NOT_OFFERED, 0);
	rig_has_failed(&d, REASON_LOCAL_NAF_NOT_OFFERED);
}
END_TEST

START_TEST(K1_dial_and_url_of_the_configuration)
{
	rig.centers[0].dial = "127.0.0.1:8443";
	rig.centers[0].url = "https://nafkc.example.org/elsewhere";
	start_with_mt();
	rig_ask(&d, false, false);
	rig_info(NULL);
	rig_derive(NULL, B1);
	ck_assert_str_eq(rig_flight()->url, "https://nafkc.example.org/elsewhere");
	ck_assert_str_eq(rig_flight()->dial, "127.0.0.1:8443");
	rig_naf_error(403, "refused", NULL);
}
END_TEST

/* --- W2, K5: Device_IDs */

START_TEST(W2_random_made_once_and_kept)
{
	char id[DEVICE_ID_MAX + 1];

	rig.conf.id_kind = EXTDEV_ID_RANDOM;
	start_with_mt();
	ck_assert_str_eq(json_string_value(json_object_get(rig.mt.hello, "device_id_kind")), "random");
	rig_ask(&d, false, false);
	(void)snprintf(id, sizeof id, "%s", rig_member(rig_got("info"), "device_id"));
	ck_assert_int_eq(strncmp(id, "urn:uuid:", 9), 0);
	rig_info(NULL);
	ck_assert_str_eq(rig_member(rig_got("derive"), "device_id"), id);
	rig_restart();
	rig_ask(&d, false, false);
	ck_assert_str_eq(rig_member(rig_got("info"), "device_id"), id);
}
END_TEST

/* A new one per establishment, the same over its runs; each key keeps the one it was made with. */
START_TEST(K5_random_each)
{
	char first[DEVICE_ID_MAX + 1];

	rig.conf.id_kind = EXTDEV_ID_RANDOM_EACH;
	start_with_mt();
	rig_ask(&d, false, false);
	(void)snprintf(first, sizeof first, "%s", rig_member(rig_got("info"), "device_id"));
	rig_info(B1);
	rig_refuse(rig_got("derive"), REASON_LOCAL_STALE_BTID, 0);
	ck_assert_str_eq(rig_member(rig_got("info"), "device_id"), first);
	rig_info(NULL);
	rig_derive(NULL, B2);
	ck_assert_str_eq(rig_flight()->asked.device_id.s, first);
	rig_naf_key(7, 3600);
	rig_complete(B2, 7);
	rig_is_done(&d, 1, B2);
	ck_assert_str_eq(d.r.triple.device_id.s, first);
	rig_ask(&d2, false, true);
	ck_assert_str_ne(rig_member(rig_got("info"), "device_id"), first);
	rig_ask(&d, false, false);
	rig_is_done(&d, 0, B2);		/* K9: need not wait, its key is there */
	ck_assert_str_eq(d.r.triple.device_id.s, first);
	rig_info(B2);
	rig_refuse(rig_got("derive"), REASON_LOCAL_REFUSED, 0);
	rig_has_failed(&d2, REASON_LOCAL_REFUSED);
}
END_TEST

/* --- U4: renew */

START_TEST(U4_renew_is_answered_before_it_begins)
{
	rig_scenario1(&d, B1, 7);
	rig_mt_asks("renew");
	ck_assert_int_eq(rig.mt.answers, 1);
	ck_assert_int_eq(rig.mt.why, REASON_NONE);
	rig_info(B1);
	rig_derive(NULL, B2);		/* K9: renewal bootstraps anew */
	rig_naf_key(8, 3600);
	rig_complete(B2, 8);
	ck_assert_str_eq(rig_keys().btids[0], B2);
	ck_assert_int_eq(rig_keys().all, 1);
}
END_TEST

START_TEST(U4_a_second_renew_changes_nothing)
{
	rig_mt_asks("renew");
	rig_mt_asks("renew");
	ck_assert_int_eq(rig.mt.answers, 2);
	ck_assert_int_eq(rig.mt.why, REASON_NONE);
	rig_info(NULL);
	rig_mt_asks("renew");
	rig_derive(NULL, B1);
	rig_naf_key(7, 3600);
	rig_mt_asks("renew");
	rig_complete(B1, 7);
	ck_assert_int_eq(rig.mt.answers, 4);
	rig_got_nothing();
	ck_assert_int_eq(rig.n_requests, 1);
}
END_TEST

/* An establishment that somebody asked for goes on as it is. */
START_TEST(U4_renew_during_another_establishment)
{
	rig_ask(&d, false, false);
	rig_info(B1);
	rig_mt_asks("renew");
	rig_derive(B1, B1);
	rig_naf_key(7, 3600);
	rig_complete(B1, 7);
	rig_is_done(&d, 2, B1);
	rig_got_nothing();
}
END_TEST

/* What we began by ourselves is tried again where waiting helps, with growing pauses, and not where it does not. */
START_TEST(U4_renew_that_fails)
{
	rig_mt_asks("renew");
	rig_refuse(rig_got("info"), REASON_LOCAL_BUSY, 100);
	rig_advance(99500);
	rig_got_nothing();
	rig_advance(500);
	rig_refuse(rig_got("info"), REASON_LOCAL_BUSY, 0);
	rig_advance(199500);
	rig_got_nothing();
	rig_advance(500);
	rig_refuse(rig_got("info"), REASON_LOCAL_REFUSED, 0);
	rig_advance(3600000);
	rig_got_nothing();
}
END_TEST

/* --- at start */

START_TEST(establish_at_start)
{
	rig.conf.at_start = true;
	start_with_mt();
	rig_info(NULL);
	rig_derive(NULL, B1);
	rig_naf_key(7, 3600);
	rig_complete(B1, 7);
	rig_restart();
	rig_got_nothing();		/* a key is there */
	ck_assert_int_eq(rig_keys().confirmed, 1);
}
END_TEST

START_TEST(establish_at_start_waits_for_the_MT)
{
	rig.conf.at_start = true;
	rig_start();
	rig_advance(10000);
	rig_mt_up(&rig.mt, "unix:/mt", MT1);
	rig_advance(60000);
	rig_info(NULL);
}
END_TEST

/* --- several MTs */

START_TEST(two_MTs_two_keys)
{
	struct extdev_want w = { .mt = "tablet" };
	struct rig_request *r;

	rig.conf.n_mts = 2;
	rig_mt_up(&rig.mt2, "unix:/mt2", MT2);
	start_with_mt();
	rig_scenario1(&d, B1, 7);
	memset(&d2, 0, sizeof d2);
	extdev_establish(rig.e, &w, rig_on_done, NULL, &d2);
	rig_run();
	rig_got_nothing();
	r = TAILQ_FIRST(&rig.mt2.in);
	ck_assert_ptr_nonnull(r);
	ck_assert_str_eq(r->op, "info");
	/* the two go on side by side */
	rig_ask(&d, true, false);
	rig_got("info");
	rig_mt_dies(&rig.mt2);
	rig_has_failed(&d2, REASON_LOCAL_GONE);
	rig_info(B1);
	rig_derive(B1, B1);
	rig_naf_key(7, 3600);
	rig_complete(B1, 7);
	rig_is_done(&d, 2, B1);
}
END_TEST

static const struct {
	const char *name;
	bool good;
} mt_names[] = { { NULL, false }, { "phone", true }, { "tablet", true }, { "fridge", false }, { "", false } };

START_TEST(which_MT)
{
	struct extdev_want w = { .mt = mt_names[_i].name };

	rig.conf.n_mts = 2;
	rig_mt_up(&rig.mt2, "unix:/mt2", MT2);
	start_with_mt();
	memset(&d, 0, sizeof d);
	extdev_establish(rig.e, &w, rig_on_done, NULL, &d);
	rig_run();
	if (mt_names[_i].good) {
		ck_assert_int_eq(d.n, 0);
		rig_mt_dies(&rig.mt);
		rig_mt_dies(&rig.mt2);
		rig_has_failed(&d, REASON_LOCAL_GONE);
	} else {
		rig_has_failed(&d, REASON_EXT_MT_UNKNOWN);
	}
}
END_TEST

/* Another MT behind the same address: its keys are its own. */
START_TEST(another_MT_at_the_same_address)
{
	rig_scenario1(&d, B1, 7);
	rig.mt.id = MT2;
	rig_mt_dies(&rig.mt);
	rig_advance(2000);
	rig_ask(&d, false, false);
	rig_info(B2);
	rig_derive(B2, B2);
	rig_naf_key(8, 3600);
	rig_complete(B2, 8);
	rig_is_done(&d, 2, B2);
	ck_assert_str_eq(d.r.mt_id.s, MT2);
	ck_assert_int_eq(rig_keys().all, 2);
	ck_assert_int_eq(rig_keys().confirmed, 2);
}
END_TEST

/* A key request for an MT that is not there any more would stay for ever. */
START_TEST(N6_another_MT_at_the_same_address_ends_a_pending_request)
{
	rig_ask(&d, false, false);
	rig_info(NULL);
	rig_derive(NULL, B1);
	rig_naf_silent(REASON_HTTP_UNREACHABLE);
	ck_assert(rig_pending());
	rig_mt_dies(&rig.mt);
	rig_advance(2000);
	ck_assert(rig_pending());		/* the same one again */
	rig.mt.id = MT2;
	rig_mt_dies(&rig.mt);
	rig_advance(2000);
	ck_assert_int_eq(rig_rows("request"), 0);
}
END_TEST

/* --- the link */

START_TEST(U9_hello_comes_first)
{
	start_with_mt();
	ck_assert_int_eq(rig.mt.hellos, 1);
	ck_assert_str_eq(json_string_value(json_object_get(rig.mt.hello, "role")), "device");
	ck_assert_int_eq(json_integer_value(json_object_get(rig.mt.hello, "version")), 1);
	ck_assert_str_eq(json_string_value(json_object_get(rig.mt.hello, "device_id_kind")), "fixed");
	ck_assert_str_eq(json_string_value(json_object_get(rig.mt.hello, "device_id")), DEV);	/* U1: so an MT can ask for `use` */
}
END_TEST

static const struct {
	const char *answer;
	enum reason why;
} hellos[] = {
	{ "{}", REASON_EXT_NO_MT_ID },
	{ "{\"version\":1,\"role\":\"mt\"}", REASON_EXT_NO_MT_ID },
	{ "{\"version\":1,\"role\":\"device\",\"mt_id\":\"" MT1 "\"}", REASON_EXT_NO_MT_ID },
	{ "{\"version\":2,\"role\":\"mt\",\"mt_id\":\"" MT1 "\"}", REASON_EXT_MT_VERSION },
	{ "{\"version\":1,\"role\":\"mt\",\"mt_id\":\"x\"}", REASON_LOCAL_BAD_ANSWER },
	{ "{\"version\":\"1\",\"role\":\"mt\",\"mt_id\":\"" MT1 "\"}", REASON_LOCAL_BAD_ANSWER },
	{ NULL, REASON_LOCAL_UNSUPPORTED },
};

START_TEST(U9_no_mt_id_nothing_follows)
{
	rig_mt_up(&rig.mt, "unix:/mt", NULL);
	rig_start();
	rig_ask(&d, false, false);
	if (hellos[_i].answer != NULL)
		rig_answer(rig_got("hello"), json_loads(hellos[_i].answer, 0, NULL));
	else
		rig_refuse(rig_got("hello"), REASON_LOCAL_UNSUPPORTED, 0);
	rig_has_failed(&d, hellos[_i].why);
	ck_assert_int_eq(rig.logged, hellos[_i].why);
	rig_got_nothing();
	ck_assert_int_eq(rig.mt.closed, 1);
	rig_advance(59000);		/* it would say the same again: a long pause */
	ck_assert_int_eq(rig.mt.links, 1);
	rig_advance(1500);
	ck_assert_int_eq(rig.mt.links, 2);
}
END_TEST

START_TEST(U9_a_deaf_MT)
{
	rig_mt_up(&rig.mt, "unix:/mt", NULL);
	rig_start();
	rig_ask(&d, false, false);
	rig_got("hello");
	rig_advance(10000);
	rig_has_failed(&d, REASON_LOCAL_TIMEOUT);
}
END_TEST

/* --- a link that comes up and is over in one breath, as a serial channel or TLS may: nothing can be said on it */

struct brief {
	struct link base;
	struct clock_timer *timer;
	bool was_up;
};

static struct span
brief_input(struct link *l)
{
	(void)l;
	return span_of(NULL, 0);
}

static void
brief_size(struct link *l, size_t n)
{
	(void)l, (void)n;
}

static enum rc
brief_write(struct link *l, struct span octets)
{
	(void)l, (void)octets;
	return RC_STATE;
}

static void
brief_free(struct link *l)
{
	clock_timer_free(((struct brief *)l)->timer);
	free(l);
}

static void
brief_step(void *arg)
{
	struct brief *l = arg;

	clock_timer_set(l->timer, 0);
	if (l->was_up) {
		l->base.cb.on_closed(&l->base, REASON_LINK_SERIAL_ANEW, "it began again", l->base.arg);
	} else {
		l->was_up = true;
		l->base.cb.on_up(&l->base, l->base.arg);
	}
}

static enum rc
brief_connect(void *ctx, const char *address, const struct link_options *opt, const struct link_cb *cb, void *arg, struct link **out)
{
	static const struct link_ops ops = { .input = brief_input, .drain = brief_size, .set_input_limit = brief_size, .write = brief_write,
	    .free = brief_free };
	struct brief *l = calloc(1, sizeof *l);

	(void)ctx, (void)address, (void)opt;
	ck_assert_ptr_nonnull(l);
	l->base.ops = &ops;
	link_set_cb(&l->base, cb, arg);
	ck_ok(clock_timer_new(rig.clk, brief_step, l, &l->timer));
	clock_timer_set(l->timer, 0);
	*out = &l->base;
	return RC_OK;
}

START_TEST(a_link_that_is_over_in_one_breath_says_why)
{
	static const struct link_net_ops ops = { .connect = brief_connect };
	static struct link_net net = { .ops = &ops };

	rig_start_on(&net);
	ck_assert_str_eq(reason_get(rig.logged)->code, "link-serial-anew");
	ck_assert_int_eq(rig.e->mts[0].local.state, EXTDEV_LINK_DOWN);
}
END_TEST

START_TEST(an_MT_that_is_not_there)
{
	rig_start();
	rig_ask(&d, false, false);
	rig_has_failed(&d, REASON_LINK_UNREACHABLE);
	ck_assert_ptr_nonnull(strstr(d.detail, "unix:/mt"));
	rig_mt_up(&rig.mt, "unix:/mt", MT1);
	rig_ask(&d, false, false);		/* asked: dialled at once, whatever the pause */
	rig_info(NULL);
}
END_TEST

/* Pauses double from 1 s to 1 min; an end is logged once, not at each attempt. */
START_TEST(back_off)
{
	static const int64_t pauses[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	int n = 0;
	char *p;

	rig_start();
	rig.log[0] = '\0';
	for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
		clock_advance(rig.clk, pauses[i] - 1);
		rig_run();
		ck_assert_int_eq(rig.e->mts[0].local.state, EXTDEV_LINK_DOWN);
		clock_advance(rig.clk, 1);
		ck_assert_int_eq(rig.e->mts[0].local.state, EXTDEV_LINK_DIALLING);
		rig_run();
	}
	for (p = rig.log; (p = strstr(p, "reason=")) != NULL; p++)
		n++;
	ck_assert_int_eq(n, 0);
	rig_mt_up(&rig.mt, "unix:/mt", MT1);
	rig_advance(60000);
	ck_assert_int_eq(rig.mt.hellos, 1);
	rig_mt_dies(&rig.mt);
	rig_advance(1000);		/* from the start again */
	ck_assert_int_eq(rig.mt.hellos, 2);
}
END_TEST

static const char *const stages[] = { "info", "derive", "complete" };

START_TEST(the_MT_dies_during)
{
	rig_ask(&d, false, false);
	if (_i > 0)
		rig_info(NULL);
	if (_i > 1) {
		rig_derive(NULL, B1);
		rig_naf_key(7, 3600);
	}
	rig_got(stages[_i]);
	rig_mt_dies(&rig.mt);
	rig_has_failed(&d, REASON_LOCAL_GONE);
	rig_ask(&d, false, false);		/* the next one succeeds by itself */
	rig_run();
	if (_i < 2) {
		rig_info(B1);
		rig_derive(B1, B1);
		rig_naf_key(7, 3600);
	}
	rig_complete(B1, 7);
	rig_is_done(&d, _i < 2 ? 2 : 1, B1);
}
END_TEST

static const struct {
	const char *op;
	enum reason why;
} asked[] = {
	{ "use", REASON_LOCAL_BAD_MESSAGE }, { "info", REASON_LOCAL_UNSUPPORTED }, { "complete", REASON_LOCAL_UNSUPPORTED },
	{ "fly", REASON_LOCAL_UNSUPPORTED }, { "hello", REASON_NONE },
};

START_TEST(what_an_MT_may_ask)
{
	rig_mt_asks(asked[_i].op);
	ck_assert_int_eq(rig.mt.answers, 1);
	ck_assert_int_eq(rig.mt.why, asked[_i].why);
}
END_TEST

/* --- stop */

static void
on_stopped(void *arg)
{
	++*(int *)arg;
}

START_TEST(stop_while_idle)
{
	int stopped = 0;

	extdev_stop(rig.e, on_stopped, &stopped);
	ck_assert_int_eq(stopped, 0);
	rig_run();
	ck_assert_int_eq(stopped, 1);
	ck_assert_int_eq(rig.mt.closed, 1);
	rig_ask(&d, false, false);
	rig_has_failed(&d, REASON_STOPPING);
	rig_advance(100000);
	ck_assert_int_eq(rig.mt.links, 1);
	ck_assert_int_eq(stopped, 1);
}
END_TEST

START_TEST(stop_without_a_link)
{
	int stopped = 0;

	rig_start();
	extdev_stop(rig.e, on_stopped, &stopped);
	rig_run();
	ck_assert_int_eq(stopped, 1);
}
END_TEST

/* In each state: its askers are told, what is owed stays. */
START_TEST(stop_while_busy)
{
	int stopped = 0;

	rig_ask(&d, false, false);
	if (_i > 0)
		rig_info(NULL);
	if (_i > 1)
		rig_derive(NULL, B1);
	if (_i > 2)
		rig_naf_key(7, 3600);
	extdev_stop(rig.e, on_stopped, &stopped);
	rig_run();
	rig_has_failed(&d, REASON_STOPPING);
	ck_assert_int_eq(stopped, 1);
	ck_assert_int_eq(rig.n_cancelled, _i == 2);
	rig_drop_requests(&rig.mt);
	rig_restart();
	ck_assert_int_eq(rig_pending(), _i == 2);
	ck_assert_int_eq(rig_keys().owed, _i == 3);
	if (_i == 2)
		rig_naf_key(7, 3600);
	if (_i >= 2)
		rig_complete(B1, 7);
}
END_TEST

/* --- durable before told: the turn's commit fails */

/* It has left, since it tells of nothing of ours; but its answer has nobody to go to. */
START_TEST(a_key_request_that_was_not_kept_is_given_up)
{
	rig_ask(&d, false, false);
	rig_info(NULL);
	rig_got("derive");
	rig_commits_fail(true);
	rig_derive(NULL, B1);
	rig_has_failed(&d, REASON_NOT_DURABLE);
	ck_assert_int_eq(rig.n_requests, 1);
	ck_assert_int_eq(rig.n_cancelled, 1);
	rig_commits_fail(false);
	ck_assert(!rig_pending());
	rig_ask(&d, false, false);
	rig_info(B1);
	rig_derive(B1, B1);
	rig_naf_key(7, 3600);
	rig_complete(B1, 7);
	rig_is_done(&d, 2, B1);
}
END_TEST

START_TEST(no_complete_of_a_key_that_was_not_kept)
{
	rig_ask(&d, false, false);
	rig_info(NULL);
	rig_derive(NULL, B1);
	rig_flight();
	rig_commits_fail(true);
	rig_naf_key(7, 3600);
	rig_has_failed(&d, REASON_NOT_DURABLE);
	rig_got_nothing();
	rig_commits_fail(false);
	ck_assert_int_eq(rig_keys().all, 0);
	ck_assert(rig_pending());		/* and is asked for again, alone */
	rig_advance(30000);
	rig_naf_key(7, 3600);
	rig_complete(B1, 7);
	ck_assert_int_eq(rig_keys().confirmed, 1);
}
END_TEST

START_TEST(no_success_of_a_confirmation_that_was_not_kept)
{
	rig_ask(&d, false, false);
	rig_info(NULL);
	rig_derive(NULL, B1);
	rig_naf_key(7, 3600);
	rig_got("complete");
	rig_commits_fail(true);
	rig_complete(B1, 7);
	rig_has_failed(&d, REASON_NOT_DURABLE);
	rig_commits_fail(false);
	ck_assert_int_eq(rig_keys().owed, 1);
	rig_ask(&d, false, false);
	rig_complete(B1, 7);
	rig_is_done(&d, 1, B1);
}
END_TEST

START_TEST(configuration_that_cannot_be)
{
	struct extdev_seams s = { .clock = rig.clk, .guard = rig.guard, .rnd = &rig.rnd.rnd, .store = rig.store, .turn = rig.turn,
	    .trace = rig.trace, .net = rig.net, .http = &rig.http };
	struct extdev *e = NULL;

	rig.conf.device_id = "urn:gsma:imei:35209900-176148-2";
	ck_rc(extdev_new(&s, &rig.conf, &e), RC_SYNTAX);
	rig.conf.device_id = NULL;
	ck_rc(extdev_new(&s, &rig.conf, &e), RC_SYNTAX);
	ck_assert_ptr_null(e);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("procedure");
	TCase *t = tcase_create("asked"), *u = tcase_create("started by the test"), *l = tcase_create("link");

	tcase_add_checked_fixture(t, rig_setup, rig_teardown);
	tcase_add_test(t, later_askers_join);
	tcase_add_test(t, K9_new_is_served_after_the_one_under_way);
	tcase_add_test(t, a_failure_is_everybodys);
	tcase_add_loop_test(t, N6_a_pending_request_outlives_a_reuse, 0, 2);
	tcase_add_test(t, K1_the_asker_chooses);
	tcase_add_test(t, K1_a_stranger_is_not_dialled);
	tcase_add_test(t, K1_an_empty_list_our_first);
	tcase_add_test(t, U4_renew_is_answered_before_it_begins);
	tcase_add_test(t, U4_a_second_renew_changes_nothing);
	tcase_add_test(t, U4_renew_during_another_establishment);
	tcase_add_test(t, U4_renew_that_fails);
	tcase_add_test(t, a_key_request_that_was_not_kept_is_given_up);
	tcase_add_test(t, no_complete_of_a_key_that_was_not_kept);
	tcase_add_test(t, no_success_of_a_confirmation_that_was_not_kept);
	tcase_add_test(t, another_MT_at_the_same_address);
	tcase_add_test(t, N6_another_MT_at_the_same_address_ends_a_pending_request);
	tcase_add_loop_test(t, the_MT_dies_during, 0, TABLE_N(stages));
	tcase_add_loop_test(t, what_an_MT_may_ask, 0, TABLE_N(asked));
	tcase_add_test(t, stop_while_idle);
	tcase_add_loop_test(t, stop_while_busy, 0, 4);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(u, setup_unstarted, rig_teardown);
	tcase_add_test(u, K1_dial_and_url_of_the_configuration);
	tcase_add_test(u, W2_random_made_once_and_kept);
	tcase_add_test(u, K5_random_each);
	tcase_add_test(u, establish_at_start);
	tcase_add_test(u, establish_at_start_waits_for_the_MT);
	tcase_add_test(u, two_MTs_two_keys);
	tcase_add_loop_test(u, which_MT, 0, TABLE_N(mt_names));
	tcase_add_test(u, stop_without_a_link);
	tcase_add_test(u, configuration_that_cannot_be);
	suite_add_tcase(s, u);
	tcase_add_checked_fixture(l, setup_unstarted, rig_teardown);
	tcase_add_test(l, U9_hello_comes_first);
	tcase_add_loop_test(l, U9_no_mt_id_nothing_follows, 0, TABLE_N(hellos));
	tcase_add_test(l, U9_a_deaf_MT);
	tcase_add_test(l, a_link_that_is_over_in_one_breath_says_why);
	tcase_add_test(l, an_MT_that_is_not_there);
	tcase_add_test(l, back_off);
	suite_add_tcase(s, l);
	return unit_run(s);
}
