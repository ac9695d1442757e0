/*
 * A node and two peers of it: one sends the input, in pieces, before its CER or after it, as the first octet says; time passes in
 * between as it says, too. Property: whatever comes, the other one, which was there before, is served; and in the end everything
 * is freed.
 */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/diameter_peer.h"
#include "common/log.h"
#include "common/rnd.h"
#include "common/zn_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define ADDRESS "tcp:127.0.0.1:3868"

static struct clock *clk;
static struct link_net *net;
static struct dia_node *node;
static struct dia_txn *held[64];
static size_t n_held;

struct end {
	struct link *link;
	uint8_t in[1 << 16];
	size_t n;
};

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
no_log(enum log_level level, const char *line, void *arg)
{
	(void)level, (void)line, (void)arg;
}

static void
on_request(struct dia_txn *t, const struct dia_msg *m, void *arg)
{
	struct zn_bir bir;
	struct dia_fault f;

	(void)arg;
	if (zn_bir_parse(m, false, &bir, &f) == RC_OK)
		dia_fault_set(&f, DIA_SUCCESS, "%s", "");
	if (n_held < 64 && (m->hdr.e2e & 1) != 0)
		held[n_held++] = t;		/* answered at the end */
	else
		dia_txn_fail(t, &f);
}

static void
on_data(struct link *l, void *arg)
{
	struct span s = link_input(l);
	struct end *e = arg;

	if (s.n > sizeof e->in - e->n)
		e->n = 0;
	memcpy(e->in + e->n, s.p, s.n);
	e->n += s.n;
	link_drain(l, s.n);
}

static void
on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	(void)why, (void)detail;
	link_free(l);
	((struct end *)arg)->link = NULL;
}

static void
settle(int64_t ms)
{
	clock_advance(clk, ms);
	while (link_mem_run(net) + clock_advance(clk, 0) > 0)
		;
}

static void
send_octets(struct end *e, struct span s)
{
	if (e->link != NULL && link_write(e->link, s) != RC_OK) {
		link_free(e->link);
		e->link = NULL;
	}
	settle(0);
}

static void
connect_to(struct end *e)
{
	static const struct link_cb cb = { .on_data = on_data, .on_closed = on_closed };

	e->n = 0;
	must(link_connect(net, ADDRESS, NULL, &cb, e, &e->link) == RC_OK);
	settle(0);
}

static void
say_cer(struct end *e, const char *host)
{
	const struct dia_hdr h = { .flags = DIA_R, .cmd = DIA_CMD_CE };
	struct dia_buf b = DIA_BUF_INIT;

	dia_begin(&b, &h);
	dia_put_str(&b, DIA_ORIGIN_HOST, host);
	dia_put_str(&b, DIA_ORIGIN_REALM, "example.org");
	dia_put(&b, DIA_HOST_IP_ADDRESS, span_of("\0\1\x7f\0\0\1", 6));
	dia_put_u32(&b, DIA_VENDOR_ID, 0);
	dia_put_str(&b, DIA_PRODUCT_NAME, "fuzz");
	dia_put_u32(&b, DIA_AUTH_APPLICATION_ID, DIA_APP_ZN);
	must(dia_end(&b) == RC_OK);
	send_octets(e, dia_buf_span(&b));
	dia_buf_free(&b);
}

/* A right BIR from the other one is answered with 2001. */
static void
must_serve(struct end *e, const char *host)
{
	struct zn_bir bir = { .session_id = "a;1;2", .dest_realm = "example.org", .btid = { "AAAA@bsf.example.org" },
		.naf_id = { "naf.example.org", { 1, 0, 0, 0, 2 } } };
	const struct zn_self self = { host, "example.org" };
	struct dia_buf b = DIA_BUF_INIT;
	bool served = false;
	struct dia_avp a;
	struct dia_msg m;
	struct span rest;
	size_t len;

	must(zn_bir_print(&bir, &self, &b) == RC_OK);
	e->n = 0;
	send_octets(e, dia_buf_span(&b));
	dia_buf_free(&b);
	must(e->link != NULL);
	for (rest = span_of(e->in, e->n); dia_frame(rest, &len) == RC_OK && len <= rest.n; rest.p += len, rest.n -= len) {
		must(dia_parse(span_of(rest.p, len), &m) == RC_OK);
		served |= m.hdr.cmd == DIA_CMD_BI && dia_find(m.avps, DIA_RESULT_CODE, &a) && span_eq(a.data, span_of("\0\0\x07\xd1", 4));
	}
	must(served);
}

static void
open_world(void)
{
	static struct rnd_seeded rnd;
	const struct dia_peer_conf peers[] = {
		{ .host = "naf.example.org", .realm = "example.org" }, { .host = "other.example.org", .realm = "example.org" },
	};
	const struct dia_listen_conf listen = { .address = ADDRESS };
	const struct dia_conf conf = { .host = "bsf.example.org", .realm = "example.org", .peers = peers, .n_peers = 2, .listen = &listen,
		.n_listen = 1 };
	const struct dia_node_cb cb = { on_request, NULL };
	struct dia_seams seams;

	log_capture(no_log, NULL);
	rnd_seeded_init(&rnd, 1);
	n_held = 0;
	must(clock_new_virtual(INT64_C(1700000000000), &clk) == RC_OK && link_mem_new(clk, &net) == RC_OK);
	seams = (struct dia_seams){ clk, &rnd.rnd, net };
	must(dia_node_new(&seams, &conf, &cb, NULL, &node) == RC_OK && dia_node_start(node) == RC_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct end hostile, other;
	struct dia_fault f;
	size_t piece, passed = 0;

	if (n < 2)
		return 0;
	open_world();
	connect_to(&other);
	say_cer(&other, "other.example.org");
	connect_to(&hostile);
	if (p[0] & 1)
		say_cer(&hostile, "naf.example.org");
	piece = p[1] != 0 ? p[1] : n;
	for (size_t at = 2; at < n; at += piece) {
		send_octets(&hostile, span_of(p + at, n - at < piece ? n - at : piece));
		if (passed < 20000)		/* the other one says nothing meanwhile, and must not seem deaf */
			settle(p[0] >> 1);
		passed += p[0] >> 1;
	}
	must_serve(&other, "other.example.org");
	dia_fault_set(&f, DIA_UNABLE_TO_COMPLY, "%s", "");
	while (n_held > 0)
		dia_txn_fail(held[--n_held], &f);
	if (p[0] & 2)
		dia_node_stop(node, NULL, NULL);
	settle(0);
	dia_node_free(node);
	link_free(hostile.link);
	link_free(other.link);
	link_mem_free(net);
	clock_free(clk);
	return 0;
}
