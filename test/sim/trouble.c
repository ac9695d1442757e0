#include "test/sim/trouble.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/rnd.h"
#include "common/store.h"

struct trouble {
	struct sim *s;
	bool operators, streams;
	struct rnd_seeded rnd;
	unsigned deaths;
	int64_t *back_ms;		/* per host: dead until then */
	int64_t card_ms;		/* out until then */
	int64_t cut_ms[5];		/* per place: cut until then; 0 = it is not */
};

/* Where wires can be cut, and who answers there. */
static const struct {
	const char *link, *http;
	enum sim_host who;
} places[5] = { { SIM_LOCAL, NULL, SIM_MT }, { SIM_ZN, NULL, SIM_BSF }, { NULL, SIM_UB, SIM_BSF }, { NULL, SIM_UA, SIM_NAFKC },
	{ NULL, SIM_UA_MT, SIM_NAFKC } };

static uint32_t
below(struct trouble *t, uint32_t n)
{
	uint32_t r = 0;

	if (rnd_below(&t->rnd.rnd, n, &r) != RC_OK)
		log_fatal("trouble: no random number");
	return r;
}

static int64_t
now_ms(const struct trouble *t)
{
	return clock_mono_ms(sim_clock(t->s));
}

struct trouble *
trouble_new(struct sim *s, uint64_t seed, bool operators, bool streams)
{
	struct trouble *t = calloc(1, sizeof *t);

	if (t == NULL || (t->back_ms = calloc(sim_hosts(s), sizeof *t->back_ms)) == NULL)
		log_fatal("trouble: out of memory");
	t->s = s;
	t->operators = operators;
	t->streams = streams;
	rnd_seeded_init(&t->rnd, seed);
	return t;
}

void
trouble_free(struct trouble *t)
{
	free(t->back_ms);
	free(t);
}

unsigned
trouble_deaths(const struct trouble *t)
{
	return t->deaths;
}

/* --- what happens */

static void
cut(struct trouble *t, size_t place, bool broken)
{
	if (places[place].link != NULL)
		link_mem_cut(sim_net(t->s), places[place].link, broken);
	else
		sim_http_cut(sim_http_of(t->s), places[place].http, broken);
}

/* One death in three is a device's, the rest are the four daemons' alike; half of them in the midst of a turn. */
static void
somebody_dies(struct trouble *t)
{
	enum sim_host h = (enum sim_host)below(t, SIM_DEV + 1);

	if (h == SIM_DEV || below(t, 3) == 0)
		h = (enum sim_host)(SIM_DEV + below(t, (uint32_t)(sim_hosts(t->s) - SIM_DEV)));
	if (!sim_alive(t->s, h))
		return;
	if (below(t, 2) == 0)
		sim_kill(t->s, h);
	else
		sim_kill_within(t->s, h);
	t->deaths++;
	t->back_ms[h] = now_ms(t) + (below(t, 3) == 0 ? 0 : below(t, 15000));
}

static void
a_wire_breaks(struct trouble *t)
{
	size_t p = below(t, 5);

	if (!sim_alive(t->s, places[p].who))
		return;
	cut(t, p, true);
	t->cut_ms[p] = now_ms(t) + 1 + below(t, 8000);
}

static void
nobody_listens(void *arg, const struct extdev_result *r)
{
	(void)arg, (void)r;
}

static void
somebody_wants_a_key(struct trouble *t)
{
	enum sim_host h = (enum sim_host)(SIM_DEV + below(t, (uint32_t)(sim_hosts(t->s) - SIM_DEV)));
	uint32_t how = below(t, 6);
	struct extdev_want w = { .force = how == 0, .fresh = how == 1 };

	if (sim_alive(t->s, h))
		extdev_establish(sim_core(t->s, h), &w, nobody_listens, NULL, NULL);
}

/*
 * The Key Center's operator takes a key back, or ends it sooner; the device's forgets all; the MT's bootstraps, or pulls the card;
 * somebody sets everybody's clock, a little (T2). Refusals are fine.
 */
