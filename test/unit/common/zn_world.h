/*
 * zn_world: Diameter nodes in one process on a virtual clock and the in-memory network, and `raw`: the other end of a connection
 * played by the test, octet by octet.
 */
#ifndef TEST_UNIT_COMMON_ZN_WORLD_H
#define TEST_UNIT_COMMON_ZN_WORLD_H

#include <stdio.h>

#include "common/clock.h"
#include "common/diameter_peer.h"
#include "common/link.h"
#include "common/log.h"
#include "common/rnd.h"
#include "test/unit/unit.h"

#define S(text) span_of(text, sizeof (text) - 1)
#define BSF_ADDRESS "tcp:127.0.0.1:3868"
#define BSF2_ADDRESS "tcp:127.0.0.1:3869"
#define KEY "0123456789abcdef0123456789abcdef"

/* --- the world */

struct world {
	struct clock *clock;
	struct link_net *net;
	struct rnd_seeded rnd;
	struct dia_seams seams;
};

static char world_log[65536];

static void
world_log_line(enum log_level level, const char *line, void *arg)
{
	size_t n = strlen(world_log);

	(void)level;
	(void)arg;
	snprintf(world_log + n, sizeof world_log - n, "%s\n", line);
}

static inline bool
logged(const char *what)
{
	return strstr(world_log, what) != NULL;
}

static inline void
world_open(struct world *w)
{
	world_log[0] = '\0';
	log_set_level(LOG_LEVEL_DEBUG);
	log_capture(world_log_line, NULL);
	ck_ok(clock_new_virtual(INT64_C(1700000000000), &w->clock));
	ck_ok(link_mem_new(w->clock, &w->net));
	rnd_seeded_init(&w->rnd, 1);
	w->seams = (struct dia_seams){ w->clock, &w->rnd.rnd, w->net };
}

static inline void
world_close(struct world *w)
{
	log_capture(NULL, NULL);
	link_mem_free(w->net);
	clock_free(w->clock);
}

/* Deliver all that is under way, timers that are due included. */
static inline void
settle(struct world *w)
{
	while (link_mem_run(w->net) + clock_advance(w->clock, 0) > 0)
		;
}

/* Let time pass in small steps, the network working along. */
static inline void
pass(struct world *w, int64_t ms)
{
	settle(w);
	for (; ms > 0; ms -= 50) {
		clock_advance(w->clock, ms < 50 ? ms : 50);
		settle(w);
	}
}

/* --- nodes */

/* What a node's user in a test does with requests. */
struct user {
	struct dia_node *node;
	unsigned requests, ups, downs;
	bool last_duplicate, keep;	/* keep: answer later, by user_answer() */
	struct dia_txn *kept[8];
	unsigned n_kept;
};

static void
user_answer(struct user *u, struct dia_txn *t)
{
	const struct dia_fault ok = { .result = DIA_SUCCESS };
	struct dia_buf b = DIA_BUF_INIT;

	(void)u;
	dia_begin_answer(&b, dia_txn_msg(t), "bsf.example.org", "example.org", &ok);
	dia_put(&b, DIA_ME_KEY_MATERIAL, S(KEY));
	ck_ok(dia_end(&b));
	dia_answer(t, &b);
	dia_buf_free(&b);
}

static void
user_on_request(struct dia_txn *t, const struct dia_msg *m, void *arg)
{
	struct user *u = arg;

	ck_assert_ptr_eq(m, dia_txn_msg(t));
	u->requests++;
	u->last_duplicate = dia_txn_duplicate(t);
	if (u->keep)
		u->kept[u->n_kept++] = t;
	else
		user_answer(u, t);
}

static void
user_on_peer(const char *host, bool up, void *arg)
{
	struct user *u = arg;

	(void)host;
	if (up)
		u->ups++;
	else
		u->downs++;
}

/* A node that listens, as bsfd's. */
static inline void
bsf_open(struct world *w, struct user *u, const char *host, const char *address)
{
	const struct dia_peer_conf peers[] = {
		{ .host = "nafkc.example.org", .realm = "example.org" },
		{ .host = "NAF2.example.org", .realm = "Example.org" },
		{ .host = "dra.example.org", .realm = "example.org", .relay = true },
		{ .host = "elsewhere.example.org", .realm = "example.org", .address = "tcp:127.0.0.1:9" },
	};
	const struct dia_listen_conf listen = { .address = address };
	const struct dia_conf conf = { .host = host, .realm = "example.org", .product = "test", .origin_state_id = 7,
		.peers = peers, .n_peers = 4, .listen = &listen, .n_listen = 1, .watchdog_ms = 10000, .reconnect_max_ms = 2000 };
	const struct dia_node_cb cb = { user_on_request, user_on_peer };

	ck_ok(dia_node_new(&w->seams, &conf, &cb, u, &u->node));
	ck_ok(dia_node_start(u->node));
}

