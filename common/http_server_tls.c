/*
 * http_server_tls: certificates of both ends on the server's side, by GnuTLS.
 *
 * Why this much by hand: libmicrohttpd only requests a client certificate; GnuTLS's own verification ends in a bare EOF for the
 * client (the alert must be sent inside the verify function); and a resumed session calls no verify function at all, so that the
 * chain is judged again at each request.
 */
#include "common/http_server_tls.h"

#include <gnutls/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/http_tls_chain.h"
#include "common/log.h"

#define CACHE_SLOTS 4096
#define GOOD_FOR_S 60		/* a good verdict is looked at again after this long, for the anchors' own expiry */
#define KEEPER 0xffb5		/* an extension of nobody's (RFC 8446 11: first octet 255), never sent */

/*
 * TS 33.210 6.2: TLS 1.2 and 1.3, AEAD and ephemeral keys only. X25519 first: it is what most clients send a share of, and another
 * one would cost them a second hello.
 */
const char tls_priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-128-GCM:"
    "+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"
    "+GROUP-SECP521R1:+GROUP-X448:%SERVER_PRECEDENCE";

/* A chain that was good once: by the set of that generation, from .. until; and whose it is. */
struct good {
	uint8_t chain[32];
	uint64_t generation;
	int64_t from, until;
	struct http_peer peer;		/* its address is some connection's */
};

struct tls_server {
	char *file[4], *name;			/* own copies behind files */
	struct http_server_tls files;
	struct clock *clock;
	gnutls_datum_t ticket_key;
	pthread_mutex_t lock;			/* set, cache */
	struct tls_set *set;
	struct good cache[CACHE_SLOTS];
	atomic_uint_fast64_t refused;
};

/* GnuTLS asks for the time without an argument, so the clock's lead over the kernel's is the process's (T3). */
static _Atomic int64_t wall_lead_s;

static time_t
led_time(time_t *t)
{
	time_t now = time(NULL) + (time_t)atomic_load_explicit(&wall_lead_s, memory_order_relaxed);

	if (t != NULL)
		*t = now;
	return now;
}

void
tls_server_tick(struct tls_server *t)
{
	if (clock_kind(t->clock) != CLOCK_REAL)
		atomic_store(&wall_lead_s, clock_now_s(t->clock) - (int64_t)time(NULL));
}

/* --- sets */

static struct tls_set *
set_now(struct tls_server *t)
{
	struct tls_set *s;

	pthread_mutex_lock(&t->lock);
	s = t->set;
	atomic_fetch_add(&s->refs, 1);
	pthread_mutex_unlock(&t->lock);
	return s;
}

enum rc
tls_server_reload(struct tls_server *t)
{
	struct tls_set *s = NULL, *old;
	enum rc rc = tls_set_load(&t->files, t->set == NULL ? 1 : t->set->generation + 1, &s);

	if (rc != RC_OK)
		return rc;
	pthread_mutex_lock(&t->lock);
	old = t->set;
	t->set = s;
	pthread_mutex_unlock(&t->lock);
	tls_set_unref(old);
	return RC_OK;
}

static bool
copy_files(struct tls_server *t, const struct http_server_tls *f)
{
	const char *const from[4] = { f->cert_file, f->key_file, f->client_ca_file, f->client_crl_file };

	for (int i = 0; i < 4; i++)
		if (from[i] != NULL && (t->file[i] = strdup(from[i])) == NULL)
			return false;
	t->files = (struct http_server_tls){ t->file[0], t->file[1], t->file[2], t->file[3] };
	return true;
}

enum rc
tls_server_new(const struct http_server_tls *files, struct clock *clock, const char *name, struct tls_server **out)
{
	struct tls_server *t = calloc(1, sizeof(*t));
	enum rc rc = RC_NOMEM;

	if (t == NULL)
		goto out;
	pthread_mutex_init(&t->lock, NULL);
	t->clock = clock;
	if (!copy_files(t, files) || (t->name = strdup(name)) == NULL)
		goto out;
	if (gnutls_session_ticket_key_generate(&t->ticket_key) < 0) {
		rc = RC_CRYPTO;
		goto out;
	}
	if ((rc = tls_server_reload(t)) != RC_OK)
		goto out;
	if (clock_kind(clock) != CLOCK_REAL)
		gnutls_global_set_time_function(led_time);
	tls_server_tick(t);
	*out = t;
	t = NULL;
out:
	tls_server_free(t);
	return rc;
}

