/*
 * GBA_U and the life of a card, through the whole MT with a software card. RULES C2 C3 K6; issue 4: GBA_U, Applications, Card life.
 */
#include <unistd.h>

#include "mtd/ef.h"
#include "mtd/ef_gba.h"
#include "test/unit/mtd/rig.h"

#define ISIM_IMPI "user@ims.operator.example"

static struct dev dev;

static void
serve(enum mt_app_kind app, unsigned service)
{
	rig.form.app[app].services[(service - 1) / 8] |= (uint8_t)(1 << (service - 1) % 8);
}

/* Take out what rig_open() put in, and put the card of subscriber 1 in as rig.form has it. */
static void
other_form(void)
{
	mt_uicc_soft_eject(rig.uicc);
	rig_insert(1);
}

static void
setup(void)
{
	rig_open();
	memset(&dev, 0, sizeof dev);
	(void)snprintf(rig.card_state, sizeof rig.card_state, "/tmp/mt-gba-u-%d.state", (int)getpid());
	serve(MT_APP_USIM, MT_SERVICE_GBA);
	other_form();
	rig.bsf.gba_u = true;
}

static void
teardown(void)
{
	json_decref(dev.ok);
	rpc_free(dev.rpc);
	rig_close();
}

static void
up(void)
{
	rig_start();
	dev_open(&dev);
}

static void
restart(void)
{
	dev_close(&dev);
	rig_down();
	up();
}

static char *
text_of(const char *name)
{
	char *s = strdup(dev_text(&dev, name));

	ck_assert_ptr_nonnull(s);
	return s;
}

/* derive without a B-TID, then complete with what the BSF's Ks gives; the B-TID, the caller's to free. */
static char *
establish(const char *naf, const char *device)
{
	char *btid, *challenge;

	dev_derive(&dev, naf, device, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	btid = text_of("btid");
	challenge = text_of("challenge");
	dev_complete(&dev, naf, btid, device, challenge);
	dev_expect(&dev, REASON_NONE);
	free(challenge);
	return btid;
}

static struct mt_app
app_in_store(enum mt_app_kind kind)
{
	struct mt_app app;

	(void)snprintf(app.iccid.s, sizeof app.iccid.s, "89880000000000000001");
	(void)snprintf(app.aid, sizeof app.aid, kind == MT_APP_ISIM ? "a0000000871004" : "a0000000871002");
	return app;
}

/* RC_NOTFOUND, or where the stored Ks of the USIM is. */
static enum rc
stored_ks(bool *in_uicc)
{
	struct mt_app app = app_in_store(MT_APP_USIM);
	struct mt_ks ks;
	enum rc rc = mt_store_get_ks(rig.store, &app, clock_now_s(rig.clock), 0, &ks);

	if (rc != RC_OK)
		return rc;
	*in_uicc = ks.ks == NULL;
	mt_ks_clear(&ks);
	return RC_OK;
}

/* --- the procedure */

START_TEST(gba_u_scenario_1_then_2)
{
	bool in_uicc = false;
	char *btid, *challenge;

	up();
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
	btid = establish(RIG_NAF, RIG_DEVICE);		/* the Key Center's key, out of the card's Ks_ext_NAF */
	ck_assert_int_eq(rig_keys(MT_KEY_CONFIRMED), 1);
	ck_ok(stored_ks(&in_uicc));
	ck_assert(in_uicc);
	ck_assert_int_eq(rig.bsf.challenges, 1);
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE2), btid);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, btid, NULL);
	challenge = text_of("challenge");
	dev_complete(&dev, RIG_NAF, btid, RIG_DEVICE2, challenge);
	dev_expect(&dev, REASON_NONE);
	ck_assert_int_eq(rig.bsf.done, 1);
	free(challenge);
	free(btid);
}
END_TEST

START_TEST(k6_gba_u_second_device_costs_no_apdu)
{
	uint64_t apdus;
	char *btid;

	up();
	btid = establish(RIG_NAF, RIG_DEVICE);
	apdus = mt_uicc_apdus(rig.uicc);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, btid, NULL);
	dev_expect(&dev, REASON_NONE);
	ck_assert_uint_eq(mt_uicc_apdus(rig.uicc), apdus);
	ck_assert_uint_eq(rig_counts().naf_derivations, 1);
	free(btid);
}
END_TEST

