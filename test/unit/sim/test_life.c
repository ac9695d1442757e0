/*
 * The key at work, and its whole life: all daemons in one process, with a service behind the MT and tunnels to it. Use and its
 * crashes, the network away, a key taken back, several askers at once.
 */
#include "test/sim/trouble.h"
#include "test/unit/unit.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"

#define STEPS 90	/* more than an establishment and the first use of its key take */

static struct sim *s;

static void
setup(void)
{
	if (getenv("KSLOCAL_SIM_LOG") == NULL)
		log_set_level(LOG_LEVEL_ERROR);
}

static void
begin(uint64_t seed)
{
	s = sim_new(&(struct sim_conf){ .seed = seed, .at_start = true, .tunnels = true });
}

/* The pair agrees, its key works, and no store has anything that it should not. */
static void
all_is_well(const char *when)
{
	ck_assert_msg(trouble_discord(s)[0] == '\0', "%s: %s", when, trouble_discord(s));
	ck_assert_msg(trouble_silence(s)[0] == '\0', "%s: %s", when, trouble_silence(s));
	ck_assert_msg(trouble_offence(s)[0] == '\0', "%s: %s", when, trouble_offence(s));
}

static size_t
keys_at(enum sim_host h)
{
	json_t *keys = sim_keys(s, h);
	size_t n = json_array_size(keys);

	json_decref(keys);
	return n;
}

/* So many steps, then this host dies and comes back, and there is time to mend things. */
static void
kill_at(enum sim_host h, uint64_t step)
{
	for (uint64_t end = sim_steps(s) + step; sim_steps(s) < end; )
		(void)sim_step(s);
	sim_kill(s, h);
	sim_boot(s, h);
	(void)sim_run(s, NULL, NULL, 150000);
}

/* Any of the four is killed at any step of an establishment and of the use of its key; it works again by itself. */
START_TEST(U1_K2_killed_at_any_step_of_a_use)
{
	enum sim_host h = (enum sim_host)(_i % SIM_HOSTS);
	uint64_t step = 1 + (uint64_t)(_i / SIM_HOSTS);
	char when[64];

	begin(1);
	kill_at(h, step);
	(void)snprintf(when, sizeof when, "host %d killed at step %u", (int)h, (unsigned)step);
	all_is_well(when);
	sim_free(s);
}
END_TEST

/* And of the renewal of a key that is used: the old one is good until the new one was used once. */
START_TEST(K2_K9_killed_at_any_step_of_a_renewal)
{
	enum sim_host h = (enum sim_host)(_i % SIM_HOSTS);
	uint64_t step = 1 + (uint64_t)(_i / SIM_HOSTS);
	char when[64];

	begin(2);
	(void)sim_run(s, NULL, NULL, 5000);
	all_is_well("before");
	sim_establish_start(s, &(struct extdev_want){ .fresh = true });
	kill_at(h, step);
	(void)snprintf(when, sizeof when, "host %d killed at step %u", (int)h, (unsigned)step);
	all_is_well(when);
	sim_free(s);
}
END_TEST

/* 7.2: "As soon as the Ks_local_MT is provisioned on the MT and the external device, the network is no longer involved in the usage". */
START_TEST(N10_7_2_the_network_is_no_longer_involved_in_the_usage_of_the_established_key)
{
	begin(3);
	(void)sim_run(s, NULL, NULL, 5000);
	all_is_well("before");
	sim_kill(s, SIM_BSF);
	sim_kill(s, SIM_NAFKC);
	for (int hour = 0; hour < 7; hour++) {
		ck_assert_int_eq(sim_echo(s, SIM_DEV, "still there?"), REASON_NONE);
		/* and anew, from what both ends have stored */
		sim_kill(s, SIM_MT);
		sim_kill(s, SIM_DEV);
		sim_boot(s, SIM_MT);
		sim_boot(s, SIM_DEV);
		ck_assert_int_eq(sim_echo(s, SIM_DEV, "and again?"), REASON_NONE);
		(void)sim_run(s, NULL, NULL, 3600 * 1000);
	}
	/* to its end, and no longer (7.2: "shall always delete") */
	(void)sim_run(s, NULL, NULL, 2 * 3600 * 1000);
	ck_assert_uint_eq(keys_at(SIM_DEV), 0);
	ck_assert_uint_eq(keys_at(SIM_MT), 0);
	ck_assert_int_ne(sim_echo(s, SIM_DEV, "now?"), REASON_NONE);
	sim_boot(s, SIM_BSF);
	sim_boot(s, SIM_NAFKC);
	(void)sim_run(s, NULL, NULL, 700 * 1000);
	ck_assert_int_eq(sim_echo(s, SIM_DEV, "now!"), REASON_NONE);
	all_is_well("after");
	sim_free(s);
}
END_TEST

