/*
 * TLS with a PSK over a link: the first octet says which part is ours and how. Either the rest is what a hostile peer sends to it, who
 * has not got the key; or both ends are ours and somebody between them changes octets: pairs of (how far, XOR).
 * Properties: without the key nobody comes up; who does not come up is told so in time; what is read is a beginning of what was written;
 * no callback before on_up, none after on_closed, which comes once; nothing leaks.
 */
#include "test/fuzz/as_unit.h"

#include "common/clock.h"
#include "common/link.h"
#include "common/link_over.h"
#include "common/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const char written[] = "what is written on a secured link, and nothing else, comes out at its other end";

static struct clock *clk;
static struct link_net *net;
static struct link_listener *ll;
static struct secret *key;

struct end {
	struct link *inner, *raw, *l;	/* raw: the far end of inner */
	bool up, closed;
	size_t n;
};
static struct end ends[2], *connecting;
static const uint8_t *edits;
static size_t n_edits, skip;

static void
on_up(struct link *l, void *arg)
{
	struct end *e = arg;

	ck_assert(!e->up && !e->closed);
	e->up = true;
	(void)!link_write(l, span_str(written));
}

static void
on_data(struct link *l, void *arg)
{
	struct end *e = arg;
	struct span in = link_input(l);

	ck_assert(e->up && !e->closed);
	ck_assert(e->n + in.n <= strlen(written) && memcmp(written + e->n, in.p, in.n) == 0);
	e->n += in.n;
	link_drain(l, in.n);
	if (e->n == strlen(written))
		link_close(l);
}

static void
on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct end *e = arg;

	ck_assert(!e->closed && detail != NULL);
	ck_assert(e->up || why != REASON_NONE);
	e->closed = true;
	link_free(l);
	e->l = NULL;
}

/* The next octet's change. */
static uint8_t
edit(void)
{
	uint8_t x = 0;

	if (n_edits < 2)
		return 0;
	if (skip++ == edits[0]) {
		x = edits[1];
		edits += 2;
		n_edits -= 2;
		skip = 0;
	}
	return x;
}

/* Somebody between the two ends. */
static void
on_raw_data(struct link *l, void *arg)
{
	struct end *from = arg, *to = from == &ends[0] ? &ends[1] : &ends[0];
	struct span in = link_input(l);
	uint8_t o;

	for (size_t i = 0; i < in.n; i++) {
		o = in.p[i] ^ edit();
		if (to->raw != NULL)
			(void)!link_write(to->raw, span_of(&o, 1));
	}
	link_drain(l, in.n);
}

static void
on_raw_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct end *e = arg, *other = e == &ends[0] ? &ends[1] : &ends[0];

	(void)why, (void)detail;
	link_free(l);
	e->raw = NULL;
	if (other->raw != NULL)
		link_close(other->raw);
}

static void
on_accept(struct link *l, void *arg)
{
	static const struct link_cb cb = { .on_data = on_raw_data, .on_closed = on_raw_closed };

	(void)arg;
	connecting->raw = l;
	link_set_cb(l, &cb, connecting);
}

static void
turn(void)
{
	do
		clock_advance(clk, 0);
	while (link_mem_run(net) > 0);
}

static void
start(struct end *e, bool server, bool half_open)
{
	static const struct link_cb cb = { .on_up = on_up, .on_data = on_data, .on_closed = on_closed };
	const struct link_psk psk = { "kslocal1.AAAAAAAAAAAAAAAAAAAAAA", key };
	const struct link_over_conf conf = { .psk = &psk, .server = server, .half_open = half_open };

	connecting = e;
	ck_ok(link_connect(net, "mem:mt", NULL, NULL, NULL, &e->inner));
	turn();
	ck_ok(link_over(e->inner, clk, &conf, &cb, e, &e->l));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	bool hostile;

	if (n == 0)
		return 0;
	log_set_level(LOG_LEVEL_ERROR);
	memset(ends, 0, sizeof ends);
	hostile = p[0] & 1;
	edits = p + 1;
	n_edits = hostile ? 0 : n - 1;
	skip = 0;
	ck_ok(secret_new(32, &key));
	ck_ok(clock_new_virtual(1000000, &clk));
	ck_ok(link_mem_new(clk, &net));
	ck_ok(link_listen(net, "mem:mt", NULL, on_accept, NULL, &ll));
	start(&ends[0], p[0] & 2, p[0] & 4);
	if (!hostile)
		start(&ends[1], !(p[0] & 2), p[0] & 4);
	link_mem_set_chunk(net, p[0] & 8 ? 1 + (p[0] >> 4) : 0);
	turn();
	if (hostile) {
		(void)!link_write(ends[0].raw, span_of(p + 1, n - 1));
		turn();
		ck_assert(!ends[0].up);
	}
	clock_advance(clk, 60000);
	turn();
	/* a changed length may let both ends wait for the rest of a record, but not in the handshake */
	for (int i = 0; i < 2; i++) {
		ck_assert(ends[i].closed || (ends[i].up && n > 2) || (hostile && i == 1));
		link_free(ends[i].l);
		link_free(ends[i].raw);
	}
	link_listener_free(ll);
	link_mem_free(net);
	clock_free(clk);
	secret_free(key);
	return 0;
}
