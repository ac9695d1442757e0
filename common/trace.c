#include "common/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/turn.h"

#define RING_DEFAULT 4096

/* The texts of an event, as JSON names them, in its order. */
#define TEXTS(X) X(run) X(from) X(to) X(msg) X(btid) X(naf_id) X(device_id) X(session_id) X(kcv) X(result)
enum text_id {
#define TEXT_ID(name) TEXT_##name,
	TEXTS(TEXT_ID)
#undef TEXT_ID
	TEXT_N
};

/* One event in one piece of memory: kept so, and made JSON of only for who asks. */
struct event {
	struct trace *trace;
	uint64_t seq;			/* 0: not released yet */
	int64_t at_ms, dur_us;
	int scenario, step;
	uint16_t at[TEXT_N];		/* where each text begins in texts */
	char texts[];
};

struct trace {
	char daemon[32];
	struct clock *clock;
	struct turn *turn;
	int fd;				/* -1 = no file */
	char *lines;			/* of this turn, for the file */
	size_t n_lines, cap_lines;
	struct event **ring;		/* event with number s stands at [s % cap] */
	size_t cap;
	uint64_t last;			/* number of the newest event, from 1 */
	void (*fn)(void *arg);
	void *arg;
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
	if ((t->ring = calloc(t->cap, sizeof *t->ring)) == NULL)
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
		free(t->ring[i]);
	free(t->ring);
	free(t->lines);
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}

static struct event *
event_new(struct trace *t, const struct trace_event *e)
{
	const char *const texts[TEXT_N] = {
#define TEXT_OF(name) [TEXT_##name] = e->name != NULL ? e->name : "",
		TEXTS(TEXT_OF)
#undef TEXT_OF
	};
	size_t len[TEXT_N], n = 0;
	struct event *v;

	for (int i = 0; i < TEXT_N; i++) {
		len[i] = strlen(texts[i]) + 1;
		n += len[i];
	}
	if (n > UINT16_MAX || (v = malloc(sizeof *v + n)) == NULL)
		return NULL;
	*v = (struct event){ .trace = t, .at_ms = clock_now_ms(t->clock), .dur_us = e->dur_us, .scenario = e->scenario, .step = e->step };
	n = 0;
	for (int i = 0; i < TEXT_N; i++) {
		v->at[i] = (uint16_t)n;
		memcpy(v->texts + n, texts[i], len[i]);
		n += len[i];
	}
	return v;
}

static void
put_text(json_t *o, const char *key, const struct event *v, enum text_id i)
{
	const char *value = v->texts + v->at[i];

	/* Text from a peer may be no UTF-8; such a member is left out. */
	if (value[0] != '\0')
		json_object_set_new(o, key, json_string(value));
}

static json_t *
event_json(const struct event *v)
{
	char utc[UTC_TEXT_LEN + 1], when[UTC_TEXT_LEN + 8];
	json_t *o = json_object();

	if (o == NULL)
		return NULL;
	clock_print_utc(v->at_ms / 1000, utc);
	snprintf(when, sizeof when, "%.19s.%03dZ", utc, (int)(v->at_ms % 1000));
	json_object_set_new(o, "time", json_string(when));
	json_object_set_new(o, "daemon", json_string(v->trace->daemon));
	json_object_set_new(o, "scenario", json_integer(v->scenario));
	json_object_set_new(o, "step", json_integer(v->step));
#define PUT_TEXT(name) put_text(o, #name, v, TEXT_##name);
	TEXTS(PUT_TEXT)
#undef PUT_TEXT
	if (v->dur_us > 0)
		json_object_set_new(o, "dur_us", json_integer(v->dur_us));
	json_object_set_new(o, "seq", json_integer((json_int_t)v->seq));
	return o;
}

static const char *
text(const struct event *v, enum text_id i)
{
	const char *s = v->texts + v->at[i];

	return s[0] != '\0' ? s : "-";
}

/* The journal gets fields to search by, standard error a line at debug. */
static void
to_log(const struct event *v)
{
	if (!log_to_journal()) {
		log_debug("trace: run=%s scenario=%d step=%d %s -> %s %s btid=%s kcv=%s result=%s", text(v, TEXT_run), v->scenario, v->step,
		    text(v, TEXT_from), text(v, TEXT_to), text(v, TEXT_msg), text(v, TEXT_btid), text(v, TEXT_kcv), text(v, TEXT_result));
		return;
	}
	sd_journal_send("MESSAGE=step %d %s -> %s %s: %s", v->step, text(v, TEXT_from), text(v, TEXT_to), text(v, TEXT_msg),
	    text(v, TEXT_result), "PRIORITY=%d", LOG_INFO, "SYSLOG_IDENTIFIER=%s", v->trace->daemon, "KSLOCAL_RUN=%s", text(v, TEXT_run),
	    "KSLOCAL_SCENARIO=%d", v->scenario, "KSLOCAL_STEP=%d", v->step, "KSLOCAL_BTID=%s", text(v, TEXT_btid),
	    "KSLOCAL_NAF_ID=%s", text(v, TEXT_naf_id), "KSLOCAL_DEVICE_ID=%s", text(v, TEXT_device_id),
	    "KSLOCAL_SESSION_ID=%s", text(v, TEXT_session_id), "KSLOCAL_KCV=%s", text(v, TEXT_kcv),
	    "KSLOCAL_RESULT=%s", text(v, TEXT_result), NULL);
}