/* Many at once: the UICC derives once, and all have their keys. */
START_TEST(k6_gba_u_devices_at_once)
{
	struct dev d[4];
	char id[64];

	up();
	for (int i = 0; i < 4; i++)
		dev_open(&d[i]);
	for (int i = 0; i < 4; i++) {
		(void)snprintf(id, sizeof id, "urn:x:%d", i);
		dev_send(&d[i], "derive", derive_body(RIG_NAF, id, NULL, NULL));
	}
	rig_run();
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(d[i].answers, 1);
		dev_expect(&d[i], REASON_NONE);
		ck_assert_str_eq(d[i].word, "waiting-card");
		dev_close(&d[i]);
	}
	ck_assert_uint_eq(rig_counts().naf_derivations, 1);
	ck_assert_uint_eq(rig_counts().ub_runs, 1);
	ck_assert_uint_eq(rig_counts().keys_derived, 4);
}
END_TEST

/* TS 33.220 B.4: the UICC derives it for BSF_Id. */
START_TEST(gba_u_tmpi)
{
	char *first;

	up();
	free(establish(RIG_NAF, RIG_DEVICE));
	ck_assert_str_eq(rig.bsf.last_username, RIG_IMPI);
	first = strdup(rig.bsf.tmpi);
	(void)dev_info(&dev, RIG_DEVICE);
	free(establish(RIG_NAF, RIG_DEVICE));
	ck_assert_int_eq(rig.bsf.done, 2);
	ck_assert_str_eq(rig.bsf.last_username, first);
	free(first);
}
END_TEST

START_TEST(gba_u_without_tmpi)
{
	rig.bsf.tmpi_token = false;
	up();
	free(establish(RIG_NAF, RIG_DEVICE));
	(void)dev_info(&dev, RIG_DEVICE);
	free(establish(RIG_NAF, RIG_DEVICE));
	ck_assert_str_eq(rig.bsf.last_username, RIG_IMPI);
}
END_TEST

/* SQN of the AuC set back: AUTS in the GBA context. */
START_TEST(gba_u_resynchronises)
{
	up();
	free(establish(RIG_NAF, RIG_DEVICE));
	rig.bsf.sqn = 0;
	(void)dev_info(&dev, RIG_DEVICE);
	free(establish(RIG_NAF, RIG_DEVICE));
	ck_assert_int_eq(rig.bsf.resyncs, 1);
}
END_TEST

/* How GBA_U ends where one side does not do it. */
static const struct {
	enum mt_gba_mode mode;
	bool card, bsf;
	enum reason why;
	int challenges;
	bool in_uicc;
} ends[] = {
	{ MT_GBA_AUTO, true, true, REASON_NONE, 1, true },
	{ MT_GBA_AUTO, true, false, REASON_BSF_AUTN_STAR, 2, false },	/* the card claims it, the BSF does not */
	{ MT_GBA_AUTO, false, false, REASON_NONE, 1, false },		/* GBA_ME on a card without the service */
	{ MT_GBA_AUTO, false, true, REASON_BSF_AUTN, 2, false },
	{ MT_GBA_ME, true, false, REASON_NONE, 1, false },		/* refused by policy */
	{ MT_GBA_ME, true, true, REASON_BSF_AUTN, 2, false },
	{ MT_GBA_U, true, true, REASON_NONE, 1, true },
	{ MT_GBA_U, true, false, REASON_BSF_AUTN_STAR, 2, false },
	{ MT_GBA_U, false, true, REASON_CARD_NO_GBA_U, 0, false },
	{ MT_GBA_U, false, false, REASON_CARD_NO_GBA_U, 0, false },
};
START_TEST(gba_u_each_way_ends)
{
	bool in_uicc = false;

	if (!ends[_i].card) {
		memset(rig.form.app[MT_APP_USIM].services, 0, sizeof rig.form.app[0].services);
		other_form();
	}
	rig.conf.gba = ends[_i].mode;
	rig.bsf.gba_u = ends[_i].bsf;
	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, ends[_i].why);
	ck_assert_int_eq(rig.bsf.challenges, ends[_i].challenges);
	if (ends[_i].why != REASON_NONE) {
		ck_assert_str_eq(dev.code, "bootstrap-failed");
		ck_rc(stored_ks(&in_uicc), RC_NOTFOUND);
		return;
	}
	ck_ok(stored_ks(&in_uicc));
	ck_assert(in_uicc == ends[_i].in_uicc);
}
END_TEST

