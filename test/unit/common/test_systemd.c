/* systemd: the two datagrams. That the daemons send them at the right time is test_daemon.c's. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/systemd.h"
#include "test/unit/unit.h"

static char path[108];
static int fd;

static void
listen_at(const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	snprintf(path, sizeof path, "%s%d", name, (int)getpid());
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
	if (sa.sun_path[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))), 0);
}

static void
finish(void)
{
	close(fd);
	if (path[0] == '/')
		unlink(path);
}

static const char *
heard(void)
{
	static char text[16384];
	ssize_t n = recv(fd, text, sizeof text - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

START_TEST(the_manager_hears_at_its_socket)
{
	unsetenv("NOTIFY_SOCKET");
	systemd_notify("READY=1");
	listen_at(_i == 0 ? "/tmp/kslocal-systemd-" : "@kslocal-systemd-");
	setenv("NOTIFY_SOCKET", path, 1);
	systemd_notify("READY=1\nSTATUS=x");
	ck_assert_str_eq(heard(), "READY=1\nSTATUS=x");
	ck_assert_str_eq(heard(), "");
	finish();
	/* nobody there, a name of another kind, one that is too long */
	systemd_notify("READY=1");
	setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
	systemd_notify("READY=1");
	setenv("NOTIFY_SOCKET", "/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
	    "0123456789", 1);
	systemd_notify("READY=1");
	unsetenv("NOTIFY_SOCKET");
}
END_TEST

static const struct {
	const char *pid, *us;
	uint64_t want;
} watchdogs[] = {
	{ NULL, NULL, 0 }, { NULL, "200000", 200000 }, { "me", "200000", 200000 }, { "1", "200000", 0 }, { "", "200000", 0 },
	{ "me", NULL, 0 }, { NULL, "", 0 }, { NULL, "2s", 0 }, { NULL, "-1", 0 }, { NULL, "99999999999999999999", 0 },
};

START_TEST(the_watchdog_is_this_process_own)
{
	char me[16];

	snprintf(me, sizeof me, "%d", (int)getpid());
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	if (watchdogs[_i].pid != NULL)
		setenv("WATCHDOG_PID", strcmp(watchdogs[_i].pid, "me") == 0 ? me : watchdogs[_i].pid, 1);
	if (watchdogs[_i].us != NULL)
		setenv("WATCHDOG_USEC", watchdogs[_i].us, 1);
	ck_assert_uint_eq(systemd_watchdog_us(), watchdogs[_i].want);
}
END_TEST

START_TEST(an_entry_is_a_line_for_each_field)
{
	struct systemd_entry e;

	listen_at("@kslocal-journal-");
	e.n = 0;
	systemd_field(&e, "MESSAGE", "a\nb=c");
	systemd_number(&e, "PRIORITY", 6);
	systemd_field(&e, "EMPTY", "");
	systemd_send(path, e.octets, e.n);
	ck_assert_str_eq(heard(), "MESSAGE=a b=c\nPRIORITY=6\nEMPTY=\n");
	finish();
}
END_TEST

START_TEST(an_entry_that_is_full_is_cut_at_its_end)
{
	static char text[sizeof ((struct systemd_entry *)0)->octets];
	struct systemd_entry e;
	size_t room = sizeof e.octets - strlen("A=\n");

	/* exactly full, one too many, and with room for a name but no value, for a name's beginning, for nothing */
	for (size_t n = room - 12; n <= room + 1; n++) {
		memset(text, 'x', n);
		text[n] = '\0';
		e.n = 0;
		systemd_field(&e, "A", text);
		systemd_field(&e, "NAME", "value");
		systemd_field(&e, "B", "");
		ck_assert_uint_le(e.n, sizeof e.octets);
		ck_assert_int_eq(e.octets[e.n - 1], '\n');
		ck_assert(memcmp(e.octets, "A=xx", 4) == 0);
		for (size_t at = 0; at < e.n; at++) {		/* each line has a name and its sign */
			size_t end = at;

			while (e.octets[end] != '\n')
				end++;
			ck_assert_ptr_nonnull(memchr(e.octets + at, '=', end - at));
			at = end;
		}
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("systemd");
	TCase *t = tcase_create("datagrams");

	tcase_add_loop_test(t, the_manager_hears_at_its_socket, 0, 2);
	tcase_add_loop_test(t, the_watchdog_is_this_process_own, 0, TABLE_N(watchdogs));
	tcase_add_test(t, an_entry_is_a_line_for_each_field);
	tcase_add_test(t, an_entry_that_is_full_is_cut_at_its_end);
	suite_add_tcase(s, t);
	return unit_run(s);
}