/* A node that connects, as nafkcd's: to one BSF or two. */
static inline void
naf_open(struct world *w, struct user *u, size_t n_bsf)
{
	const struct dia_peer_conf peers[] = {
		{ .host = "bsf.example.org", .realm = "example.org", .address = BSF_ADDRESS },
		{ .host = "bsf2.example.org", .realm = "example.org", .address = BSF2_ADDRESS },
	};
	const struct dia_conf conf = { .host = "nafkc.example.org", .realm = "example.org", .product = "test", .origin_state_id = 7,
		.peers = peers, .n_peers = n_bsf, .watchdog_ms = 10000, .reconnect_max_ms = 2000 };
	const struct dia_node_cb cb = { NULL, user_on_peer };

	ck_ok(dia_node_new(&w->seams, &conf, &cb, u, &u->node));
	ck_ok(dia_node_start(u->node));
}

static inline struct dia_peer_info
peer_info(const struct user *u, size_t i)
{
	struct dia_peer_info info[8];

	ck_assert(dia_node_peers(u->node, info, 8) > i);
	return info[i];
}

static inline struct dia_counts
counts(const struct user *u)
{
	struct dia_counts c;

	dia_node_counts(u->node, &c);
	return c;
}

/* --- raw: the other end, played by the test */

struct raw {
	struct link *link;
	struct link_listener *listener;
	bool up, closed;
	uint8_t in[1 << 17];
	size_t n, at;			/* octets in; taken of them */
	uint32_t next;			/* hop-by-hop and end-to-end */
	const char *host;
};

static void
raw_on_up(struct link *l, void *arg)
{
	(void)l;
	((struct raw *)arg)->up = true;
}

static void
raw_on_data(struct link *l, void *arg)
{
	struct span s = link_input(l);
	struct raw *r = arg;

	ck_assert(s.n <= sizeof r->in - r->n);
	memcpy(r->in + r->n, s.p, s.n);
	r->n += s.n;
	link_drain(l, s.n);
}

static void
raw_on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct raw *r = arg;

	(void)why;
	(void)detail;
	link_free(l);
	r->link = NULL;
	r->closed = true;
}

static const struct link_cb raw_cb = { .on_up = raw_on_up, .on_data = raw_on_data, .on_closed = raw_on_closed };

static void
raw_on_accept(struct link *l, void *arg)
{
	struct raw *r = arg;

	if (r->link != NULL) {
		link_free(l);
		return;
	}
	r->link = l;
	r->up = true;
	r->closed = false;
	r->n = r->at = 0;
	link_set_cb(l, &raw_cb, r);
}

static inline void
raw_connect(struct world *w, struct raw *r, const char *host)
{
	memset(r, 0, sizeof *r);
	r->host = host;
	ck_ok(link_connect(w->net, BSF_ADDRESS, NULL, &raw_cb, r, &r->link));
	settle(w);
}

static inline void
raw_listen(struct world *w, struct raw *r, const char *host, const char *address)
{
	memset(r, 0, sizeof *r);
	r->host = host;
	ck_ok(link_listen(w->net, address, NULL, raw_on_accept, r, &r->listener));
}

static inline void
raw_close(struct raw *r)
{
	link_free(r->link);
	link_listener_free(r->listener);
	r->link = NULL;
	r->listener = NULL;
}

static inline void
raw_octets(struct world *w, struct raw *r, struct span s)
{
	if (r->link != NULL)
		ck_ok(link_write(r->link, s));
	settle(w);
}

/* Ends b, sends and frees it. */
static inline void
raw_send(struct world *w, struct raw *r, struct dia_buf *b)
{
	ck_ok(dia_end(b));
	raw_octets(w, r, dia_buf_span(b));
	dia_buf_free(b);
}

/* The next message that came; false when there is none. */
static inline bool
raw_next(struct raw *r, struct dia_msg *m)
{
	struct span rest = span_of(r->in + r->at, r->n - r->at);
	size_t len;

	if (dia_frame(rest, &len) != RC_OK || rest.n < len)
		return false;
	ck_ok(dia_parse(span_of(rest.p, len), m));
	r->at += len;
	return true;
}

static inline uint32_t
msg_u32(const struct dia_msg *m, enum dia_id id)
{
	struct dia_avp a;
	uint32_t v = 0;

	if (dia_find(m->avps, id, &a))
		ck_ok(dia_get_u32(&a, &v));
	return v;
}

