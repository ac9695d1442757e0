/*
 * fill: so many keys into the store of a nafkcd that does not run, as if so many devices had got one each: a key, its device, its
 * audit row. Key and device names tell their number, so that filling anew adds nothing.
 *
 *	fill STORE KEY_FILE NAF_ID COUNT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/b64.h"
#include "common/keyfile.h"
#include "common/log.h"
#include "common/store.h"
#include "nafkcd/nafkc.h"
#include "nafkcd/store.h"

#define TURN 5000		/* keys of one commit */
#define LIVES_S (30 * 86400)

static void
must(enum rc rc, const char *what)
{
	if (rc == RC_OK)
		return;
	fprintf(stderr, "fill: %s: %s\n", what, rc_str(rc));
	exit(1);
}

static void
number(size_t i, uint8_t out[static 32])
{
	memset(out, 0, 32);
	for (size_t v = i + 1, j = 0; v > 0; v >>= 8, j++)
		out[j] = (uint8_t)v;
	out[15] = 0xf1;
}

static void
put(struct store *st, const struct naf_id *naf, size_t i, int64_t now_s, const struct secret *ks)
{
	struct nafkc_key k = { .issued_s = now_s, .expires_s = now_s + LIVES_S, .ks_expires_s = now_s + LIVES_S, .bound = true };
	struct nafkc_device d = { .state = NAFKC_DEVICE_SEEN, .bound = true, .subject = "CN=filled" };
	struct nafkc_audit a = { .at_s = now_s, .event = "key-given", .reason = "", .triple = &k.triple, .kcv = k.kcv, .subject = "CN=filled",
		.expires_s = k.expires_s, .spki = k.spki };
	char text[128];

	k.triple.naf_id = *naf;
	number(i, k.spki);
	memcpy(d.spki, k.spki, sizeof d.spki);
	b64_print(span_of(k.spki, 16), text);
	(void)snprintf(text + strlen(text), sizeof text - strlen(text), "@bsf.example.org");
	must(btid_parse(span_str(text), &k.triple.btid), "B-TID");
	(void)snprintf(text, sizeof text, "filled-%zu", i);
	must(device_id_parse(span_str(text), &k.triple.device_id), "Device_ID");
	d.id = k.triple.device_id;
	a.device_id = k.triple.device_id.s;
	(void)snprintf(k.kcv, sizeof k.kcv, "%012x", (unsigned)i);
	must(store_begin(st), "begin");
	must(nafkc_store_put_device(st, &d), "device");
	must(nafkc_store_put_key(st, &k, ks), "key");
	must(nafkc_store_put_audit(st, &a), "audit");
	must(store_end(st, true), "end");
}

int
main(int argc, char **argv)
{
	static const uint8_t octets[32] = { 0x5a };
	struct secret *key, *ks;
	struct naf_id naf;
	struct store *st;
	char why[256] = "";
	size_t n;

	if (argc != 5) {
		fprintf(stderr, "usage: fill STORE KEY_FILE NAF_ID COUNT\n");
		return 2;
	}
	log_open("fill", LOG_LEVEL_WARN);
	n = strtoul(argv[4], NULL, 10);
	must(keyfile_read(argv[2], &key, why, sizeof why), why);
	must(naf_id_parse(span_str(argv[3]), &naf), "NAF_ID");
	must(secret_from(span_of(octets, sizeof octets), &ks), "key");
	must(store_open(argv[1], &nafkc_store_schema, key, &st), argv[1]);
	for (size_t i = 0; i < n; i++) {
		put(st, &naf, i, (int64_t)time(NULL), ks);
		if (i % TURN == TURN - 1)
			must(store_commit(st), "commit");
	}
	must(store_commit(st), "commit");
	must(store_checkpoint(st), "checkpoint");
	store_close(st);
	secret_free(ks);
	secret_free(key);
	return 0;
}
