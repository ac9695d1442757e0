/*
 * http_server_tls: certificates of both ends on the server's side, by GnuTLS.
 *
 * Why this much by hand: libmicrohttpd only requests a client certificate; GnuTLS's own verification ends in a bare EOF for the
 * client (the alert must be sent inside the verify function); and a resumed session calls no verify function at all, so that the
 * chain is judged again at each request.
 */
#include "common/http_server_tls.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/pemfile.h"

#define CHAIN_MAX 8
#define CACHE_SLOTS 512
#define GOOD_FOR_S 60		/* a good verdict is looked at again after this long, for the anchors' own expiry */

/* TS 33.210 6.2: TLS 1.2 and 1.3, AEAD and ephemeral keys only. */
const char tls_priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-128-GCM:"
    "+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE";

/* What files said at one time. Never changes; freed with its last user. */
struct tls_set {
	atomic_uint refs;
	uint64_t generation;
	gnutls_pcert_st own[CHAIN_MAX];
	unsigned n_own;
	gnutls_privkey_t key;
	gnutls_x509_trust_list_t trust;		/* NULL: clients need no certificate */
};

/* A chain that was good once: by the set of that generation, from .. until. */
struct good {
	uint8_t chain[32];
	uint64_t generation;
	int64_t from, until;
};

