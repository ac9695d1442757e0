#include "mtd/local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "common/link.h"
#include "common/log.h"
#include "common/turn.h"
#include "mtd/local_impl.h"
#include "mtd/policy.h"

#define LINKS_MAX 256

/* --- conversations */

static void
on_all_closed(void *arg, enum rc rc)
{
	struct mt_local *l = arg;
	void (*fn)(void *arg) = l->stopped;

	(void)rc;
	l->stopped = NULL;
	if (fn != NULL)
		fn(l->stopped_arg);
}

static void
look_closed(struct mt_local *l)
{
	if (l->stopped != NULL && LIST_EMPTY(&l->sessions))
		turn_later(l->s->turn, on_all_closed, l);
}

static void
session_free(struct mt_session *s)
{
	LIST_REMOVE(s, all);
	rpc_free(s->rpc);
	free(s);
}

void
mt_session_end(struct mt_session *s)
{
	mt_gba_conn_ended(s->l->g, &s->from);
	session_free(s);
}

static void
on_closed(struct rpc *r, enum reason why, const char *detail, void *arg)
{
	struct mt_session *s = arg;
	struct mt_local *l = s->l;

	(void)r;
	if (why == REASON_NONE)
		log_info("local: link=%s conn=%s closed", s->from.link, s->from.conn);
	else
		log_reason(why, "local: link=%s conn=%s: %s", s->from.link, s->from.conn, detail);
	mt_session_end(s);
	look_closed(l);
}

/*
 * A link's lasting name: the listener, and who is at the other end without what changes with each connection (a port, a
 * number). Buckets and the bound of unused keys go by it (K5, K8).
 */
static void
name_link(const char *listener, const struct link_peer *peer, char out[static MT_LINK_MAX + 1])
{
	struct span rest = span_str(peer->address), kind, host;

	if (!span_upto(&rest, ':', &kind))
		kind = rest;
	host = rest;
	if (span_eq_str(kind, "tcp"))
		(void)span_upto_last(&rest, ':', &host);	/* without its port */
	else if (span_eq_str(kind, "serial"))
		(void)span_upto_last(&rest, '#', &host);	/* without its channel */
	else if (span_eq_str(kind, "mem"))
		host = kind;
	(void)snprintf(out, MT_LINK_MAX + 1, "%s/%.*s", listener, (int)host.n, (const char *)host.p);
}

static enum rc
session_new(struct mt_heard *h, struct link *link, struct mt_session **out)
{
	static const struct rpc_cb cb = { mt_local_on_request, on_closed };
	uint8_t conn[8];
	struct link_peer peer;
	struct mt_session *s = calloc(1, sizeof *s);
	enum rc rc = RC_NOMEM;

	if (s == NULL)
		return RC_NOMEM;
	if ((rc = rnd_bytes(h->l->s->rnd, conn, sizeof conn)) != RC_OK || (rc = proof_challenge(h->l->s->rnd, s->challenge)) != RC_OK)
		goto out;
	if ((rc = rpc_new(link, h->l->s->clock, NULL, &cb, s, &s->rpc)) != RC_OK)
		goto out;
	s->l = h->l;
	s->conf = h->conf;
	hex_print(span_of(conn, sizeof conn), s->from.conn);
	link_get_peer(link, &peer);
	name_link(h->conf->name, &peer, s->from.link);
	log_info("local: link=%s conn=%s from %s", s->from.link, s->from.conn, peer.address);
	*out = s;
	s = NULL;
out:
	free(s);
	return rc;
}

static void
on_accept(struct link *link, void *arg)
{
	struct mt_heard *h = arg;
	struct mt_session *s;

	if (session_new(h, link, &s) != RC_OK) {
		log_error("local: link=%s: out of memory", h->conf->name);
		link_free(link);
		return;
	}
	LIST_INSERT_HEAD(&h->l->sessions, s, all);
}

/* --- life */

enum rc
mt_local_new(const struct mt_seams *s, const struct mt_conf *conf, struct mt_gba *g, struct mt_use *use, const struct mt_id *id,
    struct mt_local **out)
{
	struct mt_local *l = calloc(1, sizeof *l);
	struct mt_invite_env env = { s, conf, g, use, mt_local_ask, l };
	enum rc rc;

