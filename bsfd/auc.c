/* auc: vectors and sequence numbers. */
#include "bsfd/auc.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bsfd/store.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/milenage.h"
#include "common/rnd.h"
#include "common/sqn.h"
#include "common/turn.h"

#define uthash_fatal(msg) log_fatal("auc: %s", msg)
#include <uthash.h>

#define BLOCKS_MAX 16384	/* subscribers whose block is kept in memory; the one not asked for longest goes */

#define AT_HAND_MAX 4096	/* subscribers whose K and OPc are: 256 KiB of the secure heap */

/* What no operation changes in a subscriber's row. Of those asked for last; goes when the row goes, or a commit fails. */
struct at_hand {
	UT_hash_handle hh;
	struct secret *k, *opc;
	uint8_t amf[2];
	bool gba_u;
	int64_t ks_lifetime_s, number;
	char impi[];
};

/* The part of a subscriber's SQN range that is reserved in the store and not given out yet. */
struct block {
	UT_hash_handle hh;
	uint64_t he;		/* SQN_HE: the last one given out */
	uint64_t top;		/* what the store holds: none above was ever given out */
	char impi[];
};

struct bsf_auc {
	struct store *st;
	struct turn *turn;
	const struct rnd *rnd;
	struct bsf_auc_conf conf;
	struct block *blocks;
	struct at_hand *at_hand;
	uint64_t generation;	/* B4: counted up in this turn */
	bool noting;		/* on_durable is in the outbox */
	bool freed;		/* and frees a */
};

static void
drop(struct bsf_auc *a, struct at_hand *h)
{
	HASH_DEL(a->at_hand, h);
	secret_free(h->k);
	secret_free(h->opc);
	free(h);
}

static void
forget_all(struct bsf_auc *a)
{
	struct block *b, *next;

	while (a->at_hand != NULL)
		drop(a, a->at_hand);
	HASH_ITER(hh, a->blocks, b, next) {
		HASH_DEL(a->blocks, b);
		free(b);
	}
}

/* What was reserved in this turn is on disk now; or it is not, and no vector made from it has left. */
static void
on_durable(void *arg, enum rc rc)
{
	struct bsf_auc *a = arg;

	a->noting = false;
	if (a->freed)
		bsf_auc_free(a);
	else if (rc != RC_OK)
		forget_all(a);
	else if (a->conf.generation_file != NULL)
		bsf_store_note_generation(a->conf.generation_file, a->generation);
}

static void
note_later(struct bsf_auc *a)
{
	if (!a->noting)
		turn_later(a->turn, on_durable, a);
	a->noting = true;
}

/* --- blocks */

static struct block *
find(struct bsf_auc *a, const struct impi *impi)
{
	struct block *b;

	HASH_FIND_STR(a->blocks, impi->s, b);
	if (b != NULL) {	/* to the end of uthash's order: what stands first was not asked for longest */
		HASH_DEL(a->blocks, b);
		HASH_ADD_KEYPTR(hh, a->blocks, b->impi, strlen(b->impi), b);
	}
	return b;
}

void
bsf_auc_forget(struct bsf_auc *a, const struct impi *impi)
{
	struct block *b = find(a, impi);
	struct at_hand *h;

	HASH_FIND_STR(a->at_hand, impi->s, h);
	if (h != NULL)
		drop(a, h);
	if (b != NULL) {
		HASH_DEL(a->blocks, b);
		free(b);
	}
}

/* --- what is at hand */

static enum rc
read_row(struct bsf_auc *a, const struct impi *impi, struct at_hand **out)
{
	size_t n = strlen(impi->s) + 1;
	struct at_hand *h = NULL;
	struct bsf_subscriber s;
	enum rc rc;

	if ((rc = bsf_store_get_subscriber(a->st, impi, &s)) != RC_OK)
		return rc;
	if ((h = calloc(1, sizeof *h + n)) == NULL)
		return RC_NOMEM;
	if ((rc = bsf_store_get_credentials(a->st, impi, &h->k, &h->opc)) != RC_OK) {
		free(h);
		return rc;
	}
	memcpy(h->amf, s.amf, sizeof h->amf);
	h->gba_u = s.gba_u;
	h->ks_lifetime_s = s.ks_lifetime_s;
	h->number = s.number;
	memcpy(h->impi, impi->s, n);
	*out = h;
	return RC_OK;
}

