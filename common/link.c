/* link: what all implementations share: dispatch, addresses, names in certificates. */
#include "common/link.h"

#include <string.h>
#include <sys/un.h>

#include "common/link_impl.h"

enum rc
link_listen(const struct link_net *net, const char *address, const struct link_options *opt,
    void (*on_accept)(struct link *l, void *arg), void *arg, struct link_listener **out)
{
	static const struct link_options none;

	return net->ops->listen(net->ctx, address, opt != NULL ? opt : &none, on_accept, arg, out);
}

const char *
link_listener_address(const struct link_listener *ll)
{
	return ll->address;
}

void
link_listener_free(struct link_listener *ll)
{
	if (ll != NULL)
		ll->ops->listener_free(ll);
}

enum rc
link_connect(const struct link_net *net, const char *address, const struct link_options *opt, const struct link_cb *cb, void *arg,
    struct link **out)
{
	static const struct link_options none;

	return net->ops->connect(net->ctx, address, opt != NULL ? opt : &none, cb, arg, out);
}

void
link_set_cb(struct link *l, const struct link_cb *cb, void *arg)
{
	static const struct link_cb none;

	l->cb = cb != NULL ? *cb : none;
	l->arg = arg;
}

struct span
link_input(struct link *l)
{
	return l->ops->input(l);
}

void
link_drain(struct link *l, size_t n)
{
	l->ops->drain(l, n);
}

void
link_set_input_limit(struct link *l, size_t n)
{
	l->ops->set_input_limit(l, n);
}

enum rc
link_write(struct link *l, struct span octets)
{
	return l->ops->write(l, octets);
}

size_t
link_unsent(const struct link *l)
{
	return l->ops->unsent(l);
}

void
link_close(struct link *l)
{
	l->ops->close(l);
}

enum rc
link_shutdown(struct link *l)
{
	return l->ops->shutdown != NULL ? l->ops->shutdown(l) : RC_STATE;
}

bool
link_at_eof(const struct link *l)
{
	return l->ops->at_eof != NULL && l->ops->at_eof(l);
}

void
link_reset(struct link *l)
{
	if (l == NULL)
		return;
	if (l->ops->reset != NULL)
		l->ops->reset(l);
	else
		l->ops->free(l);
}

void
link_free(struct link *l)
{
	if (l != NULL)
		l->ops->free(l);
}

void
link_get_peer(const struct link *l, struct link_peer *out)
{
	*out = (struct link_peer){ 0 };
	l->ops->peer(l, out);
}

bool
link_peer_has_name(const struct link_peer *p, const char *fqdn)
{
	struct span rest = span_str(p->dns_names), name;

	while (rest.n > 0) {
		if (!span_upto(&rest, ' ', &name)) {
			name = rest;
			rest.n = 0;
		}
		if (span_eq_nocase(name, fqdn))
			return true;
	}
	return false;
}

static enum rc
host_port_parse(struct span in, struct link_address *out)
{
	struct span host, none;
	uint64_t port;

	if (in.n > 0 && in.p[0] == '[') {
		if (!span_take(&in, 1, &none) || !span_upto(&in, ']', &host) || !span_upto(&in, ':', &none) || none.n != 0)
			return RC_SYNTAX;
	} else if (!span_upto(&in, ':', &host)) {
		return RC_SYNTAX;
	}
	if (host.n == 0 || !span_decimal(in, 65535, &port) || !span_to_str(host, out->host, sizeof out->host))
		return RC_SYNTAX;
	out->port = (uint16_t)port;
	return RC_OK;
}

enum rc
link_address_parse(const char *text, struct link_address *out)
{
	struct link_address a = { 0 };
	struct span in = span_str(text), scheme;
	struct sockaddr_un un;

	if (!span_upto(&in, ':', &scheme))
		return RC_SYNTAX;
	if (span_eq_str(scheme, "unix")) {
		a.is_unix = true;
		if (in.n == 0 || in.p[0] != '/' || !span_to_str(in, a.host, sizeof un.sun_path))
			return RC_SYNTAX;
	} else if (span_eq_str(scheme, "serial")) {
		a.is_serial = true;
		if (in.n == 0 || in.p[0] != '/' || !span_to_str(in, a.host, LINK_SERIAL_PATH_MAX + 1))
			return RC_SYNTAX;
	} else if (!span_eq_str(scheme, "tcp") || host_port_parse(in, &a) != RC_OK) {
		return RC_SYNTAX;
	}
	*out = a;
	return RC_OK;
}

int
link_looks_like_tls(struct span first)
{
	if (first.n == 0)
		return -1;
	if (first.p[0] != LINK_RECORD_ALERT && first.p[0] != LINK_RECORD_HANDSHAKE)
		return 0;
	return first.n < 2 ? -1 : first.p[1] == 3;
}