	if (l == NULL)
		return RC_NOMEM;
	l->s = s;
	l->conf = conf;
	l->g = g;
	l->use = use;
	l->id = *id;
	LIST_INIT(&l->sessions);
	if ((rc = mt_invites_new(&env, &l->invites)) != RC_OK) {
		free(l);
		return rc;
	}
	*out = l;
	return RC_OK;
}

void
mt_local_free(struct mt_local *l)
{
	struct mt_session *s;

	if (l == NULL)
		return;
	mt_local_deaf(l);
	while ((s = LIST_FIRST(&l->sessions)) != NULL)
		session_free(s);
	mt_local_drop_ops(l);
	mt_local_drop_channels(l);
	mt_invites_free(l->invites);
	free(l);
}

static bool
is_exposed(const struct mt_local_conf *c)
{
	return c->tls == NULL && !mt_policy_is_loopback(c->listen);
}

/* K11: before anything is bound. */
static enum rc
check_exposed(const struct mt_local *l)
{
	for (size_t i = 0; i < l->conf->n_locals; i++) {
		const struct mt_local_conf *c = &l->conf->locals[i];

		if (is_exposed(c) && !c->insecure) {
			log_reason(REASON_MT_LISTEN_PLAIN, "local: link=%s listen=%s", c->name, c->listen);
			return RC_DENIED;
		}
	}
	return RC_OK;
}

enum rc
mt_local_start(struct mt_local *l)
{
	enum rc rc;

	if ((rc = check_exposed(l)) != RC_OK)
		return rc;
	for (size_t i = 0; i < l->conf->n_locals; i++) {
		const struct mt_local_conf *c = &l->conf->locals[i];
		struct link_options opt = {
			.tls = c->tls, .unix_mode = c->unix_mode, .max_links = c->links_max != 0 ? c->links_max : LINKS_MAX,
			.serial = c->serial
		};

		l->heard[i] = (struct mt_heard){ l, c, NULL };
		if ((rc = link_listen(l->s->net, c->listen, &opt, on_accept, &l->heard[i], &l->heard[i].listener)) != RC_OK) {
			log_error("local: link=%s cannot listen on %s: %s", c->name, c->listen, rc_str(rc));
			return rc;
		}
	}
	return RC_OK;
}

void
mt_local_deaf(struct mt_local *l)
{
	for (size_t i = 0; i < MT_LOCALS_MAX; i++) {
		link_listener_free(l->heard[i].listener);
		l->heard[i].listener = NULL;
	}
}

/* Everything asked for before was answered in turns that are over, or stands before this in the outbox. */
static void
close_all(void *arg, enum rc rc)
{
	struct mt_local *l = arg;
	struct mt_session *s;

	(void)rc;
	LIST_FOREACH(s, &l->sessions, all)
		rpc_close(s->rpc);
	look_closed(l);
}

void
mt_local_stop(struct mt_local *l, void (*done)(void *arg), void *arg)
{
	l->stopping = true;
	l->stopped = done;
	l->stopped_arg = arg;
	mt_invites_stop(l->invites);
	turn_later(l->s->turn, close_all, l);
}

json_t *
mt_local_addresses(const struct mt_local *l)
{
	json_t *a = json_array();

	for (size_t i = 0; i < l->conf->n_locals; i++) {
		if (l->heard[i].listener != NULL)
			(void)json_array_append_new(a, json_string(link_listener_address(l->heard[i].listener)));
	}
	return a;
}

json_t *
mt_local_links(const struct mt_local *l)
{
	json_t *a = json_array();
	const struct mt_session *s;

	LIST_FOREACH(s, &l->sessions, all) {
		(void)json_array_append_new(a, json_pack("{s:s, s:s, s:s}", "link", s->from.link, "conn", s->from.conn,
		    "device_id", s->device_id.s));
	}
	return a;
}

void
mt_local_health(const struct mt_local *l, json_t *problems)
{
	for (size_t i = 0; i < l->conf->n_locals; i++) {
		const struct mt_local_conf *c = &l->conf->locals[i];

		if (is_exposed(c))
			(void)json_array_append_new(problems, json_sprintf("local link '%s' is plain beyond loopback (insecure = yes): %s",
			    c->name, c->listen));
	}
}
