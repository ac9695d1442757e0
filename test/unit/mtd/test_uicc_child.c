/* C1: the software card is a process of its own: its life, and where K is. */
#include "mtd/uicc_child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/rnd.h"
#include "mtd/apdu.h"
#include "mtd/card.h"
#include "mtd/card_child.h"
#include "mtd/uicc.h"
#include "test/unit/unit.h"

#define IMAGE "iccid = \"89441000309999999999\"\nimsi = \"234150999999999\"\nk = \"465b5ce8b199b49faa5f0a2ee238a6bc\"\n" \
	      "opc = \"cd63cb71954a9f4e48a5994e37a02baf\"\n"

static struct loop *loop;
static struct clock *clk;
static struct mt_uicc *u;
static char dir[64], image[96], state[112];
static struct {
	int told;
	enum rc rc;
	int begun, ended, answered;
	enum reason why;
	uint16_t sw;
	uint8_t data[256];
	size_t n;
} got;

static void
quiet(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

static void
write_image(const char *text)
{
	int fd = open(image, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void
setup(void)
{
	log_capture(quiet, NULL);
	memset(&got, 0, sizeof got);
	strcpy(dir, "/tmp/kslocal-test-child-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(image, sizeof image, "%s/card", dir);
	snprintf(state, sizeof state, "%s.state", image);
	write_image(IMAGE);
	ck_ok(loop_new(&loop));
	ck_ok(clock_new(loop, CLOCK_REAL, &clk));
	ck_ok(mt_uicc_child_new(loop, clk, NULL, &u));
}

static void
teardown(void)
{
	mt_uicc_free(u);
	clock_free(clk);
	loop_free(loop);
	unlink(image);
	unlink(state);
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_msg(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a process was left");
}

/* Turn until it is so; 10 s. */
#define until(what) do { \
	for (int ck_i = 0; !(what); ck_i++) { \
		ck_assert_msg(ck_i < 10000, "never: " #what); \
		loop_turn(loop, NULL, NULL); \
		usleep(1000); \
	} \
} while (0)

static void
on_told(void *arg, enum rc rc)
{
	(void)arg;
	got.told++;
	got.rc = rc;
}

static void
on_begun(struct mt_uicc_session *s, void *arg)
{
	(void)s;
	(void)arg;
	got.begun++;
}

static void
on_ended(struct mt_uicc_session *s, enum reason why, void *arg)
{
	(void)s;
	(void)arg;
	got.ended++;
	got.why = why;
}

static void
on_answer(void *arg, struct span data, uint16_t sw)
{
	(void)arg;
	got.answered++;
	got.sw = sw;
	got.n = data.n;
	memcpy(got.data, data.p, data.n);
}

static struct mt_uicc_session *
begin(void)
{
	static const struct mt_uicc_cb cb = { on_begun, on_ended };
	struct mt_uicc_session *s = NULL;
	int before = got.begun;

	ck_ok(mt_uicc_begin(u, &cb, NULL, &s));
	until(got.begun > before);
	return s;
}

static void
say(struct mt_uicc_session *s, const struct mt_apdu *a)
{
	ck_ok(mt_uicc_transmit(s, span_of(a->b, a->n), on_answer, NULL));
}

static void
insert(void)
{
	ck_ok(mt_uicc_insert(u, image, NULL, NULL));
	ck_ok(mt_uicc_child_settle(u));
	ck_assert(mt_uicc_present(u) && mt_uicc_child_pid(u) > 0);
	ck_assert_str_eq(mt_uicc_name(u), image);
}

START_TEST(c1_answers_like_any_card)
{
	struct mt_uicc_session *s;
	struct mt_apdu a;

	ck_rc(mt_uicc_child_settle(u), RC_NOTFOUND);
	ck_ok(mt_uicc_insert(u, image, on_told, NULL));
	ck_rc(mt_uicc_insert(u, image, NULL, NULL), RC_EXISTS);
	ck_assert(!mt_uicc_present(u));
	until(got.told == 1);
	ck_rc(got.rc, RC_OK);
	ck_assert(mt_uicc_present(u));
	ck_rc(mt_uicc_insert(u, image, NULL, NULL), RC_EXISTS);
	s = begin();
	mt_apdu_select_fid(0x2fe2, &a);
	say(s, &a);
	until(got.answered == 1);
	ck_assert_uint_eq(got.sw, 0x9000);
	mt_apdu_read_binary(0, 10, &a);
	say(s, &a);
	until(got.answered == 2);
	ck_assert_uint_eq(got.n, 10);
	ck_assert_mem_eq(got.data, "\x98\x44\x01\x00\x03\x99\x99\x99\x99\x99", 10);
	mt_uicc_end(s);
}
END_TEST

START_TEST(c1_what_is_wrong_with_an_image_is_told)
{
	static const struct {
		const char *text;
		mode_t mode;
		enum rc rc;
	} bad[] = { { "iccid = \"x\"\n", 0600, RC_SYNTAX }, { IMAGE, 0644, RC_DENIED } };

	ck_rc(mt_uicc_insert(u, "", NULL, NULL), RC_RANGE);
	for (int i = 0; i < TABLE_N(bad); i++) {
		write_image(bad[i].text);
		ck_assert_int_eq(chmod(image, bad[i].mode), 0);
		ck_ok(mt_uicc_insert(u, image, on_told, NULL));
		until(got.told == i + 1);
		ck_rc(got.rc, bad[i].rc);
		ck_assert(!mt_uicc_present(u) && mt_uicc_child_pid(u) == 0 && mt_uicc_name(u)[0] == '\0');
		ck_ok(mt_uicc_insert(u, image, NULL, NULL));
		ck_rc(mt_uicc_child_settle(u), bad[i].rc);
	}
	unlink(image);
	ck_ok(mt_uicc_insert(u, image, NULL, NULL));
	ck_rc(mt_uicc_child_settle(u), RC_NOTFOUND);
}
END_TEST

/* Two would overwrite each other's counters in IMAGE.state. */
START_TEST(c4_one_at_a_time_has_an_image)
{
	struct mt_card *other;
	struct iccid iccid;

	ck_ok(mt_card_open(image, rnd_system(), &other, &iccid));	/* as ksctl card serve does */
	ck_ok(mt_uicc_insert(u, image, on_told, NULL));
	until(got.told == 1);
	ck_rc(got.rc, RC_LIMIT);
	ck_assert(!mt_uicc_present(u) && mt_uicc_child_pid(u) == 0);
	mt_card_free(other);
	ck_ok(mt_uicc_insert(u, image, on_told, NULL));
	until(got.told == 2);
	ck_ok(got.rc);
	other = NULL;
	ck_rc(mt_card_open(image, rnd_system(), &other, &iccid), RC_LIMIT);
	ck_assert_ptr_null(other);
	ck_ok(mt_uicc_eject(u));		/* its process is gone, and the lock with it */
	ck_ok(mt_card_open(image, rnd_system(), &other, &iccid));
	mt_card_free(other);
}
END_TEST

/* It comes in where its counters can be kept, and nowhere else: not at the first run is it found. */
START_TEST(c4_counters_that_cannot_be_kept_are_found_at_once)
{
	char aside[128];

	snprintf(aside, sizeof aside, "%s.new", state);
	ck_assert_int_eq(mkdir(aside, 0700), 0);		/* stands where they would be written */
	ck_ok(mt_uicc_insert(u, image, NULL, NULL));
	ck_rc(mt_uicc_child_settle(u), RC_IO);
	ck_assert(!mt_uicc_present(u));
	ck_assert_int_eq(rmdir(aside), 0);
	ck_ok(mt_uicc_insert(u, image, NULL, NULL));
	ck_ok(mt_uicc_child_settle(u));
	ck_assert_int_eq(access(state, F_OK), 0);
}
END_TEST

/* mtd was root when it read the image and will be nobody, who may not write beside it. */
START_TEST(c4_the_user_that_mtd_becomes_must_keep_them)
{
	struct mt_uicc *other;

	if (geteuid() != 0)
		return;
	ck_ok(mt_uicc_child_new(loop, clk, "nobody", &other));
	ck_ok(mt_uicc_insert(other, image, NULL, NULL));
	ck_rc(mt_uicc_child_settle(other), RC_IO);
	ck_assert_int_eq(chown(dir, 65534, 65534), 0);
	ck_ok(mt_uicc_insert(other, image, NULL, NULL));
	ck_ok(mt_uicc_child_settle(other));
	mt_uicc_free(other);
}
END_TEST

/* A journal of this process's own, which its standard error is said to be. -1: this process may have none. */
static int
journal(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket" };
	char stream[64];
	struct stat st;
	int fd;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", "/run", "tmpfs", 0, NULL) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert(mkdir("/run/systemd", 0755) == 0 && mkdir("/run/systemd/journal", 0755) == 0 &&
	    bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0 && fstat(STDERR_FILENO, &st) == 0);
	snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	return fd;
}

/* Confined, it opens no socket any more; what it has to say then reaches the journal all the same. */
START_TEST(c1_confined_it_speaks_to_the_journal)
{
	int fd = journal();
	char entry[4096], aside[128];
	bool heard = false;
	ssize_t n;

	if (fd < 0) {
		fputs("no journal of our own: this is for root\n", stderr);
		return;
	}
	snprintf(aside, sizeof aside, "%s.new", state);
	ck_assert_int_eq(mkdir(aside, 0700), 0);
	ck_ok(mt_uicc_insert(u, image, NULL, NULL));
	ck_rc(mt_uicc_child_settle(u), RC_IO);
	while ((n = recv(fd, entry, sizeof entry - 1, 0)) > 0) {
		entry[n] = '\0';
		heard = heard || strstr(entry, "cannot be written by") != NULL;
	}
	ck_assert(heard);
	close(fd);
	unsetenv("JOURNAL_STREAM");
	ck_assert_int_eq(rmdir(aside), 0);
}
END_TEST

START_TEST(c1_ejected_in_the_middle)
{
	struct mt_uicc_session *s;
	struct mt_apdu a;
	pid_t pid;

	insert();
	pid = mt_uicc_child_pid(u);
	s = begin();
	mt_apdu_select_fid(0x2fe2, &a);
	say(s, &a);
	ck_ok(mt_uicc_eject(u));
	ck_rc(mt_uicc_eject(u), RC_NOTFOUND);
	ck_assert(!mt_uicc_present(u) && kill(pid, 0) != 0);
	until(got.ended == 1);
	ck_assert_int_eq(got.why, REASON_CARD_NONE);
	ck_assert_int_eq(got.answered, 0);
	mt_uicc_end(s);
	insert();			/* and put back */
	ck_assert_uint_eq(mt_uicc_generation(u), 2);
	s = begin();
	say(s, &a);
	until(got.answered == 1);
	ck_assert_uint_eq(got.sw, 0x9000);
	mt_uicc_end(s);
}
END_TEST

START_TEST(c1_ejected_before_it_was_there)
{
	ck_ok(mt_uicc_insert(u, image, on_told, NULL));
	ck_ok(mt_uicc_eject(u));
	ck_assert_int_eq(got.told, 1);
	ck_rc(got.rc, RC_NOTFOUND);
	ck_assert(!mt_uicc_present(u));
	insert();
	ck_assert_str_eq(mt_uicc_kind(u), "software");
}
END_TEST

START_TEST(c1_its_process_dies)
{
	struct mt_uicc_session *s;
	struct mt_apdu a;

	insert();
	s = begin();
	kill(mt_uicc_child_pid(u), SIGSTOP);
	mt_apdu_select_fid(0x2fe2, &a);
	say(s, &a);
	kill(mt_uicc_child_pid(u), SIGKILL);
	until(got.ended == 1);
	ck_assert_int_eq(got.why, REASON_CARD_NONE);
	ck_assert(!mt_uicc_present(u) && mt_uicc_child_pid(u) == 0);
	mt_uicc_end(s);
	insert();
}
END_TEST

/* mtd is killed: nothing of it stays. A process in between plays mtd. */
START_TEST(c1_dies_with_its_parent)
{
	int p[2];
	pid_t mtd, card = 0;

	ck_assert_int_eq(pipe(p), 0);
	if ((mtd = fork()) == 0) {
		setsid();
		if (mt_uicc_insert(u, image, NULL, NULL) != RC_OK || mt_uicc_child_settle(u) != RC_OK)
			_exit(1);
		card = mt_uicc_child_pid(u);
		if (write(p[1], &card, sizeof card) != sizeof card)
			_exit(1);
		pause();
	}
	ck_assert_int_eq(read(p[0], &card, sizeof card), sizeof card);
	ck_assert_int_eq(kill(card, 0), 0);
	kill(card, SIGTERM);		/* is not for it */
	kill(card, SIGINT);
	usleep(20000);
	ck_assert_int_eq(kill(card, 0), 0);
	kill(mtd, SIGKILL);
	ck_assert_int_eq(waitpid(mtd, NULL, 0), mtd);
	for (int i = 0; kill(card, 0) == 0; i++) {
		char path[64], stat[512] = "";
		FILE *f;

		ck_assert_msg(i < 5000, "the card lives on");
		snprintf(path, sizeof path, "/proc/%ld/stat", (long)card);
		if ((f = fopen(path, "r")) != NULL) {
			if (fgets(stat, sizeof stat, f) != NULL && strstr(stat, ") Z") != NULL)
				i = 5000;	/* dead; who reaps it is not ours to say */
			fclose(f);
		}
		if (i == 5000)
			break;
		usleep(1000);
	}
	close(p[0]);
	close(p[1]);
}
END_TEST

/* --- where K is */

/* Octets given by their complement: the searcher must not hold what it looks for. */
static bool
holds(const uint8_t *p, size_t n, const uint8_t not_it[16])
{
	for (size_t i = 0; i + 16 <= n; i++) {
		size_t k = 0;

		while (k < 16 && (p[i + k] ^ not_it[k]) == 0xff)
			k++;
		if (k == 16)
			return true;
	}
	return false;
}

/* All of a process's memory that can be read. */
static bool
memory_holds(pid_t pid, const uint8_t not_it[16])
{
	static uint8_t buf[1 << 16];
	char path[64], line[512];
	bool found = false;
	size_t seen = 0;
	FILE *maps;
	int mem;

	snprintf(path, sizeof path, "/proc/%ld/maps", (long)pid);
	ck_assert_ptr_nonnull(maps = fopen(path, "r"));
	snprintf(path, sizeof path, "/proc/%ld/mem", (long)pid);
	ck_assert_msg((mem = open(path, O_RDONLY)) >= 0, "%s cannot be read", path);
	while (!found && fgets(line, sizeof line, maps) != NULL) {
		unsigned long from, to;
		char r;

		if (sscanf(line, "%lx-%lx %c", &from, &to, &r) != 3 || r != 'r' || strstr(line, "[v") != NULL || to - from > 1ul << 30)
			continue;		/* a sanitizer's shadow is larger than any disk */
		for (unsigned long at = from; at < to && !found; at += sizeof buf - 16) {
			ssize_t k = pread(mem, buf, to - at < sizeof buf ? to - at : sizeof buf, (off_t)at);

			found = k > 0 && holds(buf, (size_t)k, not_it);
			seen += k > 0 ? (size_t)k : 0;
		}
	}
	explicit_bzero(buf, sizeof buf);
	close(mem);
	fclose(maps);
	ck_assert(found || seen > 1 << 20);
	return found;
}

START_TEST(c1_k_is_in_the_cards_memory_and_not_in_ours)
{
	/* of TS 35.208 set 1, complemented */
	static const uint8_t not_it[2][16] = {
		{ 0xb9, 0xa4, 0xa3, 0x17, 0x4e, 0x66, 0x4b, 0x60, 0x55, 0xa0, 0xf5, 0xd1, 0x1d, 0xc7, 0x59, 0x43 },	/* K */
		{ 0x32, 0x9c, 0x34, 0x8e, 0x6a, 0xb5, 0x60, 0xb1, 0xb7, 0x5a, 0x66, 0xb1, 0xc8, 0x5f, 0xd4, 0x50 },	/* OPc */
	};
	struct mt_uicc_session *s;
	struct mt_apdu a;

	if (geteuid() != 0) {
		fputs("not root: no process's memory may be read\n", stderr);
		return;
	}
	insert();
	s = begin();
	mt_apdu_select_fid(0x2fe2, &a);
	say(s, &a);
	until(got.answered == 1);
	for (int i = 0; i < 2; i++) {
		ck_assert(memory_holds(mt_uicc_child_pid(u), not_it[i]));	/* so the search can find */
		ck_assert(!memory_holds(getpid(), not_it[i]));
	}
	mt_uicc_end(s);
}
END_TEST

int
main(int argc, char **argv)
{
	Suite *s;
	TCase *t;

	if (mt_card_child_is(argc, argv))
		mt_card_child_main(argc, argv);
	s = suite_create("uicc_child");
	t = tcase_create("C1");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, c1_answers_like_any_card);
	tcase_add_test(t, c1_what_is_wrong_with_an_image_is_told);
	tcase_add_test(t, c4_one_at_a_time_has_an_image);
	tcase_add_test(t, c4_counters_that_cannot_be_kept_are_found_at_once);
	tcase_add_test(t, c4_the_user_that_mtd_becomes_must_keep_them);
	tcase_add_test(t, c1_confined_it_speaks_to_the_journal);
	tcase_add_test(t, c1_ejected_in_the_middle);
	tcase_add_test(t, c1_ejected_before_it_was_there);
	tcase_add_test(t, c1_its_process_dies);
	tcase_add_test(t, c1_dies_with_its_parent);
	tcase_add_test(t, c1_k_is_in_the_cards_memory_and_not_in_ours);
	suite_add_tcase(s, t);
	return unit_run(s);
}
