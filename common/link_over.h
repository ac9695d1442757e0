/*
 * link_over: TLS between a link, whatever it is, and its user: a link again.                                       U2, U6, U8
 * With certificates (link_tls; a serial line's channels), or with a key that both ends have: TLS 1.3, external PSK with (EC)DHE,
 * TLS_AES_128_GCM_SHA256, no tickets, no early data, ALPN "h2". A side that cannot be authenticated by the PSK is refused; there is no
 * falling back to certificates. A ClientHello where the other role is due is refused by the state machine (RFC 9257, Selfie).
 */
#ifndef COMMON_LINK_OVER_H
#define COMMON_LINK_OVER_H

#include "common/link.h"
#include "common/secret.h"

#define LINK_PSK_IDENTITY_MAX 64	/* characters */

struct clock;

struct link_psk {			/* the one key that this handshake may use */
	const char *identity;		/* printable ASCII without a colon */
	const struct secret *key;	/* 32 octets */
};
struct link_over_conf {			/* borrowed during the call only, tls for the link's life */
	bool server;
	struct link_tls *tls;		/* certificates; or */
	const char *tls_name;		/* client: the dNSName that the server must carry; NULL = any */
	const struct link_psk *psk;	/* … a PSK */
	int64_t handshake_ms;		/* 0 = 10,000 */
	bool half_open;			/* close_notify is on_eof; as link_options.half_open */
};
/*
 * inner is up, and is taken over (freed on failure, too); what it already holds as input is read as TLS. cb->on_up when the handshake is
 * done, or on_closed: REASON_LINK_PSK_REFUSED: the peer's alert or binder says "not the same key"; REASON_LINK_PSK_IDENTITY
 * (server): it named another identity. Nothing is said about the key (U3) by _PSK_NONE: it would not be authenticated by one;
 * REASON_LINK_TLS_ROLE, _TLS_ALPN, _TLS_BROKEN; the certificates' reasons; _PEER_PLAIN, _TIMEOUT, _BROKEN. on_closed waits until the
 * last words have left inner. RC_NOMEM, RC_CRYPTO, RC_RANGE (identity, key).
 */
enum rc link_over(struct link *inner, struct clock *clock, const struct link_over_conf *conf, const struct link_cb *cb, void *arg,
    struct link **out) MUST_USE;

/*
 * What `use` makes of a key: kdf_reserved(kslocal-tls) as PSK, "kslocal1." || base64url of the first 16 octets of
 * kdf_reserved(kslocal-psk-id) as its identity (U2, W5). Caller frees *psk. RC_NOMEM, RC_CRYPTO.
 */
enum rc link_psk_of(const struct secret *ks_local_mt, char identity[static LINK_PSK_IDENTITY_MAX + 1], struct secret **psk) MUST_USE;

#endif
