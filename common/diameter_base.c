/* diameter_base: what two nodes say to each other beside requests: DWR/DWA, DPR/DPA, and refusals.       RFC 6733 5.4, 5.5 */
#include <string.h>

#include "common/diameter_impl.h"
#include "common/log.h"

#define REOPEN_DWAS 3

enum { CAUSE_REBOOTING = 0, CAUSE_DO_NOT_WANT = 2 };

/* --- sending */

void
dia_begin_base(struct dia_conn *c, uint32_t cmd, struct dia_buf *b)
{
	struct dia_node *n = c->node;
	const struct dia_hdr h = { .flags = DIA_R, .cmd = cmd, .app = DIA_APP_BASE, .hbh = n->next_hbh++, .e2e = n->next_e2e++ };

	c->base_hbh = h.hbh;
	dia_begin(b, &h);
	dia_put_str(b, DIA_ORIGIN_HOST, n->host);
	dia_put_str(b, DIA_ORIGIN_REALM, n->realm);
}

void
dia_send_dwr(struct dia_conn *c)
{
	struct dia_buf b = DIA_BUF_INIT;

	dia_begin_base(c, DIA_CMD_DW, &b);
	dia_put_u32(&b, DIA_ORIGIN_STATE_ID, c->node->origin_state_id);
	c->dwr_pending = true;
	c->node->counts.watchdogs_sent++;
	dia_conn_send(c, &b);
	dia_buf_free(&b);
}

void
dia_send_dpr(struct dia_conn *c)
{
	struct dia_buf b = DIA_BUF_INIT;

	dia_begin_base(c, DIA_CMD_DP, &b);
	dia_put_u32(&b, DIA_DISCONNECT_CAUSE, CAUSE_REBOOTING);
	c->goodbye = true;
	dia_conn_enter(c, DIA_CLOSING);
	clock_timer_set(c->timer, DIA_CLOSE_MS);
	dia_conn_send(c, &b);
	dia_buf_free(&b);
}

void
dia_send_success(struct dia_conn *c, const struct dia_msg *m)
{
	const struct dia_node *n = c->node;
	const struct dia_fault success = { .result = DIA_SUCCESS };
	struct dia_buf b = DIA_BUF_INIT;

	dia_begin_answer(&b, m, n->host, n->realm, &success);
	if (m->hdr.cmd == DIA_CMD_CE)
		dia_put_capabilities(c, &b);
	else if (m->hdr.cmd == DIA_CMD_DW)
		dia_put_u32(&b, DIA_ORIGIN_STATE_ID, n->origin_state_id);
	dia_conn_send(c, &b);
	dia_buf_free(&b);
}

void
dia_refuse(struct dia_conn *c, const struct dia_msg *m, enum reason why, const struct dia_fault *f)
{
	struct dia_buf b = DIA_BUF_INIT;

	log_reason(why, "zn: peer=%s address=%s %s result=%u %s", dia_conn_name(c), c->who.address,
	    dia_command_name(m->hdr.cmd, m->hdr.app, true), (unsigned)f->result, f->text);
	dia_begin_answer(&b, m, c->node->host, c->node->realm, f);
	if (m->hdr.cmd == DIA_CMD_CE && m->hdr.app == DIA_APP_BASE && f->result / 1000 != 3)
		dia_put_capabilities(c, &b);	/* its grammar wants them in every CEA without E */
	dia_put_proxy_info(&b, m->avps);
	dia_conn_send(c, &b);
	dia_buf_free(&b);
}

/* --- watchdog and good-bye */

static void
on_dwa(struct dia_conn *c, const struct dia_msg *m)
{
	char host[FQDN_MAX + 1], realm[FQDN_MAX + 1];

	dia_origin(m, host, realm);
	if (!c->dwr_pending || m->hdr.hbh != c->base_hbh || c->peer == NULL || strcmp(host, c->peer->host) != 0) {
		c->node->counts.orphans++;
		log_info("zn: peer=%s DWA that was not asked for is ignored", dia_conn_name(c));
		return;
	}
	c->dwr_pending = false;
	if (c->state != DIA_REOPEN)
		return;
	if (++c->dwas == REOPEN_DWAS)
		dia_conn_enter(c, DIA_OPEN);
	else
		dia_send_dwr(c);
}

static void
on_dpr(struct dia_conn *c, const struct dia_msg *m)
{
	uint32_t cause = CAUSE_REBOOTING;
	struct dia_avp a;

	if (dia_find(m->avps, DIA_DISCONNECT_CAUSE, &a) && dia_get_u32(&a, &cause) != RC_OK)
		cause = CAUSE_REBOOTING;
	log_reason(REASON_ZN_DISCONNECTED, "zn: peer=%s DPR cause=%u", dia_conn_name(c), (unsigned)cause);
	c->goodbye = true;
	c->why = REASON_ZN_DISCONNECTED;
	if (c->peer != NULL)
		c->peer->off = cause == CAUSE_DO_NOT_WANT;
	if (c->state != DIA_CLOSING)
		dia_conn_enter(c, DIA_CLOSING);
	clock_timer_set(c->timer, DIA_CLOSE_MS);	/* it closes; if it does not, we do */
	dia_send_success(c, m);
	if (!c->dead)
		dia_calls_move(c, REASON_ZN_UNREACHABLE);
}

static void
on_dpa(struct dia_conn *c, const struct dia_msg *m)
{
	if (c->state == DIA_CLOSING && c->goodbye && m->hdr.hbh == c->base_hbh) {
		link_close(c->link);
		return;
	}
	c->node->counts.orphans++;
	log_info("zn: peer=%s DPA that was not asked for is ignored", dia_conn_name(c));
}

/* --- dispatch */

static void
bad(struct dia_conn *c, const struct dia_msg *m, const struct dia_fault *f)
{
	bool request = (m->hdr.flags & DIA_R) != 0;

	c->node->counts.malformed++;
	if (c->state == DIA_WAIT_CER)
		dia_refuse_peer(c, m, REASON_ZN_BAD_MESSAGE, f);
	else if (c->state == DIA_WAIT_CEA)
		dia_conn_end(c, REASON_ZN_BAD_MESSAGE, f->text);
	else if (request)
		dia_refuse(c, m, REASON_ZN_BAD_MESSAGE, f);
	else
		log_reason(REASON_ZN_BAD_MESSAGE, "zn: peer=%s answer ignored: %s", dia_conn_name(c), f->text);
}

void
dia_on_base(struct dia_conn *c, const struct dia_msg *m)
{
	bool request = (m->hdr.flags & DIA_R) != 0;
	struct dia_fault f;

	if (dia_check(m, false, &f) != RC_OK) {
		bad(c, m, &f);
		return;
	}
	switch (m->hdr.cmd) {
	case DIA_CMD_CE:
		(request ? dia_on_cer : dia_on_cea)(c, m);
		break;
	case DIA_CMD_DW:
		(request ? dia_send_success : on_dwa)(c, m);
		break;
	case DIA_CMD_DP:
		(request ? on_dpr : on_dpa)(c, m);
		break;
	default:
		break;		/* dia_check() knows no other */
	}
}
