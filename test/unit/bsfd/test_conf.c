/* bsfd conf: the sample, every default, and each thing that is refused by line. */
#include <stdio.h>

#include "bsfd/bsf.h"
#include "common/daemon.h"
#include "common/digest_aka.h"
#include "common/log.h"
#include "test/unit/unit.h"

#define COMMON "store = \"/tmp/x.db\"\nstore_key = \"/tmp/x.key\"\ncontrol = \"unix:/tmp/x.sock\"\n"
#define ZN "zn {\n host = \"bsf.example.org\"\n realm = \"example.org\"\n listen = \"127.0.0.1:0\"\n"
#define GOOD COMMON "fqdn = \"bsf.example.org\"\n" ZN "}\n"

static char complaints[4096];

/* RC_OK, or RC_SYNTAX with what was said in complaints. */
static enum rc
read_text(const char *text, struct bsf_conf *out, struct conf **c)
{
	FILE *err = fmemopen(complaints, sizeof complaints, "w");
	enum rc rc;

	memset(complaints, 0, sizeof complaints);
	memset(out, 0, sizeof *out);
	*c = NULL;
	rc = conf_parse("bsfd.conf", span_str(text), bsf_options, err, c);
	if (rc == RC_OK) {
		bsf_conf_read(*c, out);
		rc = conf_done(*c);
	}
	fclose(err);
	return rc;
}

START_TEST(defaults)
{
	struct bsf_conf out;
	struct conf *c;

	ck_assert_msg(read_text(GOOD, &out, &c) == RC_OK, "%s", complaints);
	ck_assert_str_eq(out.fqdn, "bsf.example.org");
	ck_assert_int_eq(out.ks_lifetime_s, 8 * 3600);
	ck_assert_int_eq(out.ks_lifetime_max_s, 7 * 86400);
	ck_assert(!out.one_btid);
	ck_assert_uint_eq(out.ind, 31);
	ck_assert_uint_eq(out.sqn_block, 32);
	ck_assert_str_eq(out.generation_file, "/tmp/x.db.generation");
	ck_assert_str_eq(out.ub.listen, "127.0.0.1:8080");	/* loopback unless somebody says otherwise */
	ck_assert_str_eq(out.ub.path, "/");
	ck_assert_ptr_null(out.ub.cert);
	ck_assert_uint_eq(out.ub.qop, DIGEST_QOP_AUTH | DIGEST_QOP_AUTH_INT);
	ck_assert(out.ub.no_qop);
	ck_assert_int_eq(out.ub.challenge_s, 60);
	ck_assert_uint_eq(out.ub.per_source, 2);
	ck_assert_uint_eq(out.ub.per_impi, 16);
	ck_assert_uint_eq(out.ub.challenges, 4096);
	ck_assert_str_eq(out.zn.host, "bsf.example.org");
	ck_assert_str_eq(out.zn.listen, "127.0.0.1:0");
	ck_assert_ptr_null(out.zn.listen_tls);
	ck_assert(!out.zn.insecure && !out.zn.strict);
	ck_assert_int_eq(out.zn.watchdog_s, 30);
	ck_assert_uint_eq(out.zn.n_peers, 0);
	bsf_conf_free(&out);
	conf_free(c);
}
END_TEST

START_TEST(everything_set)
{
	struct bsf_conf out;
	struct conf *c;

	ck_assert_msg(read_text(COMMON "fqdn = \"bsf.example.org\"\nks_lifetime = \"1h\"\nks_lifetime_max = \"2h\"\none_btid = yes\nind = 0\n"
	    "sqn_block = 1\nub {\n listen = \"[::1]:0\"\n path = \"/gba\"\n qop = \"auth-int\"\n challenge = \"5s\"\n per_source = 3\n"
	    " per_impi = 4\n challenges = 5\n}\n" ZN " insecure = yes\n strict = yes\n watchdog = \"6s\"\n"
	    " peer \"a\" {\n realm = \"r\"\n}\n peer \"b.example.org\" {\n realm = \"r\"\n relay = yes\n}\n}\n", &out, &c) == RC_OK,
	    "%s", complaints);
	ck_assert_int_eq(out.ks_lifetime_s, 3600);
	ck_assert_int_eq(out.ks_lifetime_max_s, 7200);
	ck_assert(out.one_btid);
	ck_assert_uint_eq(out.ind, 0);
	ck_assert_uint_eq(out.sqn_block, 1);
	ck_assert_str_eq(out.ub.listen, "[::1]:0");
	ck_assert_str_eq(out.ub.path, "/gba");
	ck_assert_uint_eq(out.ub.qop, DIGEST_QOP_AUTH_INT);
	ck_assert(!out.ub.no_qop);
	ck_assert_int_eq(out.ub.challenge_s, 5);
	ck_assert_uint_eq(out.ub.per_source + 10 * out.ub.per_impi + 100 * out.ub.challenges, 543);
	ck_assert(out.zn.insecure && out.zn.strict);
	ck_assert_int_eq(out.zn.watchdog_s, 6);
	ck_assert_uint_eq(out.zn.n_peers, 2);
	ck_assert_str_eq(out.zn.peers[0].identity, "a");
	ck_assert(!out.zn.peers[0].relay);
	ck_assert_str_eq(out.zn.peers[1].identity, "b.example.org");
	ck_assert_str_eq(out.zn.peers[1].realm, "r");
	ck_assert(out.zn.peers[1].relay);
	bsf_conf_free(&out);
	conf_free(c);
}
END_TEST

