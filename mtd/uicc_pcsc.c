#include "mtd/uicc_pcsc.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <winscard.h>

#include "common/log.h"
#include "common/post.h"
#include "mtd/pcsc_watch.h"
#include "mtd/uicc.h"

#define POSTS_MAX 64
#define ANSWER_MAX 1024

enum verb { CONNECT, DISCONNECT, TRANSMIT, BEGIN, END, QUIT };

/* From the loop to the worker. */
struct job {
	enum verb verb;
	char reader[MT_PCSC_NAME_MAX];	/* CONNECT */
	uint8_t apdu[MT_PCSC_APDU_MAX];	/* TRANSMIT */
	size_t n;
	STAILQ_ENTRY(job) entry;
};

struct pcsc {
	struct mt_uicc *u;
	struct post *post;
	struct mt_pcsc_watch *watch;
	/* The loop's. */
	char name[MT_PCSC_NAME_MAX];	/* of the reader with the card; "" = none */
	uint64_t serial;		/* of its insertion: what is told of another one is old */
	/* Both threads'. */
	pthread_mutex_t lock;
	pthread_cond_t more;
	STAILQ_HEAD(, job) jobs;
	/* The worker's. */
	struct mt_pcsc_thread worker;
	SCARDCONTEXT ctx;
	SCARDHANDLE card;
	DWORD protocol;
	bool has_ctx, connected;
};

/* From the worker to the loop. */
struct result {
	struct pcsc *p;
	enum verb verb;
	char reader[MT_PCSC_NAME_MAX];
	enum rc rc;
	uint8_t data[ANSWER_MAX];
	size_t n;
};

size_t
mt_pcsc_tpdu(bool t0, struct span apdu, uint8_t out[static MT_PCSC_APDU_MAX])
{
	size_t n = apdu.n < MT_PCSC_APDU_MAX ? apdu.n : MT_PCSC_APDU_MAX;

	memcpy(out, apdu.p, n);
	if (!t0)
		return n;
	if (n == 4)
		out[n++] = 0x00;
	else if (n > 5 && n == 6u + out[4])
		n--;
	return n;
}

/* --- on the loop */

static void
on_result(void *arg)
{
	struct result *r = arg;
	struct pcsc *p = r->p;

	switch (r->verb) {
	case CONNECT:
		if (strcmp(r->reader, p->name) != 0)
			break;		/* it went meanwhile */
		if (r->rc == RC_OK)
			mt_uicc_card(p->u, true);
		break;
	case TRANSMIT:
		mt_uicc_answered(p->u, r->rc, span_of(r->data, r->n));
		break;
	default:
		break;
	}
	explicit_bzero(r, sizeof *r);
	free(r);
}

/* Order is kept: what is asked first is done first. */
static enum rc
give(struct pcsc *p, enum verb verb, const char *reader, struct span apdu)
{
	struct job *j = calloc(1, sizeof *j);

	if (j == NULL || apdu.n > sizeof j->apdu) {
		free(j);
		return RC_NOMEM;
	}
	j->verb = verb;
	if (reader != NULL)
		(void)span_to_str(span_str(reader), j->reader, sizeof j->reader);
	if (apdu.n > 0)
		memcpy(j->apdu, apdu.p, apdu.n);
	j->n = apdu.n;
	pthread_mutex_lock(&p->lock);
	STAILQ_INSERT_TAIL(&p->jobs, j, entry);
	pthread_cond_signal(&p->more);
	pthread_mutex_unlock(&p->lock);
	return RC_OK;
}

#define NO_APDU ((struct span){ NULL, 0 })

static void
on_watched(void *arg, const char *reader, uint64_t serial)
{
	struct pcsc *p = arg;

	if (strcmp(reader, p->name) == 0 && serial == p->serial)
		return;
	if (p->name[0] != '\0') {
		log_info("card: it was taken out of '%s'", p->name);
		mt_uicc_card(p->u, false);
		(void)!give(p, DISCONNECT, NULL, NO_APDU);
	}
	(void)span_to_str(span_str(reader), p->name, sizeof p->name);
	p->serial = serial;
	if (reader[0] == '\0')
		return;
	log_info("card: there is one in '%s'", reader);
	(void)!give(p, CONNECT, reader, NO_APDU);
}

static enum rc
pcsc_transmit(void *reader, struct span apdu)
{
	struct pcsc *p = reader;

	return give(p, TRANSMIT, NULL, apdu) == RC_OK ? RC_OK : RC_IO;
}

static void
pcsc_exclusive(void *reader, bool on)
{
	struct pcsc *p = reader;

	(void)!give(p, on ? BEGIN : END, NULL, NO_APDU);
}

static const char *
pcsc_name(void *reader)
{
	const struct pcsc *p = reader;

	return p->name;
}

/* --- the worker */

static void
disconnect(struct pcsc *p)
{
	if (p->connected)
		SCardDisconnect(p->card, SCARD_RESET_CARD);
	p->connected = false;
}

static enum rc
connect_card(struct pcsc *p, const char *reader)
{
	LONG e;

	disconnect(p);
	if (p->has_ctx)
		SCardReleaseContext(p->ctx);		/* a pcscd that was started anew does not know the old one */
	p->has_ctx = (e = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &p->ctx)) == SCARD_S_SUCCESS;
	if (!p->has_ctx)
		goto out;
	e = SCardConnect(p->ctx, reader, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &p->card, &p->protocol);
	p->connected = e == SCARD_S_SUCCESS;
out:
	if (e != SCARD_S_SUCCESS)
		log_warn("card: '%s' cannot be used: %s", reader, pcsc_stringify_error(e));
	return e == SCARD_S_SUCCESS ? RC_OK : RC_IO;
}

