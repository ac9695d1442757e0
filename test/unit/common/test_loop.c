/* loop and post: turns, signals, and work handed in by other threads. */
#include "common/loop.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/post.h"
#include "test/unit/unit.h"

static struct loop *loop;
static struct post *q;
static int turns, signals;

static void
end_turn(void *arg)
{
	(void)arg;
	turns++;
}

static void
setup(void)
{
	turns = signals = 0;
	ck_ok(loop_new(&loop));
}

static void
teardown(void)
{
	post_free(q);
	q = NULL;
	loop_free(loop);
}

static void
on_signal(int signo, void *arg)
{
	ck_assert_int_eq(signo, SIGUSR1);
	ck_assert_ptr_eq(arg, &signals);
	if (++signals == 2)
		loop_stop(loop);
}

START_TEST(signals_come_on_the_loop)
{
	ck_ok(loop_on_signal(loop, SIGUSR1, on_signal, &signals));
	raise(SIGUSR1);
	ck_assert_int_eq(signals, 0);
	ck_assert(loop_turn(loop, end_turn, NULL));
	ck_assert_int_eq(signals, 1);
	ck_assert_int_eq(turns, 1);
	raise(SIGUSR1);
	ck_ok(loop_run(loop, end_turn, NULL));
	ck_assert_int_eq(signals, 2);
	ck_assert_int_eq(turns, 2);		/* the turn that stopped it ended like any */
}
END_TEST

static struct loop_watch *watch;
static int reads;

static void
on_read(void *arg)
{
	char c;

	if (read(*(int *)arg, &c, 1) == 1) {
		reads++;
		return;
	}
	loop_unwatch(watch);
	watch = NULL;
}

START_TEST(a_watched_fd_is_told_until_its_end)
{
	int fd[2];

	reads = 0;
	ck_assert_int_eq(pipe(fd), 0);
	ck_ok(loop_watch(loop, fd[0], on_read, &fd[0], &watch));
	loop_turn(loop, end_turn, NULL);
	ck_assert_int_eq(reads, 0);
	ck_assert_int_eq(write(fd[1], "xy", 2), 2);
	loop_turn(loop, end_turn, NULL);
	loop_turn(loop, end_turn, NULL);
	ck_assert_int_eq(reads, 2);
	close(fd[1]);
	loop_turn(loop, end_turn, NULL);
	ck_assert_ptr_null(watch);		/* at its end, unwatched from inside */
	ck_assert(!loop_turn(loop, end_turn, NULL));
	loop_unwatch(NULL);
	close(fd[0]);
}
END_TEST

static int agains;

static void
on_again(void *arg)
{
	(void)arg;
	agains++;
	if (agains == 1)
		loop_again(watch);
}

START_TEST(again_is_once_in_the_next_turn)
{
	int fd[2];

	agains = 0;
	ck_assert_int_eq(pipe(fd), 0);
	ck_ok(loop_watch(loop, fd[0], on_again, NULL, &watch));
	loop_again(watch);
	loop_again(watch);
	loop_turn(loop, end_turn, NULL);
	ck_assert_int_eq(agains, 1);		/* what it asked for itself is the next turn's */
	loop_turn(loop, end_turn, NULL);
	loop_turn(loop, end_turn, NULL);
	ck_assert_int_eq(agains, 2);
	loop_again(watch);
	loop_unwatch(watch);
	loop_turn(loop, end_turn, NULL);
	ck_assert_int_eq(agains, 2);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

START_TEST(sigpipe_is_an_error_of_the_write)
{
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	close(fd[0]);
	ck_assert_int_eq(write(fd[1], "x", 1), -1);
	close(fd[1]);
}
END_TEST

START_TEST(nothing_registered)
{
	ck_assert(!loop_turn(loop, end_turn, NULL));
	ck_ok(loop_run(loop, end_turn, NULL));
	ck_assert_int_eq(turns, 2);
	loop_free(NULL);
	post_free(NULL);
}
END_TEST

static int order[2048], n_order, most_in_a_turn, in_this_turn;

static void
job(void *arg)
{
	order[n_order++] = (int)(intptr_t)arg;
	in_this_turn++;
}

static void
count_turn(void *arg)
{
	(void)arg;
	turns++;
	if (in_this_turn > most_in_a_turn)
		most_in_a_turn = in_this_turn;
	in_this_turn = 0;
}

START_TEST(post_is_bounded_and_in_order)
{
	ck_ok(post_new(loop, 600, &q));
	for (int i = 0; i < 600; i++)
		ck_ok(post(q, job, (void *)(intptr_t)i));
	ck_rc(post(q, job, NULL), RC_LIMIT);
	ck_assert_uint_eq(post_waiting(q), 600);
	ck_assert_int_eq(n_order, 0);		/* never inside post() */
	for (int i = 0; i < 3; i++)
		(void)loop_turn(loop, count_turn, NULL);
	ck_assert_int_eq(n_order, 600);
	ck_assert_int_eq(most_in_a_turn, 256);	/* ARCHITECTURE 6 */
	for (int i = 0; i < 600; i++)
		ck_assert_int_eq(order[i], i);
	ck_assert_uint_eq(post_waiting(q), 0);
	ck_ok(post(q, job, NULL));		/* and the loop is woken again */
	(void)loop_turn(loop, count_turn, NULL);
	ck_assert_int_eq(n_order, 601);
}
END_TEST

static void
post_more(void *arg)
{
	n_order++;
	if (n_order < 5)
		ck_ok(post(q, post_more, arg));
}

START_TEST(what_a_job_posts_is_the_next_turns)
{
	ck_ok(post_new(loop, 4, &q));
	ck_ok(post(q, post_more, NULL));
	for (int i = 1; i <= 5; i++) {
		(void)loop_turn(loop, count_turn, NULL);
		ck_assert_int_eq(n_order, i);
	}
	(void)loop_turn(loop, count_turn, NULL);
	ck_assert_int_eq(n_order, 5);
}
END_TEST

enum { THREADS = 4, EACH = 5000 };
static atomic_int refused;
static int got, next_of[THREADS];

static void
thread_job(void *arg)
{
	int v = (int)(intptr_t)arg;

	/* Of one thread, in the order in which it posted. */
	ck_assert_int_eq(v % EACH, next_of[v / EACH]);
	next_of[v / EACH]++;
	if (++got == THREADS * EACH)
		loop_stop(loop);
}

static void *
thread_main(void *arg)
{
	for (int i = 0; i < EACH; i++)
		while (post(q, thread_job, (void *)((intptr_t)arg * EACH + i)) != RC_OK) {
			atomic_fetch_add(&refused, 1);
			usleep(50);
		}
	return NULL;
}

START_TEST(threads_lose_no_wake_up)
{
	pthread_t t[THREADS];

	ck_ok(post_new(loop, 64, &q));
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, thread_main, (void *)(intptr_t)i), 0);
	ck_ok(loop_run(loop, end_turn, NULL));
	ck_assert_int_eq(got, THREADS * EACH);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("loop");
	TCase *t = tcase_create("loop");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, signals_come_on_the_loop);
	tcase_add_test(t, a_watched_fd_is_told_until_its_end);
	tcase_add_test(t, again_is_once_in_the_next_turn);
	tcase_add_test(t, sigpipe_is_an_error_of_the_write);
	tcase_add_test(t, nothing_registered);
	tcase_add_test(t, post_is_bounded_and_in_order);
	tcase_add_test(t, what_a_job_posts_is_the_next_turns);
	tcase_add_test(t, threads_lose_no_wake_up);
	suite_add_tcase(s, t);
	return unit_run(s);
}
