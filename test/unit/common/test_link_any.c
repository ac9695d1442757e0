/*
 * link: whatever two users do to its ends, in any order: the promises of link.h hold. Over memory, TCP and UNIX sockets; plain, with
 * certificates, with a PSK above (link_over); half_open or not. Each round is a short random script of a known seed.
 */
#include "common/link_over.h"
#include "common/log.h"
#include "test/unit/common/media.h"
#include "test/unit/pki.h"

#define ROUNDS 40

enum layer { PLAIN, CERTIFICATES, PSK, LAYERS };

struct end {
	struct link *l;
	unsigned which;
	int up, eof, closed;
	bool deaf;			/* does not read */
	int frees_in;			/* callbacks from now on till it frees itself in one; -1 = never */
	size_t wrote, got;
	bool closes, shuts, gone;	/* its user said so; freed or reset it */
	enum reason why;
};
static struct end ends[2];		/* 0 connects */
static enum layer layer;
static bool half_open;
static struct link_tls *tls[2];
static struct secret *key;
static uint32_t dice;
static unsigned seed;

static uint32_t
throw_dice(uint32_t sides)
{
	dice = dice * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)dice * sides >> 32);
}

static uint8_t
text(unsigned which, size_t i)
{
	return (uint8_t)((i * 2654435761u) >> 11 ^ i ^ which * 0x55);
}

static void
give_up(struct end *e, void (*how)(struct link *l))
{
	how(e->l);
	e->l = NULL;
	e->gone = true;
}

/* Every callback comes through here: true: it has freed its link. */
static bool
frees_now(struct end *e)
{
	if (e->frees_in != 0) {
		e->frees_in -= e->frees_in > 0;
		return false;
	}
	give_up(e, link_free);
	return true;
}

static void
take(struct end *e, struct span in)
{
	for (size_t i = 0; i < in.n; i++)
		ck_assert_msg(in.p[i] == text(!e->which, e->got + i), "seed %u: octet %zu", seed, e->got + i);
	e->got += in.n;
}

static void
read_all(struct end *e)
{
	struct span in;

	while (e->l != NULL && (in = link_input(e->l)).n > 0) {
		take(e, in);
		link_drain(e->l, in.n);
	}
}

static void
on_up(struct link *l, void *arg)
{
	struct end *e = arg;

	ck_assert_msg(l == e->l && e->up == 0 && e->closed == 0, "seed %u", seed);
	e->up++;
	(void)frees_now(e);
}

static void
on_data(struct link *l, void *arg)
{
	struct end *e = arg;

	ck_assert_msg(l == e->l && e->up == 1 && e->closed == 0 && !e->closes, "seed %u", seed);
	if (!frees_now(e) && !e->deaf)
		read_all(e);
}

static void
on_drained(struct link *l, void *arg)
{
	struct end *e = arg;

	ck_assert_msg(l == e->l && e->up == 1 && e->closed == 0, "seed %u", seed);
	(void)frees_now(e);
}

static void
on_eof(struct link *l, void *arg)
{
	struct end *e = arg;

	ck_assert_msg(l == e->l && e->up == 1 && e->closed == 0 && e->eof == 0 && half_open && !e->closes, "seed %u", seed);
	ck_assert(link_at_eof(l));
	e->eof++;
	(void)frees_now(e);
}

static void
on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct end *e = arg;

	ck_assert_msg(l == e->l && e->closed == 0 && detail != NULL, "seed %u", seed);
	e->closed++;
	e->why = why;
	if (!e->closes)
		take(e, link_input(l));
	link_free(l);
	e->l = NULL;
}

static const struct link_cb cb = { on_up, on_data, on_drained, on_eof, on_closed };

/* --- two ends, on their way up */

static void
on_accept(struct link *l, void *arg)
{
	(void)arg;
	ends[1].l = l;
	ends[1].up = layer != PSK;
	link_set_cb(l, layer != PSK ? &cb : NULL, &ends[1]);
}

static void
on_carrier_up(struct link *l, void *arg)
{
	(void)l;
	*(bool *)arg = true;
}

static void
secure(struct end *e)
{
	const struct link_psk psk = { "kslocal1.AAAAAAAAAAAAAAAAAAAAAA", key };
	const struct link_over_conf conf = { .psk = &psk, .server = e->which == 1, .half_open = half_open };
	struct link *inner = e->l;

	e->l = NULL;
	ck_ok(link_over(inner, clk, &conf, &cb, e, &e->l));
}

static void
begin(void)
{
	static const struct link_cb carrier = { .on_up = on_carrier_up };
	struct link_options opt = { .half_open = half_open && layer != PSK };
	bool up = false;

	for (unsigned i = 0; i < 2; i++)
		ends[i] = (struct end){ .which = i, .frees_in = throw_dice(8) == 0 ? (int)throw_dice(6) : -1 };
	opt.tls = layer == CERTIFICATES ? tls[1] : NULL;
	ck_ok(link_listen(net, address(), &opt, on_accept, NULL, &ll));
	opt.tls = layer == CERTIFICATES ? tls[0] : NULL;
	if (layer != PSK) {
		ck_ok(link_connect(net, link_listener_address(ll), &opt, &cb, &ends[0], &ends[0].l));
		return;
	}
	ck_ok(link_connect(net, link_listener_address(ll), &opt, &carrier, &up, &ends[0].l));
	until(up && ends[1].l != NULL);
	secure(&ends[0]);
	secure(&ends[1]);
}

/* --- the script */

