/* use: Ks_local_MT at work: what a channel's `use` is answered, the handshake, which tunnels may stand. RULES U1 U2 U3 K2 C2 T1 */
#include <sqlite3.h>

#include "test/unit/mtd/use_rig.h"

static struct dev dev;
static struct made a, b;
static struct tun x, y;

static void
setup(void)
{
	rig_open();
	rig.bsf.lifetime_s = 86400;
	memset(&dev, 0, sizeof dev);
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	memset(&x, 0, sizeof x);
	memset(&y, 0, sizeof y);
	service_start();
}

static void
teardown(void)
{
	tun_cut(&x);
	tun_cut(&y);
	dev_close(&dev);
	service_stop();
	rig_close();
	secret_free(a.key);
	secret_free(b.key);
}

/* The MT is up, and a key of RIG_DEVICE is derived. */
static void
up(void)
{
	rig_start();
	dev_open(&dev);
	a = make_key(&dev, RIG_DEVICE, "");
}

static void
expect_closed(const struct tun *t)
{
	ck_assert(t->closed);
	ck_assert_uint_eq(tunnels(), 0);
}

/* --- the handshake */

START_TEST(K2_a_finished_handshake_confirms)
{
	struct stream s;

	up();
	ck_assert_int_eq(key_state(&a), MT_KEY_DERIVED);
	tun_use(&x, &a);
	dev_expect(&x.d, REASON_NONE);
	ck_assert_int_eq(key_state(&a), MT_KEY_DERIVED);	/* an ok confirms nothing */
	tun_secure(&x, a.key, NULL);
	ck_assert(x.up);
	ck_assert_int_eq(key_state(&a), MT_KEY_CONFIRMED);
	ck_assert_uint_eq(rig_counts().keys_confirmed, 1);
	ck_assert_uint_eq(tunnels(), 1);
	stream_open(&s, &x, SERVICE);
	ck_assert(s.up);
	stream_echoes(&s, "AT+CSQ\r");
	tun_open(&y, &a);
	ck_assert_uint_eq(rig_counts().keys_confirmed, 1);	/* once */
	ck_assert_uint_eq(tunnels(), 2);
	link_reset(s.l);
}
END_TEST

START_TEST(U3_a_wrong_key_confirms_nothing)
{
	struct secret *wrong;

	up();
	ck_ok(secret_dup(a.key, &wrong));
	secret_bytes(wrong)[0] ^= 1;
	tun_use(&x, &a);
	tun_secure(&x, wrong, NULL);		/* another key has another identity */
	expect_closed(&x);
	ck_assert_int_eq(key_state(&a), MT_KEY_DERIVED);
	tun_use(&y, &a);
	{
		char identity[LINK_PSK_IDENTITY_MAX + 1];
		struct secret *psk;

		ck_ok(link_psk_of(a.key, identity, &psk));
		secret_free(psk);
		tun_secure(&y, wrong, identity);	/* the right identity, another key */
	}
	expect_closed(&y);
	ck_assert_int_eq(y.why, REASON_LINK_PSK_REFUSED);
	ck_assert_int_eq(key_state(&a), MT_KEY_DERIVED);
	secret_free(wrong);
	tun_cut(&x);
	tun_open(&x, &a);			/* and the key works on */
}
END_TEST

START_TEST(U2_plain_octets_behind_the_ok_are_no_TLS)
{
	static const struct link_cb cb = { .on_closed = stream_on_closed };
	struct stream s = { .l = NULL };

	up();
	tun_use(&x, &a);
	dev_expect(&x.d, REASON_NONE);
	s.l = tun_detach(&x);
	link_set_cb(s.l, &cb, &s);
	ck_ok(link_write(s.l, span_str("{\"id\":1,\"op\":\"info\"}\n")));
	rig_run();
	ck_assert(s.closed);
	ck_assert_uint_eq(tunnels(), 0);
	ck_assert_int_eq(key_state(&a), MT_KEY_DERIVED);
}
END_TEST

