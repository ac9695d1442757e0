/* http_bind: a server's listening socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/http_server_int.h"
#include "common/log.h"

/* "127.0.0.1:80", "[::1]:80", ":80" (any IPv4 address). Names are not looked up. */
static bool
parse_address(const char *text, struct sockaddr_storage *out, socklen_t *n)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct span host = span_str(text), rest = host;
	char buf[INET6_ADDRSTRLEN];
	uint64_t port;

	if (!span_upto_last(&rest, ':', &host) || !span_decimal(rest, 65535, &port))
		return false;
	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
		if (!span_to_str(span_of(host.p + 1, host.n - 2), buf, sizeof(buf)) || inet_pton(AF_INET6, buf, &in6.sin6_addr) != 1)
			return false;
		in6.sin6_port = htons((uint16_t)port);
		memcpy(out, &in6, *n = sizeof(in6));
		return true;
	}
	if (host.n > 0 && (!span_to_str(host, buf, sizeof(buf)) || inet_pton(AF_INET, buf, &in.sin_addr) != 1))
		return false;
	in.sin_port = htons((uint16_t)port);
	memcpy(out, &in, *n = sizeof(in));
	return true;
}

enum rc
http_bind(const char *text, int *out)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t n = 0;
	int fd = -1, on = 1;
	enum rc rc = RC_IO;

	if (!parse_address(text, &ss, &n)) {
		log_error("%s: is no ADDRESS:PORT", text);
		return RC_SYNTAX;
	}
	if ((fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0)
		goto out;
	/* inherited by accepted sockets; small kept-alive answers would wait 40 ms for an acknowledgement otherwise */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (ss.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    bind(fd, (struct sockaddr *)&ss, n) < 0 || listen(fd, 512) < 0)
		goto out;
	*out = fd;
	fd = -1;
	rc = RC_OK;
out:
	if (rc != RC_OK)
		log_error("%s: cannot listen: %s", text, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

enum rc
http_print_bound(int fd, char *out, size_t cap)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getsockname(fd, (struct sockaddr *)&ss, &n) < 0 ||
	    getnameinfo((struct sockaddr *)&ss, n, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return RC_IO;
	snprintf(out, cap, ss.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	return RC_OK;
}
