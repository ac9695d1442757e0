#include "test/unit/extdevd/use_rig.h"

static void
setup_plain(void)
{
	use_setup_with_key(NULL, 0, false);
}

static void
setup_on_connect(void)
{
	use_setup_with_key(NULL, 0, true);
}

static struct extdev_use *
u(void)
{
	return rig.e->mts[0].use;
}

/* --- what starts it (U4), and how it goes (U1, U2) */

START_TEST(U4_an_operator_starts_it)
{
	struct use_done d;

	ck_assert_int_eq(use.n, 0);
	use_ask(&d);
	ck_assert_int_eq(d.n, 1);
	ck_assert_int_eq(d.why, REASON_NONE);
	ck_assert_str_eq(d.btid, B1);
	ck_assert_int_eq(use_tunnels(), 1);
	ck_assert_str_eq(use.ch[0].btid, B1);
	ck_assert_str_eq(use.ch[0].device_id, DEV);
	use_ask(&d);			/* the one that stands will do */
	ck_assert_int_eq(d.why, REASON_NONE);
	ck_assert_int_eq(use.n, 1);
}
END_TEST

START_TEST(U4_the_link_coming_up_starts_it)
{
	ck_assert_int_eq(use_tunnels(), 1);	/* with the key's coming */
	use_mt_dies();
	rig_advance(3000);
	ck_assert_int_eq(use.n, 2);
	ck_assert_int_eq(use_tunnels(), 1);
	rig_restart();			/* and after a start of the device's */
	rig_run();
	ck_assert_int_eq(use.n, 3);
	ck_assert_str_eq(use.ch[2].btid, B1);
	ck_assert_int_eq(rig_keys().confirmed, 1);
}
END_TEST

static void
mt_uses(const char *btid)
{
	json_t *o = json_pack("{s:s, s:s, s:s}", "naf_id", NAF1, "btid", btid, "device_id", DEV);

	ck_ok(rpc_ask(rig.mt.rpc, "use", o, rig_mt_answered, NULL, &rig.mt));
	json_decref(o);
	rig_run();
}

START_TEST(U4_the_MT_starts_it)
{
	mt_uses(B1);
	ck_assert_int_eq(rig.mt.answers, 1);
	ck_assert_int_eq(rig.mt.why, REASON_NONE);
	ck_assert_int_eq(use_tunnels(), 1);
	mt_uses(B1);			/* it stands and answers PING */
	rig_advance(10000);
	ck_assert_int_eq(rig.mt.answers, 2);
	ck_assert_int_eq(use.n, 1);
}
END_TEST

/* The other end of the tunnel is gone without a word. */
START_TEST(U4_a_tunnel_that_does_not_answer_is_replaced)
{
	static const struct link_cb deaf = { .on_data = NULL };
	struct use_done d;

	use_ask(&d);
	link_set_cb(tunnel_link(use.ch[0].tunnel), &deaf, NULL);
	if (_i == 0) {
		mt_uses(B1);			/* the MT asks for another */
	} else {
		rig_mt_dies(&rig.mt);		/* the messages' channel broke, and is there again */
		rig_advance(2000);
	}
	ck_assert_int_eq(use.n, 1);
	rig_advance(8000);
	ck_assert_int_eq(use.n, 2);
	ck_assert(use.ch[1].up);
	ck_assert_str_eq(use.ch[1].btid, B1);
	rig_got_nothing();
}
END_TEST

START_TEST(U3_the_MT_asks_for_a_key_that_is_not_here)
{
	mt_uses(B2);
	ck_assert_int_eq(rig.mt.why, REASON_LOCAL_UNKNOWN_KEY);
	rig_advance(10000);
	ck_assert_int_eq(use.n, 0);
	clock_advance(rig.clk, 3600 * 1000);	/* expired counts as not here */
	rig_run();
	mt_uses(B1);
	ck_assert_int_eq(rig.mt.why, REASON_LOCAL_UNKNOWN_KEY);
}
END_TEST

