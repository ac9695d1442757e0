/*
 * use_rig: rig.h with an MT that takes further channels: the first link of an address is the messages' (rig.mt), each other one is a
 * channel here. What it answers to `use` is the test's to say; ok is followed by the real handshake and a real HTTP/2 server whose
 * streams send back what they get.
 */
#ifndef TEST_UNIT_EXTDEVD_USE_RIG_H
#define TEST_UNIT_EXTDEVD_USE_RIG_H

#include "common/link_over.h"
#include "common/tunnel.h"
#include "extdevd/use.h"
#include "test/unit/extdevd/rig.h"

#define CHANNELS 12

struct use_channel {
	struct rpc *rpc;		/* until `use` */
	struct rpc_req *open;		/* `use`, of a mute MT */
	struct link *link;		/* the handshake */
	struct tunnel *tunnel;
	char btid[BTID_MAX + 1], device_id[DEVICE_ID_MAX + 1];	/* that `use` named */
	bool up, closed;
	enum reason why;
};
static struct {
	struct use_channel ch[CHANNELS];
	int n;				/* channels so far */
	enum reason answer;		/* to `use`; REASON_NONE = ok */
	int64_t retry_after_s;
	const char *early;		/* sent right behind ok: octets that may not be there */
	bool mute;			/* `use` gets no answer */
	int key;			/* rig_key() number that the MT has; 0 = the newest that the Key Center gave */
	const char *id;			/* MT_ID on channels; NULL = as on the messages' */
	int opened;			/* streams */
	char service[64];		/* of the last one */
	enum reason refuse;		/* streams, where not REASON_NONE */
	struct rpc *messages;		/* a tunnel's stream for messages */
	json_t *forgotten;		/* the last `forget` */
} use;

/* --- streams: what comes goes back */

static inline void
use_echo(struct link *l, void *arg)
{
	struct span in = link_input(l);

	(void)arg;
	if (in.n > 0 && link_write(l, in) == RC_OK)
		link_drain(l, in.n);
}

static inline void
use_echo_eof(struct link *l, void *arg)
{
	use_echo(l, arg);
	(void)!link_shutdown(l);
}

static inline void
use_stream_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	(void)why, (void)detail, (void)arg;
	link_free(l);
}

static inline void
use_on_message(struct rpc_req *q, const char *op, json_t *body, void *arg)
{
	(void)arg;
	ck_assert_str_eq(op, "forget");
	json_decref(use.forgotten);
	use.forgotten = json_deep_copy(body);
	rpc_ok(q, NULL);
}

static inline void
use_messages_closed(struct rpc *r, enum reason why, const char *detail, void *arg)
{
	(void)why, (void)detail, (void)arg;
	rpc_free(r);
	use.messages = NULL;
}

static inline void
use_on_open(struct tunnel *t, struct link *stream, const char *service, void *arg)
{
	static const struct link_cb echo = { .on_data = use_echo, .on_eof = use_echo_eof, .on_closed = use_stream_closed };
	static const struct rpc_cb messages = { use_on_message, use_messages_closed };

	(void)t, (void)arg;
	use.opened++;
	(void)snprintf(use.service, sizeof use.service, "%s", service);
	if (use.refuse != REASON_NONE) {
		tunnel_refuse(stream, use.refuse);
	} else if (strcmp(service, TUNNEL_MESSAGES) == 0) {
		ck_ok(tunnel_accept(stream));
		ck_ok(rpc_new(stream, rig.clk, NULL, &messages, NULL, &use.messages));
	} else {
		link_set_cb(stream, &echo, NULL);
		ck_ok(tunnel_accept(stream));
	}
}

/* --- a channel */

static inline void
use_tunnel_up(struct tunnel *t, void *arg)
{
	(void)t;
	((struct use_channel *)arg)->up = true;
}

static inline void
use_tunnel_closed(struct tunnel *t, enum reason why, const char *detail, void *arg)
{
	struct use_channel *c = arg;

	(void)detail;
	c->up = false;
	c->closed = true;
	c->why = why;
	c->tunnel = NULL;
	tunnel_free(t);
}

