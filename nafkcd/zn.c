/*
 * zn: Bootstrapping-Info over Diameter, the Key Center's end.                         TS 29.109 5.2, 6; TS 33.220 4.5.3; N3
 *
 *	NAF Key Center                                     BSF
 *	 | BIR: B-TID, NAF-Id ---------------------------> |
 *	 | <--- BIA 2001: Ks_(ext)_NAF, expiry ----------- |  kept in memory for a while (kscache.c)
 *	 |      5402: this NAF may not                     |  → 403 refused
 *	 |      5403: B-TID unknown or over                |  → 403 bootstrap-again
 *	 |      3xxx, others, no answer                    |  → 503
 *
 * No GBA_U-Awareness-Indicator is sent; UICC-Key-Material that comes all the same is cleansed unread. Time-outs and the second
 * peer are the node's (diameter_peer.h). Many may wait for one BIR.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/diameter_peer.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/timeguard.h"
#include "common/turn.h"
#include "common/zn_msg.h"
#include "nafkcd/core.h"

#include <utlist.h>

#define WAITERS_MAX 4096

struct waiter {			/* one Key Request */
	struct waiter *next;
	nafkc_on_ks *fn;
	void *arg;
};

struct flight {			/* one BIR */
	struct flight *prev, *next;
	struct nafkc_zn *z;	/* NULL: the core has gone while this one waited in the outbox */
	bool queued;		/* in the turn's outbox */
	char session_id[DIA_SESSION_ID_MAX + 1];
	struct btid btid;
	struct naf_id naf_id;
	struct dia_call *call;
	struct waiter *waiters;
	int64_t began_ms;
};

struct nafkc_zn {
	struct nafkc *k;
	struct dia_node *node;
	struct link_tls *tls;
	struct zn_self self;
	struct flight *flights;
	size_t n_waiters;
};

/* --- BIR out */

/* Step 13 of scenario 1: on its way, and, with a result, answered. */
static void
trace(const struct flight *f, const char *result, int64_t dur_us)
{
	char naf_id[NAF_ID_TEXT_MAX + 1];
	struct trace_event e = { .step = 13, .from = "nafkcd", .to = "bsfd", .msg = "BIR", .btid = f->btid.s, .naf_id = naf_id,
	    .session_id = f->session_id, .result = result, .dur_us = dur_us };

	naf_id_print(&f->naf_id, naf_id);
	trace_emit(f->z->k->s.trace, &e);
}

static void
flight_free(struct flight *f)
{
	struct waiter *w;

	while ((w = f->waiters) != NULL) {
		LL_DELETE(f->waiters, w);
		f->z->n_waiters--;
		free(w);
	}
	DL_DELETE(f->z->flights, f);
	dia_cancel(f->call);
	if (f->queued)
		f->z = NULL;
	else
		free(f);
}

/* Tells everybody who waits, and ends it. The flight is out of the list first: who asks again from its callback starts anew. */
static void
land(struct flight *f, enum reason why, const struct nafkc_ks *ks)
{
	struct nafkc_zn *z = f->z;
	struct waiter *w, *waiters = f->waiters;
	int64_t dur_us = (clock_mono_ms(z->k->s.clock) - f->began_ms) * 1000;

	trace(f, why == REASON_NONE ? "ok" : reason_get(why)->code, dur_us);
	f->waiters = NULL;
	flight_free(f);
	while ((w = waiters) != NULL) {
		LL_DELETE(waiters, w);
		z->n_waiters--;
		w->fn(w->arg, why, ks);
		free(w);
	}
}

/* --- BIA in */

static enum reason
result_reason(const struct zn_bia *b)
{
	if (b->experimental && b->result == DIA_X_NOT_AUTHORIZED)
		return REASON_ZN_NOT_AUTHORIZED;
	if (b->experimental && b->result == DIA_X_TRANSACTION_IDENTIFIER_INVALID)
		return REASON_ZN_BTID_INVALID;
	return b->result == DIA_SUCCESS && !b->experimental ? REASON_NONE : REASON_ZN_REFUSED;
}

static void
on_answer(void *arg, const struct dia_msg *m, enum reason why)
{
	struct flight *f = arg;
	struct nafkc *k = f->z->k;
	struct zn_bia bia = { 0 };
	struct dia_fault fault = { 0 };
	struct nafkc_ks ks;
	char naf_id[NAF_ID_TEXT_MAX + 1], detail[256] = "";

	f->call = NULL;
	if (m != NULL) {
		if (zn_bia_parse(m, false, &bia, &fault) != RC_OK) {
			why = REASON_ZN_BAD_ANSWER;
			snprintf(detail, sizeof(detail), "%s", fault.text);
		} else if (strcmp(bia.session_id, f->session_id) != 0 && bia.session_id[0] != '\0') {
			why = REASON_ZN_BAD_ANSWER;
			snprintf(detail, sizeof(detail), "another Session-Id than was asked with");
		} else {
			why = result_reason(&bia);
			snprintf(detail, sizeof(detail), "result=%u %s", bia.result, bia.error_message);
		}
	}
	ks = (struct nafkc_ks){ bia.me_key, bia.expires_s, bia.user_name };
	naf_id_print(&f->naf_id, naf_id);
	if (why != REASON_NONE)
		log_reason(why, "zn: btid=%s naf_id=%s session=%s %s", f->btid.s, naf_id, f->session_id, detail);
	else
		nafkc_kscache_put(k->kscache, &f->btid, &f->naf_id, &ks, timeguard_now(k->s.guard));
	land(f, why, why == REASON_NONE ? &ks : NULL);
	zn_bia_free(&bia);
}