START_TEST(U1_a_channel_of_its_own)
{
	struct use_done d;

	use_ask(&d);
	ck_assert_int_eq(rig.mt.links, 1);	/* the messages' channel stays what it is */
	ck_assert_ptr_nonnull(rig.mt.rpc);
	use_mt_dies();
	ck_assert_int_eq(use_tunnels(), 0);
}
END_TEST

static const char *const early[] = { "x", "{\"id\":1,\"ok\":true}\n", "{\"id\":9,\"op\":\"info\"}\n" };

START_TEST(U2_octets_between_use_and_the_handshake)
{
	struct use_done d;

	use.early = early[_i];
	use_ask(&d);
	ck_assert_int_eq(d.n, 1);
	ck_assert_int_eq(d.why, REASON_EXT_EARLY);
	ck_assert(use.ch[0].closed);
	ck_assert_int_eq(rig_keys().confirmed, 1);	/* says nothing about the key */
	ck_assert_int_eq(rig.n_requests, 1);
}
END_TEST

START_TEST(U2_nothing_is_sent_before_the_answer)
{
	struct use_done d;

	use.mute = true;
	use_ask(&d);
	ck_assert_uint_eq(link_input(rpc_link(use.ch[0].rpc)).n, 0);
	rig_advance(9000);
	ck_assert_uint_eq(link_input(rpc_link(use.ch[0].rpc)).n, 0);
	rig_advance(2000);
	ck_assert_int_eq(d.why, REASON_LOCAL_TIMEOUT);
}
END_TEST

/* As long as the MT says what it waits for, so long it is waited for; the operator hears it. */
START_TEST(U10_the_MT_says_what_it_waits_for)
{
	struct use_done d;

	use.mute = true;
	use_ask(&d);
	for (int i = 0; i < 8; i++) {
		rpc_progress(use.ch[0].open, "waiting-card", 20);
		rig_run();
		ck_assert_str_eq(d.word, "waiting-card");
		d.word[0] = '\0';
		rig_advance(5000);
	}
	ck_assert_int_eq(d.n, 0);
	rig_advance(15000);
	ck_assert_int_eq(d.why, REASON_LOCAL_TIMEOUT);
}
END_TEST

START_TEST(U1_another_MT_answers_on_the_channel)
{
	struct use_done d;

	use.id = MT2;
	use_ask(&d);
	ck_assert_int_eq(d.why, REASON_EXT_CHANNEL_OTHER);
	ck_assert_str_eq(use.ch[0].btid, "");		/* it was not told of the key */
}
END_TEST

/* --- U3: what means "not the same key", and what does not */

static const struct {
	enum reason why;
	int64_t retry_after_s;
} harmless[] = {
	{ REASON_LOCAL_BUSY, 0 }, { REASON_LOCAL_BUSY, 20 }, { REASON_LOCAL_REFUSED, 0 }, { REASON_CLOCK_JUMPED, 0 },
	{ REASON_LOCAL_UNSUPPORTED, 0 },
};

START_TEST(U3_a_refusal_is_retried_with_the_same_key)
{
	use.answer = harmless[_i].why;
	use.retry_after_s = harmless[_i].retry_after_s;
	mt_uses(B1);
	ck_assert_int_eq(use.n, 1);
	rig_advance(400);			/* never at once */
	ck_assert_int_eq(use.n, 1);
	if (harmless[_i].retry_after_s > 0) {
		rig_advance(harmless[_i].retry_after_s * 1000 - 2000);
		ck_assert_int_eq(use.n, 1);
	}
	use.answer = REASON_NONE;
	rig_advance(3000);
	ck_assert_int_eq(use.n, 2);
	ck_assert_str_eq(use.ch[1].btid, B1);
	ck_assert_int_eq(use_tunnels(), 1);
	rig_got_nothing();			/* no establishment */
	ck_assert_int_eq(rig.n_requests, 1);
}
END_TEST

