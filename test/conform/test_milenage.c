/*
 * MILENAGE, AUTN and AUTS judged by osmo-auc-gen (libosmocore), on random keys: what one makes, the other must make too.
 *	osmo-auc-gen -3 -a MILENAGE -k K -o OPc|-O OP -f AMF -s SQN -r RAND     → AUTN, RES, CK, IK
 *	osmo-auc-gen … -A AUTS -i IND                                          → the SQN after SQN_MS
 */
#include <stdio.h>

#include "common/aka.h"
#include "common/hex.h"
#include "common/milenage.h"
#include "common/rnd.h"
#include "common/sqn.h"
#include "test/unit/unit.h"

struct subscriber {
	struct secret *k, *op, *opc;
	uint8_t rand[16], amf[2];
	uint64_t sqn;
};

static struct secret *
random_secret(void)
{
	struct secret *s = NULL;

	ck_ok(secret_new(16, &s));
	ck_ok(rnd_bytes(rnd_system(), secret_bytes(s), 16));
	return s;
}

static struct subscriber
subscriber_new(void)
{
	struct subscriber s = { .k = random_secret(), .op = random_secret() };
	uint8_t sqn[6];

	ck_ok(milenage_opc(s.k, s.op, &s.opc));
	ck_ok(rnd_bytes(rnd_system(), s.rand, sizeof s.rand));
	ck_ok(rnd_bytes(rnd_system(), s.amf, sizeof s.amf));
	ck_ok(rnd_bytes(rnd_system(), sqn, sizeof sqn));
	s.sqn = sqn_parse(sqn);
	return s;
}

static void
subscriber_free(struct subscriber *s)
{
	secret_free(s->k);
	secret_free(s->op);
	secret_free(s->opc);
}

static const char *
hex(struct span s)
{
	static char text[8][65];
	static int at;

	at = (at + 1) % 8;
	hex_print(s, text[at]);
	return text[at];
}

/* Runs the tool with these arguments behind the subscriber's; all it says. */
static const char *
osmo(const struct subscriber *s, bool by_op, const char *more)
{
	static char said[4096];
	char cmd[512];
	FILE *p;
	size_t n;

	snprintf(cmd, sizeof cmd, "osmo-auc-gen -3 -a MILENAGE -k %s -%c %s -f %s -r %s %s 2>&1", hex(secret_span(s->k)), by_op ? 'O' : 'o',
	    hex(secret_span(by_op ? s->op : s->opc)), hex((struct span){ s->amf, 2 }), hex((struct span){ s->rand, 16 }), more);
	ck_assert_ptr_nonnull(p = popen(cmd, "r"));
	n = fread(said, 1, sizeof said - 1, p);
	said[n] = '\0';
	ck_assert_msg(pclose(p) == 0, "osmo-auc-gen (package libosmocore-utils): %s", said);
	return said;
}

static void
says(const char *said, const char *name, struct span value)
{
	char line[128];

	snprintf(line, sizeof line, "\n%s:\t%s\n", name, hex(value));
	ck_assert_msg(strstr(said, line) != NULL, "ours is%s theirs:\n%s", line, said);
}

/* Half of them from OP, half from OPc. */
START_TEST(vectors_agree)
{
	struct subscriber s = subscriber_new();
	struct aka_vector v = { 0 };
	const char *said;
	char more[64];

	snprintf(more, sizeof more, "-s %llu", (unsigned long long)s.sqn);
	said = osmo(&s, _i % 2 == 0, more);
	ck_ok(aka_make(s.k, s.opc, s.rand, s.sqn, s.amf, &v));
	says(said, "AUTN", (struct span){ v.autn, 16 });
	says(said, "RES", secret_span(v.xres));
	says(said, "CK", secret_span(v.ck));
	says(said, "IK", secret_span(v.ik));
	aka_vector_clear(&v);
	subscriber_free(&s);
}
END_TEST

/* Our card's AUTS, their AuC: it takes SQN_MS out and goes on behind it; what it then makes, our card takes. */
START_TEST(auts_is_understood)
{
	struct subscriber s = subscriber_new();
	struct sqn_array card = { { 0 } };
	const struct sqn_limits limits = { SQN_DELTA_DEFAULT, 0 };
	struct aka_result r = { 0 };
	uint8_t auts[AKA_AUTS_LEN], autn[AKA_AUTN_LEN];
	const char *said, *at;
	char more[128];

	s.sqn >>= 1;			/* so that there is something behind it */
	card.seq[sqn_ind(s.sqn)] = sqn_seq(s.sqn);
	ck_ok(aka_make_auts(s.k, s.opc, s.rand, s.sqn, auts));
	snprintf(more, sizeof more, "-A %s -i %d", hex((struct span){ auts, sizeof auts }), _i % 32);
	said = osmo(&s, false, more);
	ck_assert_ptr_nonnull(at = strstr(said, "\nAUTN:\t"));
	ck_ok(hex_parse(span_of(at + 7, 32), autn, sizeof autn));
	ck_ok(aka_check(s.k, s.opc, s.rand, autn, &r));
	ck_assert_uint_eq(sqn_seq(r.sqn), sqn_seq(s.sqn) + 1);
	ck_assert_int_eq((int)sqn_ind(r.sqn), _i % 32);
	ck_ok(sqn_accept(&card, &limits, r.sqn));
	aka_result_clear(&r);
	subscriber_free(&s);
}
END_TEST

/* The judge must be able to say no. */
START_TEST(a_wrong_auts_is_refused)
{
	struct subscriber s = subscriber_new();
	uint8_t auts[AKA_AUTS_LEN];
	char cmd[512];
	FILE *p;

	ck_ok(aka_make_auts(s.k, s.opc, s.rand, s.sqn, auts));
	auts[13] ^= 1;
	snprintf(cmd, sizeof cmd, "osmo-auc-gen -3 -a MILENAGE -k %s -o %s -f 8000 -r %s -A %s >/dev/null 2>&1", hex(secret_span(s.k)),
	    hex(secret_span(s.opc)), hex((struct span){ s.rand, 16 }), hex((struct span){ auts, sizeof auts }));
	ck_assert_ptr_nonnull(p = popen(cmd, "r"));
	ck_assert_int_ne(pclose(p), 0);
	subscriber_free(&s);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("milenage against osmo-auc-gen");
	TCase *t = tcase_create("conform");

	tcase_add_loop_test(t, vectors_agree, 0, 40);
	tcase_add_loop_test(t, auts_is_understood, 0, 40);
	tcase_add_test(t, a_wrong_auts_is_refused);
	suite_add_tcase(s, t);
	return unit_run(s);
}
