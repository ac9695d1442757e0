/* zn_node: listeners and peers of the BSF on Zn, and who waits for one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bsfd/core.h"
#include "bsfd/zn.h"
#include "common/clock.h"
#include "common/log.h"

#include <utlist.h>

#define LISTENERS 2	/* plain, TLS */

struct bsf_zn_wait {
	struct bsf_zn_wait *prev, *next;
	struct bsf_zn *z;
	char identity[FQDN_MAX + 1];	/* "" = any */
	void (*fn)(void *arg);
	void *arg;
};

static bool
is_up(enum dia_state s)
{
	return s == DIA_OPEN || s == DIA_REOPEN || s == DIA_SUSPECT;
}

bool
bsf_zn_peer_up(const struct bsf_zn *z, const char *identity)
{
	struct dia_peer_info info[DIA_PEERS_MAX];
	size_t n = z->node == NULL ? 0 : dia_node_peers(z->node, info, DIA_PEERS_MAX);

	for (size_t i = 0; i < n && i < DIA_PEERS_MAX; i++)
		if (is_up(info[i].state) && (identity == NULL || strcmp(info[i].host, identity) == 0))
			return true;
	return false;
}

enum rc
bsf_zn_wait_peer(struct bsf_zn *z, const char *identity, void (*fn)(void *arg), void *arg, struct bsf_zn_wait **out)
{
	struct bsf_zn_wait *w = calloc(1, sizeof *w);

	if (w == NULL)
		return RC_NOMEM;
	w->z = z;
	w->fn = fn;
	w->arg = arg;
	if (identity != NULL && !span_to_str(span_str(identity), w->identity, sizeof w->identity)) {
		free(w);
		return RC_RANGE;
	}
	DL_APPEND(z->waiting, w);
	*out = w;
	return RC_OK;
}

void
bsf_zn_wait_cancel(struct bsf_zn_wait *w)
{
	if (w == NULL)
		return;
	DL_DELETE(w->z->waiting, w);
	free(w);
}

static void
on_peer(const char *host, bool up, void *arg)
{
	struct bsf_zn *z = arg;
	struct bsf_zn_wait *w, *next;

	log_info("zn: peer=%s is %s", host, up ? "up" : "down");
	if (!up)
		return;
	DL_FOREACH_SAFE(z->waiting, w, next) {
		void (*fn)(void *) = w->fn;
		void *fn_arg = w->arg;

		if (w->identity[0] != '\0' && strcmp(w->identity, host) != 0)
			continue;
		bsf_zn_wait_cancel(w);
		fn(fn_arg);
	}
}

static void
count_members(const struct bsf_zn *z, json_t *o)
{
	struct dia_counts c;
	json_t *n;

	dia_node_counts(z->node, &c);
	n = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "requests", (json_int_t)c.requests_in, "answers", (json_int_t)c.answers_out,
	    "errors", (json_int_t)c.errors_out, "duplicates", (json_int_t)c.duplicates, "malformed", (json_int_t)c.malformed,
	    "refused_peers", (json_int_t)c.refused_peers);
	(void)json_object_set_new(o, "zn_counts", n);
	(void)json_object_set_new(o, "zn_requests", json_integer((json_int_t)c.requests_in));
}

void
bsf_zn_status(const struct bsf_zn *z, json_t *o)
{
	struct dia_peer_info info[DIA_PEERS_MAX];
	size_t n = dia_node_peers(z->node, info, DIA_PEERS_MAX);
	json_t *peers = json_array();

	for (size_t i = 0; i < n && i < DIA_PEERS_MAX; i++)
		(void)json_array_append_new(peers, json_pack("{s:s, s:s, s:s, s:s, s:b, s:I}", "peer", info[i].host,
		    "realm", info[i].realm, "state", dia_state_name(info[i].state), "address", info[i].address,
		    "tls", (int)info[i].tls, "requests", (json_int_t)info[i].requests_in));
	(void)json_object_set_new(o, "peers", peers);
	count_members(z, o);
}

