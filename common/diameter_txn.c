/* diameter_txn: requests of peers: judged as far as the base protocol goes, given to the user, answered. */
#include <stdlib.h>
#include <string.h>

#include "common/diameter_impl.h"
#include "common/log.h"

/* --- may it be heard? */

/* What routes a request, wherever it stands. */
struct route {
	struct dia_index ix;
	char origin_host[FQDN_MAX + 1], dest_realm[FQDN_MAX + 1], dest_host[FQDN_MAX + 1];
};

/* "" where there is none. */
static enum rc
read_name(const struct dia_index *ix, enum dia_id id, char out[static FQDN_MAX + 1], struct dia_fault *f)
{
	struct dia_avp a;

	out[0] = '\0';
	if (dia_second(ix, id, &a)) {
		dia_fault_avp(f, DIA_AVP_OCCURS_TOO_MANY_TIMES, &a, "%s occurs more than once", dia_def(id)->name);
		return RC_SYNTAX;
	}
	if (!dia_first(ix, id, &a) || dia_get_ident(&a, out) == RC_OK)
		return RC_OK;
	dia_fault_avp(f, DIA_INVALID_AVP_VALUE, &a, "%s has an invalid value", dia_def(id)->name);
	return RC_SYNTAX;
}

/* The index of the whole message first, so that what is malformed behind the names is found too. */
static enum rc
read_route(const struct dia_msg *m, struct route *r, struct dia_fault *f)
{
	enum rc rc;

	if ((rc = dia_index(m->avps, &r->ix, f)) != RC_OK ||
	    (rc = read_name(&r->ix, DIA_ORIGIN_HOST, r->origin_host, f)) != RC_OK ||
	    (rc = read_name(&r->ix, DIA_DESTINATION_REALM, r->dest_realm, f)) != RC_OK ||
	    (rc = read_name(&r->ix, DIA_DESTINATION_HOST, r->dest_host, f)) != RC_OK)
		return rc;
	if (r->origin_host[0] == '\0' || r->dest_realm[0] == '\0') {
		dia_fault_missing(f, r->origin_host[0] == '\0' ? DIA_ORIGIN_HOST : DIA_DESTINATION_REALM);
		return RC_SYNTAX;
	}
	return RC_OK;
}

/* The order is RFC 6733's: header, application, command, AVPs, then who and where to. */
static enum reason
judge(const struct dia_conn *c, const struct dia_msg *m, struct route *r, struct dia_fault *f)
{
	const struct dia_node *n = c->node;
	struct dia_avp origin = { .code = 0 };
	bool known = strcmp(dia_command_name(m->hdr.cmd, m->hdr.app, true), "?") != 0;

	if (m->hdr.app != n->app) {
		dia_fault_set(f, DIA_APPLICATION_UNSUPPORTED, "application %u", (unsigned)m->hdr.app);
		return REASON_ZN_BAD_MESSAGE;
	}
	if (!known || n->cb.on_request == NULL) {
		dia_fault_set(f, DIA_COMMAND_UNSUPPORTED, "command %u", (unsigned)m->hdr.cmd);
		return REASON_ZN_BAD_MESSAGE;
	}
	if (m->hdr.flags & DIA_E) {
		dia_fault_set(f, DIA_INVALID_HDR_BITS, "E is set in a request");
		return REASON_ZN_BAD_MESSAGE;
	}
	if (read_route(m, r, f) != RC_OK)
		return REASON_ZN_BAD_MESSAGE;
	if (!c->peer->relay && strcmp(r->origin_host, c->peer->host) != 0) {
		(void)dia_first(&r->ix, DIA_ORIGIN_HOST, &origin);
		dia_fault_avp(f, DIA_INVALID_AVP_VALUE, &origin, "Origin-Host is not this peer's own");
		return REASON_ZN_ORIGIN;
	}
	if (strcmp(r->dest_realm, n->realm) != 0) {
		dia_fault_set(f, DIA_REALM_NOT_SERVED, "realm %.60s is not served here", r->dest_realm);
		return REASON_ZN_BAD_MESSAGE;
	}
	if (r->dest_host[0] != '\0' && strcmp(r->dest_host, n->host) != 0) {
		dia_fault_set(f, DIA_UNABLE_TO_DELIVER, "%.60s is not reached from here", r->dest_host);
		return REASON_ZN_BAD_MESSAGE;
	}
	if (n->stopping || n->counts.open >= n->max_open) {
		dia_fault_set(f, DIA_TOO_BUSY, "%s", n->stopping ? "stopping" : "too many requests at once");
		return n->stopping ? REASON_STOPPING : REASON_OVERLOAD;
	}
	return REASON_NONE;
}

/* --- its life */

static void
txn_free(struct dia_txn *t)
{
	LIST_REMOVE(t, all);
	t->node->counts.open--;
	free(t);
}

static enum rc
txn_new(struct dia_conn *c, const struct dia_msg *m, const struct dia_dup_key *key, struct dia_txn **out)
{
	struct dia_txn *t = malloc(sizeof *t + m->whole.n);

	if (t == NULL)
		return RC_NOMEM;
	memset(t, 0, sizeof *t);
	memcpy(t->octets, m->whole.p, m->whole.n);
	t->msg = *m;
	t->msg.whole.p = t->octets;
	t->msg.avps.p = t->octets + DIA_HDR_LEN;
	t->node = c->node;
	t->key = *key;
	memcpy(t->peer, c->peer->host, sizeof t->peer);
	LIST_INSERT_HEAD(&c->node->txns, t, all);
	c->node->counts.open++;
	*out = t;
	return RC_OK;
}

