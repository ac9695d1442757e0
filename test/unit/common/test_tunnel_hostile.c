/*
 * tunnel: peers that do not speak as ours does. A request that is none of ours is answered and hurts nobody else; what breaks HTTP/2 ends
 * the tunnel by GOAWAY; nothing grows without end (U5).
 */
#include "common/tunnel.h"

#include <check.h>

#include "common/reason.h"
#include "test/unit/common/tunnel_pair.h"

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

/* --- saying */

static void
raw_say(struct side *s, struct span octets)
{
	if (s->raw != NULL && link_write(s->raw, octets) != RC_OK)
		ck_assert_int_eq(s->closed, 0);
}

static void
frame(struct side *s, int type, int flags, unsigned id, struct span payload)
{
	uint8_t head[9] = { (uint8_t)(payload.n >> 16), (uint8_t)(payload.n >> 8), (uint8_t)payload.n, (uint8_t)type, (uint8_t)flags,
		(uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id };

	raw_say(s, span_of(head, 9));
	raw_say(s, payload);
}

/* Fields as HPACK literals without indexing, behind one another. */
struct fields {
	uint8_t p[60000];
	size_t n;
};

static void
length(struct fields *f, size_t n)
{
	if (n < 127) {
		f->p[f->n++] = (uint8_t)n;
		return;
	}
	f->p[f->n++] = 127;
	for (n -= 127; n >= 128; n /= 128)
		f->p[f->n++] = (uint8_t)(n % 128 + 128);
	f->p[f->n++] = (uint8_t)n;
}

static void
field_n(struct fields *f, const char *name, struct span value)
{
	f->p[f->n++] = 0;
	length(f, strlen(name));
	memcpy(f->p + f->n, name, strlen(name));
	f->n += strlen(name);
	length(f, value.n);
	memcpy(f->p + f->n, value.p, value.n);
	f->n += value.n;
}

static void
field(struct fields *f, const char *name, const char *value)
{
	field_n(f, name, span_str(value));
}

static struct span
fields_span(const struct fields *f)
{
	return span_of(f->p, f->n);
}

static void
connect_to(unsigned id, const char *authority)
{
	struct fields f = { .n = 0 };

	field(&f, ":method", "CONNECT");
	field(&f, ":authority", authority);
	frame(&cl, HEADERS, END_HEADERS, id, fields_span(&f));
}

/* --- hearing */

/* The n-th frame of that kind that came, n from 0; id 0 = of any stream. */
static bool
heard(const struct side *s, int type, unsigned id, int n, struct span *payload)
{
	struct span in = span_of(s->in, s->in_n), p;
	uint8_t t, flags;
	uint32_t len, of;

	while (span_u24(&in, &len) && span_u8(&in, &t) && span_u8(&in, &flags) && span_u32(&in, &of) && span_take(&in, len, &p)) {
		if (t == type && (id == 0 || of == id) && n-- == 0) {
			*payload = p;
			return true;
		}
	}
	return false;
}

static uint32_t
code_of(int type, unsigned id)
{
	struct span p;
	uint32_t code = 9999;

	if (!heard(&cl, type, id, 0, &p))
		return 9998;
	if (type == GOAWAY)
		ck_assert(span_u32(&p, &code));
	ck_assert(span_u32(&p, &code));
	return code;
}

/* The status of an answer: nghttp2's HPACK has 200 and 404 in its table, others as literals. */
static int
status_of(unsigned id)
{
	struct span p;
	int n = 0;

	if (!heard(&cl, HEADERS, id, 0, &p))
		return 0;
	ck_assert_uint_gt(p.n, 0);
	switch (p.p[0]) {
	case 0x88:
		return 200;
	case 0x8c:
		return 400;
	case 0x8d:
		return 404;
	default:
		break;
	}
	/* its digits, plain or by Huffman's code: 0 = 00000, 1 = 00001, 2 = 00010, 3 = 011001, 4 = 011010, 5 = 011011 */
	if (p.n == 5 && p.p[1] == 3)
		return (p.p[2] - '0') * 100 + (p.p[3] - '0') * 10 + p.p[4] - '0';
	for (unsigned bits = ((unsigned)p.p[2] << 8 | p.p[3]), at = 0, k = 0; k < 3; k++) {
		unsigned five = bits >> (11 - at) & 31;

		if (five < 3) {
			n = n * 10 + (int)five;
			at += 5;
		} else {
			n = n * 10 + (int)(bits >> (10 - at) & 63) - 22;
			at += 6;
		}
	}
	return n;
}

static void
raw_up_unacknowledged(void)
{
	raw_client = true;
	settle();
	raw_say(&cl, span_str("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	frame(&cl, SETTINGS, 0, 0, span_of(NULL, 0));
	settle();
}

static void
raw_up(void)
{
	raw_up_unacknowledged();
	frame(&cl, SETTINGS, ACK, 0, span_of(NULL, 0));
	settle();
	ck_assert_int_eq(sv.up, 1);
}

/* The tunnel stands, and works. */
static void
stands(unsigned id)
{
	int n = sv.n_users;

	connect_to(id, "modem");
	settle();
	ck_assert_int_eq(sv.closed, 0);
	ck_assert_int_eq(sv.n_users, n + 1);
	ck_assert_int_eq(status_of(id), 200);
}

/* --- requests that are none of ours */

START_TEST(plain)
{
	struct span p;

	raw_up();
	stands(1);
	frame(&cl, DATA, 0, 1, span_str("hello"));
	settle();
	ck_assert_str_eq(sv.users[0].text, "hello");
	say(&sv.users[0], "world");
	settle();
	ck_assert(heard(&cl, DATA, 1, 0, &p));
	ck_assert(span_eq_str(p, "world"));
}
END_TEST

static const struct { const char *fields[10]; int status; uint32_t rst; } requests[] = {
	{ { ":method", "GET", ":scheme", "http", ":authority", "modem", ":path", "/" }, 405, 0 },
	{ { ":method", "POST", ":scheme", "https", ":authority", "modem", ":path", "/" }, 405, 0 },
	{ { ":method", "CONNECT", ":authority", "127.0.0.1:7000" }, 400, 0 },
	{ { ":method", "CONNECT", ":authority", "modem:80" }, 400, 0 },
	{ { ":method", "CONNECT", ":authority", "MODEM" }, 400, 0 },
	{ { ":method", "CONNECT", ":authority", "kslocal-other" }, 400, 0 },
	{ { ":method", "connect", ":scheme", "http", ":authority", "modem", ":path", "/" }, 405, 0 },
	/* PROTOCOL_ERROR by nghttp2 */
	{ { ":method", "CONNECT", ":authority", "modem", ":scheme", "http" }, 0, 1 },
	{ { ":method", "CONNECT", ":authority", "modem", ":path", "/" }, 0, 1 },
	{ { ":method", "CONNECT" }, 0, 1 },
	{ { ":authority", "modem" }, 0, 1 },
	{ { ":method", "CONNECT", ":authority", "modem", ":authority", "other" }, 0, 1 },
	{ { ":method", "CONNECT", ":authority", "modem", ":protocol", "websocket", ":scheme", "http", ":path", "/" }, 0, 1 },
	{ { ":method", "CONNECT", ":authority", "modem", ":status", "200" }, 0, 1 },
	{ { ":method", "CONNECT", ":authority", "modem", "Upper", "case" }, 0, 1 },
	{ { ":method", "CONNECT", ":authority", "modem", "connection", "close" }, 0, 1 },
	{ { "x", "y", ":method", "CONNECT", ":authority", "modem" }, 0, 1 },
};

START_TEST(odd_request_U5)
{
	struct fields f = { .n = 0 };

	raw_up();
	for (int i = 0; i < 10 && requests[_i].fields[i] != NULL; i += 2)
		field(&f, requests[_i].fields[i], requests[_i].fields[i + 1]);
	frame(&cl, HEADERS, END_HEADERS, 1, fields_span(&f));
	settle();
	ck_assert_int_eq(status_of(1), requests[_i].status);
	ck_assert_uint_eq(code_of(RST_STREAM, 1), requests[_i].rst);
	ck_assert_int_eq(sv.n_users, 0);
	ck_assert_uint_eq(tunnel_streams(sv.t), 0);
	stands(3);
}
END_TEST

/* What a foreign client adds does no harm, as long as it is little. */
START_TEST(more_fields)
{
	struct fields f = { .n = 0 };

	raw_up();
	field(&f, ":method", "CONNECT");
	field(&f, ":authority", "modem");
	field(&f, "user-agent", "curl");
	frame(&cl, HEADERS, END_HEADERS, 1, fields_span(&f));
	settle();
	ck_assert_int_eq(status_of(1), 200);
}
END_TEST

static char big[50000];

START_TEST(big_head_U5)
{
	struct fields f = { .n = 0 };

	raw_up();
	memset(big, 'x', sizeof big);
	field(&f, ":method", "CONNECT");
	field(&f, ":authority", "modem");
	field_n(&f, "x", span_of(big, _i == 0 ? 5000 : sizeof big));
	frame(&cl, HEADERS, END_HEADERS, 1, fields_span(&f));
	settle();
	ck_assert_int_eq(status_of(1), 431);
	ck_assert_int_eq(sv.n_users, 0);
	stands(3);
}
END_TEST

/* The dynamic table makes one octet stand for many: counted as what it stands for. */
START_TEST(head_out_of_the_table_U5)
{
	struct fields f = { .n = 0 };

	raw_up();
	field(&f, ":method", "CONNECT");
	field(&f, ":authority", "modem");
	f.p[f.n++] = 0x40;		/* with indexing: x: 3,000 times y */
	length(&f, 1);
	f.p[f.n++] = 'x';
	length(&f, 3000);
	memset(f.p + f.n, 'y', 3000);
	f.n += 3000;
	memset(f.p + f.n, 0xbe, 20000);	/* index 62, again and again */
	f.n += 20000;
	frame(&cl, HEADERS, END_HEADERS, 1, fields_span(&f));
	settle();
	ck_assert_int_eq(status_of(1), 431);
	stands(3);
}
END_TEST

/* --- floods */

START_TEST(continuations_U5)
{
	struct fields f = { .n = 0 };

	raw_up();
	field(&f, ":method", "CONNECT");
	frame(&cl, HEADERS, 0, 1, fields_span(&f));
	for (int i = 0; i < 1000; i++)
		frame(&cl, CONTINUATION, 0, 1, span_of(NULL, 0));
	settle();
	ck_assert_int_eq(sv.closed, 1);
	ck_assert_int_eq(sv.why, REASON_TUNNEL_BROKEN);
	ck_assert_int_eq(cl.closed, 1);
}
END_TEST

START_TEST(rapid_reset_U5)
{
	static const uint8_t cancel[] = { 0, 0, 0, 8 };
	unsigned i;

	raw_up();
	for (i = 0; i < 5000 && sv.closed == 0; i++) {
		connect_to(2 * i + 1, "modem");
		frame(&cl, RST_STREAM, 0, 2 * i + 1, span_of(cancel, 4));
		if (i % 64 == 0)
			settle();
		sv.n_users = 0;
	}
	settle();
	ck_assert_int_eq(sv.closed, 1);
	ck_assert_int_eq(sv.why, REASON_TUNNEL_BROKEN);
	ck_assert_uint_lt(i, 1200);
	ck_assert_uint_eq(code_of(GOAWAY, 0), 2);
}
END_TEST

/* After our SETTINGS were acknowledged, one stream too many is a broken peer; before, it is refused. */
START_TEST(too_many_streams_U5)
{
	sv.conf.streams_max = 5;
	raw_up_unacknowledged();
	if (_i == 1)
		frame(&cl, SETTINGS, ACK, 0, span_of(NULL, 0));
	for (unsigned i = 0; i < 5; i++)
		stands(2 * i + 1);
	connect_to(11, "modem");
	settle();
	ck_assert_int_eq(sv.n_users, 5);
	if (_i == 0) {
		ck_assert_uint_eq(code_of(RST_STREAM, 11), 7);	/* REFUSED_STREAM */
		ck_assert_int_eq(sv.closed, 0);
	} else {
		ck_assert_uint_eq(code_of(GOAWAY, 0), 1);
		ck_assert_int_eq(sv.why, REASON_TUNNEL_BROKEN);
		ck_assert_int_eq(sv.users[4].why, REASON_TUNNEL_BROKEN);
	}
}
END_TEST

/* Both ends have ended them, so HTTP/2 counts them no more; but what they said waits for a user that does not read. */
START_TEST(ended_streams_that_nobody_reads_U5)
{
	unsigned id = 1;

	sv.conf.streams_max = 5;
	sv.pattern.deaf = true;
	raw_up();
	for (unsigned i = 0; i < 10; i++, id += 2) {
		stands(id);
		frame(&cl, DATA, END_STREAM, id, span_str("unread"));
		settle();
		ck_ok(link_shutdown(sv.users[i].l));
		settle();
		ck_assert_int_eq(sv.users[i].closed, 0);
	}
	connect_to(id, "modem");
	settle();
	ck_assert_int_eq(sv.n_users, 10);
	ck_assert_uint_eq(code_of(RST_STREAM, id), 7);	/* REFUSED_STREAM */
	/* who is read makes room */
	link_drain(sv.users[0].l, 6);
	settle();
	ck_assert_int_eq(sv.users[0].closed, 1);
	stands(id + 2);
}
END_TEST

/* It asks and asks, and reads nothing of the answers. */
START_TEST(asks_without_reading_U5)
{
	static const uint8_t zero[8];
	struct fields f = { .n = 0 };
	unsigned id = 1;

	if (_i == 2)
		raw_up_unacknowledged();
	else
		raw_up();
	field(&f, ":method", _i == 2 ? "CONNECT" : "GET");
	field(&f, ":authority", "modem");
	if (_i != 2) {
		field(&f, ":scheme", "http");
		field(&f, ":path", "/");
	}
	link_set_cb(cl.raw, NULL, NULL);
	link_set_input_limit(cl.raw, 0);
	for (int i = 0; i < 40000 && sv.t != NULL; i++) {
		switch (_i) {
		case 0:
			frame(&cl, PING, 0, 0, span_of(zero, 8));
			break;
		case 1:
			frame(&cl, SETTINGS, 0, 0, span_of(NULL, 0));
			break;
		case 2:		/* beyond our limit, of which it has not heard: RST_STREAM for each */
			frame(&cl, HEADERS, END_HEADERS, id, fields_span(&f));
			id += 2;
			break;
		default:
			frame(&cl, HEADERS, END_HEADERS | END_STREAM, id, fields_span(&f));
			id += 2;
			break;
		}
		if (i % 50 == 0)
			settle();
		ck_assert_uint_lt(link_unsent(tunnel_link(sv.t)), 512 * 1024);
		ck_assert_uint_le(tunnel_streams(sv.t), 100);
		sv.n_users = sv.n_users < 100 ? sv.n_users : 100;
	}
	/* now it reads, and learns what it is */
	link_set_cb(cl.raw, &raw_cb, &cl);
	link_set_input_limit(cl.raw, 65536);
	settle();
	ck_assert_int_eq(sv.closed, 1);
	ck_assert_int_eq(sv.why, REASON_TUNNEL_BROKEN);
	ck_assert(_i != 2 || strstr(sv.detail, "does not read") != NULL);
}
END_TEST

/* --- what breaks HTTP/2 */

static const struct { const char *octets; size_t n; uint32_t code; } broken[] = {
	{ "\0\0\1\0\0\0\0\0\0x", 10, 1 },			/* DATA on stream 0 */
	{ "\0\0\1\0\0\0\0\0\1x", 10, 1 },			/* DATA on an idle stream */
	{ "\0\0\4\10\0\0\0\0\0\0\0\0\0", 13, 1 },		/* WINDOW_UPDATE of nothing */
	{ "\0\0\4\10\0\0\0\0\0\x7f\xff\xff\xff", 13, 3 },	/* beyond 2^31 */
	{ "\0\0\3\6\0\0\0\0\0abc", 12, 6 },			/* PING of 3 octets */
	{ "\0\0\1\4\0\0\0\0\0x", 10, 6 },			/* SETTINGS of 1 octet */
	{ "\0\0\6\4\0\0\0\0\0\0\4\xff\xff\xff\xff", 15, 3 },	/* a window beyond 2^31 */
	{ "\x7f\xff\xff\0\0\0\0\0\1", 9, 6 },			/* a frame of 8 MiB */
	{ "\0\0\1\1\4\0\0\0\1\x80", 10, 9 },			/* HPACK index 0 */
	{ "\0\0\1\1\4\0\0\0\2\x82", 10, 1 },			/* a stream of the server's */
	{ "\0\0\0\11\4\0\0\0\1", 9, 1 },			/* CONTINUATION of nothing */
	{ "\0\0\4\3\0\0\0\0\1\0\0\0\10", 13, 1 },		/* RST_STREAM of an idle stream */
	{ "\0\0\5\5\4\0\0\0\1\0\0\0\2\x82", 14, 1 },		/* PUSH_PROMISE by a client */
};

START_TEST(breaks_http2)
{
	raw_up();
	raw_say(&cl, span_of(broken[_i].octets, broken[_i].n));
	settle();
	ck_assert_uint_eq(code_of(GOAWAY, 0), broken[_i].code);
	ck_assert_int_eq(sv.closed, 1);
	ck_assert_int_eq(sv.why, REASON_TUNNEL_BROKEN);
	ck_assert_str_ne(sv.detail, "");
	ck_assert_int_eq(cl.closed, 1);
}
END_TEST

static const char *const not_http2[] = {
	"GET / HTTP/1.1\r\nHost: modem\r\n\r\n", "{\"id\":1,\"op\":\"hello\"}\n", "\x16\x03\x01\x02\x00\x01", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxxxxxxxxx"
};

START_TEST(is_no_http2)
{
	raw_client = true;
	settle();
	raw_say(&cl, span_str(not_http2[_i]));
	settle();
	ck_assert_int_eq(sv.closed, 1);
	ck_assert_int_eq(sv.why, REASON_TUNNEL_BROKEN);
	ck_assert_int_eq(cl.closed, 1);
}
END_TEST

/* More than the window: the stream is cut (or the tunnel, as nghttp2 likes); what waits stays bounded. */
START_TEST(beyond_the_window_U5)
{
	static uint8_t piece[16384];

	sv.conf.stream_buffer = 100000;
	sv.pattern.deaf = true;
	raw_up();
	stands(1);
	for (int i = 0; i < 20; i++) {
		frame(&cl, DATA, 0, 1, span_of(piece, sizeof piece));
		settle();
		if (sv.users[0].l != NULL)
			ck_assert_uint_le(link_input(sv.users[0].l).n, 100000);
	}
	ck_assert_int_eq(sv.users[0].closed, 1);
	ck_assert_int_eq(sv.users[0].why, REASON_TUNNEL_BROKEN);
}
END_TEST

/* Octets before the 200 wait for it; they count in the window. */
START_TEST(octets_before_the_answer)
{
	sv.hold = true;
	raw_up();
	connect_to(1, "modem");
	frame(&cl, DATA, END_STREAM, 1, span_str("early"));
	settle();
	ck_assert_int_eq(sv.users[0].data + sv.users[0].eof, 0);
	ck_ok(tunnel_accept(sv.users[0].l));
	settle();
	ck_assert_str_eq(sv.users[0].text, "early");
	ck_assert_int_eq(sv.users[0].eof, 1);
}
END_TEST

/* CONNECT with END_STREAM at once, trailers, a second head: as HTTP/2 has it. */
START_TEST(heads_that_end)
{
	struct fields f = { .n = 0 };

	raw_up();
	field(&f, ":method", "CONNECT");
	field(&f, ":authority", "modem");
	frame(&cl, HEADERS, END_HEADERS | END_STREAM, 1, fields_span(&f));
	settle();
	ck_assert_int_eq(status_of(1), 200);
	ck_assert_int_eq(sv.users[0].eof, 1);
	ck_assert_int_eq(sv.users[0].closed, 0);
	stands(3);
	f.n = 0;
	field(&f, "trailer", "x");
	frame(&cl, HEADERS, END_HEADERS | END_STREAM, 3, fields_span(&f));
	settle();
	ck_assert_int_eq(sv.users[1].eof, 1);
	stands(5);
}
END_TEST

/* It says that it goes, and opens streams all the same. */
START_TEST(opens_after_goaway)
{
	raw_up();
	stands(1);
	frame(&cl, GOAWAY, 0, 0, span_of("\0\0\0\0\0\0\0\0", 8));
	connect_to(3, "modem");
	settle();
	ck_assert_uint_eq(code_of(RST_STREAM, 3), 7);
	ck_assert_int_eq(sv.n_users, 1);
	ck_assert_int_eq(sv.closed, 0);
	link_reset(sv.users[0].l);
	sv.users[0].l = NULL;
	settle();
	ck_assert_int_eq(sv.closed, 1);
	ck_assert_int_eq(sv.why, REASON_NONE);
}
END_TEST

/* --- the other way: a server that is odd */

static const struct { const char *octets; size_t n; enum reason why; } answers[] = {
	{ "\0\0\1\1\4\0\0\0\1\x8d", 10, REASON_TUNNEL_SERVICE_UNKNOWN },		/* 404, and does not end it */
	{ "\0\0\1\1\5\0\0\0\1\x8d", 10, REASON_TUNNEL_SERVICE_UNKNOWN },		/* 404 */
	{ "\0\0\5\1\5\0\0\0\1\x08\3" "999", 14, REASON_TUNNEL_BROKEN },
	{ "\0\0\5\1\5\0\0\0\1\x08\3" "abc", 14, REASON_TUNNEL_BROKEN },
	{ "\0\0\1\1\5\0\0\0\1\x8e", 10, REASON_TUNNEL_BROKEN },				/* 500 */
	{ "\0\0\4\3\0\0\0\0\1\0\0\0\7", 13, REASON_TUNNEL_LIMIT },			/* REFUSED_STREAM */
	{ "\0\0\4\3\0\0\0\0\1\0\0\0\10", 13, REASON_TUNNEL_RESET },			/* CANCEL */
	{ "\0\0\4\3\0\0\0\0\1\0\0\0\1", 13, REASON_TUNNEL_BROKEN },			/* PROTOCOL_ERROR */
	{ "\0\0\5\0\1\0\0\0\1" "hello", 14, REASON_TUNNEL_BROKEN },			/* DATA without a head */
	{ "\0\0\10\7\0\0\0\0\0\0\0\0\0\0\0\0\0", 17, REASON_TUNNEL_CLOSED },		/* GOAWAY, nothing was taken */
	{ "\0\0\14\7\0\0\0\0\0\0\0\0\1\0\0\0\2oops", 21, REASON_TUNNEL_BROKEN },	/* GOAWAY INTERNAL_ERROR */
};

START_TEST(odd_answer)
{
	struct user *u;

	raw_server = true;
	settle();
	frame(&sv, SETTINGS, 0, 0, span_of(NULL, 0));
	frame(&sv, SETTINGS, ACK, 0, span_of(NULL, 0));
	settle();
	u = open_stream("modem");
	settle();
	raw_say(&sv, span_of(answers[_i].octets, answers[_i].n));
	settle();
	ck_assert_int_eq(u->up, 0);
	ck_assert_int_eq(u->closed, 1);
	ck_assert_str_eq(reason_get(u->why)->code, reason_get(answers[_i].why)->code);
}
END_TEST

START_TEST(interim_answer)
{
	struct user *u;

	raw_server = true;
	settle();
	frame(&sv, SETTINGS, 0, 0, span_of(NULL, 0));
	settle();
	u = open_stream("modem");
	settle();
	raw_say(&sv, span_of("\0\0\5\1\4\0\0\0\1\x08\3" "103", 14));
	settle();
	ck_assert_int_eq(u->up + u->closed, 0);
	raw_say(&sv, span_of("\0\0\1\1\4\0\0\0\1\x88", 10));
	settle();
	ck_assert_int_eq(u->up, 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tunnel_hostile");
	TCase *t = tcase_create("requests");

	tcase_add_checked_fixture(t, start, stop);
	tcase_add_test(t, plain);
	tcase_add_loop_test(t, odd_request_U5, 0, TABLE_N(requests));
	tcase_add_test(t, more_fields);
	tcase_add_loop_test(t, big_head_U5, 0, 2);
	tcase_add_test(t, head_out_of_the_table_U5);
	tcase_add_test(t, octets_before_the_answer);
	tcase_add_test(t, heads_that_end);
	tcase_add_test(t, opens_after_goaway);
	suite_add_tcase(s, t);
	t = tcase_create("floods");
	tcase_add_checked_fixture(t, start, stop);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, continuations_U5);
	tcase_add_test(t, rapid_reset_U5);
	tcase_add_loop_test(t, too_many_streams_U5, 0, 2);
	tcase_add_test(t, ended_streams_that_nobody_reads_U5);
	tcase_add_loop_test(t, asks_without_reading_U5, 0, 4);
	tcase_add_test(t, beyond_the_window_U5);
	suite_add_tcase(s, t);
	t = tcase_create("broken");
	tcase_add_checked_fixture(t, start, stop);
	tcase_add_loop_test(t, breaks_http2, 0, TABLE_N(broken));
	tcase_add_loop_test(t, is_no_http2, 0, TABLE_N(not_http2));
	tcase_add_loop_test(t, odd_answer, 0, TABLE_N(answers));
	tcase_add_test(t, interim_answer);
	suite_add_tcase(s, t);
	return unit_run(s);
}
