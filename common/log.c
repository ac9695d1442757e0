#include "common/log.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define LINE_MAX_OCTETS 2048
#define HEAD_MAX_OCTETS 96

static const struct {
	const char *word;
	int priority;
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", LOG_ERR },
	[LOG_LEVEL_WARN] = { "warn", LOG_WARNING },
	[LOG_LEVEL_INFO] = { "info", LOG_INFO },
	[LOG_LEVEL_DEBUG] = { "debug", LOG_DEBUG },
};

/* The log belongs to the process, not to a core: these are set at start and by "log-level". */
static atomic_int threshold = LOG_LEVEL_INFO;
static char name[32];
static bool journal;

static struct {
	pthread_mutex_t lock;
	void (*fn)(enum log_level level, const char *line, void *arg);
	void *arg;
} capture = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* What the gathering thread said since its last flush. A pipe takes PIPE_BUF octets in one piece: lines of others do not come between. */
static struct {
	char octets[PIPE_BUF];
	size_t n;
	time_t second;			/* of when */
	char when[32];
} kept;
static _Thread_local bool gathers;

/* systemd names the pipe it gave us as standard error: "device:inode". Redirected since then, the journal is not meant. */
static bool
stderr_is_journal(void)
{
	const char *js = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return js != NULL && sscanf(js, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	    st.st_dev == dev && st.st_ino == ino;
}

void
log_open(const char *daemon, enum log_level level)
{
	snprintf(name, sizeof name, "%s", daemon);
	journal = stderr_is_journal();
	log_set_level(level);
}

void
log_set_level(enum log_level level)
{
	atomic_store(&threshold, (int)level);
}

enum log_level
log_get_level(void)
{
	return (enum log_level)atomic_load(&threshold);
}

bool
log_to_journal(void)
{
	return journal;
}

void
log_capture(void (*fn)(enum log_level level, const char *line, void *arg), void *arg)
{
	pthread_mutex_lock(&capture.lock);
	capture.fn = fn;
	capture.arg = arg;
	pthread_mutex_unlock(&capture.lock);
}

static bool
captured(enum log_level level, const char *line)
{
	bool yes;

	pthread_mutex_lock(&capture.lock);
	if ((yes = capture.fn != NULL))
		capture.fn(level, line, capture.arg);
	pthread_mutex_unlock(&capture.lock);
	return yes;
}

/* One event is one line, whatever came into it. */
static void
flatten(char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = ' ';
}

static void
print_second(time_t second, char *out, size_t cap)
{
	struct tm tm;

	gmtime_r(&second, &tm);
	strftime(out, cap, "%Y-%m-%dT%H:%M:%S", &tm);
}

void
log_flush(void)
{
	if (!gathers || kept.n == 0)
		return;
	(void)!write(STDERR_FILENO, kept.octets, kept.n);	/* there is nowhere to say that it failed */
	kept.n = 0;
}

void
log_gather(bool on)
{
	log_flush();
	gathers = on;
}

static void
keep(struct iovec v[static 3])
{
	if (v[0].iov_len + v[1].iov_len + v[2].iov_len > sizeof kept.octets - kept.n)
		log_flush();
	for (int i = 0; i < 3; kept.n += v[i++].iov_len)
		memcpy(kept.octets + kept.n, v[i].iov_base, v[i].iov_len);
}

static void
to_stderr(enum log_level level, const char *line)
{
	char head[HEAD_MAX_OCTETS], mine[sizeof kept.when], *when = gathers ? kept.when : mine;
	struct timespec ts;
	int n;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (!gathers || ts.tv_sec != kept.second)
		print_second(ts.tv_sec, when, sizeof mine);
	if (gathers)
		kept.second = ts.tv_sec;
	n = snprintf(head, sizeof head, "%s.%03ldZ %s%s%s: ", when, ts.tv_nsec / 1000000, name, name[0] != '\0' ? " " : "",
	    levels[level].word);
	struct iovec v[] = { { head, (size_t)n }, { (void *)(uintptr_t)line, strlen(line) }, { "\n", 1 } };
	if (gathers) {
		keep(v);
		if (level == LOG_LEVEL_ERROR || log_get_level() == LOG_LEVEL_DEBUG)
			log_flush();
		return;
	}
	/* One call per line, so that threads do not mix; there is nowhere to say that it failed. */
	if (writev(STDERR_FILENO, v, 3) < 0)
		return;
}

static void
emit(enum log_level level, char *line, const char *code)
{
	flatten(line);
	if (captured(level, line))
		return;
	if (!journal)
		to_stderr(level, line);
	else if (code != NULL)
		sd_journal_send("MESSAGE=%s", line, "PRIORITY=%d", levels[level].priority, "SYSLOG_IDENTIFIER=%s", name,
		    "KSLOCAL_REASON=%s", code, NULL);
	else
		sd_journal_send("MESSAGE=%s", line, "PRIORITY=%d", levels[level].priority, "SYSLOG_IDENTIFIER=%s", name, NULL);
}

static void PRINTF_LIKE(2, 0)
vlog(enum log_level level, const char *fmt, va_list ap)
{
	char line[LINE_MAX_OCTETS];

	if ((int)level > atomic_load(&threshold))
		return;
	vsnprintf(line, sizeof line, fmt, ap);
	emit(level, line, NULL);
}

#define LOG_AT(fn, level) \
	void fn(const char *fmt, ...) \
	{ \
		va_list ap; \
\
		va_start(ap, fmt); \
		vlog(level, fmt, ap); \
		va_end(ap); \
	}
LOG_AT(log_error, LOG_LEVEL_ERROR)
LOG_AT(log_warn, LOG_LEVEL_WARN)
LOG_AT(log_info, LOG_LEVEL_INFO)
LOG_AT(log_debug, LOG_LEVEL_DEBUG)

void
log_reason(enum reason r, const char *fmt, ...)
{
	const struct reason_info *i = reason_get(r);
	char line[LINE_MAX_OCTETS], head[LINE_MAX_OCTETS / 2];
	va_list ap;

	if (LOG_LEVEL_INFO > atomic_load(&threshold))
		return;
	va_start(ap, fmt);
	vsnprintf(head, sizeof head, fmt, ap);
	va_end(ap);
	snprintf(line, sizeof line, "%s: reason=%s: %s (%s); %s", head, i->code, i->what, i->why, i->next);
	emit(LOG_LEVEL_INFO, line, i->code);
}

void
log_fatal(const char *fmt, ...)
{
	char line[LINE_MAX_OCTETS];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	emit(LOG_LEVEL_ERROR, line, NULL);
	abort();
}

static bool
is_plain(uint8_t c)
{
	return c >= ' ' && c < 0x7f && c != '\\';
}

const char *
log_text(struct span in, char *out, size_t cap)
{
	static const char hex[] = "0123456789abcdef", dots[] = "\xe2\x80\xa6";
	size_t whole = 0, at = 0, limit;

	if (cap == 0)
		return out;
	for (size_t i = 0; i < in.n; i++)
		whole += is_plain(in.p[i]) ? 1 : 4;
	limit = whole < cap ? whole : cap > sizeof dots ? cap - sizeof dots : 0;
	for (size_t i = 0; i < in.n && at + (is_plain(in.p[i]) ? 1 : 4) <= limit; i++) {
		uint8_t c = in.p[i];

		if (is_plain(c)) {
			out[at++] = (char)c;
		} else {
			out[at++] = '\\';
			out[at++] = 'x';
			out[at++] = hex[c >> 4];
			out[at++] = hex[c & 15];
		}
	}
	if (whole >= cap && cap >= sizeof dots) {
		memcpy(out + at, dots, sizeof dots - 1);
		at += sizeof dots - 1;
	}
	out[at] = '\0';
	return out;
}