static inline void
use_secured(struct link *l, void *arg)
{
	static const struct tunnel_cb cb = { use_tunnel_up, use_on_open, use_tunnel_closed };
	struct use_channel *c = arg;

	c->link = NULL;
	ck_ok(tunnel_server_new(l, rig.clk, NULL, &cb, c, &c->tunnel));
}

static inline void
use_link_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct use_channel *c = arg;

	(void)detail;
	c->closed = true;
	c->why = why;
	c->link = NULL;
	link_free(l);
}

static inline void
use_secure(struct use_channel *c)
{
	static const struct link_cb cb = { .on_up = use_secured, .on_closed = use_link_closed };
	struct secret *ks = rig_key(use.key), *psk = NULL;
	char identity[LINK_PSK_IDENTITY_MAX + 1];
	struct link_psk p = { identity, NULL };
	struct link_over_conf conf = { .server = true, .psk = &p };
	struct link *bare;

	ck_ok(rpc_detach(c->rpc, &bare));
	c->rpc = NULL;
	ck_ok(link_psk_of(ks, identity, &psk));
	p.key = psk;
	ck_ok(link_over(bare, rig.clk, &conf, &cb, c, &c->link));
	secret_free(psk);
	secret_free(ks);
}

static inline void
use_channel_request(struct rpc_req *q, const char *op, json_t *body, void *arg)
{
	struct use_channel *c = arg;

	if (strcmp(op, "hello") == 0) {
		rpc_ok(q, json_pack("{s:i, s:s, s:s}", "version", 1, "role", "mt", "mt_id", use.id != NULL ? use.id : rig.mt.id));
		return;
	}
	ck_assert_str_eq(op, "use");
	(void)snprintf(c->btid, sizeof c->btid, "%s", json_string_value(json_object_get(body, "btid")));
	(void)snprintf(c->device_id, sizeof c->device_id, "%s", json_string_value(json_object_get(body, "device_id")));
	if (use.mute) {
		c->open = q;
		return;
	}
	if (use.answer != REASON_NONE) {
		rpc_fail(q, use.answer, use.retry_after_s, NULL);
		return;
	}
	rpc_ok(q, NULL);
	if (use.early != NULL)
		ck_ok(link_write(rpc_link(c->rpc), span_str(use.early)));
	else
		use_secure(c);
}

static inline void
use_channel_closed(struct rpc *r, enum reason why, const char *detail, void *arg)
{
	struct use_channel *c = arg;

	(void)detail;
	c->closed = true;
	c->why = why;
	c->rpc = NULL;
	rpc_free(r);
}

static inline void
use_accept(struct link *l, void *arg)
{
	static const struct rpc_cb cb = { use_channel_request, use_channel_closed };
	struct use_channel *c = &use.ch[use.n];

	if (rig.mt.rpc == NULL) {
		rig_mt_accept(l, arg);
		return;
	}
	ck_assert_int_lt(use.n, CHANNELS);
	use.n++;
	ck_ok(rpc_new(l, rig.clk, NULL, &cb, c, &c->rpc));
}

static inline void
use_listen(void)
{
	struct link_options opt = { .tls = rig.mt_tls[0] };

	TAILQ_INIT(&rig.mt.in);
	rig.mt.id = MT1;
	ck_ok(link_listen(rig.net, "unix:/mt", &opt, use_accept, &rig.mt, &rig.mt.ll));
}

/* A channel breaks. */
static inline void
use_break(struct use_channel *c)
{
	rpc_free(c->rpc);
	link_free(c->link);
	tunnel_free(c->tunnel);
	if (c->open != NULL)
		rpc_ok(c->open, NULL);		/* goes nowhere */
	c->rpc = NULL;
	c->open = NULL;
	c->link = NULL;
	c->tunnel = NULL;
	c->up = false;
}

/* The MT's process dies with its channels. */
static inline void
use_mt_dies(void)
{
	for (int i = 0; i < use.n; i++)
		use_break(&use.ch[i]);
	rpc_free(use.messages);
	use.messages = NULL;
	rig_mt_dies(&rig.mt);
}