static void
say(struct end *e, size_t n)
{
	static uint8_t b[50000];
	enum rc rc;

	for (size_t i = 0; i < n; i++)
		b[i] = text(e->which, e->wrote + i);
	rc = link_write(e->l, span_of(b, n));
	ck_assert_msg(rc == RC_OK || rc == RC_STATE, "seed %u: %s", seed, rc_str(rc));
	ck_assert_msg(rc != RC_OK || (e->up == 1 && !e->closes && !e->shuts), "seed %u", seed);
	if (rc == RC_OK)
		e->wrote += n;
}

static void
step(struct end *e)
{
	switch (e->l == NULL ? 99 : throw_dice(14)) {
	case 0: case 1: case 2: case 3:
		say(e, throw_dice(3) == 0 ? throw_dice(50000) : throw_dice(50));
		break;
	case 4:
		link_close(e->l);
		e->closes = true;
		break;
	case 5: case 6:
		if (link_shutdown(e->l) == RC_OK) {
			ck_assert_msg(half_open && e->up == 1 && !e->shuts && !e->closes, "seed %u", seed);
			e->shuts = true;
		}
		break;
	case 7:
		if (throw_dice(3) == 0)
			give_up(e, throw_dice(2) == 0 ? link_free : link_reset);
		break;
	case 8:
		e->deaf = true;
		break;
	case 9:
		e->deaf = false;
		read_all(e);
		break;
	case 10:
		link_set_input_limit(e->l, throw_dice(2) == 0 ? throw_dice(10) : throw_dice(100000));
		break;
	default:
		for (uint32_t n = throw_dice(4); n > 0; n--)
			turn();
		break;
	}
}

/* Who has not ended by now reads all, says goodbye once the other has, and hears of its own end. */
static void
finish(void)
{
	int64_t deadline = now_ms() + 10000;

	for (int i = 0; i < 2; i++) {
		ends[i].deaf = false;
		if (ends[i].l != NULL)
			link_set_input_limit(ends[i].l, 65536);
		read_all(&ends[i]);
	}
	if (ends[0].l != NULL && !ends[0].shuts) {
		link_close(ends[0].l);
		ends[0].closes = true;
	}
	while (ends[0].l != NULL || ends[1].l != NULL) {
		turn();
		for (int i = 0; i < 2; i++)
			if (ends[i].l != NULL && !ends[i].closes && !ends[i].shuts && (ends[i].eof > 0 || ends[!i].l == NULL) &&
			    link_shutdown(ends[i].l) == RC_OK)
				ends[i].shuts = true;
		ck_assert_msg(now_ms() < deadline, "seed %u: no end: up=%d,%d eof=%d,%d closes=%d,%d shuts=%d,%d", seed, ends[0].up, ends[1].up,
		    ends[0].eof, ends[1].eof, ends[0].closes, ends[1].closes, ends[0].shuts, ends[1].shuts);
	}
}

/* What one end said, and then took leave in good order, the other has read, if it did not leave itself. */
static void
judge(const struct end *from, const struct end *to)
{
	ck_assert_msg(to->got <= from->wrote, "seed %u: %zu of %zu", seed, to->got, from->wrote);
	if (from->up == 0 || from->gone || !(from->closes || from->shuts) || from->why != REASON_NONE || to->up == 0 || to->gone || to->closes)
		return;
	if (to->shuts && !half_open)
		return;
	ck_assert_msg(to->got == from->wrote, "seed %u: end %u has %zu of %zu; why=%s,%s closes=%d shuts=%d eof=%d", seed, to->which, to->got,
	    from->wrote, reason_get(to->why)->code, reason_get(from->why)->code, from->closes, from->shuts, to->eof);
}

static void
play(unsigned round)
{
	seed = round;
	dice = round * 2654435761u + layer;
	begin();
	for (uint32_t n = 2 + throw_dice(25); n > 0; n--)
		step(&ends[throw_dice(2)]);
	finish();
	judge(&ends[0], &ends[1]);
	judge(&ends[1], &ends[0]);
	link_listener_free(ll);
	ll = NULL;
}

static void
no_log(enum log_level level, const char *line, void *arg)
{
	(void)level, (void)line, (void)arg;
}

START_TEST(whatever_its_users_do)
{
	struct pki_cert ca, own[2];
	uint8_t k[32] = { 0x42 };

	layer = (enum layer)(_i / 2 / MEDIA);
	half_open = _i % 2 == 1;
	log_capture(no_log, NULL);
	media_setup(_i / 2 % MEDIA);
	ck_ok(secret_from(span_of(k, sizeof k), &key));
	if (layer == CERTIFICATES && medium != MEM) {
		pki_make(&ca, "ca", &(struct pki_spec){ .cn = "CA", .ca = true }, NULL);
		for (int i = 0; i < 2; i++) {
			pki_make(&own[i], i == 0 ? "client" : "server", &(struct pki_spec){ .cn = "end" }, &ca);
			ck_ok(link_tls_new(own[i].crt_file, own[i].key_file, ca.crt_file, clk, &tls[i]));
		}
	}
	if (layer != CERTIFICATES || medium != MEM)
		for (unsigned i = 0; i < ROUNDS; i++)
			play(i);
	media_teardown();
	for (int i = 0; i < 2 && tls[i] != NULL; i++) {
		link_tls_free(tls[i]);
		pki_free(&own[i]);
	}
	if (tls[0] != NULL) {
		pki_free(&ca);
		pki_remove_dir();
	}
	secret_free(key);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("link_any");
	TCase *t = tcase_create("any");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, whatever_its_users_do, 0, 2 * MEDIA * LAYERS);
	suite_add_tcase(s, t);
	return unit_run(s);
}