/* A turn's lines leave in one write, when its last event is out. */
static void
flush(void *arg, enum rc rc)
{
	struct trace *t = arg;

	(void)rc;	/* of what else this round wrote: these events were released by an earlier one */
	if (t->fd >= 0 && write(t->fd, t->lines, t->n_lines) < 0) {
		log_warn("trace: the file takes no more: %s", strerror(errno));
		close(t->fd);
		t->fd = -1;
	}
	t->n_lines = 0;
}

/* What JSON takes between quotation marks as it stands. */
static bool
is_plain(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s < ' ' || *s > '~' || *s == '"' || *s == '\\')
			return false;
	return true;
}

static char *
append(char *w, const char *s)
{
	size_t n = strlen(s);

	memcpy(w, s, n);
	return w + n;
}

/* event_json() as text, for the plain texts that nearly all are; 0: some text is none. out has LINE_ROOM more than v's texts. */
#define LINE_ROOM 512
static size_t
print_plain(const struct event *v, char *out)
{
	static const char *const names[TEXT_N] = {
#define TEXT_NAME(name) [TEXT_##name] = ",\"" #name "\":\"",
		TEXTS(TEXT_NAME)
#undef TEXT_NAME
	};
	char utc[UTC_TEXT_LEN + 1], *w = out;

	if (!is_plain(v->trace->daemon))
		return 0;
	clock_print_utc(v->at_ms / 1000, utc);
	w += snprintf(w, LINE_ROOM, "{\"time\":\"%.19s.%03dZ\",\"daemon\":\"%s\",\"scenario\":%d,\"step\":%d", utc, (int)(v->at_ms % 1000),
	    v->trace->daemon, v->scenario, v->step);
	for (int i = 0; i < TEXT_N; i++) {
		const char *value = v->texts + v->at[i];

		if (!is_plain(value))
			return 0;
		if (value[0] == '\0')
			continue;
		w = append(w, names[i]);
		w = append(w, value);
		*w++ = '"';
	}
	if (v->dur_us > 0)
		w += snprintf(w, LINE_ROOM, ",\"dur_us\":%lld", (long long)v->dur_us);
	w += snprintf(w, LINE_ROOM, ",\"seq\":%llu}\n", (unsigned long long)v->seq);
	return (size_t)(w - out);
}

/* Room for n octets more at the end of the turn's lines; NULL: none. */
static char *
room(struct trace *t, size_t n)
{
	size_t cap = t->cap_lines == 0 ? 4096 : t->cap_lines;
	char *p;

	while (cap - t->n_lines < n)
		cap *= 2;
	if (cap != t->cap_lines) {
		if ((p = realloc(t->lines, cap)) == NULL)
			return NULL;
		t->lines = p;
		t->cap_lines = cap;
	}
	return t->lines + t->n_lines;
}

static size_t
print_json(struct trace *t, const struct event *v)
{
	json_t *o = event_json(v);
	char *line = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL, *to;
	size_t n = line != NULL ? strlen(line) : 0;

	if (n > 0 && (to = room(t, n + 1)) != NULL) {
		memcpy(to, line, n);
		to[n++] = '\n';
	} else {
		n = 0;
	}
	free(line);
	json_decref(o);
	return n;
}

static void
to_file(struct trace *t, const struct event *v)
{
	const char *last = v->texts + v->at[TEXT_N - 1];
	bool first = t->n_lines == 0;
	char *to = room(t, (size_t)(last - v->texts) + strlen(last) + LINE_ROOM);
	size_t n = to != NULL ? print_plain(v, to) : 0;

	t->n_lines += n != 0 ? n : print_json(t, v);
	if (first && t->n_lines > 0)
		turn_later(t->turn, flush, t);
}

/* The turn is durable: now the event may be told. */
static void
release(void *arg, enum rc rc)
{
	struct event *v = arg;
	struct trace *t = v->trace;
	struct event **place;

	if (rc != RC_OK) {
		free(v);
		return;
	}
	v->seq = ++t->last;
	place = &t->ring[v->seq % t->cap];
	free(*place);
	*place = v;
	to_log(v);
	if (t->fd >= 0)
		to_file(t, v);
	if (t->fn != NULL)
		t->fn(t->arg);
}

void
trace_emit(struct trace *t, const struct trace_event *e)
{
	struct event *v = event_new(t, e);

	if (v == NULL)
		log_warn("trace: no room: step %d of run %s is missing", e->step, e->run != NULL ? e->run : "-");
	else
		turn_later(t->turn, release, v);
}

json_t *
trace_since(const struct trace *t, uint64_t since)
{
	json_t *a = json_array();
	uint64_t oldest = t->last >= t->cap ? t->last - t->cap + 1 : 1;

	for (uint64_t s = since >= oldest ? since + 1 : oldest; a != NULL && s != 0 && s <= t->last; s++)
		json_array_append_new(a, event_json(t->ring[s % t->cap]));
	return a;
}

void
trace_subscribe(struct trace *t, void (*fn)(void *arg), void *arg)
{
	t->fn = fn;
	t->arg = arg;
}
