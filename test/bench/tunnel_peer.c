/*
 * tunnel_peer: one end of a tunnel over a real socket, for measuring and for foreign HTTP/2 peers.
 *
 *	tunnel_peer [--psk] serve ADDRESS               prints "ready ADDRESS"; services: echo, sink, no (refused), down; others are unknown
 *	tunnel_peer [--psk] pour ADDRESS MIB STREAMS    MIB to the peer's sink, split among STREAMS; prints seconds and MiB/s
 *
 * --psk: TLS 1.3 with a fixed key between link and tunnel, as `use` makes it.
 * The sink answers with the number of octets it has read, once it has seen the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/link_over.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/secret.h"
#include "common/tunnel.h"

static struct loop *loop;
static struct clock *clk;
static struct link_net *net;
static bool psk;
static const struct tunnel_cb *tunnel_cb;
static bool serving;

static void
must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "tunnel_peer: %s\n", what);
	exit(1);
}

static void
turn_end(void *arg)
{
	(void)arg;
}

/* --- from a link to a tunnel */

static void
tunnel_over(struct link *l)
{
	struct tunnel *t;
	enum rc rc = serving ? tunnel_server_new(l, clk, NULL, tunnel_cb, NULL, &t) : tunnel_client_new(l, clk, NULL, tunnel_cb, NULL, &t);

	must(rc == RC_OK, rc_str(rc));
}

static void
on_secured(struct link *l, void *arg)
{
	(void)arg;
	tunnel_over(l);
}

static void
on_failed(struct link *l, enum reason why, const char *detail, void *arg)
{
	(void)arg;
	fprintf(stderr, "tunnel_peer: %s: %s\n", reason_get(why)->code, detail);
	link_free(l);
	must(serving, "no connection");
}

static void
connected(struct link *l, void *arg)
{
	static const struct link_cb cb = { .on_up = on_secured, .on_closed = on_failed };
	struct link_psk key = { "kslocal1.measured", NULL };
	struct secret *k;
	struct link *over;

	(void)arg;
	if (!psk) {
		tunnel_over(l);
		return;
	}
	must(secret_from(span_of("0123456789abcdef0123456789abcdef", 32), &k) == RC_OK, "no key");
	key.key = k;
	must(link_over(l, clk, &(struct link_over_conf){ .server = serving, .psk = &key }, &cb, NULL, &over) == RC_OK, "no TLS");
	secret_free(k);
}

/* --- serving */

struct server_stream {
	bool echo;
	unsigned long long n;
};

static void
server_data(struct link *l, void *arg)
{
	struct server_stream *s = arg;
	struct span in = link_input(l);

	s->n += in.n;
	if (s->echo && link_write(l, in) != RC_OK)
		return;
	link_drain(l, in.n);
}

static void
server_eof(struct link *l, void *arg)
{
	struct server_stream *s = arg;
	char text[32];

	snprintf(text, sizeof text, "%llu\n", s->n);
	if ((!s->echo && link_write(l, span_str(text)) != RC_OK) || link_shutdown(l) != RC_OK)
		fprintf(stderr, "tunnel_peer: no answer\n");
}

static void
server_stream_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	(void)why, (void)detail;
	link_free(l);
	free(arg);
}

static void
on_open(struct tunnel *t, struct link *stream, const char *service, void *arg)
{
	static const struct link_cb cb = { .on_data = server_data, .on_eof = server_eof, .on_closed = server_stream_closed };
	struct server_stream *s;

	(void)t, (void)arg;
	if (strcmp(service, "no") == 0 || strcmp(service, "down") == 0) {
		tunnel_refuse(stream, *service == 'n' ? REASON_TUNNEL_SERVICE_REFUSED : REASON_TUNNEL_SERVICE_DOWN);
		return;
	}
	if (strcmp(service, "echo") != 0 && strcmp(service, "sink") != 0) {
		tunnel_refuse(stream, REASON_TUNNEL_SERVICE_UNKNOWN);
		return;
	}
	must((s = calloc(1, sizeof *s)) != NULL, "no memory");
	s->echo = *service == 'e';
	link_set_cb(stream, &cb, s);
	must(tunnel_accept(stream) == RC_OK, "not accepted");
}

static void
server_closed(struct tunnel *t, enum reason why, const char *detail, void *arg)
{
	(void)arg;
	printf("closed %s %s\n", reason_get(why)->code, detail);
	fflush(stdout);
	tunnel_free(t);
}