/* Borrowed until the next call. */
static enum rc
get_at_hand(struct bsf_auc *a, const struct impi *impi, const struct at_hand **out)
{
	struct at_hand *h;
	enum rc rc;

	HASH_FIND_STR(a->at_hand, impi->s, h);
	if (h != NULL) {	/* as in find() */
		HASH_DEL(a->at_hand, h);
	} else {
		if ((rc = read_row(a, impi, &h)) != RC_OK)
			return rc;
		if (HASH_COUNT(a->at_hand) >= AT_HAND_MAX)
			drop(a, a->at_hand);
	}
	HASH_ADD_KEYPTR(hh, a->at_hand, h->impi, strlen(h->impi), h);
	*out = h;
	return RC_OK;
}

/* The subscriber's block, empty if none was in memory. */
static enum rc
block_get(struct bsf_auc *a, const struct impi *impi, struct block **out)
{
	size_t n = strlen(impi->s) + 1;
	struct bsf_subscriber s;
	struct block *b = find(a, impi);
	enum rc rc;

	if (b == NULL) {
		if ((rc = bsf_store_get_subscriber(a->st, impi, &s)) != RC_OK)
			return rc;
		if ((b = malloc(sizeof *b + n)) == NULL)
			return RC_NOMEM;
		b->he = b->top = s.sqn;
		memcpy(b->impi, impi->s, n);
		if (HASH_COUNT(a->blocks) >= BLOCKS_MAX) {
			struct block *oldest = a->blocks;

			HASH_DEL(a->blocks, oldest);
			free(oldest);
		}
		HASH_ADD_KEYPTR(hh, a->blocks, b->impi, n - 1, b);
	}
	*out = b;
	return RC_OK;
}

/* Into the store: nothing above top was given out. */
static enum rc
put_top(struct bsf_auc *a, const struct impi *impi, uint64_t top)
{
	enum rc rc, rc2;

	if ((rc = store_begin(a->st)) != RC_OK)
		return rc;
	if ((rc = bsf_store_set_sqn(a->st, impi, top)) == RC_OK)
		rc = bsf_store_next_generation(a->st, &a->generation);
	rc2 = store_end(a->st, rc == RC_OK);
	if (rc == RC_OK)
		rc = rc2;
	if (rc == RC_OK)
		note_later(a);
	return rc;
}

static uint64_t
left(const struct block *b)
{
	return sqn_seq(b->top) - sqn_seq(b->he);
}

static enum rc
reserve(struct bsf_auc *a, const struct impi *impi, struct block *b)
{
	uint64_t top;
	enum rc rc;

	if ((rc = sqn_raise(b->top, (uint64_t)a->conf.block << SQN_IND_BITS, &top)) != RC_OK)
		return rc;
	if ((rc = put_top(a, impi, top)) == RC_OK)
		b->top = top;
	return rc;
}

enum rc
bsf_auc_top_up(struct bsf_auc *a, const struct impi *impi)
{
	struct block *b;
	enum rc rc;

	if ((rc = block_get(a, impi, &b)) != RC_OK)
		return rc;
	return left(b) * 2 >= a->conf.block ? RC_OK : reserve(a, impi, b);
}

/* --- vectors */

static enum rc
make_vector(struct bsf_auc *a, const struct at_hand *s, uint64_t sqn, struct bsf_av *out)
{
	struct aka_vector v = { 0 };
	struct bsf_av av = { .gba_u = s->gba_u, .ks_lifetime_s = s->ks_lifetime_s, .subscriber = s->number };
	enum rc rc;

	if ((rc = rnd_bytes(a->rnd, av.rand, sizeof av.rand)) != RC_OK)
		goto out;
	if (!s->gba_u)
		rc = aka_make_autn(s->k, s->opc, av.rand, sqn, s->amf, av.autn);
	else if ((rc = aka_make(s->k, s->opc, av.rand, sqn, s->amf, &v)) == RC_OK)
		rc = aka_autn_star(v.ik, v.autn, av.autn);
	if (rc != RC_OK)
		goto out;
	*out = av;
out:
	aka_vector_clear(&v);
	return rc;
}

enum rc
bsf_auc_challenge(struct bsf_auc *a, const struct impi *impi, struct bsf_av *out)
{
	const struct at_hand *s;
	struct block *b;
	uint64_t sqn;
	enum rc rc;

	if ((rc = get_at_hand(a, impi, &s)) != RC_OK || (rc = block_get(a, impi, &b)) != RC_OK)
		return rc;
	if (left(b) == 0 && (rc = reserve(a, impi, b)) != RC_OK)
		return rc;
	if ((rc = sqn_next(b->he, a->conf.ind, &sqn)) != RC_OK)
		return rc;
	b->he = sqn;		/* gone, whatever becomes of the vector */
	return make_vector(a, s, sqn, out);
}

enum rc
bsf_auc_expect(struct bsf_auc *a, const struct impi *impi, const uint8_t rand[static AKA_RAND_LEN], struct secret **xres,
    struct secret **ks)
{
	struct secret *res = NULL, *ck = NULL, *ik = NULL;
	const struct at_hand *s;
	uint8_t ak[6];
	enum rc rc;

