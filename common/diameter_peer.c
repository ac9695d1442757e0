/*
 * diameter_peer: one connection: its state machine, its link, its watchdog.                RFC 6733 5.6; RFC 3539 3.4
 *
 *	       connect              CER out, CEA in                3 DWA
 *	DOWN ---------> CONNECTING -> WAIT_CEA --+--> REOPEN (after a failure) --> OPEN <--> SUSPECT
 *	       accept        CER in, CEA out     |                                 ^  |  Tw    |  Tw again
 *	DOWN ----------------------> WAIT_CER ---+---------------------------------+  |        v
 *	                                                              DPR either way  +-> CLOSING -> DOWN
 */
#include "common/diameter_peer.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "common/diameter_impl.h"
#include "common/log.h"

#define BIT(s) (1u << (s))

static const unsigned moves[DIA_STATE_COUNT] = {
	[DIA_DOWN] = BIT(DIA_CONNECTING) | BIT(DIA_WAIT_CER),
	[DIA_CONNECTING] = BIT(DIA_WAIT_CEA) | BIT(DIA_DOWN),
	[DIA_WAIT_CER] = BIT(DIA_REOPEN) | BIT(DIA_OPEN) | BIT(DIA_CLOSING) | BIT(DIA_DOWN),
	[DIA_WAIT_CEA] = BIT(DIA_REOPEN) | BIT(DIA_OPEN) | BIT(DIA_CLOSING) | BIT(DIA_DOWN),
	[DIA_REOPEN] = BIT(DIA_OPEN) | BIT(DIA_CLOSING) | BIT(DIA_DOWN),
	[DIA_OPEN] = BIT(DIA_SUSPECT) | BIT(DIA_CLOSING) | BIT(DIA_DOWN),
	[DIA_SUSPECT] = BIT(DIA_OPEN) | BIT(DIA_CLOSING) | BIT(DIA_DOWN),
	[DIA_CLOSING] = BIT(DIA_DOWN),
};

const char *
dia_state_name(enum dia_state s)
{
	static const char *const names[DIA_STATE_COUNT] = {
		[DIA_DOWN] = "down", [DIA_OFF] = "off", [DIA_CONNECTING] = "connecting", [DIA_WAIT_CER] = "wait-cer",
		[DIA_WAIT_CEA] = "wait-cea", [DIA_REOPEN] = "reopen", [DIA_OPEN] = "open", [DIA_SUSPECT] = "suspect",
		[DIA_CLOSING] = "closing",
	};

	return s < DIA_STATE_COUNT ? names[s] : "?";
}

bool
dia_state_up(enum dia_state s)
{
	return s == DIA_REOPEN || s == DIA_OPEN || s == DIA_SUSPECT;
}

const char *
dia_conn_name(const struct dia_conn *c)
{
	return c->peer != NULL ? c->peer->host : "?";
}

int64_t
dia_conn_now(const struct dia_conn *c)
{
	return clock_mono_ms(c->node->seams.clock);
}

void
dia_conn_enter(struct dia_conn *c, enum dia_state s)
{
	enum dia_state old = c->state;
	struct dia_node *n = c->node;

	if ((moves[old] & BIT(s)) == 0)
		log_fatal("zn: peer=%s cannot go from %s to %s", dia_conn_name(c), dia_state_name(old), dia_state_name(s));
	log_debug("zn: peer=%s address=%s state=%s was=%s", dia_conn_name(c), c->who.address, dia_state_name(s), dia_state_name(old));
	c->state = s;
	if (c->peer == NULL)
		return;
	c->peer->since_ms = dia_conn_now(c);
	if (s == DIA_OPEN)
		c->peer->failed = false;
	if ((old == DIA_OPEN) != (s == DIA_OPEN) && n->cb.on_peer != NULL)
		n->cb.on_peer(c->peer->host, s == DIA_OPEN, n->arg);
}

/* --- its end */

static void
log_end(const struct dia_conn *c, enum reason why, const char *detail)
{
	if (why == REASON_NONE)
		log_info("zn: peer=%s address=%s closed", dia_conn_name(c), c->who.address);
	else if (c->peer != NULL && c->state == DIA_CONNECTING && c->peer->last == why)
		log_debug("zn: peer=%s still %s", c->peer->host, reason_get(why)->code);
	else
		log_reason(why, "zn: peer=%s address=%s %s", dia_conn_name(c),
		    c->state == DIA_CONNECTING ? c->peer->address : c->who.address, detail);
}

