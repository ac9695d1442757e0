#include "common/imsi.h"

#include <stdio.h>
#include <string.h>

#include "common/b64.h"

#define GPP ".3gppnetwork.org"
#define PUB ".pub" GPP

static bool
digits_ok(struct span in, size_t least, size_t most)
{
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] < '0' || in.p[i] > '9')
			return false;
	}
	return in.n >= least && in.n <= most;
}

enum rc
imsi_parse(struct span in, struct imsi *out)
{
	if (!digits_ok(in, 6, IMSI_MAX) || !span_to_str(in, out->s, sizeof out->s))
		return RC_SYNTAX;
	return RC_OK;
}

enum rc
iccid_parse(struct span in, struct iccid *out)
{
	if (!digits_ok(in, 18, ICCID_MAX) || !span_to_str(in, out->s, sizeof out->s))
		return RC_SYNTAX;
	return RC_OK;
}

enum rc
impi_parse(struct span in, struct impi *out)
{
	struct span rest = in, user;

	if (in.n > IMPI_MAX)
		return RC_RANGE;
	if (!span_upto(&rest, '@', &user) || user.n == 0 || rest.n == 0)
		return RC_SYNTAX;
	for (size_t i = 0; i < user.n; i++) {
		if (user.p[i] <= ' ' || user.p[i] > '~' || user.p[i] == '"' || user.p[i] == '\\')
			return RC_SYNTAX;
	}
	for (size_t i = 0; i < rest.n; i++) {
		uint8_t c = rest.p[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '-' && c != '.')
			return RC_SYNTAX;
	}
	return span_to_str(in, out->s, sizeof out->s) ? RC_OK : RC_SYNTAX;
}

/* "mnc<MNC>.mcc<MCC>", the MNC padded on the left to three digits.                              TS 23.003 13.2 */
static enum rc
network(const struct imsi *imsi, unsigned mnc_len, char out[static 16])
{
	if ((mnc_len != 2 && mnc_len != 3) || strlen(imsi->s) < 3 + mnc_len)
		return RC_RANGE;
	snprintf(out, 16, "mnc%s%.*s.mcc%.3s", mnc_len == 2 ? "0" : "", (int)mnc_len, imsi->s + 3, imsi->s);
	return RC_OK;
}

enum rc
imsi_to_impi(const struct imsi *imsi, unsigned mnc_len, struct impi *out)
{
	char net[16];
	enum rc rc;

	if ((rc = network(imsi, mnc_len, net)) == RC_OK)
		snprintf(out->s, sizeof out->s, "%s@ims.%s" GPP, imsi->s, net);
	return rc;
}

enum rc
imsi_to_bsf(const struct imsi *imsi, unsigned mnc_len, char out[static FQDN_MAX + 1])
{
	char net[16];
	enum rc rc;

	if ((rc = network(imsi, mnc_len, net)) == RC_OK)
		snprintf(out, FQDN_MAX + 1, "bsf.%s" PUB, net);
	return rc;
}

/* Does s end with tail? */
static bool
ends(const char *s, size_t n, const char *tail)
{
	size_t t = strlen(tail);

	return n >= t && strcmp(s + n - t, tail) == 0;
}

enum rc
impi_to_bsf(const struct impi *impi, char out[static FQDN_MAX + 1])
{
	const char *domain = strchr(impi->s, '@');
	size_t n;
	bool insert;

	if (domain == NULL)
		return RC_RANGE;
	n = strlen(++domain);
	insert = ends(domain, n, GPP) && !ends(domain, n, PUB);
	if (n + strlen("bsf.") + (insert ? strlen(".pub") : 0) > FQDN_MAX)
		return RC_RANGE;
	if (insert)
		snprintf(out, FQDN_MAX + 1, "bsf.%.*s" PUB, (int)(n - strlen(GPP)), domain);
	else
		snprintf(out, FQDN_MAX + 1, "bsf.%.*s", (int)n, domain);
	return RC_OK;
}

bool
tmpi_is(struct span username)
{
	struct span local;
	uint8_t octets[24];
	size_t n;

	return span_upto_last(&username, '@', &local) && span_eq_str(username, TMPI_DOMAIN) &&
	    b64_parse(local, octets, sizeof octets, &n) == RC_OK && n == sizeof octets;
}