	if ((rc = get_at_hand(a, impi, &s)) != RC_OK)
		return rc;
	if ((rc = milenage_f2345(s->k, s->opc, rand, &res, &ck, &ik, ak)) != RC_OK)
		goto out;
	if ((rc = secret_concat(ck, ik, ks)) != RC_OK)
		goto out;
	*xres = res;
	res = NULL;
out:
	OPENSSL_cleanse(ak, sizeof ak);
	secret_free(res);
	secret_free(ck);
	secret_free(ik);
	return rc;
}

enum rc
bsf_auc_resync(struct bsf_auc *a, const struct impi *impi, const uint8_t rand[static AKA_RAND_LEN],
    const uint8_t auts[static AKA_AUTS_LEN])
{
	const struct at_hand *s;
	uint64_t sqn_ms, he, top;
	struct block *b;
	enum rc rc;

	if ((rc = get_at_hand(a, impi, &s)) != RC_OK)
		return rc;
	if ((rc = aka_check_auts(s->k, s->opc, rand, auts, &sqn_ms)) != RC_OK)
		return rc;
	if ((rc = block_get(a, impi, &b)) != RC_OK)
		return rc;
	he = sqn_resync(b->he, sqn_ms, SQN_DELTA_DEFAULT);
	if (he == b->he)
		return RC_OK;	/* the next one is right already: another challenge overtook this one */
	if ((rc = sqn_raise(he, (uint64_t)a->conf.block << SQN_IND_BITS, &top)) != RC_OK)
		return rc;
	if ((rc = put_top(a, impi, top)) != RC_OK)
		return rc;
	log_info("auc: impi=%s: SQN follows the card from %llu to %llu", impi->s, (unsigned long long)b->he, (unsigned long long)he);
	b->he = he;
	b->top = top;
	return RC_OK;
}

/* --- credentials */

static enum rc
read_hex(const json_t *o, const char *key, struct secret **out, char *text, size_t cap)
{
	const json_t *v = json_object_get(o, key);
	enum rc rc = RC_SYNTAX;

	if (json_is_string(v))
		rc = hex_parse_secret(span_of(json_string_value(v), json_string_length(v)), 16, out);
	if (rc == RC_SYNTAX)
		(void)snprintf(text, cap, "%s: %s", key, v == NULL ? "is missing" : "expected 32 hex digits");
	return rc;
}

enum rc
bsf_auc_read_credentials(const json_t *o, struct secret **k, struct secret **opc, char *text, size_t cap)
{
	bool has_op = json_object_get(o, "op") != NULL;
	struct secret *mine = NULL, *op = NULL;
	enum rc rc;

	if (has_op && json_object_get(o, "opc") != NULL) {
		(void)snprintf(text, cap, "op: stands beside opc; give one of them");
		return RC_SYNTAX;
	}
	if ((rc = read_hex(o, "k", &mine, text, cap)) != RC_OK)
		goto out;
	if ((rc = read_hex(o, has_op ? "op" : "opc", has_op ? &op : opc, text, cap)) != RC_OK)
		goto out;
	if (has_op && (rc = milenage_opc(mine, op, opc)) != RC_OK)
		goto out;
	*k = mine;
	mine = NULL;
out:
	secret_free(mine);
	secret_free(op);
	return rc;
}

/* --- life */

enum rc
bsf_auc_new(struct store *st, struct turn *turn, const struct rnd *rnd, const struct bsf_auc_conf *conf, struct bsf_auc **out)
{
	struct bsf_auc *a = calloc(1, sizeof *a);
	bool sure = true;
	enum rc rc, rc2;

	if (a == NULL)
		return RC_NOMEM;
	*a = (struct bsf_auc){ .st = st, .turn = turn, .rnd = rnd, .conf = *conf };
	if ((rc = store_begin(st)) != RC_OK)
		goto out;
	rc = bsf_store_open_generation(st, conf->generation_file, &a->generation, &sure);
	rc2 = store_end(st, rc == RC_OK);
	if (rc == RC_OK)
		rc = rc2;
	if (rc != RC_OK)
		goto out;
	if (!sure)
		log_warn("auc: the store is older than it was, or was put back: every SQN raised by %llu (%s)",
		    (unsigned long long)BSF_DOUBT_RAISE, conf->generation_file);
	note_later(a);
	*out = a;
	a = NULL;
out:
	free(a);
	return rc;
}

void
bsf_auc_free(struct bsf_auc *a)
{
	if (a == NULL)
		return;
	forget_all(a);
	a->freed = true;
	if (!a->noting)
		free(a);
}
