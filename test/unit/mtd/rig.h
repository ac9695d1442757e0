/*
 * rig: a whole MT in this process: the core, a software card, a BSF behind the HTTP seam, devices on the in-memory network, on a
 * virtual clock. rig_run() lets everything happen that is due now; each of its rounds is one turn.
 */
#ifndef TEST_UNIT_MTD_RIG_H
#define TEST_UNIT_MTD_RIG_H

#include <unistd.h>

#include "test/unit/mtd/fake_bsf.h"

#include "common/hex.h"
#include "common/link.h"
#include "common/localif.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/proof.h"
#include "common/rpc.h"
#include "common/store.h"
#include "common/timeguard.h"
#include "common/trace.h"
#include "common/turn.h"
#include "mtd/card_image.h"
#include "mtd/mt.h"
#include "mtd/store.h"
#include "mtd/uicc.h"
#include "mtd/uicc_soft.h"

#define RIG_NOW INT64_C(1900000000)
#define RIG_IMPI "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
#define RIG_LINK "unix:/mt"
#define RIG_NAF "nafkc.example.org/0100000002"
#define RIG_NAF2 "nafkc2.example.org/0100000002"
#define RIG_DEVICE "urn:uuid:6f1d1c1e-0000-4000-8000-000000000001"
#define RIG_DEVICE2 "urn:uuid:6f1d1c1e-0000-4000-8000-000000000002"

static struct {
	struct clock *clock;
	struct timeguard *guard;
	struct rnd_seeded rnd;
	struct secret *store_key, *k, *opc;
	struct store *store;
	struct turn *turn;
	struct trace *trace;
	struct link_net *net;
	struct metrics *metrics;
	struct mt_uicc *uicc;
	struct fake_bsf bsf;
	struct mt_conf conf;
	struct mt *mt;
	struct mt_card_image form;	/* what the cards put in have besides subscriber n */
	char card_state[64];		/* theirs; "" = in memory: lost when the card is taken out */
	char path[64];			/* of the store; "" = in memory */
	bool commits_fail;
} rig;

static inline void
rig_clock(void)
{
	ck_ok(clock_new_virtual(RIG_NOW * 1000, &rig.clock));
}

static inline struct secret *
rig_secret(uint8_t of, size_t n)
{
	uint8_t b[64];
	struct secret *s;

	memset(b, of, sizeof b);
	ck_ok(secret_from(span_of(b, n), &s));
	return s;
}

/* The card of subscriber n: K and OPc are the BSF's for n = 1. */
static inline void
rig_insert(unsigned n)
{
	static const uint8_t aid[] = { 0xa0, 0, 0, 0, 0x87, 0x10, 2 };
	struct mt_card_image image = rig.form;

	image.mnc_len = 2;
	image.k = rig_secret((uint8_t)(0x10 + n), 16);
	image.opc = rig_secret((uint8_t)(0x20 + n), 16);
	image.sqn = (struct sqn_limits){ SQN_DELTA_DEFAULT, 0 };
	image.app[MT_CARD_USIM].aid_len = sizeof aid;
	image.app[MT_CARD_USIM].gba_nafs = 4;
	(void)snprintf(image.iccid.s, sizeof image.iccid.s, "8988000000000000%04u", n);
	(void)snprintf(image.imsi.s, sizeof image.imsi.s, "00101%010u", n);
	memcpy(image.app[MT_CARD_USIM].aid, aid, sizeof aid);
	ck_ok(mt_uicc_soft_insert_image(rig.uicc, &image, rig.card_state[0] != '\0' ? rig.card_state : NULL));
	mt_card_image_clear(&image);
}

/* A daemon's life: everything that is not on disk is new. */
static inline void
rig_up(void)
{
	struct mt_seams s;

	ck_ok(mt_store_open(rig.path[0] != '\0' ? rig.path : ":memory:", rig.store_key, &rig.store));
	ck_ok(turn_new(rig.store, &rig.turn));
	ck_ok(timeguard_new(rig.clock, rig.store, TIMEGUARD_STEP_MAX_S, &rig.guard));
	ck_ok(trace_new("mtd", NULL, 0, rig.clock, rig.turn, &rig.trace));
	s = (struct mt_seams){ .clock = rig.clock, .guard = rig.guard, .rnd = &rig.rnd.rnd, .store = rig.store, .turn = rig.turn,
		.trace = rig.trace, .net = rig.net, .http = &rig.bsf.client, .uicc = rig.uicc, .metrics = rig.metrics };
	ck_ok(mt_new(&s, &rig.conf, &rig.mt));
}

/* As kill -9: nothing is finished, what the turn had not committed is gone. */
static inline void
rig_down(void)
{
	mt_free(rig.mt);
	rig.mt = NULL;
	trace_free(rig.trace);
	timeguard_free(rig.guard);
	turn_free(rig.turn);
	store_close(rig.store);
}