/* Where to: the realm of the first peer that is up, else of the first. */
static const char *
realm_now(const struct nafkc_zn *z, struct dia_peer_info *info)
{
	size_t n = dia_node_peers(z->node, info, DIA_PEERS_MAX);

	for (size_t i = 0; i < n && i < DIA_PEERS_MAX; i++)
		if (info[i].state == DIA_OPEN || info[i].state == DIA_REOPEN)
			return info[i].realm;
	return z->k->conf.zn.peers[0].realm;
}

/* Out with the turn, as everything. */
static void
depart(void *arg, enum rc rc)
{
	struct flight *f = arg;
	struct nafkc_zn *z = f->z;
	struct dia_peer_info info[DIA_PEERS_MAX];
	struct dia_buf buf = { 0 };
	enum reason why = REASON_INTERNAL;
	struct zn_bir bir;

	f->queued = false;
	if (z == NULL) {
		free(f);
		return;
	}
	bir = (struct zn_bir){ .btid = f->btid, .naf_id = f->naf_id };
	memcpy(bir.session_id, f->session_id, sizeof(bir.session_id));
	snprintf(bir.dest_realm, sizeof(bir.dest_realm), "%s", realm_now(z, info));
	if (rc != RC_OK)
		why = REASON_NOT_DURABLE;
	else if ((rc = zn_bir_print(&bir, &z->self, &buf)) == RC_OK) {
		rc = dia_request(z->node, bir.dest_realm, NULL, &buf, z->k->conf.zn.timeout_s * 1000, on_answer, f, &f->call);
		if (rc == RC_LIMIT)
			why = REASON_ZN_BUSY;
		else if (rc == RC_STATE)
			why = REASON_STOPPING;
	}
	dia_buf_free(&buf);
	if (rc != RC_OK) {
		log_reason(why, "zn: btid=%s: %s", f->btid.s, rc_str(rc));
		land(f, why, NULL);
		return;
	}
	metric_add(z->k->count.birs, 1);
}

static struct flight *
find(struct nafkc_zn *z, const struct btid *btid, const struct naf_id *naf_id)
{
	struct flight *f;

	DL_FOREACH(z->flights, f)
		if (strcmp(f->btid.s, btid->s) == 0 && naf_id_eq(&f->naf_id, naf_id))
			return f;
	return NULL;
}

enum rc
nafkc_zn_ask(struct nafkc_zn *z, const struct btid *btid, const struct naf_id *naf_id, nafkc_on_ks *fn, void *arg)
{
	struct flight *f = find(z, btid, naf_id);
	struct waiter *w;

	if (z->n_waiters >= WAITERS_MAX)
		return RC_LIMIT;
	if ((w = calloc(1, sizeof(*w))) == NULL)
		return RC_NOMEM;
	*w = (struct waiter){ .fn = fn, .arg = arg };
	if (f == NULL) {
		if ((f = calloc(1, sizeof(*f))) == NULL) {
			free(w);
			return RC_NOMEM;
		}
		f->z = z;
		f->btid = *btid;
		f->naf_id = *naf_id;
		f->began_ms = clock_mono_ms(z->k->s.clock);
		dia_session_id(z->node, f->session_id);
		DL_APPEND(z->flights, f);
		f->queued = true;
		turn_later(z->k->s.turn, depart, f);
	}
	LL_APPEND(f->waiters, w);
	z->n_waiters++;
	return RC_OK;
}

/* --- peers */

static bool
is_up(enum dia_state s)
{
	return s == DIA_OPEN || s == DIA_REOPEN || s == DIA_SUSPECT;
}

bool
nafkc_zn_peer_up(const struct nafkc_zn *z, const char *identity)
{
	struct dia_peer_info info[DIA_PEERS_MAX];
	size_t n = dia_node_peers(z->node, info, DIA_PEERS_MAX);

	for (size_t i = 0; i < n && i < DIA_PEERS_MAX; i++)
		if (is_up(info[i].state) && (identity == NULL || strcmp(info[i].host, identity) == 0))
			return true;
	return false;
}

