/* pcsc_watch: which PC/SC reader has the card, watched by a thread of its own; for uicc_pcsc.c. */
#ifndef MTD_PCSC_WATCH_H
#define MTD_PCSC_WATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"

#define MT_PCSC_NAME_MAX 128

struct mt_pcsc_watch;
struct post;

/*
 * fn runs on the loop after each change: the reader with the card, "" = none; another serial = the card was out in between.
 * reader as mt_uicc_pcsc_new(). RC_NOMEM, RC_IO.
 */
enum rc mt_pcsc_watch_new(struct post *post, const char *reader, void (*fn)(void *arg, const char *reader, uint64_t serial), void *arg,
    struct mt_pcsc_watch **out) MUST_USE;
/* A thread that a card may hold. All zero = none. */
struct mt_pcsc_thread {
	pthread_t id;
	int gone[2];		/* a pipe, closed at its writing end when the thread ends */
	bool runs;
};
/* fn's last act is mt_pcsc_thread_over(). RC_IO. */
enum rc mt_pcsc_thread_start(struct mt_pcsc_thread *t, void *(*fn)(void *arg), void *arg) MUST_USE;
void mt_pcsc_thread_over(struct mt_pcsc_thread *t);
/* It was told to end: wait for that, 3 s. false: a card holds it longer. */
bool mt_pcsc_thread_join(struct mt_pcsc_thread *t) MUST_USE;
/* End its thread; fn will not run. false: it does not end. NULL is fine. */
bool mt_pcsc_watch_stop(struct mt_pcsc_watch *w);
/* Stopped, and its post freed. NULL is fine. */
void mt_pcsc_watch_free(struct mt_pcsc_watch *w);

/*
 * Which reader to use, pure: n readers, whether a card is in each. now: the one in use, "" = none. The index, or n = none.
 * wanted NULL = any: the one in use as long as it has its card, else the first that has one.
 */
struct mt_pcsc_seen {
	const char *name;
	bool card;
};
size_t mt_pcsc_choose(const struct mt_pcsc_seen *r, size_t n, const char *wanted, const char *now);

#endif
