/* diameter_node: the node: made, started, stopped, looked at; its peers and their next try. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/diameter_impl.h"
#include "common/log.h"

#define WATCHDOG_MS 30000
#define WATCHDOG_MIN_MS 6000		/* RFC 3539 3.4.1 */
#define RECONNECT_MAX_MS 4000		/* Tc: RFC 6733 2.1 has 30 s; a knock every 4 s costs nobody, and the peer is back within 5 s */
#define MAX_OPEN 1024
#define MAX_CALLS 4096

struct dia_peer *
dia_node_peer(struct dia_node *n, const char *host)
{
	for (size_t i = 0; i < n->n_peers; i++)
		if (strcmp(n->peers[i].host, host) == 0)
			return &n->peers[i];
	return NULL;
}

/* --- peers: when to try again */

static void
plan(struct dia_peer *p, int64_t delay_ms)
{
	if (p->address[0] != '\0' && p->node->started && !p->node->stopping && !p->off && p->conn == NULL)
		clock_timer_set(p->retry, delay_ms);
}

static void
back_off(struct dia_peer *p)
{
	int64_t next = p->backoff_ms == 0 ? DIA_RETRY_MIN_MS : 2 * p->backoff_ms;
	uint32_t jitter;

	p->backoff_ms = next < p->node->reconnect_max_ms ? next : p->node->reconnect_max_ms;
	/* up to an eighth less, so that many nodes do not knock at once */
	if (rnd_below(p->node->seams.rnd, (uint32_t)(p->backoff_ms / 8 + 1), &jitter) != RC_OK)
		jitter = 0;
	plan(p, p->backoff_ms - jitter);
}

static void
on_retry(void *arg)
{
	struct dia_peer *p = arg;
	enum rc rc;

	if (p->conn != NULL || p->node->stopping)
		return;
	if ((rc = dia_conn_connect(p)) != RC_OK) {
		log_error("zn: peer=%s address=%s cannot be connected to: %s", p->host, p->address, rc_str(rc));
		back_off(p);
	}
}

void
dia_peer_down(struct dia_peer *p, enum reason why, bool steady)
{
	p->last = why;
	p->since_ms = clock_mono_ms(p->node->seams.clock);
	if (steady)
		p->backoff_ms = 0;
	back_off(p);
}

void
dia_node_retry(struct dia_node *n)
{
	for (size_t i = 0; i < n->n_peers; i++) {
		n->peers[i].off = false;
		n->peers[i].backoff_ms = 0;
		plan(&n->peers[i], 0);
	}
}

/* --- made */

static bool
copy_name(const char *from, char to[static FQDN_MAX + 1], const char *what)
{
	const struct dia_avp a = { .data = span_str(from) };

	if (dia_get_ident(&a, to) == RC_OK)
		return true;
	log_error("zn: %s is no host name", what);
	return false;
}

static enum rc
add_peer(struct dia_node *n, const struct dia_peer_conf *c)
{
	struct dia_peer *p = &n->peers[n->n_peers];
	char host[FQDN_MAX + 1];

	if (!copy_name(c->host, host, "a peer's host") || !copy_name(c->realm, p->realm, "a peer's realm"))
		return RC_SYNTAX;
	if (dia_node_peer(n, host) != NULL || strcmp(host, n->host) == 0) {
		log_error("zn: peer %s is there twice, or is ourselves", host);
		return RC_SYNTAX;
	}
	if (c->address != NULL && strlen(c->address) >= sizeof p->address)
		return RC_RANGE;
	snprintf(p->address, sizeof p->address, "%s", c->address != NULL ? c->address : "");
	memcpy(p->host, host, sizeof p->host);
	p->node = n;
	p->tls = c->tls;
	p->relay = c->relay;
	p->insecure = c->insecure;
	n->n_peers++;		/* from here on dia_node_free() knows it */
	return clock_timer_new(n->seams.clock, on_retry, p, &p->retry);
}

static enum rc
add_listen(struct dia_node *n, const struct dia_listen_conf *c)
{
	struct dia_listen *l = &n->listen[n->n_listen];

	if (c->address == NULL || strlen(c->address) >= sizeof l->address)
		return RC_RANGE;
	*l = (struct dia_listen){ .node = n, .tls = c->tls, .insecure = c->insecure };
	memcpy(l->address, c->address, strlen(c->address) + 1);
	n->n_listen++;
	return RC_OK;
}

