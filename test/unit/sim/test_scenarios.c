/*
 * The main job, whole: all four cores in one process on a virtual clock run scenario 1 and scenario 2 of the seed paper (8.3), and
 * come through every crash, cut and lost message on the way.
 */
#include "test/sim/sim.h"
#include "test/unit/unit.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/link.h"

#define STEPS 40	/* more than scenario 1 takes */

static struct sim *
new_sim(void)
{
	return sim_new(&(struct sim_conf){ .seed = 1 });
}

/* The member of the only key that h holds for this triple; "" = it holds none. */
static const char *
member(json_t *keys, const struct triple *t, const char *name)
{
	size_t i;
	json_t *k;

	json_array_foreach(keys, i, k)
		if (strcmp(json_string_value(json_object_get(k, "btid")), t->btid.s) == 0 &&
		    strcmp(json_string_value(json_object_get(k, "device_id")), t->device_id.s) == 0)
			return json_string_value(json_object_get(k, name));
	return "";
}

/* The three holders have the key of r, and it is the same one. */
static void
all_hold(struct sim *s, const struct extdev_result *r)
{
	static const enum sim_host holders[] = { SIM_MT, SIM_NAFKC, SIM_DEV };

	for (size_t i = 0; i < 3; i++) {
		json_t *keys = sim_keys(s, holders[i]);

		ck_assert_msg(strcmp(member(keys, &r->triple, "kcv"), r->kcv) == 0, "holder %zu has %s, the device was told %s", i,
		    member(keys, &r->triple, "kcv"), r->kcv);
		json_decref(keys);
	}
}

static void
is_ok(const struct extdev_result *r, int scenario)
{
	ck_assert_msg(r->why == REASON_NONE, "%s: %s", reason_get(r->why)->code, r->detail);
	ck_assert_int_eq(r->scenario, scenario);
}

/* Is there an event of this step, in these words? */
static bool
traced(json_t *events, int scenario, int step)
{
	size_t i;
	json_t *e;

	json_array_foreach(events, i, e)
		if (json_integer_value(json_object_get(e, "step")) == step &&
		    (json_integer_value(json_object_get(e, "scenario")) == scenario || step <= 2))
			return true;	/* which scenario it will be, the device knows after step 2 */
	return false;
}

/* Every step of a scenario is told by the host whose step it is (S1). */
static void
all_steps(struct sim *s, int scenario, const enum sim_host *who, int n)
{
	json_t *t[SIM_HOSTS];

	for (int h = 0; h < SIM_HOSTS; h++)
		t[h] = sim_trace(s, (enum sim_host)h);
	for (int step = 1; step <= n; step++) {
		enum sim_host h = who[step];
		/* BSF and NAF Key Center do not know the scenario: they count as in scenario 1 */
		bool operator_side = h == SIM_BSF || h == SIM_NAFKC;
		int number = operator_side && scenario == 2 ? step + 2 : step;

		ck_assert_msg(traced(t[h], operator_side ? 0 : scenario, number), "scenario %d: host %d tells no step %d", scenario,
		    (int)h, step);
	}
	for (int h = 0; h < SIM_HOSTS; h++)
		json_decref(t[h]);
}

static const enum sim_host who_1[] = { 0, SIM_DEV, SIM_DEV, SIM_MT, SIM_MT, SIM_DEV, SIM_DEV, SIM_MT, SIM_MT, SIM_MT, SIM_MT, SIM_DEV,
	SIM_DEV, SIM_NAFKC, SIM_BSF, SIM_NAFKC, SIM_NAFKC, SIM_DEV, SIM_DEV };
static const enum sim_host who_2[] = { 0, SIM_DEV, SIM_DEV, SIM_MT, SIM_MT, SIM_DEV, SIM_DEV, SIM_MT, SIM_MT, SIM_DEV, SIM_DEV,
	SIM_NAFKC, SIM_BSF, SIM_NAFKC, SIM_NAFKC, SIM_DEV, SIM_DEV };