/* A run that no BSF saw costs nobody (K8). */
START_TEST(k8_no_gba_u_is_not_paid)
{
	memset(rig.form.app[MT_APP_USIM].services, 0, sizeof rig.form.app[0].services);
	other_form();
	rig.conf.gba = MT_GBA_U;
	rig.conf.runs_per_hour_device = 1;
	up();
	for (int i = 0; i < 3; i++) {
		dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
		dev_expect(&dev, REASON_CARD_NO_GBA_U);
	}
	ck_assert_int_eq(rig.bsf.requests, 0);
}
END_TEST

START_TEST(gba_u_not_with_akav2)
{
	rig.bsf.alg = DIGEST_ALG_AKAV2_MD5;
	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_BSF_CHALLENGE);
}
END_TEST

/* --- C3, EF_GBABP */

static void say(const char *hex);

static struct {
	struct mt_uicc_session *s;
	const char *const *hex;
	uint16_t sw;
} terminal;

static void
on_said(void *arg, struct span data, uint16_t sw)
{
	(void)arg;
	(void)data;
	terminal.sw = sw;
	if (*terminal.hex == NULL) {
		mt_uicc_end(terminal.s);
		terminal.s = NULL;
		return;
	}
	say(*terminal.hex++);
}

static void
say(const char *hex)
{
	uint8_t b[300];
	struct span text = span_str(hex);

	ck_ok(hex_parse(text, b, text.n / 2));
	ck_ok(mt_uicc_transmit(terminal.s, span_of(b, text.n / 2), on_said, NULL));
}

static void
on_begun(struct mt_uicc_session *s, void *arg)
{
	(void)s;
	(void)arg;
	say(*terminal.hex++);
}

static void
on_ended(struct mt_uicc_session *s, enum reason why, void *arg)
{
	(void)s;
	(void)why;
	(void)arg;
	ck_abort_msg("the card ended the session");
}

/* Another program bootstraps on the card: its run replaces ours in it. */
static void
another_terminal(void)
{
	static const struct mt_uicc_cb cb = { on_begun, on_ended };
	static const uint8_t amf[2] = { 0x80, 0 }, rand[16] = { 0x77 };
	static char bootstrap[120];
	static const char *const talk[] = { "00a4040007a000000087100200", bootstrap, NULL };
	struct aka_vector v;
	char r[33], a[33];

	ck_ok(sqn_next(rig.bsf.sqn, 2, &rig.bsf.sqn));
	ck_ok(aka_make(rig.k, rig.opc, rand, rig.bsf.sqn, amf, &v));
	ck_ok(aka_autn_star(v.ik, v.autn, v.autn));
	hex_print(span_of(rand, 16), r);
	hex_print(span_of(v.autn, 16), a);
	(void)snprintf(bootstrap, sizeof bootstrap, "0088008423dd10%s10%s00", r, a);
	terminal.hex = talk;
	ck_ok(mt_uicc_begin(rig.uicc, &cb, NULL, &terminal.s));
	rig_run();
	ck_assert_ptr_null(terminal.s);
	ck_assert_uint_eq(terminal.sw, 0x9000);
	aka_vector_clear(&v);
}

