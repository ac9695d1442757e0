/* sim_echo: what travels inside the tunnels: a service behind the MT that says everything back, and its users at the devices. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/link.h"
#include "common/log.h"
#include "test/sim/sim_int.h"

#define ECHO_MAX_MS 120000

/* --- the service */

struct echo {
	LIST_ENTRY(echo) all;
	struct link *link;
};

static void
echo_free(struct echo *e)
{
	LIST_REMOVE(e, all);
	link_free(e->link);
	free(e);
}

static void
on_data(struct link *l, void *arg)
{
	struct span in = link_input(l);

	(void)arg;
	if (link_write(l, in) == RC_OK)
		link_drain(l, in.n);
}

static void
on_eof(struct link *l, void *arg)
{
	(void)arg;
	if (link_shutdown(l) != RC_OK)
		log_error("sim: echo: no end could be sent");
}

static void
on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	(void)l, (void)why, (void)detail;
	echo_free(arg);
}

static void
on_accept(struct link *l, void *arg)
{
	static const struct link_cb cb = { .on_data = on_data, .on_eof = on_eof, .on_closed = on_closed };
	struct sim *s = arg;
	struct echo *e = calloc(1, sizeof *e);

	if (e == NULL)
		log_fatal("sim: out of memory");
	e->link = l;
	LIST_INSERT_HEAD(&s->echoes, e, all);
	link_set_cb(l, &cb, e);
}

void
sim_echo_start(struct sim *s)
{
	static const struct link_options opt = { .half_open = true };

	LIST_INIT(&s->echoes);
	LIST_INIT(&s->users);
	if (s->conf.tunnels)
		sim_must(link_listen(s->net, SIM_ECHO, &opt, on_accept, s, &s->echo), "echo");
}

/* --- a user */

struct user {
	LIST_ENTRY(user) all;
	struct link *link;
	char sent[200], got[200];
	bool ended, closed;
	enum reason why;
};

static void
user_free(struct user *u)
{
	LIST_REMOVE(u, all);
	link_free(u->link);
	free(u);
}

static void
user_on_up(struct link *l, void *arg)
{
	struct user *u = arg;

	if (link_write(l, span_str(u->sent)) != RC_OK)
		log_fatal("sim: echo: nothing could be written");
}

static void
user_on_data(struct link *l, void *arg)
{
	struct user *u = arg;
	struct span in = link_input(l);
	size_t have = strlen(u->got), n = in.n < sizeof u->got - 1 - have ? in.n : sizeof u->got - 1 - have;

	memcpy(u->got + have, in.p, n);
	u->got[have + n] = '\0';
	link_drain(l, in.n);
	if (strcmp(u->got, u->sent) == 0)
		u->ended = true;
}

static void
user_on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct user *u = arg;

	(void)l, (void)detail;
	u->closed = true;
	u->why = why;
	link_free(u->link);
	u->link = NULL;
}

static struct user *
user_new(struct sim *s, enum sim_host h, const char *text)
{
	static const struct link_cb cb = { .on_up = user_on_up, .on_data = user_on_data, .on_closed = user_on_closed };
	static const struct link_options opt = { .half_open = true };
	struct user *u = calloc(1, sizeof *u);

	if (u == NULL)
		log_fatal("sim: out of memory");
	(void)snprintf(u->sent, sizeof u->sent, "%s", text);
	LIST_INSERT_HEAD(&s->users, u, all);
	sim_must(link_connect(s->net, s->host[h].service, &opt, &cb, u, &u->link), "a service at a device");
	return u;
}

void
sim_stream(struct sim *s, enum sim_host h)
{
	(void)user_new(s, h, "a stream that stays as long as it can");
}

void
sim_streams_end(struct sim *s)
{
	while (!LIST_EMPTY(&s->users))
		user_free(LIST_FIRST(&s->users));
}

static bool
user_is_done(void *arg)
{
	const struct user *u = arg;

	return u->ended || u->closed;
}

enum reason
sim_echo(struct sim *s, enum sim_host h, const char *text)
{
	struct user *u = user_new(s, h, text);
	enum reason why = REASON_LOCAL_TIMEOUT;

	if (sim_run(s, user_is_done, u, ECHO_MAX_MS))
		why = u->ended ? REASON_NONE : u->why == REASON_NONE ? REASON_LOCAL_GONE : u->why;
	user_free(u);
	return why;
}

void
sim_echo_stop(struct sim *s)
{
	sim_streams_end(s);
	while (!LIST_EMPTY(&s->echoes))
		echo_free(LIST_FIRST(&s->echoes));
	link_listener_free(s->echo);
}