START_TEST(U2_a_silent_handshake_ends)
{
	static const struct link_cb cb = { .on_closed = stream_on_closed };
	struct stream s = { .l = NULL };

	up();
	tun_use(&x, &a);
	s.l = tun_detach(&x);
	link_set_cb(s.l, &cb, &s);
	clock_advance(rig.clock, 60000);
	rig_run();
	ck_assert(s.closed);
	ck_assert_int_eq(key_state(&a), MT_KEY_DERIVED);
}
END_TEST

/* --- `use` refused */

START_TEST(U3_use_of_no_key)
{
	struct made other = { .key = NULL };

	up();
	memcpy(&other, &a, sizeof other);
	(void)snprintf(other.device_id, sizeof other.device_id, "%s", RIG_DEVICE2);
	tun_use(&x, &other);
	dev_expect(&x.d, REASON_LOCAL_UNKNOWN_KEY);
	ck_assert_str_eq(x.d.code, "unknown-key");
	dev_ask(&x.d, "use", complete_body(RIG_NAF2, a.btid, RIG_DEVICE, NULL));
	ck_assert_str_eq(x.d.code, "unknown-key");
	dev_ask(&x.d, "use", json_object());
	ck_assert_str_eq(x.d.code, "bad-message");
	(void)dev_info(&x.d, RIG_DEVICE);	/* the channel goes on as one of messages */
	dev_ask(&x.d, "use", complete_body(RIG_NAF, a.btid, RIG_DEVICE, NULL));
	dev_expect(&x.d, REASON_NONE);
	tun_secure(&x, a.key, NULL);
	ck_assert(x.up);
}
END_TEST

START_TEST(U3_use_of_an_expired_key)
{
	rig.bsf.lifetime_s = 600;
	up();
	clock_advance(rig.clock, 599000);
	tun_use(&x, &a);
	dev_expect(&x.d, REASON_NONE);
	clock_advance(rig.clock, 1000);
	tun_use(&y, &a);
	dev_expect(&y.d, REASON_LOCAL_UNKNOWN_KEY);
	ck_assert(x.d.closed);			/* it expired between ok and handshake */
	ck_assert_uint_eq(tunnels(), 0);
}
END_TEST

START_TEST(T2_use_with_a_clock_that_jumped)
{
	up();
	clock_step_wall(rig.clock, INT64_C(3) * 86400 * 1000);
	tun_use(&x, &a);
	dev_expect(&x.d, REASON_CLOCK_JUMPED);
	ck_assert_str_eq(x.d.code, "clock-jumped");
	clock_step_wall(rig.clock, -INT64_C(3) * 86400 * 1000);
	dev_ask(&x.d, "use", complete_body(RIG_NAF, a.btid, RIG_DEVICE, NULL));
	dev_expect(&x.d, REASON_NONE);
}
END_TEST

START_TEST(U5_tunnels_max)
{
	rig.conf.tunnels_max = 1;
	up();
	tun_open(&x, &a);
	tun_use(&y, &a);
	dev_expect(&y.d, REASON_MT_TUNNELS_MAX);
	ck_assert_str_eq(y.d.code, "busy");
	ck_assert_int_gt(y.d.retry_after_s, 0);
	tun_cut(&x);
	dev_ask(&y.d, "use", complete_body(RIG_NAF, a.btid, RIG_DEVICE, NULL));
	dev_expect(&y.d, REASON_NONE);
	tun_use(&x, &a);			/* two on their way at once: the later one is closed */
	dev_expect(&x.d, REASON_NONE);
	tun_secure(&y, a.key, NULL);
	ck_assert(y.up);
	tun_secure(&x, a.key, NULL);
	ck_assert(x.closed && y.up);
	ck_assert_uint_eq(tunnels(), 1);
}
END_TEST

/* One of two whose handshakes are done in one turn, before either's confirmation is on disk. */
START_TEST(U5_tunnels_max_of_one_turn)
{
	rig.conf.tunnels_max = 1;
	up();
	tun_use(&x, &a);
	dev_expect(&x.d, REASON_NONE);
	tun_use(&y, &a);
	dev_expect(&y.d, REASON_NONE);
	tun_begin(&x, a.key, NULL);
	tun_begin(&y, a.key, NULL);
	rig_run();
	ck_assert_uint_eq(tunnels(), 1);
	ck_assert(x.closed != y.closed);
}
END_TEST

