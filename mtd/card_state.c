#include "mtd/card_state.h"

#include <string.h>

#include "mtd/tlv.h"

#define TAG_PIN 0x80
#define TAG_SQN 0x81
#define TAG_APP 0xa0		/* and 0xa1 */
#define TAG_RAND 0x80
#define TAG_KEYS 0x81
#define TAG_GBABP 0x82
#define TAG_GBANL 0x83
#define TAG_USED 0x84

void
mt_card_state_init(struct mt_card_state *s)
{
	*s = (struct mt_card_state){ .pin_tries = MT_CARD_PIN_TRIES };
	for (unsigned i = 0; i < MT_CARD_APPS; i++) {
		memset(s->gba[i].gbabp, 0xff, sizeof s->gba[i].gbabp);
		memset(s->gba[i].gbanl, 0xff, sizeof s->gba[i].gbanl);
	}
}

enum rc
mt_card_state_dup(const struct mt_card_state *s, struct mt_card_state *out)
{
	struct mt_card_state d = *s;
	enum rc rc;

	for (unsigned i = 0; i < MT_CARD_APPS; i++)
		d.gba[i].keys = NULL;
	for (unsigned i = 0; i < MT_CARD_APPS; i++) {
		if (s->gba[i].keys != NULL && (rc = secret_dup(s->gba[i].keys, &d.gba[i].keys)) != RC_OK) {
			mt_card_state_clear(&d);
			return rc;
		}
	}
	*out = d;
	return RC_OK;
}

void
mt_card_state_clear(struct mt_card_state *s)
{
	for (unsigned i = 0; i < MT_CARD_APPS; i++)
		secret_free(s->gba[i].keys);
	explicit_bzero(s, sizeof *s);
}

/* --- the inside */

static void
put_u64s(struct mt_tlv_out *o, uint16_t tag, const uint64_t *v, size_t n)
{
	uint8_t b[8 * SQN_SLOTS];

	for (size_t i = 0; i < 8 * n; i++)
		b[i] = (uint8_t)(v[i / 8] >> 8 * (7 - i % 8));
	mt_tlv_put(o, tag, (struct span){ b, 8 * n });
}

static void
put_gba(struct mt_tlv_out *o, uint16_t tag, const struct mt_card_gba *g)
{
	uint8_t buf[MT_CARD_STATE_MAX / 2];
	struct mt_tlv_out in = { buf, sizeof buf, 0 };

	mt_tlv_put(&in, TAG_RAND, (struct span){ g->rand, sizeof g->rand });
	mt_tlv_put(&in, TAG_KEYS, secret_span(g->keys));
	mt_tlv_put(&in, TAG_GBABP, (struct span){ g->gbabp, sizeof g->gbabp });
	mt_tlv_put(&in, TAG_GBANL, (struct span){ g->gbanl[0], sizeof g->gbanl });
	put_u64s(&in, TAG_USED, g->used, MT_CARD_NAFS_MAX);
	mt_tlv_put(o, tag, (struct span){ buf, in.n });
	explicit_bzero(buf, sizeof buf);
}

size_t
mt_card_state_print(const struct mt_card_state *s, uint8_t out[static MT_CARD_STATE_MAX])
{
	struct mt_tlv_out o = { out, MT_CARD_STATE_MAX, 0 };

	mt_tlv_put_u8(&o, TAG_PIN, s->pin_tries);
	put_u64s(&o, TAG_SQN, s->sqn.seq, SQN_SLOTS);
	for (unsigned i = 0; i < MT_CARD_APPS; i++)
		put_gba(&o, (uint16_t)(TAG_APP + i), &s->gba[i]);
	return o.n;
}

/* Exactly n octets behind tag. */
static bool
find_octets(struct span in, uint16_t tag, uint8_t *out, size_t n)
{
	struct span v;

	if (!mt_tlv_find(in, tag, &v) || v.n != n)
		return false;
	memcpy(out, v.p, n);
	return true;
}

static enum rc
parse_gba(struct span in, struct mt_card_gba *g)
{
	struct span used, keys;

	if (!find_octets(in, TAG_RAND, g->rand, sizeof g->rand) || !find_octets(in, TAG_GBABP, g->gbabp, sizeof g->gbabp) ||
	    !find_octets(in, TAG_GBANL, g->gbanl[0], sizeof g->gbanl) || !mt_tlv_find(in, TAG_USED, &used) || used.n != sizeof g->used)
		return RC_SYNTAX;
	for (size_t i = 0; i < MT_CARD_NAFS_MAX; i++) {
		if (!span_u64(&used, &g->used[i]))
			return RC_SYNTAX;
	}
	if (!mt_tlv_find(in, TAG_KEYS, &keys) || (keys.n != 0 && keys.n != MT_CARD_KEYS_LEN))
		return RC_SYNTAX;
	return keys.n > 0 ? secret_from(keys, &g->keys) : RC_OK;
}

static enum rc
parse_counters(struct span in, struct mt_card_state *s)
{
	struct span pin, sqn;

	if (!mt_tlv_find(in, TAG_PIN, &pin) || !span_u8(&pin, &s->pin_tries) || pin.n != 0 || s->pin_tries > MT_CARD_PIN_TRIES)
		return RC_SYNTAX;
	if (!mt_tlv_find(in, TAG_SQN, &sqn) || sqn.n != sizeof s->sqn.seq)
		return RC_SYNTAX;
	for (size_t i = 0; i < SQN_SLOTS; i++) {
		if (!span_u64(&sqn, &s->sqn.seq[i]) || s->sqn.seq[i] > SQN_SEQ_MAX)
			return RC_SYNTAX;
	}
	return RC_OK;
}

enum rc
mt_card_state_parse(struct span in, struct mt_card_state *out)
{
	struct mt_card_state s;
	struct span rest = in, v;
	uint16_t tag;
	enum rc rc = RC_SYNTAX;

	while (rest.n > 0) {
		if (!mt_tlv_take(&rest, &tag, &v))
			return RC_SYNTAX;
	}
	mt_card_state_init(&s);
	if ((rc = parse_counters(in, &s)) != RC_OK)
		return rc;
	for (unsigned i = 0; i < MT_CARD_APPS; i++) {
		if (mt_tlv_find(in, (uint16_t)(TAG_APP + i), &v) && (rc = parse_gba(v, &s.gba[i])) != RC_OK)
			goto out;
	}
	*out = s;
	mt_card_state_init(&s);
out:
	mt_card_state_clear(&s);
	return rc;
}
