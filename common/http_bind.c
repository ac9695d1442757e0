/* http_bind: a server's listening socket. */
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

static bool
split_address(const char *text, char *host, size_t cap, const char **port)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon == NULL ? 0 : (size_t)(colon - text);
	uint64_t v;

	if (colon == NULL || !span_decimal(span_str(colon + 1), 65535, &v))
		return false;
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	if (n >= cap)
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	*port = colon + 1;
	return true;
}

enum rc
http_bind(const char *text, int *out)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *ai = NULL;
	char host[64];
	const char *port;
	int fd = -1, on = 1;
	enum rc rc = RC_IO;

	if (!split_address(text, host, sizeof(host), &port) || getaddrinfo(host[0] == '\0' ? NULL : host, port, &hints, &ai) != 0) {
		log_error("%s: is no ADDRESS:PORT", text);
		return RC_SYNTAX;
	}
	if ((fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0)
		goto out;
	/* inherited by accepted sockets; small kept-alive answers would wait 40 ms for an acknowledgement otherwise */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (ai->ai_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, 512) < 0)
		goto out;
	*out = fd;
	fd = -1;
	rc = RC_OK;
out:
	if (rc != RC_OK)
		log_error("%s: cannot listen: %s", text, strerror(errno));
	if (fd >= 0)
		close(fd);
	freeaddrinfo(ai);
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