void
dia_conn_end(struct dia_conn *c, enum reason why, const char *detail)
{
	struct dia_node *n = c->node;
	struct dia_peer *p = c->peer;
	bool was_up = dia_state_up(c->state), steady = c->opened && dia_conn_now(c) - c->open_ms >= DIA_STEADY_MS;

	if (c->dead)
		return;
	c->dead = true;
	if (c->why != REASON_NONE)
		why = c->why;		/* said when it was decided */
	else
		log_end(c, why, detail);
	n->counts.disconnects += c->opened;
	dia_conn_enter(c, DIA_DOWN);
	clock_timer_free(c->timer);
	link_free(c->link);
	LIST_REMOVE(c, all);
	dia_calls_move(c, REASON_ZN_UNREACHABLE);
	dia_txns_forget(c);
	if (p != NULL && p->conn == c) {
		p->conn = NULL;
		p->failed = (p->failed || was_up) && !c->goodbye;
		dia_peer_down(p, why, steady);
	}
	dia_node_stop_step(n);
	if (c->reading == 0)
		free(c);
}

void
dia_conn_finish(struct dia_conn *c, enum reason why)
{
	c->why = why;
	dia_conn_enter(c, DIA_CLOSING);
	clock_timer_set(c->timer, DIA_CLOSE_MS);
	link_close(c->link);
	dia_calls_move(c, REASON_ZN_UNREACHABLE);
}

bool
dia_conn_send(struct dia_conn *c, struct dia_buf *b)
{
	enum rc rc;

	if ((rc = dia_end(b)) == RC_OK)
		rc = link_write(c->link, dia_buf_span(b));
	if (rc == RC_LIMIT || (rc == RC_OK && link_unsent(c->link) > DIA_UNSENT_MAX)) {
		dia_conn_end(c, REASON_LINK_SLOW, "it does not read its answers");
		return false;
	}
	if (rc != RC_OK)
		dia_conn_end(c, rc == RC_STATE ? REASON_LINK_BROKEN : REASON_INTERNAL, rc_str(rc));
	return rc == RC_OK;
}

void
dia_conn_opened(struct dia_conn *c)
{
	c->opened = true;
	c->open_ms = dia_conn_now(c);
	c->peer->off = false;
	c->node->counts.connects++;
	log_info("zn: peer=%s address=%s tls=%s is up", c->peer->host, c->who.address, c->tls ? "yes" : "no");
	link_set_input_limit(c->link, DIA_MSG_MAX);
	dia_watchdog_arm(c);
	if (c->peer->failed) {
		c->dwas = 0;
		dia_conn_enter(c, DIA_REOPEN);
		dia_send_dwr(c);
	} else {
		dia_conn_enter(c, DIA_OPEN);
	}
}

static void
on_timer(void *arg)
{
	struct dia_conn *c = arg;

	if (dia_state_up(c->state))
		dia_watchdog(c);
	else if (c->state == DIA_CLOSING)
		dia_conn_end(c, REASON_NONE, "");
	else
		dia_conn_end(c, REASON_ZN_CAPABILITIES, "none came in time");
}

/* --- what comes in */

/* What may be heard in which state; else the connection is not worth keeping, or the message not worth hearing. */
static void
handle(struct dia_conn *c, const struct dia_msg *m)
{
	bool request = (m->hdr.flags & DIA_R) != 0;
	bool capabilities = m->hdr.cmd == DIA_CMD_CE && m->hdr.app == DIA_APP_BASE;

	if ((c->state == DIA_WAIT_CER && !(capabilities && request)) || (c->state == DIA_WAIT_CEA && !(capabilities && !request))) {
		c->node->counts.malformed++;
		dia_conn_end(c, REASON_ZN_BAD_MESSAGE, "something else before the capabilities");
		return;
	}
	if (c->state == DIA_CLOSING && !(m->hdr.cmd == DIA_CMD_DP && m->hdr.app == DIA_APP_BASE))
		return;
	dia_conn_heard(c);
	if (m->hdr.app == DIA_APP_BASE)
		dia_on_base(c, m);
	else if (request)
		dia_txn_request(c, m);
	else
		dia_call_answer(c, m);
}

/* The header cannot be trusted: say so if it is a request of somebody whom we know, and close. RFC 6733 7.1.5 5011, 5015. */
static void
lost(struct dia_conn *c, struct span in, enum rc rc)
{
	struct dia_msg m = { .whole = in };
	struct dia_fault f;

	c->node->counts.malformed++;
	if (!dia_state_up(c->state) || !dia_peek(in, &m.hdr) || !(m.hdr.flags & DIA_R)) {
		dia_conn_end(c, REASON_ZN_MALFORMED, rc == RC_SYNTAX ? "version is not 1" : "impossible length");
		return;
	}
	dia_fault_set(&f, rc == RC_SYNTAX ? DIA_UNSUPPORTED_VERSION : DIA_INVALID_MESSAGE_LENGTH, "%s",
	    rc == RC_SYNTAX ? "version is not 1" : "impossible length");
	dia_refuse(c, &m, REASON_ZN_MALFORMED, &f);
	if (!c->dead)
		dia_conn_finish(c, REASON_ZN_MALFORMED);
}

