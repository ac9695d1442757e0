/*
 * One MT, many devices, and trouble: daemons die at any moment, wires break, answers get lost. In the end every pair agrees on one
 * valid key, and no store holds a row that is expired or orphaned.
 *
 * KSLOCAL_SIM_SEEDS=n runs n seeds instead of a handful; a failure names its seed. KSLOCAL_SIM_SEED=n runs that one alone and lets
 * the daemons talk.
 */
#include "test/sim/trouble.h"
#include "test/unit/unit.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/log.h"

#define DEVICES 50
#define TROUBLE_MS 120000
#define QUIET_MS 1500000	/* the longest pause of anyone is 10 minutes, and some follow each other */

static struct sim *s;
static struct trouble *t;

static void
setup(void)
{
	if (getenv("KSLOCAL_SIM_SEED") == NULL)
		log_set_level(LOG_LEVEL_ERROR);
}

static void
begin(uint64_t seed, size_t devices)
{
	s = sim_new(&(struct sim_conf){ .seed = seed, .n_devices = devices, .at_start = true });
	t = trouble_new(s, seed, false, false);
}

static void
end(void)
{
	trouble_free(t);
	sim_free(s);
}

/* Everything is mended; left alone, they come to agree by themselves. */
static void
comes_to_rest(int seed)
{
	trouble_heal(t);
	(void)sim_run(s, NULL, NULL, QUIET_MS);
	ck_assert_msg(trouble_discord(s)[0] == '\0', "seed %d, %u deaths: %s", seed, trouble_deaths(t), trouble_discord(s));
	ck_assert_msg(trouble_offence(s)[0] == '\0', "seed %d, %u deaths: %s", seed, trouble_deaths(t), trouble_offence(s));
}

START_TEST(K2_K4_N6_fifty_devices_and_random_kills_of_any_daemon)
{
	begin((uint64_t)_i, DEVICES);
	trouble_run(t, TROUBLE_MS);
	ck_assert_uint_gt(trouble_deaths(t), 10);
	comes_to_rest(_i);
	end();
}
END_TEST

/* The same with few devices, so that each of them is hit in each of its steps. */
START_TEST(K2_K4_N6_a_few_devices_and_random_kills)
{
	begin(1000 + (uint64_t)_i, 3);
	trouble_run(t, TROUBLE_MS);
	comes_to_rest(_i);
	end();
}
END_TEST

/* Whoever has no key gets one when it asks. */
static void
each_establishes(int seed)
{
	const struct extdev_result *r;

	for (size_t h = SIM_DEV; h < sim_hosts(s); h++) {
		r = sim_establish_at(s, (enum sim_host)h, NULL);
		ck_assert_msg(r->why == REASON_NONE, "seed %d: host %zu: %s: %s", seed, h, reason_get(r->why)->code, r->detail);
	}
	(void)sim_run(s, NULL, NULL, 3000);
}

/* Keys are taken back, limited and forgotten meanwhile; the devices hear of it beside their connections and at an interval. */
START_TEST(N7_N8_N9_operators_amid_kills)
{
	s = sim_new(&(struct sim_conf){ .seed = 2000 + (uint64_t)_i, .n_devices = 4, .at_start = true });
	t = trouble_new(s, (uint64_t)_i, true, false);
	trouble_run(t, TROUBLE_MS);
	trouble_heal(t);
	(void)sim_run(s, NULL, NULL, QUIET_MS);
	ck_assert_msg(trouble_offence(s)[0] == '\0', "seed %d: before: %s", _i, trouble_offence(s));
	each_establishes(_i);
	ck_assert_msg(trouble_discord(s)[0] == '\0', "seed %d, %u deaths: %s", _i, trouble_deaths(t), trouble_discord(s));
	ck_assert_msg(trouble_offence(s)[0] == '\0', "seed %d, %u deaths: %s", _i, trouble_deaths(t), trouble_offence(s));
	end();
}
END_TEST