/* --- U2: a channel that is not quiet */

static char got[65536];
static size_t got_n;

static void
raw_on_data(struct link *l, void *arg)
{
	struct span in = link_input(l);

	(void)arg;
	ck_assert_uint_lt(got_n + in.n, sizeof got);
	memcpy(got + got_n, in.p, in.n);
	got_n += in.n;
	got[got_n] = '\0';
	link_drain(l, in.n);
}

/* text, @ for the key's `use`, in pieces of chunk octets; true: the MT closed. */
static bool
say(const char *text, size_t chunk)
{
	static const struct link_cb cb = { .on_data = raw_on_data, .on_closed = stream_on_closed };
	static const struct link_options opt;
	struct stream s = { .l = NULL };
	char line[512], all[2048] = "";
	bool closed;

	(void)snprintf(line, sizeof line, "{\"id\":99,\"op\":\"use\",\"naf_id\":\"" RIG_NAF "\",\"btid\":\"%s\",\"device_id\":\"%s\"}\n", a.btid,
	    a.device_id);
	for (const char *p = text; *p != '\0'; p++)
		(void)snprintf(all + strlen(all), sizeof all - strlen(all), *p == '@' ? "%s" : "%.1s", *p == '@' ? line : p);
	got_n = 0;
	got[0] = '\0';
	link_mem_set_chunk(rig.net, chunk);
	ck_ok(link_connect(rig.net, RIG_LINK, &opt, &cb, &s, &s.l));
	rig_run();
	ck_ok(link_write(s.l, span_str(all)));
	rig_run();
	link_mem_set_chunk(rig.net, 0);
	closed = s.closed;
	link_free(s.l);
	rig_run();
	return closed;
}

static const char *const crowded[] = {
	"@x", "@\n", "@@", "@{\"id\":1,\"op\":\"info\"}\n", "@{\"id\":1,\"op\":\"in", "@\x16\x03\x01\x02",
	"@{\"id\":1,\"op\":\"forget\",\"naf_id\":\"" RIG_NAF "\",\"btid\":\"a@b.example\",\"device_id\":\"x\"}\n",
	"{\"id\":1,\"op\":\"derive\",\"naf_id\":\"" RIG_NAF "\",\"device_id\":\"urn:other\"}\n@",	/* no answer yet: the BSF is asked */
};

START_TEST(U2_octets_behind_use_close_the_channel)
{
	up();
	ck_assert_msg(say(crowded[_i], 0), "%s", got);
	ck_assert_ptr_nonnull(strstr(got, "\"id\":99,\"error\":{\"code\":\"bad-message\""));
	ck_assert_ptr_null(strstr(got, "\"id\":99,\"ok\""));
	ck_assert_uint_eq(tunnels(), 0);
	ck_assert_int_eq(key_state(&a), MT_KEY_DERIVED);
	/* octet for octet the same may come too late to be seen; then they are no TLS */
	ck_assert(say(crowded[_i], 1));
	ck_assert_uint_eq(tunnels(), 0);
	ck_assert_int_eq(key_state(&a), MT_KEY_DERIVED);
	tun_open(&x, &a);
}
END_TEST

START_TEST(U2_answered_requests_before_use_are_fine)
{
	up();
	tun_use(&x, &a);
	tun_cut(&x);
	dev_open(&x.d);
	dev_ask(&x.d, "hello", json_pack("{s:s}", "device_id", RIG_DEVICE));
	(void)dev_info(&x.d, RIG_DEVICE);
	dev_ask(&x.d, "use", complete_body(RIG_NAF, a.btid, RIG_DEVICE, NULL));
	dev_expect(&x.d, REASON_NONE);
	tun_secure(&x, a.key, NULL);
	ck_assert(x.up);
}
END_TEST

/* While the card is read `use` waits; the device may be gone by then. */
START_TEST(U2_a_channel_that_went_while_use_waited)
{
	up();
	mt_uicc_soft_eject(rig.uicc);
	rig_insert(1);
	dev_open(&x.d);
	dev_send(&x.d, "use", complete_body(RIG_NAF, a.btid, RIG_DEVICE, NULL));
	(void)link_mem_run(rig.net);
	dev_close(&x.d);
	ck_assert_uint_eq(tunnels(), 0);
	tun_open(&x, &a);
}
END_TEST