/* One message off the front; false when there is no whole one, or nobody listens any more. */
static bool
take(struct dia_conn *c)
{
	size_t most = dia_state_up(c->state) || c->state == DIA_CLOSING ? DIA_MSG_MAX : DIA_STRANGER_OCTETS, len;
	struct span in = link_input(c->link), whole;
	struct dia_msg m;
	enum rc rc;

	if ((rc = dia_frame(in, &len)) == RC_NOTFOUND)
		return false;
	if (rc == RC_OK && len > most)
		rc = RC_RANGE;
	if (rc == RC_OK && in.n < len)
		return false;
	if (rc != RC_OK || !span_take(&in, len, &whole) || (rc = dia_parse(whole, &m)) != RC_OK) {
		lost(c, in, rc);
		return false;
	}
	handle(c, &m);
	if (c->dead)
		return false;
	/* it may have been a BIA, which holds keys */
	OPENSSL_cleanse((void *)(uintptr_t)whole.p, whole.n);
	link_drain(c->link, len);
	return true;
}

static void
on_data(struct link *l, void *arg)
{
	struct dia_conn *c = arg;

	(void)l;
	c->reading++;
	while (take(c))
		;
	c->reading--;
	if (c->dead && c->reading == 0)
		free(c);
}

/* --- how it begins */

static void
on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct dia_conn *c = arg;

	(void)l;
	dia_conn_end(c, why, detail);
}

static void
on_up(struct link *l, void *arg)
{
	struct dia_conn *c = arg;

	link_get_peer(l, &c->who);
	if (!c->tls && !c->who.loopback && !c->peer->insecure) {
		dia_conn_end(c, REASON_ZN_INSECURE, "");
		return;
	}
	dia_conn_enter(c, DIA_WAIT_CEA);
	clock_timer_set(c->timer, DIA_CAPABILITIES_MS);
	dia_send_cer(c);
}

static const struct link_cb callbacks = { .on_up = on_up, .on_data = on_data, .on_closed = on_closed };

static enum rc
conn_new(struct dia_node *n, struct dia_conn **out)
{
	struct dia_conn *c = calloc(1, sizeof *c);
	enum rc rc;

	if (c == NULL)
		return RC_NOMEM;
	if ((rc = clock_timer_new(n->seams.clock, on_timer, c, &c->timer)) != RC_OK) {
		free(c);
		return rc;
	}
	c->node = n;
	LIST_INIT(&c->calls);
	LIST_INSERT_HEAD(&n->conns, c, all);
	*out = c;
	return RC_OK;
}

enum rc
dia_conn_connect(struct dia_peer *p)
{
	const struct link_options opt = { .tls = p->tls, .tls_name = p->host, .connect_timeout_ms = DIA_CONNECT_MS };
	struct dia_conn *c;
	enum rc rc;

	if ((rc = conn_new(p->node, &c)) != RC_OK)
		return rc;
	c->tls = p->tls != NULL;
	if ((rc = link_connect(p->node->seams.net, p->address, &opt, &callbacks, c, &c->link)) != RC_OK) {
		LIST_REMOVE(c, all);
		clock_timer_free(c->timer);
		free(c);
		return rc;
	}
	c->peer = p;
	p->conn = c;
	dia_conn_enter(c, DIA_CONNECTING);
	return RC_OK;
}

/*
 * Room for one more stranger: the one that has been silent longest goes. A peer says its CER at once, so whoever only takes up
 * places does not keep it out.
 */
static void
make_room(struct dia_node *n)
{
	struct dia_conn *c, *oldest = NULL;
	size_t strangers = 0;

	LIST_FOREACH(c, &n->conns, all) {
		if (c->state != DIA_WAIT_CER)
			continue;
		strangers++;
		oldest = c;		/* new ones stand in front */
	}
	if (strangers >= DIA_STRANGERS_MAX)
		dia_conn_end(oldest, REASON_LINK_LIMIT, "too many connections wait for their CER");
}

void
dia_conn_accept(struct link *l, void *arg)
{
	struct dia_listen *li = arg;
	struct dia_node *n = li->node;
	struct dia_conn *c;

	make_room(n);
	if (conn_new(n, &c) != RC_OK) {
		log_reason(REASON_INTERNAL, "zn: a connection is not taken: out of memory");
		link_free(l);
		return;
	}
	c->link = l;
	c->accepted = true;
	c->tls = li->tls != NULL;
	link_get_peer(l, &c->who);
	link_set_cb(l, &callbacks, c);
	link_set_input_limit(l, DIA_STRANGER_OCTETS);
	dia_conn_enter(c, DIA_WAIT_CER);
	clock_timer_set(c->timer, DIA_CAPABILITIES_MS);
	if (!c->tls && !c->who.loopback && !li->insecure)
		dia_conn_end(c, REASON_ZN_INSECURE, "");
}