START_TEST(U3_a_link_that_breaks_is_retried_with_the_same_key)
{
	use.mute = true;
	mt_uses(B1);
	use_break(&use.ch[0]);
	rig_run();
	use.mute = false;
	rig_advance(3000);
	ck_assert_str_eq(use.ch[1].btid, B1);
	ck_assert_int_eq(use_tunnels(), 1);
	rig_got_nothing();
}
END_TEST

START_TEST(U3_pauses_double)
{
	int n;

	rig.mts[0].use_on_connect = true;
	use.answer = REASON_LOCAL_BUSY;
	mt_uses(B1);
	rig_advance(60000);
	n = use.n;
	ck_assert_int_ge(n, 5);			/* 1 2 4 8 16 32 s, each shortened by up to a half */
	ck_assert_int_le(n, 9);
}
END_TEST

START_TEST(U3_unknown_key_leads_to_an_establishment_and_its_use)
{
	struct use_done d;

	use.answer = REASON_LOCAL_UNKNOWN_KEY;
	use_ask(&d);
	ck_assert_int_eq(d.n, 0);			/* waits for the whole of it */
	ck_assert_int_eq(rig_keys().confirmed, 1);	/* nothing that is said there destroys a key that works */
	use.answer = REASON_NONE;
	use_new_key(B2, 2, 3600);
	rig_run();
	ck_assert_int_eq(d.n, 1);
	ck_assert_int_eq(d.why, REASON_NONE);
	ck_assert_str_eq(d.btid, B2);
	ck_assert_int_eq(use_tunnels(), 1);
	ck_assert_int_eq(rig_keys().all, 1);
	ck_assert_str_eq(rig_keys().btids[0], B2);
}
END_TEST

/* The MT has lost its rows and not its Ks: the same B-TID, the same key. */
START_TEST(U3_unknown_key_the_same_key_again)
{
	struct use_done d;

	use.answer = REASON_LOCAL_UNKNOWN_KEY;
	use_ask(&d);
	use.answer = REASON_NONE;
	rig_info(B1);
	rig_derive(B1, B1);
	rig_naf_key(1, 3600);
	rig_complete(B1, 1);
	ck_assert_int_eq(d.why, REASON_NONE);
	ck_assert_str_eq(d.btid, B1);
	ck_assert_int_eq(rig_keys().all, 1);
}
END_TEST

START_TEST(U3_another_key_under_the_same_triple)
{
	struct use_done d;
	struct rig_request *r;

	use.key = 9;
	use_ask(&d);
	ck_assert_int_eq(rig_keys().confirmed, 1);
	rig_info(B1);
	r = rig_got("derive");
	ck_assert_str_eq(rig_member(r, "btid"), "");	/* the same would bring the same: a new bootstrapping */
	rig_answer(r, json_pack("{s:s, s:s, s:s}", "btid", B2, "naf_id", rig_member(r, "naf_id"), "challenge", CHALLENGE));
	use.key = 2;
	rig_naf_key(2, 3600);
	rig_complete(B2, 2);
	ck_assert_int_eq(d.why, REASON_NONE);
	ck_assert_str_eq(d.btid, B2);
}
END_TEST

START_TEST(U3_a_MT_that_never_shares_is_not_asked_for_ever)
{
	int n;

	use.answer = REASON_LOCAL_UNKNOWN_KEY;
	rig.mts[0].use_on_connect = true;
	mt_uses(B1);
	for (n = 0; n < 400; n++) {
		rig_advance(5000);
		if (TAILQ_EMPTY(&rig.mt.in))
			continue;
		rig_info(B1);
		rig_derive(B1, B1);
		rig_naf_key(1, 864000);
		rig_complete(B1, 1);
	}
	ck_assert_int_eq(rig.n_requests, 1 + EXTDEV_USE_PER_HOUR);
	ck_assert_ptr_nonnull(strstr(rig.log, reason_get(REASON_EXT_USE_LOOP)->code));
}
END_TEST

