/*
 * A device between a hostile MT and a hostile Key Center. The input is lines: "H" and three digits and a body is what the Key
 * Center answers if it was asked, "T" lets 10 s go by, "C" and octets is what the MT says on the newest further channel (U1:
 * hello, use, then TLS), "U" is a user of a service, "F" makes the device's keys go away, anything else is what the MT says (rpc ids
 * count from 1: hello, info, derive, complete).
 * Properties: the asker is answered exactly once, after stop at the latest; one key request at a time; a success has a key in
 * the store whose triple it names; nothing leaks.
 */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/timeguard.h"
#include "common/trace.h"
#include "common/turn.h"
#include "extdevd/core.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct http_flight {
	http_on_reply *fn;
	void *arg;
};

static struct clock *clk;
static struct link_net *net;
static struct store *store;
static struct timeguard *guard;
static struct turn *turn;
static struct trace *trace;
static struct extdev *e;
static struct link *mt, *channel, *user;
static struct http_flight *flight;
static int answered, stopped;

static enum rc
http_send_fake(void *ctx, const struct http_call *c, http_on_reply *fn, void *arg, struct http_flight **out)
{
	(void)ctx;
	if (strcmp(c->method, "POST") != 0)	/* a question about a key's state: this Key Center has none */
		return RC_NOMEM;
	if (flight != NULL)		/* one at a time (N6) */
		abort();
	if ((flight = calloc(1, sizeof *flight)) == NULL)
		return RC_NOMEM;
	flight->fn = fn;
	flight->arg = arg;
	*out = flight;
	return RC_OK;
}

static void
http_cancel_fake(void *ctx, struct http_flight *f)
{
	(void)ctx;
	if (f != flight)
		abort();
	free(f);
	flight = NULL;
}

static void
on_mt_data(struct link *l, void *arg)
{
	(void)arg;
	link_drain(l, link_input(l).n);
}

static void
on_mt_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	(void)why, (void)detail, (void)arg;
	link_free(l);
	if (l == mt)
		mt = NULL;
	if (l == channel)
		channel = NULL;
	if (l == user)
		user = NULL;
}

static void
on_accept(struct link *l, void *arg)
{
	static const struct link_cb cb = { .on_data = on_mt_data, .on_closed = on_mt_closed };

	(void)arg;
	link_set_cb(l, &cb, NULL);
	if (mt == NULL) {
		mt = l;
	} else {
		link_free(channel);
		channel = l;
	}
}

static void
connect_user(void)
{
	static const struct link_cb cb = { .on_data = on_mt_data, .on_closed = on_mt_closed };

	if (user == NULL && link_connect(net, "unix:/modem", NULL, &cb, NULL, &user) != RC_OK)
		abort();
}

static void
lose_keys(void)
{
	struct extdev_which all = { .mt_id = NULL };
	int k;

	if (store_begin(store) != RC_OK || extdev_store_forget(store, &all, &k) != RC_OK || store_end(store, true) != RC_OK)
		abort();
	extdev_keys_gone(e);
}

static void
on_done(void *arg, const struct extdev_result *r)
{
	struct extdev_key k = { .ks = NULL };

	(void)arg;
	if (answered++ != 0)
		abort();
	if (r->why != REASON_NONE)
		return;
	if (extdev_store_get_key(store, &r->mt_id, timeguard_now(guard), &k) != RC_OK || strcmp(k.from.triple.btid.s, r->triple.btid.s) != 0)
		abort();
	extdev_key_clear(&k);
}

static void
on_stopped(void *arg)
{
	(void)arg;
	stopped++;
}

static void
run(void)
{
	size_t ran;

	do {
		ran = clock_advance(clk, 0);
		ran += link_mem_run(net);
		turn_end(turn);
		ran += link_mem_run(net);
	} while (ran > 0);
}