static void
an_operator_acts(struct trouble *t)
{
	enum sim_host h = (enum sim_host)(SIM_DEV + below(t, (uint32_t)(sim_hosts(t->s) - SIM_DEV)));
	uint32_t what = below(t, 6);
	char until[UTC_TEXT_LEN + 1];
	json_t *keys, *k;

	if (what == 0 && sim_alive(t->s, SIM_MT)) {
		(void)sim_try(t->s, SIM_MT, "bootstrap", NULL, NULL);
	} else if (what == 1 && sim_alive(t->s, h)) {
		(void)sim_try(t->s, h, "key-forget", json_pack("{s:b}", "all", 1), NULL);
	} else if (what == 4) {
		sim_card(t->s, false);
		t->card_ms = now_ms(t) + below(t, 8000);
	} else if (what == 5) {
		clock_step_wall(sim_clock(t->s), (int64_t)below(t, 120000) - 60000);
	} else if ((what == 2 || what == 3) && sim_alive(t->s, SIM_NAFKC)) {
		keys = sim_keys(t->s, SIM_NAFKC);
		clock_print_utc(clock_now_s(sim_clock(t->s)) + 1 + below(t, 300), until);
		if (json_array_size(keys) > 0) {
			k = json_deep_copy(json_array_get(keys, below(t, (uint32_t)json_array_size(keys))));
			(void)json_object_set_new(k, "expires", json_string(until));
			(void)sim_try(t->s, SIM_NAFKC, what == 2 ? "key-invalidate" : "key-limit", k, NULL);
		}
		json_decref(keys);
	}
}

/* Users come, and now and then all leave. */
static void
somebody_streams(struct trouble *t)
{
	enum sim_host h = (enum sim_host)(SIM_DEV + below(t, (uint32_t)(sim_hosts(t->s) - SIM_DEV)));

	if (below(t, 20) == 0)
		sim_streams_end(t->s);
	else if (sim_alive(t->s, h))
		sim_stream(t->s, h);
}

static void
something_happens(struct trouble *t)
{
	switch (below(t, 10)) {
	case 0:
	case 1:
	case 2:
		somebody_dies(t);
		break;
	case 3:
		a_wire_breaks(t);
		break;
	case 4:
		sim_http_lose_answers(sim_http_of(t->s), below(t, 2) == 0 ? SIM_UA : SIM_UB, 1 + below(t, 3));
		break;
	case 5:
		link_mem_set_chunk(sim_net(t->s), below(t, 3) == 0 ? 1 + below(t, 40) : 0);
		break;
	case 6:
		if (t->operators)
			an_operator_acts(t);
		break;
	case 7:
		if (t->streams)
			somebody_streams(t);
		break;
	default:
		somebody_wants_a_key(t);
		break;
	}
}

/* What is due to come back does. */
static void
things_mend(struct trouble *t, bool all)
{
	if (all || t->card_ms <= now_ms(t))
		sim_card(t->s, true);
	for (size_t i = 0; i < sim_hosts(t->s); i++)
		if (!sim_alive(t->s, (enum sim_host)i) && (all || t->back_ms[i] <= now_ms(t)))
			sim_boot(t->s, (enum sim_host)i);
	for (size_t p = 0; p < 5; p++) {
		if (t->cut_ms[p] == 0 || (!all && t->cut_ms[p] > now_ms(t)))
			continue;
		t->cut_ms[p] = 0;
		if (sim_alive(t->s, places[p].who))
			cut(t, p, false);
	}
}

void
trouble_run(struct trouble *t, int64_t ms)
{
	int64_t end = now_ms(t) + ms;
	uint32_t n;

	while (now_ms(t) < end) {
		something_happens(t);
		/* a moment later, or in the midst of what goes on just now */
		if (below(t, 2) == 0)
			(void)sim_run(t->s, NULL, NULL, 1 + below(t, 600));
		else
			for (n = below(t, 40); n > 0 && clock_until_next(sim_clock(t->s)) < 300; n--)
				(void)sim_step(t->s);
		things_mend(t, false);
	}
}

void
trouble_heal(struct trouble *t)
{
	things_mend(t, true);
	sim_http_lose_answers(sim_http_of(t->s), SIM_UA, 0);
	sim_http_lose_answers(sim_http_of(t->s), SIM_UB, 0);
	link_mem_set_chunk(sim_net(t->s), 0);
	sim_streams_end(t->s);
}

/* --- the look into the stores */

