/* diameter_call: requests of ours: sent to the first peer that may have them, moved to the next when that fails. */
#include <stdlib.h>
#include <string.h>

#include "common/diameter_impl.h"
#include "common/log.h"

#define TIMEOUT_MS 3000

void
dia_put_u32_at(uint8_t *p, uint32_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

/* Off its connection: an answer from there is an orphan now. */
static void
detach(struct dia_call *c)
{
	if (c->conn == NULL)
		return;
	LIST_REMOVE(c, on_conn);
	LIST_REMOVE(c, by_hbh);
	c->conn = NULL;
}

static void
call_free(struct dia_call *c)
{
	detach(c);
	LIST_REMOVE(c, all);
	c->node->counts.calls--;
	clock_timer_free(c->timer);
	dia_buf_free(&c->msg);
	free(c);
}

/* Tells, once; the call is gone by then. */
static void
finish(struct dia_call *c, const struct dia_msg *answer, enum reason why)
{
	struct dia_node *n = c->node;
	dia_on_answer *fn = c->fn;
	void *arg = c->arg;

	call_free(c);
	fn(arg, answer, why);
	dia_node_stop_step(n);
}

/* --- to which peer */

static bool
may_have(const struct dia_peer *p, const struct dia_call *c)
{
	if (p->conn == NULL || p->conn->state != DIA_OPEN)
		return false;
	return p->relay || strcmp(c->host[0] != '\0' ? p->host : p->realm, c->host[0] != '\0' ? c->host : c->realm) == 0;
}

/* The next peer not tried yet; NULL when there is none. */
static struct dia_peer *
pick(const struct dia_call *c)
{
	for (size_t i = 0; i < c->node->n_peers; i++)
		if ((c->tried >> i & 1) == 0 && may_have(&c->node->peers[i], c))
			return &c->node->peers[i];
	return NULL;
}

static bool
send_to(struct dia_call *c, struct dia_peer *p)
{
	struct dia_node *n = c->node;

	if (c->tried != 0)
		c->msg.p[DIA_AT_FLAGS] |= DIA_T;
	c->tried |= (uint64_t)1 << (p - n->peers);
	c->hbh = n->next_hbh++;
	dia_put_u32_at(c->msg.p + DIA_AT_HBH, c->hbh);
	if (link_write(p->conn->link, dia_buf_span(&c->msg)) != RC_OK)
		return false;
	c->conn = p->conn;
	LIST_INSERT_HEAD(&c->conn->calls, c, on_conn);
	LIST_INSERT_HEAD(&n->by_hbh[c->hbh % DIA_CALL_BUCKETS], c, by_hbh);
	clock_timer_set(c->timer, c->timeout_ms);
	p->requests_out++;
	n->counts.requests_out++;
	return true;
}

/* To the next peer; when none is left the timer says why, since nobody expects a call from inside here. */
static void
send_next(struct dia_call *c, enum reason why)
{
	bool again = c->tried != 0;
	struct dia_peer *p;

	detach(c);
	while (!c->node->stopping && (p = pick(c)) != NULL) {
		if (send_to(c, p)) {
			c->node->counts.failovers += again;
			return;
		}
	}
	c->why = why;
	clock_timer_set(c->timer, 0);
}

static void
on_timer(void *arg)
{
	struct dia_call *c = arg;

	if (c->conn != NULL) {
		c->node->counts.timeouts++;
		log_reason(REASON_ZN_TIMEOUT, "zn: peer=%s e2e=%08x", dia_conn_name(c->conn), (unsigned)c->e2e);
		send_next(c, REASON_ZN_TIMEOUT);
		return;
	}
	finish(c, NULL, c->why);
}

/* --- its life */

static bool
name_ok(const char *name, char out[static FQDN_MAX + 1])
{
	const struct dia_avp a = { .data = span_str(name) };

	return dia_get_ident(&a, out) == RC_OK;
}

static enum rc
call_new(struct dia_node *n, struct span request, struct dia_call **out)
{
	struct dia_call *c = calloc(1, sizeof *c);
	struct dia_msg m;
	enum rc rc;

	if (c == NULL)
		return RC_NOMEM;
	if (dia_parse(request, &m) != RC_OK || !(m.hdr.flags & DIA_R)) {
		rc = RC_SYNTAX;
		goto out;
	}
	dia_begin(&c->msg, &m.hdr);
	dia_put_avps(&c->msg, m.avps);
	if ((rc = dia_end(&c->msg)) != RC_OK || (rc = clock_timer_new(n->seams.clock, on_timer, c, &c->timer)) != RC_OK)
		goto out;
	c->node = n;
	c->cmd = m.hdr.cmd;
	c->app = m.hdr.app;
	c->e2e = n->next_e2e++;
	dia_put_u32_at(c->msg.p + DIA_AT_E2E, c->e2e);
	LIST_INSERT_HEAD(&n->calls, c, all);
	n->counts.calls++;
	*out = c;
	c = NULL;
out:
	if (c != NULL)
		dia_buf_free(&c->msg);
	free(c);
	return rc;
}

enum rc
dia_request(struct dia_node *n, const char *dest_realm, const char *dest_host, const struct dia_buf *request, int64_t timeout_ms,
    dia_on_answer *fn, void *arg, struct dia_call **out)
{
	char realm[FQDN_MAX + 1], host[FQDN_MAX + 1] = "";
	struct dia_call *c;
	enum rc rc;

	if (n->stopping)
		return RC_STATE;
	if (n->counts.calls >= n->max_calls)
		return RC_LIMIT;
	if (!name_ok(dest_realm, realm) || (dest_host != NULL && !name_ok(dest_host, host)))
		return RC_SYNTAX;
	if ((rc = call_new(n, dia_buf_span(request), &c)) != RC_OK)
		return rc;
	memcpy(c->realm, realm, sizeof c->realm);
	memcpy(c->host, host, sizeof c->host);
	c->timeout_ms = timeout_ms != 0 ? timeout_ms : TIMEOUT_MS;
	c->fn = fn;
	c->arg = arg;
	if (out != NULL)
		*out = c;
	send_next(c, REASON_ZN_UNREACHABLE);
	return RC_OK;
}

void
dia_cancel(struct dia_call *c)
{
	struct dia_node *n;

	if (c == NULL)
		return;
	n = c->node;
	call_free(c);
	dia_node_stop_step(n);
}

/* 3002 and 3004 come from the peer, or from somewhere behind it: another one may do better (RFC 6733 7.1.3). */
static bool
try_another(const struct dia_call *c, const struct dia_msg *m)
{
	uint32_t result = 0;
	struct dia_avp a;

	if (!(m->hdr.flags & DIA_E) || !dia_find(m->avps, DIA_RESULT_CODE, &a) || dia_get_u32(&a, &result) != RC_OK)
		return false;
	return (result == DIA_UNABLE_TO_DELIVER || result == DIA_TOO_BUSY) && pick(c) != NULL;
}

void
dia_call_answer(struct dia_conn *conn, const struct dia_msg *m)
{
	struct dia_node *n = conn->node;
	struct dia_call *c;

	LIST_FOREACH(c, &n->by_hbh[m->hdr.hbh % DIA_CALL_BUCKETS], by_hbh)
		if (c->hbh == m->hdr.hbh && c->conn == conn)
			break;
	if (c == NULL || c->e2e != m->hdr.e2e || c->cmd != m->hdr.cmd || c->app != m->hdr.app) {
		n->counts.orphans++;
		log_info("zn: peer=%s answer hbh=%08x e2e=%08x that nobody waits for is ignored", dia_conn_name(conn),
		    (unsigned)m->hdr.hbh, (unsigned)m->hdr.e2e);
		return;
	}
	n->counts.answers_in++;
	if (try_another(c, m)) {
		log_info("zn: peer=%s e2e=%08x cannot deliver: another is asked", dia_conn_name(conn), (unsigned)c->e2e);
		send_next(c, REASON_ZN_UNREACHABLE);
		return;
	}
	finish(c, m, REASON_NONE);
}

void
dia_calls_move(struct dia_conn *conn, enum reason why)
{
	struct dia_call *c;

	while ((c = LIST_FIRST(&conn->calls)) != NULL)
		send_next(c, why);
}

void
dia_calls_free(struct dia_node *n)
{
	struct dia_call *c;

	while ((c = LIST_FIRST(&n->calls)) != NULL)
		call_free(c);
}
