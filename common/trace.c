#include "common/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/turn.h"

#define RING_DEFAULT 4096

struct trace {
	char daemon[32];
	struct clock *clock;
	struct turn *turn;
	int fd;				/* -1 = no file */
	json_t **ring;			/* event with number s stands at [s % cap] */
	size_t cap;
	uint64_t last;			/* number of the newest event, from 1 */
	void (*fn)(json_t *event, void *arg);
	void *arg;
};

/* An event on its way through the turn's outbox. */
struct pending {
	struct trace *trace;
	json_t *event;
};

enum rc
trace_new(const char *daemon, const char *file, size_t ring, struct clock *clock, struct turn *turn, struct trace **out)
{
	struct trace *t = calloc(1, sizeof *t);
	enum rc rc = RC_NOMEM;

	if (t == NULL)
		goto out;
	snprintf(t->daemon, sizeof t->daemon, "%s", daemon);
	t->clock = clock;
	t->turn = turn;
	t->fd = -1;
	t->cap = ring != 0 ? ring : RING_DEFAULT;
	if ((t->ring = calloc(t->cap, sizeof(json_t *))) == NULL)
		goto out;
	if (file != NULL && (t->fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) < 0) {
		log_error("trace: %s: %s", file, strerror(errno));
		rc = RC_IO;
		goto out;
	}
	*out = t;
	t = NULL;
	rc = RC_OK;
out:
	trace_free(t);
	return rc;
}

void
trace_free(struct trace *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; t->ring != NULL && i < t->cap; i++)
		json_decref(t->ring[i]);
	free(t->ring);
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}

static void
put_text(json_t *o, const char *key, const char *value)
{
	/* Text from a peer may be no UTF-8; such a member is left out. */
	if (value != NULL && value[0] != '\0')
		json_object_set_new(o, key, json_string(value));
}

static json_t *
event_json(const struct trace *t, const struct trace_event *e)
{
	int64_t ms = clock_now_ms(t->clock);
	char utc[UTC_TEXT_LEN + 1], when[UTC_TEXT_LEN + 8];
	json_t *o = json_object();

	if (o == NULL)
		return NULL;
	clock_print_utc(ms / 1000, utc);
	snprintf(when, sizeof when, "%.19s.%03dZ", utc, (int)(ms % 1000));
	json_object_set_new(o, "time", json_string(when));
	json_object_set_new(o, "daemon", json_string(t->daemon));
	put_text(o, "run", e->run);
	json_object_set_new(o, "scenario", json_integer(e->scenario));
	json_object_set_new(o, "step", json_integer(e->step));
	put_text(o, "from", e->from);
	put_text(o, "to", e->to);
	put_text(o, "msg", e->msg);
	put_text(o, "btid", e->btid);
	put_text(o, "naf_id", e->naf_id);
	put_text(o, "device_id", e->device_id);
	put_text(o, "session_id", e->session_id);
	put_text(o, "kcv", e->kcv);
	put_text(o, "result", e->result);
	if (e->dur_us > 0)
		json_object_set_new(o, "dur_us", json_integer(e->dur_us));
	return o;
}

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "-";
}

/* The journal gets fields to search by, standard error a line at debug. */
static void
to_log(const json_t *o)
{
	int scenario = (int)json_integer_value(json_object_get(o, "scenario"));
	int step = (int)json_integer_value(json_object_get(o, "step"));

	if (!log_to_journal()) {
		log_debug("trace: run=%s scenario=%d step=%d %s -> %s %s btid=%s kcv=%s result=%s", text(o, "run"), scenario, step,
		    text(o, "from"), text(o, "to"), text(o, "msg"), text(o, "btid"), text(o, "kcv"), text(o, "result"));
		return;
	}
	sd_journal_send("MESSAGE=step %d %s -> %s %s: %s", step, text(o, "from"), text(o, "to"), text(o, "msg"), text(o, "result"),
	    "PRIORITY=%d", LOG_INFO, "SYSLOG_IDENTIFIER=%s", text(o, "daemon"), "KSLOCAL_RUN=%s", text(o, "run"),
	    "KSLOCAL_SCENARIO=%d", scenario, "KSLOCAL_STEP=%d", step, "KSLOCAL_BTID=%s", text(o, "btid"),
	    "KSLOCAL_NAF_ID=%s", text(o, "naf_id"), "KSLOCAL_DEVICE_ID=%s", text(o, "device_id"),
	    "KSLOCAL_SESSION_ID=%s", text(o, "session_id"), "KSLOCAL_KCV=%s", text(o, "kcv"),
	    "KSLOCAL_RESULT=%s", text(o, "result"), NULL);
}

static void
to_file(struct trace *t, const json_t *o)
{
	char *line = json_dumps(o, JSON_COMPACT);

	if (line != NULL) {
		struct iovec v[] = { { line, strlen(line) }, { "\n", 1 } };

		if (writev(t->fd, v, 2) < 0) {
			log_warn("trace: the file takes no more: %s", strerror(errno));
			close(t->fd);
			t->fd = -1;
		}
	}
	free(line);
}

/* The turn is durable: now the event may be told. */
static void
release(void *arg, enum rc rc)
{
	struct pending *p = arg;
	struct trace *t = p->trace;
	json_t **place;

	if (rc == RC_OK && json_object_set_new(p->event, "seq", json_integer((json_int_t)(t->last + 1))) == 0) {
		place = &t->ring[++t->last % t->cap];
		json_decref(*place);
		*place = json_incref(p->event);
		to_log(p->event);
		if (t->fd >= 0)
			to_file(t, p->event);
		if (t->fn != NULL)
			t->fn(p->event, t->arg);
	}
	json_decref(p->event);
	free(p);
}

void
trace_emit(struct trace *t, const struct trace_event *e)
{
	struct pending *p = calloc(1, sizeof *p);

	if (p == NULL || (p->event = event_json(t, e)) == NULL) {
		log_warn("trace: out of memory: step %d of run %s is missing", e->step, e->run != NULL ? e->run : "-");
		free(p);
		return;
	}
	p->trace = t;
	turn_later(t->turn, release, p);
}

json_t *
trace_since(const struct trace *t, uint64_t since)
{
	json_t *a = json_array();
	uint64_t oldest = t->last >= t->cap ? t->last - t->cap + 1 : 1;

	for (uint64_t s = since >= oldest ? since + 1 : oldest; a != NULL && s != 0 && s <= t->last; s++)
		json_array_append(a, t->ring[s % t->cap]);
	return a;
}

void
trace_subscribe(struct trace *t, void (*fn)(json_t *event, void *arg), void *arg)
{
	t->fn = fn;
	t->arg = arg;
}