/* In each: a row that should not be there, as text. :now is the time, a little earlier (T1: deletion follows within a second). */
static const struct {
	enum sim_host who;		/* SIM_DEV = each device */
	const char *what, *sql;
} offences[] = {
	{ SIM_BSF, "an expired bootstrapping", "SELECT btid FROM bootstrap WHERE expires <= :now" },
	{ SIM_BSF, "more than 8 bootstrappings (B1)", "SELECT impi FROM bootstrap GROUP BY impi HAVING count(*) > 8" },
	{ SIM_MT, "an expired Ks", "SELECT btid FROM ks WHERE expires <= :now" },
	{ SIM_MT, "an expired Ks_NAF", "SELECT btid FROM ks_naf WHERE expires <= :now" },
	{ SIM_MT, "an expired key", "SELECT device_id || ' ' || btid FROM key WHERE expires <= :now" },
	{ SIM_MT, "an expired tombstone", "SELECT btid FROM tombstone WHERE expires <= :now" },
	{ SIM_MT, "a key that is there and buried", "SELECT k.btid FROM key k JOIN tombstone t USING (icc_id, device_id, btid, naf_id)" },
	{ SIM_MT, "a key of another card", "SELECT btid FROM key WHERE icc_id <> (SELECT value FROM meta WHERE name = 'icc_id')" },
	{ SIM_MT, "two confirmed keys of a pair (K2)",
	    "SELECT device_id FROM key WHERE state = 1 GROUP BY icc_id, device_id HAVING count(*) > 1" },
	{ SIM_MT, "more than two keys of a pair (K2)", "SELECT device_id FROM key GROUP BY icc_id, device_id HAVING count(*) > 2" },
	{ SIM_MT, "a key older than the confirmed one (K2)",
	    "SELECT a.btid FROM key a JOIN key b USING (icc_id, device_id) WHERE a.state = 0 AND b.state = 1 AND a.seq < b.seq" },
	{ SIM_NAFKC, "an expired key", "SELECT device_id || ' ' || btid FROM key WHERE expires <= :now" },
	{ SIM_NAFKC, "an expired tombstone", "SELECT btid FROM tombstone WHERE expires <= :now" },
	{ SIM_NAFKC, "a key that is there and buried", "SELECT k.btid FROM key k JOIN tombstone t USING (naf_id, btid, device_id) WHERE t.at <= :now" },
	{ SIM_NAFKC, "a key of no device (N2)", "SELECT device_id FROM key WHERE device_id NOT IN (SELECT device_id FROM device)" },
	{ SIM_NAFKC, "a key of another public key than the device's (N2)",
	    "SELECT k.device_id FROM key k JOIN device d USING (device_id) WHERE k.spki IS NOT NULL AND k.spki <> d.spki" },
	{ SIM_DEV, "an expired key", "SELECT btid FROM key WHERE expires <= :now" },
	{ SIM_DEV, "a key of an MT that nobody knows", "SELECT btid FROM key WHERE mt_id NOT IN (SELECT mt_id FROM mt)" },
	{ SIM_DEV, "two confirmed keys of a pair (K2)", "SELECT mt_id FROM key WHERE state = 1 GROUP BY mt_id HAVING count(*) > 1" },
	{ SIM_DEV, "more than two keys of a pair (K2)", "SELECT mt_id FROM key GROUP BY mt_id HAVING count(*) > 2" },
	{ SIM_DEV, "a complete that stays owed (K4)", "SELECT btid FROM key WHERE owed = 1" },
	{ SIM_DEV, "a key request that stays pending (N6)", "SELECT btid FROM request" },
};

