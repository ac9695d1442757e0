/* The card's GBA context and the ISIM, through APDUs (C1; issue 4: GBA_U, Applications; Shows 1, 4). */
#include "mtd/card.h"

#include <sys/stat.h>
#include <unistd.h>

#include "common/aka.h"
#include "common/kdf.h"
#include "common/log.h"
#include "mtd/apdu.h"
#include "mtd/card_state.h"
#include "mtd/ef_gba.h"
#include "test/unit/mtd/card_fixture.h"

#define ISIM_AID "a0000000871004ff44ff128900000100"
#define SELECT_USIM "00a4040c10" USIM_AID
#define SELECT_ISIM "00a4040c10" ISIM_AID
#define VERIFY_1234 "002000010831323334ffffffff"

static json_t *doc;
static struct mt_card_image image;
static struct mt_card *card;
static char dir[64], state_path[96];

static void
quiet(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

/* Power on, with the state that is on the disk. */
static void
power_on(void)
{
	mt_card_free(card);
	card = NULL;
	ck_ok(mt_card_new(&image, state_path, rnd_system(), &card));
}

static void
setup(void)
{
	struct mt_card_app *usim = &image.app[MT_CARD_USIM], *isim = &image.app[MT_CARD_ISIM];

	log_capture(quiet, NULL);
	strcpy(dir, "/tmp/kslocal-test-gba-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(state_path, sizeof state_path, "%s/card.state", dir);
	doc = vectors_load();
	image = card_image_of_set(doc, 0);
	card_serve(usim, MT_SERVICE_GBA);
	card_serve(usim, MT_SERVICE_LOCAL_KEY);
	usim->n_nafkca = 2;
	strcpy(usim->nafkca[0], "nafkc.a.example");
	strcpy(usim->nafkca[1], "nafkc.b.example");
	isim->aid_len = 16;
	ck_ok(hex_parse(span_str(ISIM_AID), isim->aid, 16));
	strcpy(isim->label, "ISIM");
	card_serve(isim, MT_ISIM_SERVICE_GBA);
	card_serve(isim, MT_ISIM_SERVICE_LOCAL_KEY);
	isim->gba_nafs = 2;
	strcpy(isim->impi, "user@ims.operator.example");
	strcpy(isim->domain, "ims.operator.example");
	isim->n_impu = 1;
	strcpy(isim->impu[0], "sip:user@ims.operator.example");
	card = NULL;
	power_on();
}

static void
teardown(void)
{
	mt_card_free(card);
	mt_card_image_clear(&image);
	json_decref(doc);
	(void)unlink(state_path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static const char *
hex_of(struct span in)
{
	static char text[8][1024];
	static unsigned i;
	char *t = text[i++ % 8];

	ck_assert(in.n < 512);
	hex_print(in, t);
	return t;
}

static const char *
say_apdu(const struct mt_apdu *a)
{
	return card_say(card, hex_of(span_of(a->b, a->n)));
}

/* The run of vectors.json: RAND, AUTN*; from then on it is the newest. */
static void
vector_run(void)
{
	uint8_t rand[16], autn[16];
	char want[64];
	struct mt_apdu a;

	vec_hex(doc, "computed.base.rand", rand, 16);
	vec_hex(doc, "computed.gba_u_autn.autn_star", autn, 16);
	mt_apdu_gba_bootstrap(rand, autn, &a);
	snprintf(want, sizeof want, "%s9000", vec_str(doc, "computed.usim.response_ok"));
	ck_assert_str_eq(say_apdu(&a), want);
}

/* What a terminal writes behind RAND. */
static void
write_btid(const char *fid, const char *btid)
{
	uint8_t tail[256];
	char select[32];
	struct mt_apdu a;
	size_t n;

	ck_ok(mt_ef_gbabp_print_tail(span_str(btid), span_str("2030-01-01T12:00:00Z"), tail, sizeof tail, &n));
	snprintf(select, sizeof select, "00a4000c02%s", fid);
	ck_say(card, select, "9000");
	ck_ok(mt_apdu_update_binary(MT_EF_GBABP_TAIL, span_of(tail, n), &a));
	ck_assert_str_eq(say_apdu(&a), "9000");
}

/* Derive for NAF_ID FQDN || 01 00 00 00 02 as the vectors' user. */
static const char *
derive(const char *fqdn)
{
	uint8_t naf[NAF_ID_OCTETS_MAX];
	struct naf_id id = { .ua = { 1, 0, 0, 0, 2 } };
	struct mt_apdu a;

	strcpy(id.fqdn, fqdn);
	ck_ok(mt_apdu_gba_naf(span_of(naf, naf_id_octets(&id, naf)), span_str(vec_str(doc, "computed.base.impi")), &a));
	return say_apdu(&a);
}

/* A fresh run of this SEQ; the status word, or tag and length. */
static const char *
run(uint64_t seq, bool star)
{
	static const uint8_t amf[2] = { 0x80, 0 };
	uint8_t rand[16];
	struct aka_vector v;
	struct mt_apdu a;

	memset(rand, (int)seq, sizeof rand);
	ck_ok(aka_make(image.k, image.opc, rand, seq << SQN_IND_BITS, amf, &v));
	if (star)
		ck_ok(aka_autn_star(v.ik, v.autn, v.autn));
	mt_apdu_gba_bootstrap(v.rand, v.autn, &a);
	aka_vector_clear(&v);
	return say_apdu(&a);
}

/* --- vectors.json: computed.usim */

START_TEST(vectors_builders)
{
	uint8_t rand[16], autn[16];
	struct mt_apdu a;
	struct naf_id id = { .ua = { 1, 0, 0, 0, 2 } };
	uint8_t octets[NAF_ID_OCTETS_MAX];

	vec_hex(doc, "computed.base.rand", rand, 16);
	vec_hex(doc, "computed.base.autn", autn, 16);
	mt_apdu_gba_bootstrap(rand, autn, &a);
	vec_eq(doc, "computed.usim.apdu_bootstrap", span_of(a.b, a.n));
	strcpy(id.fqdn, "xcap.ims.mnc015.mcc234.pub.3gppnetwork.org");
	ck_ok(mt_apdu_gba_naf(span_of(octets, naf_id_octets(&id, octets)), span_str(vec_str(doc, "computed.base.impi")), &a));
	vec_eq(doc, "computed.usim.apdu_naf_derivation", span_of(a.b, a.n));
}
END_TEST

/* A whole life: run, B-TID written, key derived; the files say so, and what leaves the card is RES and Ks_ext_NAF. */
START_TEST(vectors_run)
{
	char want[1024], got[2 * 256 + 8];

	ck_sw(card, SELECT_USIM, "9000");
	vector_run();
	write_btid("6fd6", vec_str(doc, "computed.base.b_tid"));
	snprintf(got, sizeof got, "%s", card_say(card, "00b00000c8"));
	snprintf(want, sizeof want, "%s", vec_str(doc, "computed.usim.ef_gbabp"));
	ck_assert_int_eq(strncmp(got, want, strlen(want)), 0);
	ck_assert_str_eq(got + 2 * MT_CARD_GBABP_LEN, "9000");
	ck_assert_uint_eq(strspn(got + strlen(want), "f"), 2 * MT_CARD_GBABP_LEN - strlen(want));
	ck_sw(card, SELECT_USIM, "9000");
	snprintf(want, sizeof want, "%s9000", vec_str(doc, "computed.usim.response_naf"));
	ck_say(card, vec_str(doc, "computed.usim.apdu_naf_derivation"), want);
	ck_sw(card, "00a4000c026fda", "9000");
	snprintf(got, sizeof got, "%s", card_say(card, "00b20104a0"));
	snprintf(want, sizeof want, "%s", vec_str(doc, "computed.usim.ef_gbanl_record_unpadded"));
	ck_assert_msg(strncmp(got, want, strlen(want)) == 0, "%s", got);
	ck_assert_uint_eq(strspn(got + strlen(want), "f"), 2 * MT_CARD_GBANL_LEN - strlen(want));
}
END_TEST

/* C4: Ks, Ks_int_NAF and the files are in IMAGE.state, and nowhere in the clear. */
START_TEST(c4_ks_survives_power_off_sealed)
{
	static const char *const secrets[] = { "computed.base.ks", "computed.base.ck", "computed.base.ik" };
	uint8_t file[8192], key[32];
	char want[128];
	FILE *f;
	size_t n, len;

	ck_sw(card, SELECT_USIM, "9000");
	vector_run();
	write_btid("6fd6", vec_str(doc, "computed.base.b_tid"));
	power_on();
	ck_sw(card, SELECT_USIM, "9000");
	snprintf(want, sizeof want, "%s9000", vec_str(doc, "computed.usim.response_naf"));
	ck_say(card, vec_str(doc, "computed.usim.apdu_naf_derivation"), want);
	power_on();
	ck_sw(card, SELECT_USIM, "9000");
	ck_sw(card, "00a4000c026fda", "9000");
	ck_assert_int_eq(strncmp(card_say(card, "00b20104a0"), "802f", 4), 0);
	f = fopen(state_path, "r");
	ck_assert_ptr_nonnull(f);
	n = fread(file, 1, sizeof file, f);
	fclose(f);
	ck_assert(n > MT_CARD_KEYS_LEN);
	for (int i = 0; i < TABLE_N(secrets); i++) {
		len = vec_hex(doc, secrets[i], key, sizeof key);
		ck_assert_ptr_null(memmem(file, n, key, len));
	}
	ck_assert_ptr_null(memmem(file, n, "xcap.ims", 8));
}
END_TEST

/* What is kept inside: Ks_int_NAF in the record's slot, as the KDF says. */
START_TEST(ks_int_naf_is_kept_not_told)
{
	struct mt_card_state s;
	struct mt_card_store *st = NULL;
	struct secret *ks = vec_secret(doc, "computed.base.ks"), *want = NULL;
	struct naf_id id = { "xcap.ims.mnc015.mcc234.pub.3gppnetwork.org", { 1, 0, 0, 0, 2 } };
	uint8_t rand[16];
	char told[128];

	ck_sw(card, SELECT_USIM, "9000");
	vector_run();
	write_btid("6fd6", vec_str(doc, "computed.base.b_tid"));
	ck_sw(card, SELECT_USIM, "9000");
	snprintf(told, sizeof told, "%s", derive(id.fqdn));
	vec_hex(doc, "computed.base.rand", rand, 16);
	ck_ok(kdf_ks_int_naf(ks, rand, span_str(vec_str(doc, "computed.base.impi")), &id, &want));
	ck_ok(mt_card_store_open(state_path, &image, rnd_system(), &s, &st));
	ck_assert(span_eq(span_of(secret_span(s.gba[0].keys).p, KS_LEN), secret_span(ks)));
	ck_assert(span_eq(span_of(secret_span(s.gba[0].keys).p + KS_LEN, KS_LEN), secret_span(want)));
	ck_assert_ptr_null(strstr(told, hex_of(secret_span(want))));
	mt_card_state_clear(&s);
	mt_card_store_free(st);
	secret_free(ks);
	secret_free(want);
}
END_TEST

/* --- bootstrapping */

/* A terminal's plain AKA on AUTN*, and the card's GBA context on plain AUTN, both see a wrong MAC (TS 33.220 5.3.2). */
START_TEST(autn_and_autn_star_do_not_mix)
{
	uint8_t rand[16], autn[16];
	struct mt_apdu a;

	ck_sw(card, SELECT_USIM, "9000");
	ck_say(card, vec_str(doc, "computed.usim.apdu_bootstrap"), "9862");
	vec_hex(doc, "computed.base.rand", rand, 16);
	vec_hex(doc, "computed.gba_u_autn.autn_star", autn, 16);
	mt_apdu_authenticate(rand, autn, &a);
	ck_assert_str_eq(say_apdu(&a), "9862");
	vector_run();			/* no SQN was spent */
}
END_TEST

START_TEST(a_used_sqn_draws_auts_and_leaves_ks)
{
	uint8_t auts[14], rand[16];
	uint64_t ms;
	char got[64];

	ck_sw(card, SELECT_USIM, "9000");
	ck_assert_int_eq(strncmp(run(7, true), "db08", 4), 0);
	write_btid("6fd6", "x@bsf.example.net");
	ck_sw(card, SELECT_USIM, "9000");
	snprintf(got, sizeof got, "%s", run(6, true));
	ck_assert_msg(strlen(got) == 36 && strncmp(got, "dc0e", 4) == 0, "%s", got);
	ck_ok(hex_parse(span_of(got + 4, 28), auts, 14));
	memset(rand, 6, sizeof rand);
	ck_ok(aka_check_auts(image.k, image.opc, rand, auts, &ms));
	ck_assert_uint_eq(sqn_seq(ms), 7);
	ck_assert_int_eq(strncmp(derive("naf.example.net"), "db20", 4), 0);	/* the old run stands */
	ck_assert_str_eq(run(9, false), "9862");
	ck_assert_int_eq(strncmp(derive("naf.example.net"), "db20", 4), 0);
}
END_TEST

/* computed.usim.response_sync_failure: SQN_MS of computed.resync, the same RAND. */
START_TEST(vectors_sync_failure)
{
	static const uint8_t amf[2] = { 0xb9, 0xb9 };
	uint8_t rand[16], sqn[6];
	char want[64];
	struct aka_vector v;
	struct mt_apdu a;

	vec_hex(doc, "computed.resync.rand", rand, 16);
	vec_hex(doc, "computed.resync.sqn_ms", sqn, 6);
	ck_ok(aka_make(image.k, image.opc, rand, sqn_parse(sqn), amf, &v));
	ck_ok(aka_autn_star(v.ik, v.autn, v.autn));
	mt_apdu_gba_bootstrap(rand, v.autn, &a);
	aka_vector_clear(&v);
	ck_sw(card, SELECT_USIM, "9000");
	ck_assert_int_eq(strncmp(say_apdu(&a), "db08", 4), 0);
	snprintf(want, sizeof want, "%s9000", vec_str(doc, "computed.usim.response_sync_failure"));
	ck_assert_str_eq(say_apdu(&a), want);
}
END_TEST

START_TEST(a_new_run_replaces_ks_btid_and_lifetime)
{
	char first[128];

	ck_sw(card, SELECT_USIM, "9000");
	ck_assert_int_eq(strncmp(run(1, true), "db08", 4), 0);
	write_btid("6fd6", "x@bsf.example.net");
	ck_sw(card, SELECT_USIM, "9000");
	snprintf(first, sizeof first, "%s", derive("naf.example.net"));
	ck_assert_int_eq(strncmp(run(2, true), "db08", 4), 0);
	ck_say(card, "00a4000c026fd6", "9000");
	ck_say(card, "00b0000015", "10020202020202020202020202020202020000ffff9000");
	ck_sw(card, SELECT_USIM, "9000");
	ck_assert_str_eq(derive("naf.example.net"), "6985");		/* unfinished */
	write_btid("6fd6", "y@bsf.example.net");
	ck_sw(card, SELECT_USIM, "9000");
	ck_assert_int_eq(strncmp(derive("naf.example.net"), "db20", 4), 0);
	ck_assert_str_ne(derive("naf.example.net"), first);
}
END_TEST

/* --- NAF derivation: EF_GBANL */

static char *
gbanl(unsigned record)
{
	static char naf[300];
	uint8_t octets[256];
	struct span id, btid;
	char cmd[32];
	const char *got;
	enum rc rc;

	ck_say(card, "00a4000c026fda", "9000");
	snprintf(cmd, sizeof cmd, "00b2%02x04a0", record);
	got = card_say(card, cmd);
	ck_assert_uint_eq(strlen(got), 2 * MT_CARD_GBANL_LEN + 4);
	ck_ok(hex_parse(span_of(got, 2 * MT_CARD_GBANL_LEN), octets, MT_CARD_GBANL_LEN));
	rc = mt_ef_gbanl_parse(span_of(octets, MT_CARD_GBANL_LEN), &id, &btid);
	if (rc == RC_NOTFOUND)
		return strcpy(naf, "-");
	ck_ok(rc);
	snprintf(naf, sizeof naf, "%.*s %.*s", (int)id.n - 5, (const char *)id.p, (int)btid.n, (const char *)btid.p);
	return naf;
}

START_TEST(least_recently_used_is_overwritten)
{
	image.app[MT_CARD_USIM].gba_nafs = 3;
	power_on();
	ck_sw(card, SELECT_USIM, "9000");
	ck_assert_int_eq(strncmp(run(1, true), "db08", 4), 0);
	write_btid("6fd6", "x@b.example");
	ck_assert_str_eq(gbanl(1), "-");
	ck_sw(card, SELECT_USIM, "9000");
	for (const char *f = "a.nabanacanadana"; *f != '\0'; f++) {	/* a n ... one letter each, a often */
		char fqdn[] = "?.example";

		if (*f == '.')
			continue;
		fqdn[0] = *f;
		ck_assert_int_eq(strncmp(derive(fqdn), "db20", 4), 0);
	}
	/* a n b was full with a, n used since: c takes b's place, d c's */
	ck_assert_str_eq(gbanl(1), "a.example x@b.example");
	ck_assert_str_eq(gbanl(2), "n.example x@b.example");
	ck_assert_str_eq(gbanl(3), "d.example x@b.example");
	ck_say(card, "00b20404a0", "6a83");
}
END_TEST

START_TEST(one_record_per_naf_with_its_newest_btid)
{
	ck_sw(card, SELECT_USIM, "9000");
	for (unsigned i = 1; i <= 2; i++) {
		ck_assert_int_eq(strncmp(run(i, true), "db08", 4), 0);
		write_btid("6fd6", i == 1 ? "x@b.example" : "y@b.example");
		ck_sw(card, SELECT_USIM, "9000");
		ck_assert_int_eq(strncmp(derive("a.example"), "db20", 4), 0);
	}
	ck_assert_str_eq(gbanl(1), "a.example y@b.example");
	ck_assert_str_eq(gbanl(2), "-");
}
END_TEST

/* A NAF_ID and B-TID that no record holds: 9866, nothing changes, no key comes out. */
START_TEST(no_room_for_the_names)
{
	char fqdn[128];

	memset(fqdn, 0, sizeof fqdn);
	memset(fqdn, 'a', 60);
	fqdn[60] = '.';
	memset(fqdn + 61, 'b', 60);
	ck_sw(card, SELECT_USIM, "9000");
	ck_assert_int_eq(strncmp(run(1, true), "db08", 4), 0);
	write_btid("6fd6", "a-b-tid-that-is-longer-than-most@bsf.example.net");
	ck_sw(card, SELECT_USIM, "9000");
	ck_assert_str_eq(derive(fqdn), "9866");
	ck_assert_str_eq(gbanl(1), "-");
}
END_TEST

/* --- applications */

START_TEST(usim_and_isim_have_each_their_own_run)
{
	ck_sw(card, SELECT_USIM, "9000");
	ck_assert_int_eq(strncmp(run(1, true), "db08", 4), 0);
	write_btid("6fd6", "usim@b.example");
	ck_sw(card, SELECT_ISIM, "9000");
	ck_assert_str_eq(derive("a.example"), "6985");
	ck_assert_int_eq(strncmp(run(1, true), "dc0e", 4), 0);		/* one SQN array for the card */
	ck_assert_int_eq(strncmp(run(2, true), "db08", 4), 0);
	write_btid("6fd5", "isim@b.example");
	ck_sw(card, SELECT_ISIM, "9000");
	ck_assert_int_eq(strncmp(derive("a.example"), "db20", 4), 0);
	ck_sw(card, "00a4000c026fd7", "9000");
	ck_assert_int_eq(strncmp(card_say(card, "00b20104a0"), "800e612e", 8), 0);
	ck_sw(card, SELECT_USIM, "9000");
	ck_assert_str_eq(gbanl(1), "-");
	ck_say(card, "00a4000c026fd6", "9000");
	ck_say(card, "00b0000002", "10019000");
}
END_TEST

static const struct {
	const char *select, *file, *read, *text;
} texts[] = {
	{ SELECT_ISIM, "6f02", "00b0000000", "user@ims.operator.example" },
	{ SELECT_ISIM, "6f03", "00b0000000", "ims.operator.example" },
	{ SELECT_ISIM, "6f04", "00b2010400", "sip:user@ims.operator.example" },
	{ SELECT_ISIM, "6fdd", "00b2010400", NULL },
	{ SELECT_USIM, "6fdd", "00b2010400", "nafkc.a.example" },
	{ SELECT_USIM, "6fdd", "00b2020400", "nafkc.b.example" },
};
START_TEST(files_with_a_text)
{
	uint8_t octets[256];
	struct span text;
	char cmd[32];
	const char *got;
	size_t n;

	ck_sw(card, texts[_i].select, "9000");
	snprintf(cmd, sizeof cmd, "00a4000c02%s", texts[_i].file);
	ck_sw(card, cmd, "9000");
	got = card_say(card, texts[_i].read);
	n = strlen(got) / 2 - 2;
	ck_ok(hex_parse(span_of(got, 2 * n), octets, n));
	if (texts[_i].text == NULL) {
		ck_rc(mt_ef_text_parse(span_of(octets, n), &text), RC_NOTFOUND);
	} else {
		ck_ok(mt_ef_text_parse(span_of(octets, n), &text));
		ck_assert(span_eq_str(text, texts[_i].text));
	}
}
END_TEST

/* The same identifier is EF_IMSI here and EF_IST there. */
START_TEST(isim_has_its_own_identifiers)
{
	ck_sw(card, SELECT_ISIM, "9000");
	ck_sw(card, "00a4000c026f07", "9000");
	ck_say(card, "00b0000001", "0a9000");			/* services 2 and 4 */
	ck_sw(card, "00a4000c026fd6", "6a82");
	ck_sw(card, "00a4000c026fda", "6a82");
	ck_sw(card, "00a4080c047fff6f02", "9000");
	ck_sw(card, "00a4000c022f00", "6a82");
	ck_sw(card, "00a4080c022f00", "9000");
	ck_assert_int_eq(strncmp(card_say(card, "00b2020440"), "61184f10" ISIM_AID, 8 + 32), 0);
	ck_sw(card, "00b2030440", "6a83");
	ck_sw(card, "00a4040c07a0000000871004", "9000");	/* partial */
	ck_sw(card, "00a4000c026f04", "9000");
}
END_TEST

/* Without its service an application has neither the context nor the files. */
START_TEST(no_service_no_gba)
{
	memset(image.app[MT_CARD_USIM].services, 0, sizeof image.app[0].services);
	card_serve(&image.app[MT_CARD_USIM], MT_SERVICE_LOCAL_KEY);	/* 76 only with 68 */
	power_on();
	ck_sw(card, SELECT_USIM, "9000");
	ck_assert_str_eq(run(1, true), "9864");
	ck_sw(card, "00a4000c026fd6", "6a82");
	ck_sw(card, "00a4000c026fda", "6a82");
	ck_sw(card, "00a4000c026fdd", "6a82");
	ck_sw(card, SELECT_ISIM, "9000");
	ck_assert_int_eq(strncmp(run(1, true), "db08", 4), 0);
}
END_TEST

/* --- misuse */

static const struct {
	const char *apdu, *sw;
} misuses[] = {
	{ "0088008400", "6700" },
	{ "00880084010000", "6a80" },
	{ "0088008401dd00", "6700" },
	{ "0088008401de00", "6a80" },
	{ "0088008401df00", "6a80" },
	{ "0088008402de0000", "6a80" },
	{ "0088008406de01610162ff00", "6a80" },			/* something behind */
	{ "0088008404de056162" "00", "6a80" },			/* longer than there is */
	{ "0088008408de0661010000000200", "6a80" },		/* no IMPI */
	{ "008800840ade06610100000002016200", "6a80" },		/* "a" is no FQDN */
	{ "0088008412de0e612e6578616d706c6501000000020162" "00", "6985" },	/* well formed: no run yet */
	{ "0088018412de0e612e6578616d706c6501000000020162" "00", "6a86" },
	{ "0088008523dd1023553cbe9637a89d218ae64dae47bf351055f328b43577b9b94a9ffac354dfafb300", "9864" },
	{ "0088008423dd0f23553cbe9637a89d218ae64dae47bf351055f328b43577b9b94a9ffac354dfafb300", "6a80" },
	{ "0088008423dd1023553cbe9637a89d218ae64dae47bf351155f328b43577b9b94a9ffac354dfafb300", "6a80" },
	{ "0088008422dd1023553cbe9637a89d218ae64dae47bf351055f328b43577b9b94a9ffac354dfaf00", "6700" },
	{ "0088008423dd1023553cbe9637a89d218ae64dae47bf351055f328b43577b9b94a9ffac354dfafb3", "6700" },	/* no Le */
};
START_TEST(misuse_gets_its_word)
{
	ck_sw(card, SELECT_USIM, "9000");
	ck_say(card, misuses[_i].apdu, misuses[_i].sw);
	vector_run();
}
END_TEST

static const struct {
	const char *file, *apdu, *sw;
} updates[] = {
	{ "6fd6", "00d60000021000", "9000" },
	{ "6fd6", "00d600c701aa", "9000" },
	{ "6fd6", "00d600c702aaaa", "6700" },			/* over the end */
	{ "6fd6", "00d600c801aa", "6b00" },
	{ "6fd6", "00d68000" "01aa", "6a86" },
	{ "6fd6", "00d60000", "6700" },
	{ "6f07", "00d6000001aa", "6982" },			/* EF_IMSI: never */
	{ "6f38", "00d6000001aa", "6982" },
	{ "6fda", "00d6000001aa", "6981" },			/* EF_GBANL has records */
	{ NULL, "00d6000001aa", "6986" },
};
START_TEST(update_binary)
{
	char cmd[32];

	ck_sw(card, SELECT_USIM, "9000");
	if (updates[_i].file != NULL) {
		snprintf(cmd, sizeof cmd, "00a4000c02%s", updates[_i].file);
		ck_sw(card, cmd, "9000");
	}
	ck_say(card, updates[_i].apdu, updates[_i].sw);
}
END_TEST

START_TEST(update_is_durable_before_any_run)
{
	ck_sw(card, SELECT_USIM, "9000");
	ck_sw(card, "00a4000c026fd6", "9000");
	ck_say(card, "00b0000004", "ffffffff9000");
	ck_say(card, "00d6000102abcd", "9000");
	power_on();
	ck_sw(card, SELECT_USIM, "9000");
	ck_sw(card, "00a4000c026fd6", "9000");
	ck_say(card, "00b0000004", "ffabcdff9000");
}
END_TEST

START_TEST(everything_of_gba_wants_the_pin)
{
	strcpy(image.pin, "1234");
	power_on();
	ck_sw(card, SELECT_USIM, "9000");
	ck_assert_str_eq(run(1, true), "6982");
	ck_sw(card, "00a4000c026fd6", "9000");
	ck_say(card, "00b0000001", "6982");
	ck_say(card, "00d6000001aa", "6982");
	ck_sw(card, "00a4000c026fda", "9000");
	ck_say(card, "00b20104a0", "6982");
	ck_say(card, VERIFY_1234, "9000");
	ck_sw(card, SELECT_USIM, "9000");
	ck_assert_int_eq(strncmp(run(1, true), "db08", 4), 0);
}
END_TEST

/* The state cannot be written: no answer but 6581, and the old run stands. */
START_TEST(c4_no_disk_no_answer)
{
	ck_sw(card, SELECT_USIM, "9000");
	ck_assert_int_eq(strncmp(run(1, true), "db08", 4), 0);
	write_btid("6fd6", "x@b.example");
	ck_sw(card, SELECT_USIM, "9000");
	card_disk_full(state_path);
	ck_assert_str_eq(run(2, true), "6581");
	ck_assert_str_eq(derive("a.example"), "6581");
	ck_assert_str_eq(gbanl(1), "-");
	ck_sw(card, "00a4000c026fd6", "9000");
	ck_say(card, "00d6000001aa", "6581");
	ck_say(card, "00b0000002", "10019000");
	card_disk_again();
	ck_sw(card, SELECT_USIM, "9000");
	ck_assert_int_eq(strncmp(derive("a.example"), "db20", 4), 0);
	ck_assert_int_eq(strncmp(run(2, true), "db08", 4), 0);
}
END_TEST

START_TEST(t0_answers_wait)
{
	image.t0 = true;
	power_on();
	ck_sw(card, SELECT_USIM, "9000");
	ck_assert_str_eq(run(1, true), "610a");
	ck_assert_int_eq(strncmp(card_say(card, "00c000000a"), "db08", 4), 0);
	write_btid("6fd6", "x@b.example");
	ck_sw(card, SELECT_USIM, "9000");
	ck_assert_str_eq(derive("a.example"), "6122");
	ck_assert_int_eq(strncmp(card_say(card, "00c0000022"), "db20", 4), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("card_gba");
	TCase *t = tcase_create("C4 GBA_U");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, vectors_builders);
	tcase_add_test(t, vectors_run);
	tcase_add_test(t, vectors_sync_failure);
	tcase_add_test(t, c4_ks_survives_power_off_sealed);
	tcase_add_test(t, ks_int_naf_is_kept_not_told);
	tcase_add_test(t, autn_and_autn_star_do_not_mix);
	tcase_add_test(t, a_used_sqn_draws_auts_and_leaves_ks);
	tcase_add_test(t, a_new_run_replaces_ks_btid_and_lifetime);
	tcase_add_test(t, least_recently_used_is_overwritten);
	tcase_add_test(t, one_record_per_naf_with_its_newest_btid);
	tcase_add_test(t, no_room_for_the_names);
	tcase_add_test(t, usim_and_isim_have_each_their_own_run);
	tcase_add_loop_test(t, files_with_a_text, 0, TABLE_N(texts));
	tcase_add_test(t, isim_has_its_own_identifiers);
	tcase_add_test(t, no_service_no_gba);
	tcase_add_loop_test(t, misuse_gets_its_word, 0, TABLE_N(misuses));
	tcase_add_loop_test(t, update_binary, 0, TABLE_N(updates));
	tcase_add_test(t, update_is_durable_before_any_run);
	tcase_add_test(t, everything_of_gba_wants_the_pin);
	tcase_add_test(t, c4_no_disk_no_answer);
	tcase_add_test(t, t0_answers_wait);
	suite_add_tcase(s, t);
	return unit_run(s);
}