static inline void
rig_conf(void)
{
	memset(&rig.conf, 0, sizeof rig.conf);
	rig.conf.n_locals = 1;
	(void)snprintf(rig.conf.locals[0].name, sizeof rig.conf.locals[0].name, "u");
	(void)snprintf(rig.conf.locals[0].listen, sizeof rig.conf.locals[0].listen, RIG_LINK);
	rig.conf.n_nafs = 1;
	ck_ok(naf_id_parse(span_str(RIG_NAF), &rig.conf.nafs[0]));
	rig.conf.device_policy = MT_DEVICES_ANY;
}

/* For tcase fixtures: all parts, the conf at its start; the test may change it before rig_start(). */
static inline void
rig_open(void)
{
	memset(&rig, 0, sizeof rig);
	log_set_level(LOG_LEVEL_ERROR);
	rig_clock();
	rnd_seeded_init(&rig.rnd, 99);
	rig.store_key = rig_secret(7, 32);
	rig.k = rig_secret(0x11, 16);
	rig.opc = rig_secret(0x21, 16);
	ck_ok(link_mem_new(rig.clock, &rig.net));
	ck_ok(metrics_new("mtd", &rig.metrics));
	ck_ok(mt_uicc_soft_new(rig.clock, &rig.rnd.rnd, &rig.uicc));
	rig_insert(1);
	fake_bsf_init(&rig.bsf, rig.clock, rig.k, rig.opc, RIG_IMPI);
	rig_conf();
}

static inline bool
rig_step(void)
{
	bool did = link_mem_run(rig.net) > 0;

	did |= fake_bsf_step(&rig.bsf);
	did |= clock_until_next(rig.clock) == 0 && clock_advance(rig.clock, 0) > 0;
	turn_end(rig.turn);
	did |= link_mem_run(rig.net) > 0;	/* what the turn released */
	turn_end(rig.turn);
	return did;
}

static inline void
rig_run(void)
{
	int n = 0;

	while (rig_step())
		ck_assert_int_lt(n++, 10000);
}

static inline void
rig_start(void)
{
	rig_up();
	ck_ok(mt_start(rig.mt));
	rig_run();
}

static inline void
rig_close(void)
{
	rig_down();
	mt_uicc_free(rig.uicc);
	link_mem_free(rig.net);
	metrics_free(rig.metrics);
	fake_bsf_clear(&rig.bsf);
	clock_free(rig.clock);
	secret_free(rig.store_key);
	secret_free(rig.k);
	secret_free(rig.opc);
	if (rig.path[0] != '\0')
		unlink(rig.path);
	if (rig.card_state[0] != '\0')
		unlink(rig.card_state);
}

static inline struct mt_counts
rig_counts(void)
{
	struct mt_counts n;

	mt_get_counts(rig.mt, &n);
	return n;
}

/* --- a device */

struct dev {
	struct rpc *rpc;
	struct link *link;
	bool up, closed;
	enum reason closed_why;
	/* the last answer */
	int answers, progresses;
	json_t *ok;			/* NULL = refused */
	enum reason why;
	char code[32];
	int64_t retry_after_s;
	char word[32];
	/* what the MT asks */
	int uses, renews;
	json_t *asked;			/* the last use */
	enum reason use_why;		/* what it is answered */
	bool holds;			/* … not before the test does: */
	struct rpc_req *held;
};

static inline void
dev_on_closed(struct rpc *r, enum reason why, const char *detail, void *arg)
{
	struct dev *d = arg;

	(void)detail;
	d->closed = true;
	d->closed_why = why;
	rpc_free(r);
	d->rpc = NULL;
}

static inline void
dev_on_request(struct rpc_req *q, const char *op, json_t *body, void *arg)
{
	struct dev *d = arg;
	enum reason why = REASON_LOCAL_UNSUPPORTED;

	if (strcmp(op, "use") == 0) {
		d->uses++;
		json_decref(d->asked);
		d->asked = json_deep_copy(body);
		why = d->use_why;
		if (d->holds) {
			d->held = q;
			return;
		}
	} else if (strcmp(op, "renew") == 0) {
		d->renews++;
		why = REASON_NONE;
	}
	if (why == REASON_NONE)
		rpc_ok(q, NULL);
	else
		rpc_fail(q, why, 0, NULL);
}

static inline void
dev_on_up(struct link *l, void *arg)
{
	static const struct rpc_cb cb = { dev_on_request, dev_on_closed };
	struct dev *d = arg;

	d->up = true;
	ck_ok(rpc_new(l, rig.clock, NULL, &cb, d, &d->rpc));
}

static inline void
dev_on_link_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct dev *d = arg;

	(void)detail;
	d->closed = true;
	d->closed_why = why;
	link_free(l);
}

static inline void
dev_open(struct dev *d)
{
	static const struct link_cb cb = { .on_up = dev_on_up, .on_closed = dev_on_link_closed };
	static const struct link_options opt;

	memset(d, 0, sizeof *d);
	ck_ok(link_connect(rig.net, RIG_LINK, &opt, &cb, d, &d->link));
	rig_run();
	ck_assert(d->up);
}

static inline void
dev_close(struct dev *d)
{
	json_decref(d->ok);
	json_decref(d->asked);
	d->ok = d->asked = NULL;
	rpc_free(d->rpc);
	d->rpc = NULL;
	rig_run();
}

