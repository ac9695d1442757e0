/*
 * hot: the paths that every key takes, each some times over between two marks of callgrind, so that test/bench/guard can count their
 * instructions. Under valgrind each section is a dump of its own, named "NAME TIMES"; without it this is a check that they work.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#include "common/aka.h"
#include "common/digest_aka.h"
#include "common/http.h"
#include "common/kdf.h"
#include "common/log.h"
#include "common/rnd.h"
#include "common/seal.h"
#include "common/uaxml.h"
#include "test/sim/sim.h"

#define TIMES 100		/* of what is pure; the first call, which fetches and allocates for good, is not counted */
#define REQUESTS 40

static struct secret *key16[2], *key32;
static const uint8_t rand16[16] = { 0x23, 0x55, 0x3c, 0xbe };

static void
must(enum rc rc)
{
	if (rc == RC_OK)
		return;
	fprintf(stderr, "hot: %s\n", rc_str(rc));
	exit(1);
}

static struct secret *
secret_of(uint8_t first, size_t n)
{
	uint8_t octets[32] = { first };
	struct secret *s;

	must(secret_from(span_of(octets, n), &s));
	return s;
}

/* fn once, then TIMES over between the marks. */
static void
count(const char *name, void (*fn)(void))
{
	char text[80];

	(void)snprintf(text, sizeof text, "%s %d", name, TIMES);
	fn();
	CALLGRIND_ZERO_STATS;
	CALLGRIND_TOGGLE_COLLECT;
	for (int i = 0; i < TIMES; i++)
		fn();
	CALLGRIND_TOGGLE_COLLECT;
	CALLGRIND_DUMP_STATS_AT(text);
}

/* --- keys */

static void
derive_ks_naf(void)
{
	struct naf_id naf;
	struct secret *out;

	must(naf_id_parse(span_str(SIM_NAF_ID), &naf));
	must(kdf_ks_naf(key32, rand16, span_str(SIM_IMPI), &naf, &out));
	secret_free(out);
}

static void
derive_ks_local_mt(void)
{
	static struct triple t;
	struct secret *out;

	if (t.btid.s[0] == '\0') {
		must(naf_id_parse(span_str(SIM_NAF_ID), &t.naf_id));
		must(btid_parse(span_str("oKGio6SlpqeoqaqrrK2urw==@bsf.example.org"), &t.btid));
		must(device_id_parse(span_str(SIM_DEVICE_ID), &t.device_id));
	}
	must(kdf_ks_local_mt(key32, &t, &out));
	secret_free(out);
}

static void
make_vector(void)
{
	static const uint8_t amf[2] = { 0x80 };
	struct aka_vector v = { { 0 }, { 0 }, NULL, NULL, NULL };

	must(aka_make(key16[0], key16[1], rand16, 32, amf, &v));
	aka_vector_clear(&v);
}

static void
check_digest(void)
{
	static struct digest d;

	if (d.nonce[0] == '\0') {
		d.have = DIGEST_QOP;
		d.qop = DIGEST_QOP_AUTH_INT;
		d.alg = DIGEST_ALG_AKAV2_MD5;
		(void)snprintf(d.username, sizeof d.username, "%s", SIM_IMPI);
		(void)snprintf(d.realm, sizeof d.realm, "bsf.mnc001.mcc001.pub.3gppnetwork.org");
		(void)snprintf(d.nonce, sizeof d.nonce, "I1U8vgAAAAAAAAAAAAAAAAAAAAAAAIAAAAAAAAAAAAA=");
		(void)snprintf(d.uri, sizeof d.uri, "/");
		(void)snprintf(d.cnonce, sizeof d.cnonce, "0123456789abcdef");
		(void)snprintf(d.nc, sizeof d.nc, "00000001");
		must(digest_response(&d, key16[0], "GET", span_str(""), d.response));
	}
	must(digest_check(&d, key16[0], "GET", span_str(""), d.response));
}

static void
parse_request(void)
{
	static const char doc[] = "<keyRequest xmlns=\"urn:x-kslocal:ua:1\"><btid>oKGio6SlpqeoqaqrrK2urw==@bsf.example.org</btid>"
	    "<deviceId>" SIM_DEVICE_ID "</deviceId></keyRequest>";
	struct uaxml_request q;
	const char *bad;

	must(uaxml_parse_request(span_str(doc), &q, &bad));
}

