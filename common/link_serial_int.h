/* link_serial_int: what link_serial.c (links and listeners), link_serial_dev.c (a device and its events) and link_serial_tty.c share. */
#ifndef COMMON_LINK_SERIAL_INT_H
#define COMMON_LINK_SERIAL_INT_H

#include <event2/buffer.h>
#include <event2/event.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/link_impl.h"
#include "common/link_serial.h"
#include "common/link_sock.h"

enum serial_link_state {
	SERIAL_LINK_DIALLING,	/* connecting */
	SERIAL_LINK_UP,
	SERIAL_LINK_CLOSING,	/* what is queued goes out */
	SERIAL_LINK_ENDED,	/* over, on_closed is due */
	SERIAL_LINK_CLOSED	/* on_closed was called */
};

struct serial_dev;

struct serial_link {
	struct link base;
	LIST_ENTRY(serial_link) all;
	TAILQ_ENTRY(serial_link) ready;
	bool is_ready;
	struct serial_dev *dev;
	struct serial_channel *c;	/* NULL once it ended */
	struct evbuffer *in, *out;
	size_t limit;
	enum serial_link_state state;
	bool accept_due, up_due, data_due, drained_due;
	bool fresh;			/* the first octets were not looked at yet */
	bool tls_above;			/* link_over writes its hello before we are up */
	bool deaf;			/* our user has said close: what comes in is nobody's */
	enum reason why;		/* REASON_NONE: what the channel says in the end */
	char detail[200];
	struct clock_timer *deadline;	/* of DIALLING, of CLOSING */
	unsigned number;
};

/* Accepted, and TLS is being spoken: nobody else knows it. */
struct serial_half {
	LIST_ENTRY(serial_half) all;
	struct serial_listener *from;
	struct link *over;
};

struct serial_listener {
	struct link_listener base;
	struct serial_dev *dev;
	struct link_options opt;
	LIST_HEAD(, serial_half) halves;
	void (*on_accept)(struct link *l, void *arg);
	void *arg;
};

struct serial_dev {
	LIST_ENTRY(serial_dev) all;
	struct link_sock_net *net;
	char path[128];
	bool listener;
	struct link_serial_options opt;
	struct serial_line *line;
	LIST_HEAD(, serial_link) links;
	TAILQ_HEAD(serial_ready, serial_link) ready;	/* a callback of theirs is due */
	struct serial_listener *listening;

	int fd;				/* -1: it is not there */
	struct event *readable, *writable;
	struct event *work;		/* activated: there is something to do, outside of any call */
	struct clock_timer *timer;	/* there: look whether more has left; not there: try again */
	bool working;
	int64_t back_off_ms;
	enum reason said;		/* logged once, not at each attempt */
	int64_t idle_since_ms;		/* nobody uses it; -1: somebody does */
	uint64_t octets_in, octets_out;
	size_t at, n;			/* of out: waits for the device */
	size_t kernel;			/* waits in it */
	uint8_t out[65536], in[16384];
};

/* link_serial_tty.c: raw, at its speed, ours alone. -1: detail says why. */
int link_serial_tty_open(const char *path, const struct link_serial_options *opt, char *detail, size_t cap);
void link_serial_tty_close(int fd);
size_t link_serial_tty_unsent(int fd);

/* link_serial_dev.c */
/* The device of that path, made if need be. RC_STATE: it has the other role. */
enum rc link_serial_dev_get(struct link_sock_net *net, const char *path, bool listener, const struct link_serial_options *opt,
    struct serial_dev **out) MUST_USE;
/* Open it, if it is not. false: detail says why not. */
bool link_serial_dev_open(struct serial_dev *d, char *detail, size_t cap);
/* A listener's: until it is there. */
void link_serial_dev_try(struct serial_dev *d);
/* Something is due: soon. */
void link_serial_dev_wake(struct serial_dev *d);

/* link_serial.c: a channel as a link */
enum rc link_serial_new(struct serial_dev *d, struct serial_link **out) MUST_USE;
void link_serial_set_channel(struct serial_link *l, struct serial_channel *c);
extern const struct serial_user link_serial_user;
/* A callback of it is due. */
void link_serial_ready(struct serial_link *l);
/* It is over: on_closed soon. */
void link_serial_end(struct serial_link *l, enum reason why, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The next callback of a link; it may free it, and any other. */
void link_serial_tell(struct serial_link *l);

/* link_serial_open.c: how channels come to be */
enum rc link_serial_accept(struct serial_dev *d, struct serial_channel *c) MUST_USE;
/* Its listener's user gets it, or TLS first. */
void link_serial_accepted(struct serial_link *l);
enum rc link_serial_listen(struct link_sock_net *net, const char *path, const struct link_options *opt,
    void (*on_accept)(struct link *l, void *arg), void *arg, struct link_listener **out) MUST_USE;
enum rc link_serial_connect(struct link_sock_net *net, const char *path, const struct link_options *opt, const struct link_cb *cb,
    void *arg, struct link **out) MUST_USE;

/* link_serial_dev.c: with the network. */
void link_serial_all_free(struct link_sock_net *net);

#endif