void
tls_server_free(struct tls_server *t)
{
	if (t == NULL)
		return;
	tls_set_unref(t->set);
	if (t->ticket_key.data != NULL) {
		gnutls_memset(t->ticket_key.data, 0, t->ticket_key.size);
		gnutls_free(t->ticket_key.data);
	}
	pthread_mutex_destroy(&t->lock);
	for (int i = 0; i < 4; i++)
		free(t->file[i]);
	free(t->name);
	free(t);
}

uint64_t
tls_server_refused(struct tls_server *t)
{
	return atomic_load(&t->refused);
}

/* --- the verdict on a chain */

static void
say(struct tls_conn *c, enum reason why, const struct tls_chain *chain, const char *detail)
{
	char subject[256] = "", issuer[256] = "", serial[64] = "";
	uint8_t raw[20];
	size_t n = sizeof(raw);

	c->said = true;
	atomic_fetch_add(&c->server->refused, 1);
	if (chain != NULL && chain->n > 0) {
		tls_chain_subject(chain, subject, sizeof(subject));
		tls_chain_issuer(chain, issuer, sizeof(issuer));
		if (gnutls_x509_crt_get_serial(chain->crt[0], raw, &n) == 0)
			for (size_t i = 0; i < n; i++)
				snprintf(serial + 2 * i, sizeof(serial) - 2 * i, "%02x", raw[i]);
	}
	log_reason(why, "%s: peer=%s subject=\"%s\" issuer=\"%s\" serial=%s%s%s", c->server->name, c->address, subject, issuer,
	    serial, detail[0] != '\0' ? " detail=" : "", detail);
}

static struct good *
slot_of(struct tls_server *t, const struct good *g)
{
	uint32_t i;

	memcpy(&i, g->chain, sizeof(i));
	return &t->cache[i % CACHE_SLOTS];
}

static void
keep(struct tls_server *t, const struct good *g)
{
	pthread_mutex_lock(&t->lock);
	*slot_of(t, g) = *g;
	pthread_mutex_unlock(&t->lock);
}

/* A good verdict on g's chain, by its generation, at its from: sets until and peer. */
static bool
kept(struct tls_server *t, struct good *g)
{
	const struct good *slot = slot_of(t, g);
	bool hit;

	pthread_mutex_lock(&t->lock);
	hit = slot->generation == g->generation && memcmp(slot->chain, g->chain, sizeof(g->chain)) == 0 && slot->from <= g->from &&
	    g->from <= slot->until;
	if (hit) {
		g->until = slot->until;
		g->peer = slot->peer;
	}
	pthread_mutex_unlock(&t->lock);
	return hit;
}

static void
name_peer(struct tls_conn *c, const struct http_peer *p)
{
	if (c->peer_known)
		return;
	c->peer = *p;
	snprintf(c->peer.address, sizeof(c->peer.address), "%s", c->address);
	c->peer_known = p->has_cert;
}

/* The session's chain against set s, now. Says why not. */
static enum reason
judge(const struct tls_set *s, struct tls_conn *c)
{
	unsigned n = 0;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(c->session, &n);
	struct tls_chain chain = { .n = 0 };
	struct good g = { .generation = s->generation, .from = (int64_t)led_time(NULL) };
	enum reason why = REASON_NONE;
	char detail[256] = "";
	bool hashed;

	if (s->trust == NULL)
		return REASON_NONE;
	/* a session's chain is what it was: no renegotiation, no certificate after the handshake */
	if (c->peer_known && c->good_by == s->generation && c->good_from <= g.from && g.from <= c->good_until)
		return REASON_NONE;
	if (der == NULL || n == 0) {
		say(c, REASON_LINK_TLS_NO_CERT, NULL, "");
		return REASON_LINK_TLS_NO_CERT;
	}
	hashed = tls_chain_hash(der, n, g.chain);
	if (hashed && kept(c->server, &g))
		goto out;
	if (!tls_chain_import(der, n, &chain)) {
		why = REASON_LINK_TLS_CERT;
		snprintf(detail, sizeof(detail), "%u certificates that cannot be read", n);
	} else {
		why = tls_chain_judge(s, &chain, g.from, detail, sizeof(detail));
	}
	if (why != REASON_NONE) {
		say(c, why, &chain, detail);
	} else {
		tls_chain_peer(s, &chain, &g.peer);
		g.until = tls_chain_end(&chain, s->crl_end_s <= g.from + GOOD_FOR_S ? s->crl_end_s - 1 : g.from + GOOD_FOR_S);
		if (hashed)
			keep(c->server, &g);
	}
out:
	if (why == REASON_NONE)
		name_peer(c, &g.peer);
	if (why == REASON_NONE && hashed) {
		c->good_by = s->generation;
		c->good_from = g.from;
		c->good_until = g.until;
	}
	tls_chain_deinit(&chain);
	return why;
}

