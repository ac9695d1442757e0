#include "common/appkey.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "common/b64.h"
#include "common/hex.h"
#include "common/kdf.h"
#include "common/profile.h"

#define IDENTITY_OCTETS 16

static bool
is_plain(struct span app)
{
	for (size_t i = 0; i < app.n; i++) {
		uint8_t c = app.p[i];

		if ((c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-')
			return false;
	}
	return true;
}

static enum rc
make_identity(const struct secret *ks_local_mt, struct span app, char out[static APPKEY_IDENTITY_MAX + 1])
{
	char text[B64_LEN(IDENTITY_OCTETS) + 1];
	struct secret *id = NULL;
	enum rc rc;
	int n;

	out[0] = '\0';
	if (!is_plain(app))
		return RC_OK;
	if ((rc = kdf_reserved(ks_local_mt, profile.reserved.psk_id, &id)) != RC_OK)
		return rc;
	b64url_print(span_of(secret_span(id).p, IDENTITY_OCTETS), text);
	n = snprintf(out, APPKEY_IDENTITY_MAX + 1, "kslocal1.%s.%.*s", text, (int)app.n, (const char *)app.p);
	if (n > APPKEY_IDENTITY_MAX)
		out[0] = '\0';
	secret_free(id);
	return RC_OK;
}

enum rc
appkey_make(const struct secret *ks_local_mt, struct span app, struct appkey *out)
{
	struct appkey k = { .key = NULL };
	enum rc rc;

	if (app.n == 0 || app.n > APPKEY_APP_MAX)
		return RC_RANGE;
	if ((rc = kdf_ks_local_mt_appl(ks_local_mt, app, &k.key)) != RC_OK)
		return rc;
	if ((rc = make_identity(ks_local_mt, app, k.identity)) != RC_OK || (rc = secret_kcv(k.key, k.kcv)) != RC_OK) {
		appkey_clear(&k);
		return rc;
	}
	*out = k;
	return RC_OK;
}

void
appkey_clear(struct appkey *k)
{
	secret_free(k->key);
	memset(k, 0, sizeof *k);
}

json_t *
appkey_json(const struct appkey *k, const struct triple *t, const char *app)
{
	char naf[NAF_ID_TEXT_MAX + 1], hex[2 * KS_LEN + 1];
	json_t *o;

	naf_id_print(&t->naf_id, naf);
	hex_print(secret_span(k->key), hex);
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "device_id", t->device_id.s, "btid", t->btid.s, "naf_id", naf,
	    "app", app, "kcv", k->kcv, "identity", k->identity, "key", hex);
	OPENSSL_cleanse(hex, sizeof hex);
	return o;
}

bool
appkey_identity_ok(struct span identity)
{
	for (size_t i = 0; i < identity.n; i++) {
		if (identity.p[i] <= ' ' || identity.p[i] > '~' || identity.p[i] == ':')
			return false;
	}
	return identity.n > 0 && identity.n <= APPKEY_IDENTITY_MAX;
}

enum rc
appkey_print(enum appkey_format f, const char *identity, const char *hex, char out[static APPKEY_TEXT_MAX + 1], size_t *n)
{
	if (strlen(hex) != 2 * KS_LEN || !hex_is_lower(span_str(hex)))
		return RC_SYNTAX;
	if (f == APPKEY_PSK && !appkey_identity_ok(span_str(identity)))
		return RC_SYNTAX;
	*n = (size_t)snprintf(out, APPKEY_TEXT_MAX + 1, "%s%s%s\n", f == APPKEY_PSK ? identity : "", f == APPKEY_PSK ? ":" : "", hex);
	return RC_OK;
}