static void
on_peer(const char *host, bool up, void *arg)
{
	struct nafkc_zn *z = arg;

	log_info("zn: peer=%s is %s", host, up ? "up" : "down");
	if (up)
		nafkc_ops_on_peer(z->k, host);
}

void
nafkc_zn_status(const struct nafkc_zn *z, json_t *o)
{
	struct dia_peer_info info[DIA_PEERS_MAX];
	size_t n = dia_node_peers(z->node, info, DIA_PEERS_MAX);
	json_t *peers = json_array();
	struct dia_counts c;

	for (size_t i = 0; i < n && i < DIA_PEERS_MAX; i++)
		(void)json_array_append_new(peers, json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:I}", "peer", info[i].host,
		    "realm", info[i].realm, "state", dia_state_name(info[i].state), "address", info[i].address, "tls", (int)info[i].tls,
		    "last", info[i].last == REASON_NONE ? "" : reason_get(info[i].last)->code, "requests", (json_int_t)info[i].requests_out));
	(void)json_object_set_new(o, "peers", peers);
	dia_node_counts(z->node, &c);
	(void)json_object_set_new(o, "zn_requests", json_integer((json_int_t)c.requests_out));
	(void)json_object_set_new(o, "zn_counts", json_pack("{s:I, s:I, s:I, s:I, s:I}", "answers", (json_int_t)c.answers_in,
	    "timeouts", (json_int_t)c.timeouts, "failovers", (json_int_t)c.failovers, "orphans", (json_int_t)c.orphans,
	    "malformed", (json_int_t)c.malformed));
}

/* --- life */

static enum rc
make_node(struct nafkc_zn *z)
{
	const struct nafkc *k = z->k;
	size_t n = k->conf.zn.n_peers;
	struct dia_peer_conf *peers = calloc(n + 1, sizeof(*peers));
	char (*address)[128] = calloc(n + 1, sizeof(*address));
	struct dia_seams seams = { .clock = k->s.clock, .rnd = k->s.rnd, .net = k->s.net };
	struct dia_node_cb cb = { .on_peer = on_peer };
	struct dia_conf conf = { .host = z->self.host, .realm = z->self.realm, .product = "kslocal-nafkcd", .peers = peers, .n_peers = n,
	    .origin_state_id = (uint32_t)clock_now_s(k->s.clock), .watchdog_ms = k->conf.zn.watchdog_s * 1000 };
	enum rc rc = RC_NOMEM;

	if (peers == NULL || address == NULL)
		goto out;
	for (size_t i = 0; i < n; i++) {
		const struct nafkc_peer_conf *p = &k->conf.zn.peers[i];

		snprintf(address[i], sizeof(address[i]), "tcp:%s", p->address);
		peers[i] = (struct dia_peer_conf){ .host = p->identity, .realm = p->realm, .address = address[i],
		    .tls = p->tls ? z->tls : NULL, .insecure = p->insecure };
	}
	rc = dia_node_new(&seams, &conf, &cb, z, &z->node);
out:
	free(peers);
	free(address);
	return rc;
}

static bool
any_tls(const struct nafkc_conf *c)
{
	for (size_t i = 0; i < c->zn.n_peers; i++)
		if (c->zn.peers[i].tls)
			return true;
	return false;
}

enum rc
nafkc_zn_reload(struct nafkc_zn *z)
{
	const char *crl = z->k->conf.zn.crl;

	return z->tls != NULL && crl != NULL ? link_tls_use_crl(z->tls, crl) : RC_OK;
}

enum rc
nafkc_zn_new(struct nafkc *k, struct nafkc_zn **out)
{
	struct nafkc_zn *z = calloc(1, sizeof(*z));
	enum rc rc = RC_NOMEM;

	if (z == NULL)
		goto out;
	z->k = k;
	z->self = (struct zn_self){ k->conf.zn.host, k->conf.zn.realm };
	rc = RC_OK;
	if (any_tls(&k->conf))
		rc = link_tls_new(k->conf.zn.cert, k->conf.zn.key, k->conf.zn.ca, k->s.clock, &z->tls);
	if (rc == RC_OK)
		rc = nafkc_zn_reload(z);
	if (rc != RC_OK || (rc = make_node(z)) != RC_OK)
		goto out;
	*out = z;
	z = NULL;
out:
	nafkc_zn_free(z);
	return rc;
}

enum rc
nafkc_zn_start(struct nafkc_zn *z)
{
	return dia_node_start(z->node);
}

void
nafkc_zn_stop(struct nafkc_zn *z, void (*done)(void *arg), void *arg)
{
	dia_node_stop(z->node, done, arg);
}

void
nafkc_zn_free(struct nafkc_zn *z)
{
	if (z == NULL)
		return;
	while (z->flights != NULL)
		flight_free(z->flights);
	dia_node_free(z->node);
	link_tls_free(z->tls);
	free(z);
}