static void
card_is_mine(struct mt_uicc_session *card, void *arg)
{
	(void)card, (void)arg;
}

static void
card_went(struct mt_uicc_session *card, enum reason why, void *arg)
{
	(void)card, (void)why, (void)arg;
	ck_abort_msg("the card went");
}

/* Somebody else has the card, so the MT has not read it yet. */
START_TEST(U10_use_says_that_the_card_is_read)
{
	static const struct mt_uicc_cb cb = { .on_begun = card_is_mine, .on_ended = card_went };
	struct mt_uicc_session *card;

	up();
	mt_uicc_soft_eject(rig.uicc);
	rig_run();
	rig_insert(1);
	ck_ok(mt_uicc_begin(rig.uicc, &cb, NULL, &card));
	dev_open(&x.d);
	dev_send(&x.d, "use", complete_body(RIG_NAF, a.btid, RIG_DEVICE, NULL));
	rig_run();
	ck_assert_int_eq(x.d.answers, 0);
	ck_assert_str_eq(x.d.word, "waiting-card");
	mt_uicc_end(card);
	rig_run();
	dev_expect(&x.d, REASON_NONE);
	tun_secure(&x, a.key, NULL);
	ck_assert(x.up);
}
END_TEST

/* --- durable before told */

static int fail_commits;
static int
on_commit(void *arg)
{
	(void)arg;
	return fail_commits;
}

START_TEST(K2_a_confirmation_that_is_not_durable_secures_nothing)
{
	sqlite3 *db;

	up();
	db = sqlite3_db_handle((sqlite3_stmt *)store_stmt(rig.store, 0));
	sqlite3_commit_hook(db, on_commit, NULL);
	tun_use(&x, &a);
	fail_commits = 1;
	tun_secure(&x, a.key, NULL);
	fail_commits = 0;
	expect_closed(&x);
	ck_assert_int_eq(key_state(&a), MT_KEY_DERIVED);
	sqlite3_commit_hook(db, NULL, NULL);
	tun_open(&y, &a);
	ck_assert_int_eq(key_state(&a), MT_KEY_CONFIRMED);
}
END_TEST

/* --- renewal (U1) */

/* A newer key of the same device comes into use: by complete, or by a handshake. The older one's row is gone then. */
static void
renew(bool complete)
{
	b = make_key_holding(&dev, RIG_DEVICE, a.key);
	ck_assert_str_ne(a.btid, b.btid);
	ck_assert_int_eq(key_state(&a), MT_KEY_CONFIRMED);	/* it serves until the newer one was used */
	if (complete) {
		dev_complete(&dev, RIG_NAF, b.btid, RIG_DEVICE, b.challenge);
		dev_expect(&dev, REASON_NONE);
		rig_run();
	}
	tun_open(&y, &b);
	ck_assert_int_eq(key_state(&a), -1);
	ck_assert_int_eq(key_state(&b), MT_KEY_CONFIRMED);
}

START_TEST(U1_renewal_interrupts_nothing)
{
	struct stream s, t, none;

	rig.bsf.lifetime_s = 3600;
	up();
	tun_open(&x, &a);
	stream_open(&s, &x, SERVICE);
	stream_echoes(&s, "before");
	clock_advance(rig.clock, 1000000);
	renew(_i == 0);
	ck_assert(!x.closed);
	stream_echoes(&s, "after");			/* what runs goes on */
	stream_open(&t, &y, SERVICE);
	stream_echoes(&t, "new");
	memset(&none, 0, sizeof none);
	ck_rc(tunnel_open(x.t, SERVICE, &stream_cb, &none, &none.l), RC_STATE);	/* no new ones */
	/* … until the older key's own expiry */
	clock_advance(rig.clock, 2599000);
	rig_run();
	ck_assert(!x.closed && !s.closed);
	clock_advance(rig.clock, 1000);
	rig_run();
	ck_assert(x.closed && s.closed);
	ck_assert(!y.closed && !t.closed);
	stream_echoes(&t, "still");
	link_reset(t.l);
}
END_TEST