/* Another program may have reset it: that is its right between two of our transactions. */
static void
begin(struct pcsc *p)
{
	LONG e = p->connected ? SCardBeginTransaction(p->card) : SCARD_E_NO_SMARTCARD;

	if (e == SCARD_W_RESET_CARD && (e = SCardReconnect(p->card, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1,
	    SCARD_LEAVE_CARD, &p->protocol)) == SCARD_S_SUCCESS)
		e = SCardBeginTransaction(p->card);
	if (e != SCARD_S_SUCCESS && e != SCARD_E_NO_SMARTCARD && e != SCARD_W_REMOVED_CARD)
		log_warn("card: no transaction: %s", pcsc_stringify_error(e));
}

static void
transmit(struct pcsc *p, const struct job *j, struct result *r)
{
	bool t0 = p->protocol == SCARD_PROTOCOL_T0;
	uint8_t cmd[MT_PCSC_APDU_MAX];
	DWORD n = sizeof r->data;
	LONG e;

	r->rc = RC_IO;
	if (!p->connected)
		return;
	e = SCardTransmit(p->card, t0 ? SCARD_PCI_T0 : SCARD_PCI_T1, cmd, mt_pcsc_tpdu(t0, span_of(j->apdu, j->n), cmd), NULL,
	    r->data, &n);
	explicit_bzero(cmd, sizeof cmd);
	if (e == SCARD_S_SUCCESS) {
		r->rc = RC_OK;
		r->n = n;
	} else if (e != SCARD_E_NO_SMARTCARD && e != SCARD_W_REMOVED_CARD) {
		log_warn("card: %s", pcsc_stringify_error(e));
	}
}

/* A result that the loop has to have. There is room, unless the loop has not turned for as many insertions. */
static void
tell(struct pcsc *p, struct result *r)
{
	while (post(p->post, on_result, r) != RC_OK)
		sched_yield();
}

static void
do_job(struct pcsc *p, const struct job *j)
{
	struct result *r = NULL;

	if (j->verb == CONNECT || j->verb == TRANSMIT) {
		while ((r = calloc(1, sizeof *r)) == NULL)
			;		/* an answer that never comes would hold the card for good */
		r->p = p;
		r->verb = j->verb;
		memcpy(r->reader, j->reader, sizeof r->reader);
	}
	switch (j->verb) {
	case CONNECT:
		r->rc = connect_card(p, j->reader);
		break;
	case TRANSMIT:
		transmit(p, j, r);
		break;
	case BEGIN:
		begin(p);
		break;
	case END:
		if (p->connected)
			SCardEndTransaction(p->card, SCARD_LEAVE_CARD);
		break;
	default:
		disconnect(p);
		break;
	}
	if (r != NULL)
		tell(p, r);
}

static void *
work(void *arg)
{
	struct pcsc *p = arg;
	bool quit = false;

	while (!quit) {
		struct job *j;

		pthread_mutex_lock(&p->lock);
		while ((j = STAILQ_FIRST(&p->jobs)) == NULL)
			pthread_cond_wait(&p->more, &p->lock);
		STAILQ_REMOVE_HEAD(&p->jobs, entry);
		pthread_mutex_unlock(&p->lock);
		quit = j->verb == QUIT;
		do_job(p, j);
		explicit_bzero(j, sizeof *j);		/* may have held the PIN */
		free(j);
	}
	if (p->has_ctx)
		SCardReleaseContext(p->ctx);
	mt_pcsc_thread_over(&p->worker);
	return NULL;
}

/* --- its life */

/* false: a card holds the worker; what it uses is left to the end of the process. */
static bool
end_worker(struct pcsc *p)
{
	return !p->worker.runs || (give(p, QUIT, NULL, NO_APDU) == RC_OK && mt_pcsc_thread_join(&p->worker));
}

static void
pcsc_free(void *reader)
{
	struct pcsc *p = reader;
	bool watch_ended = mt_pcsc_watch_stop(p->watch);
	bool ended = end_worker(p);
	struct job *j;

	if (!ended || !watch_ended) {
		log_warn("card: the reader does not give up a call; it is left behind");
		return;
	}
	post_free(p->post);
	mt_pcsc_watch_free(p->watch);
	while ((j = STAILQ_FIRST(&p->jobs)) != NULL) {
		STAILQ_REMOVE_HEAD(&p->jobs, entry);
		free(j);
	}
	pthread_cond_destroy(&p->more);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static const struct mt_uicc_reader pcsc_reader = { .transmit = pcsc_transmit, .exclusive = pcsc_exclusive, .free = pcsc_free,
    .kind = "pcsc", .name = pcsc_name };

enum rc
mt_uicc_pcsc_new(struct loop *loop, struct clock *clock, const char *reader, struct mt_uicc **out)
{
	struct mt_uicc *u = NULL;
	struct pcsc *p;
	enum rc rc;

	if ((p = calloc(1, sizeof *p)) == NULL)
		return RC_NOMEM;
	STAILQ_INIT(&p->jobs);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	if ((rc = post_new(loop, POSTS_MAX, &p->post)) != RC_OK || (rc = mt_uicc_new(clock, &pcsc_reader, p, 0, &u)) != RC_OK) {
		pcsc_free(p);
		return rc;
	}
	p->u = u;
	if ((rc = mt_pcsc_thread_start(&p->worker, work, p)) != RC_OK || (rc = mt_pcsc_watch_new(p->post, reader, on_watched, p, &p->watch)) != RC_OK) {
		mt_uicc_free(u);
		return rc;
	}
	*out = u;
	return RC_OK;
}