/* U3: not the MT's key, and the Key Center gives no other: bounded, too. */
START_TEST(U3_a_Key_Center_that_always_refuses_is_not_asked_for_ever)
{
	use.answer = REASON_LOCAL_UNKNOWN_KEY;
	rig.mts[0].use_on_connect = true;
	mt_uses(B1);
	for (int i = 0; i < 500; i++) {		/* 42 minutes */
		rig_advance(5000);
		if (TAILQ_EMPTY(&rig.mt.in))
			continue;
		rig_info(B1);
		rig_derive(B1, B1);
		rig_naf_error(403, "refused", NULL);
	}
	ck_assert_int_ge(rig.n_requests, 1 + 6);
	ck_assert_int_le(rig.n_requests, 1 + 9);
	ck_assert_int_eq(rig_keys().confirmed, 1);
	/* and when it does no more, that is found out soon */
	for (int i = 0; i < 121 && TAILQ_EMPTY(&rig.mt.in); i++)
		rig_advance(5000);
	use.answer = REASON_NONE;
	rig_info(NULL);
	rig_derive(NULL, B2);
	use.key = 2;
	rig_naf_key(2, 3600);
	rig_complete(B2, 2);
	rig_advance(4000);
	ck_assert_int_eq(use_tunnels(), 1);
}
END_TEST

/* N6: what is pending is repeated alone, and when the Key Center said. */
START_TEST(N6_an_establishment_of_ours_waits_as_the_Key_Center_says)
{
	use.answer = REASON_LOCAL_UNKNOWN_KEY;
	rig.mts[0].use_on_connect = true;
	mt_uses(B1);
	rig_info(B1);
	rig_derive(B1, B1);
	rig_naf_error(503, "unavailable", "200");
	rig_advance(190 * 1000);
	ck_assert_int_eq(rig.n_requests, 2);
	rig_advance(15 * 1000);
	ck_assert_int_eq(rig.n_requests, 3);
	use.answer = REASON_NONE;
	rig_naf_key(1, 3600);
	rig_complete(B1, 1);
	rig_advance(3000);
	ck_assert_int_eq(use_tunnels(), 1);
}
END_TEST

/* The key comes, and may not be taken before a person says so; each try would cost the Key Center one. */
START_TEST(K12_another_SIM_is_not_tried_for_ever)
{
	struct rig_done d;
	int n, before;

	(void)snprintf(rig.pseudonym, sizeof rig.pseudonym, "AAECAwQFBgcICQoLDA0ODw");
	rig_ask(&d, false, true);
	rig_info(B1);
	rig_derive(NULL, B2);
	rig_naf_key(2, 864000);
	rig_complete(B2, 2);
	(void)snprintf(rig.pseudonym, sizeof rig.pseudonym, "BAECAwQFBgcICQoLDA0ODw");
	use.answer = REASON_LOCAL_UNKNOWN_KEY;
	rig.mts[0].use_on_connect = true;
	before = rig.n_requests;
	mt_uses(B2);
	for (n = 0; n < 400; n++) {
		rig_advance(5000);
		if (TAILQ_EMPTY(&rig.mt.in))
			continue;
		rig_info(B3);
		rig_derive(B3, B3);
		rig_naf_key(3, 864000);
	}
	ck_assert_int_le(rig.n_requests, before + 8);
	ck_ok(store_begin(rig.store));
	ck_ok(extdev_store_drop_pseudonyms(rig.store, MT1));
	ck_ok(store_end(rig.store, true));
	extdev_use_on_accept(&rig.e->mts[0]);	/* and then at once */
	rig_advance(1);
	use.answer = REASON_NONE;
	use.key = 3;
	rig_info(B3);
	rig_derive(B3, B3);
	rig_naf_key(3, 864000);
	rig_complete(B3, 3);
	ck_assert_int_eq(use_tunnels(), 1);
}
END_TEST

START_TEST(seed_7_3_no_key_at_all_is_made_when_it_is_wanted)
{
	struct use_done d;

	ck_ok(store_begin(rig.store));
	int n;
	struct extdev_which all = { .mt_id = NULL };
	ck_ok(extdev_store_forget(rig.store, &all, &n));
	ck_ok(store_end(rig.store, true));
	use_ask(&d);
	use_new_key(B2, 2, 3600);
	ck_assert_int_eq(d.why, REASON_NONE);
	ck_assert_str_eq(d.btid, B2);
}
END_TEST

