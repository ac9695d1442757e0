/* media: one test over each kind of network: in memory on the virtual clock, TCP, UNIX socket. A test case loops over them. */
#ifndef TEST_UNIT_COMMON_MEDIA_H
#define TEST_UNIT_COMMON_MEDIA_H

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/loop.h"
#include "test/unit/unit.h"

enum medium { MEM, TCP, UNIX, MEDIA };
static enum medium medium;
static struct loop *loop;
static struct clock *clk;
static struct link_net *net;
static struct link_listener *ll;
static char media_dir[] = "/tmp/kslocal-link-XXXXXX", unix_address[128];

static inline int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static inline void
turn(void)
{
	if (medium == MEM) {
		do
			clock_advance(clk, 0);
		while (link_mem_run(net) > 0);
	} else {
		loop_turn(loop, NULL, NULL);
	}
}

/* Turns until the condition holds; fails after 5 s of real time. */
#define until(cond) do { \
	int64_t until_end = now_ms() + 10000; \
	while (!(cond)) { \
		turn(); \
		ck_assert_msg(now_ms() < until_end, "%s did not happen", #cond); \
	} \
} while (0)

/* Nothing more happens. */
static inline void
quiet(void)
{
	for (int i = 0; i < 20; i++) {
		turn();
		if (medium != MEM)
			usleep(500);
	}
}

static inline void
media_setup(int i)
{
	medium = (enum medium)i;
	memcpy(media_dir + sizeof media_dir - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(media_dir));
	snprintf(unix_address, sizeof unix_address, "unix:%s/s", media_dir);
	if (medium == MEM) {
		ck_ok(clock_new_virtual((int64_t)time(NULL) * 1000, &clk));
		ck_ok(link_mem_new(clk, &net));
	} else {
		ck_ok(loop_new(&loop));
		ck_ok(clock_new(loop, CLOCK_CONTROLLED, &clk));
		ck_ok(link_net_new(loop, clk, &net));
	}
}

static inline void
media_teardown(void)
{
	link_listener_free(ll);
	ll = NULL;
	if (medium == MEM)
		link_mem_free(net);
	else
		link_net_free(net);
	clock_free(clk);
	loop_free(loop);
	loop = NULL;
	rmdir(media_dir);
}

static inline const char *
address(void)
{
	return medium == TCP ? "tcp:127.0.0.1:0" : unix_address;
}

#endif
