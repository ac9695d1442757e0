/*
 * Property: whatever a terminal sends, the card answers with a status word, spends no SQN and, as long as its PIN is not blocked,
 * takes a genuine challenge afterwards. Input: one octet (bit 0 PIN on, bit 1 T=0), then commands, each behind its length.
 */
#include <stdlib.h>
#include <string.h>

#include "common/aka.h"
#include "mtd/apdu.h"
#include "mtd/card.h"
#include "mtd/card_image.h"
#include "mtd/ef.h"
#include "mtd/ef_gba.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define PIN "1234"

static struct mt_card_image *
image(uint8_t flags)
{
	static struct mt_card_image i;
	static const uint8_t aid[] = { 0xa0, 0, 0, 0, 0x87, 0x10, 2, 0xff };

	if (i.k == NULL) {
		if (secret_new(16, &i.k) != RC_OK || secret_new(16, &i.opc) != RC_OK || imsi_parse(span_str("001010000000001"), &i.imsi) != RC_OK ||
		    iccid_parse(span_str("89882110000000000017"), &i.iccid) != RC_OK)
			abort();
		i.mnc_len = 2;
		i.sqn.delta = 1000;
		for (unsigned n = 0; n < MT_CARD_APPS; n++) {
			i.app[n].gba_nafs = 2;
			memcpy(i.app[n].aid, aid, i.app[n].aid_len = sizeof aid);
			i.app[n].services[(MT_SERVICE_GBA - 1) / 8] |= 1 << (MT_SERVICE_GBA - 1) % 8;
			i.app[n].services[(MT_ISIM_SERVICE_GBA - 1) / 8] |= 1 << (MT_ISIM_SERVICE_GBA - 1) % 8;
		}
		i.app[MT_CARD_ISIM].aid[6] = 4;
	}
	strcpy(i.pin, (flags & 1) != 0 ? PIN : "");
	i.t0 = (flags & 2) != 0;
	return &i;
}

static uint16_t
say(struct mt_card *c, struct span apdu, uint8_t *out, size_t *data)
{
	size_t n = mt_card_apdu(c, apdu, out);

	if (n < 2 || n > MT_CARD_ANSWER_MAX)
		abort();
	*data = n - 2;
	return (uint16_t)(out[n - 2] << 8 | out[n - 1]);
}

/* The same, with GET RESPONSE behind. */
static uint16_t
ask(struct mt_card *c, const struct mt_apdu *what, uint8_t *out, size_t *data)
{
	uint16_t sw = say(c, (struct span){ what->b, what->n }, out, data);
	struct mt_apdu a;

	if (sw >> 8 != 0x61)
		return sw;
	mt_apdu_get_response(sw & 0xff, &a);
	return say(c, (struct span){ a.b, a.n }, out, data);
}

/* Select and verify; false: its PIN is blocked. */
static bool
enter(struct mt_card *c, const struct mt_card_image *i, unsigned app)
{
	uint8_t out[MT_CARD_ANSWER_MAX];
	struct mt_apdu a;
	unsigned left;
	uint16_t sw;
	size_t n;

	mt_card_reset(c);
	mt_apdu_select_aid((struct span){ i->app[app].aid, i->app[app].aid_len }, &a);
	if (!mt_sw_ok(ask(c, &a, out, &n)))
		abort();
	if (i->pin[0] == '\0')
		return true;
	mt_apdu_verify(PIN, &a);
	sw = ask(c, &a, out, &n);
	if (mt_sw_tries(sw, &left) && left == 0)
		return false;
	if (!mt_sw_ok(sw))
		abort();
	return true;
}

/* Challenges with the lowest SQN that are fresh on a new card: 3G on the USIM, then GBA on each application. */
static void
genuine(struct mt_card *c, const struct mt_card_image *i)
{
	static const uint8_t rand[16], amf[2];
	uint8_t out[MT_CARD_ANSWER_MAX];
	struct mt_auth_answer answer;
	struct aka_vector v;
	struct mt_apdu a;
	size_t n;

	for (unsigned run = 0; run < 1 + MT_CARD_APPS; run++) {
		if (!enter(c, i, run == 0 ? MT_CARD_USIM : run - 1))
			return;
		if (aka_make(i->k, i->opc, rand, (uint64_t)(run + 1) << SQN_IND_BITS, amf, &v) != RC_OK)
			abort();
		if (run > 0 && aka_autn_star(v.ik, v.autn, v.autn) != RC_OK)
			abort();
		if (run == 0)
			mt_apdu_authenticate(v.rand, v.autn, &a);
		else
			mt_apdu_gba_bootstrap(v.rand, v.autn, &a);
		if (ask(c, &a, out, &n) != MT_SW_OK)
			abort();
		if ((run == 0 ? mt_auth_parse : mt_gba_bootstrap_parse)(span_of(out, n), &answer) != RC_OK || answer.sync_failure ||
		    !span_eq(answer.res, secret_span(v.xres)))
			abort();
		aka_vector_clear(&v);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n }, apdu;
	struct mt_card *c = NULL;
	const struct mt_card_image *i;
	uint8_t out[MT_CARD_ANSWER_MAX], flags, len;
	size_t data;

	if (!span_u8(&in, &flags))
		return 0;
	i = image(flags);
	if (mt_card_new(i, NULL, rnd_system(), &c) != RC_OK)
		abort();
	while (span_u8(&in, &len) && span_take(&in, len, &apdu)) {
		if (len == 0)
			mt_card_reset(c);
		else
			say(c, apdu, out, &data);
	}
	genuine(c, i);
	mt_card_free(c);
	return 0;
}