static const struct {
	const char *text, *says;
} bad[] = {
	{ COMMON ZN "}\n", "fqdn" },
	{ COMMON "fqdn = \"BSF.example.org\"\n" ZN "}\n", "bsfd.conf:4: fqdn" },
	{ COMMON "fqdn = \"bsf.example.org\"\n", "host" },
	{ COMMON "fqdn = \"bsf.example.org\"\nzn {\n host = \"h\"\n realm = \"r\"\n}\n", "listen" },
	{ COMMON "fqdn = \"bsf.example.org\"\nzn {\n host = \"h\"\n realm = \"r\"\n listen_tls = \"127.0.0.1:0\"\n}\n", "cert" },
	{ COMMON "fqdn = \"bsf.example.org\"\nzn {\n host = \"h\"\n realm = \"r\"\n listen = \"0.0.0.0:3868\"\n}\n", "insecure" },	/* B3 */
	{ GOOD "ks_lifetime = \"0s\"\n", "bsfd.conf:10: ks_lifetime" },
	{ GOOD "ks_lifetime = \"8\"\n", "ks_lifetime" },
	{ GOOD "ind = 32\n", "bsfd.conf:10: ind" },
	{ GOOD "ind = -1\n", "ind" },
	{ GOOD "sqn_block = 0\n", "sqn_block" },
	{ GOOD "ub {\n path = \"gba\"\n}\n", "bsfd.conf:11: path" },
	{ GOOD "ub {\n qop = \"auth\"\n}\n", "qop" },
	{ GOOD "ub {\n cert = \"/etc/passwd\"\n}\n", "key" },
	{ GOOD "ub {\n per_source = 0\n}\n", "per_source" },
	{ GOOD "ub {\n challenge = \"0s\"\n}\n", "challenge" },
	{ COMMON "fqdn = \"bsf.example.org\"\n" ZN " peer \"a\" {\n}\n}\n", "realm" },
	{ COMMON "fqdn = \"bsf.example.org\"\n" ZN " peer \"A b\" {\n realm = \"r\"\n}\n}\n", "A b" },
	{ COMMON "fqdn = \"bsf.example.org\"\n" ZN " watchdog = \"5s\"\n}\n", "watchdog" },
	{ GOOD "fqdn = \"bsf.example.org\"\n", "fqdn" },	/* S4: twice */
	{ GOOD "lifetime = \"8h\"\n", "lifetime" },
};

START_TEST(refused_by_line)
{
	struct bsf_conf out;
	struct conf *c;

	ck_rc(read_text(bad[_i].text, &out, &c), RC_SYNTAX);
	ck_assert_msg(strstr(complaints, bad[_i].says) != NULL, "%s in: %s", bad[_i].says, complaints);
	bsf_conf_free(&out);
	conf_free(c);
}
END_TEST

START_TEST(the_sample_is_good)
{
	struct bsf_conf out;
	struct conf *c;
	char text[16384];
	FILE *file = fopen(TEST_SRCDIR "/conf/bsfd.conf", "r");
	size_t n;

	ck_assert_ptr_nonnull(file);
	n = fread(text, 1, sizeof text - 1, file);
	text[n] = '\0';
	fclose(file);
	ck_assert_msg(read_text(text, &out, &c) == RC_OK, "%s", complaints);
	ck_assert_uint_eq(out.zn.n_peers, 1);
	bsf_conf_free(&out);
	conf_free(c);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("bsfd conf (S4)");
	TCase *tc = tcase_create("conf");

	tcase_add_test(tc, defaults);
	tcase_add_test(tc, everything_set);
	tcase_add_loop_test(tc, refused_by_line, 0, TABLE_N(bad));
	tcase_add_test(tc, the_sample_is_good);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