START_TEST(c3_another_terminal_took_the_card)
{
	bool in_uicc = false;
	char *btid;

	up();
	btid = establish(RIG_NAF, RIG_DEVICE);
	another_terminal();
	/* what was derived before is still ours (K6) */
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, btid, NULL);
	dev_expect(&dev, REASON_NONE);
	/* a new derivation is not */
	rig.conf.naf_any = true;
	restart();
	ck_rc(stored_ks(&in_uicc), RC_NOTFOUND);	/* seen at once when the card is read */
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
	free(btid);
}
END_TEST

START_TEST(c3_found_before_the_derivation)
{
	struct mt_counts n;
	bool in_uicc = false;
	char *btid;

	(void)snprintf(rig.path, sizeof rig.path, "/tmp/mt-gba-u-%d.db", (int)getpid());
	rig.conf.naf_any = true;
	up();
	btid = establish(RIG_NAF, RIG_DEVICE);
	another_terminal();
	dev_derive(&dev, RIG_NAF2, RIG_DEVICE, btid, NULL);
	dev_expect(&dev, REASON_CARD_OTHER_KS);
	ck_assert_str_eq(dev.code, "stale-btid");
	n = rig_counts();
	ck_assert_uint_eq(n.naf_derivations, 1);
	ck_rc(stored_ks(&in_uicc), RC_NOTFOUND);	/* the B-TID is dropped */
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
	ck_assert_int_eq(rig_keys(-1), 1);		/* the key that works is not */
	free(establish(RIG_NAF2, RIG_DEVICE));
	ck_assert_int_eq(rig.bsf.done, 2);
	free(btid);
}
END_TEST

START_TEST(gba_u_goes_on_after_a_restart)
{
	char *btid;

	(void)snprintf(rig.path, sizeof rig.path, "/tmp/mt-gba-u-%d.db", (int)getpid());
	rig.conf.naf_any = true;
	up();
	btid = establish(RIG_NAF, RIG_DEVICE);
	restart();
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), btid);
	dev_derive(&dev, RIG_NAF2, RIG_DEVICE, btid, NULL);	/* out of the Ks in the card */
	dev_expect(&dev, REASON_NONE);
	ck_assert_uint_eq(rig_counts().ub_runs, 0);
	ck_assert_int_eq(rig.bsf.done, 1);
	free(btid);
}
END_TEST

/* … also with a store that knows nothing: EF_GBABP tells B-TID and lifetime. */
START_TEST(gba_u_goes_on_from_the_card_alone)
{
	struct mt_app app = app_in_store(MT_APP_USIM);
	struct mt_ks ks;
	char *btid, *challenge;

	up();
	btid = establish(RIG_NAF, RIG_DEVICE);
	restart();		/* the store was in memory */
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), btid);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, btid, NULL);
	dev_expect(&dev, REASON_NONE);
	challenge = text_of("challenge");
	dev_complete(&dev, RIG_NAF, btid, RIG_DEVICE, challenge);
	dev_expect(&dev, REASON_NONE);
	ck_ok(mt_store_get_ks(rig.store, &app, RIG_NOW, 0, &ks));
	ck_assert(ks.ks == NULL && ks.expires == RIG_NOW + 3600);
	mt_ks_clear(&ks);
	ck_assert_uint_eq(rig_counts().ub_runs, 0);
	free(challenge);
	free(btid);
}
END_TEST

START_TEST(gba_u_expired_in_the_card)
{
	up();
	free(establish(RIG_NAF, RIG_DEVICE));
	clock_advance(rig.clock, 3600 * 1000);
	restart();
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
}
END_TEST

/* uicc { gba } changed: a Ks whose place is not in force any more is not used. */
START_TEST(gba_u_then_me_by_policy)
{
	bool in_uicc = true;

	(void)snprintf(rig.path, sizeof rig.path, "/tmp/mt-gba-u-%d.db", (int)getpid());
	up();
	free(establish(RIG_NAF, RIG_DEVICE));
	rig.conf.gba = MT_GBA_ME;
	rig.bsf.gba_u = false;
	restart();
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
	free(establish(RIG_NAF, RIG_DEVICE));
	ck_ok(stored_ks(&in_uicc));
	ck_assert(!in_uicc);
}
END_TEST

static struct {
	struct clock_timer *t;
	uint64_t apdus;
} pull;