enum reason
tls_conn_judge(struct tls_conn *c)
{
	struct tls_set *s = set_now(c->server);
	enum reason why = judge(s, c);

	tls_set_unref(s);
	return why;
}

/* --- the handshake */

static struct tls_conn *
conn_of(gnutls_session_t session)
{
	/* libmicrohttpd keeps its connection in the session's pointer, and our socket context in the connection */
	struct MHD_Connection *m = gnutls_session_get_ptr(session);
	const union MHD_ConnectionInfo *i = m == NULL ? NULL : MHD_get_connection_info(m, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return i == NULL ? NULL : i->socket_context;
}

int
tls_own_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs, unsigned *n,
    gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp, gnutls_privkey_t *key, unsigned *flags)
{
	struct tls_conn *c = conn_of(session);

	(void)info;
	if (c == NULL || c->set == NULL)
		return -1;
	*certs = c->set->own;
	*n = c->set->n_own;
	*ocsp = NULL;
	*n_ocsp = 0;
	*key = c->set->key;
	*flags = 0;		/* the set keeps them as long as this connection lives */
	return 0;
}

static gnutls_alert_description_t
alert_for(enum reason why)
{
	switch (why) {
	case REASON_LINK_TLS_CA:
		return GNUTLS_A_UNKNOWN_CA;
	case REASON_LINK_TLS_EXPIRED:
	case REASON_LINK_TLS_EARLY:	/* RFC 8446 6.2: "expired or is not currently valid" */
		return GNUTLS_A_CERTIFICATE_EXPIRED;
	case REASON_LINK_TLS_REVOKED:
		return GNUTLS_A_CERTIFICATE_REVOKED;
	default:
		return GNUTLS_A_BAD_CERTIFICATE;
	}
}

static int
verify(gnutls_session_t session)
{
	struct tls_conn *c = conn_of(session);
	enum reason why;

	if (c == NULL || c->set == NULL)
		return GNUTLS_E_CERTIFICATE_ERROR;
	if ((why = judge(c->set, c)) == REASON_NONE)
		return 0;
	gnutls_alert_send(session, GNUTLS_AL_FATAL, alert_for(why));
	return GNUTLS_E_CERTIFICATE_ERROR;
}

/*
 * ua-33222.md 6: no TLS 1.1 and older. GnuTLS refuses those by itself, without a word to the client. A client that can do 1.2 or
 * 1.3 says 0303 here (RFC 8446 4.1.2); its versions stand first in the message.
 */
static int
on_hello(gnutls_session_t session, struct tls_conn *c, const gnutls_datum_t *msg)
{
	c->greeted = true;
	if (msg->size < 2 || msg->data[0] > 3 || (msg->data[0] == 3 && msg->data[1] >= 3))
		return 0;
	say(c, REASON_LINK_TLS_BROKEN, NULL, "TLS 1.1 and older are not spoken here");
	gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_PROTOCOL_VERSION);
	return GNUTLS_E_UNSUPPORTED_VERSION_PACKET;
}

/* An empty Certificate message: GnuTLS refuses it by itself (GNUTLS_CERT_REQUIRE), but without a word to the client. */
static int
on_certificate(gnutls_session_t session, struct tls_conn *c, const gnutls_datum_t *msg)
{
	bool tls13 = gnutls_protocol_get_version(session) == GNUTLS_TLS1_3;
	size_t empty = tls13 ? 4 : 3;	/* RFC 8446 4.4.2: context and list length; RFC 5246 7.4.2: list length */

	if (msg->size > empty)
		return 0;
	say(c, REASON_LINK_TLS_NO_CERT, NULL, "");
	gnutls_alert_send(session, GNUTLS_AL_FATAL, tls13 ? GNUTLS_A_CERTIFICATE_REQUIRED : GNUTLS_A_HANDSHAKE_FAILURE);
	return GNUTLS_E_CERTIFICATE_REQUIRED;
}

