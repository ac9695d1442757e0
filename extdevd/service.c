#include "extdevd/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/link_join.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/tunnel.h"
#include "extdevd/policy.h"
#include "extdevd/use.h"

#define WAIT_MS 30000		/* for a tunnel: an establishment may have to come first */
#define USERS_MAX 256		/* connections at once, of one service */

struct service {
	struct extdev_mt *m;
	const struct extdev_service_conf *conf;
	struct link_listener *ll;
	TAILQ_HEAD(, user) users;
};
struct extdev_services {
	struct service *all;
	size_t n;
};

enum user_state { USER_WAITS, USER_ASKS, USER_IN };
struct user {
	TAILQ_ENTRY(user) all;
	struct service *s;
	enum user_state state;
	struct link *near;		/* until it is in: its connection */
	struct link *far;		/* ASKS: the stream */
	struct link_join *join;		/* IN */
	struct clock_timer *late;
};

static void
user_free(struct user *u)
{
	TAILQ_REMOVE(&u->s->users, u, all);
	clock_timer_free(u->late);
	link_reset(u->near);
	link_reset(u->far);
	link_join_cut(u->join);
	free(u);
}

/* It does not get in. */
static void
turn_away(struct user *u, enum reason why, const char *detail)
{
	const struct service *s = u->s;

	log_reason(why, "service: mt=%s service=%s: a connection is reset: %s", s->m->conf->name, s->conf->name, detail);
	metric_add(s->m->e->count.unserved, 1);
	user_free(u);
}

/* --- in */

static void
on_end(struct link_join *j, enum reason why, const struct link_join_stats *st, void *arg)
{
	struct user *u = arg;
	const struct service *s = u->s;

	(void)j;
	u->join = NULL;
	if (why == REASON_NONE)
		log_info("service: mt=%s service=%s: %llu octets out, %llu in", s->m->conf->name, s->conf->name,
		    (unsigned long long)st->a_to_b, (unsigned long long)st->b_to_a);
	else
		log_reason(why, "service: mt=%s service=%s: cut after %llu octets out, %llu in", s->m->conf->name, s->conf->name,
		    (unsigned long long)st->a_to_b, (unsigned long long)st->b_to_a);
	user_free(u);
}

static void
on_stream_up(struct link *l, void *arg)
{
	struct user *u = arg;

	(void)l;
	clock_timer_stop(u->late);
	if (link_join_new(u->near, u->far, 0, on_end, u, &u->join) != RC_OK) {
		turn_away(u, REASON_INTERNAL, "out of memory");
		return;
	}
	u->near = u->far = NULL;
	u->state = USER_IN;
	metric_add(u->s->m->e->count.streams, 1);
}

static void
on_stream_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct user *u = arg;

	(void)l;
	link_free(u->far);
	u->far = NULL;
	if (why == REASON_TUNNEL_CLOSED) {	/* another tunnel may take it */
		u->state = USER_WAITS;
		extdev_use_look(u->s->m);
	} else {
		turn_away(u, why, detail);
	}
}

/* False: there is no tunnel that takes it now. */
static bool
try_in(struct user *u)
{
	static const struct link_cb cb = { .on_up = on_stream_up, .on_closed = on_stream_closed };
	struct tunnel *t = extdev_use_tunnel(u->s->m);
	enum rc rc = t != NULL ? tunnel_open(t, u->s->conf->name, &cb, u, &u->far) : RC_STATE;

	if (rc == RC_STATE)
		return false;
	if (rc == RC_OK)
		u->state = USER_ASKS;
	else
		turn_away(u, rc == RC_LIMIT ? REASON_TUNNEL_LIMIT : REASON_INTERNAL, rc_str(rc));
	return true;
}

/* --- at the door */

static void
on_late(void *arg)
{
	const struct user *u = arg;

	if (u->state == USER_ASKS)	/* nobody answered its stream */
		extdev_use_probe(u->s->m);
	turn_away(arg, REASON_EXT_NO_TUNNEL, "");
}

static void
on_user_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct user *u = arg;

	(void)l;
	log_debug("service: mt=%s service=%s: its user left before it was in: %s %s", u->s->m->conf->name, u->s->conf->name,
	    reason_get(why)->code, detail);
	user_free(u);
}

static void
on_accept(struct link *l, void *arg)
{
	/* what it sends, and the end of it, waits for link_join, within the link's limit */
	static const struct link_cb cb = { .on_closed = on_user_closed };
	struct service *s = arg;
	struct user *u = calloc(1, sizeof *u);

	if (u == NULL || clock_timer_new(s->m->e->s.clock, on_late, u, &u->late) != RC_OK) {
		log_error("service: service=%s: out of memory", s->conf->name);
		free(u);
		link_reset(l);
		return;
	}
	u->s = s;
	u->near = l;
	TAILQ_INSERT_TAIL(&s->users, u, all);
	link_set_cb(l, &cb, u);
	clock_timer_set(u->late, WAIT_MS);
	if (!try_in(u))
		extdev_use_hurry(s->m);
}

