/* over_rig: two links over a carrier of each medium, and TLS on one end or both. */
#ifndef TEST_UNIT_COMMON_OVER_RIG_H
#define TEST_UNIT_COMMON_OVER_RIG_H

#include "common/link_impl.h"
#include "common/link_over.h"
#include "common/log.h"
#include "test/unit/common/media.h"

static struct secret *key, *other_key;
static bool carrier_half_open;

/* One end: the link under TLS, then the one above it. */
struct end {
	struct link *inner, *l;
	int up, data, drained, eof, closed, inner_closed;
	bool drain, free_on_up, free_on_data, free_on_eof;
	size_t n, rest;			/* read; left in on_closed */
	uint8_t sum;
	enum reason why;
	char detail[200];
};
static struct end a, b;		/* a connects: the TLS client, mostly */

static bool
free_now(struct end *e, bool yes)
{
	if (yes) {
		link_free(e->l);
		e->l = NULL;
	}
	return yes;
}

static void
on_up(struct link *l, void *arg)
{
	struct end *e = arg;

	ck_assert_ptr_eq(l, e->l);
	ck_assert_int_eq(e->data + e->eof + e->closed, 0);
	e->up++;
	free_now(e, e->free_on_up);
}

static void
on_data(struct link *l, void *arg)
{
	struct end *e = arg;
	struct span in = link_input(l);

	ck_assert_int_eq(e->up, 1);
	ck_assert_int_eq(e->eof + e->closed, 0);
	e->data++;
	if (free_now(e, e->free_on_data) || !e->drain)
		return;
	e->n += in.n;
	for (size_t i = 0; i < in.n; i++)
		e->sum = (uint8_t)(e->sum * 31 + in.p[i]);
	link_drain(l, in.n);
}

static void
on_drained(struct link *l, void *arg)
{
	(void)l;
	((struct end *)arg)->drained++;
}

static void
on_eof(struct link *l, void *arg)
{
	struct end *e = arg;

	ck_assert_ptr_eq(l, e->l);
	ck_assert_int_eq(e->eof + e->closed, 0);
	e->eof++;
	free_now(e, e->free_on_eof);
}

static void
on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct end *e = arg;

	ck_assert_int_eq(e->closed, 0);
	e->closed++;
	e->why = why;
	e->rest = link_input(l).n;
	snprintf(e->detail, sizeof e->detail, "%s", detail);
	link_free(l);
	e->l = NULL;
}

static const struct link_cb cb = { .on_up = on_up, .on_data = on_data, .on_drained = on_drained, .on_eof = on_eof, .on_closed = on_closed };

static void
on_inner_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct end *e = arg;

	(void)why, (void)detail;
	e->inner_closed++;
	link_free(l);
	e->inner = NULL;
}

static const struct link_cb inner_cb = { .on_closed = on_inner_closed };

static void
on_accept(struct link *l, void *arg)
{
	(void)arg;
	b.inner = l;
	link_set_cb(l, &inner_cb, &b);
}

static void
setup(int i)
{
	uint8_t k[32];

	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	carrier_half_open = false;
	memset(k, 0x42, sizeof k);
	ck_ok(secret_from(span_of(k, sizeof k), &key));
	k[31] ^= 1;
	ck_ok(secret_from(span_of(k, sizeof k), &other_key));
	media_setup(i);
}

static void
teardown(void)
{
	link_free(a.l);
	link_free(b.l);
	link_free(a.inner);
	link_free(b.inner);
	media_teardown();
	secret_free(key);
	secret_free(other_key);
}

/* Two plain links that are up. */
static void
carry(void)
{
	struct link_options opt = { .half_open = carrier_half_open };

	ck_ok(link_listen(net, address(), &opt, on_accept, NULL, &ll));
	ck_ok(link_connect(net, link_listener_address(ll), &opt, &inner_cb, &a, &a.inner));
	until(b.inner != NULL);
	/* as after hello and use: plain octets have passed both ways, so nobody wonders whether TLS is spoken from the first one on */
	ck_ok(link_write(a.inner, span_str("?")));
	ck_ok(link_write(b.inner, span_str("!")));
	until(link_input(a.inner).n == 1 && link_input(b.inner).n == 1);
	link_drain(a.inner, 1);
	link_drain(b.inner, 1);
}

static struct link_psk psk_a, psk_b;
static struct link_over_conf conf_a, conf_b;

static void
over(struct end *e, const struct link_over_conf *conf)
{
	struct link *inner = e->inner;

	e->inner = NULL;
	ck_ok(link_over(inner, clk, conf, &cb, e, &e->l));
	ck_assert_int_eq(e->up + e->data + e->closed, 0);	/* never inside the call */
}

/* What both hold, until a test says otherwise. */
static void
confs(void)
{
	psk_a = psk_b = (struct link_psk){ "kslocal1.AAAAAAAAAAAAAAAAAAAAAA", key };
	conf_a = (struct link_over_conf){ .psk = &psk_a };
	conf_b = (struct link_over_conf){ .psk = &psk_b, .server = true };
}

static void
pair(void)
{
	carry();
	over(&a, &conf_a);
	over(&b, &conf_b);
	until(a.up + a.closed > 0 && b.up + b.closed > 0);
	ck_assert_msg(a.up == 1 && b.up == 1, "%s %s; %s %s", reason_get(a.why)->code, a.detail, reason_get(b.why)->code, b.detail);
}

#define BEGIN(name) START_TEST(name) { setup(_i); confs();
#define END teardown(); } END_TEST

#endif