/* The first row's text. */
static bool
first_row(struct sim *s, enum sim_host h, const char *sql, char out[static 200])
{
	int64_t now = clock_now_s(sim_clock(s)) - 2;
	sqlite3 *db = sqlite3_db_handle(store_stmt(sim_store(s, h), 0));
	sqlite3_stmt *q = NULL;
	bool found;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		log_fatal("trouble: %s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_bind_parameter_count(q) > 0)
		(void)sqlite3_bind_int64(q, 1, now);
	found = sqlite3_step(q) == SQLITE_ROW;
	if (found)
		(void)snprintf(out, 200, "%s", (const char *)sqlite3_column_text(q, 0));
	sqlite3_finalize(q);
	return found;
}

const char *
trouble_offence(struct sim *s)
{
	static char text[400];
	char row[200];

	for (size_t i = 0; i < sizeof offences / sizeof offences[0]; i++) {
		enum sim_host first = offences[i].who, last = first == SIM_DEV ? (enum sim_host)(sim_hosts(s) - 1) : first;

		for (enum sim_host h = first; h <= last; h++) {
			if (!first_row(s, h, offences[i].sql, row))
				continue;
			(void)snprintf(text, sizeof text, "host %d: %s: %s", (int)h, offences[i].what, row);
			return text;
		}
	}
	return "";
}

/* --- does each pair agree? */

static const char *
member(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s != NULL ? s : "";
}

/* The key of this triple in another's list. */
static const json_t *
same_triple(const json_t *keys, const json_t *key)
{
	const json_t *k;
	size_t i;

	json_array_foreach(keys, i, k)
		if (strcmp(member(k, "btid"), member(key, "btid")) == 0 && strcmp(member(k, "device_id"), member(key, "device_id")) == 0 &&
		    strcmp(member(k, "naf_id"), member(key, "naf_id")) == 0)
			return k;
	return NULL;
}

static bool
judge_pair(const json_t *own, const json_t *mt, const json_t *naf, char out[static 300])
{
	const json_t *key = json_array_get(own, 0), *theirs = same_triple(mt, key), *given = same_triple(naf, key);

	out[0] = '\0';
	if (json_array_size(own) != 1)
		(void)snprintf(out, 300, "it has %zu keys", json_array_size(own));
	else if (strcmp(member(key, "state"), "confirmed") != 0)
		(void)snprintf(out, 300, "its key %s is %s", member(key, "btid"), member(key, "state"));
	else if (theirs == NULL)
		(void)snprintf(out, 300, "the MT has no key %s", member(key, "btid"));
	else if (strcmp(member(theirs, "state"), "confirmed") != 0)
		(void)snprintf(out, 300, "the MT's key %s is %s", member(key, "btid"), member(theirs, "state"));
	else if (strcmp(member(theirs, "kcv"), member(key, "kcv")) != 0)
		(void)snprintf(out, 300, "the MT has another key %s", member(key, "btid"));
	else if (given == NULL)
		(void)snprintf(out, 300, "the Key Center has no key %s", member(key, "btid"));
	else if (strcmp(member(given, "kcv"), member(key, "kcv")) != 0)
		(void)snprintf(out, 300, "the Key Center has another key %s", member(key, "btid"));
	return out[0] == '\0';
}

const char *
trouble_discord(struct sim *s)
{
	static char text[400];
	json_t *mt = sim_keys(s, SIM_MT), *naf = sim_keys(s, SIM_NAFKC), *own;
	char what[300] = "";

	text[0] = '\0';
	for (size_t h = SIM_DEV; h < sim_hosts(s) && text[0] == '\0'; h++) {
		own = sim_keys(s, (enum sim_host)h);
		if (!judge_pair(own, mt, naf, what))
			(void)snprintf(text, sizeof text, "host %zu: %s", h, what);
		json_decref(own);
	}
	json_decref(mt);
	json_decref(naf);
	return text;
}

/* --- and are they used? */

static size_t
tunnels_on(const json_t *tunnels, const char *btid, const char *device_id)
{
	const json_t *o;
	size_t i, n = 0;

	json_array_foreach(tunnels, i, o)
		if (strcmp(member(o, "btid"), btid) == 0 && strcmp(member(o, "device_id"), device_id) == 0 &&
		    !json_is_true(json_object_get(o, "draining")))
			n++;
	return n;
}

static json_t *
tunnels_of(struct sim *s, enum sim_host h)
{
	json_t *answer = sim_ask(s, h, "tunnel-list", NULL), *all = json_incref(json_object_get(answer, "tunnels"));

	json_decref(answer);
	return all;
}

const char *
trouble_silence(struct sim *s)
{
	static char text[400];
	json_t *mt = tunnels_of(s, SIM_MT), *own, *keys, *key;
	enum reason why;

	text[0] = '\0';
	for (size_t h = SIM_DEV; h < sim_hosts(s) && text[0] == '\0'; h++) {
		own = tunnels_of(s, (enum sim_host)h);
		keys = sim_keys(s, (enum sim_host)h);
		key = json_array_get(keys, 0);
		if (tunnels_on(own, member(key, "btid"), member(key, "device_id")) != 1)
			(void)snprintf(text, sizeof text, "host %zu: no tunnel is on its key %s, of %zu", h, member(key, "btid"), json_array_size(own));
		else if (tunnels_on(mt, member(key, "btid"), member(key, "device_id")) != 1)
			(void)snprintf(text, sizeof text, "host %zu: the MT has no tunnel, or several, on the key %s", h, member(key, "btid"));
		else if ((why = sim_echo(s, (enum sim_host)h, "is anybody there?")) != REASON_NONE)
			(void)snprintf(text, sizeof text, "host %zu: no echo: %s", h, reason_get(why)->code);
		json_decref(own);
		json_decref(keys);
	}
	json_decref(mt);
	return text;
}
