/*
 * mt: the mobile terminal without its UICC (W1): runs GBA at the BSF for it, derives Ks_local_MT, and speaks the local interface
 * with external devices. One core, no static state.
 *
 *	device ── local.c ── gba.c ── ub.c ── http_client ── BSF
 *	                      │  └─── usim.c ── uicc ── card
 *	                policy.c, store.c
 */
#ifndef MTD_MT_H
#define MTD_MT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/ctl.h"
#include "common/device_id.h"
#include "common/naf_id.h"
#include "common/rc.h"
#include "common/tunnel.h"
#include "mtd/usim.h"

struct clock;
struct http_client;
struct http_tls;
struct link_net;
struct link_tls;
struct metrics;
struct mt;
struct mt_uicc;
struct rnd;
struct secret;
struct store;
struct store_schema;
struct timeguard;
struct trace;
struct turn;

#define MT_NAFS_MAX 16		/* K1: a device reads no more */
#define MT_LOCALS_MAX 8
#define MT_DEVICES_MAX 256
#define MT_UB_HEADERS_MAX 8
#define MT_OFFERED_MAX 16
#define MT_SERVICE_DEVICES_MAX 64
#define MT_USER_AGENT "kslocal mtd; Release-6; 3gpp-gba-tmpi"

/* One link of the local interface that we listen on. */
struct mt_local_conf {
	char name[32];			/* names the link in logs, buckets and rows */
	char listen[160];		/* as link.h; port 0 = any */
	struct link_tls *tls;		/* NULL = plain; must outlive the core */
	bool insecure;			/* K11: plain beyond loopback is meant */
	mode_t unix_mode;		/* 0 = 0600 */
	size_t links_max;		/* 0 = 256 */
	struct link_serial_options serial;
	bool use_on_connect;		/* U4: ask a device that we share a key with to open a tunnel */
};

/* U5: what devices reach over a tunnel. */
struct mt_service_conf {
	char name[TUNNEL_SERVICE_MAX + 1];
	char connect[160];		/* as link.h; never named by a peer */
	bool confirmed;			/* any device whose key is confirmed; else these: */
	struct device_id devices[MT_SERVICE_DEVICES_MAX];
	size_t n_devices;
};

/*
 * ub.md 10: what a UE may let pass, each off until it is asked for. A Server without the token 3gpp-gba-tmpi is none of them: an
 * older release, no error (ub.md 7); no TMPI comes of such a run.
 */
enum mt_tolerate {
	MT_TOLERATE_NO_INFO = 1 << 0,		/* "no-authentication-info": rspauth is then not there to be checked */
	MT_TOLERATE_OPAQUE_BTID = 1 << 1,	/* "opaque-btid": local part other than base64(RAND) */
	MT_TOLERATE_QOP_AUTH = 1 << 2		/* "qop-auth": no auth-int offered */
};

struct mt_ub_conf {
	char fqdn[FQDN_MAX + 1];	/* the BSF's name = realm; "" = from the card's IMSI (ub.md 2) */
	char url[512];			/* "" = http://FQDN/ */
	char dial[280];			/* "HOST:PORT" to connect to instead; "" = as the URL says */
	const struct http_tls *tls;	/* https; must outlive the core */
	char user_agent[128];		/* "" = MT_USER_AGENT */
	struct {
		char name[64], value[256];
	} headers[MT_UB_HEADERS_MAX];	/* sent with each request (ub.md 8) */
	size_t n_headers;
	unsigned tolerate;		/* enum mt_tolerate, or'ed */
	bool use_currenttime;		/* lifetime - currenttime from now on, for an MT whose clock is not trusted (ub.md 4) */
	int64_t timeout_ms;		/* one exchange; 0 = 10,000 */
};

/* keycenter: whom to ask for the state of keys of this NAF (N7). */
struct mt_center_conf {
	struct naf_id naf_id;
	char url[512];			/* https://FQDN…; "" = https://FQDN:8444/keycentre/v1/key-state */
	char dial[280];			/* "HOST:PORT" to connect to instead; "" = as the URL says */
	const struct http_tls *tls;	/* must outlive the core */
};

/* uicc { gba }: where Ks is made and kept. */
enum mt_gba_mode {
	MT_GBA_AUTO,		/* in the card where it offers GBA, else here */
	MT_GBA_ME,		/* here, whatever the card offers */
	MT_GBA_U		/* in the card; one without the service is refused */
};
/* C2: keys that are there, while their card is out. */
enum mt_without_card {
	MT_WITHOUT_CARD_USABLE,		/* until they expire */
	MT_WITHOUT_CARD_SUSPENDED,	/* not before it is in again */
	MT_WITHOUT_CARD_DELETED
};

