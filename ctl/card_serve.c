#include "ctl/card_serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/daemon.h"
#include "common/log.h"
#include "common/rnd.h"
#include "mtd/apdu.h"
#include "mtd/card.h"

_Static_assert(KSCTL_CARD_ANSWER_MAX >= MT_CARD_ANSWER_MAX, "room for every answer");

enum { VPCD_OFF = 0x00, VPCD_ON = 0x01, VPCD_RESET = 0x02, VPCD_ATR = 0x04 };

bool
ksctl_card_serve_is(int argc, char **argv)
{
	return argc >= 3 && strcmp(argv[1], "card") == 0 && strcmp(argv[2], "serve") == 0;
}

size_t
ksctl_card_answer(struct mt_card *c, struct span in, uint8_t out[static KSCTL_CARD_ANSWER_MAX])
{
	if (in.n != 1)
		return in.n > 0 ? mt_card_apdu(c, in, out) : 0;
	switch (in.p[0]) {
	case VPCD_OFF:
	case VPCD_ON:
	case VPCD_RESET:
		mt_card_reset(c);
		return 0;
	case VPCD_ATR:
		return mt_card_atr(c, out);
	default:
		return 0;
	}
}

/* --- the wire */

static bool
get(int fd, uint8_t *out, size_t n)
{
	while (n > 0) {
		ssize_t k = recv(fd, out, n, 0);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		out += k;
		n -= (size_t)k;
	}
	return true;
}

/*
 * vpcd sends length and message apart and leaves Nagle's algorithm on: without a quick acknowledgement of the length, each APDU
 * waits 40 ms for a delayed one.
 */
static bool
get_message(int fd, uint8_t *out, size_t cap, size_t *n)
{
	const int on = 1;
	uint8_t head[2];

	(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
	if (!get(fd, head, sizeof head))
		return false;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
	*n = (size_t)head[0] << 8 | head[1];
	if (*n <= cap)
		return get(fd, out, *n);
	log_error("card: vpcd sent %zu octets at once; expected at most %zu", *n, cap);
	return false;
}

static bool
put_message(int fd, const uint8_t *p, size_t n)
{
	uint8_t b[2 + KSCTL_CARD_ANSWER_MAX] = { (uint8_t)(n >> 8), (uint8_t)n };
	bool ok;

	memcpy(b + 2, p, n);
	ok = send(fd, b, 2 + n, MSG_NOSIGNAL) == (ssize_t)(2 + n);	/* one small packet: whole or not at all */
	explicit_bzero(b, sizeof b);
	return ok;
}

static int
dial(uint16_t port)
{
	const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		return fd;
	}
	fprintf(stderr, "ksctl: 127.0.0.1:%u: %s; expected pcscd with vpcd (package vsmartcard-vpcd) there\n", port, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* --- the card */

/* Until vpcd ends it. */
static void
serve(struct mt_card *card, int fd)
{
	uint8_t in[MT_APDU_MAX], out[KSCTL_CARD_ANSWER_MAX];
	size_t n;

	while (get_message(fd, in, sizeof in, &n)) {
		n = ksctl_card_answer(card, span_of(in, n), out);
		explicit_bzero(in, sizeof in);		/* may have held the PIN */
		if (n > 0 && !put_message(fd, out, n))
			break;
		explicit_bzero(out, sizeof out);
	}
}

static enum ksctl_exit
usage(enum ksctl_exit code)
{
	fprintf(code == KSCTL_DONE ? stdout : stderr, "usage: ksctl card serve [--port N] IMAGE        N: vpcd's, default %d\n", KSCTL_VPCD_PORT);
	return code;
}

enum ksctl_exit
ksctl_card_serve(int argc, char **argv)
{
	uint64_t port = KSCTL_VPCD_PORT;
	struct iccid iccid = { "" };
	struct mt_card *card = NULL;
	int at = 3, fd;

	if (at + 1 == argc && strcmp(argv[at], "--help") == 0)
		return usage(KSCTL_DONE);
	if (at + 1 < argc && strcmp(argv[at], "--port") == 0) {
		if (!span_decimal(span_str(argv[at + 1]), 65535, &port) || port == 0)
			return usage(KSCTL_USAGE);
		at += 2;
	}
	if (at + 1 != argc || argv[at][0] == '-')
		return usage(KSCTL_USAGE);
	daemon_harden();
	if (mt_card_open(argv[at], rnd_system(), &card, &iccid) != RC_OK)
		return KSCTL_REFUSED;
	if ((fd = dial((uint16_t)port)) < 0) {
		mt_card_free(card);
		return KSCTL_UNREACHABLE;
	}
	printf("ready card icc_id=%s vpcd=127.0.0.1:%u\n", iccid.s, (unsigned)port);
	fflush(stdout);
	serve(card, fd);
	close(fd);
	mt_card_free(card);
	fputs("ksctl: vpcd has closed the connection\n", stderr);
	return KSCTL_UNREACHABLE;
}
