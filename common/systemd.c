#include "common/systemd.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/span.h"

#define JOURNAL "/run/systemd/journal/socket"

/* One descriptor for all, which the process keeps, as it does its standard error. */
static int fd = -1;
static pthread_once_t opened = PTHREAD_ONCE_INIT;

static void
open_socket(void)
{
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/* "@name" is an abstract one. */
void
systemd_send(const char *path, const void *p, size_t n)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || len >= sizeof to.sun_path)
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	pthread_once(&opened, open_socket);
	(void)!sendto(fd, p, n, MSG_NOSIGNAL, (const struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

void
systemd_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (path != NULL)
		systemd_send(path, state, strlen(state));
}

static uint64_t
number_of(const char *variable)
{
	const char *text = getenv(variable);
	struct span s = span_str(text != NULL ? text : "");
	uint64_t n = 0;

	return span_decimal(s, INT64_MAX, &n) ? n : 0;
}

uint64_t
systemd_watchdog_us(void)
{
	/* another process of the service may be meant, whose environment this one has */
	if (getenv("WATCHDOG_PID") != NULL && number_of("WATCHDOG_PID") != (uint64_t)getpid())
		return 0;
	return number_of("WATCHDOG_USEC");
}

static void
put(struct systemd_entry *e, const char *s, size_t n)
{
	/* one octet stays for the end of the line */
	size_t room = sizeof e->octets - 1 - e->n;

	memcpy(e->octets + e->n, s, n < room ? n : room);
	e->n += n < room ? n : room;
}

void
systemd_field(struct systemd_entry *e, const char *name, const char *value)
{
	size_t at;

	if (sizeof e->octets - e->n <= strlen(name) + 2)
		return;		/* there is no room for its beginning */
	put(e, name, strlen(name));
	put(e, "=", 1);
	at = e->n;
	put(e, value, strlen(value));
	for (; at < e->n; at++)
		if (e->octets[at] == '\n')
			e->octets[at] = ' ';
	e->octets[e->n++] = '\n';
}

void
systemd_number(struct systemd_entry *e, const char *name, int value)
{
	char text[16];

	snprintf(text, sizeof text, "%d", value);
	systemd_field(e, name, text);
}

void
systemd_journal(const struct systemd_entry *e)
{
	systemd_send(JOURNAL, e->octets, e->n);
}
