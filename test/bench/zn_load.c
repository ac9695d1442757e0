/*
 * zn_load: a NAF that keeps so many Bootstrapping-Info-Requests in flight on one plain connection, against any BSF (bsfd, or
 * zn_echo on libfdcore). One JSON object at its end: answers per second, the server's CPU time and its own. Loopback only.
 *
 * It must cost far less than what it measures: requests are printed before the run, and only their hop-by-hop, end-to-end and
 * Session-Id are written anew for each. An answer is looked at as far as its result. After FLUSH_AT answers the next requests
 * leave, so that the server has work while the rest is read.
 *
 *	zn_load address=127.0.0.1:3868 host=naf.example.org realm=example.org peer=bsf.example.org peer_realm=example.org
 *	    fqdn=naf.example.org protocol=0100000002 btid=B-TID [btid=B-TID]… [in_flight=64] [warm=1] [seconds=5] [cpu_of=PID]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/zn_msg.h"

#define BTIDS_MAX 1024
#define FLIGHT_MAX 1024
#define FLUSH_AT 16
#define TIMEOUT_S 10
#define DIGITS 10		/* of a Session-Id's last part */
enum { AT_HBH = 12, AT_E2E = 16, AT_SESSION_ID = DIA_HDR_LEN + 8 };

struct asker {
	int fd;
	struct zn_self self;
	struct zn_bir bir;
	struct dia_buf request[BTIDS_MAX];	/* one for each B-TID */
	size_t n_request;
	size_t at_digits;			/* in every request */
	uint32_t slot[FLIGHT_MAX];		/* hop-by-hop of the request that this place waits for; 0 = none */
	uint32_t sent;
	uint64_t answered, failed;	/* in the measured time */
	uint32_t waiting;		/* requests without an answer yet */
	bool over;			/* DPA is in */
	uint32_t first_failure;		/* its result */
	struct dia_buf out;		/* what leaves with the next write */
	uint8_t *queue;			/* the same for many messages */
	size_t n_queue;
	uint8_t in[4 * DIA_MSG_MAX];
	size_t n_in;
};

static _Noreturn void die(const char *fmt, ...) PRINTF_LIKE(1, 2);

