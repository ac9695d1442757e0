/* link_serial_tty: the device itself. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "common/link_serial_int.h"

#define PTY_MAJOR_FIRST 136	/* Unix98 pty slaves, as in the kernel's devices.txt */
#define PTY_MAJOR_LAST 143

static const struct {
	unsigned baud;
	speed_t speed;
} speeds[] = {
	{ 1200, B1200 }, { 2400, B2400 }, { 4800, B4800 }, { 9600, B9600 }, { 19200, B19200 }, { 38400, B38400 }, { 57600, B57600 },
	{ 115200, B115200 }, { 230400, B230400 }, { 460800, B460800 }, { 500000, B500000 }, { 576000, B576000 }, { 921600, B921600 },
	{ 1000000, B1000000 }, { 1152000, B1152000 }, { 1500000, B1500000 }, { 2000000, B2000000 }, { 2500000, B2500000 },
	{ 3000000, B3000000 }, { 3500000, B3500000 }, { 4000000, B4000000 }
};

static bool
speed_of(uint64_t baud, speed_t *out)
{
	if (baud == 0)
		baud = LINK_SERIAL_BAUD;
	for (size_t i = 0; i < sizeof speeds / sizeof *speeds; i++) {
		if (speeds[i].baud == baud) {
			*out = speeds[i].speed;
			return true;
		}
	}
	return false;
}

bool
link_serial_baud_ok(uint64_t baud)
{
	speed_t s;

	return speed_of(baud, &s);
}

static bool
set_up(int fd, const struct link_serial_options *opt)
{
	struct termios t;
	speed_t speed;

	if (!speed_of(opt->baud, &speed)) {
		errno = EINVAL;
		return false;
	}
	if (tcgetattr(fd, &t) != 0)
		return false;
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL | CREAD;
	t.c_cflag &= (tcflag_t)~CRTSCTS;
	t.c_iflag &= (tcflag_t)~(IXON | IXOFF | IXANY);
	if (opt->flow == LINK_FLOW_RTSCTS)
		t.c_cflag |= CRTSCTS;
	if (opt->flow == LINK_FLOW_XONXOFF)
		t.c_iflag |= IXON | IXOFF;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	return cfsetspeed(&t, speed) == 0 && tcsetattr(fd, TCSANOW, &t) == 0 && tcflush(fd, TCIFLUSH) == 0;
}

/*
 * For us alone: flock() is what terminal programs look at, TIOCEXCL keeps others out, such as modem managers that try every new device.
 * Not on a pty: there it would outlive us, as long as the one who made the pty has it open.
 */
static bool
claim(int fd)
{
	struct stat st;

	if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &st) != 0)
		return false;
	if (major(st.st_rdev) >= PTY_MAJOR_FIRST && major(st.st_rdev) <= PTY_MAJOR_LAST)
		return true;
	return ioctl(fd, TIOCEXCL) == 0;
}

int
link_serial_tty_open(const char *path, const struct link_serial_options *opt, char *detail, size_t cap)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	const char *why;

	if (fd >= 0 && isatty(fd) && claim(fd) && set_up(fd, opt))
		return fd;
	why = errno == ENOTTY ? "it is no serial device" : errno == EWOULDBLOCK ? "another program has it" : strerror(errno);
	snprintf(detail, cap, "%s: %s", path, why);
	if (fd >= 0)
		close(fd);
	return -1;
}

size_t
link_serial_tty_unsent(int fd)
{
	int n = 0;

	return ioctl(fd, TIOCOUTQ, &n) == 0 && n > 0 ? (size_t)n : 0;
}

/*
 * What has not left by now is dropped: close() would wait for it. Not asked for where nothing waits: on a pty that would take what the
 * kernel has not handed to the other end yet, and TIOCOUTQ does not count it.
 */
void
link_serial_tty_close(int fd)
{
	if (link_serial_tty_unsent(fd) > 0)
		tcflush(fd, TCOFLUSH);
	(void)ioctl(fd, TIOCNXCL);
	close(fd);
}
