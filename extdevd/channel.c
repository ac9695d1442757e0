#include "extdevd/channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/link_over.h"
#include "common/log.h"
#include "common/tunnel.h"
#include "extdevd/core.h"
#include "extdevd/use.h"

#define WHOLE_WAY_MS 30000

const char *
extdev_channel_state_name(const struct extdev_channel *c)
{
	static const char *const names[] = { "dialling", "hello", "use", "handshake", "opening", "up", "draining" };

	return names[c->state];
}

static void
enter(struct extdev_channel *c, enum extdev_channel_state state)
{
	c->state = state;
	log_debug("use: mt=%s btid=%s channel=%s", c->m->conf->name, c->triple.btid.s, extdev_channel_state_name(c));
}

/* It ended by itself; whoever hears it frees it. */
static void
ended(struct extdev_channel *c, enum reason why, bool unshared, int64_t retry_after_s, const char *detail)
{
	char text[200];
	struct extdev_channel_end end = { why, unshared, retry_after_s, text };

	(void)snprintf(text, sizeof text, "%s", detail);	/* it is the link's, and ends with it */
	clock_timer_stop(c->late);
	extdev_use_on_closed(c, &end);
}

static void
on_late(void *arg)
{
	struct extdev_channel *c = arg;

	ended(c, REASON_LINK_TIMEOUT, false, 0, extdev_channel_state_name(c));
}

/* --- the tunnel */

static void
on_tunnel_up(struct tunnel *t, void *arg)
{
	struct extdev_channel *c = arg;

	(void)t;
	clock_timer_stop(c->late);
	enter(c, EXTDEV_CHANNEL_UP);
	c->up_s = clock_now_s(c->m->e->s.clock);
	extdev_use_on_up(c);
}

static void
on_tunnel_closed(struct tunnel *t, enum reason why, const char *detail, void *arg)
{
	(void)t;
	ended(arg, why, false, 0, detail);
}

/* --- TLS: finished, the key is proven (K2) */

static void
on_secured(struct link *l, void *arg)
{
	static const struct tunnel_cb cb = { .on_up = on_tunnel_up, .on_closed = on_tunnel_closed };
	struct extdev_channel *c = arg;

	c->link = NULL;
	if (tunnel_client_new(l, c->m->e->s.clock, NULL, &cb, c, &c->tunnel) != RC_OK) {
		ended(c, REASON_INTERNAL, false, 0, "out of memory");
		return;
	}
	enter(c, EXTDEV_CHANNEL_OPENING);
	extdev_use_on_proven(c);
}

static void
on_link_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct extdev_channel *c = arg;

	(void)l;
	if (why == REASON_NONE)
		why = REASON_LOCAL_GONE;
	ended(c, why, c->state == EXTDEV_CHANNEL_HANDSHAKE && why == REASON_LINK_PSK_REFUSED, 0, detail);
}

static void
secure(struct extdev_channel *c, struct link *bare)
{
	static const struct link_cb cb = { .on_up = on_secured, .on_closed = on_link_closed };
	char identity[LINK_PSK_IDENTITY_MAX + 1];
	struct secret *key = NULL;
	struct link_psk psk;
	struct link_over_conf conf = { .psk = &psk };
	enum rc rc = link_psk_of(c->ks, identity, &key);

	secret_free(c->ks);
	c->ks = NULL;
	psk = (struct link_psk){ identity, key };
	if (rc != RC_OK)
		link_free(bare);
	else
		rc = link_over(bare, c->m->e->s.clock, &conf, &cb, c, &c->link);
	secret_free(key);
	if (rc != RC_OK) {
		ended(c, REASON_INTERNAL, false, 0, rc_str(rc));
		return;
	}
	enter(c, EXTDEV_CHANNEL_HANDSHAKE);
}

/* --- messages: hello, use */

#define EARLY_TEXT "octets between use and the handshake"

/* Octets where there may be none: they would be read as if they were authenticated (U2). */
static void
refuse_early(struct extdev_channel *c)
{
	static const char line[] = "{\"error\":{\"code\":\"bad-message\",\"text\":\"" EARLY_TEXT "\"}}\n";

	c->early = true;
	if (link_write(rpc_link(c->rpc), span_str(line)) != RC_OK)
		log_debug("use: mt=%s: it cannot be told", c->m->conf->name);
	rpc_close(c->rpc);		/* on_rpc_closed follows */
}

static void
on_use(void *arg, json_t *body, enum reason why, const json_t *error)
{
	struct extdev_channel *c = arg;
	int64_t wait = json_integer_value(json_object_get(error, "retry_after_s"));
	bool unshared = error != NULL && strcmp(reason_get(why)->local, "unknown-key") == 0;
	struct link *bare;
	char safe[160];

	(void)body;
	if (why == REASON_LOCAL_GONE)
		return;			/* on_rpc_closed follows */
	if (why != REASON_NONE) {
		log_text(span_str(json_string_value(json_object_get(error, "text"))), safe, sizeof safe);
		ended(c, why, unshared, wait > 0 && wait < 86400 ? wait : 0, safe);
		return;
	}
	if (rpc_detach(c->rpc, &bare) != RC_OK) {
		refuse_early(c);
		return;
	}
	c->rpc = NULL;
	secure(c, bare);
}

