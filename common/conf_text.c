/* conf_text: the grammars of configuration values. Pure. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include "common/conf.h"
#include "common/hex.h"
#include "common/link.h"
#include "common/naf_id.h"

#define CENTURY_S (INT64_C(100) * 365 * 86400)

enum rc
conf_parse_duration(struct span text, int64_t *out_s)
{
	static const struct {
		char unit;
		int64_t s;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	struct span number;
	uint64_t v;

	if (text.n < 2 || !span_take(&text, text.n - 1, &number))
		return RC_SYNTAX;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (text.p[0] != (uint8_t)units[i].unit)
			continue;
		for (size_t k = 0; k < number.n; k++)
			if (number.p[k] < '0' || number.p[k] > '9')
				return RC_SYNTAX;
		if (number.n > 1 && number.p[0] == '0')
			return RC_SYNTAX;
		if (!span_decimal(number, (uint64_t)(CENTURY_S / units[i].s), &v))
			return RC_RANGE;
		*out_s = (int64_t)v * units[i].s;
		return RC_OK;
	}
	return RC_SYNTAX;
}

/* UTF-8 in its shortest form, no control characters. */
static bool
printable(struct span in)
{
	struct span c;
	uint32_t v, least;
	size_t more;

	while (span_take(&in, 1, &c)) {
		uint8_t b = c.p[0];

		if (b < ' ' || b == 0x7f)
			return false;
		if (b < 0x80)
			continue;
		more = b >= 0xf0 ? 3 : b >= 0xe0 ? 2 : 1;
		least = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80;
		if (b < 0xc2 || b > 0xf4 || !span_take(&in, more, &c))
			return false;
		v = b & (0x3fu >> more);
		for (size_t i = 0; i < more; i++) {
			if ((c.p[i] & 0xc0) != 0x80)
				return false;
			v = v << 6 | (c.p[i] & 0x3fu);
		}
		if (v < least || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff) || v < 0xa0)
			return false;
	}
	return true;
}

static bool
only(struct span in, const char *others)
{
	for (size_t i = 0; i < in.n; i++) {
		uint8_t c = in.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (c == 0 || strchr(others, c) == NULL))
			return false;
	}
	return true;
}

/* A DiameterIdentity as we take it: an FQDN, or one label of one. */
static bool
identity_ok(struct span in)
{
	char name[FQDN_MAX + 1] = "x.";

	if (fqdn_ok(in))
		return true;
	return in.n <= 63 && span_to_str(in, name + 2, sizeof name - 2) && strchr(name + 2, '.') == NULL && fqdn_ok(span_str(name));
}

/* HOST:PORT; a host is a name, an IPv4 address or an IPv6 address in brackets. With at_least 0 the port may be 0 = any. */
static bool
host_port_ok(struct span in, bool port_needed)
{
	char v6[INET6_ADDRSTRLEN];
	uint8_t addr[16];
	struct span host, bracket;
	uint64_t port;

	if (in.n > 0 && in.p[0] == '[') {
		if (!span_take(&in, 1, &bracket) || !span_upto(&in, ']', &host) || !span_to_str(host, v6, sizeof v6) ||
		    inet_pton(AF_INET6, v6, addr) != 1)
			return false;
		if (in.n == 0)
			return !port_needed;
		return span_take(&in, 1, &bracket) && bracket.p[0] == ':' && span_decimal(in, 65535, &port);
	}
	if (!span_upto(&in, ':', &host)) {
		if (port_needed)
			return false;
		host = in;
	} else if (!span_decimal(in, 65535, &port)) {
		return false;
	}
	return host.n > 0 && host.n <= FQDN_MAX && only(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-");
}

static bool
path_ok(struct span in)
{
	return in.n > 0 && printable(in);
}

static bool
link_ok(struct span in)
{
	struct span scheme;

	if (!span_upto(&in, ':', &scheme))
		return false;
	if (span_eq_str(scheme, "unix"))
		return path_ok(in) && in.p[0] == '/' && in.n < sizeof ((struct sockaddr_un *)0)->sun_path;
	if (span_eq_str(scheme, "serial"))
		return path_ok(in) && in.p[0] == '/' && in.n <= LINK_SERIAL_PATH_MAX;
	return span_eq_str(scheme, "tcp") && host_port_ok(in, true);
}

/* http://HOST[:PORT][/PATH]: no user, no query, no fragment. */
static bool
url_ok(struct span in, const char *scheme)
{
	struct span s, host;

	if (!span_upto(&in, ':', &s) || !span_eq_str(s, scheme) || !span_take(&in, 2, &s) || !span_eq_str(s, "//"))
		return false;
	if (!span_upto(&in, '/', &host))
		return host_port_ok(in, false);
	return host_port_ok(host, false) && only(in, "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_~/%+,=:@");
}

bool
conf_text_ok(struct span text, enum conf_kind kind)
{
	struct naf_id naf_id;

	if (text.n == 0 || text.n > CONF_TEXT_MAX)
		return false;
	switch (kind) {
	case CONF_ANY:
		return printable(text);
	case CONF_FQDN:
		return fqdn_ok(text);
	case CONF_IDENTITY:
		return identity_ok(text);
	case CONF_NAF_ID:
		return naf_id_parse(text, &naf_id) == RC_OK;
	case CONF_PROTOCOL:
		return text.n == 2 * UA_PROTO_LEN && hex_is_lower(text);
	case CONF_LINK:
		return link_ok(text);
	case CONF_HOST_PORT:
		return host_port_ok(text, true);
	case CONF_URL_HTTP:
		return url_ok(text, "http");
	case CONF_URL_HTTPS:
		return url_ok(text, "https");
	case CONF_PATH:
	case CONF_FILE:
	case CONF_PRIVATE_FILE:
		return path_ok(text);
	}
	return false;
}

const char *
conf_expected(enum conf_kind kind)
{
	switch (kind) {
	case CONF_ANY:
		return "a text of printable characters";
	case CONF_FQDN:
		return "a lower-case FQDN such as bsf.operator.example";
	case CONF_IDENTITY:
		return "a Diameter identity: a lower-case host name such as bsf.operator.example";
	case CONF_NAF_ID:
		return "a NAF_ID: FQDN/10 lower-case hex digits, such as nafkc.operator.example/0100000002";
	case CONF_PROTOCOL:
		return "a Ua security protocol identifier: 10 lower-case hex digits, such as 0100000002";
	case CONF_LINK:
		return "a link address: tcp:HOST:PORT, unix:/path or serial:/dev/path";
	case CONF_HOST_PORT:
		return "HOST:PORT, such as 127.0.0.1:0 or [::1]:3868";
	case CONF_URL_HTTP:
		return "an http URL, such as http://127.0.0.1:8080/";
	case CONF_URL_HTTPS:
		return "an https URL, such as https://nafkc.operator.example/keycentre/v1/key-request";
	case CONF_PATH:
		return "a file's name";
	case CONF_FILE:
		return "a file that can be read";
	case CONF_PRIVATE_FILE:
		return "a file that its owner alone can read (mode 0600)";
	}
	return "something else";
}
