/*
 * diameter_capab: the capabilities exchange: who is it, may it talk to us, what have we in common.        RFC 6733 5.3
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/diameter_impl.h"
#include "common/log.h"

#define PRODUCT_VENDOR 0	/* the Vendor-Id of who made this: none was assigned */

/* --- sending */

/* Address of our end: family and octets (RFC 6733 4.3.1). */
static void
put_host_ip(const struct dia_conn *c, struct dia_buf *b)
{
	struct span in = span_str(c->who.local), scheme, host;
	uint8_t octets[18] = { 0, 1, 127, 0, 0, 1 };
	char text[64];
	size_t n = 6;

	if (span_upto(&in, ':', &scheme) && span_upto_last(&in, ':', &host)) {
		if (host.n > 2 && host.p[0] == '[')
			host = span_of(host.p + 1, host.n - 2);
		if (span_to_str(host, text, sizeof text) && inet_pton(AF_INET, text, octets + 2) != 1 &&
		    inet_pton(AF_INET6, text, octets + 2) == 1) {
			octets[1] = 2;
			n = 18;
		}
	}
	dia_put(b, DIA_HOST_IP_ADDRESS, span_of(octets, n));
}

void
dia_put_capabilities(const struct dia_conn *c, struct dia_buf *b)
{
	const struct dia_node *n = c->node;

	put_host_ip(c, b);
	dia_put_u32(b, DIA_VENDOR_ID, PRODUCT_VENDOR);
	dia_put_str(b, DIA_PRODUCT_NAME, n->product);
	dia_put_u32(b, DIA_ORIGIN_STATE_ID, n->origin_state_id);
	dia_put_u32(b, DIA_SUPPORTED_VENDOR_ID, n->vendor);
	dia_put_application(b, n->vendor, n->app);
}

void
dia_send_cer(struct dia_conn *c)
{
	struct dia_buf b = DIA_BUF_INIT;

	dia_begin_base(c, DIA_CMD_CE, &b);
	dia_put_capabilities(c, &b);
	dia_conn_send(c, &b);
	dia_buf_free(&b);
}

/* --- judging */

static bool
announces(const struct dia_node *n, const struct dia_avp *a)
{
	uint32_t app;

	return dia_avp_is(a, DIA_AUTH_APPLICATION_ID) && dia_get_u32(a, &app) == RC_OK && (app == n->app || app == DIA_APP_RELAY);
}

/* Our application, alone or in a Vendor-Specific-Application-Id; or a relay, which takes all. */
static bool
has_application(const struct dia_node *n, const struct dia_msg *m)
{
	struct span rest = m->avps, inside;
	struct dia_avp a, b;

	while (dia_next(&rest, &a, NULL) == RC_OK) {
		if (announces(n, &a))
			return true;
		if (!dia_avp_is(&a, DIA_VENDOR_SPECIFIC_APPLICATION_ID))
			continue;
		for (inside = a.data; dia_next(&inside, &b, NULL) == RC_OK;)
			if (announces(n, &b))
				return true;
	}
	return false;
}

/* None asked for, or "no inband security" among what is offered: TLS begins with the first octet or not at all (B3). */
static bool
security_ok(const struct dia_msg *m)
{
	struct span rest = m->avps;
	bool asked = false;
	struct dia_avp a;
	uint32_t v;

	while (dia_next(&rest, &a, NULL) == RC_OK) {
		if (!dia_avp_is(&a, DIA_INBAND_SECURITY_ID))
			continue;
		if (dia_get_u32(&a, &v) == RC_OK && v == 0)
			return true;
		asked = true;
	}
	return !asked;
}

void
dia_origin(const struct dia_msg *m, char host[static FQDN_MAX + 1], char realm[static FQDN_MAX + 1])
{
	struct dia_avp a;

	host[0] = realm[0] = '\0';
	if (dia_find(m->avps, DIA_ORIGIN_HOST, &a) && dia_get_ident(&a, host) != RC_OK)
		host[0] = '\0';
	if (dia_find(m->avps, DIA_ORIGIN_REALM, &a) && dia_get_ident(&a, realm) != RC_OK)
		realm[0] = '\0';
}