/* Ks of three minutes, keys of two: all that is made ends within the trouble, and leaves nothing. */
START_TEST(T1_7_2_keys_that_end_amid_kills)
{
	s = sim_new(&(struct sim_conf){ .seed = 3000 + (uint64_t)_i, .n_devices = 4, .at_start = true, .ks_lifetime_s = 180,
	    .key_lifetime_max_s = 100 });
	t = trouble_new(s, (uint64_t)_i, _i % 2 == 0, false);
	trouble_run(t, 4 * TROUBLE_MS);
	trouble_heal(t);
	(void)sim_run(s, NULL, NULL, QUIET_MS);
	ck_assert_msg(trouble_offence(s)[0] == '\0', "seed %d: before: %s", _i, trouble_offence(s));
	for (size_t h = 0; h < sim_hosts(s); h++) {
		json_t *keys = h != SIM_BSF ? sim_keys(s, (enum sim_host)h) : json_array();

		ck_assert_msg(json_array_size(keys) == 0, "seed %d: host %zu has a key", _i, h);
		json_decref(keys);
	}
	each_establishes(_i);
	ck_assert_msg(trouble_discord(s)[0] == '\0', "seed %d, %u deaths: %s", _i, trouble_deaths(t), trouble_discord(s));
	ck_assert_msg(trouble_offence(s)[0] == '\0', "seed %d, %u deaths: %s", _i, trouble_deaths(t), trouble_offence(s));
	end();
}
END_TEST

/* K8: fifty at once cost one run. */
START_TEST(K8_fifty_at_once_cost_one_run)
{
	struct mt_counts c;

	begin(7, DEVICES);
	comes_to_rest(7);
	mt_get_counts(sim_mt(s), &c);
	ck_assert_uint_eq(c.ub_runs, 1);
	ck_assert_uint_eq(c.keys_confirmed, DEVICES);
	end();
}
END_TEST

/* --- with tunnels: use, U3, K13, renewal and expiry under the same trouble */

/*
 * All work, and that within some minutes, at one moment at least: renewals go on for ever. Where an operator took a key away, nobody
 * makes another before somebody comes who wants to use it; somebody does.
 */
static void
comes_to_work(int seed)
{
	char what[400] = "";

	trouble_heal(t);
	for (int i = 0; i < 100; i++) {
		for (size_t h = SIM_DEV; h < sim_hosts(s); h++)
			(void)sim_echo(s, (enum sim_host)h, "I am waiting");
		(void)sim_run(s, NULL, NULL, 10000);
		(void)snprintf(what, sizeof what, "%s", trouble_discord(s));
		if (what[0] == '\0')
			(void)snprintf(what, sizeof what, "%s", trouble_silence(s));
		if (what[0] == '\0')
			(void)snprintf(what, sizeof what, "%s", trouble_offence(s));
		if (what[0] == '\0')
			return;
	}
	ck_abort_msg("seed %d, %u deaths: %s", seed, trouble_deaths(t), what);
}

START_TEST(U1_U3_K13_tunnels_amid_kills)
{
	s = sim_new(&(struct sim_conf){ .seed = 4000 + (uint64_t)_i, .n_devices = 4, .at_start = true, .tunnels = true });
	t = trouble_new(s, (uint64_t)_i, false, true);
	trouble_run(t, TROUBLE_MS);
	comes_to_work(_i);
	end();
}
END_TEST

/* Keys of three minutes: they are renewed ahead of their expiry, again and again, while everything breaks. */
START_TEST(K9_renewal_amid_kills)
{
	s = sim_new(&(struct sim_conf){ .seed = 5000 + (uint64_t)_i, .n_devices = 4, .at_start = true, .tunnels = true, .ks_lifetime_s = 300,
	    .key_lifetime_max_s = 180 });
	t = trouble_new(s, (uint64_t)_i, _i % 2 == 0, true);
	trouble_run(t, 3 * TROUBLE_MS);
	comes_to_work(_i);
	end();
}
END_TEST