START_TEST(an_establishment_that_is_refused_ends_the_wish)
{
	struct use_done d;

	use.answer = REASON_LOCAL_UNKNOWN_KEY;
	use_ask(&d);
	rig_info(B1);
	rig_derive(B1, B1);
	rig_naf_error(403, "refused", NULL);
	ck_assert_int_eq(d.n, 1);
	ck_assert_int_eq(d.why, REASON_EXT_NAF_REFUSED);
	rig_advance(120000);
	rig_got_nothing();
	ck_assert_int_eq(rig_keys().confirmed, 1);
}
END_TEST

START_TEST(the_link_cannot_be_dialled)
{
	struct use_done d;

	use_mt_dies();
	link_listener_free(rig.mt.ll);
	rig.mt.ll = NULL;
	use_ask(&d);
	ck_assert_int_eq(d.n, 1);
	ck_assert_int_ne(d.why, REASON_NONE);
	ck_assert_str_eq(reason_get(d.why)->local, "busy");	/* ksctl: 3 */
}
END_TEST

/* --- K2: a finished handshake confirms */

START_TEST(K2_a_finished_handshake_confirms_a_key_without_proofs)
{
	struct rig_request *r;
	struct use_done d;
	struct rig_done e;

	rig_ask(&e, false, true);
	rig_info(B1);
	rig_derive(NULL, B2);
	rig_naf_key(2, 3600);
	r = rig_got("complete");
	rig_answer(r, NULL);			/* a foreign MT: no proof (K3) */
	ck_assert_int_eq(rig_keys().all, 2);
	use.key = 2;
	use_ask(&d);
	ck_assert_str_eq(use.ch[0].btid, B2);	/* the waiting one first */
	ck_assert_int_eq(d.why, REASON_NONE);
	ck_assert_int_eq(rig_keys().all, 1);
	ck_assert_int_eq(rig_keys().confirmed, 1);
	ck_assert_str_eq(rig_keys().btids[0], B2);
}
END_TEST

START_TEST(K2_a_waiting_key_that_is_not_shared_goes_and_the_old_one_serves)
{
	struct rig_request *r;
	struct use_done d;
	struct rig_done e;

	rig_ask(&e, false, true);
	rig_info(B1);
	rig_derive(NULL, B2);
	rig_naf_key(2, 3600);
	r = rig_got("complete");
	rig_answer(r, NULL);
	use.key = 1;				/* the MT has the old one alone */
	use_ask(&d);
	ck_assert_str_eq(use.ch[0].btid, B2);
	ck_assert_str_eq(use.ch[1].btid, B1);
	ck_assert_int_eq(d.why, REASON_NONE);
	ck_assert_str_eq(d.btid, B1);
	ck_assert_int_eq(rig_keys().all, 1);
	ck_assert_int_eq(rig_keys().confirmed, 1);
}
END_TEST

/* K4: complete was lost, and the MT does not answer it: use settles it. */
START_TEST(K2_use_clears_an_owed_complete)
{
	struct use_done d;
	struct rig_done e;

	rig_ask(&e, false, true);
	rig_info(B1);
	rig_derive(NULL, B2);
	rig_naf_key(2, 3600);
	rig_refuse(rig_got("complete"), REASON_LOCAL_BUSY, 0);
	ck_assert_int_eq(rig_keys().owed, 1);
	use.key = 2;
	use_ask(&d);
	ck_assert_int_eq(d.why, REASON_NONE);
	ck_assert_int_eq(rig_keys().owed, 0);
	ck_assert_int_eq(rig_keys().confirmed, 1);
	rig_advance(60000);
	rig_got_nothing();
}
END_TEST

/* --- keys that go away */