/* --- life */

static enum rc
make_node(struct bsf_zn *z)
{
	const struct bsf *b = z->b;
	struct dia_listen_conf listen[LISTENERS] = { 0 };
	struct dia_peer_conf *peers = calloc(b->conf.zn.n_peers + 1, sizeof *peers);
	struct dia_seams seams = { .clock = b->s.clock, .rnd = b->s.rnd, .net = b->s.net };
	struct dia_node_cb cb = { .on_request = bsf_zn_on_request, .on_peer = on_peer };
	struct dia_conf conf = { .host = z->self.host, .realm = z->self.realm, .product = "kslocal-bsfd", .peers = peers,
	    .n_peers = b->conf.zn.n_peers, .listen = listen, .watchdog_ms = b->conf.zn.watchdog_s * 1000 };
	char plain[128], secure[128];
	enum rc rc;

	if (peers == NULL)
		return RC_NOMEM;
	for (size_t i = 0; i < b->conf.zn.n_peers; i++)
		peers[i] = (struct dia_peer_conf){ .host = b->conf.zn.peers[i].identity, .realm = b->conf.zn.peers[i].realm,
		    .relay = b->conf.zn.peers[i].relay, .insecure = b->conf.zn.insecure };
	if (b->conf.zn.listen != NULL) {
		(void)snprintf(plain, sizeof plain, "tcp:%s", b->conf.zn.listen);
		z->plain = (int)conf.n_listen;
		listen[conf.n_listen++] = (struct dia_listen_conf){ .address = plain, .insecure = b->conf.zn.insecure };
	}
	if (b->conf.zn.listen_tls != NULL) {
		(void)snprintf(secure, sizeof secure, "tcp:%s", b->conf.zn.listen_tls);
		z->secure = (int)conf.n_listen;
		listen[conf.n_listen++] = (struct dia_listen_conf){ .address = secure, .tls = z->tls };
	}
	conf.origin_state_id = (uint32_t)clock_now_s(b->s.clock);
	rc = dia_node_new(&seams, &conf, &cb, z, &z->node);
	free(peers);
	return rc;
}

enum rc
bsf_zn_new(struct bsf *b, struct bsf_zn **out)
{
	struct bsf_zn *z = calloc(1, sizeof *z);
	enum rc rc = RC_OK;

	if (z == NULL)
		return RC_NOMEM;
	z->b = b;
	z->self = (struct zn_self){ b->conf.zn.host, b->conf.zn.realm };
	z->plain = z->secure = -1;
	if (b->conf.zn.listen_tls != NULL)
		rc = link_tls_new(b->conf.zn.cert, b->conf.zn.key, b->conf.zn.ca, b->s.clock, &z->tls);
	if (rc == RC_OK)
		rc = bsf_zn_reload(z);
	if (rc == RC_OK)
		rc = make_node(z);
	if (rc != RC_OK) {
		bsf_zn_free(z);
		return rc;
	}
	*out = z;
	return RC_OK;
}

enum rc
bsf_zn_reload(struct bsf_zn *z)
{
	const char *crl = z->b->conf.zn.crl;

	return z->tls != NULL && crl != NULL ? link_tls_use_crl(z->tls, crl) : RC_OK;
}

enum rc
bsf_zn_start(struct bsf_zn *z)
{
	return dia_node_start(z->node);
}

void
bsf_zn_stop(struct bsf_zn *z, void (*done)(void *arg), void *arg)
{
	dia_node_stop(z->node, done, arg);
}

void
bsf_zn_free(struct bsf_zn *z)
{
	if (z == NULL)
		return;
	while (z->waiting != NULL)
		bsf_zn_wait_cancel(z->waiting);
	dia_node_free(z->node);
	link_tls_free(z->tls);
	free(z);
}

const char *
bsf_zn_bound(const struct bsf_zn *z, bool tls)
{
	int i = tls ? z->secure : z->plain;

	return i < 0 ? NULL : dia_node_address(z->node, (size_t)i);
}
