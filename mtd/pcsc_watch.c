#include "mtd/pcsc_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <winscard.h>

#include "common/log.h"
#include "common/post.h"
#include "common/span.h"

#define READERS_MAX 16
#define NAMES_MAX (READERS_MAX * MT_PCSC_NAME_MAX)
#define LOOK_MS 500		/* how long one wait for news lasts: so soon it sees that it shall end */
#define AGAIN_MS 1000		/* pcscd is not there: next look */
#define JOIN_MS 3000		/* a thread that a card holds longer is left behind */

/* A card's stay: the reader's name and pcscd's count of its events. */
struct stay {
	char name[MT_PCSC_NAME_MAX];
	uint64_t serial;
};

struct mt_pcsc_watch {
	struct post *post;
	char wanted[MT_PCSC_NAME_MAX];	/* "" = any */
	void (*fn)(void *arg, const char *reader, uint64_t serial);
	void *arg;
	struct mt_pcsc_thread thread;
	pthread_mutex_t lock;
	int bell[2];			/* closed at its writing end: quit */
	/* Both threads'. */
	bool quit;
	bool posted;			/* tell() is on its way to the loop */
	struct stay stay;		/* the newest */
	/* The watcher's. */
	SCARDCONTEXT ctx;
	bool has_ctx, complained;
	char names[NAMES_MAX];
	SCARD_READERSTATE readers[READERS_MAX + 1];	/* and, last, that readers come and go */
	size_t n;
};

size_t
mt_pcsc_choose(const struct mt_pcsc_seen *r, size_t n, const char *wanted, const char *now)
{
	size_t first = n;

	for (size_t i = n; i-- > 0;) {
		if (!r[i].card || (wanted != NULL && strcmp(r[i].name, wanted) != 0))
			continue;
		if (strcmp(r[i].name, now) == 0)
			return i;
		first = i;
	}
	return first;
}

/* --- a thread */

enum rc
mt_pcsc_thread_start(struct mt_pcsc_thread *t, void *(*fn)(void *arg), void *arg)
{
	if (pipe2(t->gone, O_CLOEXEC) != 0)
		return RC_IO;
	t->runs = pthread_create(&t->id, NULL, fn, arg) == 0;
	if (t->runs)
		return RC_OK;
	close(t->gone[0]);
	close(t->gone[1]);
	return RC_IO;
}

void
mt_pcsc_thread_over(struct mt_pcsc_thread *t)
{
	close(t->gone[1]);
}

bool
mt_pcsc_thread_join(struct mt_pcsc_thread *t)
{
	struct pollfd p = { .fd = t->gone[0], .events = POLLIN };

	if (!t->runs)
		return true;
	if (poll(&p, 1, JOIN_MS) <= 0)
		return false;
	pthread_join(t->id, NULL);
	close(t->gone[0]);
	t->runs = false;
	return true;
}

/* --- on the loop */

static void
tell(void *arg)
{
	struct mt_pcsc_watch *w = arg;
	struct stay s;
	bool quit;

	pthread_mutex_lock(&w->lock);
	w->posted = false;
	s = w->stay;
	quit = w->quit;
	pthread_mutex_unlock(&w->lock);
	if (!quit)
		w->fn(w->arg, s.name, s.serial);
}

/* --- the watcher */

/* What the loop has not been told yet is replaced: it hears the newest. */
static void
set_stay(struct mt_pcsc_watch *w, const struct stay *s)
{
	pthread_mutex_lock(&w->lock);
	if (strcmp(s->name, w->stay.name) != 0 || s->serial != w->stay.serial) {
		w->stay = *s;
		w->posted = w->posted || post(w->post, tell, w) == RC_OK;
		if (!w->posted)
			w->stay.serial = UINT64_MAX;	/* differs from whatever comes: told the next time */
	}
	pthread_mutex_unlock(&w->lock);
}

static bool
wait_or_quit(struct mt_pcsc_watch *w, int ms)
{
	struct pollfd p = { .fd = w->bell[0], .events = POLLIN };

	return poll(&p, 1, ms) > 0;
}

/* Names are NUL-terminated, one behind the other; an empty one ends them. */
static void
take_names(struct mt_pcsc_watch *w)
{
	w->n = 0;
	for (const char *p = w->names; *p != '\0' && w->n < READERS_MAX; p += strlen(p) + 1)
		w->readers[w->n++] = (SCARD_READERSTATE){ .szReader = p, .dwCurrentState = SCARD_STATE_UNAWARE };
	w->readers[w->n] = (SCARD_READERSTATE){ .szReader = "\\\\?PnP?\\Notification", .dwCurrentState = (DWORD)w->n << 16 };
}

static LONG
list_readers(struct mt_pcsc_watch *w)
{
	DWORD n = sizeof w->names;
	LONG e = SCardListReaders(w->ctx, NULL, w->names, &n);

	if (e == SCARD_E_NO_READERS_AVAILABLE) {
		w->names[0] = w->names[1] = '\0';
		e = SCARD_S_SUCCESS;
	}
	if (e == SCARD_S_SUCCESS)
		take_names(w);
	return e;
}

