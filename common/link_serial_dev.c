/*
 * link_serial_dev: a serial device on the loop. Whatever happens ends in work(): users' callbacks, then frames, then one write.
 * It lives as long as a link or listener uses it, and a little longer for what was said last.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/link_serial_int.h"
#include "common/log.h"
#include "common/rnd.h"

#define BACK_OFF_MIN_MS 100
#define BACK_OFF_MAX_MS 2000
#define READS_MAX 16		/* then others of the loop have their turn */
#define ROUNDS_MAX 16
#define LAST_WORDS_MS 2000
#define LOOK_MS 20

/* --- the line's */

void
link_serial_dev_wake(struct serial_dev *d)
{
	if (!d->working)
		event_active(d->work, EV_TIMEOUT, 0);
}

static void
on_wake(void *ctx)
{
	link_serial_dev_wake(ctx);
}

/* A frame that finds no room is lost, as the line loses others. */
static void
on_write(void *ctx, struct span octets)
{
	struct serial_dev *d = ctx;

	link_serial_dev_wake(d);
	if (d->fd < 0)
		return;
	if (octets.n > sizeof d->out - d->at - d->n) {
		memmove(d->out, d->out + d->at, d->n);
		d->at = 0;
	}
	if (octets.n > sizeof d->out - d->n)
		return;
	memcpy(d->out + d->at + d->n, octets.p, octets.n);
	d->n += octets.n;
}

static size_t
on_backlog(void *ctx)
{
	const struct serial_dev *d = ctx;

	return d->n + d->kernel;
}

static enum rc
on_accept(void *ctx, struct serial_channel *c)
{
	return link_serial_accept(ctx, c);
}

/* --- the device comes and goes */

static void
down(struct serial_dev *d, const char *detail)
{
	event_del(d->readable);
	event_del(d->writable);
	event_free(d->readable);
	event_free(d->writable);
	d->readable = d->writable = NULL;
	link_serial_tty_close(d->fd);
	d->fd = -1;
	d->at = d->n = d->kernel = 0;
	log_reason(REASON_LINK_SERIAL_GONE, "link: device=%s: %s", d->path, detail);
	serial_line_down(d->line, REASON_LINK_SERIAL_GONE, detail);
	d->back_off_ms = BACK_OFF_MIN_MS;
	if (d->listening != NULL)
		clock_timer_set(d->timer, d->back_off_ms);
	else
		clock_timer_stop(d->timer);
	link_serial_dev_wake(d);
}

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);

bool
link_serial_dev_open(struct serial_dev *d, char *detail, size_t cap)
{
	if (d->fd >= 0)
		return true;
	if ((d->fd = link_serial_tty_open(d->path, &d->opt, detail, cap)) < 0)
		return false;
	d->readable = event_new(d->net->base, d->fd, EV_READ | EV_PERSIST, on_readable, d);
	d->writable = event_new(d->net->base, d->fd, EV_WRITE, on_writable, d);
	if (d->readable == NULL || d->writable == NULL || event_add(d->readable, NULL) != 0) {
		snprintf(detail, cap, "%s: the loop does not take it", d->path);
		if (d->readable != NULL)
			event_free(d->readable);
		if (d->writable != NULL)
			event_free(d->writable);
		d->readable = d->writable = NULL;
		link_serial_tty_close(d->fd);
		d->fd = -1;
		return false;
	}
	log_info("link: device=%s: open", d->path);
	d->said = REASON_NONE;
	clock_timer_stop(d->timer);
	serial_line_begin(d->line);
	return true;
}

void
link_serial_dev_try(struct serial_dev *d)
{
	char detail[200];

	if (link_serial_dev_open(d, detail, sizeof detail))
		return;
	if (d->said != REASON_LINK_SERIAL_OPEN)
		log_reason(REASON_LINK_SERIAL_OPEN, "link: %s", detail);
	d->said = REASON_LINK_SERIAL_OPEN;
	clock_timer_set(d->timer, d->back_off_ms);
	d->back_off_ms = 2 * d->back_off_ms < BACK_OFF_MAX_MS ? 2 * d->back_off_ms : BACK_OFF_MAX_MS;
}

static void
dev_free(struct serial_dev *d)
{
	LIST_REMOVE(d, all);
	serial_line_free(d->line);
	if (d->readable != NULL)
		event_free(d->readable);
	if (d->writable != NULL)
		event_free(d->writable);
	if (d->work != NULL)
		event_free(d->work);
	if (d->fd >= 0)
		link_serial_tty_close(d->fd);
	clock_timer_free(d->timer);
	free(d);
}

/* Nobody uses it any more: once the last words have left, or after a while, it goes. true: it is gone. */
static bool
idle(struct serial_dev *d)
{
	int64_t now = clock_mono_ms(d->net->clock);

	if (!LIST_EMPTY(&d->links) || d->listening != NULL) {
		d->idle_since_ms = -1;
		return false;
	}
	if (d->idle_since_ms < 0)
		d->idle_since_ms = now;
	if (d->fd < 0 || d->n + d->kernel == 0 || now - d->idle_since_ms >= LAST_WORDS_MS) {
		dev_free(d);
		return true;
	}
	clock_timer_set(d->timer, LOOK_MS);
	return false;
}

/* --- work */

static void
put_out(struct serial_dev *d)
{
	ssize_t k;

	while (d->n > 0) {
		k = write(d->fd, d->out + d->at, d->n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && errno == EAGAIN) {
			event_add(d->writable, NULL);
			break;
		}
		if (k <= 0) {
			down(d, strerror(k < 0 ? errno : EIO));
			return;
		}
		d->octets_out += (uint64_t)k;
		d->at += (size_t)k;
		d->n -= (size_t)k;
	}
	if (d->n == 0)
		d->at = 0;
	d->kernel = link_serial_tty_unsent(d->fd);
}

