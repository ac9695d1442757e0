#include "common/kdf.h"

#include <openssl/crypto.h>
#include <string.h>

#include "common/algo.h"
#include "common/b64.h"
#include "common/profile.h"

#define FC_GBA 0x01		/* TS 33.220 B.3, B.4 */
#define RAND_LEN 16
#define APP_ID_MAX 255

enum rc
kdf_string(unsigned fc, const struct span *p, size_t np, uint8_t **s, size_t *n)
{
	uint8_t *buf, *w;
	size_t len = fc > 0xff ? 2 : 1;

	if (np > KDF_PARAMS_MAX || fc > 0xffff || (fc > 0xff && fc >> 8 != 0xff))
		return RC_RANGE;
	for (size_t i = 0; i < np; i++) {
		if (p[i].n > 0xffff)
			return RC_RANGE;
		len += p[i].n + 2;
	}
	if ((buf = w = OPENSSL_malloc(len)) == NULL)
		return RC_NOMEM;
	if (fc > 0xff)
		*w++ = (uint8_t)(fc >> 8);
	*w++ = (uint8_t)fc;
	for (size_t i = 0; i < np; i++) {
		if (p[i].n > 0)
			memcpy(w, p[i].p, p[i].n);
		w += p[i].n;
		*w++ = (uint8_t)(p[i].n >> 8);		/* Li follows its Pi, always in two octets */
		*w++ = (uint8_t)p[i].n;
	}
	*s = buf;
	*n = len;
	return RC_OK;
}

enum rc
kdf(const struct secret *key, unsigned fc, const struct span *p, size_t np, struct secret **out)
{
	struct secret *derived = NULL;
	uint8_t *s = NULL;
	size_t sn = 0;
	enum rc rc;

	if ((rc = kdf_string(fc, p, np, &s, &sn)) != RC_OK)
		goto out;
	if ((rc = secret_new(KS_LEN, &derived)) != RC_OK)
		goto out;
	if (!algo_hmac_sha256(secret_span(key), span_of(s, sn), secret_bytes(derived))) {
		rc = RC_CRYPTO;
		goto out;
	}
	*out = derived;		/* ownership moves to the caller */
	derived = NULL;
out:
	OPENSSL_clear_free(s, sn);
	secret_free(derived);
	return rc;
}

static enum rc
naf_key(const struct secret *ks, const char *label, const uint8_t rand[static RAND_LEN], struct span impi,
    const struct naf_id *naf_id, struct secret **out)
{
	uint8_t naf[NAF_ID_OCTETS_MAX];
	const struct span p[] = { span_str(label), { rand, RAND_LEN }, impi, { naf, naf_id_octets(naf_id, naf) } };

	if (secret_span(ks).n != KS_LEN || impi.n == 0 || impi.n > IMPI_MAX)
		return RC_RANGE;
	return kdf(ks, FC_GBA, p, 4, out);
}

enum rc
kdf_ks_naf(const struct secret *ks, const uint8_t rand[static RAND_LEN], struct span impi, const struct naf_id *naf_id,
    struct secret **out)
{
	return naf_key(ks, "gba-me", rand, impi, naf_id, out);
}

enum rc
kdf_ks_int_naf(const struct secret *ks, const uint8_t rand[static RAND_LEN], struct span impi, const struct naf_id *naf_id,
    struct secret **out)
{
	return naf_key(ks, "gba-u", rand, impi, naf_id, out);
}

enum rc
kdf_bsf_id(const char *bsf_fqdn, struct naf_id *out)
{
	static const uint8_t tmpi[UA_PROTO_LEN] = { 0x01, 0x00, 0x00, 0x01, 0x00 };	/* TS 33.220 H.3 */
	struct span fqdn = span_str(bsf_fqdn);

	if (!fqdn_ok(fqdn) || !span_to_str(fqdn, out->fqdn, sizeof out->fqdn))
		return RC_SYNTAX;
	memcpy(out->ua, tmpi, UA_PROTO_LEN);
	return RC_OK;
}

enum rc
kdf_tmpi_from(const struct secret *ks_ext_naf, char out[static TMPI_LEN + 1])
{
	struct span k = secret_span(ks_ext_naf), part;

	if (!span_take(&k, 24, &part))
		return RC_RANGE;
	b64_print(part, out);
	memcpy(out + B64_LEN(24), "@" TMPI_DOMAIN, sizeof "@" TMPI_DOMAIN);
	return RC_OK;
}

enum rc
kdf_tmpi(const struct secret *ks, const uint8_t rand[static RAND_LEN], struct span impi, const char *bsf_fqdn,
    char out[static TMPI_LEN + 1])
{
	struct secret *key = NULL;
	struct naf_id id;
	enum rc rc;

	if ((rc = kdf_bsf_id(bsf_fqdn, &id)) != RC_OK)
		return rc;
	if ((rc = kdf_ks_naf(ks, rand, impi, &id, &key)) != RC_OK)
		return rc;
	rc = kdf_tmpi_from(key, out);
	secret_free(key);
	return rc;
}

/* One derivation of profile.c's table; inputs are indexed by enum profile_input. */
static enum rc
by_profile(const struct secret *key, const struct profile_kdf *form, const struct span *inputs, struct secret **out)
{
	struct span p[KDF_PARAMS_MAX];
	size_t np = 0;

	if (secret_span(key).n != KS_LEN)
		return RC_RANGE;
	for (const enum profile_input *i = form->order; *i != PROFILE_END; i++)
		p[np++] = *i == PROFILE_LABEL ? span_str(form->label) : inputs[*i];
	return kdf(key, form->fc, p, np, out);
}

enum rc
kdf_ks_local_mt(const struct secret *ks_naf, const struct triple *t, struct secret **out)
{
	uint8_t naf[NAF_ID_OCTETS_MAX];
	const struct span inputs[] = {
		[PROFILE_BTID] = span_str(t->btid.s),
		[PROFILE_NAF_ID] = { naf, naf_id_octets(&t->naf_id, naf) },
		[PROFILE_DEVICE_ID] = span_str(t->device_id.s),
	};

	return by_profile(ks_naf, &profile.ks_local_mt, inputs, out);
}

static enum rc
application_key(const struct secret *ks_local_mt, struct span app_id, struct secret **out)
{
	const struct span inputs[] = { [PROFILE_APP_ID] = app_id };

	return by_profile(ks_local_mt, &profile.ks_local_mt_appl, inputs, out);
}

enum rc
kdf_ks_local_mt_appl(const struct secret *ks_local_mt, struct span app_id, struct secret **out)
{
	struct span rest = app_id, prefix;

	if (app_id.n == 0 || app_id.n > APP_ID_MAX)
		return RC_RANGE;
	if (span_take(&rest, strlen(profile.reserved.prefix), &prefix) && span_eq_str(prefix, profile.reserved.prefix))
		return RC_DENIED;
	return application_key(ks_local_mt, app_id, out);
}

enum rc
kdf_reserved(const struct secret *ks_local_mt, const char *app_id, struct secret **out)
{
	if (strcmp(app_id, profile.reserved.tls) != 0 && strcmp(app_id, profile.reserved.psk_id) != 0 &&
	    strcmp(app_id, profile.reserved.confirm) != 0)
		return RC_RANGE;
	return application_key(ks_local_mt, span_str(app_id), out);
}