static void
take(struct span line)
{
	if (line.n > 4 && line.p[0] == 'H') {
		struct http_flight *f = flight;
		struct http_reply r = { .status = 0, .why = REASON_HTTP_TIMEOUT, .detail = "" };

		for (int i = 1; i < 4; i++)
			r.status = r.status * 10 + (line.p[i] + 2) % 10;	/* '0' is 48 */
		r.body = span_of(line.p + 4, line.n - 4);
		if (f != NULL) {
			flight = NULL;
			f->fn(f->arg, &r);
			free(f);
		}
	} else if (line.n == 1 && line.p[0] == 'T') {
		clock_advance(clk, 10000);
	} else if (line.n == 1 && line.p[0] == 'U') {
		connect_user();
	} else if (line.n == 1 && line.p[0] == 'F') {
		lose_keys();
	} else if (line.n > 1 && line.p[0] == 'C') {
		if (channel != NULL) {
			(void)!link_write(channel, span_of(line.p + 1, line.n - 1));
			(void)!link_write(channel, span_str("\n"));
		}
	} else if (mt != NULL && line.n > 0) {
		(void)!link_write(mt, line);
		(void)!link_write(mt, span_str("\n"));
	}
	run();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct http_client_ops http_ops = { http_send_fake, http_cancel_fake };
	static const struct http_client http = { &http_ops, NULL };
	static const struct extdev_service_conf services[] = { { "modem", "unix:/modem", false } };
	static const struct extdev_mt_conf mts[] = { { .name = "phone", .address = "mem:mt", .services = services, .n_services = 1,
	    .use_on_connect = true } };
	struct extdev_center_conf centers[1] = { { .url = NULL } };
	struct rnd_seeded rnd;
	struct extdev_conf conf;
	struct extdev_seams seams = { .rnd = &rnd.rnd, .http = &http };
	struct secret *store_key = NULL;
	struct link_listener *ll;
	struct span in = { p, n }, line;

	log_set_level(LOG_LEVEL_ERROR);
	answered = stopped = 0;
	extdev_conf_default(&conf);
	conf.id_kind = EXTDEV_ID_FIXED;
	conf.device_id = "urn:uuid:6f1d1c1e-0000-4000-8000-000000000001";
	conf.mts = mts;
	conf.n_mts = 1;
	conf.centers = centers;
	conf.n_centers = 1;
	rnd_seeded_init(&rnd, 1);
	if (naf_id_parse(span_str("nafkc.example.org/0100000002"), &centers[0].naf_id) != RC_OK || secret_new(32, &store_key) != RC_OK ||
	    clock_new_virtual(INT64_C(1893456000000), &clk) != RC_OK || link_mem_new(clk, &net) != RC_OK ||
	    store_open(":memory:", &extdev_store_schema, store_key, &store) != RC_OK ||
	    timeguard_new(clk, store, TIMEGUARD_STEP_MAX_S, &guard) != RC_OK || turn_new(store, &turn) != RC_OK ||
	    trace_new("extdevd", NULL, 16, clk, turn, &trace) != RC_OK || link_listen(net, "mem:mt", NULL, on_accept, NULL, &ll) != RC_OK)
		abort();
	seams.clock = clk;
	seams.guard = guard;
	seams.store = store;
	seams.turn = turn;
	seams.trace = trace;
	seams.net = net;
	if (extdev_new(&seams, &conf, &e) != RC_OK || extdev_start(e) != RC_OK)
		abort();
	run();
	extdev_establish(e, &(struct extdev_want){ .mt = NULL }, on_done, NULL, NULL);
	run();
	while (span_upto(&in, '\n', &line))
		take(line);
	take(in);
	extdev_stop(e, on_stopped, NULL);
	run();
	clock_advance(clk, 6000);	/* a link that does not close by itself */
	run();
	if (answered != 1 || stopped != 1 || flight != NULL)
		abort();
	extdev_free(e);
	link_free(mt);
	link_free(channel);
	link_free(user);
	mt = channel = user = NULL;
	link_listener_free(ll);
	link_mem_free(net);
	trace_free(trace);
	turn_free(turn);
	timeguard_free(guard);
	store_close(store);
	clock_free(clk);
	secret_free(store_key);
	return 0;
}