/* Frames to the device, as long as there is room for them; what the device holds back is looked at again in time. */
static void
send_frames(struct serial_dev *d)
{
	unsigned baud = d->opt.baud != 0 ? d->opt.baud : LINK_SERIAL_BAUD;
	size_t before;
	bool more;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		before = d->n + d->kernel;
		more = serial_line_turn(d->line);
		if (d->fd < 0)
			return;
		put_out(d);
		if (d->fd < 0 || !more)
			return;
		if (d->n + d->kernel >= before && before > 0) {
			if (d->n == 0)
				clock_timer_set(d->timer, 1 + (int64_t)(d->kernel * 5000 / baud));
			return;
		}
	}
	event_active(d->work, EV_TIMEOUT, 0);
}

static void
work(struct serial_dev *d)
{
	struct serial_link *l;

	d->working = true;
	if (d->fd >= 0)
		d->kernel = link_serial_tty_unsent(d->fd);
	while ((l = TAILQ_FIRST(&d->ready)) != NULL) {
		TAILQ_REMOVE(&d->ready, l, ready);
		l->is_ready = false;
		link_serial_tell(l);
	}
	send_frames(d);
	d->working = false;
	if (!idle(d) && !TAILQ_EMPTY(&d->ready))
		link_serial_dev_wake(d);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct serial_dev *d = arg;
	ssize_t k;

	(void)what;
	d->working = true;
	for (int i = 0; i < READS_MAX; i++) {
		k = read(fd, d->in, sizeof d->in);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && errno == EAGAIN)
			break;
		if (k <= 0) {
			down(d, k < 0 ? strerror(errno) : "hang-up");
			break;
		}
		d->octets_in += (uint64_t)k;
		serial_line_input(d->line, span_of(d->in, (size_t)k));
	}
	work(d);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	work(arg);
}

static void
on_work(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	work(arg);
}

static void
on_timer(void *arg)
{
	struct serial_dev *d = arg;

	if (d->fd < 0 && d->listening != NULL)
		link_serial_dev_try(d);
	link_serial_dev_wake(d);
}

/* --- birth, and the end of all */

/* What waits to leave takes three quarters of a second at most; eight frames of a channel fit in. */
static struct serial_line_conf
line_conf(const struct serial_dev *d)
{
	size_t room = (d->opt.baud != 0 ? d->opt.baud : LINK_SERIAL_BAUD) / 10 * 3 / 4, body;

	if (room > sizeof d->out / 2)
		room = sizeof d->out / 2;
	body = room / SERIAL_WINDOW < 80 ? 64 : room / SERIAL_WINDOW - 16;
	return (struct serial_line_conf){ .listener = d->listener, .room = room, .body_max = body < SERIAL_BODY_MAX ? body : SERIAL_BODY_MAX,
		.clock = d->net->clock, .rnd = rnd_system() };
}

enum rc
link_serial_dev_get(struct link_sock_net *net, const char *path, bool listener, const struct link_serial_options *opt,
    struct serial_dev **out)
{
	static const struct serial_line_ops ops = { on_write, on_backlog, on_wake, on_accept };
	struct serial_line_conf conf;
	struct serial_dev *d;
	size_t n = 0;

	LIST_FOREACH(d, &net->serial, all) {
		n++;
		if (strcmp(d->path, path) == 0) {
			*out = d;
			return d->listener == listener ? RC_OK : RC_STATE;
		}
	}
	if (strlen(path) >= sizeof d->path || !link_serial_baud_ok(opt->baud))
		return RC_SYNTAX;
	if (n >= LINK_SERIAL_DEVICES_MAX)
		return RC_LIMIT;
	if ((d = calloc(1, sizeof *d)) == NULL)
		return RC_NOMEM;
	LIST_INSERT_HEAD(&net->serial, d, all);
	LIST_INIT(&d->links);
	TAILQ_INIT(&d->ready);
	d->net = net;
	d->fd = -1;
	d->listener = listener;
	d->opt = *opt;
	d->back_off_ms = BACK_OFF_MIN_MS;
	d->idle_since_ms = -1;
	snprintf(d->path, sizeof d->path, "%s", path);
	conf = line_conf(d);
	if (serial_line_new(&ops, d, &conf, &d->line) != RC_OK || clock_timer_new(net->clock, on_timer, d, &d->timer) != RC_OK ||
	    (d->work = event_new(net->base, -1, 0, on_work, d)) == NULL) {
		dev_free(d);
		return RC_NOMEM;
	}
	*out = d;
	return RC_OK;
}

void
link_serial_all_free(struct link_sock_net *net)
{
	struct serial_dev *d;

	while ((d = LIST_FIRST(&net->serial)) != NULL) {
		d->working = true;
		if (d->fd >= 0)
			put_out(d);
		dev_free(d);
	}
}

size_t
link_serial_get_status(const struct link_net *n, struct link_serial_status *out, size_t cap)
{
	const struct link_sock_net *net = n->ctx;
	const struct serial_dev *d;
	size_t i = 0;

	LIST_FOREACH(d, &net->serial, all) {
		if (i < cap) {
			out[i] = (struct link_serial_status){ .listener = d->listener, .open = d->fd >= 0,
			    .channels = serial_line_channels(d->line), .octets_in = d->octets_in, .octets_out = d->octets_out };
			memcpy(out[i].path, d->path, sizeof out[i].path);
			serial_line_get_stats(d->line, &out[i].stats);
		}
		i++;
	}
	return i;
}