START_TEST(U1_a_drained_tunnel_ends_with_its_last_stream)
{
	struct stream s;

	up();
	tun_open(&x, &a);
	stream_open(&s, &x, SERVICE);
	renew(true);
	ck_assert_uint_eq(tunnels(), 2);
	ck_ok(link_shutdown(s.l));
	rig_run();
	ck_assert(s.closed && s.why == REASON_NONE);
	ck_assert(x.closed && !y.closed);
	ck_assert_uint_eq(tunnels(), 1);
}
END_TEST

/* A replaced tunnel leans on the newer key: that one gone, nothing is left of the pair. */
START_TEST(U1_the_newer_key_gone_ends_both)
{
	struct triple t;
	struct iccid iccid;
	struct stream s;

	up();
	tun_open(&x, &a);
	stream_open(&s, &x, SERVICE);
	renew(false);
	t = made_triple(&b);
	ck_ok(mt_store_last_card(rig.store, &iccid));
	ck_ok(mt_store_forget_key(rig.store, &iccid, &t));
	mt_gba_keys_gone(rig.mt->gba, INT64_MAX);
	rig_run();
	ck_assert(x.closed && y.closed && s.closed);
	ck_assert_uint_eq(tunnels(), 0);
}
END_TEST

/* --- keys that go away */

START_TEST(T1_a_tunnel_ends_with_its_key)
{
	struct stream s;

	rig.bsf.lifetime_s = 600;
	up();
	tun_open(&x, &a);
	stream_open(&s, &x, SERVICE);
	clock_advance(rig.clock, 599999);
	rig_run();
	ck_assert(!x.closed);
	clock_advance(rig.clock, 1);
	rig_run();
	ck_assert(x.closed && s.closed);
	ck_assert_uint_eq(tunnels(), 0);
	ck_assert(service.conn[0].closed);
	ck_assert_int_eq(key_state(&a), -1);
}
END_TEST

/* A wall clock that was set forward, but not too far, expires keys: seen within a minute. */
START_TEST(T1_a_tunnel_ends_after_a_step_of_the_clock)
{
	rig.bsf.lifetime_s = 7200;
	up();
	tun_open(&x, &a);
	clock_step_wall(rig.clock, 7200 * 1000);
	clock_advance(rig.clock, 60000);
	rig_run();
	ck_assert(x.closed);
	ck_assert_uint_eq(tunnels(), 0);
}
END_TEST

START_TEST(T2_a_jump_closes_no_tunnel)
{
	struct stream s;

	rig.bsf.lifetime_s = 86400;
	up();
	tun_open(&x, &a);
	clock_step_wall(rig.clock, INT64_C(3) * 86400 * 1000);
	clock_advance(rig.clock, 60000);
	rig_run();
	ck_assert(!x.closed);
	stream_open(&s, &x, SERVICE);
	stream_echoes(&s, "on");
	link_reset(s.l);
}
END_TEST

START_TEST(N9_a_limited_key_ends_earlier)
{
	struct triple t;
	struct iccid iccid;
	bool shorter;

	up();
	tun_open(&x, &a);
	t = made_triple(&a);
	ck_ok(mt_store_last_card(rig.store, &iccid));
	ck_ok(mt_store_limit_key(rig.store, &iccid, &t, RIG_NOW + 300, &shorter));
	ck_assert(shorter);
	mt_gba_keys_gone(rig.mt->gba, RIG_NOW + 300);
	rig_run();
	ck_assert(!x.closed);
	clock_advance(rig.clock, (RIG_NOW + 300) * 1000 - clock_now_ms(rig.clock));
	rig_run();
	ck_assert(x.closed);
	ck_assert_uint_eq(tunnels(), 0);
}
END_TEST