/* --- the device */

/* An establishment that began by itself, with a new bootstrapping. */
static inline void
use_new_key(const char *btid, int which, int64_t lifetime_s)
{
	rig_info(NULL);
	rig_derive(NULL, btid);
	use.key = which;
	rig_naf_key(which, lifetime_s);
	rig_complete(btid, which);
}

static inline void
use_setup(const struct extdev_service_conf *services, size_t n, bool on_connect)
{
	rig_new();
	memset(&use, 0, sizeof use);
	rig.mts[0].use_on_connect = on_connect;
	rig.mts[0].services = services;
	rig.mts[0].n_services = n;
	rig.conf.renew_at = 0;
	use_listen();
	rig_start();
}

/* … with key 1 of B1, confirmed; it lives an hour. */
static inline void
use_setup_with_key(const struct extdev_service_conf *services, size_t n, bool on_connect)
{
	struct rig_done d;

	use_setup(services, n, on_connect);
	use.key = 1;
	rig_scenario1(&d, B1, 1);
	rig_run();
}

static inline void
use_teardown(void)
{
	use_mt_dies();
	json_decref(use.forgotten);
	use.forgotten = NULL;
	rig_teardown();
}

/* An operator's wish. */
struct use_done {
	int n;
	enum reason why;
	char btid[BTID_MAX + 1];
	char word[32];			/* the last one */
};

static inline void
use_on_word(void *arg, const char *word, int64_t wait_s)
{
	struct use_done *d = arg;

	ck_assert_int_gt(wait_s, 0);
	(void)snprintf(d->word, sizeof d->word, "%s", word);
}

static inline void
use_on_done(void *arg, const struct extdev_channel *c, enum reason why, const char *detail)
{
	struct use_done *d = arg;

	(void)detail;
	d->n++;
	d->why = why;
	(void)snprintf(d->btid, sizeof d->btid, "%s", c != NULL ? c->triple.btid.s : "");
}

static inline void
use_ask(struct use_done *d)
{
	memset(d, 0, sizeof *d);
	extdev_use_await(&rig.e->mts[0], use_on_done, use_on_word, d);
	ck_assert_int_eq(d->n, 0);	/* never inside the call */
	rig_run();
}

static inline int
use_tunnels(void)
{
	int n = 0;

	for (int i = 0; i < use.n; i++)
		n += use.ch[i].up;
	return n;
}

/* --- a user of a service, at the device */

struct use_user {
	struct link *link;
	char got[4096];
	size_t n;
	bool up, eof, closed;
	enum reason why;
};

static inline void
use_user_up(struct link *l, void *arg)
{
	(void)l;
	((struct use_user *)arg)->up = true;
}

static inline void
use_user_data(struct link *l, void *arg)
{
	struct use_user *u = arg;
	struct span in = link_input(l);

	ck_assert_uint_lt(u->n + in.n, sizeof u->got);
	memcpy(u->got + u->n, in.p, in.n);
	u->n += in.n;
	u->got[u->n] = '\0';
	link_drain(l, in.n);
}

static inline void
use_user_eof(struct link *l, void *arg)
{
	(void)l;
	((struct use_user *)arg)->eof = true;
}

static inline void
use_user_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct use_user *u = arg;

	(void)detail;
	u->closed = true;
	u->why = why;
	u->link = NULL;
	link_free(l);
}

static inline void
use_connect(struct use_user *u, const char *address)
{
	static const struct link_cb cb = { .on_up = use_user_up, .on_data = use_user_data, .on_eof = use_user_eof,
	    .on_closed = use_user_closed };
	struct link_options opt = { .half_open = true };

	memset(u, 0, sizeof *u);
	ck_ok(link_connect(rig.net, address, &opt, &cb, u, &u->link));
	rig_run();
}

static inline void
use_say(struct use_user *u, const char *text)
{
	ck_ok(link_write(u->link, span_str(text)));
	rig_run();
}

#endif