static void
on_pull(void *arg)
{
	(void)arg;
	if (mt_uicc_apdus(rig.uicc) < pull.apdus)
		clock_timer_set(pull.t, 0);
	else
		mt_uicc_soft_eject(rig.uicc);
}

/* Pulled before each of the four APDUs of a derivation is answered: the asker hears it, and nothing is kept. */
START_TEST(c1_pulled_in_a_derivation)
{
	char *btid;

	rig.conf.naf_any = true;
	up();
	btid = establish(RIG_NAF, RIG_DEVICE);
	pull.apdus = mt_uicc_apdus(rig.uicc) + (uint64_t)_i + 1;
	ck_ok(clock_timer_new(rig.clock, on_pull, NULL, &pull.t));
	clock_timer_set(pull.t, 0);
	dev_send(&dev, "derive", derive_body(RIG_NAF2, RIG_DEVICE2, btid, NULL));
	rig_run();
	clock_timer_free(pull.t);
	ck_assert(!mt_uicc_present(rig.uicc));
	ck_assert_int_eq(dev.answers, 3);
	ck_assert_str_eq(dev.code, "no-uicc");
	ck_assert_uint_eq(rig_counts().naf_derivations, 1);
	ck_assert_int_eq(rig_keys(-1), 1);
	rig_insert(1);
	rig_run();
	dev_derive(&dev, RIG_NAF2, RIG_DEVICE2, btid, NULL);
	dev_expect(&dev, REASON_NONE);
	free(btid);
}
END_TEST

/* --- C2: removal */

START_TEST(c2_removed_and_put_back)
{
	bool in_uicc = false;
	char *btid;

	up();
	btid = establish(RIG_NAF, RIG_DEVICE);
	mt_uicc_soft_eject(rig.uicc);
	rig_run();
	ck_rc(stored_ks(&in_uicc), RC_NOTFOUND);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, btid, NULL);
	ck_assert_str_eq(dev.code, "no-uicc");
	ck_assert_int_eq(rig_keys(-1), 1);
	rig_insert(1);
	rig_run();
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), btid);	/* its Ks never left it */
	ck_assert_int_eq(rig_keys(-1), 1);
	ck_assert_int_eq(rig.bsf.done, 1);
	free(btid);
}
END_TEST