static void
judge(struct mt_pcsc_watch *w)
{
	struct mt_pcsc_seen seen[READERS_MAX];
	struct stay s = { "", 0 };
	size_t i;

	for (i = 0; i < w->n; i++) {
		DWORD state = w->readers[i].dwEventState;

		seen[i] = (struct mt_pcsc_seen){ w->readers[i].szReader, (state & SCARD_STATE_PRESENT) != 0 && (state & SCARD_STATE_MUTE) == 0 };
	}
	i = mt_pcsc_choose(seen, w->n, w->wanted[0] != '\0' ? w->wanted : NULL, w->stay.name);
	if (i < w->n && span_to_str(span_str(seen[i].name), s.name, sizeof s.name))
		s.serial = w->readers[i].dwEventState >> 16;
	set_stay(w, &s);
}

/* Until pcscd is gone, readers came or went, or it shall end. */
static LONG
watch_readers(struct mt_pcsc_watch *w)
{
	for (;;) {
		LONG e = SCardGetStatusChange(w->ctx, LOOK_MS, w->readers, (DWORD)(w->n + 1));

		if (wait_or_quit(w, 0))
			return SCARD_E_CANCELLED;
		if (e == SCARD_E_TIMEOUT)
			continue;
		if (e != SCARD_S_SUCCESS)
			return e == SCARD_E_UNKNOWN_READER ? SCARD_S_SUCCESS : e;
		judge(w);
		if ((w->readers[w->n].dwEventState & SCARD_STATE_CHANGED) != 0)
			return SCARD_S_SUCCESS;
		for (size_t i = 0; i < w->n; i++)
			w->readers[i].dwCurrentState = w->readers[i].dwEventState;
	}
}

static LONG
open_context(struct mt_pcsc_watch *w)
{
	LONG e;

	if (w->has_ctx)
		return SCARD_S_SUCCESS;
	e = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &w->ctx);
	w->has_ctx = e == SCARD_S_SUCCESS;
	return e;
}

static void *
watch(void *arg)
{
	static const struct stay none = { "", 0 };
	struct mt_pcsc_watch *w = arg;
	LONG e = SCARD_S_SUCCESS;

	while (!wait_or_quit(w, e == SCARD_S_SUCCESS ? 0 : AGAIN_MS)) {
		if ((e = open_context(w)) == SCARD_S_SUCCESS && (e = list_readers(w)) == SCARD_S_SUCCESS) {
			w->complained = false;
			e = watch_readers(w);
		}
		if (e == SCARD_S_SUCCESS || e == SCARD_E_CANCELLED)
			continue;
		set_stay(w, &none);
		if (w->has_ctx)
			SCardReleaseContext(w->ctx);	/* another pcscd does not know it */
		w->has_ctx = false;
		if (!w->complained)
			log_warn("card: no PC/SC: %s; is pcscd running? It is looked for until it is", pcsc_stringify_error(e));
		w->complained = true;
	}
	if (w->has_ctx)
		SCardReleaseContext(w->ctx);
	mt_pcsc_thread_over(&w->thread);
	return NULL;
}

/* --- its life */

enum rc
mt_pcsc_watch_new(struct post *q, const char *reader, void (*fn)(void *arg, const char *reader, uint64_t serial), void *arg,
    struct mt_pcsc_watch **out)
{
	struct mt_pcsc_watch *w = calloc(1, sizeof *w);

	if (w == NULL)
		return RC_NOMEM;
	w->post = q;
	w->fn = fn;
	w->arg = arg;
	if (reader != NULL)
		(void)span_to_str(span_str(reader), w->wanted, sizeof w->wanted);
	pthread_mutex_init(&w->lock, NULL);
	if (pipe2(w->bell, O_CLOEXEC) != 0)
		w->bell[0] = w->bell[1] = -1;
	if (w->bell[0] < 0 || mt_pcsc_thread_start(&w->thread, watch, w) != RC_OK) {
		mt_pcsc_watch_free(w);
		return RC_IO;
	}
	*out = w;
	return RC_OK;
}

bool
mt_pcsc_watch_stop(struct mt_pcsc_watch *w)
{
	if (w == NULL || !w->thread.runs)
		return true;
	pthread_mutex_lock(&w->lock);
	w->quit = true;
	pthread_mutex_unlock(&w->lock);
	close(w->bell[1]);
	w->bell[1] = -1;
	return mt_pcsc_thread_join(&w->thread);
}

void
mt_pcsc_watch_free(struct mt_pcsc_watch *w)
{
	if (w == NULL)
		return;
	for (int i = 0; i < 2; i++) {
		if (w->bell[i] >= 0)
			close(w->bell[i]);
	}
	pthread_mutex_destroy(&w->lock);
	free(w);
}