/* A certificate whose keyUsage forbids signing: GnuTLS refuses the proof without a word, before it asks verify(). */
static int
on_proof(gnutls_session_t session, struct tls_conn *c)
{
	unsigned n = 0, usage = 0, critical;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(session, &n);
	struct tls_chain chain = { .n = 0 };
	struct good g = { .generation = c->set->generation, .from = (int64_t)led_time(NULL) };
	/* a good chain passed here when it came first */
	bool bad = der != NULL && !(tls_chain_hash(der, n, g.chain) && kept(c->server, &g)) && tls_chain_import(der, n, &chain) &&
	    gnutls_x509_crt_get_key_usage(chain.crt[0], &usage, &critical) == 0 && (usage & GNUTLS_KEY_DIGITAL_SIGNATURE) == 0;

	if (bad) {
		say(c, REASON_LINK_TLS_CERT, &chain, "its keyUsage lacks digitalSignature");
		gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_BAD_CERTIFICATE);
	}
	tls_chain_deinit(&chain);
	return bad ? GNUTLS_E_KEY_USAGE_VIOLATION : 0;
}

/* GnuTLS has one hook for all messages. */
static int
on_message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming, const gnutls_datum_t *msg)
{
	struct tls_conn *c = conn_of(session);

	(void)when;
	if (!incoming || c == NULL || c->server == NULL)
		return 0;
	switch (type) {
	case GNUTLS_HANDSHAKE_CLIENT_HELLO:
		return on_hello(session, c, msg);
	case GNUTLS_HANDSHAKE_CERTIFICATE_PKT:
		return on_certificate(session, c, msg);
	case GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY:
		return on_proof(session, c);
	case GNUTLS_HANDSHAKE_FINISHED:
		c->finished = true;
		return 0;
	default:
		return 0;
	}
}

/* GnuTLS frees what an extension holds while the rest of the session still stands. */
static void
keep_alert(void *conn)
{
	struct tls_conn *c = conn;

	c->alert = (int)gnutls_alert_get(c->session);
}

static int
keeper_in(gnutls_session_t session, const unsigned char *p, size_t n)
{
	(void)session;
	(void)p;
	(void)n;
	return 0;
}

static int
keeper_out(gnutls_session_t session, gnutls_buffer_t out)
{
	(void)session;
	(void)out;
	return 0;
}

/*
 * libmicrohttpd frees the session before it says that the connection is closed, and says nothing of a handshake that failed. So
 * the client's last alert is fetched when the session goes: by an extension whose one purpose is its end.
 */
static void
watch_end(struct tls_conn *c)
{
	if (gnutls_session_ext_register(c->session, "kslocal end", KEEPER, GNUTLS_EXT_TLS, keeper_in, keeper_out, keep_alert, NULL, NULL,
	    GNUTLS_EXT_FLAG_CLIENT_HELLO | GNUTLS_EXT_FLAG_TLS) < 0) {
		log_warn("%s: peer=%s: its last alert will not be in the log", c->server->name, c->address);
		return;
	}
	gnutls_ext_set_data(c->session, KEEPER, c);
}

void
tls_conn_begin(struct tls_conn *c, struct tls_server *t, gnutls_session_t session, const char *address)
{
	c->server = t;
	c->set = set_now(t);
	c->session = session;
	c->address = address;
	c->alert = GNUTLS_A_CLOSE_NOTIFY;
	watch_end(c);
	if (gnutls_session_ticket_enable_server(session, &t->ticket_key) < 0)
		log_warn("%s: peer=%s: session tickets cannot be switched on", t->name, address);
	gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE, on_message);
	if (c->set->trust == NULL)
		return;
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_function(session, verify);
}

void
tls_conn_end(struct tls_conn *c)
{
	/* close_notify: none was understood; OpenSSL's clients say theirs of TLS 1.3 in plain text, which GnuTLS does not take */
	if (c->greeted && !c->finished && !c->said)
		say(c, reason_of_tls_alert(c->alert), NULL, c->alert != GNUTLS_A_CLOSE_NOTIFY ?
		    gnutls_alert_get_name((gnutls_alert_description_t)c->alert) :
		    "the client ended it half-way, perhaps because it does not accept our certificate");
	tls_set_unref(c->set);
	c->set = NULL;
	c->session = NULL;
}

void
tls_conn_send(struct tls_conn *c, const char *p, size_t n)
{
	if (c->session != NULL && gnutls_record_send(c->session, p, n) < 0)
		log_debug("%s: peer=%s: last word not sent", c->server->name, c->address);
}
