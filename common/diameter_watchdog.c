/*
 * diameter_watchdog: is the peer still there?                                                     RFC 3539 3.4.1
 * Any message shows that it is, and only moves quiet_ms; the timer, when it fires, looks how long it has been quiet.
 */
#include "common/diameter_impl.h"
#include "common/log.h"

void
dia_watchdog_arm(struct dia_conn *c)
{
	uint32_t jitter;

	c->quiet_ms = dia_conn_now(c);
	if (rnd_below(c->node->seams.rnd, 4001, &jitter) != RC_OK)
		jitter = 2000;		/* the mean does as well */
	c->tw_ms = c->node->watchdog_ms - 2000 + jitter;
	clock_timer_set(c->timer, c->tw_ms);
}

void
dia_watchdog(struct dia_conn *c)
{
	int64_t idle = dia_conn_now(c) - c->quiet_ms;

	if (c->probing) {
		dia_conn_end(c, REASON_ZN_DEAF, "did not answer when a second connection came");
	} else if (idle < c->tw_ms) {
		clock_timer_set(c->timer, c->tw_ms - idle);
	} else if (!c->dwr_pending) {
		dia_watchdog_arm(c);
		dia_send_dwr(c);
	} else if (c->state == DIA_OPEN) {
		c->node->counts.watchdogs_missed++;
		dia_conn_enter(c, DIA_SUSPECT);
		dia_watchdog_arm(c);
		dia_calls_move(c, REASON_ZN_UNREACHABLE);
	} else {
		c->node->counts.watchdogs_missed++;
		dia_conn_end(c, REASON_ZN_DEAF, "no answer to DWR");
	}
}

void
dia_conn_probe(struct dia_conn *c)
{
	if (c->probing || !dia_state_up(c->state))
		return;
	c->probing = true;
	clock_timer_set(c->timer, DIA_PROBE_MS);
	dia_send_dwr(c);
}

void
dia_conn_heard(struct dia_conn *c)
{
	c->quiet_ms = dia_conn_now(c);
	c->probing = false;
	if (c->state == DIA_SUSPECT)
		dia_conn_enter(c, DIA_OPEN);
}
