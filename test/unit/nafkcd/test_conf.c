/* nafkcd conf: defaults, every key, and each thing that is refused by line. */
#include <stdio.h>

#include "common/log.h"
#include "nafkcd/nafkc.h"
#include "test/unit/tmpdir.h"
#include "test/unit/unit.h"

static char complaints[4096], text[8192];

static enum rc
read_text(const char *in, struct nafkc_conf *out, struct conf **c)
{
	FILE *err = fmemopen(complaints, sizeof complaints, "w");
	enum rc rc;

	memset(complaints, 0, sizeof complaints);
	memset(out, 0, sizeof *out);
	*c = NULL;
	rc = conf_parse("nafkcd.conf", span_str(in), nafkc_options, err, c);
	if (rc == RC_OK) {
		nafkc_conf_read(*c, out);
		rc = conf_done(*c);
	}
	fclose(err);
	return rc;
}

static void
done(struct nafkc_conf *out, struct conf *c)
{
	nafkc_conf_free(out);
	conf_free(c);
}

/* A whole file: what is at the top, in ua, in zn, in the peer. */
static const char *
file(const char *top, const char *ua, const char *zn, const char *peer)
{
	snprintf(text, sizeof text, "store = \"/tmp/x.db\"\nstore_key = \"/tmp/x.key\"\ncontrol = \"unix:/tmp/x.sock\"\n%s\n"
	    "ua { %s }\nzn { host = \"nafkc.example.org\"\nrealm = \"example.org\"\n%s\npeer \"bsf.example.org\" { %s } }\n", top, ua, zn, peer);
	return text;
}

static const char *
ua_files(void)
{
	static char ua[1024];

	snprintf(ua, sizeof ua, "cert = \"%s\"\nkey = \"%s\"\nclient_ca = \"%s\"\n", tmpdir_file("cert"), tmpdir_file("key"), tmpdir_file("ca"));
	return ua;
}

#define NAF "naf_id = { \"nafkc.example.org/0100000002\" }"
#define PEER "realm = \"example.org\"\naddress = \"127.0.0.1:3868\""

static void
setup(void)
{
	tmpdir_make();
	tmpdir_write("cert", "x", 1, 0644);
	tmpdir_write("ca", "x", 1, 0644);
	tmpdir_write("key", "x", 1, 0600);
	tmpdir_write("open", "x", 1, 0644);
}

START_TEST(defaults)
{
	struct nafkc_conf out;
	struct conf *c;

	ck_assert_msg(read_text(file(NAF, ua_files(), "", PEER), &out, &c) == RC_OK, "%s", complaints);
	ck_assert_uint_eq(out.n_naf_ids, 1);
	ck_assert_str_eq(out.naf_ids[0].fqdn, "nafkc.example.org");
	ck_assert_int_eq(out.devices, NAFKC_LISTED);
	ck_assert_int_eq(out.key_lifetime_max_s, 86400);
	ck_assert_int_eq(out.ks_min_left_s, 60);
	ck_assert_uint_eq(out.rate_per_minute, 60);
	ck_assert_uint_eq(out.device_ids_max, 1000);
	ck_assert_int_eq(out.zn_cache_s, 300);
	ck_assert_int_eq(out.audit_keep_s, 365 * 86400LL);
	ck_assert_str_eq(out.ua.listen, "127.0.0.1:8443");	/* loopback unless somebody says otherwise */
	ck_assert_ptr_null(out.ua.crl);
	ck_assert(out.ua.connections == 1024 && out.ua.per_ip == 0 && out.ua.threads == 0 && !out.ua.on_loop);
	ck_assert_ptr_null(out.ua_mt.listen);
	ck_assert_int_eq(out.zn.timeout_s, 3);
	ck_assert_int_eq(out.zn.watchdog_s, 30);
	ck_assert_uint_eq(out.zn.n_peers, 1);
	ck_assert_str_eq(out.zn.peers[0].identity, "bsf.example.org");
	ck_assert(!out.zn.peers[0].tls && !out.zn.peers[0].insecure && out.zn.cert == NULL);
	done(&out, c);
}
END_TEST

