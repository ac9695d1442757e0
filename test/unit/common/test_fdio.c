/* fdio: all of it, or errno. */
#include "common/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "test/unit/unit.h"

START_TEST(all_of_it)
{
	char got[8];
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	ck_assert(fdio_write_all(fd[1], span_str("octets")));
	ck_assert(fdio_write_all(fd[1], span_str("")));
	ck_assert_int_eq(read(fd[0], got, sizeof got), 6);
	ck_assert_mem_eq(got, "octets", 6);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

START_TEST(errno_tells_why)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert(!fdio_write_all(fd, span_str("octets")));
	ck_assert_int_eq(errno, ENOSPC);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("fdio");
	TCase *t = tcase_create("fdio");

	tcase_add_test(t, all_of_it);
	tcase_add_test(t, errno_tells_why);
	suite_add_tcase(s, t);
	return unit_run(s);
}