/* What the MT waits for before it answers (U10): that long it may take. */
static void
on_use_progress(void *arg, const char *word, int64_t wait_s)
{
	struct extdev_channel *c = arg;

	clock_timer_set(c->late, WHOLE_WAY_MS);
	extdev_use_progress(c->m, word, wait_s);
}

/* Asks, and steals body. */
static void
ask(struct extdev_channel *c, const char *op, json_t *body, rpc_answer_fn *fn, rpc_progress_fn *progress)
{
	enum rc rc = body == NULL ? RC_NOMEM : rpc_ask(c->rpc, op, body, fn, progress, c);

	json_decref(body);
	if (rc != RC_OK && rc != RC_STATE)	/* STATE: its end is under way, and says why: on_rpc_closed */
		ended(c, REASON_INTERNAL, false, 0, rc_str(rc));
}

static void
on_hello(void *arg, json_t *body, enum reason why, const json_t *error)
{
	struct extdev_channel *c = arg;
	struct localif_hello h = { 0 };
	const char *bad = "";

	(void)error;
	if (why == REASON_LOCAL_GONE)
		return;			/* on_rpc_closed follows */
	if (why == REASON_NONE && localif_hello_parse(body, &h, &bad) != RC_OK)
		why = REASON_LOCAL_BAD_ANSWER;
	if (why == REASON_NONE && strcmp(h.mt_id.s, c->mt_id.s) != 0)
		why = REASON_EXT_CHANNEL_OTHER;
	if (why != REASON_NONE) {
		ended(c, why, false, 0, bad);
		return;
	}
	enter(c, EXTDEV_CHANNEL_USE);
	/* tells of a key that was on disk before it was dialled: needs no turn */
	ask(c, LOCALIF_USE, localif_triple_print(&c->triple), on_use, on_use_progress);
}

/* This channel is for one thing; what the MT wants it asks on the messages' channel. */
static void
on_request(struct rpc_req *q, const char *op, json_t *body, void *arg)
{
	struct extdev_channel *c = arg;
	struct localif_hello ours;

	(void)body;
	if (strcmp(op, LOCALIF_HELLO) == 0 && c->state == EXTDEV_CHANNEL_HELLO) {
		ours = extdev_local_hello(c->m);
		rpc_ok(q, localif_hello_print(&ours));
	} else if (c->state == EXTDEV_CHANNEL_HELLO) {
		rpc_fail(q, REASON_LOCAL_UNSUPPORTED, 0, NULL);
	} else {
		c->early = true;
		rpc_fail(q, REASON_LOCAL_BAD_MESSAGE, 0, EARLY_TEXT);
		rpc_close(c->rpc);		/* on_rpc_closed follows */
	}
}

static void
on_rpc_closed(struct rpc *r, enum reason why, const char *detail, void *arg)
{
	struct extdev_channel *c = arg;

	(void)r;
	if (c->early)
		why = REASON_EXT_EARLY;
	else if (why == REASON_NONE)
		why = REASON_LOCAL_GONE;
	ended(c, why, false, 0, detail);
}

static void
on_connected(struct link *link, void *arg)
{
	static const struct rpc_cb cb = { on_request, on_rpc_closed };
	struct extdev_channel *c = arg;
	struct localif_hello h = extdev_local_hello(c->m);

	if (rpc_new(link, c->m->e->s.clock, NULL, &cb, c, &c->rpc) != RC_OK) {
		ended(c, REASON_INTERNAL, false, 0, "out of memory");
		return;
	}
	c->link = NULL;
	enter(c, EXTDEV_CHANNEL_HELLO);
	ask(c, LOCALIF_HELLO, localif_hello_print(&h), on_hello, NULL);
}

/* --- life */

enum rc
extdev_channel_new(struct extdev_mt *m, const struct extdev_key *k, struct extdev_channel **out)
{
	static const struct link_cb cb = { .on_up = on_connected, .on_closed = on_link_closed };
	struct link_options opt = extdev_local_options(m);
	struct extdev_channel *c = calloc(1, sizeof *c);
	enum rc rc;

	if (c == NULL)
		return RC_NOMEM;
	c->m = m;
	c->mt_id = k->from.mt_id;
	c->triple = k->from.triple;
	c->expires_s = k->expires_s;
	c->sure_s = k->sure_s;
	c->waiting = k->state == EXTDEV_WAITING;
	if ((rc = secret_dup(k->ks, &c->ks)) == RC_OK && (rc = secret_kcv(k->ks, c->kcv)) == RC_OK &&
	    (rc = clock_timer_new(m->e->s.clock, on_late, c, &c->late)) == RC_OK)
		rc = link_connect(m->e->s.net, m->conf->address, &opt, &cb, c, &c->link);
	if (rc != RC_OK) {
		extdev_channel_free(c);
		return rc;
	}
	clock_timer_set(c->late, WHOLE_WAY_MS);
	*out = c;
	return RC_OK;
}

void
extdev_channel_free(struct extdev_channel *c)
{
	if (c == NULL)
		return;
	clock_timer_free(c->late);
	tunnel_free(c->tunnel);
	rpc_free(c->rpc);
	link_free(c->link);
	secret_free(c->ks);
	free(c);
}

void
extdev_channel_drain(struct extdev_channel *c)
{
	enter(c, EXTDEV_CHANNEL_DRAINING);
	tunnel_drain(c->tunnel);
}

void
extdev_channel_close(struct extdev_channel *c, enum reason why)
{
	if (!c->closing)
		tunnel_close(c->tunnel, why);
	c->closing = true;
}
