/*
 * use_rig: devices that use a key: a channel of its own, `use`, TLS with the key's PSK, a tunnel, streams; and a service behind the MT.
 */
#ifndef TEST_UNIT_MTD_USE_RIG_H
#define TEST_UNIT_MTD_USE_RIG_H

#include "test/unit/mtd/rig.h"

#include "common/link_over.h"
#include "common/tunnel.h"
#include "mtd/gba.h"
#include "mtd/local.h"
#include "mtd/mt_impl.h"
#include "mtd/use.h"

#define SERVICE "modem"
#define SERVICE_AT "tcp:127.0.0.1:7000"

/* --- keys */

struct made {
	char device_id[64], btid[BTID_MAX + 1], challenge[CHALLENGE_MAX + 1];
	struct secret *key;
};

/* Derives; btid "" = a new bootstrapping. */
static inline struct made
make_key(struct dev *d, const char *device_id, const char *btid)
{
	struct made m = { .key = NULL };

	dev_derive(d, RIG_NAF, device_id, btid[0] != '\0' ? btid : NULL, NULL);
	dev_expect(d, REASON_NONE);
	(void)snprintf(m.device_id, sizeof m.device_id, "%s", device_id);
	(void)snprintf(m.btid, sizeof m.btid, "%s", dev_text(d, "btid"));
	(void)snprintf(m.challenge, sizeof m.challenge, "%s", dev_text(d, "challenge"));
	m.key = device_key(RIG_NAF, m.btid, device_id);
	return m;
}

/* K13: as the holder of a key that is in use: with a right proof over hello's challenge. Bootstraps anew. */
static inline struct made
make_key_holding(struct dev *d, const char *device_id, const struct secret *holds)
{
	char challenge[CHALLENGE_MAX + 1], proof[PROOF_LEN + 1];
	json_t *o = derive_body(RIG_NAF, device_id, NULL, NULL);
	struct made m = { .key = NULL };

	dev_ask(d, "hello", json_object());
	(void)snprintf(challenge, sizeof challenge, "%s", dev_text(d, "challenge"));
	ck_ok(proof_make(holds, PROOF_HOLDS, span_str(challenge), proof));
	json_object_set_new(o, "holds", json_string(proof));
	dev_ask(d, "derive", o);
	dev_expect(d, REASON_NONE);
	(void)snprintf(m.device_id, sizeof m.device_id, "%s", device_id);
	(void)snprintf(m.btid, sizeof m.btid, "%s", dev_text(d, "btid"));
	(void)snprintf(m.challenge, sizeof m.challenge, "%s", dev_text(d, "challenge"));
	m.key = device_key(RIG_NAF, m.btid, device_id);
	return m;
}

static inline struct triple
made_triple(const struct made *m)
{
	struct triple t;

	ck_ok(naf_id_parse(span_str(RIG_NAF), &t.naf_id));
	ck_ok(btid_parse(span_str(m->btid), &t.btid));
	ck_ok(device_id_parse(span_str(m->device_id), &t.device_id));
	return t;
}

/* -1: there is no such key. */
static inline int
key_state(const struct made *m)
{
	struct triple t = made_triple(m);
	struct iccid iccid;
	struct mt_key k;
	int state;

	if (mt_store_last_card(rig.store, &iccid) != RC_OK ||
	    mt_store_get_key(rig.store, &iccid, &t, timeguard_now(rig.guard), &k) != RC_OK)
		return -1;
	state = (int)k.state;
	mt_key_clear(&k);
	return state;
}

/* --- tunnels */

struct tun {
	struct dev d;
	struct link *over;
	struct tunnel *t;
	bool secured, up, closed;
	enum reason why;
};

static inline void
tun_on_up(struct tunnel *t, void *arg)
{
	struct tun *x = arg;

	(void)t;
	x->up = true;
}

static inline void
tun_on_closed(struct tunnel *t, enum reason why, const char *detail, void *arg)
{
	struct tun *x = arg;

	(void)detail;
	x->closed = true;
	x->up = false;
	x->why = why;
	x->t = NULL;
	tunnel_free(t);
}

static inline void
tun_on_secured(struct link *l, void *arg)
{
	static const struct tunnel_cb cb = { .on_up = tun_on_up, .on_closed = tun_on_closed };
	struct tun *x = arg;

	x->secured = true;
	x->over = NULL;
	ck_ok(tunnel_client_new(l, rig.clock, NULL, &cb, x, &x->t));
}

static inline void
tun_on_over_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct tun *x = arg;

	(void)detail;
	x->closed = true;
	x->why = why;
	x->over = NULL;
	link_free(l);
}

/* A channel, and `use` said on it. */
static inline void
tun_use(struct tun *x, const struct made *m)
{
	memset(x, 0, sizeof *x);
	dev_open(&x->d);
	dev_ask(&x->d, "use", complete_body(RIG_NAF, m->btid, m->device_id, NULL));
}

static inline struct link *
tun_detach(struct tun *x)
{
	struct link *l;

	ck_ok(rpc_detach(x->d.rpc, &l));
	x->d.rpc = NULL;
	return l;
}

