/* kdf: GBA key derivation, TS 33.220 Annex B, and what hangs below it. Pure: no I/O, no clock, no globals. */
#ifndef COMMON_KDF_H
#define COMMON_KDF_H

#include <stddef.h>
#include <stdint.h>

#include "common/device_id.h"
#include "common/imsi.h"
#include "common/naf_id.h"
#include "common/rc.h"
#include "common/secret.h"
#include "common/span.h"

#define KDF_PARAMS_MAX 16

/*
 * S = FC || P0 || L0 || P1 || L1 …                               TS 33.220 B.2.0
 *   fc      one octet (0x01), or two when above 0xff, the first being FF (0xfffe)
 *   p, np   0..KDF_PARAMS_MAX parameters of 0..65535 octets
 *   *s, *n  new, the caller's: OPENSSL_clear_free(s, n)
 * RC_RANGE, RC_NOMEM.
 */
enum rc kdf_string(unsigned fc, const struct span *p, size_t np, uint8_t **s, size_t *n) MUST_USE;
/* HMAC-SHA-256(key, kdf_string): a new 32-octet secret the caller frees. RC_RANGE, RC_NOMEM, RC_CRYPTO. */
enum rc kdf(const struct secret *key, unsigned fc, const struct span *p, size_t np, struct secret **out) MUST_USE;

/*
 * Ks_NAF (GBA_ME) = Ks_ext_NAF (GBA_U) from Ks, P0 = "gba-me".    TS 33.220 B.3
 *   ks      32 octets, CK || IK
 *   rand    the RAND of the bootstrapping run that made ks
 *   impi    never the TMPI, 1..IMPI_MAX octets
 *   out     a new 32-octet secret the caller frees; untouched on failure, as everywhere below
 * RC_RANGE: a length above is not met. RC_NOMEM, RC_CRYPTO.
 */
enum rc kdf_ks_naf(const struct secret *ks, const uint8_t rand[static 16], struct span impi, const struct naf_id *naf_id,
    struct secret **out) MUST_USE;
/* Ks_int_NAF, P0 = "gba-u". On the UICC and at the BSF only. */
enum rc kdf_ks_int_naf(const struct secret *ks, const uint8_t rand[static 16], struct span impi, const struct naf_id *naf_id,
    struct secret **out) MUST_USE;
/* TMPI: an identity, not a key. bsf_fqdn: the name in the B-TID. RC_SYNTAX (no FQDN).                      TS 33.220 B.4 */
enum rc kdf_tmpi(const struct secret *ks, const uint8_t rand[static 16], struct span impi, const char *bsf_fqdn,
    char out[static TMPI_LEN + 1]) MUST_USE;
/* The TMPI as text from Ks_(ext)_NAF of bsf_fqdn || 01 00 00 01 00: where the UICC did the derivation (GBA_U). */
enum rc kdf_tmpi_from(const struct secret *ks_ext_naf, char out[static TMPI_LEN + 1]) MUST_USE;
/* BSF_Id: the NAF_ID that the TMPI is derived with. RC_SYNTAX. */
enum rc kdf_bsf_id(const char *bsf_fqdn, struct naf_id *out) MUST_USE;

/* Ks_local_MT from Ks_(ext)_NAF and the triple; project form (profile.h).                 TS 33.259 A, seed 7.4 */
enum rc kdf_ks_local_mt(const struct secret *ks_naf, const struct triple *t, struct secret **out) MUST_USE;
/* Application key from Ks_local_MT; app_id 1..255 octets. RC_DENIED: the id is reserved (W5). Project form.    TS 33.259 G */
enum rc kdf_ks_local_mt_appl(const struct secret *ks_local_mt, struct span app_id, struct secret **out) MUST_USE;
/* The same for ids that are ours: profile.reserved.tls, .psk_id, .confirm (W5). RC_RANGE: app_id is none of them. */
enum rc kdf_reserved(const struct secret *ks_local_mt, const char *app_id, struct secret **out) MUST_USE;

#endif
