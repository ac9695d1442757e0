/*
 * appkey: application keys that leave kslocal (U7): Ks_local_MT_appl of an application id, the identity that goes with it where it is a
 * PSK, and the text that is handed over. Both ends get the same. Ks_local_MT itself never leaves. Pure.         TS 33.259 F, G
 */
#ifndef COMMON_APPKEY_H
#define COMMON_APPKEY_H

#include <jansson.h>
#include <stdbool.h>

#include "common/device_id.h"
#include "common/rc.h"
#include "common/secret.h"
#include "common/span.h"

#define APPKEY_APP_MAX 255
#define APPKEY_IDENTITY_MAX 128		/* what OpenSSL's PSK took at all times */
#define APPKEY_TEXT_MAX (APPKEY_IDENTITY_MAX + 1 + 2 * KS_LEN + 1)

struct appkey {
	struct secret *key;		/* 32 octets */
	char identity[APPKEY_IDENTITY_MAX + 1];	/* "" = none can be made of this id: the user names one */
	char kcv[KCV_LEN + 1];		/* key's */
};
/*
 * "kslocal1." || base64url of the first 16 octets of kdf_reserved(kslocal-psk-id) || "." || app is the identity, where app has only
 * A-Z a-z 0-9 . _ - and all of it fits.
 * RC_RANGE: app is not 1..255 octets; RC_DENIED: it is reserved (W5); RC_NOMEM, RC_CRYPTO. Caller clears.
 */
enum rc appkey_make(const struct secret *ks_local_mt, struct span app, struct appkey *out) MUST_USE;
void appkey_clear(struct appkey *k);
/*
 * What key-derive answers: {"device_id","btid","naf_id","app","kcv","identity","key"}; NULL when memory is out. The key travels as
 * JSON to ksctl and no further: jansson and libevent cleanse what they free (wipe.h).
 */
json_t *appkey_json(const struct appkey *k, const struct triple *t, const char *app);

/* 1..128 printable ASCII characters, no blank and no colon: stunnel's PSKsecrets ends it at the first colon. */
bool appkey_identity_ok(struct span identity);

enum appkey_format {
	APPKEY_HEX,	/* 64 hex digits */
	APPKEY_PSK	/* identity ":" 64 hex digits, a line of stunnel's PSKsecrets */
};
/*
 * The text, with its newline; *n octets. The caller cleanses out.
 *   hex       of the key, as it travelled on the control socket
 *   identity  PSK's
 * RC_SYNTAX: hex is not 64 lower-case digits, or the identity does not do.
 */
enum rc appkey_print(enum appkey_format f, const char *identity, const char *hex, char out[static APPKEY_TEXT_MAX + 1], size_t *n) MUST_USE;

#endif
