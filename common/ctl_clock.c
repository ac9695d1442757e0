/* ctl_clock: the operations on a daemon's clock. RULES T2, T3 */
#include <stdlib.h>

#include "common/ctl_int.h"
#include "common/timeguard.h"
#include "common/turn.h"

#define SECONDS_MAX (INT64_C(10) * 365 * 86400)

static json_t *
utc_json(int64_t s)
{
	char text[UTC_TEXT_LEN + 1];

	clock_print_utc(s, text);
	return json_string(text);
}

json_t *
ctl_now_json(const struct ctl *c)
{
	return utc_json(c->env.guard != NULL ? timeguard_now(c->env.guard) : clock_now_s(c->env.clock));
}

const char *
ctl_clock_word(const struct ctl *c)
{
	static const char *const words[] = { [CLOCK_REAL] = "real", [CLOCK_CONTROLLED] = "controlled", [CLOCK_VIRTUAL] = "virtual" };

	return words[clock_kind(c->env.clock)];
}

static bool
jumped(const struct ctl *c)
{
	return c->env.guard != NULL && timeguard_jumped(c->env.guard);
}

void
ctl_op_clock(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	(void)core;
	(void)body;
	ctl_ok(c, q, json_pack("{s:s, s:o, s:o, s:b}", "clock", ctl_clock_word(c), "now", ctl_now_json(c),
	    "wall", utc_json(clock_now_s(c->env.clock)), "jumped", jumped(c)));
}

/* The argument of the two that move a clock; refuses by itself. */
static bool
get_seconds(struct ctl *c, struct rpc_req *q, const json_t *body, int64_t min, int64_t *out)
{
	const json_t *v = json_object_get(body, "seconds");

	if (clock_kind(c->env.clock) == CLOCK_REAL) {
		ctl_fail(c, q, REASON_CTL_REAL_CLOCK, NULL);
		return false;
	}
	if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > SECONDS_MAX) {
		ctl_fail(c, q, REASON_CTL_USAGE, "seconds: expected %lld to %lld", (long long)min, (long long)SECONDS_MAX);
		return false;
	}
	*out = json_integer_value(v);
	return true;
}

struct advance {
	struct ctl *ctl;
	struct rpc_req *q;
	int64_t seconds;
};

/* At the turn's end and not inside the request's callback: timers close connections, this one's perhaps. */
static void
advance_now(void *arg, enum rc rc)
{
	struct advance *a = arg;
	struct ctl *c = a->ctl;
	size_t ran;

	(void)rc;
	log_warn("ctl: the controlled clock goes %lld s forward", (long long)a->seconds);
	ran = clock_advance(c->env.clock, a->seconds * 1000);
	/* What the timers wrote is committed, what they sent has left, before this answer. */
	ctl_ok(c, a->q, json_pack("{s:o, s:I}", "now", ctl_now_json(c), "ran", (json_int_t)ran));
	free(a);
}

void
ctl_op_clock_advance(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct advance *a;
	int64_t s;

	(void)core;
	if (!get_seconds(c, q, body, 0, &s))
		return;
	if ((a = calloc(1, sizeof *a)) == NULL) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	*a = (struct advance){ c, q, s };
	turn_later(c->env.turn, advance_now, a);
}

void
ctl_op_clock_step(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	int64_t s;

	(void)core;
	if (!get_seconds(c, q, body, -SECONDS_MAX, &s))
		return;
	log_warn("ctl: the wall clock steps by %lld s", (long long)s);
	clock_step_wall(c->env.clock, s * 1000);
	ctl_ok(c, q, json_pack("{s:o, s:b}", "now", ctl_now_json(c), "jumped", jumped(c)));
}

void
ctl_op_clock_accept(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	bool was = jumped(c);

	(void)core;
	(void)body;
	if (was)
		timeguard_accept(c->env.guard);
	ctl_ok(c, q, json_pack("{s:o, s:b}", "now", ctl_now_json(c), "accepted", was));
}