/* Who is it, and may it stay? REASON_NONE: *peer; else f. */
static enum reason
judge_cer(struct dia_conn *c, const struct dia_msg *m, struct dia_peer **peer, struct dia_fault *f)
{
	char host[FQDN_MAX + 1], realm[FQDN_MAX + 1];
	struct dia_peer *p;

	dia_origin(m, host, realm);
	p = dia_node_peer(c->node, host);
	if (p == NULL || p->address[0] != '\0') {
		dia_fault_set(f, DIA_UNKNOWN_PEER, "%.60s is %s", host, p == NULL ? "not configured" : "to be connected to");
		return REASON_ZN_UNKNOWN_PEER;
	}
	if ((c->peer != NULL && p != c->peer) || strcmp(p->realm, realm) != 0) {
		dia_fault_set(f, DIA_UNKNOWN_PEER, "%.60s is expected in another realm, or was another name before", host);
		return REASON_ZN_IDENTITY;
	}
	if (c->tls && !link_peer_has_name(&c->who, host)) {
		dia_fault_set(f, DIA_UNKNOWN_PEER, "the certificate does not carry %.60s", host);
		return REASON_ZN_IDENTITY;
	}
	if (!has_application(c->node, m)) {
		dia_fault_set(f, DIA_NO_COMMON_APPLICATION, "no common application");
		return REASON_ZN_NO_COMMON_APP;
	}
	if (!security_ok(m)) {
		dia_fault_set(f, DIA_NO_COMMON_SECURITY, "inband security is not offered here");
		return REASON_ZN_CAPABILITIES;
	}
	if (p->conn != NULL && p->conn != c && p->conn->state != DIA_CLOSING) {
		dia_fault_set(f, DIA_ELECTION_LOST, "there is a connection already");
		dia_conn_probe(p->conn);
		return REASON_ZN_TWICE;
	}
	*peer = p;
	return REASON_NONE;
}

void
dia_refuse_peer(struct dia_conn *c, const struct dia_msg *m, enum reason why, const struct dia_fault *f)
{
	c->node->counts.refused_peers++;
	dia_refuse(c, m, why, f);
	if (!c->dead)
		dia_conn_finish(c, why);
}

void
dia_on_cer(struct dia_conn *c, const struct dia_msg *m)
{
	struct dia_peer *p = NULL;
	struct dia_fault f;
	enum reason why;

	if (!c->accepted) {
		dia_fault_set(&f, DIA_UNABLE_TO_COMPLY, "CER from the side that was connected to");
		dia_refuse(c, m, REASON_ZN_BAD_MESSAGE, &f);
		return;
	}
	if ((why = judge_cer(c, m, &p, &f)) != REASON_NONE) {
		dia_refuse_peer(c, m, why, &f);
		return;
	}
	if (p->conn != NULL && p->conn != c)
		dia_conn_end(p->conn, REASON_NONE, "");		/* it was closing anyway */
	c->peer = p;
	p->conn = c;
	dia_send_success(c, m);
	if (!c->dead && c->state == DIA_WAIT_CER)
		dia_conn_opened(c);
}

void
dia_on_cea(struct dia_conn *c, const struct dia_msg *m)
{
	char host[FQDN_MAX + 1], realm[FQDN_MAX + 1], detail[64];
	uint32_t result = 0;
	struct dia_avp a;

	if (c->state != DIA_WAIT_CEA || m->hdr.hbh != c->base_hbh) {
		c->node->counts.orphans++;
		log_info("zn: peer=%s CEA that was not asked for is ignored", dia_conn_name(c));
		return;
	}
	dia_origin(m, host, realm);
	if (!dia_find(m->avps, DIA_RESULT_CODE, &a) || dia_get_u32(&a, &result) != RC_OK || result != DIA_SUCCESS) {
		snprintf(detail, sizeof detail, "CEA has result %u", (unsigned)result);
		dia_conn_end(c, REASON_ZN_CAPABILITIES, detail);
	} else if (strcmp(host, c->peer->host) != 0 || strcmp(realm, c->peer->realm) != 0) {
		dia_conn_end(c, REASON_ZN_IDENTITY, "CEA has another Origin-Host or Origin-Realm");
	} else if (!has_application(c->node, m)) {
		dia_conn_end(c, REASON_ZN_NO_COMMON_APP, "in CEA");
	} else {
		dia_conn_opened(c);
	}
}
