/*
 * imsi: subscriber identities and the names that follow from them (TS 23.003 13, 16; key-derivation.md 6, 7). Pure.
 * IMSI → IMPI and BSF name need the length of the MNC, which only the card knows (EF_AD).
 */
#ifndef COMMON_IMSI_H
#define COMMON_IMSI_H

#include <stdbool.h>

#include "common/naf_id.h"
#include "common/rc.h"
#include "common/span.h"

#define IMSI_MAX 15
#define IMPI_MAX 255
#define ICCID_MAX 20
#define TMPI_DOMAIN "tmpi.bsf.3gppnetwork.org"
#define TMPI_LEN (32 + 1 + 24)		/* base64 of 24 octets @ TMPI_DOMAIN */

struct imsi {
	char s[IMSI_MAX + 1];
};
struct impi {
	char s[IMPI_MAX + 1];
};
struct iccid {
	char s[ICCID_MAX + 1];	/* "" = none */
};

/* 6..15 digits. RC_SYNTAX. */
enum rc imsi_parse(struct span in, struct imsi *out) MUST_USE;
/* 18..20 digits; the check digit is not judged, as cards of test labs come without. RC_SYNTAX. */
enum rc iccid_parse(struct span in, struct iccid *out) MUST_USE;
/*
 * user@realm as it travels in a Digest username: printable ASCII without blank, '"' and '\', one @, realm of FQDN characters.
 * RC_SYNTAX, RC_RANGE.
 */
enum rc impi_parse(struct span in, struct impi *out) MUST_USE;
/* <IMSI>@ims.mnc<MNC>.mcc<MCC>.3gppnetwork.org; mnc_len 2 or 3, else RC_RANGE. */
enum rc imsi_to_impi(const struct imsi *imsi, unsigned mnc_len, struct impi *out) MUST_USE;
/* bsf.mnc<MNC>.mcc<MCC>.pub.3gppnetwork.org. RC_RANGE. */
enum rc imsi_to_bsf(const struct imsi *imsi, unsigned mnc_len, char out[static FQDN_MAX + 1]) MUST_USE;
/* bsf.<domain of the IMPI>, with pub. before 3gppnetwork.org (ub.md 2). RC_RANGE: too long. */
enum rc impi_to_bsf(const struct impi *impi, char out[static FQDN_MAX + 1]) MUST_USE;
/* By its form: base64 of 24 octets @ TMPI_DOMAIN (TS 33.220 B.4). */
bool tmpi_is(struct span username);

#endif