START_TEST(a_tunnel_on_an_expired_key_is_closed)
{
	struct use_done d;

	use_ask(&d);
	rig_advance(3598 * 1000);
	ck_assert_int_eq(use_tunnels(), 1);
	rig_advance(3000);
	ck_assert_int_eq(use_tunnels(), 0);
	ck_assert(use.ch[0].closed);
	ck_assert_ptr_nonnull(strstr(rig.log, reason_get(REASON_EXT_KEY_OVER)->code));
	rig_advance(600000);
	rig_got_nothing();			/* nobody wants another */
	ck_assert_int_eq(use.n, 1);
}
END_TEST

START_TEST(after_an_expiry_use_on_connect_makes_one_key)
{
	ck_assert_int_eq(use_tunnels(), 1);
	rig_advance(3601 * 1000);
	ck_assert_int_eq(use_tunnels(), 0);
	rig_advance(3000);
	use_new_key(B2, 2, 3600);
	ck_assert_int_eq(use_tunnels(), 1);
	ck_assert_int_eq(rig.n_requests, 2);
}
END_TEST

START_TEST(a_tunnel_on_a_forgotten_key_is_closed_and_no_other_is_made)
{
	struct extdev_which all = { .mt_id = NULL };
	int n;

	ck_assert_int_eq(use_tunnels(), 1);
	ck_ok(store_begin(rig.store));
	ck_ok(extdev_store_forget(rig.store, &all, &n));
	ck_ok(store_end(rig.store, true));
	extdev_use_recheck(rig.e);
	rig_run();
	ck_assert_int_eq(use_tunnels(), 0);
	ck_assert_ptr_nonnull(strstr(rig.log, reason_get(REASON_EXT_KEY_REMOVED)->code));
	rig_advance(600000);
	rig_got_nothing();
	ck_assert_int_eq(use.n, 1);
}
END_TEST

START_TEST(a_clock_that_jumped_allows_no_use)
{
	struct use_done d;

	clock_step_wall(rig.clk, INT64_C(3) * 86400 * 1000);
	use_ask(&d);
	ck_assert_int_eq(d.why, REASON_CLOCK_JUMPED);
	ck_assert_int_eq(use.n, 0);
	clock_step_wall(rig.clk, -INT64_C(3) * 86400 * 1000);
	use_ask(&d);
	ck_assert_int_eq(d.why, REASON_NONE);
}
END_TEST

/* --- N10: asked before use, where that is configured */

static void
setup_before_use(void)
{
	struct rig_done d;

	rig_new();
	memset(&use, 0, sizeof use);
	rig.conf.state_before_use = true;
	use_listen();
	rig_start();
	use.key = 1;
	rig_scenario1(&d, B1, 1);
	while (!TAILQ_EMPTY(&rig.questions))
		rig_state(304, NULL, NULL);
}

static void
setup_grace(void)
{
	struct rig_done d;

	rig_new();
	memset(&use, 0, sizeof use);
	rig.conf.state_grace_s = 600;
	use_listen();
	rig_start();
	use.key = 1;
	rig_scenario1(&d, B1, 1);
}

/* Another Key Center's key is past its grace already; this one ends at the end of its own, to the second. */
START_TEST(N10_each_key_ends_at_the_end_of_its_own_grace)
{
	struct extdev_key other = { .from = { .mt_id = { MT2 }, .run = { "x" } }, .expires_s = T0 + 7200, .state = EXTDEV_CONFIRMED,
	    .sure_s = T0 - 290 };
	struct use_done u;

	other.from.triple.naf_id = rig.centers[1].naf_id;
	ck_ok(btid_parse(span_str(B3), &other.from.triple.btid));
	ck_ok(device_id_parse(span_str(DEV), &other.from.triple.device_id));
	other.ks = rig_key(3);
	ck_ok(store_begin(rig.store));
	ck_ok(extdev_store_put_key(rig.store, &other, T0));
	ck_ok(store_end(rig.store, true));
	secret_free(other.ks);
	extdev_state_on_key(rig.e);
	use_ask(&u);
	ck_assert_int_eq(use_tunnels(), 1);
	rig_advance(T0_MS + 600 * 1000 - clock_now_ms(rig.clk));
	ck_assert_int_eq(use_tunnels(), 1);
	rig_advance(1000);
	ck_assert_int_eq(use_tunnels(), 0);
}
END_TEST