START_TEST(every_key_is_read)
{
	char ua[2048], zn[1024];
	struct nafkc_conf out;
	struct conf *c;

	snprintf(ua, sizeof ua, "%s listen = \"[::1]:0\"\nconnections = 9\nper_ip = 2\nthreads = 4\ncrl = \"%s\"", ua_files(), tmpdir_file("ca"));
	snprintf(zn, sizeof zn, "timeout = \"5s\"\nwatchdog = \"6s\"\ncert = \"%s\"\nkey = \"%s\"\nca = \"%s\"\ncrl = \"%s\"\n"
	    "peer \"relay.example.org\" { realm = \"other.org\"\naddress = \"relay.example.org:5868\"\ntls = yes\ninsecure = yes }",
	    tmpdir_file("cert"), tmpdir_file("key"), tmpdir_file("ca"), tmpdir_file("ca"));
	ck_assert_msg(read_text(file("naf_id = { \"a.example/0100000002\", \"a.example/0100000003\" }\ndevices = any\nkey_lifetime_max = 6h\n"
	    "ks_min_left = 0s\nrate_per_minute = 7\ndevice_ids_max = 3\nzn_cache = 0s\naudit_keep = 30d", ua, zn, PEER), &out, &c) == RC_OK,
	    "%s", complaints);
	ck_assert(out.n_naf_ids == 2 && out.naf_ids[1].ua[4] == 3 && out.devices == NAFKC_ANY && out.key_lifetime_max_s == 6 * 3600);
	ck_assert(out.ks_min_left_s == 0 && out.rate_per_minute == 7 && out.device_ids_max == 3 && out.zn_cache_s == 0);
	ck_assert(out.audit_keep_s == 30 * 86400 && out.ua.crl != NULL && out.zn.timeout_s == 5 && out.zn.watchdog_s == 6);
	ck_assert(out.zn.n_peers == 2 && out.zn.peers[0].tls && out.zn.peers[0].insecure && out.zn.cert != NULL && out.zn.crl != NULL);
	ck_assert_str_eq(out.ua.listen, "[::1]:0");
	ck_assert(out.ua.connections == 9 && out.ua.per_ip == 2 && out.ua.threads == 4);
	done(&out, c);
	snprintf(ua, sizeof ua, "%s on_loop = yes", ua_files());
	ck_assert_msg(read_text(file(NAF, ua, "", PEER), &out, &c) == RC_OK, "%s", complaints);
	ck_assert(out.ua.on_loop && out.ua.threads == 0);
	done(&out, c);
}
END_TEST

/* The second port: all or nothing. */
static const struct {
	const char *listen;
	bool cert, key;
	const char *says;	/* NULL = taken */
} second[] = {
	{ "listen = \"127.0.0.1:0\"", true, true, NULL },
	{ "listen = \"127.0.0.1:0\"\nconnections = 5\nper_ip = 3", true, true, NULL },
	{ "", false, false, NULL },
	{ "", true, false, "listen" },
	{ "", false, true, "listen" },
	{ "listen = \"127.0.0.1:0\"", false, true, "cert" },
	{ "listen = \"127.0.0.1:0\"", true, false, "key" },
	{ "listen = \"nowhere\"", true, true, "listen" },
	{ "listen = \"127.0.0.1:0\"\nconnections = 0", true, true, "connections" },
	{ "client_ca = \"/tmp\"", false, false, "client_ca" },
};

START_TEST(the_second_port_is_whole_or_off)
{
	char top[1024];
	struct nafkc_conf out;
	struct conf *c;
	int n = snprintf(top, sizeof top, NAF "\nua_mt { %s\n", second[_i].listen);

	if (second[_i].cert)
		n += snprintf(top + n, sizeof top - (size_t)n, "cert = \"%s\"\n", tmpdir_file("cert"));
	if (second[_i].key)
		n += snprintf(top + n, sizeof top - (size_t)n, "key = \"%s\"\n", tmpdir_file("key"));
	snprintf(top + n, sizeof top - (size_t)n, "}");
	if (second[_i].says != NULL) {
		ck_rc(read_text(file(top, ua_files(), "", PEER), &out, &c), RC_SYNTAX);
		ck_assert_msg(strstr(complaints, second[_i].says) != NULL && strncmp(complaints, "nafkcd.conf:", 12) == 0, "%s", complaints);
	} else {
		ck_assert_msg(read_text(file(top, ua_files(), "", PEER), &out, &c) == RC_OK, "%s", complaints);
		ck_assert_int_eq(out.ua_mt.listen != NULL, second[_i].cert);
		if (second[_i].cert)
			ck_assert(out.ua_mt.cert != NULL && out.ua_mt.key != NULL);
		ck_assert_uint_eq(out.ua_mt.per_ip, _i == 1 ? 3 : 0);
	}
	done(&out, c);
}
END_TEST