START_TEST(scenario_1_then_2)
{
	struct sim *s = new_sim();
	struct extdev_result first;
	const struct extdev_result *r;

	r = sim_establish(s, NULL);
	is_ok(r, 1);
	ck_assert_int_eq(r->reused, false);
	all_hold(s, r);
	all_steps(s, 1, who_1, 18);
	first = *r;

	/* the key is there: nothing is run (K9) */
	r = sim_establish(s, NULL);
	is_ok(r, 0);
	ck_assert_int_eq(r->reused, true);
	ck_assert_str_eq(r->kcv, first.kcv);

	/* forgotten at the device, Ks still good at the MT: scenario 2, the same B-TID, and so the same key */
	json_decref(sim_ask(s, SIM_DEV, "key-forget", json_pack("{s:b}", "all", 1)));
	r = sim_establish(s, NULL);
	is_ok(r, 2);
	ck_assert_str_eq(r->triple.btid.s, first.triple.btid.s);
	ck_assert_str_eq(r->kcv, first.kcv);
	all_hold(s, r);
	all_steps(s, 2, who_2, 16);

	/* --new: another bootstrapping, another key */
	r = sim_establish(s, &(struct extdev_want){ .fresh = true });
	is_ok(r, 1);
	ck_assert_str_ne(r->triple.btid.s, first.triple.btid.s);
	ck_assert_str_ne(r->kcv, first.kcv);
	all_hold(s, r);
	sim_free(s);
}
END_TEST

/*
 * The lifetime: the device's is the least that the Key Center knows, the MT's is its Ks's (7.2), until it hears of the earlier date (N9).
 * Past it nobody has the key.
 */
START_TEST(keys_end_with_their_time)
{
	struct sim *s = sim_new(&(struct sim_conf){ .seed = 2, .ks_lifetime_s = 3600, .key_lifetime_max_s = 1800 });
	const struct extdev_result *r = sim_establish(s, NULL);
	struct extdev_result first = *r;
	json_t *keys;

	is_ok(r, 1);
	ck_assert_int_ge(r->expires_s, SIM_START_S + 1790);
	ck_assert_int_le(r->expires_s, SIM_START_S + 1810);
	if (_i == 1)
		sim_http_cut(sim_http_of(s), SIM_UA_MT, true);
	(void)sim_run(s, NULL, NULL, 1900 * 1000);
	keys = sim_keys(s, SIM_DEV);
	ck_assert_uint_eq(json_array_size(keys), 0);
	json_decref(keys);
	keys = sim_keys(s, SIM_MT);
	ck_assert_str_eq(member(keys, &first.triple, "kcv"), _i == 1 ? first.kcv : "");
	json_decref(keys);

	/* who heard of an end that is earlier than the Ks's makes that key no more: it cannot tell why it was shortened (N8) */
	r = sim_establish(s, NULL);
	is_ok(r, _i == 1 ? 2 : 1);
	(void)sim_run(s, NULL, NULL, 3600 * 1000);
	for (int h = 0; h < SIM_HOSTS; h++) {
		if (h == SIM_BSF)
			continue;
		keys = sim_keys(s, (enum sim_host)h);
		ck_assert_msg(json_array_size(keys) == 0, "host %d still lists a key", h);
		json_decref(keys);
	}
	is_ok(sim_establish(s, NULL), 1);
	sim_free(s);
}
END_TEST

/*
 * Any of the four is killed at any moment of scenario 1. What was told stays true: at the end an establishment works by itself and
 * the three holders agree.
 */
START_TEST(killed_at_any_step)
{
	enum sim_host h = (enum sim_host)(_i % SIM_HOSTS);
	uint64_t step = 1 + (uint64_t)(_i / SIM_HOSTS);
	struct sim *s = new_sim();
	const struct extdev_result *r;

	sim_kill_after(s, h, step);
	if (h == SIM_DEV) {
		sim_establish_start(s, NULL);
		(void)sim_run(s, NULL, NULL, 60000);
	} else {
		(void)sim_establish(s, NULL);
	}
	sim_kill_after(s, h, 0);
	(void)sim_run(s, NULL, NULL, 60000);	/* links come back, what is pending is repeated */
	r = sim_establish(s, NULL);
	ck_assert_msg(r->why == REASON_NONE, "host %d killed at step %u: %s: %s", (int)h, (unsigned)step, reason_get(r->why)->code,
	    r->detail);
	all_hold(s, r);
	sim_free(s);
}
END_TEST