START_TEST(N10_the_Key_Center_is_asked_first)
{
	struct use_done d;

	use_ask(&d);
	ck_assert_int_eq(use.n, 0);
	ck_assert_str_eq(d.word, "key-state");	/* U10 */
	rig_state_good(3600, "\"1\"");
	ck_assert_int_eq(d.why, REASON_NONE);
	ck_assert_int_eq(use_tunnels(), 1);
}
END_TEST

START_TEST(N10_what_it_took_back_is_not_used_and_no_other_is_made)
{
	struct use_done d;

	use_ask(&d);
	rig_state(410, "<keyError xmlns=\"urn:x-kslocal:ua:1\"><reason>gone</reason><text>so it is</text></keyError>", NULL);
	ck_assert_int_eq(d.n, 1);
	ck_assert_int_eq(d.why, REASON_EXT_KEY_GONE);
	ck_assert_int_eq(use.n, 0);
	rig_advance(120000);
	ck_assert_int_eq(use.n, 0);
	rig_got_nothing();
	ck_assert_int_eq(rig_keys().all, 0);
}
END_TEST

START_TEST(N10_with_nobody_to_ask_it_is_used)
{
	struct use_done d;

	use_ask(&d);
	rig_state(0, NULL, NULL);
	ck_assert_int_eq(d.why, REASON_NONE);
	ck_assert_int_eq(use_tunnels(), 1);
}
END_TEST

START_TEST(N10_a_stop_while_it_is_asked)
{
	struct use_done d;

	use_ask(&d);
	extdev_use_stop(&rig.e->mts[0]);
	ck_assert_int_eq(d.why, REASON_STOPPING);
	rig.e->stopping = true;
	rig_run();
	ck_assert_int_eq(use.n, 0);
}
END_TEST

static bool stopped;

static void
on_stopped(void *arg)
{
	(void)arg;
	stopped = true;
}

START_TEST(stop_tells_the_MT_and_waits_for_its_tunnels)
{
	struct use_done d;

	use_ask(&d);
	stopped = false;
	extdev_stop(rig.e, on_stopped, NULL);
	ck_assert(!stopped);
	rig_run();
	ck_assert(stopped);
	ck_assert(use.ch[0].closed);
	ck_assert(LIST_EMPTY(&u()->channels));
}
END_TEST

/* --- U8: certificates on the link */

static void
setup_tls(void)
{
	static char certificates;
	struct rig_done d;

	rig_new();
	memset(&use, 0, sizeof use);
	rig.mt_tls[0] = (struct link_tls *)(void *)&certificates;
	use_listen();
	rig_start();
	use.key = 1;
	rig_scenario1(&d, B1, 1);
}

START_TEST(U8_messages_and_tunnels_alike)
{
	struct use_done d;

	use_ask(&d);
	ck_assert_int_eq(d.why, REASON_NONE);
	ck_assert_int_eq(use_tunnels(), 1);
}
END_TEST