static inline uint32_t
result_of(const struct dia_msg *m)
{
	return msg_u32(m, DIA_RESULT_CODE);
}

/* The code of the AVP in Failed-AVP; 0 = none. */
static inline uint32_t
failed_of(const struct dia_msg *m)
{
	struct dia_avp failed, a;

	return dia_find(m->avps, DIA_FAILED_AVP, &failed) && dia_next(&failed.data, &a, NULL) == RC_OK ? a.code : 0;
}

/* The next message must be this answer; its result. */
static inline uint32_t
raw_answer(struct raw *r, uint32_t cmd, struct dia_msg *m)
{
	ck_assert_msg(raw_next(r, m), "no answer came");
	ck_assert_uint_eq(m->hdr.cmd, cmd);
	ck_assert((m->hdr.flags & DIA_R) == 0 && m->hdr.hbh == r->next);
	return result_of(m);
}

static inline void
raw_begin(struct raw *r, struct dia_buf *b, uint8_t flags, uint32_t cmd, uint32_t app)
{
	const struct dia_hdr h = { .flags = flags, .cmd = cmd, .app = app, .hbh = ++r->next, .e2e = r->next };

	dia_begin(b, &h);
}

static inline void
raw_origin(struct raw *r, struct dia_buf *b)
{
	dia_put_str(b, DIA_ORIGIN_HOST, r->host);
	dia_put_str(b, DIA_ORIGIN_REALM, "example.org");
}

static inline void
raw_capabilities(struct dia_buf *b)
{
	dia_put(b, DIA_HOST_IP_ADDRESS, S("\0\1\x7f\0\0\1"));
	dia_put_u32(b, DIA_VENDOR_ID, 0);
	dia_put_str(b, DIA_PRODUCT_NAME, "raw");
}

static inline void
raw_cer(struct world *w, struct raw *r)
{
	struct dia_buf b = DIA_BUF_INIT;

	raw_begin(r, &b, DIA_R, DIA_CMD_CE, 0);
	raw_origin(r, &b);
	raw_capabilities(&b);
	dia_put_application(&b, DIA_VENDOR_3GPP, DIA_APP_ZN);
	raw_send(w, r, &b);
}

/* Connect and exchange capabilities. */
static inline void
raw_open(struct world *w, struct raw *r, const char *host)
{
	struct dia_msg m;

	raw_connect(w, r, host);
	raw_cer(w, r);
	ck_assert_uint_eq(raw_answer(r, DIA_CMD_CE, &m), 2001);
}

/* The answer to m with this result, as a listening raw sends it. */
static inline void
raw_reply(struct world *w, struct raw *r, const struct dia_msg *m, uint32_t result)
{
	const struct dia_fault f = { .result = result };
	struct dia_buf b = DIA_BUF_INIT;

	dia_begin_answer(&b, m, r->host, "example.org", &f);
	if (m->hdr.cmd == DIA_CMD_CE) {
		raw_capabilities(&b);
		dia_put_application(&b, DIA_VENDOR_3GPP, DIA_APP_ZN);
	}
	raw_send(w, r, &b);
}

/* A listening raw that was connected to: take the CER, say yes. */
static inline void
raw_welcome(struct world *w, struct raw *r)
{
	struct dia_msg m;

	settle(w);
	ck_assert_msg(raw_next(r, &m) && m.hdr.cmd == DIA_CMD_CE && (m.hdr.flags & DIA_R), "no CER came");
	raw_reply(w, r, &m, 2001);
}

static inline void
raw_begin_bir(struct raw *r, struct dia_buf *b)
{
	char session_id[64];

	raw_begin(r, b, DIA_R | DIA_P, DIA_CMD_BI, DIA_APP_ZN);
	snprintf(session_id, sizeof session_id, "%s;1;%u", r->host, (unsigned)r->next);
	dia_put_str(b, DIA_SESSION_ID, session_id);
	dia_put_application(b, DIA_VENDOR_3GPP, DIA_APP_ZN);
	raw_origin(r, b);
	dia_put_str(b, DIA_DESTINATION_REALM, "example.org");
	dia_put_str(b, DIA_TRANSACTION_IDENTIFIER, "AAAA@bsf.example.org");
	dia_put(b, DIA_NAF_ID, S("naf.example.org\1\0\0\0\2"));
}

/* A right request, answered with 2001: the node still serves this connection. */
static inline void
ck_serves(struct world *w, struct raw *r)
{
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_msg m;

	raw_begin_bir(r, &b);
	raw_send(w, r, &b);
	ck_assert_uint_eq(raw_answer(r, DIA_CMD_BI, &m), 2001);
}

#endif