static enum rc
copy_conf(struct dia_node *n, const struct dia_conf *c)
{
	enum rc rc;

	if (!copy_name(c->host, n->host, "host") || !copy_name(c->realm, n->realm, "realm"))
		return RC_SYNTAX;
	if (c->n_peers > DIA_PEERS_MAX || c->n_listen > DIA_LISTEN_MAX) {
		log_error("zn: at most %d peers and %d listeners", DIA_PEERS_MAX, DIA_LISTEN_MAX);
		return RC_RANGE;
	}
	n->watchdog_ms = c->watchdog_ms != 0 ? c->watchdog_ms : WATCHDOG_MS;
	n->reconnect_max_ms = c->reconnect_max_ms != 0 ? c->reconnect_max_ms : RECONNECT_MAX_MS;
	if (n->watchdog_ms < WATCHDOG_MIN_MS || n->reconnect_max_ms < DIA_RETRY_MIN_MS) {
		log_error("zn: watchdog is 6 s or more, reconnect_max %d ms or more", DIA_RETRY_MIN_MS);
		return RC_RANGE;
	}
	snprintf(n->product, sizeof n->product, "%s", c->product != NULL ? c->product : "kslocal");
	n->origin_state_id = c->origin_state_id;
	n->app = c->app != 0 ? c->app : DIA_APP_ZN;
	n->vendor = c->vendor != 0 ? c->vendor : DIA_VENDOR_3GPP;
	n->max_open = c->max_open != 0 ? c->max_open : MAX_OPEN;
	n->max_calls = c->max_calls != 0 ? c->max_calls : MAX_CALLS;
	if (c->n_peers > 0 && (n->peers = calloc(c->n_peers, sizeof *n->peers)) == NULL)
		return RC_NOMEM;
	for (size_t i = 0; i < c->n_peers; i++)
		if ((rc = add_peer(n, &c->peers[i])) != RC_OK)
			return rc;
	for (size_t i = 0; i < c->n_listen; i++)
		if ((rc = add_listen(n, &c->listen[i])) != RC_OK)
			return rc;
	return RC_OK;
}

/*
 * First numbers. End-to-end: 12 bits of the clock, 20 at random (RFC 6733 3); Session-Id: the start's time and a count
 * (RFC 6733 8.8).
 */
static enum rc
first_numbers(struct dia_node *n)
{
	uint32_t r[2], now = (uint32_t)clock_now_s(n->seams.clock);
	enum rc rc;

	if ((rc = rnd_bytes(n->seams.rnd, (uint8_t *)r, sizeof r)) != RC_OK)
		return rc;
	n->next_hbh = r[0];
	n->next_e2e = now << 20 | (r[1] & 0xfffff);
	n->session_high = now;
	return RC_OK;
}

static void on_stop_timer(void *arg);

enum rc
dia_node_new(const struct dia_seams *seams, const struct dia_conf *conf, const struct dia_node_cb *cb, void *arg, struct dia_node **out)
{
	struct dia_node *n = calloc(1, sizeof *n);
	enum rc rc;

	if (n == NULL)
		return RC_NOMEM;
	n->seams = *seams;
	n->cb = *cb;
	n->arg = arg;
	LIST_INIT(&n->conns);
	LIST_INIT(&n->calls);
	LIST_INIT(&n->txns);
	if ((rc = clock_timer_new(seams->clock, on_stop_timer, n, &n->stop_timer)) != RC_OK || (rc = copy_conf(n, conf)) != RC_OK ||
	    (rc = first_numbers(n)) != RC_OK || (cb->on_request != NULL && (rc = dia_dups_new(&n->dups)) != RC_OK))
		goto out;
	*out = n;
	n = NULL;
out:
	dia_node_free(n);
	return rc;
}

void
dia_node_free(struct dia_node *n)
{
	struct dia_conn *c;

	if (n == NULL)
		return;
	n->stopping = true;		/* nothing new begins */
	n->goodbye_said = true;
	n->cb.on_peer = NULL;
	dia_calls_free(n);
	dia_txns_free(n);
	while ((c = LIST_FIRST(&n->conns)) != NULL)
		dia_conn_end(c, REASON_NONE, "");
	for (size_t i = 0; i < n->n_peers; i++)
		clock_timer_free(n->peers[i].retry);
	for (size_t i = 0; i < n->n_listen; i++)
		link_listener_free(n->listen[i].listener);
	clock_timer_free(n->stop_timer);
	dia_dups_free(n->dups);
	free(n->peers);
	free(n);
}

/* --- started */

/* An address that other hosts can reach, going by its text. */
static bool
beyond_loopback(const char *address)
{
	return strncmp(address, "tcp:", 4) == 0 && strncmp(address, "tcp:127.", 8) != 0 && strncmp(address, "tcp:[::1]:", 10) != 0;
}