static _Noreturn void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "zn_load: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(1);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Seconds; 0 = nobody's. */
static double
cpu_of(long pid)
{
	char path[64];
	unsigned long user, system;
	FILE *f;

	if (pid == 0)
		return 0;
	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	if ((f = fopen(path, "r")) == NULL || fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		die("no process %ld", pid);
	fclose(f);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double
own_cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* --- octets */

static void
queue(struct asker *a)
{
	struct span m = dia_buf_span(&a->out);

	if (dia_end(&a->out) != RC_OK)
		die("a message could not be made");
	m = dia_buf_span(&a->out);
	if (m.n > FLIGHT_MAX * 1024 - a->n_queue)
		die("too much to send at once");
	memcpy(a->queue + a->n_queue, m.p, m.n);
	a->n_queue += m.n;
}

static void
flush(struct asker *a)
{
	for (size_t at = 0; at < a->n_queue;) {
		ssize_t n = send(a->fd, a->queue + at, a->n_queue - at, MSG_NOSIGNAL);

		if (n < 0)
			die("send: %s", strerror(errno));
		at += (size_t)n;
	}
	a->n_queue = 0;
}

static void
fill(struct asker *a)
{
	ssize_t n = recv(a->fd, a->in + a->n_in, sizeof a->in - a->n_in, 0);

	if (n <= 0)
		die("the server: %s", n == 0 ? "hung up" : strerror(errno));
	a->n_in += (size_t)n;
}

/* The message at the front; false: not whole yet. */
static bool
front(const struct asker *a, size_t at, struct dia_msg *out)
{
	struct span in = span_of(a->in + at, a->n_in - at);
	size_t len = 0;
	enum rc rc = dia_frame(in, &len);

	if (rc == RC_NOTFOUND || (rc == RC_OK && len > in.n))
		return false;
	if (rc != RC_OK || dia_parse(span_of(in.p, len), out) != RC_OK)
		die("what came is no Diameter message");
	return true;
}

/* --- messages */

static void
put_cer(struct asker *a)
{
	const uint8_t address[] = { 0, 1, 127, 0, 0, 1 };

	dia_begin(&a->out, &(struct dia_hdr){ .flags = DIA_R, .cmd = DIA_CMD_CE, .hbh = 1, .e2e = 1 });
	dia_put_str(&a->out, DIA_ORIGIN_HOST, a->self.host);
	dia_put_str(&a->out, DIA_ORIGIN_REALM, a->self.realm);
	dia_put(&a->out, DIA_HOST_IP_ADDRESS, span_of(address, sizeof address));
	dia_put_u32(&a->out, DIA_VENDOR_ID, 0);
	dia_put_str(&a->out, DIA_PRODUCT_NAME, "zn_load");
	dia_put_u32(&a->out, DIA_SUPPORTED_VENDOR_ID, DIA_VENDOR_3GPP);
	dia_put_application(&a->out, DIA_VENDOR_3GPP, DIA_APP_ZN);
	queue(a);
}

/* A BIR for each B-TID: what differs between two of the same is written over later. */
static void
make_request(struct asker *a, const char *btid)
{
	struct dia_buf *b = &a->request[a->n_request++];

	a->at_digits = AT_SESSION_ID + (size_t)snprintf(a->bir.session_id, sizeof a->bir.session_id, "%s;1;", a->self.host);
	snprintf(a->bir.session_id + strlen(a->bir.session_id), DIGITS + 1, "%0*u", DIGITS, 0u);
	if (btid_parse(span_str(btid), &a->bir.btid) != RC_OK)
		die("btid=%s", btid);
	if (zn_bir_print(&a->bir, &a->self, b) != RC_OK)
		die("a BIR could not be made");
}

static void
write_u32(uint8_t *p, uint32_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

/* The next request, for the place in flight that waits for none: its answer finds it by the hop-by-hop. */
static void
put_bir(struct asker *a, uint32_t slot)
{
	struct span m = dia_buf_span(&a->request[++a->sent % a->n_request]);
	uint8_t *to = a->queue + a->n_queue;
	uint32_t n = a->sent;

	if (m.n > FLIGHT_MAX * 1024 - a->n_queue)
		die("too much to send at once");
	memcpy(to, m.p, m.n);
	a->n_queue += m.n;
	a->waiting++;
	a->slot[slot] = n * FLIGHT_MAX + slot;
	write_u32(to + AT_HBH, a->slot[slot]);
	write_u32(to + AT_E2E, n);
	for (size_t i = a->at_digits + DIGITS; n > 0; n /= 10)
		to[--i] = (uint8_t)('0' + n % 10);
}

static void
put_dwa(struct asker *a, const struct dia_msg *m)
{
	dia_begin_answer(&a->out, m, a->self.host, a->self.realm, &(struct dia_fault){ .result = DIA_SUCCESS });
	queue(a);
}

/* The place that waited for it. */
static uint32_t
on_bia(struct asker *a, const struct dia_msg *m)
{
	uint32_t slot = m->hdr.hbh % FLIGHT_MAX, result = 0;
	struct dia_avp r;

	if (a->slot[slot] != m->hdr.hbh)
		die("an answer that nobody waits for");
	a->slot[slot] = 0;
	a->answered++;
	a->waiting--;
	if (dia_find(m->avps, DIA_RESULT_CODE, &r) && dia_get_u32(&r, &result) == RC_OK && result == DIA_SUCCESS)
		return slot;
	if (a->failed++ == 0)
		a->first_failure = result;
	return slot;
}

static void
on_message(struct asker *a, const struct dia_msg *m, bool ask)
{
	uint32_t slot;

	if (m->hdr.cmd == DIA_CMD_BI && !(m->hdr.flags & DIA_R)) {
		slot = on_bia(a, m);
		if (ask)
			put_bir(a, slot);
	} else if (m->hdr.cmd == DIA_CMD_DW && (m->hdr.flags & DIA_R)) {
		put_dwa(a, m);
	} else if (m->hdr.cmd == DIA_CMD_DP && !(m->hdr.flags & DIA_R)) {
		a->over = true;
	} else {
		die("the server says command %u", m->hdr.cmd);
	}
}

/* Takes what is whole, puts a new request for each answer. */
static void
take(struct asker *a, bool ask)
{
	struct dia_msg m;
	size_t at = 0, n = 0;

	for (; front(a, at, &m); at += m.whole.n) {
		on_message(a, &m, ask);
		if (++n % FLUSH_AT == 0)
			flush(a);
	}
	flush(a);
	memmove(a->in, a->in + at, a->n_in - at);
	a->n_in -= at;
}

/* --- the run */

static void
hello(struct asker *a, const char *address)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval limit = { .tv_sec = TIMEOUT_S };
	struct dia_msg m;
	struct dia_avp r;
	uint32_t result = 0;
	int on = 1;

	if (sscanf(address, "127.0.0.1:%hu", &sin.sin_port) != 1)
		die("address=127.0.0.1:PORT is expected");
	sin.sin_port = htons(sin.sin_port);
	if ((a->fd = socket(AF_INET, SOCK_STREAM, 0)) < 0 || connect(a->fd, (struct sockaddr *)&sin, sizeof sin) != 0 ||
	    setsockopt(a->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
	    setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
		die("%s: %s", address, strerror(errno));
	put_cer(a);
	flush(a);
	while (!front(a, 0, &m))
		fill(a);
	if (!dia_find(m.avps, DIA_RESULT_CODE, &r) || dia_get_u32(&r, &result) != RC_OK || result != DIA_SUCCESS)
		die("CEA: result %u", result);
	memmove(a->in, a->in + m.whole.n, a->n_in - m.whole.n);
	a->n_in -= m.whole.n;
}

static void
run_for(struct asker *a, double seconds)
{
	double end = now() + seconds;

	while (now() < end) {
		fill(a);
		take(a, true);
	}
}

/* A server that is left with answers to give keeps a peer in that name for a while: the next run would meet it. */
static void
bye(struct asker *a)
{
	while (a->waiting > 0) {
		fill(a);
		take(a, false);
	}
	dia_begin(&a->out, &(struct dia_hdr){ .flags = DIA_R, .cmd = DIA_CMD_DP, .hbh = 2, .e2e = a->sent + 1 });
	dia_put_str(&a->out, DIA_ORIGIN_HOST, a->self.host);
	dia_put_str(&a->out, DIA_ORIGIN_REALM, a->self.realm);
	dia_put_u32(&a->out, DIA_DISCONNECT_CAUSE, 2);	/* nothing to say for now */
	queue(a);
	flush(a);
	while (!a->over) {
		fill(a);
		take(a, false);
	}
}

static const char *
word(char **argv, const char *name, const char *otherwise)
{
	size_t n = strlen(name);

	for (; *argv != NULL; argv++)
		if (strncmp(*argv, name, n) == 0 && (*argv)[n] == '=')
			return *argv + n + 1;
	if (otherwise == NULL)
		die("%s= is needed", name);
	return otherwise;
}

static double
number(char **argv, const char *name, const char *otherwise, double max)
{
	const char *text = word(argv, name, otherwise);
	char *end;
	double v = strtod(text, &end);

	if (*end != '\0' || !(v >= 0 && v <= max))
		die("%s=%s: expected a number up to %.0f", name, text, max);
	return v;
}

static void
set_up(struct asker *a, char **argv)
{
	char naf_id[FQDN_MAX + 16];

	a->queue = malloc(FLIGHT_MAX * 1024);
	if (a->queue == NULL)
		die("out of memory");
	a->self = (struct zn_self){ word(argv, "host", NULL), word(argv, "realm", NULL) };
	snprintf(a->bir.dest_realm, sizeof a->bir.dest_realm, "%s", word(argv, "peer_realm", NULL));
	snprintf(a->bir.dest_host, sizeof a->bir.dest_host, "%s", word(argv, "peer", NULL));
	snprintf(naf_id, sizeof naf_id, "%s/%s", word(argv, "fqdn", NULL), word(argv, "protocol", NULL));
	if (naf_id_parse(span_str(naf_id), &a->bir.naf_id) != RC_OK)
		die("fqdn= and protocol= make no NAF_ID: %s", naf_id);
	for (; *argv != NULL && a->n_request < BTIDS_MAX; argv++)
		if (strncmp(*argv, "btid=", 5) == 0)
			make_request(a, *argv + 5);
	if (a->n_request == 0)
		die("btid= is needed");
}

int
main(int argc, char **argv)
{
	static struct asker a;
	size_t n = (size_t)number(argv, "in_flight", "64", FLIGHT_MAX);
	double warm = number(argv, "warm", "1", 600), seconds = number(argv, "seconds", "5", 600), began, cpu, own;
	long pid = (long)number(argv, "cpu_of", "0", 1 << 30);

	(void)argc;
	set_up(&a, argv);
	hello(&a, word(argv, "address", NULL));
	for (uint32_t i = 0; i < n; i++)
		put_bir(&a, i);
	flush(&a);
	run_for(&a, warm);
	a.answered = a.failed = 0;
	cpu = cpu_of(pid);
	own = own_cpu();
	began = now();
	run_for(&a, seconds);
	seconds = now() - began;
	cpu = cpu_of(pid) - cpu;
	own = own_cpu() - own;
	printf("{\"mode\":\"zn\",\"done\":%llu,\"failed\":%llu,\"seconds\":%.3f,\"per_second\":%.1f,\"in_flight\":%zu,\"cpu_s\":[%.3f],"
	    "\"own_s\":%.3f,\"first_failure\":%u}\n", (unsigned long long)a.answered, (unsigned long long)a.failed, seconds, (double)a.answered / seconds, n,
	    cpu, own, a.first_failure);
	bye(&a);
	close(a.fd);
	dia_buf_free(&a.out);
	for (size_t i = 0; i < a.n_request; i++)
		dia_buf_free(&a.request[i]);
	free(a.queue);
	return a.failed != 0;
}