static const struct {
	const char *top, *ua, *zn, *peer;	/* ua NULL = the right files */
	const char *says;
} bad[] = {
	{ "", NULL, "", PEER, "naf_id" },
	{ "naf_id = { \"nafkc.example.org\" }", NULL, "", PEER, "naf_id" },
	{ "naf_id = { \"a.example/0100000002\", \"a.example/0100000002\" }", NULL, "", PEER, "naf_id" },
	{ NAF "\ndevices = everyone", NULL, "", PEER, "devices" },
	{ NAF "\nkey_lifetime_max = 0s", NULL, "", PEER, "key_lifetime_max" },
	{ NAF "\nkey_lifetime_max = forever", NULL, "", PEER, "key_lifetime_max" },
	{ NAF "\nrate_per_minute = 0", NULL, "", PEER, "rate_per_minute" },
	{ NAF "\nrate_per_minute = 1\nrate_per_minute = 2", NULL, "", PEER, "rate_per_minute" },	/* S4 */
	{ NAF "\ncolour = red", NULL, "", PEER, "colour" },
	{ NAF, "cert = \"/nonexistent\"\nkey = \"/nonexistent\"\nclient_ca = \"/nonexistent\"", "", PEER, "cert" },
	{ NAF, "", "", PEER, "cert" },
	{ NAF, "threads = 65", "", PEER, "threads" }, { NAF, "on_loop = maybe", "", PEER, "on_loop" },
	{ NAF, "on_loop = yes\nthreads = 2", "", PEER, "threads" },
	{ NAF, NULL, "timeout = 1h", PEER, "timeout" },
	{ NAF, NULL, "watchdog = 5s", PEER, "watchdog" },
	{ NAF, NULL, "", "realm = \"example.org\"", "address" },
	{ NAF, NULL, "", "realm = \"example.org\"\naddress = \"nowhere\"", "address" },
	{ NAF, NULL, "", PEER "\ntls = yes", "cert" },
	{ NAF, NULL, "peer \"Bad Name\" { " PEER " }", PEER, "Bad Name" },
};

START_TEST(what_is_wrong_is_named)
{
	struct nafkc_conf out;
	struct conf *c;

	ck_rc(read_text(file(bad[_i].top, bad[_i].ua == NULL ? ua_files() : bad[_i].ua, bad[_i].zn, bad[_i].peer), &out, &c), RC_SYNTAX);
	ck_assert_msg(strstr(complaints, bad[_i].says) != NULL && strncmp(complaints, "nafkcd.conf:", 12) == 0, "%s", complaints);
	done(&out, c);
}
END_TEST

START_TEST(a_key_that_others_may_read_is_refused)
{
	char ua[1024];
	struct nafkc_conf out;
	struct conf *c;

	snprintf(ua, sizeof ua, "cert = \"%s\"\nkey = \"%s\"\nclient_ca = \"%s\"\n", tmpdir_file("cert"), tmpdir_file("open"), tmpdir_file("ca"));
	ck_rc(read_text(file(NAF, ua, "", PEER), &out, &c), RC_SYNTAX);
	ck_assert_msg(strstr(complaints, "key") != NULL, "%s", complaints);
	done(&out, c);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("nafkc_conf");
	TCase *t = tcase_create("conf");

	tcase_add_checked_fixture(t, setup, tmpdir_remove);
	tcase_add_test(t, defaults);
	tcase_add_test(t, every_key_is_read);
	tcase_add_loop_test(t, the_second_port_is_whole_or_off, 0, TABLE_N(second));
	tcase_add_loop_test(t, what_is_wrong_is_named, 0, TABLE_N(bad));
	tcase_add_test(t, a_key_that_others_may_read_is_refused);
	suite_add_tcase(s, t);
	return unit_run(s);
}