enum mt_device_policy {
	MT_DEVICES_LISTED,	/* devices alone */
	MT_DEVICES_ANY,		/* every Device_ID */
	MT_DEVICES_ASK		/* devices; the user is asked about others */
};

struct mt_conf {
	struct mt_local_conf locals[MT_LOCALS_MAX];
	size_t n_locals;
	struct mt_usim_conf usim;
	enum mt_gba_mode gba;
	enum mt_without_card without_card;
	struct naf_id isim_nafs[MT_NAFS_MAX];	/* these get the ISIM's Ks, the others the USIM's */
	size_t n_isim_nafs;
	bool isim_any;				/* all get the ISIM's */
	uint8_t nafkca_ua[UA_PROTO_LEN];	/* makes NAF_IDs of EF_NAFKCA's FQDNs; zeros = 0100000002 */
	struct mt_ub_conf ub;
	struct naf_id nafs[MT_NAFS_MAX];	/* best first */
	size_t n_nafs;
	bool naf_any;			/* naf_policy = any: derive for what is not listed, too (K1) */
	enum mt_device_policy device_policy;	/* who is told the B-TID and may ask for keys (K11), beside what the user decided */
	int64_t ask_timeout_s;		/* 0 = 60 */
	struct device_id devices[MT_DEVICES_MAX];
	size_t n_devices;
	int64_t ks_min_left_s;		/* K7; 0 = 60 */
	unsigned runs_per_hour;		/* K8; 0 = 30 */
	unsigned runs_per_hour_device;	/* per Device_ID and link; 0 = 6 */
	unsigned unused_keys_max;	/* K5; 0 = 4 */
	struct mt_service_conf services[MT_OFFERED_MAX];
	size_t n_services;
	unsigned streams_max;		/* of a tunnel; 0 = 100 */
	unsigned tunnels_max;		/* on one key of a device; 0 = 4 */
	size_t stream_buffer;		/* octets of a stream that wait here, each way, and half as many more on their way out; 0 = 262,144 */
	struct mt_center_conf centers[MT_NAFS_MAX];
	size_t n_centers;
	int64_t state_interval_s;	/* N7; 0 = 900 */
	int64_t state_grace_s;		/* N10; 0 = none: usable to its expiry */
	bool state_before_use;		/* N10 */
};

/* All borrowed until mt_free(). */
struct mt_seams {
	struct clock *clock;
	struct timeguard *guard;
	const struct rnd *rnd;
	struct store *store;			/* mt_store_open() */
	struct turn *turn;
	struct trace *trace;
	const struct link_net *net;
	const struct http_client *http;
	struct mt_uicc *uicc;
	struct metrics *metrics;		/* may be NULL */
};

/* The store with our tables: its schema, and store_open() with it. */
extern const struct store_schema mt_store_schema;
enum rc mt_store_open(const char *path, const struct secret *key, struct store **out) MUST_USE;

/* Copies conf. RC_NOMEM, RC_IO (store), RC_CRYPTO (rnd: MT_ID). Caller frees. */
enum rc mt_new(const struct mt_seams *s, const struct mt_conf *conf, struct mt **out) MUST_USE;
/* Listens on all links and looks for the card. RC_IO, RC_SYNTAX, RC_DENIED (plain beyond loopback without insecure): said in the log. */
enum rc mt_start(struct mt *m) MUST_USE;
/* Takes nothing new, lets a Ub run and what waits for it end, closes the links, then done(arg). */
void mt_stop(struct mt *m, void (*done)(void *arg), void *arg);
/* At once. NULL is fine. */
void mt_free(struct mt *m);

/* status, key-list, bootstrap; given the struct mt as core. */
extern const struct ctl_op mt_ctl_ops[];
/* Hooks of daemon.h: problems as strings; members for status; {"local":[addresses]}. */
void mt_health(void *mt, json_t *problems);
void mt_status(void *mt, json_t *o);
void mt_bound(void *mt, json_t *o);

/* K6, for tests and metrics: what it has cost so far. */
struct mt_counts {
	uint64_t ub_runs, ub_failed, naf_derivations, keys_derived, keys_confirmed;
};
void mt_get_counts(const struct mt *m, struct mt_counts *out);

#endif
