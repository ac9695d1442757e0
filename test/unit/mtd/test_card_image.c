/* C4: the image that a person writes; issue 4 Shows 5: what is wrong is refused with file, line, and what was expected. */
#include "mtd/card_image.h"

#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "mtd/ef_gba.h"
#include "test/unit/vectors.h"

#define ICCID "iccid = \"89441000309999999999\"\n"
#define IMSI "imsi = \"234150999999999\"\n"
#define K "k = \"465b5ce8b199b49faa5f0a2ee238a6bc\"\n"
#define OP "op = \"cdc202d5123e20f62b6d676ac72cb318\"\n"
#define OPC "opc = \"cd63cb71954a9f4e48a5994e37a02baf\"\n"

static char said[4096];

static enum rc
parse(const char *text, struct mt_card_image *out)
{
	FILE *err = fmemopen(said, sizeof said, "w");
	enum rc rc;

	ck_assert_ptr_nonnull(err);
	said[0] = '\0';
	rc = mt_card_image_parse("card.conf", span_str(text), err, out);
	fclose(err);
	return rc;
}

START_TEST(c4_least)
{
	struct mt_card_image i;
	json_t *doc = vectors_load();

	ck_rc(parse(ICCID IMSI K OPC, &i), RC_OK);
	ck_assert_str_eq(said, "");
	ck_assert_str_eq(i.iccid.s, "89441000309999999999");
	ck_assert_str_eq(i.imsi.s, "234150999999999");
	ck_assert_uint_eq(i.mnc_len, 2);
	ck_assert_str_eq(i.pin, "");
	ck_assert(!i.t0 && i.app[0].aid_len == 16 && mt_aid_is_usim((struct span){ i.app[0].aid, i.app[0].aid_len }));
	ck_assert(i.sqn.delta == SQN_DELTA_DEFAULT && i.sqn.age == 0);
	vec_eq(vec_at(doc, "milenage.sets", 0), "k", secret_span(i.k));
	vec_eq(vec_at(doc, "milenage.sets", 0), "opc", secret_span(i.opc));
	mt_card_image_clear(&i);
	ck_assert(i.k == NULL && i.imsi.s[0] == '\0');
	json_decref(doc);
}
END_TEST

START_TEST(c4_everything)
{
	struct mt_card_image i, d;

	ck_ok(parse("# a card\n" ICCID IMSI "mnc_len = 3\n" K OP "pin = \"1234\"\nprotocol = t0\n"
		    "usim {\n\taid = \"a0000000871002ff\"\n\tlabel = \"x\"\n\tservices = { 1, 68, 160 }\n}\nsqn {\n\tdelta = 8796093022207\n\tage = 7\n}\n", &i));
	ck_assert(i.mnc_len == 3 && i.t0 && i.app[0].aid_len == 8 && i.sqn.delta == SQN_SEQ_MAX && i.sqn.age == 7);
	ck_assert_str_eq(i.pin, "1234");
	ck_assert_str_eq(i.app[0].label, "x");
	for (unsigned n = 1; n <= MT_SERVICES_MAX; n++)
		ck_assert(mt_ef_service((struct span){ i.app[0].services, sizeof i.app[0].services }, n) == (n == 1 || n == 68 || n == 160));
	ck_ok(mt_card_image_dup(&i, &d));
	mt_card_image_clear(&i);
	ck_assert_mem_eq(secret_span(d.opc).p, "\xcd\x63\xcb\x71", 4);		/* OPc of that OP */
	mt_card_image_clear(&d);
}
END_TEST