/* Out and in again within a run: what comes of it is not kept, wherever Ks is. */
START_TEST(c2_put_back_within_a_run)
{
	bool in_uicc = false;

	rig.bsf.gba_u = _i == 1;
	rig.conf.gba = _i == 1 ? MT_GBA_U : MT_GBA_ME;
	up();
	dev_send(&dev, "derive", derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	while (rig.bsf.done == 0) {		/* the card has answered, the 200 is on its way */
		ck_assert_int_lt(rig.bsf.requests, 3);
		link_mem_run(rig.net);
		turn_end(rig.turn);
		if (rig.bsf.done == 0 && !fake_bsf_step(&rig.bsf))
			clock_advance(rig.clock, 0);
	}
	mt_uicc_soft_eject(rig.uicc);
	rig_insert(1);
	clock_advance(rig.clock, 0);
	turn_end(rig.turn);
	clock_advance(rig.clock, 0);
	rig_run();
	ck_assert_int_eq(dev.answers, 1);
	ck_assert_str_eq(dev.code, "no-uicc");
	ck_rc(stored_ks(&in_uicc), RC_NOTFOUND);
	ck_assert_int_eq(rig_keys(-1), 0);
	free(establish(RIG_NAF, RIG_DEVICE));
}
END_TEST

static const struct {
	enum mt_without_card rule;
	enum reason complete;
	int keys;
} without[] = {
	{ MT_WITHOUT_CARD_USABLE, REASON_NONE, 1 }, { MT_WITHOUT_CARD_SUSPENDED, REASON_CARD_NONE, 1 },
	{ MT_WITHOUT_CARD_DELETED, REASON_CARD_NONE, 0 },
};
START_TEST(c2_keys_without_their_card)
{
	char *btid, *challenge;

	rig.conf.without_card = without[_i].rule;
	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	btid = text_of("btid");
	challenge = text_of("challenge");
	mt_uicc_soft_eject(rig.uicc);
	rig_run();
	dev_complete(&dev, RIG_NAF, btid, RIG_DEVICE, challenge);
	dev_expect(&dev, without[_i].complete);
	ck_assert_int_eq(rig_keys(-1), without[_i].keys);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	ck_assert_str_eq(dev.code, "no-uicc");		/* whatever the rule */
	rig_insert(1);
	rig_run();
	ck_assert_int_eq(rig_keys(-1), without[_i].keys);
	free(btid);
	free(challenge);
}
END_TEST

/* Absent at start = removed; a reader has a moment to tell of its card. */
START_TEST(c2_absent_at_start)
{
	bool in_uicc = false;

	(void)snprintf(rig.path, sizeof rig.path, "/tmp/mt-gba-u-%d.db", (int)getpid());
	up();
	free(establish(RIG_NAF, RIG_DEVICE));
	dev_close(&dev);
	rig_down();
	mt_uicc_soft_eject(rig.uicc);
	up();
	ck_ok(stored_ks(&in_uicc));
	clock_advance(rig.clock, 3000);
	rig_run();
	ck_rc(stored_ks(&in_uicc), RC_NOTFOUND);
	ck_assert_int_eq(rig_keys(-1), 1);
}
END_TEST

START_TEST(c2_late_at_start)
{
	bool in_uicc = false;

	(void)snprintf(rig.path, sizeof rig.path, "/tmp/mt-gba-u-%d.db", (int)getpid());
	rig.conf.gba = MT_GBA_ME;		/* its Ks would not come back with the card */
	rig.bsf.gba_u = false;
	up();
	free(establish(RIG_NAF, RIG_DEVICE));
	dev_close(&dev);
	rig_down();
	mt_uicc_soft_eject(rig.uicc);
	up();
	clock_advance(rig.clock, 2000);
	rig_insert(1);
	rig_run();
	clock_advance(rig.clock, 5000);
	rig_run();
	ck_ok(stored_ks(&in_uicc));
	ck_assert(!in_uicc);
}
END_TEST

/* A reader with something in it that answers nothing but 6D00. */
static struct clock_timer *mute_answer;
static struct mt_uicc *mute;

static enum rc
mute_transmit(void *reader, struct span apdu)
{
	(void)reader;
	(void)apdu;
	clock_timer_set(mute_answer, 0);
	return RC_OK;
}

static void
on_mute(void *arg)
{
	static const uint8_t no[] = { 0x6d, 0x00 };

	(void)arg;
	mt_uicc_answered(mute, RC_OK, span_of(no, sizeof no));
}

START_TEST(c2_unreadable_iccid_is_no_card_and_deletes_nothing)
{
	static const struct mt_uicc_reader ops = { .transmit = mute_transmit };
	struct mt_uicc *soft = rig.uicc;
	bool in_uicc = false;

	(void)snprintf(rig.path, sizeof rig.path, "/tmp/mt-gba-u-%d.db", (int)getpid());
	up();
	free(establish(RIG_NAF, RIG_DEVICE));
	dev_close(&dev);
	rig_down();
	ck_ok(clock_timer_new(rig.clock, on_mute, NULL, &mute_answer));
	ck_ok(mt_uicc_new(rig.clock, &ops, NULL, 0, &mute));
	mt_uicc_card(mute, true);
	rig.uicc = mute;
	up();
	clock_advance(rig.clock, 10000);
	rig_run();
	ck_ok(stored_ks(&in_uicc));
	ck_assert_int_eq(rig_keys(-1), 1);
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_CARD_UNREADABLE);
	ck_assert_str_eq(dev.code, "no-uicc");
	dev_close(&dev);
	rig_down();
	mt_uicc_free(mute);
	clock_timer_free(mute_answer);
	rig.uicc = soft;
	up();
}
END_TEST