enum rc
dia_node_start(struct dia_node *n)
{
	enum rc rc;

	for (size_t i = 0; i < n->n_listen; i++) {
		struct dia_listen *l = &n->listen[i];
		const struct link_options opt = { .tls = l->tls, .max_links = DIA_PEERS_MAX + DIA_STRANGERS_MAX };

		if (l->tls == NULL && !l->insecure && beyond_loopback(l->address)) {
			log_reason(REASON_ZN_INSECURE, "zn: listen=%s", l->address);
			return RC_DENIED;
		}
		if ((rc = link_listen(n->seams.net, l->address, &opt, dia_conn_accept, l, &l->listener)) != RC_OK)
			return rc;
	}
	n->started = true;
	for (size_t i = 0; i < n->n_peers; i++)
		plan(&n->peers[i], 0);
	return RC_OK;
}

/* --- stopped */

static void
say_goodbye(struct dia_node *n)
{
	struct dia_conn *c, *next;

	n->goodbye_said = true;
	for (c = LIST_FIRST(&n->conns); c != NULL; c = next) {
		next = LIST_NEXT(c, all);
		if (dia_state_up(c->state))
			dia_send_dpr(c);
		else if (c->state != DIA_CLOSING)
			dia_conn_end(c, REASON_NONE, "");
	}
}

void
dia_node_stop_step(struct dia_node *n)
{
	if (!n->stopping)
		return;
	if (!n->goodbye_said && LIST_EMPTY(&n->txns) && LIST_EMPTY(&n->calls))
		say_goodbye(n);
	if (n->goodbye_said && LIST_EMPTY(&n->conns) && n->on_stopped != NULL)
		clock_timer_set(n->stop_timer, 0);
}

static void
on_stop_timer(void *arg)
{
	struct dia_node *n = arg;
	void (*done)(void *) = n->on_stopped;

	if (!n->goodbye_said) {			/* what is still under way had its time */
		clock_timer_set(n->stop_timer, DIA_STOP_MS);
		say_goodbye(n);
		dia_node_stop_step(n);
		return;
	}
	while (!LIST_EMPTY(&n->conns))
		dia_conn_end(LIST_FIRST(&n->conns), REASON_NONE, "");
	clock_timer_stop(n->stop_timer);
	n->on_stopped = NULL;
	if (done != NULL)
		done(n->stopped_arg);
}

void
dia_node_stop(struct dia_node *n, void (*done)(void *arg), void *arg)
{
	n->on_stopped = done;
	n->stopped_arg = arg;
	if (n->stopping)
		return;
	n->stopping = true;
	for (size_t i = 0; i < n->n_listen; i++) {
		link_listener_free(n->listen[i].listener);
		n->listen[i].listener = NULL;
	}
	for (size_t i = 0; i < n->n_peers; i++)
		clock_timer_stop(n->peers[i].retry);
	clock_timer_set(n->stop_timer, DIA_STOP_MS);
	dia_node_stop_step(n);
}

/* --- looked at */

const char *
dia_node_address(const struct dia_node *n, size_t i)
{
	return i < n->n_listen && n->listen[i].listener != NULL ? link_listener_address(n->listen[i].listener) : NULL;
}

bool
dia_node_up(const struct dia_node *n)
{
	for (size_t i = 0; i < n->n_peers; i++)
		if (n->peers[i].conn != NULL && n->peers[i].conn->state == DIA_OPEN)
			return true;
	return false;
}

void
dia_session_id(struct dia_node *n, char out[static DIA_SESSION_ID_MAX + 1])
{
	/* 253 + 2 + 20 digits at most would be 275: long names are cut, the numbers never */
	snprintf(out, DIA_SESSION_ID_MAX + 1, "%.*s;%u;%u", DIA_SESSION_ID_MAX - 22, n->host, (unsigned)n->session_high,
	    (unsigned)n->session_low++);
}

size_t
dia_node_peers(const struct dia_node *n, struct dia_peer_info *out, size_t cap)
{
	for (size_t i = 0; i < n->n_peers && i < cap; i++) {
		const struct dia_peer *p = &n->peers[i];

		out[i] = (struct dia_peer_info){ .state = p->conn != NULL ? p->conn->state : p->off ? DIA_OFF : DIA_DOWN,
			.relay = p->relay, .tls = p->conn != NULL && p->conn->tls, .since_ms = p->since_ms, .last = p->last,
			.requests_in = p->requests_in, .requests_out = p->requests_out };
		memcpy(out[i].host, p->host, sizeof out[i].host);
		memcpy(out[i].realm, p->realm, sizeof out[i].realm);
		if (p->conn != NULL)
			memcpy(out[i].address, p->conn->who.address, sizeof out[i].address);
	}
	return n->n_peers;
}

void
dia_node_counts(const struct dia_node *n, struct dia_counts *out)
{
	*out = n->counts;
}