struct tls_server {
	char *cert_file, *key_file, *ca_file, *crl_file, *name;
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

static void
set_unref(struct tls_set *s)
{
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	for (unsigned i = 0; i < s->n_own; i++)
		gnutls_pcert_deinit(&s->own[i]);
	if (s->key != NULL)
		gnutls_privkey_deinit(s->key);
	if (s->trust != NULL)
		gnutls_x509_trust_list_deinit(s->trust, 1);
	free(s);
}

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

static enum rc
bad_file(const char *file, const char *what, int err)
{
	log_error("%s: no %s: %s", file, what, gnutls_strerror(err));
	return err == GNUTLS_E_MEMORY_ERROR ? RC_NOMEM : RC_SYNTAX;
}

static gnutls_datum_t
pem_datum(const struct pemfile *f)
{
	return (gnutls_datum_t){ (unsigned char *)f->p, (unsigned)f->n };
}

/* The private key must be the certificate's: better said at start than as every client's handshake failure. */
static bool
key_fits(const struct tls_set *s)
{
	uint8_t a[32], b[32];
	size_t an = sizeof(a), bn = sizeof(b);
	gnutls_pubkey_t pub = NULL;
	bool fits = false;

	if (gnutls_pubkey_init(&pub) != 0)
		goto out;
	if (gnutls_pubkey_import_privkey(pub, s->key, 0, 0) != 0 ||
	    gnutls_pubkey_get_key_id(pub, GNUTLS_KEYID_USE_SHA256, a, &an) != 0 ||
	    gnutls_pubkey_get_key_id(s->own[0].pubkey, GNUTLS_KEYID_USE_SHA256, b, &bn) != 0)
		goto out;
	fits = an == bn && memcmp(a, b, an) == 0;
out:
	if (pub != NULL)
		gnutls_pubkey_deinit(pub);
	return fits;
}

static enum rc
load_own(const struct tls_server *t, struct tls_set *s)
{
	struct pemfile cert = { NULL, 0 }, key = { NULL, 0 };
	unsigned n = CHAIN_MAX;
	gnutls_datum_t d;
	enum rc rc;
	int err;

	if ((rc = pemfile_read(t->cert_file, false, &cert)) != RC_OK || (rc = pemfile_read(t->key_file, true, &key)) != RC_OK)
		goto out;
	d = pem_datum(&cert);
	if ((err = gnutls_pcert_list_import_x509_raw(s->own, &n, &d, GNUTLS_X509_FMT_PEM, 0)) < 0) {
		rc = bad_file(t->cert_file, "certificate chain in PEM", err);
		goto out;
	}
	s->n_own = n;
	d = pem_datum(&key);
	if ((err = gnutls_privkey_init(&s->key)) < 0 ||
	    (err = gnutls_privkey_import_x509_raw(s->key, &d, GNUTLS_X509_FMT_PEM, NULL, 0)) < 0) {
		rc = bad_file(t->key_file, "private key in PEM", err);
		goto out;
	}
	if (!key_fits(s)) {
		log_error("%s: is not the private key of %s", t->key_file, t->cert_file);
		rc = RC_SYNTAX;
	}
out:
	pemfile_free(&cert);
	pemfile_free(&key);
	return rc;
}

static enum rc
load_trust(const struct tls_server *t, struct tls_set *s)
{
	struct pemfile ca = { NULL, 0 }, crl = { NULL, 0 };
	gnutls_datum_t d;
	enum rc rc;
	int n;

	if (t->ca_file == NULL)
		return RC_OK;
	if ((rc = pemfile_read(t->ca_file, false, &ca)) != RC_OK)
		goto out;
	if ((n = gnutls_x509_trust_list_init(&s->trust, 0)) < 0) {
		rc = RC_NOMEM;
		goto out;
	}
	d = pem_datum(&ca);
	if ((n = gnutls_x509_trust_list_add_trust_mem(s->trust, &d, NULL, GNUTLS_X509_FMT_PEM, 0, 0)) <= 0) {
		rc = bad_file(t->ca_file, "CA certificate in PEM", n);
		goto out;
	}
	if (t->crl_file == NULL)
		goto out;
	if ((rc = pemfile_read(t->crl_file, false, &crl)) != RC_OK)
		goto out;
	d = pem_datum(&crl);
	/* GNUTLS_TL_VERIFY_CRL: one that none of these CAs signed would be believed otherwise */
	n = gnutls_x509_trust_list_add_trust_mem(s->trust, NULL, &d, GNUTLS_X509_FMT_PEM, GNUTLS_TL_VERIFY_CRL, 0);
	if (n <= 0)
		rc = bad_file(t->crl_file, "CRL in PEM signed by a CA of client_ca", n < 0 ? n : GNUTLS_E_NO_CERTIFICATE_FOUND);
out:
	pemfile_free(&ca);
	pemfile_free(&crl);
	return rc;
}

static enum rc
set_load(const struct tls_server *t, uint64_t generation, struct tls_set **out)
{
	struct tls_set *s = calloc(1, sizeof(*s));
	enum rc rc = RC_NOMEM;

	if (s == NULL)
		goto out;
	atomic_init(&s->refs, 1);
	s->generation = generation;
	if ((rc = load_own(t, s)) != RC_OK || (rc = load_trust(t, s)) != RC_OK)
		goto out;
	*out = s;
	s = NULL;
out:
	set_unref(s);
	return rc;
}

enum rc
tls_server_reload(struct tls_server *t)
{
	struct tls_set *s = NULL, *old;
	enum rc rc = set_load(t, t->set == NULL ? 1 : t->set->generation + 1, &s);

	if (rc != RC_OK)
		return rc;
	pthread_mutex_lock(&t->lock);
	old = t->set;
	t->set = s;
	pthread_mutex_unlock(&t->lock);
	set_unref(old);
	return RC_OK;
}

static bool
copy_name(const char *from, char **to)
{
	return from == NULL || (*to = strdup(from)) != NULL;
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
	if (!copy_name(files->cert_file, &t->cert_file) || !copy_name(files->key_file, &t->key_file) ||
	    !copy_name(files->client_ca_file, &t->ca_file) || !copy_name(files->client_crl_file, &t->crl_file) ||
	    !copy_name(name, &t->name))
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
	set_unref(t->set);
	if (t->ticket_key.data != NULL) {
		gnutls_memset(t->ticket_key.data, 0, t->ticket_key.size);
		gnutls_free(t->ticket_key.data);
	}
	pthread_mutex_destroy(&t->lock);
	free(t->cert_file);
	free(t->key_file);
	free(t->ca_file);
	free(t->crl_file);
	free(t->name);
	free(t);
}

uint64_t
tls_server_refused(struct tls_server *t)
{
	return atomic_load(&t->refused);
}

/* --- the verdict on a chain */

struct chain {
	gnutls_x509_crt_t crt[CHAIN_MAX];
	unsigned n;
};

static void
chain_deinit(struct chain *c)
{
	for (unsigned i = 0; i < c->n; i++)
		gnutls_x509_crt_deinit(c->crt[i]);
	c->n = 0;
}

static bool
chain_import(const gnutls_datum_t *der, unsigned n, struct chain *c)
{
	if (n > CHAIN_MAX)
		return false;
	for (c->n = 0; c->n < n; c->n++) {
		if (gnutls_x509_crt_init(&c->crt[c->n]) < 0)
			return false;
		if (gnutls_x509_crt_import(c->crt[c->n], &der[c->n], GNUTLS_X509_FMT_DER) < 0) {
			c->n++;
			return false;
		}
	}
	return n > 0;
}

static enum reason
status_reason(unsigned status)
{
	if (status & GNUTLS_CERT_REVOKED)
		return REASON_LINK_TLS_REVOKED;
	if (status & GNUTLS_CERT_EXPIRED)
		return REASON_LINK_TLS_EXPIRED;
	if (status & GNUTLS_CERT_NOT_ACTIVATED)
		return REASON_LINK_TLS_EARLY;
	if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA))
		return REASON_LINK_TLS_CA;
	return REASON_LINK_TLS_CERT;
}