START_TEST(U8_an_MT_without_certificates_is_named_and_not_talked_to)
{
	struct use_done d;

	use_mt_dies();
	link_listener_free(rig.mt.ll);
	ck_ok(link_listen(rig.net, "unix:/mt", NULL, use_accept, &rig.mt, &rig.mt.ll));
	rig.mt.hellos = 0;
	rig_advance(3000);
	use_ask(&d);
	ck_assert_int_eq(d.why, REASON_LINK_PEER_PLAIN);
	ck_assert_ptr_nonnull(strstr(rig.log, reason_get(REASON_LINK_PEER_PLAIN)->code));
	ck_assert_int_eq(rig.mt.hellos, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("use");
	TCase *plain = tcase_create("use"), *on_connect = tcase_create("on_connect"), *tls = tcase_create("tls"),
	    *before = tcase_create("before use"), *grace = tcase_create("grace");

	tcase_add_checked_fixture(plain, setup_plain, use_teardown);
	tcase_add_test(plain, U4_an_operator_starts_it);
	tcase_add_test(plain, U4_the_MT_starts_it);
	tcase_add_loop_test(plain, U4_a_tunnel_that_does_not_answer_is_replaced, 0, 2);
	tcase_add_test(plain, U3_the_MT_asks_for_a_key_that_is_not_here);
	tcase_add_test(plain, U1_a_channel_of_its_own);
	tcase_add_loop_test(plain, U2_octets_between_use_and_the_handshake, 0, sizeof early / sizeof *early);
	tcase_add_test(plain, U2_nothing_is_sent_before_the_answer);
	tcase_add_test(plain, U10_the_MT_says_what_it_waits_for);
	tcase_add_test(plain, U1_another_MT_answers_on_the_channel);
	tcase_add_loop_test(plain, U3_a_refusal_is_retried_with_the_same_key, 0, sizeof harmless / sizeof *harmless);
	tcase_add_test(plain, U3_a_link_that_breaks_is_retried_with_the_same_key);
	tcase_add_test(plain, U3_pauses_double);
	tcase_add_test(plain, U3_unknown_key_leads_to_an_establishment_and_its_use);
	tcase_add_test(plain, U3_unknown_key_the_same_key_again);
	tcase_add_test(plain, U3_another_key_under_the_same_triple);
	tcase_add_test(plain, U3_a_MT_that_never_shares_is_not_asked_for_ever);
	tcase_add_test(plain, U3_a_Key_Center_that_always_refuses_is_not_asked_for_ever);
	tcase_add_test(plain, N6_an_establishment_of_ours_waits_as_the_Key_Center_says);
	tcase_add_test(plain, K12_another_SIM_is_not_tried_for_ever);
	tcase_add_test(plain, seed_7_3_no_key_at_all_is_made_when_it_is_wanted);
	tcase_add_test(plain, an_establishment_that_is_refused_ends_the_wish);
	tcase_add_test(plain, the_link_cannot_be_dialled);
	tcase_add_test(plain, K2_a_finished_handshake_confirms_a_key_without_proofs);
	tcase_add_test(plain, K2_a_waiting_key_that_is_not_shared_goes_and_the_old_one_serves);
	tcase_add_test(plain, K2_use_clears_an_owed_complete);
	tcase_add_test(plain, a_tunnel_on_an_expired_key_is_closed);
	tcase_add_test(plain, a_clock_that_jumped_allows_no_use);
	tcase_add_test(plain, stop_tells_the_MT_and_waits_for_its_tunnels);
	tcase_add_checked_fixture(on_connect, setup_on_connect, use_teardown);
	tcase_add_test(on_connect, U4_the_link_coming_up_starts_it);
	tcase_add_test(on_connect, after_an_expiry_use_on_connect_makes_one_key);
	tcase_add_test(on_connect, a_tunnel_on_a_forgotten_key_is_closed_and_no_other_is_made);
	tcase_add_checked_fixture(tls, setup_tls, use_teardown);
	tcase_add_test(tls, U8_messages_and_tunnels_alike);
	tcase_add_test(tls, U8_an_MT_without_certificates_is_named_and_not_talked_to);
	tcase_add_checked_fixture(grace, setup_grace, use_teardown);
	tcase_add_test(grace, N10_each_key_ends_at_the_end_of_its_own_grace);
	tcase_add_checked_fixture(before, setup_before_use, use_teardown);
	tcase_add_test(before, N10_the_Key_Center_is_asked_first);
	tcase_add_test(before, N10_what_it_took_back_is_not_used_and_no_other_is_made);
	tcase_add_test(before, N10_with_nobody_to_ask_it_is_used);
	tcase_add_test(before, N10_a_stop_while_it_is_asked);
	suite_add_tcase(s, before);
	suite_add_tcase(s, grace);
	suite_add_tcase(s, plain);
	suite_add_tcase(s, tls);
	suite_add_tcase(s, on_connect);
	return unit_run(s);
}