static void
wait_for_answer(struct dia_txn *t, struct dia_conn *c, uint32_t hbh)
{
	if (t->n_paths == DIA_TXN_PATHS) {
		log_info("zn: peer=%s repeats a request once too often: ignored", dia_conn_name(c));
		return;
	}
	t->path[t->n_paths].conn = c;
	t->path[t->n_paths++].hbh = hbh;
}

static void
begin(struct dia_conn *c, const struct dia_msg *m, const struct route *r)
{
	struct dia_node *n = c->node;
	int64_t now = clock_mono_ms(n->seams.clock);
	enum dia_dup dup;
	struct dia_avp session_id = { .code = 0 };
	struct dia_dup_key key;
	struct dia_txn *t = NULL;
	struct dia_fault f;

	(void)dia_first(&r->ix, DIA_SESSION_ID, &session_id);
	if (dia_dups_key(n->dups, &m->hdr, r->origin_host, session_id.data, &key) != RC_OK)
		goto failed;
	dup = dia_dups_find(n->dups, &key, now, &t);
	if (dup != DIA_DUP_NEW)
		n->counts.duplicates++;
	if (dup == DIA_DUP_UNDER_WAY) {
		wait_for_answer(t, c, m->hdr.hbh);
		return;
	}
	if (txn_new(c, m, &key, &t) != RC_OK)
		goto failed;
	t->duplicate = dup == DIA_DUP_ANSWERED;
	wait_for_answer(t, c, m->hdr.hbh);
	dia_dups_set(n->dups, &key, now, t);
	n->cb.on_request(t, &t->msg, n->arg);
	return;
failed:
	dia_fault_set(&f, DIA_UNABLE_TO_COMPLY, "out of memory");
	dia_refuse(c, m, REASON_INTERNAL, &f);
}

void
dia_txn_request(struct dia_conn *c, const struct dia_msg *m)
{
	struct dia_node *n = c->node;
	struct dia_fault f;
	enum reason why;
	struct route r;

	c->peer->requests_in++;
	n->counts.requests_in++;
	if ((why = judge(c, m, &r, &f)) == REASON_NONE) {
		begin(c, m, &r);
		return;
	}
	n->counts.answers_out++;
	n->counts.errors_out++;
	n->counts.malformed += why == REASON_ZN_BAD_MESSAGE;
	dia_refuse(c, m, why, &f);
}

const struct dia_msg *
dia_txn_msg(const struct dia_txn *t)
{
	return &t->msg;
}

const char *
dia_txn_peer(const struct dia_txn *t)
{
	return t->peer;
}

bool
dia_txn_duplicate(const struct dia_txn *t)
{
	return t->duplicate;
}

/* --- the answer */

static bool
is_error(const struct dia_buf *b)
{
	struct dia_avp a;
	uint32_t result;
	struct dia_msg m;

	return dia_parse(dia_buf_span(b), &m) != RC_OK || !dia_find(m.avps, DIA_RESULT_CODE, &a) ||
	    dia_get_u32(&a, &result) != RC_OK || result != DIA_SUCCESS;
}

void
dia_answer(struct dia_txn *t, const struct dia_buf *b)
{
	struct dia_node *n = t->node;
	struct dia_buf copy = *b;
	struct dia_conn *c;

	n->counts.errors_out += is_error(b);
	while (t->n_paths > 0) {
		c = t->path[--t->n_paths].conn;
		if (!dia_state_up(c->state))
			continue;
		dia_put_u32_at(copy.p + DIA_AT_HBH, t->path[t->n_paths].hbh);
		n->counts.answers_out++;
		dia_conn_send(c, &copy);
	}
	dia_dups_set(n->dups, &t->key, clock_mono_ms(n->seams.clock), NULL);
	txn_free(t);
	dia_node_stop_step(n);
}

void
dia_txn_fail(struct dia_txn *t, const struct dia_fault *f)
{
	struct dia_buf b = DIA_BUF_INIT;

	if (dia_print_fault(&t->msg, t->node->host, t->node->realm, f, &b) == RC_OK) {
		dia_answer(t, &b);
	} else {		/* no memory: its sender's timer tells */
		dia_dups_set(t->node->dups, &t->key, clock_mono_ms(t->node->seams.clock), NULL);
		txn_free(t);
	}
	dia_buf_free(&b);
}

void
dia_txns_forget(struct dia_conn *c)
{
	struct dia_txn *t;
	unsigned kept;

	LIST_FOREACH(t, &c->node->txns, all) {
		kept = 0;
		for (unsigned i = 0; i < t->n_paths; i++)
			if (t->path[i].conn != c)
				t->path[kept++] = t->path[i];
		t->n_paths = kept;
	}
}

void
dia_txns_free(struct dia_node *n)
{
	struct dia_txn *t;

	while ((t = LIST_FIRST(&n->txns)) != NULL)
		txn_free(t);
}
