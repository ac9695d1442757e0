/*
 * link_impl: what a network of links must provide. Included by link*.c alone; users see link.h.
 */
#ifndef COMMON_LINK_IMPL_H
#define COMMON_LINK_IMPL_H

#include "common/link.h"

#define LINK_CONNECT_TIMEOUT_MS 10000
#define LINK_CLOSE_TIMEOUT_MS 5000
#define LINK_INPUT_LIMIT (64 * 1024)
#define LINK_UNSENT_MAX (16 * 1024 * 1024)
#define LINK_MAX_LINKS 1024

struct link_ops {
	struct span (*input)(struct link *l);
	void (*drain)(struct link *l, size_t n);
	void (*set_input_limit)(struct link *l, size_t n);
	enum rc (*write)(struct link *l, struct span octets);
	size_t (*unsent)(const struct link *l);
	void (*close)(struct link *l);
	enum rc (*shutdown)(struct link *l);	/* NULL: never half_open */
	bool (*at_eof)(const struct link *l);	/* NULL: never half_open */
	void (*reset)(struct link *l);		/* NULL: as free */
	void (*tls_above)(struct link *l);	/* NULL: fine. TLS is what comes now, and somebody above reads it (link_over) */
	void (*free)(struct link *l);
	void (*peer)(const struct link *l, struct link_peer *out);
};

/* The first member of each implementation's link and listener. */
struct link {
	const struct link_ops *ops;
	struct link_cb cb;
	void *arg;
};
struct link_listener {
	const struct link_net_ops *ops;
	char address[160];
};

struct link_net_ops {
	enum rc (*listen)(void *ctx, const char *address, const struct link_options *opt,
	    void (*on_accept)(struct link *l, void *arg), void *arg, struct link_listener **out);
	void (*listener_free)(struct link_listener *ll);
	enum rc (*connect)(void *ctx, const char *address, const struct link_options *opt, const struct link_cb *cb, void *arg,
	    struct link **out);
};

/* Address text taken apart. */
struct link_address {
	bool is_unix, is_serial;
	char host[256];			/* a name or an address without brackets; or the path */
	uint16_t port;
};
enum rc link_address_parse(const char *text, struct link_address *out) MUST_USE;

/* No protocol of ours begins as a TLS record does. 1 = TLS, 0 = not, -1 = too early to tell. */
#define LINK_RECORD_ALERT 0x15
#define LINK_RECORD_HANDSHAKE 0x16
int link_looks_like_tls(struct span first);

#endif