static int
serve(const char *address)
{
	static const struct tunnel_cb cb = { .on_open = on_open, .on_closed = server_closed };
	struct link_listener *ll;

	tunnel_cb = &cb;
	serving = true;
	must(link_listen(net, address, NULL, connected, NULL, &ll) == RC_OK, "cannot listen");
	printf("ready %s\n", link_listener_address(ll));
	fflush(stdout);
	return loop_run(loop, turn_end, NULL) == RC_OK ? 0 : 1;
}

/* --- pouring */

static unsigned long long each, said, answered;
static unsigned n_streams, n_ended;
static struct timespec t0;
struct pourer {
	struct link *l;
	unsigned long long left;
};
static uint8_t piece[65536];

static void
pour_more(struct link *l, void *arg)
{
	struct pourer *p = arg;

	while (p->left > 0 && link_unsent(l) < 256 * 1024) {
		size_t n = p->left < sizeof piece ? (size_t)p->left : sizeof piece;

		must(link_write(l, span_of(piece, n)) == RC_OK, "write");
		p->left -= n;
		said += n;
	}
	if (p->left == 0)
		must(link_shutdown(l) == RC_OK, "shutdown");
}

static void
pour_drained(struct link *l, void *arg)
{
	if (((struct pourer *)arg)->left > 0)
		pour_more(l, arg);
}

static void
pour_data(struct link *l, void *arg)
{
	struct span in = link_input(l);
	uint64_t n = 0;

	(void)arg;
	if (in.n > 0 && in.p[in.n - 1] == '\n') {
		must(span_decimal(span_of(in.p, in.n - 1), UINT64_MAX, &n), "no number");
		answered += n;
		link_drain(l, in.n);
	}
}

static void
pour_eof(struct link *l, void *arg)
{
	(void)l, (void)arg;
}

static void
pour_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct timespec t1;
	double s;

	(void)arg;
	if (why != REASON_NONE)
		fprintf(stderr, "tunnel_peer: %s: %s\n", reason_get(why)->code, detail);
	must(why == REASON_NONE, "a stream ended");
	link_free(l);
	if (++n_ended < n_streams)
		return;
	must(answered == said, "octets are missing");
	clock_gettime(CLOCK_MONOTONIC, &t1);
	s = (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9;
	printf("%.3f s %.1f MiB/s\n", s, (double)said / 1048576 / s);
	exit(0);
}

static void
on_up(struct tunnel *t, void *arg)
{
	static const struct link_cb cb = {
		.on_up = pour_more, .on_data = pour_data, .on_drained = pour_drained, .on_eof = pour_eof, .on_closed = pour_closed
	};

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (unsigned i = 0; i < n_streams; i++) {
		struct pourer *p = calloc(1, sizeof *p);

		must(p != NULL, "no memory");
		p->left = each;
		must(tunnel_open(t, "sink", &cb, p, &p->l) == RC_OK, "no stream");
	}
}

static void
client_closed(struct tunnel *t, enum reason why, const char *detail, void *arg)
{
	(void)t, (void)arg;
	fprintf(stderr, "tunnel_peer: %s: %s\n", reason_get(why)->code, detail);
	exit(1);
}

static int
pour(const char *address, const char *mib, const char *streams)
{
	static const struct tunnel_cb cb = { .on_up = on_up, .on_closed = client_closed };
	static const struct link_cb link = { .on_up = connected, .on_closed = on_failed };
	struct link *l;

	tunnel_cb = &cb;
	n_streams = (unsigned)strtoul(streams, NULL, 10);
	must(n_streams > 0, "how many streams?");
	each = strtoull(mib, NULL, 10) * 1048576 / n_streams;
	must(link_connect(net, address, NULL, &link, NULL, &l) == RC_OK, "cannot connect");
	return loop_run(loop, turn_end, NULL) == RC_OK ? 0 : 1;
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--psk") == 0) {
		psk = true;
		argc--;
		argv++;
	}
	log_open("tunnel_peer", LOG_LEVEL_WARN);
	must(loop_new(&loop) == RC_OK && clock_new(loop, CLOCK_REAL, &clk) == RC_OK && link_net_new(loop, clk, &net) == RC_OK, "no loop");
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	if (argc == 5 && strcmp(argv[1], "pour") == 0)
		return pour(argv[2], argv[3], argv[4]);
	fprintf(stderr, "usage: tunnel_peer [--psk] serve ADDRESS | pour ADDRESS MIB STREAMS\n");
	return 2;
}