/* K5: a new Device_ID per establishment; what the MT need not keep is forgotten over the newer key's tunnel. */
START_TEST(K5_random_each_amid_kills)
{
	s = sim_new(&(struct sim_conf){ .seed = 7000 + (uint64_t)_i, .n_devices = 3, .at_start = true, .tunnels = true, .random_each = true });
	t = trouble_new(s, (uint64_t)_i, _i % 2 == 0, true);
	trouble_run(t, TROUBLE_MS);
	comes_to_work(_i);
	end();
}
END_TEST

/* N10: both ends ask before use, and close what nobody stands by. */
START_TEST(N10_asking_before_use_amid_kills)
{
	s = sim_new(&(struct sim_conf){ .seed = 8000 + (uint64_t)_i, .n_devices = 3, .at_start = true, .tunnels = true, .cautious = true });
	t = trouble_new(s, (uint64_t)_i, _i % 2 == 0, true);
	trouble_run(t, TROUBLE_MS);
	comes_to_work(_i);
	end();
}
END_TEST

START_TEST(U1_fifty_tunnels_and_random_kills)
{
	s = sim_new(&(struct sim_conf){ .seed = 6000 + (uint64_t)_i, .n_devices = DEVICES, .at_start = true, .tunnels = true });
	t = trouble_new(s, (uint64_t)_i, false, true);
	trouble_run(t, TROUBLE_MS);
	comes_to_work(_i);
	end();
}
END_TEST

int
main(void)
{
	const char *text = getenv("KSLOCAL_SIM_SEEDS"), *only = getenv("KSLOCAL_SIM_SEED");
	int seeds = text != NULL ? atoi(text) : 0, first = only != NULL ? atoi(only) : 1;
	Suite *suite = suite_create("many");
	TCase *c = tcase_create("trouble");

	tcase_set_timeout(c, 300);
	tcase_add_unchecked_fixture(c, setup, NULL);
	tcase_add_test(c, K8_fifty_at_once_cost_one_run);
	tcase_add_loop_test(c, K2_K4_N6_fifty_devices_and_random_kills_of_any_daemon, first,
	    only != NULL ? first + 1 : 1 + (seeds > 0 ? seeds : 3));
	tcase_add_loop_test(c, K2_K4_N6_a_few_devices_and_random_kills, first,
	    only != NULL ? first + 1 : 1 + (seeds > 0 ? 10 * seeds : 30));
	tcase_add_loop_test(c, N7_N8_N9_operators_amid_kills, first, only != NULL ? first + 1 : 1 + (seeds > 0 ? 10 * seeds : 10));
	tcase_add_loop_test(c, T1_7_2_keys_that_end_amid_kills, first, only != NULL ? first + 1 : 1 + (seeds > 0 ? 10 * seeds : 10));
	tcase_add_loop_test(c, U1_U3_K13_tunnels_amid_kills, first, only != NULL ? first + 1 : 1 + (seeds > 0 ? 5 * seeds : 10));
	tcase_add_loop_test(c, K9_renewal_amid_kills, first, only != NULL ? first + 1 : 1 + (seeds > 0 ? 5 * seeds : 10));
	tcase_add_loop_test(c, K5_random_each_amid_kills, first, only != NULL ? first + 1 : 1 + (seeds > 0 ? 5 * seeds : 6));
	tcase_add_loop_test(c, N10_asking_before_use_amid_kills, first, only != NULL ? first + 1 : 1 + (seeds > 0 ? 5 * seeds : 6));
	tcase_add_loop_test(c, U1_fifty_tunnels_and_random_kills, first, only != NULL ? first + 1 : 1 + (seeds > 0 ? seeds : 2));
	suite_add_tcase(suite, c);
	return unit_run(suite);
}