static inline void
dev_on_answer(void *arg, json_t *body, enum reason why, const json_t *error)
{
	struct dev *d = arg;

	d->answers++;
	json_decref(d->ok);
	d->ok = json_incref(body);
	d->why = why;
	d->code[0] = '\0';
	d->retry_after_s = 0;
	if (error != NULL) {
		(void)snprintf(d->code, sizeof d->code, "%s", json_string_value(json_object_get(error, "code")));
		d->retry_after_s = json_integer_value(json_object_get(error, "retry_after_s"));
	}
}

static inline void
dev_on_progress(void *arg, const char *word, int64_t wait_s)
{
	struct dev *d = arg;

	d->progresses++;
	ck_assert_int_gt(wait_s, 0);
	(void)snprintf(d->word, sizeof d->word, "%s", word);
}

/* Sends and does not wait. body is stolen. */
static inline void
dev_send(struct dev *d, const char *op, json_t *body)
{
	ck_assert_ptr_nonnull(d->rpc);
	ck_ok(rpc_ask(d->rpc, op, body, dev_on_answer, dev_on_progress, d));
	json_decref(body);
}

static inline void
dev_ask(struct dev *d, const char *op, json_t *body)
{
	int before = d->answers;

	dev_send(d, op, body);
	rig_run();
	ck_assert_int_eq(d->answers, before + 1);
}

/* info; returns the B-TID shown, "" = none. */
static inline const char *
dev_info(struct dev *d, const char *device_id)
{
	const char *b;

	dev_ask(d, "info", device_id != NULL ? json_pack("{s:s}", "device_id", device_id) : json_object());
	ck_assert_ptr_nonnull(d->ok);
	b = json_string_value(json_object_get(d->ok, "btid"));
	return b != NULL ? b : "";
}

static inline json_t *
derive_body(const char *naf, const char *device_id, const char *btid, const char *stale)
{
	json_t *o = json_pack("{s:s, s:s, s:s}", "naf_id", naf, "device_id", device_id, "run", "0123456789abcdef");

	if (btid != NULL)
		json_object_set_new(o, "btid", json_string(btid));
	if (stale != NULL)
		json_object_set_new(o, "stale_btid", json_string(stale));
	return o;
}

static inline void
dev_derive(struct dev *d, const char *naf, const char *device_id, const char *btid, const char *stale)
{
	dev_ask(d, "derive", derive_body(naf, device_id, btid, stale));
}

/* A member of the last answer; "" = none. */
static inline const char *
dev_text(const struct dev *d, const char *name)
{
	const char *v = json_string_value(json_object_get(d->ok, name));

	return v != NULL ? v : "";
}

#define dev_expect(d, r) ck_assert_msg((d)->why == (r), "%s, expected %s", reason_get((d)->why)->code, reason_get(r)->code)

/* What the NAF Key Center would give the device: from the BSF's own Ks. */
static inline struct secret *
device_key(const char *naf, const char *btid, const char *device_id)
{
	struct triple t;
	uint8_t rand[16];
	struct secret *ks_naf, *key;

	ck_ok(naf_id_parse(span_str(naf), &t.naf_id));
	ck_ok(btid_parse(span_str(btid), &t.btid));
	ck_ok(device_id_parse(span_str(device_id), &t.device_id));
	ck_ok(btid_rand(&t.btid, rand));
	ck_ok(kdf_ks_naf(rig.bsf.ks, rand, span_str(RIG_IMPI), &t.naf_id, &ks_naf));
	ck_ok(kdf_ks_local_mt(ks_naf, &t, &key));
	secret_free(ks_naf);
	return key;
}

static inline json_t *
complete_body(const char *naf, const char *btid, const char *device_id, const char *proof)
{
	json_t *o = json_pack("{s:s, s:s, s:s}", "naf_id", naf, "btid", btid, "device_id", device_id);

	if (proof != NULL)
		json_object_set_new(o, "proof", json_string(proof));
	return o;
}

/* complete with the proof over the challenge; checks the MT's in return. */
static inline void
dev_complete(struct dev *d, const char *naf, const char *btid, const char *device_id, const char *challenge)
{
	struct secret *key = device_key(naf, btid, device_id);
	char proof[PROOF_LEN + 1];

	ck_ok(proof_make(key, PROOF_DEVICE, span_str(challenge), proof));
	dev_ask(d, "complete", complete_body(naf, btid, device_id, proof));
	if (d->ok != NULL)
		ck_ok(proof_check(key, PROOF_MT, span_str(challenge), span_str(dev_text(d, "proof"))));
	secret_free(key);
}

/* Rows of key-list, by state; -1 = any. */
static inline void
rig_count_key(void *arg, const struct mt_key *k)
{
	int *n = arg;

	n[k->state]++;
}

static inline int
rig_keys(int state)
{
	struct iccid iccid;
	int n[2] = { 0, 0 };

	if (mt_store_last_card(rig.store, &iccid) != RC_OK)
		return 0;
	ck_ok(mt_store_each_key(rig.store, &iccid, clock_now_s(rig.clock), rig_count_key, n));
	return state < 0 ? n[0] + n[1] : n[state];
}

#endif