/* Another card that wants a PIN which we do not have is still another card. */
START_TEST(c2_other_card_that_cannot_be_used)
{
	up();
	free(establish(RIG_NAF, RIG_DEVICE));
	ck_assert_int_eq(rig_keys(-1), 1);
	mt_uicc_soft_eject(rig.uicc);
	(void)snprintf(rig.form.pin, sizeof rig.form.pin, "1234");
	unlink(rig.card_state);
	rig_insert(2);
	rig_run();
	ck_assert_int_eq(rig_keys(-1), 0);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_CARD_PIN_NEEDED);
}
END_TEST

/* --- applications */

static void
with_isim(void)
{
	static const uint8_t aid[] = { 0xa0, 0, 0, 0, 0x87, 0x10, 4 };
	struct mt_card_app *isim = &rig.form.app[MT_CARD_ISIM];

	memcpy(isim->aid, aid, sizeof aid);
	isim->aid_len = sizeof aid;
	isim->gba_nafs = 2;
	(void)snprintf(isim->impi, sizeof isim->impi, ISIM_IMPI);
	(void)snprintf(isim->domain, sizeof isim->domain, "ims.operator.example");
	serve(MT_APP_ISIM, MT_ISIM_SERVICE_GBA);
	(void)snprintf(rig.bsf.impi2, sizeof rig.bsf.impi2, ISIM_IMPI);
	rig.bsf.tmpi_token = false;
}

START_TEST(usim_and_isim_each_their_own_ks)
{
	struct mt_app usim = app_in_store(MT_APP_USIM), isim = app_in_store(MT_APP_ISIM);
	struct naf_id naf;
	struct mt_ks a, b;
	char *of_usim, *of_isim;

	with_isim();
	other_form();
	rig.conf.naf_any = true;
	rig.conf.n_isim_nafs = 1;
	ck_ok(naf_id_parse(span_str(RIG_NAF2), &rig.conf.isim_nafs[0]));
	up();
	of_usim = establish(RIG_NAF, RIG_DEVICE);
	ck_assert_str_eq(rig.bsf.last_username, RIG_IMPI);
	dev_derive(&dev, RIG_NAF2, RIG_DEVICE2, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	of_isim = text_of("btid");
	ck_assert_str_eq(rig.bsf.last_username, ISIM_IMPI);
	ck_assert_str_ne(of_usim, of_isim);
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), of_usim);		/* that of the first NAF_ID */
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, of_usim, NULL);		/* neither replaced the other's */
	dev_expect(&dev, REASON_NONE);
	dev_derive(&dev, RIG_NAF2, RIG_DEVICE, of_isim, NULL);
	dev_expect(&dev, REASON_NONE);
	dev_derive(&dev, RIG_NAF2, RIG_DEVICE, of_usim, NULL);
	dev_expect(&dev, REASON_LOCAL_STALE_BTID);
	ck_assert_int_eq(rig.bsf.done, 2);
	ck_ok(naf_id_parse(span_str(RIG_NAF2), &naf));
	ck_ok(mt_store_get_ks(rig.store, &usim, RIG_NOW, 0, &a));
	ck_ok(mt_store_get_ks(rig.store, &isim, RIG_NOW, 0, &b));
	ck_assert_str_eq(a.impi.s, RIG_IMPI);
	ck_assert_str_eq(b.impi.s, ISIM_IMPI);
	ck_assert(a.ks == NULL && b.ks == NULL);
	{
		/* with the ISIM's IMPI, from the BSF's newest Ks */
		struct secret *want, *have;
		uint8_t rand[16];

		ck_ok(btid_rand(&b.btid, rand));
		ck_ok(kdf_ks_naf(rig.bsf.ks, rand, span_str(ISIM_IMPI), &naf, &want));
		ck_ok(mt_store_get_ks_naf(rig.store, &isim, &b.btid, &naf, RIG_NOW, &have));
		ck_assert(secret_eq(want, have));
		secret_free(want);
		secret_free(have);
	}
	mt_ks_clear(&a);
	mt_ks_clear(&b);
	free(of_usim);
	free(of_isim);
}
END_TEST