static const struct {
	const char *text, *complaint;
} bad[] = {
	{ IMSI K OPC, "iccid: " },
	{ ICCID "imsi = \"12345\"\n" K OPC, "card.conf:2: imsi: expected 6 to 15 digits" },
	{ "\n\n\niccid = \"8944\"\n" IMSI K OPC, "card.conf:4: iccid: expected 18 to 20 digits" },
	{ ICCID IMSI "mnc_len = 4\n" K OPC, "card.conf:3: mnc_len: 4; expected 2 to 3" },
	{ ICCID IMSI OPC, "k: " },
	{ ICCID IMSI K, "opc: " },
	{ ICCID IMSI "k = \"465b5ce8b199b49faa5f0a2ee238a6b\"\n" OPC, "card.conf:3: k: expected 32 hex digits" },
	{ ICCID IMSI "k = \"465b5ce8b199b49faa5f0a2ee238a6bg\"\n" OPC, "card.conf:3: k: expected 32 hex digits" },
	{ ICCID IMSI K "opc = \"00\"\n", "card.conf:4: opc: expected 32 hex digits" },
	{ ICCID IMSI K "op = \"00\"\n", "card.conf:4: op: expected 32 hex digits" },
	{ ICCID IMSI K OP OPC, "card.conf:4: op: both op and opc are there; expected one of them" },
	{ ICCID IMSI K OPC "pin = \"123\"\n", "card.conf:5: pin: expected 4 to 8 digits" },
	{ ICCID IMSI K OPC "pin = \"123456789\"\n", "card.conf:5: pin: expected 4 to 8 digits" },
	{ ICCID IMSI K OPC "pin = \"12a4\"\n", "card.conf:5: pin: expected 4 to 8 digits" },
	{ ICCID IMSI K OPC "protocol = t2\n", "card.conf:5: protocol: " },
	{ ICCID IMSI K OPC "usim {\naid = \"a0000000871004ff\"\n}\n", "card.conf:6: aid: expected the AID of a USIM" },
	{ ICCID IMSI K OPC "usim {\naid = \"a0000000871002ff44ff12890000010000\"\n}\n", "card.conf:6: aid: " },
	{ ICCID IMSI K OPC "usim {\naid = \"a0000000871002f\"\n}\n", "card.conf:6: aid: " },
	{ ICCID IMSI K OPC "usim {\nlabel = \"abcdefghijklmnopqrstuvwxyzabcdefg\"\n}\n", "card.conf:6: label: expected at most 32" },
	{ ICCID IMSI K OPC "usim {\nservices = { 0 }\n}\n", "card.conf:6: services: '0'; expected service numbers" },
	{ ICCID IMSI K OPC "usim {\nservices = { 161 }\n}\n", "card.conf:6: services: '161'" },
	{ ICCID IMSI K OPC "usim {\nservices = { x }\n}\n", "card.conf:6: services: 'x'" },
	{ ICCID IMSI K OPC "usim {\ngba_nafs = 7\n}\n", "card.conf:6: gba_nafs: 7; expected 1 to 6" },
	{ ICCID IMSI K OPC "usim {\nservices = { 68, 76 }\nnafkca = { \"UPPER.example\" }\n}\n", "card.conf:7: nafkca: expected a lower-case FQDN" },
	{ ICCID IMSI K OPC "usim {\nservices = { 68, 76 }\nnafkca = { a.b, a.c, a.d, a.e, a.f }\n}\n", "card.conf:7: nafkca: 5 values; expected at most 4" },
	{ ICCID IMSI K OPC "usim {\nservices = { 76 }\nnafkca = { a.b }\n}\n", "card.conf:7: nafkca: expected services 68 and 76 with it" },
	{ ICCID IMSI K OPC "usim {\nimpi = \"a@b.c\"\n}\n", "card.conf:6: impi: unknown here" },
	{ ICCID IMSI K OPC "isim {\ndomain = \"a.b\"\n}\n", "impi: is missing; expected user@realm" },
	{ ICCID IMSI K OPC "isim {\nservices = { 2 }\n}\n", "impi: is missing" },
	{ ICCID IMSI K OPC "isim {\nimpi = \"user\"\ndomain = \"a.b\"\n}\n", "card.conf:6: impi: expected user@realm" },
	{ ICCID IMSI K OPC "isim {\nimpi = \"a@b.c\"\n}\n", "domain: is missing; expected a lower-case FQDN" },
	{ ICCID IMSI K OPC "isim {\nimpi = \"a@b.c\"\ndomain = \"a b\"\n}\n", "card.conf:7: domain: expected a lower-case FQDN" },
	{ ICCID IMSI K OPC "isim {\nimpi = \"a@b.c\"\ndomain = \"a.b\"\nimpu = { \"mailto:x\" }\n}\n", "card.conf:8: impu: expected a sip: or tel: URI" },
	{ ICCID IMSI K OPC "isim {\nimpi = \"a@b.c\"\ndomain = \"a.b\"\naid = \"a0000000871002ff\"\n}\n", "card.conf:8: aid: expected the AID of an ISIM" },
	{ ICCID IMSI K OPC "isim {\nimpi = \"a@b.c\"\ndomain = \"a.b\"\nservices = { 0 }\n}\n", "card.conf:8: services: '0'; expected service numbers of TS 31.103" },
	{ ICCID IMSI K OPC "isim {\nimpi = \"a@b.c\"\ndomain = \"a.b\"\nnafkca = { a.b }\n}\n", "card.conf:8: nafkca: expected services 2 and 4" },
	{ ICCID IMSI K OPC "sqn {\ndelta = 0\n}\n", "card.conf:6: delta: 0; expected 1 to" },
	{ ICCID IMSI K OPC "sqn {\nage = -1\n}\n", "card.conf:6: age: -1" },
	{ ICCID IMSI K OPC ICCID, "card.conf:5: iccid: given twice" },
	{ ICCID IMSI K OPC "ki = \"00\"\n", "card.conf:5: ki: unknown here" },
	{ ICCID IMSI K OPC "pin = \"${HOME}\"\n", "card.conf:5: " },
	{ "", "iccid: " },
};
START_TEST(c4_refused_with_line_and_what_was_expected)
{
	struct mt_card_image i;

	untouched_fill(&i, sizeof i);
	ck_rc(parse(bad[_i].text, &i), RC_SYNTAX);
	ck_assert_msg(strstr(said, bad[_i].complaint) != NULL, "wanted '%s', got:\n%s", bad[_i].complaint, said);
	ck_assert(untouched(&i, sizeof i));
	ck_assert_msg(strstr(said, "465b5ce8") == NULL && strstr(said, "cdc202d5") == NULL, "a key was shown:\n%s", said);
}
END_TEST