/* A key that was limited before, and then replaced, is replaced like any other: its tombstone does not say that it was revoked. */
START_TEST(N9_a_limited_key_that_was_replaced)
{
	struct triple t;
	struct iccid iccid;
	struct stream s;
	bool shorter;

	up();
	tun_open(&x, &a);
	stream_open(&s, &x, SERVICE);
	t = made_triple(&a);
	ck_ok(mt_store_last_card(rig.store, &iccid));
	ck_ok(mt_store_limit_key(rig.store, &iccid, &t, RIG_NOW + 3000, &shorter));
	mt_gba_keys_gone(rig.mt->gba, RIG_NOW + 3000);
	rig_run();
	renew(true);
	ck_assert(!x.closed && !s.closed);
	stream_echoes(&s, "on");
	clock_advance(rig.clock, (RIG_NOW + 3000) * 1000 - clock_now_ms(rig.clock));	/* no longer than to its end */
	rig_run();
	ck_assert(x.closed && s.closed);
	ck_assert(!y.closed);
}
END_TEST

START_TEST(N8_a_revoked_key_ends_its_tunnels_at_once)
{
	struct triple t;
	struct iccid iccid;
	struct stream s;

	up();
	tun_open(&x, &a);
	tun_use(&y, &a);		/* and one that is on its way */
	stream_open(&s, &x, SERVICE);
	t = made_triple(&a);
	ck_ok(mt_store_last_card(rig.store, &iccid));
	ck_ok(mt_store_revoke_key(rig.store, &iccid, &t, "test"));
	mt_gba_keys_gone(rig.mt->gba, INT64_MAX);
	rig_run();
	ck_assert(x.closed && s.closed);
	ck_assert(y.d.closed);
	ck_assert_uint_eq(tunnels(), 0);
	tun_cut(&x);
	tun_use(&x, &a);
	dev_expect(&x.d, REASON_LOCAL_UNKNOWN_KEY);
}
END_TEST

/* --- C2: the card */

static const struct {
	enum mt_without_card conf;
	bool out_closes;
} without[] = {
	{ MT_WITHOUT_CARD_USABLE, false }, { MT_WITHOUT_CARD_SUSPENDED, true }, { MT_WITHOUT_CARD_DELETED, true }
};

START_TEST(C2_tunnels_while_the_card_is_out)
{
	rig.conf.without_card = without[_i].conf;
	up();
	tun_open(&x, &a);
	mt_uicc_soft_eject(rig.uicc);
	rig_run();
	ck_assert_int_eq(x.closed, without[_i].out_closes);
	ck_assert_uint_eq(tunnels(), without[_i].out_closes ? 0 : 1);
	tun_use(&y, &a);
	if (without[_i].out_closes)
		ck_assert_ptr_null(y.d.ok);
	else
		dev_expect(&y.d, REASON_NONE);
	rig_insert(1);
	rig_run();
	ck_assert_int_eq(key_state(&a), without[_i].conf == MT_WITHOUT_CARD_DELETED ? -1 : MT_KEY_CONFIRMED);
	if (without[_i].conf != MT_WITHOUT_CARD_DELETED) {
		tun_cut(&y);
		tun_open(&y, &a);
	}
}
END_TEST

START_TEST(C2_another_card_closes_tunnels)
{
	struct stream s;

	up();
	tun_open(&x, &a);
	tun_use(&y, &a);
	stream_open(&s, &x, SERVICE);
	mt_uicc_soft_eject(rig.uicc);
	rig_run();
	ck_assert(!x.closed);
	rig_insert(2);
	rig_run();
	ck_assert(x.closed && s.closed);
	ck_assert(y.d.closed);
	ck_assert_uint_eq(tunnels(), 0);
	ck_assert_int_eq(key_state(&a), -1);
}
END_TEST

/* --- life */

static bool stopped;
static void
on_stopped(void *arg)
{
	(void)arg;
	stopped = true;
}

START_TEST(stop_ends_tunnels_in_good_order)
{
	struct stream s;

	up();
	tun_open(&x, &a);
	stream_open(&s, &x, SERVICE);
	dev_close(&dev);
	stopped = false;
	mt_stop(rig.mt, on_stopped, NULL);
	for (int i = 0; i < 100 && !stopped; i++) {
		rig_run();
		clock_advance(rig.clock, 100);
	}
	ck_assert(stopped);
	ck_assert(x.closed && x.why == REASON_TUNNEL_CLOSED && s.closed);
}
END_TEST