bool
extdev_services_waiting(const struct extdev_mt *m)
{
	const struct user *u;

	for (size_t i = 0; m->services != NULL && i < m->services->n; i++)
		TAILQ_FOREACH(u, &m->services->all[i].users, all)
			if (u->state == USER_WAITS)
				return true;
	return false;
}

void
extdev_services_on_tunnel(struct extdev_mt *m)
{
	for (size_t i = 0; m->services != NULL && i < m->services->n; i++) {
		struct user *u, *next;

		for (u = TAILQ_FIRST(&m->services->all[i].users); u != NULL; u = next) {
			next = TAILQ_NEXT(u, all);
			if (u->state == USER_WAITS)
				(void)try_in(u);
		}
	}
}

void
extdev_services_on_no_tunnel(struct extdev_mt *m, enum reason why)
{
	for (size_t i = 0; m->services != NULL && i < m->services->n; i++) {
		struct user *u, *next;

		for (u = TAILQ_FIRST(&m->services->all[i].users); u != NULL; u = next) {
			next = TAILQ_NEXT(u, all);
			if (u->state == USER_WAITS)
				turn_away(u, why, "no tunnel can be made");
		}
	}
}

/* --- life */

static enum rc
open_one(struct service *s)
{
	struct link_options opt = { .half_open = true, .opaque = true, .max_links = USERS_MAX };
	char address[256];
	enum rc rc;

	(void)snprintf(address, sizeof address, "%s%s", strncmp(s->conf->listen, "unix:", 5) == 0 ? "" : "tcp:", s->conf->listen);
	if (!s->conf->insecure && !extdev_is_loopback(address)) {
		log_reason(REASON_EXT_SERVICE_PLAIN, "service: mt=%s service=%s listen=%s", s->m->conf->name, s->conf->name, s->conf->listen);
		return RC_DENIED;
	}
	if ((rc = link_listen(s->m->e->s.net, address, &opt, on_accept, s, &s->ll)) != RC_OK)
		log_error("service: mt=%s service=%s: it cannot listen on %s: %s", s->m->conf->name, s->conf->name, s->conf->listen, rc_str(rc));
	return rc;
}

enum rc
extdev_services_open(struct extdev_mt *m)
{
	struct extdev_services *ss = calloc(1, sizeof *ss);
	enum rc rc;

	if (ss == NULL)
		return RC_NOMEM;
	m->services = ss;
	if ((ss->all = calloc(m->conf->n_services + 1, sizeof *ss->all)) == NULL)
		return RC_NOMEM;
	for (size_t i = 0; i < m->conf->n_services; i++) {
		struct service *s = &ss->all[i];

		s->m = m;
		s->conf = &m->conf->services[i];
		TAILQ_INIT(&s->users);
		ss->n = i + 1;
		if ((rc = open_one(s)) != RC_OK)
			return rc;
	}
	return RC_OK;
}

void
extdev_services_stop(struct extdev_mt *m)
{
	for (size_t i = 0; m->services != NULL && i < m->services->n; i++) {
		struct service *s = &m->services->all[i];

		link_listener_free(s->ll);
		s->ll = NULL;
	}
	extdev_services_on_no_tunnel(m, REASON_STOPPING);
}

void
extdev_services_free(struct extdev_mt *m)
{
	struct user *u;

	if (m->services == NULL)
		return;
	for (size_t i = 0; i < m->services->n; i++) {
		struct service *s = &m->services->all[i];

		link_listener_free(s->ll);
		while ((u = TAILQ_FIRST(&s->users)) != NULL)
			user_free(u);
	}
	free(m->services->all);
	free(m->services);
	m->services = NULL;
}

json_t *
extdev_services_where(const struct extdev *e)
{
	json_t *o = json_object();
	char key[256];

	for (size_t i = 0; i < e->conf.n_mts; i++) {
		const struct extdev_services *ss = e->mts[i].services;

		for (size_t k = 0; ss != NULL && k < ss->n; k++) {
			const struct service *s = &ss->all[k];
			const char *at = s->ll != NULL ? link_listener_address(s->ll) : "";
			bool again = json_object_get(o, s->conf->name) != NULL;

			(void)snprintf(key, sizeof key, "%s%s%s", again ? s->m->conf->name : "", again ? "/" : "", s->conf->name);
			(void)json_object_set_new(o, key, json_string(strchr(at, ':') != NULL ? strchr(at, ':') + 1 : at));
		}
	}
	return o;
}

void
extdev_services_health(const struct extdev *e, json_t *problems)
{
	for (size_t i = 0; i < e->conf.n_mts; i++) {
		const struct extdev_services *ss = e->mts[i].services;

		for (size_t k = 0; ss != NULL && k < ss->n; k++)
			if (ss->all[k].ll != NULL && !extdev_is_loopback(link_listener_address(ss->all[k].ll)))
				(void)json_array_append_new(problems, json_sprintf("service '%s' listens beyond loopback (insecure = yes): %s",
				    ss->all[k].conf->name, ss->all[k].conf->listen));
	}
}