/* ua-33222.md 2: a key usage, where there is one, must have digitalSignature. */
static bool
may_sign(gnutls_x509_crt_t leaf)
{
	unsigned usage = 0, critical;
	int err = gnutls_x509_crt_get_key_usage(leaf, &usage, &critical);

	return err == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE || (err == 0 && (usage & GNUTLS_KEY_DIGITAL_SIGNATURE) != 0);
}

static enum reason
chain_judge(const struct tls_set *s, struct chain *c, char *detail, size_t cap)
{
	gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT, 0 };
	gnutls_datum_t text = { NULL, 0 };
	unsigned status = 0;
	int err = gnutls_x509_trust_list_verify_crt2(s->trust, c->crt, c->n, &purpose, 1, 0, &status, NULL);

	if (err < 0) {
		snprintf(detail, cap, "%s", gnutls_strerror(err));
		return REASON_LINK_TLS_CERT;
	}
	if (status != 0) {
		if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) == 0)
			snprintf(detail, cap, "%s", (const char *)text.data);
		gnutls_free(text.data);
		return status_reason(status);
	}
	if (!may_sign(c->crt[0])) {
		snprintf(detail, cap, "its key usage lacks digitalSignature");
		return REASON_LINK_TLS_CERT;
	}
	return REASON_NONE;
}

static void
dn_text(int (*get)(gnutls_x509_crt_t, gnutls_datum_t *, unsigned), gnutls_x509_crt_t crt, char *out, size_t cap)
{
	gnutls_datum_t d = { NULL, 0 };

	out[0] = '\0';
	if (get(crt, &d, 0) == 0)
		log_text(span_of(d.data, d.size), out, cap);
	gnutls_free(d.data);
}

static void
say(struct tls_conn *c, enum reason why, gnutls_x509_crt_t leaf, const char *detail)
{
	char subject[256] = "", issuer[256] = "", serial[64] = "";
	uint8_t raw[20];
	size_t n = sizeof(raw);

	atomic_fetch_add(&c->server->refused, 1);
	if (leaf != NULL) {
		dn_text(gnutls_x509_crt_get_dn3, leaf, subject, sizeof(subject));
		dn_text(gnutls_x509_crt_get_issuer_dn3, leaf, issuer, sizeof(issuer));
		if (gnutls_x509_crt_get_serial(leaf, raw, &n) == 0)
			for (size_t i = 0; i < n; i++)
				snprintf(serial + 2 * i, sizeof(serial) - 2 * i, "%02x", raw[i]);
	}
	log_reason(why, "%s: peer=%s subject=\"%s\" issuer=\"%s\" serial=%s%s%s", c->server->name, c->address, subject, issuer,
	    serial, detail[0] != '\0' ? " detail=" : "", detail);
}

static void
peer_fill(const struct tls_set *s, struct tls_conn *c, struct chain *chain)
{
	struct http_peer *p = &c->peer;
	gnutls_x509_crt_t issuer = NULL;
	size_t n = sizeof(p->spki_sha256);

	if (gnutls_x509_crt_get_key_id(chain->crt[0], GNUTLS_KEYID_USE_SHA256, p->spki_sha256, &n) != 0 || n != 32)
		return;
	if (gnutls_x509_trust_list_get_issuer(s->trust, chain->crt[0], &issuer, 0) != 0)
		issuer = chain->n > 1 ? chain->crt[1] : NULL;
	n = sizeof(p->issuer_sha256);
	if (issuer == NULL || gnutls_x509_crt_get_key_id(issuer, GNUTLS_KEYID_USE_SHA256, p->issuer_sha256, &n) != 0)
		memset(p->issuer_sha256, 0, sizeof(p->issuer_sha256));
	dn_text(gnutls_x509_crt_get_dn3, chain->crt[0], p->subject, sizeof(p->subject));
	dn_text(gnutls_x509_crt_get_issuer_dn3, chain->crt[0], p->issuer, sizeof(p->issuer));
	p->has_cert = true;
	c->peer_known = true;
}

static bool
chain_hash(const gnutls_datum_t *der, unsigned n, uint8_t out[static 32])
{
	gnutls_hash_hd_t h;

	if (gnutls_hash_init(&h, GNUTLS_DIG_SHA256) < 0)
		return false;
	for (unsigned i = 0; i < n; i++)
		gnutls_hash(h, der[i].data, der[i].size);
	gnutls_hash_deinit(h, out);
	return true;
}