static const struct {
	const char *host_port;
	unsigned n;
} losses[] = { { SIM_UB, 1 }, { SIM_UB, 2 }, { SIM_UA, 1 }, { SIM_UA, 2 } };

/* Answers that were given and never arrived: asked again, the same key comes. */
START_TEST(lost_answers)
{
	struct sim *s = new_sim();
	const struct extdev_result *r;

	sim_http_lose_answers(sim_http_of(s), losses[_i].host_port, losses[_i].n);
	for (unsigned i = 0; i < losses[_i].n; i++) {
		(void)sim_establish(s, NULL);
		(void)sim_run(s, NULL, NULL, 60000);
	}
	r = sim_establish(s, NULL);
	ck_assert_msg(r->why == REASON_NONE, "%s: %s", reason_get(r->why)->code, r->detail);
	all_hold(s, r);
	sim_free(s);
}
END_TEST

/* Zn is away between the MT's derivation and the key request, and comes back: what is pending is repeated by itself (N6). */
START_TEST(bsf_away_for_zn)
{
	struct sim *s = new_sim();
	const struct extdev_result *r;

	link_mem_cut(sim_net(s), SIM_ZN, true);
	r = sim_establish(s, NULL);
	ck_assert_int_eq(r->why, REASON_EXT_NAF_UNAVAILABLE);
	link_mem_cut(sim_net(s), SIM_ZN, false);
	(void)sim_run(s, NULL, NULL, 60000);
	ck_assert_uint_eq(sim_http_count(sim_http_of(s), SIM_UB), 2);
	r = sim_establish(s, NULL);
	is_ok(r, 0);
	all_hold(s, r);
	sim_free(s);
}
END_TEST

/* BSF and Key Center lost their stores: the Key Center says bootstrap-again, the device falls from scenario 2 to 1 by itself. */
START_TEST(stale_at_the_bsf)
{
	struct sim *s = sim_new(&(struct sim_conf){ .seed = 3 });
	const struct extdev_result *r;
	char old[BTID_MAX + 1];

	r = sim_establish(s, NULL);
	is_ok(r, 1);
	(void)snprintf(old, sizeof old, "%s", r->triple.btid.s);
	json_decref(sim_ask(s, SIM_DEV, "key-forget", json_pack("{s:b}", "all", 1)));
	json_decref(sim_ask(s, SIM_BSF, "subscriber-delete", json_pack("{s:s}", "impi", SIM_IMPI)));
	sim_provision(s);
	sim_kill(s, SIM_NAFKC);		/* it would answer from its own store */
	sim_wipe(s, SIM_NAFKC);
	sim_boot(s, SIM_NAFKC);
	(void)sim_run(s, NULL, NULL, 60000);
	/* the key of its pseudonyms is lost, too: somebody must say that it is still the same SIM (K12) */
	r = sim_establish(s, NULL);
	ck_assert_int_eq(r->why, REASON_LOCAL_MT_CHANGED);
	json_decref(sim_ask(s, SIM_DEV, "mt-accept", json_pack("{s:s}", "mt_id", r->mt_id.s)));
	r = sim_establish(s, NULL);
	ck_assert_msg(r->why == REASON_NONE, "%s: %s", reason_get(r->why)->code, r->detail);
	ck_assert_str_ne(r->triple.btid.s, old);
	all_hold(s, r);
	sim_free(s);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenarios");
	TCase *t = tcase_create("sim");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, scenario_1_then_2);
	tcase_add_loop_test(t, keys_end_with_their_time, 0, 2);
	tcase_add_loop_test(t, killed_at_any_step, 0, SIM_HOSTS * STEPS);
	tcase_add_loop_test(t, lost_answers, 0, TABLE_N(losses));
	tcase_add_test(t, bsf_away_for_zn);
	tcase_add_test(t, stale_at_the_bsf);
	suite_add_tcase(s, t);
	return unit_run(s);
}
