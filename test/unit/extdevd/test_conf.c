/* extdevd conf: every key, every default, and each thing that is refused by line (S4). */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/daemon.h"
#include "extdevd/extdev.h"
#include "test/unit/unit.h"

#define COMMON "store = \"/tmp/x.db\"\nstore_key = \"/tmp/x.key\"\ncontrol = \"unix:/tmp/x.sock\"\n"
#define MT "mt \"phone\" { address = \"unix:/run/mt.sock\" }\n"
#define CENTER "keycenter \"nafkc.example.org/0100000002\" { ca = \"@DIR@/ca\" }\n"
#define CERT "cert = \"@DIR@/cert\"\nkey = \"@DIR@/key\"\n"
#define GOOD COMMON CERT MT CENTER

static char dir[32], complaints[4096], text[8192];

static void
touch(const char *name, mode_t mode)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY, mode);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static void
setup(void)
{
	(void)snprintf(dir, sizeof dir, "/tmp/kslocal-conf-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	touch("ca", 0644);
	touch("cert", 0644);
	touch("key", 0600);
	touch("open-key", 0640);
}

static void
teardown(void)
{
	char cmd[64];

	(void)snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	ck_assert_int_eq(system(cmd), 0);
}

/* @DIR@ is the directory. RC_OK, or RC_SYNTAX with what was said in complaints. */
static enum rc
read_text(const char *in, struct extdev_conf *out, struct conf **c)
{
	FILE *err = fmemopen(complaints, sizeof complaints, "w");
	size_t n = 0;
	enum rc rc;

	for (const char *p = in; *p != '\0';) {
		if (strncmp(p, "@DIR@", 5) == 0) {
			n += (size_t)snprintf(text + n, sizeof text - n, "%s", dir);
			p += 5;
		} else {
			text[n++] = *p++;
		}
	}
	text[n] = '\0';
	memset(complaints, 0, sizeof complaints);
	memset(out, 0, sizeof *out);
	*c = NULL;
	rc = conf_parse("extdevd.conf", span_str(text), extdev_options, err, c);
	if (rc == RC_OK) {
		extdev_conf_read(*c, out);
		rc = conf_done(*c);
	}
	fclose(err);
	return rc;
}

START_TEST(defaults)
{
	struct extdev_conf out;
	struct conf *c;

	ck_assert_msg(read_text(GOOD, &out, &c) == RC_OK, "%s", complaints);
	ck_assert_int_eq(out.id_kind, EXTDEV_ID_RANDOM);
	ck_assert_ptr_null(out.device_id);
	ck_assert_uint_eq(out.n_mts, 1);
	ck_assert_str_eq(out.mts[0].name, "phone");
	ck_assert_str_eq(out.mts[0].address, "unix:/run/mt.sock");
	ck_assert_uint_eq(out.n_centers, 1);
	ck_assert_str_eq(out.centers[0].naf_id.fqdn, "nafkc.example.org");
	ck_assert_uint_eq(out.centers[0].naf_id.ua[4], 2);
	ck_assert_ptr_null(out.centers[0].url);
	ck_assert_ptr_null(out.centers[0].dial);
	ck_assert(!out.prefer_own && !out.at_start);
	ck_assert_int_eq(out.retry_s, 30);
	ck_assert_ptr_null(out.centers[0].state_url);
	ck_assert_int_eq(out.state_interval_s, 900);
	ck_assert_int_eq(out.state_grace_s, 0);		/* N10 */
	ck_assert(!out.state_before_use);
	ck_assert_uint_eq(out.renew_at, 80);
	ck_assert(!out.mts[0].tls && !out.mts[0].use_on_connect);
	ck_assert_uint_eq(out.mts[0].n_services, 0);
	extdev_conf_free(&out);
	ck_assert_ptr_null(out.mts);
	conf_free(c);
}
END_TEST

START_TEST(every_key)
{
	struct extdev_conf out;
	struct conf *c;

	ck_assert_msg(read_text(COMMON CERT MT "mt \"tablet\" {\n address = \"serial:/dev/ttyUSB0\"\n baud = 9600\n flow = xonxoff\n}\n"
	    "device_id = \"urn:uuid:6f1d1c1e-0000-4000-8000-000000000001\"\nprefer = own\nestablish_at_start = yes\nretry = \"10m\"\n"
	    "keycenter \"a.example.org/0100000007\" {\n ca = \"@DIR@/ca\"\n url = \"https://a.example.org:8443/x\"\n dial = \"127.0.0.1:1\"\n"
	    " state_url = \"https://a.example.org/state\"\n}\n"
	    "state_interval = \"1h\"\nstate_grace = \"2d\"\nstate_before_use = yes\n"
	    CENTER, &out, &c) == RC_OK, "%s", complaints);
	ck_assert_int_eq(out.id_kind, EXTDEV_ID_FIXED);
	ck_assert_str_eq(out.device_id, "urn:uuid:6f1d1c1e-0000-4000-8000-000000000001");
	ck_assert_uint_eq(out.n_mts, 2);
	ck_assert_str_eq(out.mts[1].name, "tablet");
	ck_assert_uint_eq(out.mts[0].serial.baud, 115200);
	ck_assert_uint_eq(out.mts[1].serial.baud, 9600);
	ck_assert_int_eq((int)out.mts[1].serial.flow, LINK_FLOW_XONXOFF);
	ck_assert_uint_eq(out.n_centers, 2);		/* best first */
	ck_assert_str_eq(out.centers[0].url, "https://a.example.org:8443/x");
	ck_assert_str_eq(out.centers[0].dial, "127.0.0.1:1");
	ck_assert_uint_eq(out.centers[0].naf_id.ua[4], 7);
	ck_assert(out.prefer_own && out.at_start);
	ck_assert_int_eq(out.retry_s, 600);
	ck_assert_str_eq(out.centers[0].state_url, "https://a.example.org/state");
	ck_assert_int_eq(out.state_interval_s, 3600);
	ck_assert_int_eq(out.state_grace_s, 2 * 86400);
	ck_assert(out.state_before_use);
	extdev_conf_free(&out);
	conf_free(c);
	ck_assert_msg(read_text(GOOD "device_id = \"random-each\"\n", &out, &c) == RC_OK, "%s", complaints);
	ck_assert_int_eq(out.id_kind, EXTDEV_ID_RANDOM_EACH);
	extdev_conf_free(&out);
	conf_free(c);
}
END_TEST

#define PHONE(inside) COMMON CERT CENTER "mt \"phone\" {\naddress = \"unix:/run/mt.sock\"\n" inside "}\n"
#define MODEM(inside) "service \"modem\" {\n" inside "}\n"
#define TLS "tls = certificates\ncert = \"@DIR@/cert\"\nkey = \"@DIR@/key\"\nca = \"@DIR@/ca\"\n"

START_TEST(an_mt_that_is_used)
{
	struct extdev_conf out;
	struct conf *c;

	ck_assert_msg(read_text(PHONE(TLS "tls_name = \"phone.example.org\"\n" MODEM("listen = \"127.0.0.1:0\"\n")
	    "service \"gnss.1\" {\nlisten = \"unix:/run/gnss\"\n}\nservice \"x\" {\nlisten = \"[::]:80\"\ninsecure = yes\n}\n")
	    "renew_at = 0\n", &out, &c) == RC_OK, "%s", complaints);
	ck_assert(out.mts[0].tls);				/* U8 */
	ck_assert_str_eq(out.mts[0].tls_name, "phone.example.org");
	ck_assert_ptr_nonnull(out.mts[0].cert);
	ck_assert_ptr_nonnull(out.mts[0].key);
	ck_assert_ptr_nonnull(out.mts[0].ca);
	ck_assert_uint_eq(out.mts[0].n_services, 3);
	ck_assert_str_eq(out.mts[0].services[0].name, "modem");
	ck_assert_str_eq(out.mts[0].services[0].listen, "127.0.0.1:0");
	ck_assert(!out.mts[0].services[0].insecure);
	ck_assert_str_eq(out.mts[0].services[1].listen, "unix:/run/gnss");
	ck_assert(out.mts[0].services[2].insecure);
	ck_assert(out.mts[0].use_on_connect);			/* U4: by default where there are services */
	ck_assert_uint_eq(out.renew_at, 0);
	extdev_conf_free(&out);
	conf_free(c);
	ck_ok(read_text(PHONE("use_on_connect = none\n" MODEM("listen = \"127.0.0.1:0\"\n")), &out, &c));
	ck_assert(!out.mts[0].use_on_connect);
	extdev_conf_free(&out);
	conf_free(c);
	ck_ok(read_text(PHONE("use_on_connect = device\n"), &out, &c));
	ck_assert(out.mts[0].use_on_connect);
	extdev_conf_free(&out);
	conf_free(c);
}
END_TEST

static const struct {
	const char *text;
	const char *says;		/* part of the complaint */
} bad[] = {
	{ COMMON CERT CENTER, "mt: is missing" },
	{ COMMON CERT MT, "keycenter: is missing" },
	{ COMMON MT CENTER "key = \"@DIR@/key\"\n", "cert: is missing" },
	{ COMMON MT CENTER "cert = \"@DIR@/cert\"\n", "key: is missing" },
	{ COMMON MT CENTER "cert = \"@DIR@/cert\"\nkey = \"@DIR@/open-key\"\n", "open-key" },	/* 0640 */
	{ COMMON MT CENTER "cert = \"@DIR@/none\"\nkey = \"@DIR@/key\"\n", "none" },
	{ GOOD "mt \"x\" {\n address = \"serial:/x\"\n baud = 300000\n}\n", "baud" },
	{ GOOD "mt \"x\" {\n address = \"serial:/x\"\n flow = x\n}\n", "flow" },
	{ GOOD "colour = red\n", "colour" },
	{ GOOD "retry = \"30s\"\nretry = \"40s\"\n", "retry" },		/* S4 */
	{ GOOD MT, "phone" },
	{ GOOD CENTER, "nafkc.example.org" },
	{ GOOD "device_id = \"${HOME}\"\n", "${" },
	{ GOOD "device_id = \"has blank\"\n", "device_id: \"has blank\"" },
	{ GOOD "device_id = \"urn:gsma:imei:35209900-176148-2\"\n", "device_id" },	/* W2: the check digit is 1 */
	{ GOOD "prefer = yours\n", "prefer" },
	{ GOOD "retry = \"0s\"\n", "retry" },
	{ GOOD "retry = \"2h\"\n", "retry" },
	{ GOOD "retry = \"soon\"\n", "retry" },
	{ GOOD "renew_at = 96\n", "renew_at" },
	{ GOOD "renew_at = -1\n", "renew_at" },
	{ PHONE("tls = on\n"), "tls" },
	{ PHONE("tls = certificates\n"), "cert: is missing" },
	{ PHONE("tls = certificates\ncert = \"@DIR@/cert\"\nca = \"@DIR@/ca\"\nkey = \"@DIR@/open-key\"\n"), "open-key" },
	{ PHONE(TLS "tls_name = \"a b\"\n"), "tls_name" },
	{ PHONE("use_on_connect = mt\n"), "use_on_connect" },		/* the MT's own to say */
	{ PHONE(MODEM("")), "listen: is missing" },
	{ PHONE(MODEM("listen = \"7300\"\n")), "listen" },
	{ PHONE(MODEM("listen = \"unix:run\"\n")), "listen" },
	{ PHONE(MODEM("listen = \"0.0.0.0:7300\"\n")), "insecure" },
	{ PHONE(MODEM("listen = \"127.0.0.1:0\"\n") MODEM("listen = \"127.0.0.1:0\"\n")), "modem" },
	{ PHONE("service \"Modem\" {\nlisten = \"127.0.0.1:0\"\n}\n"), "service \"Modem\"" },
	{ PHONE("service \"kslocal-messages\" {\nlisten = \"127.0.0.1:0\"\n}\n"), "kslocal-" },
	{ PHONE("service \"10.0.0.1:80\" {\nlisten = \"127.0.0.1:0\"\n}\n"), "10.0.0.1:80" },	/* U5 */
	{ GOOD "state_interval = \"0s\"\n", "state_interval" },
	{ GOOD "state_grace = \"long\"\n", "state_grace" },
	{ GOOD "state_before_use = perhaps\n", "state_before_use" },
	{ COMMON CERT MT "keycenter \"nafkc.example.org/0100000002\" {\nca = \"@DIR@/ca\"\n"
	    "state_url = \"https://other.example.org/x\"\n}\n", "state_url" },
	{ COMMON CERT CENTER "mt \"phone\" { address = \"carrier-pigeon\" }\n", "address" },
	{ COMMON CERT CENTER "mt \"phone\" { }\n", "address: is missing" },
	{ COMMON CERT MT "keycenter \"nafkc.example.org\" { ca = \"@DIR@/ca\" }\n", "keycenter \"nafkc.example.org\"" },
	{ COMMON CERT MT "keycenter \"NAFKC.example.org/0100000002\" { ca = \"@DIR@/ca\" }\n", "NAFKC" },
	{ COMMON CERT MT "keycenter \"nafkc.example.org/0100000002\" { }\n", "ca: is missing" },
	{ COMMON CERT MT "keycenter \"nafkc.example.org/0100000002\" { ca = \"@DIR@/none\" }\n", "none" },
	{ COMMON CERT MT "keycenter \"nafkc.example.org/0100000002\" {\nca = \"@DIR@/ca\"\nurl = \"http://nafkc.example.org/x\"\n}\n", "url" },
	/* N4: the certificate's name is the URL's host */
	{ COMMON CERT MT "keycenter \"nafkc.example.org/0100000002\" {\nca = \"@DIR@/ca\"\nurl = \"https://other.example.org/x\"\n}\n", "NAF_ID's FQDN" },
	{ COMMON CERT MT "keycenter \"nafkc.example.org/0100000002\" {\nca = \"@DIR@/ca\"\nurl = \"https://nafkc.example.org.evil.example/x\"\n}\n",
	    "NAF_ID's FQDN" },
	{ COMMON CERT MT "keycenter \"nafkc.example.org/0100000002\" {\nca = \"@DIR@/ca\"\ndial = \"somewhere\"\n}\n", "dial" },
};

START_TEST(S4_refused_by_line)
{
	struct extdev_conf out;
	struct conf *c;

	ck_rc(read_text(bad[_i].text, &out, &c), RC_SYNTAX);
	ck_assert_msg(strstr(complaints, bad[_i].says) != NULL, "\"%s\" not in: %s", bad[_i].says, complaints);
	ck_assert_int_eq(strncmp(complaints, "extdevd.conf:", 13), 0);
	extdev_conf_free(&out);
	conf_free(c);
}
END_TEST

/* The sample says the defaults that the table has. */
START_TEST(the_sample)
{
	static char sample[16384];
	struct extdev_conf out;
	struct conf *c = NULL;
	FILE *f = fopen(TEST_SRCDIR "/conf/extdevd.conf", "r"), *err = fmemopen(complaints, sizeof complaints, "w");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(sample, 1, sizeof sample - 1, f);
	fclose(f);
	ck_assert_uint_gt(n, 500);
	/* every key that is commented out, put in */
	for (char *p = sample; (p = strstr(p, "\n#")) != NULL; p++)
		if (p[2] != ' ' && p[2] != '\n')
			p[1] = ' ';
	for (char *p = sample; (p = strstr(p, "\n\t#")) != NULL; p++)
		if (p[3] != ' ' && p[3] != '\n')
			p[2] = ' ';
	ck_ok(conf_parse("extdevd.conf", span_of(sample, n), extdev_options, err, &c));
	extdev_conf_read(c, &out);
	ck_rc(conf_done(c), RC_SYNTAX);		/* its files are not here */
	fflush(err);
	for (char *line = strtok(complaints, "\n"); line != NULL; line = strtok(NULL, "\n"))
		ck_assert_msg(strstr(line, "/run/credentials/") != NULL, "%s", line);
	ck_assert_int_eq(out.id_kind, EXTDEV_ID_RANDOM);
	ck_assert(!out.prefer_own && !out.at_start);
	ck_assert_int_eq(out.retry_s, 30);
	fclose(err);
	extdev_conf_free(&out);
	conf_free(c);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("conf");
	TCase *t = tcase_create("file");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, defaults);
	tcase_add_test(t, every_key);
	tcase_add_test(t, an_mt_that_is_used);
	tcase_add_loop_test(t, S4_refused_by_line, 0, TABLE_N(bad));
	tcase_add_test(t, the_sample);
	suite_add_tcase(s, t);
	return unit_run(s);
}