/* Look for, or with put keep, a good verdict. */
static bool
cache(struct tls_server *t, struct good *g, bool put)
{
	struct good *slot;
	uint32_t i;
	bool hit = false;

	memcpy(&i, g->chain, sizeof(i));
	slot = &t->cache[i % CACHE_SLOTS];
	pthread_mutex_lock(&t->lock);
	if (put)
		*slot = *g;
	else
		hit = slot->generation == g->generation && memcmp(slot->chain, g->chain, sizeof(g->chain)) == 0 &&
		    slot->from <= g->from && g->from <= slot->until;
	pthread_mutex_unlock(&t->lock);
	return hit;
}

static int64_t
chain_end(const struct chain *c, int64_t end)
{
	for (unsigned i = 0; i < c->n; i++) {
		int64_t e = (int64_t)gnutls_x509_crt_get_expiration_time(c->crt[i]);

		if (e < end)
			end = e;
	}
	return end;
}

/* The session's chain against set s, now. Says why not. */
static enum reason
judge(const struct tls_set *s, struct tls_conn *c)
{
	unsigned n = 0;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(c->session, &n);
	struct chain chain = { .n = 0 };
	struct good g = { .generation = s->generation, .from = (int64_t)led_time(NULL) };
	enum reason why = REASON_NONE;
	char detail[256] = "";
	bool hashed;

	if (s->trust == NULL)
		return REASON_NONE;
	if (der == NULL || n == 0) {
		say(c, REASON_LINK_TLS_NO_CERT, NULL, "");
		return REASON_LINK_TLS_NO_CERT;
	}
	hashed = chain_hash(der, n, g.chain);
	if (hashed && c->peer_known && cache(c->server, &g, false))
		goto out;
	if (!chain_import(der, n, &chain)) {
		why = REASON_LINK_TLS_CERT;
		snprintf(detail, sizeof(detail), "%u certificates that cannot be read", n);
	} else if (!hashed || !cache(c->server, &g, false)) {
		why = chain_judge(s, &chain, detail, sizeof(detail));
		if (why == REASON_NONE && hashed) {
			g.until = chain_end(&chain, g.from + GOOD_FOR_S);
			cache(c->server, &g, true);
		}
	}
	if (why != REASON_NONE)
		say(c, why, chain.n > 0 ? chain.crt[0] : NULL, detail);
	else if (!c->peer_known)
		peer_fill(s, c, &chain);
out:
	chain_deinit(&chain);
	return why;
}

enum reason
tls_conn_judge(struct tls_conn *c)
{
	struct tls_set *s = set_now(c->server);
	enum reason why = judge(s, c);

	set_unref(s);
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

/* An empty Certificate message: GnuTLS refuses it by itself (GNUTLS_CERT_REQUIRE), but without a word to the client. */
static int
on_certificate(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming, const gnutls_datum_t *msg)
{
	bool tls13 = gnutls_protocol_get_version(session) == GNUTLS_TLS1_3;
	struct tls_conn *c = conn_of(session);
	size_t empty = tls13 ? 4 : 3;	/* RFC 8446 4.4.2: context and list length; RFC 5246 7.4.2: list length */

	(void)type;
	(void)when;
	if (!incoming || msg->size > empty)
		return 0;
	if (c != NULL && c->server != NULL)
		say(c, REASON_LINK_TLS_NO_CERT, NULL, "");
	gnutls_alert_send(session, GNUTLS_AL_FATAL, tls13 ? GNUTLS_A_CERTIFICATE_REQUIRED : GNUTLS_A_HANDSHAKE_FAILURE);
	return GNUTLS_E_CERTIFICATE_REQUIRED;
}

void
tls_conn_begin(struct tls_conn *c, struct tls_server *t, gnutls_session_t session, const char *address)
{
	c->server = t;
	c->set = set_now(t);
	c->session = session;
	c->address = address;
	if (gnutls_session_ticket_enable_server(session, &t->ticket_key) < 0)
		log_warn("%s: peer=%s: session tickets cannot be switched on", t->name, address);
	if (c->set->trust == NULL)
		return;
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_function(session, verify);
	gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_CERTIFICATE_PKT, GNUTLS_HOOK_PRE, on_certificate);
}

void
tls_conn_end(struct tls_conn *c)
{
	set_unref(c->set);
	c->set = NULL;
	c->session = NULL;
}

void
tls_conn_send(struct tls_conn *c, const char *p, size_t n)
{
	if (c->session != NULL && gnutls_record_send(c->session, p, n) < 0)
		log_debug("%s: peer=%s: last word not sent", c->server->name, c->address);
}