/* The only key; its B-TID. */
static void
take_back(char btid[static BTID_MAX + 1])
{
	json_t *keys = sim_keys(s, SIM_NAFKC), *key = json_array_get(keys, 0);

	(void)snprintf(btid, BTID_MAX + 1, "%s", json_string_value(json_object_get(key, "btid")));
	json_decref(sim_ask(s, SIM_NAFKC, "key-invalidate", json_deep_copy(key)));
	json_decref(keys);
}

static bool
has(enum sim_host h, const char *btid)
{
	json_t *keys = sim_keys(s, h), *k;
	bool found = false;
	size_t i;

	json_array_foreach(keys, i, k)
		found = found || strcmp(json_string_value(json_object_get(k, "btid")), btid) == 0;
	json_decref(keys);
	return found;
}

/*
 * Both ends learn of it by themselves, within an interval; with the link between them cut, too. Whoever learns first closes the tunnel,
 * and a device that finds its key refused makes another (7.3).
 */
START_TEST(N7_7_2_both_ends_learn_that_a_key_was_invalidated)
{
	char btid[BTID_MAX + 1];

	begin(4);
	(void)sim_run(s, NULL, NULL, 5000);
	all_is_well("before");
	if (_i == 1)
		link_mem_cut(sim_net(s), SIM_LOCAL, true);
	take_back(btid);
	ck_assert(has(SIM_DEV, btid) && has(SIM_MT, btid));
	(void)sim_run(s, NULL, NULL, 16 * 60 * 1000);
	ck_assert(!has(SIM_DEV, btid));
	ck_assert(!has(SIM_MT, btid));
	link_mem_cut(sim_net(s), SIM_LOCAL, false);
	(void)sim_run(s, NULL, NULL, 70 * 1000);
	/* N8: the same key does not come back; another does for whoever wants to use one */
	ck_assert_int_eq(sim_echo(s, SIM_DEV, "another"), REASON_NONE);
	all_is_well("after");
	sim_free(s);
}
END_TEST

/*
 * Simultaneous establishments of one pair: askers who want different things, the MT's use and renew in the midst, from any moment on.
 * One wins, and both ends end with the same key.
 */
START_TEST(K2_K8_simultaneous_establishments_of_a_pair_end_with_one_key)
{
	static const struct extdev_want wants[] = { { .fresh = true }, { .force = true }, { .force = false } };
	char when[64];

	begin(5);
	(void)sim_run(s, NULL, NULL, 5000);
	json_decref(sim_ask(s, SIM_DEV, "key-forget", json_pack("{s:b}", "all", 1)));
	for (int i = 0; i < 3; i++) {
		sim_establish_start(s, &wants[(i + _i) % 3]);
		for (int step = 0; step < _i / 3; step++)
			(void)sim_step(s);
	}
	(void)sim_try(s, SIM_MT, "use", json_pack("{s:s}", "device_id", SIM_DEVICE_ID), NULL);
	(void)sim_run(s, NULL, NULL, 60000);
	(void)snprintf(when, sizeof when, "%d steps between", _i / 3);
	all_is_well(when);
	sim_free(s);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("life");
	TCase *t = tcase_create("sim");

	tcase_set_timeout(t, 120);
	tcase_add_unchecked_fixture(t, setup, NULL);
	tcase_add_loop_test(t, U1_K2_killed_at_any_step_of_a_use, 0, SIM_HOSTS * STEPS);
	tcase_add_loop_test(t, K2_K9_killed_at_any_step_of_a_renewal, 0, SIM_HOSTS * STEPS);
	tcase_add_test(t, N10_7_2_the_network_is_no_longer_involved_in_the_usage_of_the_established_key);
	tcase_add_loop_test(t, N7_7_2_both_ends_learn_that_a_key_was_invalidated, 0, 2);
	tcase_add_loop_test(t, K2_K8_simultaneous_establishments_of_a_pair_end_with_one_key, 0, 60);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