START_TEST(tunnels_are_listed)
{
	json_t *list, *o;
	struct stream s;
	char kcv[KCV_LEN + 1];

	up();
	tun_open(&x, &a);
	stream_open(&s, &x, SERVICE);
	ck_ok(secret_kcv(a.key, kcv));
	list = mt_use_list(rig.mt->use);
	ck_assert_uint_eq(json_array_size(list), 1);
	o = json_array_get(list, 0);
	ck_assert_str_eq(json_string_value(json_object_get(o, "device_id")), RIG_DEVICE);
	ck_assert_str_eq(json_string_value(json_object_get(o, "btid")), a.btid);
	ck_assert_str_eq(json_string_value(json_object_get(o, "naf_id")), RIG_NAF);
	ck_assert_str_eq(json_string_value(json_object_get(o, "kcv")), kcv);
	ck_assert_int_eq(strncmp(json_string_value(json_object_get(o, "link")), "u/", 2), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "streams")), 1);
	ck_assert(json_is_false(json_object_get(o, "draining")));
	json_decref(list);
	link_reset(s.l);
}
END_TEST

/* "use", "secured", "closed": unnumbered steps, for ksctl trace and the ladder. */
START_TEST(S1_use_is_traced)
{
	static const char *const want[] = { "use", "secured", "closed" };
	json_t *all, *e;
	size_t i, n = 0;

	up();
	tun_open(&x, &a);
	tun_cut(&x);
	all = trace_since(rig.trace, 0);
	json_array_foreach(all, i, e) {
		const char *msg = json_string_value(json_object_get(e, "msg"));

		if (n < 3 && msg != NULL && strcmp(msg, want[n]) == 0) {
			ck_assert_int_eq(json_integer_value(json_object_get(e, "step")), 0);
			ck_assert_str_eq(json_string_value(json_object_get(e, "btid")), a.btid);
			n++;
		}
	}
	ck_assert_uint_eq(n, 3);
	json_decref(all);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/use");
	TCase *t = tcase_create("use");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, K2_a_finished_handshake_confirms);
	tcase_add_test(t, U3_a_wrong_key_confirms_nothing);
	tcase_add_test(t, U2_plain_octets_behind_the_ok_are_no_TLS);
	tcase_add_test(t, U2_a_silent_handshake_ends);
	tcase_add_test(t, U3_use_of_no_key);
	tcase_add_test(t, U3_use_of_an_expired_key);
	tcase_add_test(t, T2_use_with_a_clock_that_jumped);
	tcase_add_test(t, U5_tunnels_max);
	tcase_add_test(t, U5_tunnels_max_of_one_turn);
	tcase_add_loop_test(t, U2_octets_behind_use_close_the_channel, 0, (int)(sizeof crowded / sizeof *crowded));
	tcase_add_test(t, U2_answered_requests_before_use_are_fine);
	tcase_add_test(t, U2_a_channel_that_went_while_use_waited);
	tcase_add_test(t, U10_use_says_that_the_card_is_read);
	tcase_add_test(t, K2_a_confirmation_that_is_not_durable_secures_nothing);
	tcase_add_loop_test(t, U1_renewal_interrupts_nothing, 0, 2);
	tcase_add_test(t, U1_a_drained_tunnel_ends_with_its_last_stream);
	tcase_add_test(t, U1_the_newer_key_gone_ends_both);
	tcase_add_test(t, T1_a_tunnel_ends_with_its_key);
	tcase_add_test(t, T1_a_tunnel_ends_after_a_step_of_the_clock);
	tcase_add_test(t, T2_a_jump_closes_no_tunnel);
	tcase_add_test(t, N9_a_limited_key_ends_earlier);
	tcase_add_test(t, N9_a_limited_key_that_was_replaced);
	tcase_add_test(t, N8_a_revoked_key_ends_its_tunnels_at_once);
	tcase_add_loop_test(t, C2_tunnels_while_the_card_is_out, 0, 3);
	tcase_add_test(t, C2_another_card_closes_tunnels);
	tcase_add_test(t, stop_ends_tunnels_in_good_order);
	tcase_add_test(t, tunnels_are_listed);
	tcase_add_test(t, S1_use_is_traced);
	suite_add_tcase(s, t);
	return unit_run(s);
}