/* identity NULL: the key's own. The handshake is on its way. */
static inline void
tun_begin(struct tun *x, const struct secret *key, const char *identity)
{
	static const struct link_cb cb = { .on_up = tun_on_secured, .on_closed = tun_on_over_closed };
	char own[LINK_PSK_IDENTITY_MAX + 1];
	struct secret *psk;
	struct link_psk p;
	struct link_over_conf conf = { .psk = &p };

	ck_ok(link_psk_of(key, own, &psk));
	p = (struct link_psk){ identity != NULL ? identity : own, psk };
	ck_ok(link_over(tun_detach(x), rig.clock, &conf, &cb, x, &x->over));
	secret_free(psk);
}

static inline void
tun_secure(struct tun *x, const struct secret *key, const char *identity)
{
	tun_begin(x, key, identity);
	rig_run();
}

/* The whole way. */
static inline void
tun_open(struct tun *x, const struct made *m)
{
	tun_use(x, m);
	dev_expect(&x->d, REASON_NONE);
	tun_secure(x, m->key, NULL);
	ck_assert_msg(x->up, "no tunnel: %s", reason_get(x->why)->code);
}

/* As a device that is gone at once. */
static inline void
tun_cut(struct tun *x)
{
	json_decref(x->d.ok);
	x->d.ok = NULL;
	rpc_free(x->d.rpc);
	x->d.rpc = NULL;
	link_free(x->over);
	x->over = NULL;
	tunnel_free(x->t);
	x->t = NULL;
	rig_run();
}

static inline size_t
tunnels(void)
{
	json_t *a = mt_use_list(rig.mt->use);
	size_t n = json_array_size(a);

	json_decref(a);
	return n;
}

/* --- streams */

struct stream {
	struct link *l;
	bool up, eof, closed;
	enum reason why;
	char in[4096];
	size_t n;
};

static inline void
stream_on_up(struct link *l, void *arg)
{
	(void)l;
	((struct stream *)arg)->up = true;
}

static inline void
stream_on_data(struct link *l, void *arg)
{
	struct stream *s = arg;
	struct span in = link_input(l);

	ck_assert_uint_le(in.n, sizeof s->in - s->n);
	memcpy(s->in + s->n, in.p, in.n);
	s->n += in.n;
	link_drain(l, in.n);
}

static inline void
stream_on_eof(struct link *l, void *arg)
{
	(void)l;
	((struct stream *)arg)->eof = true;
}

static inline void
stream_on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct stream *s = arg;

	(void)detail;
	s->closed = true;
	s->why = why;
	s->l = NULL;
	link_free(l);
}

static const struct link_cb stream_cb = {
	.on_up = stream_on_up, .on_data = stream_on_data, .on_eof = stream_on_eof, .on_closed = stream_on_closed
};

static inline void
stream_open(struct stream *s, struct tun *x, const char *service)
{
	memset(s, 0, sizeof *s);
	ck_ok(tunnel_open(x->t, service, &stream_cb, s, &s->l));
	rig_run();
}

/* What a stream says comes back from the service. */
static inline void
stream_echoes(struct stream *s, const char *text)
{
	s->n = 0;
	ck_ok(link_write(s->l, span_str(text)));
	rig_run();
	ck_assert_uint_eq(s->n, strlen(text));
	ck_assert_mem_eq(s->in, text, s->n);
}

/* --- the service: sends back what comes */

struct served {
	struct link *l;
	bool eof, closed, shut;		/* shut: the test did */
	enum reason why;
};
static struct {
	struct link_listener *listener;
	struct served conn[16];
	size_t n;
	bool mute;			/* takes nothing */
} service;

static inline void
served_on_data(struct link *l, void *arg)
{
	struct span in = link_input(l);

	(void)arg;
	if (service.mute)
		return;
	ck_ok(link_write(l, in));
	link_drain(l, in.n);
}

static inline void
served_on_eof(struct link *l, void *arg)
{
	struct served *s = arg;

	s->eof = true;
	if (!s->shut)
		ck_ok(link_shutdown(l));
}

static inline void
served_on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct served *s = arg;

	(void)detail;
	s->closed = true;
	s->why = why;
	s->l = NULL;
	link_free(l);
}

static inline void
service_on_accept(struct link *l, void *arg)
{
	static const struct link_cb cb = { .on_data = served_on_data, .on_eof = served_on_eof, .on_closed = served_on_closed };
	struct served *s = &service.conn[service.n++];

	(void)arg;
	ck_assert_uint_le(service.n, 16);
	s->l = l;
	link_set_cb(l, &cb, s);
}

/* Into the configuration, and listening. */
static inline void
service_start(void)
{
	const struct link_options opt = { .half_open = true };
	struct mt_service_conf *v = &rig.conf.services[rig.conf.n_services++];

	memset(&service, 0, sizeof service);
	(void)snprintf(v->name, sizeof v->name, SERVICE);
	(void)snprintf(v->connect, sizeof v->connect, SERVICE_AT);
	v->confirmed = true;
	ck_ok(link_listen(rig.net, SERVICE_AT, &opt, service_on_accept, NULL, &service.listener));
}

static inline void
service_stop(void)
{
	link_listener_free(service.listener);
	for (size_t i = 0; i < service.n; i++)
		link_free(service.conn[i].l);
	memset(&service, 0, sizeof service);
}

#endif