START_TEST(c4_isim_and_lists)
{
	struct mt_card_image i;
	const struct mt_card_app *a = &i.app[MT_CARD_ISIM];

	ck_ok(parse(ICCID IMSI K OPC "usim {\nservices = { 68, 76 }\ngba_nafs = 2\nnafkca = { n.a, n.b }\n}\n"
		    "isim {\nimpi = \"u@ims.example.net\"\ndomain = \"ims.example.net\"\nimpu = { \"sip:u@ims.example.net\", \"tel:+4930\" }\n"
		    "services = { 2 }\n}\n", &i));
	ck_assert(i.app[MT_CARD_USIM].gba_nafs == 2 && i.app[MT_CARD_USIM].n_nafkca == 2);
	ck_assert_str_eq(i.app[MT_CARD_USIM].nafkca[1], "n.b");
	ck_assert(mt_card_app_gba(&i, MT_CARD_USIM) && mt_card_app_local_key(&i, MT_CARD_USIM));
	ck_assert(mt_card_app_gba(&i, MT_CARD_ISIM) && !mt_card_app_local_key(&i, MT_CARD_ISIM));
	ck_assert(mt_aid_is_isim(span_of(a->aid, a->aid_len)) && a->n_impu == 2 && a->gba_nafs == MT_CARD_NAFS_MAX);
	ck_assert_str_eq(a->impi, "u@ims.example.net");
	ck_assert_str_eq(a->domain, "ims.example.net");
	ck_assert_str_eq(a->impu[1], "tel:+4930");
	mt_card_image_clear(&i);
}
END_TEST

static void
no_line(enum log_level level, const char *line, void *arg)
{
	(void)level;
	strncpy(arg, line, sizeof said - 1);
}

START_TEST(c4_file_is_for_its_owner_alone)
{
	char path[] = "/tmp/kslocal-test-image-XXXXXX";
	static const char text[] = ICCID IMSI K OPC;
	static const mode_t modes[] = { 0640, 0604, 0620, 0602, 0644 };
	struct mt_card_image i;
	int fd = mkstemp(path);

	log_capture(no_line, said);
	ck_assert(fd >= 0 && write(fd, text, sizeof text - 1) == sizeof text - 1);
	untouched_fill(&i, sizeof i);
	for (int m = 0; m < TABLE_N(modes); m++) {
		ck_assert_int_eq(fchmod(fd, modes[m]), 0);
		said[0] = '\0';
		ck_rc(mt_card_image_load(path, &i), RC_DENIED);
		ck_assert_ptr_nonnull(strstr(said, path));
	}
	ck_assert(untouched(&i, sizeof i));
	ck_assert_int_eq(fchmod(fd, 0600), 0);
	ck_ok(mt_card_image_load(path, &i));
	ck_assert_str_eq(i.imsi.s, "234150999999999");
	mt_card_image_clear(&i);
	ck_assert_int_eq(fchmod(fd, 0400), 0);
	ck_ok(mt_card_image_load(path, &i));
	mt_card_image_clear(&i);
	close(fd);
	unlink(path);
	ck_rc(mt_card_image_load(path, &i), RC_NOTFOUND);
}
END_TEST

/* The sample that a person starts from must be one. */
START_TEST(c4_sample_is_a_card)
{
	char text[8192];
	FILE *f = fopen(TEST_SRCDIR "/conf/card.conf.sample", "r");
	struct mt_card_image i;
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = '\0';
	ck_assert_msg(parse(text, &i) == RC_OK, "%s", said);
	ck_assert_str_eq(i.pin, "");
	mt_card_image_clear(&i);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("card_image");
	TCase *t = tcase_create("C4");

	tcase_add_test(t, c4_least);
	tcase_add_test(t, c4_everything);
	tcase_add_test(t, c4_isim_and_lists);
	tcase_add_loop_test(t, c4_refused_with_line_and_what_was_expected, 0, TABLE_N(bad));
	tcase_add_test(t, c4_file_is_for_its_owner_alone);
	tcase_add_test(t, c4_sample_is_a_card);
	suite_add_tcase(s, t);
	return unit_run(s);
}