START_TEST(isim_for_any_and_a_card_without)
{
	rig.conf.isim_any = true;
	up();
	free(establish(RIG_NAF, RIG_DEVICE));		/* no ISIM on it: the USIM */
	ck_assert_str_eq(rig.bsf.last_username, RIG_IMPI);
	with_isim();
	other_form();
	rig_run();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	ck_assert_str_eq(rig.bsf.last_username, ISIM_IMPI);
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), rig.bsf.btid.s);
}
END_TEST

/* Configured ones first, then EF_NAFKCA's in their order; each once. */
START_TEST(k1_naf_ids_of_the_card)
{
	struct mt_card_app *usim = &rig.form.app[MT_CARD_USIM];
	const json_t *list;

	serve(MT_APP_USIM, MT_SERVICE_LOCAL_KEY);
	usim->n_nafkca = 3;
	(void)snprintf(usim->nafkca[0], sizeof usim->nafkca[0], "b.example.org");
	(void)snprintf(usim->nafkca[1], sizeof usim->nafkca[1], "nafkc.example.org");
	(void)snprintf(usim->nafkca[2], sizeof usim->nafkca[2], "a.example.org");
	other_form();
	up();
	(void)dev_info(&dev, RIG_DEVICE);
	list = json_object_get(dev.ok, "naf_ids");
	ck_assert_uint_eq(json_array_size(list), 3);
	ck_assert_str_eq(json_string_value(json_array_get(list, 0)), RIG_NAF);
	ck_assert_str_eq(json_string_value(json_array_get(list, 1)), "b.example.org/0100000002");
	ck_assert_str_eq(json_string_value(json_array_get(list, 2)), "a.example.org/0100000002");
	free(establish("a.example.org/0100000002", RIG_DEVICE));
	dev_derive(&dev, "c.example.org/0100000002", RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_LOCAL_NAF_NOT_OFFERED);
	mt_uicc_soft_eject(rig.uicc);		/* and without the card its list is gone */
	rig_run();
	(void)dev_info(&dev, RIG_DEVICE);
	ck_assert_uint_eq(json_array_size(json_object_get(dev.ok, "naf_ids")), 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("gba_u");
	TCase *t = tcase_create("gba_u");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, gba_u_scenario_1_then_2);
	tcase_add_test(t, k6_gba_u_second_device_costs_no_apdu);
	tcase_add_test(t, k6_gba_u_devices_at_once);
	tcase_add_test(t, gba_u_tmpi);
	tcase_add_test(t, gba_u_without_tmpi);
	tcase_add_test(t, gba_u_resynchronises);
	tcase_add_loop_test(t, gba_u_each_way_ends, 0, TABLE_N(ends));
	tcase_add_test(t, k8_no_gba_u_is_not_paid);
	tcase_add_test(t, gba_u_not_with_akav2);
	tcase_add_test(t, c3_another_terminal_took_the_card);
	tcase_add_test(t, c3_found_before_the_derivation);
	tcase_add_test(t, gba_u_goes_on_after_a_restart);
	tcase_add_test(t, gba_u_goes_on_from_the_card_alone);
	tcase_add_test(t, gba_u_expired_in_the_card);
	tcase_add_test(t, gba_u_then_me_by_policy);
	tcase_add_loop_test(t, c1_pulled_in_a_derivation, 0, 4);
	tcase_add_test(t, c2_removed_and_put_back);
	tcase_add_loop_test(t, c2_put_back_within_a_run, 0, 2);
	tcase_add_loop_test(t, c2_keys_without_their_card, 0, TABLE_N(without));
	tcase_add_test(t, c2_absent_at_start);
	tcase_add_test(t, c2_late_at_start);
	tcase_add_test(t, c2_unreadable_iccid_is_no_card_and_deletes_nothing);
	tcase_add_test(t, c2_other_card_that_cannot_be_used);
	tcase_add_test(t, usim_and_isim_each_their_own_ks);
	tcase_add_test(t, isim_for_any_and_a_card_without);
	tcase_add_test(t, k1_naf_ids_of_the_card);
	suite_add_tcase(s, t);
	return unit_run(s);
}