/* --- keys at rest */

static struct seal *seal;
static struct seal_place place = { "keys", "ks_local_mt", { (const uint8_t *)"oKGio6SlpqeoqaqrrK2urw==@bsf.example.org", 40 } };
static uint8_t sealed[256];
static size_t sealed_n;

static void
seal_it(void)
{
	must(seal_put(seal, &place, key32, sealed, sizeof sealed, &sealed_n));
}

static void
open_it(void)
{
	struct secret *out;

	must(seal_get(seal, &place, span_of(sealed, sealed_n), &out));
	secret_free(out);
}

static void
count_seal(void)
{
	static const uint8_t id[SEAL_STORE_ID_LEN] = { 1 };
	struct rnd_seeded rnd;

	rnd_seeded_init(&rnd, 1);
	must(seal_new(key32, id, &rnd.rnd, &seal));
	count("seal", seal_it);
	count("open", open_it);
	seal_free(seal);
}

/* --- requests through the whole cores, in the simulator: HTTP and Diameter in memory, a virtual clock, stores on disk */

static bool answered;
static int status;

static void
on_reply(void *arg, const struct http_reply *r)
{
	(void)arg;
	status = r->status;
	answered = true;
}

static bool
is_answered(void *arg)
{
	(void)arg;
	return answered;
}

/* As a device's, over a connection that stands: TLS and HTTP are not in it, the turn with its commit is. */
static void
key_request(struct sim *s, const struct http_client *client, const char *body)
{
	static const struct http_header h[] = { { "Host", "nafkc.example.org" }, { "Content-Type", "application/xml; charset=utf-8" } };
	struct http_call c = { .method = "POST", .url = "https://nafkc.example.org/keycentre/v1/key-request", .dial = SIM_UA, .headers = h,
		.n_headers = 2, .body = span_str(body), .timeout_ms = 20000 };
	struct http_flight *f;

	answered = false;
	must(http_send(client, &c, on_reply, NULL, &f));
	if (!sim_run(s, is_answered, NULL, 60000) || status != 200) {
		fprintf(stderr, "hot: a key request was answered %d\n", status);
		exit(1);
	}
}

/* The peer is the simulated device's, which the Key Center knows. */
static void
count_key_requests(void)
{
	static const struct http_peer peer = { .address = "10.0.0.11:40000", .has_cert = true, .spki_sha256 = { 0xd0, 1 },
		.issuer_sha256 = { 0xca, 1 }, .subject = "CN=device-1", .issuer = "CN=ca" };
	struct sim *s = sim_new(&(struct sim_conf){ .seed = 1 });
	const struct extdev_result *r;
	const struct http_client *client;
	char body[1024], text[80];

	r = sim_establish(s, &(struct extdev_want){ .fresh = true });
	(void)snprintf(body, sizeof body, "<keyRequest xmlns=\"urn:x-kslocal:ua:1\"><btid>%s</btid><deviceId>%s</deviceId></keyRequest>",
	    r->triple.btid.s, SIM_DEVICE_ID);
	must(sim_http_client(sim_http_of(s), &peer, &client));
	for (int i = 0; i < 5; i++)
		key_request(s, client, body);
	(void)snprintf(text, sizeof text, "key-request %d", REQUESTS);
	CALLGRIND_ZERO_STATS;
	CALLGRIND_TOGGLE_COLLECT;
	for (int i = 0; i < REQUESTS; i++)
		key_request(s, client, body);
	CALLGRIND_TOGGLE_COLLECT;
	CALLGRIND_DUMP_STATS_AT(text);
	sim_free(s);
}

int
main(void)
{
	log_open("hot", LOG_LEVEL_ERROR);
	key16[0] = secret_of(0x46, 16);
	key16[1] = secret_of(0xcd, 16);
	key32 = secret_of(0x5a, 32);
	count("ks-naf", derive_ks_naf);
	count("ks-local-mt", derive_ks_local_mt);
	count("milenage", make_vector);
	count("digest", check_digest);
	count("key-request-parse", parse_request);
	count_seal();
	count_key_requests();
	secret_free(key16[0]);
	secret_free(key16[1]);
	secret_free(key32);
	return 0;
}
