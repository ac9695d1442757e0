/* VERIFY and AUTHENTICATE: the commands that change the card. A change is durable before its answer, or the answer is 6581. */
#include <openssl/crypto.h>
#include <string.h>

#include "common/aka.h"
#include "mtd/card_int.h"

#define PIN_1 0x01

bool
mt_card_change(struct mt_card *c, struct mt_card_state *next)
{
	bool ok = mt_card_store_save(c->store, next) == RC_OK;

	if (ok) {
		struct mt_card_state old = c->state;

		c->state = *next;
		*next = old;
	}
	mt_card_state_clear(next);
	return ok;
}

static uint16_t
tries_sw(const struct mt_card *c)
{
	return c->state.pin_tries == 0 ? MT_SW_BLOCKED : (uint16_t)(0x63c0 | c->state.pin_tries);
}

static bool
pin_right(const struct mt_card *c, struct span given)
{
	uint8_t right[MT_PIN_LEN];
	size_t n = strlen(c->image.pin);
	bool eq;

	memset(right, 0xff, sizeof right);
	memcpy(right, c->image.pin, n);
	eq = CRYPTO_memcmp(right, given.p, sizeof right) == 0;
	OPENSSL_cleanse(right, sizeof right);
	return eq;
}

/* ETSI TS 102 221 11.1.9 */
void
mt_card_verify(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a)
{
	struct mt_card_state next;
	uint8_t tries;
	bool right;

	if (cmd->p1 != 0x00) {
		a->sw = MT_SW_P1P2;
	} else if (cmd->p2 != PIN_1) {
		a->sw = MT_SW_NO_REFERENCE;
	} else if (c->image.pin[0] == '\0') {
		a->sw = MT_SW_NO_PIN;
	} else if (cmd->data.n == 0 || c->state.pin_tries == 0) {
		a->sw = tries_sw(c);
	} else if (cmd->data.n != MT_PIN_LEN) {
		a->sw = MT_SW_LENGTH;
	} else {
		right = pin_right(c, cmd->data);
		tries = right ? MT_CARD_PIN_TRIES : (uint8_t)(c->state.pin_tries - 1);
		if (tries != c->state.pin_tries) {
			a->sw = MT_SW_MEMORY;
			if (mt_card_state_dup(&c->state, &next) != RC_OK)
				return;
			next.pin_tries = tries;
			if (!mt_card_change(c, &next))
				return;
		}
		c->pin_verified = right;
		a->sw = right ? MT_SW_OK : tries_sw(c);
	}
}

void
mt_card_put_field(struct mt_card_answer *a, struct span v)
{
	a->data[a->n++] = (uint8_t)v.n;
	memcpy(a->data + a->n, v.p, v.n);
	a->n += v.n;
}

bool
mt_card_fresh(struct mt_card *c, struct mt_card_state *next, const uint8_t *rand, const struct aka_result *r,
    struct mt_card_answer *a)
{
	uint8_t auts[AKA_AUTS_LEN];

	if (sqn_accept(&next->sqn, &c->image.sqn, r->sqn) == RC_OK)
		return true;
	a->sw = MT_SW_FAULT;
	if (aka_make_auts(c->image.k, c->image.opc, rand, sqn_highest(&c->state.sqn), auts) == RC_OK) {
		a->data[a->n++] = MT_TAG_AUTH_SYNC;
		mt_card_put_field(a, (struct span){ auts, sizeof auts });
		a->sw = MT_SW_OK;
	}
	return false;
}

/* The challenge is genuine and r what it gives. */
static void
answer_3g(struct mt_card *c, const uint8_t *rand, const struct aka_result *r, struct mt_card_answer *a)
{
	struct mt_card_state next;

	a->sw = MT_SW_MEMORY;
	if (mt_card_state_dup(&c->state, &next) != RC_OK)
		return;
	if (!mt_card_fresh(c, &next, rand, r, a)) {
		mt_card_state_clear(&next);
		return;
	}
	if (!mt_card_change(c, &next))
		return;
	a->data[a->n++] = MT_TAG_AUTH_OK;
	mt_card_put_field(a, secret_span(r->res));
	mt_card_put_field(a, secret_span(r->ck));
	mt_card_put_field(a, secret_span(r->ik));
	a->sw = MT_SW_OK;
}

/* 10 RAND 10 AUTN. TS 33.102 6.3.3: MAC before SQN, so that only a genuine challenge may draw an AUTS. */
static void
authenticate_3g(struct mt_card *c, struct span d, struct mt_card_answer *a)
{
	struct aka_result r = { 0 };
	struct span rand, autn;
	uint8_t n;

	if (d.n != 2 + AKA_RAND_LEN + AKA_AUTN_LEN) {
		a->sw = MT_SW_LENGTH;
		return;
	}
	if (!span_u8(&d, &n) || n != AKA_RAND_LEN || !span_take(&d, n, &rand) || !span_u8(&d, &n) || n != AKA_AUTN_LEN ||
	    !span_take(&d, n, &autn)) {
		a->sw = MT_SW_DATA;
		return;
	}
	switch (aka_check(c->image.k, c->image.opc, rand.p, autn.p, &r)) {
	case RC_OK:
		answer_3g(c, rand.p, &r, a);
		aka_result_clear(&r);
		return;
	case RC_DENIED:
		a->sw = MT_SW_AUTH_MAC;
		return;
	default:
		a->sw = MT_SW_FAULT;
	}
}

/* TS 31.102 7.1.2 */
void
mt_card_authenticate(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a)
{
	if (cmd->p1 != 0x00 || (cmd->p2 & 0xf8) != 0x80)
		a->sw = MT_SW_P1P2;
	else if (c->adf == NULL || c->df != c->adf)
		a->sw = MT_SW_CONDITIONS;
	else if (cmd->p2 != MT_AUTH_3G && (cmd->p2 != MT_AUTH_GBA || !mt_card_app_gba(&c->image, c->adf->app)))
		a->sw = MT_SW_AUTH_CONTEXT;
	else if (!mt_card_may(c, MT_ACCESS_PIN))
		a->sw = MT_SW_ACCESS;
	else if (cmd->data.n == 0 || (cmd->le == 0 && !c->image.t0))
		a->sw = MT_SW_LENGTH;
	else if (cmd->p2 == MT_AUTH_3G)
		authenticate_3g(c, cmd->data, a);
	else
		mt_card_gba(c, c->adf->app, cmd->data, a);
}
