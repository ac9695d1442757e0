/* conf: mtd.conf into structs; each mistake is named. */
#include "test/unit/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mtd/conf.h"

static char *complaints;
static size_t complaints_n;
static FILE *err;
static struct mt_file_conf got;
static struct conf *c;
static char card[] = "/tmp/mt-conf-XXXXXX";

static void
setup(void)
{
	int fd;

	strcpy(card, "/tmp/mt-conf-XXXXXX");
	fd = mkstemp(card);		/* mode 0600 */
	ck_assert_int_ge(fd, 0);
	close(fd);
	memset(&got, 0, sizeof got);
	err = open_memstream(&complaints, &complaints_n);
	c = NULL;
}

static void
teardown(void)
{
	conf_free(c);
	fclose(err);
	free(complaints);
	unlink(card);
}

static enum rc
read_text(const char *text)
{
	enum rc rc;

	conf_free(c);
	c = NULL;
	memset(&got, 0, sizeof got);
	rc = conf_parse("t", span_str(text), mt_options, err, &c);
	if (rc == RC_OK) {
		mt_conf_read(c, &got);
		rc = conf_done(c);
	}
	fflush(err);
	return rc;
}

#define HEAD "store = \"/x/s\"\nstore_key = \"/x/k\"\ncontrol = \"unix:/x/c\"\n"
#define LOCAL "local \"a\" {\n listen = \"tcp:127.0.0.1:0\"\n}\n"

START_TEST(defaults)
{
	ck_ok(read_text(HEAD LOCAL));
	ck_assert_ptr_null(got.image);
	ck_assert_ptr_null(got.bsf_ca);
	ck_assert_str_eq(got.mt.ub.fqdn, "");
	ck_assert_str_eq(got.mt.ub.url, "");
	ck_assert_str_eq(got.mt.ub.user_agent, MT_USER_AGENT);
	ck_assert_uint_eq(got.mt.ub.tolerate, 0);
	ck_assert_int_eq(got.mt.ub.timeout_ms, 10000);
	ck_assert(!got.mt.ub.use_currenttime);
	ck_assert(got.mt.gba == MT_GBA_AUTO && got.mt.without_card == MT_WITHOUT_CARD_USABLE);	/* C2 */
	ck_assert(got.mt.n_isim_nafs == 0 && !got.mt.isim_any);
	ck_assert_mem_eq(got.mt.nafkca_ua, "\1\0\0\0\2", 5);
	ck_assert_uint_eq(got.mt.n_nafs, 0);
	ck_assert(!got.mt.naf_any);
	ck_assert_int_eq(got.mt.device_policy, MT_DEVICES_LISTED);
	ck_assert_uint_eq(got.mt.n_devices, 0);
	ck_assert_int_eq(got.mt.ks_min_left_s, 60);
	ck_assert_uint_eq(got.mt.runs_per_hour, 30);
	ck_assert_uint_eq(got.mt.runs_per_hour_device, 6);
	ck_assert_uint_eq(got.mt.unused_keys_max, 4);
	ck_assert_uint_eq(got.mt.n_services, 0);		/* U5: none */
	ck_assert_uint_eq(got.mt.streams_max, 100);
	ck_assert_uint_eq(got.mt.tunnels_max, 4);
	ck_assert_uint_eq(got.mt.stream_buffer, 262144);
	ck_assert(!got.mt.locals[0].use_on_connect);		/* U4 */
	ck_assert_uint_eq(got.mt.n_locals, 1);
	ck_assert_str_eq(got.mt.locals[0].name, "a");
	ck_assert_uint_eq(got.mt.locals[0].unix_mode, 0600);
	ck_assert(!got.mt.locals[0].insecure);
	ck_assert_ptr_null(got.local_tls[0].cert);
}
END_TEST

START_TEST(everything)
{
	char text[4096];

	(void)snprintf(text, sizeof text, HEAD
	    "uicc {\n image = \"%s\"\n pin = \"1234\"\n mnc_len = 2\n gba = u\n keys_without_card = suspended\n"
	    " isim_for = { \"b.example.org/0100000003\" }\n nafkca_protocol = \"0100000003\"\n}\n"
	    "bsf {\n fqdn = \"bsf.example.org\"\n url = \"https://bsf.example.org:8443/gba\"\n dial = \"127.0.0.1:4001\"\n ca = \"%s\"\n"
	    " user_agent = \"x; 3gpp-gba-tmpi\"\n headers = { \"X-IMEI: 490154203237518\", \"X-Empty:\" }\n"
	    " tolerate = { no-authentication-info, opaque-btid, qop-auth }\n use_currenttime = yes\n timeout = \"5s\"\n}\n"
	    "naf_ids = { \"a.example.org/0100000002\", \"b.example.org/0100000003\" }\nnaf_policy = any\nks_min_left = \"2m\"\n"
	    "runs_per_hour = 100\nruns_per_hour_device = 50\ndevices = { \"urn:x:1\", \"urn:x:2\" }\nunused_keys_max = 9\n"
	    "local \"t\" {\n listen = \"tcp:0.0.0.0:7259\"\n insecure = yes\n links_max = 3\n}\n"
	    "local \"u\" {\n listen = \"unix:/x/l\"\n mode = \"0660\"\n tls = certificates\n cert = \"%s\"\n key = \"%s\"\n ca = \"%s\"\n}\n"
	    "local \"s\" {\n listen = \"serial:/dev/ttyS0\"\n baud = 9600\n flow = rtscts\n}\n",
	    card, card, card, card, card);
	ck_ok(read_text(text));
	ck_assert_str_eq(got.image, card);
	ck_assert_str_eq(got.mt.usim.pin, "1234");
	ck_assert_uint_eq(got.mt.usim.mnc_len, 2);
	ck_assert(got.mt.gba == MT_GBA_U && got.mt.without_card == MT_WITHOUT_CARD_SUSPENDED);
	ck_assert(got.mt.n_isim_nafs == 1 && naf_id_eq(&got.mt.isim_nafs[0], &got.mt.nafs[1]));
	ck_assert_mem_eq(got.mt.nafkca_ua, "\1\0\0\0\3", 5);
	ck_assert_str_eq(got.mt.ub.fqdn, "bsf.example.org");
	ck_assert_str_eq(got.mt.ub.url, "https://bsf.example.org:8443/gba");
	ck_assert_str_eq(got.mt.ub.dial, "127.0.0.1:4001");
	ck_assert_str_eq(got.bsf_ca, card);
	ck_assert_uint_eq(got.mt.ub.n_headers, 2);
	ck_assert_str_eq(got.mt.ub.headers[0].name, "X-IMEI");
	ck_assert_str_eq(got.mt.ub.headers[0].value, "490154203237518");
	ck_assert_str_eq(got.mt.ub.headers[1].value, "");
	ck_assert_uint_eq(got.mt.ub.tolerate, MT_TOLERATE_NO_INFO | MT_TOLERATE_OPAQUE_BTID | MT_TOLERATE_QOP_AUTH);
	ck_assert(got.mt.ub.use_currenttime);
	ck_assert_int_eq(got.mt.ub.timeout_ms, 5000);
	ck_assert_uint_eq(got.mt.n_nafs, 2);
	ck_assert_str_eq(got.mt.nafs[1].fqdn, "b.example.org");
	ck_assert(got.mt.naf_any);
	ck_assert_int_eq(got.mt.ks_min_left_s, 120);
	ck_assert_uint_eq(got.mt.runs_per_hour, 100);
	ck_assert_uint_eq(got.mt.runs_per_hour_device, 50);
	ck_assert_uint_eq(got.mt.n_devices, 2);
	ck_assert_int_eq(got.mt.device_policy, MT_DEVICES_LISTED);
	ck_assert_uint_eq(got.mt.unused_keys_max, 9);
	ck_assert_uint_eq(got.mt.n_locals, 3);
	ck_assert(got.mt.locals[0].serial.baud == 115200 && got.mt.locals[0].serial.flow == LINK_FLOW_NONE);
	ck_assert(got.mt.locals[2].serial.baud == 9600 && got.mt.locals[2].serial.flow == LINK_FLOW_RTSCTS);
	ck_assert(got.mt.locals[0].insecure);
	ck_assert_uint_eq(got.mt.locals[0].links_max, 3);
	ck_assert_uint_eq(got.mt.locals[1].unix_mode, 0660);
	ck_assert_ptr_null(got.local_tls[0].cert);
	ck_assert_str_eq(got.local_tls[1].ca, card);
}
END_TEST

START_TEST(u5_services)
{
	ck_ok(read_text(HEAD "service \"modem\" {\n connect = \"127.0.0.1:7000\"\n devices = { confirmed }\n}\n"
	    "service \"gps-0\" {\n connect = \"unix:/run/gps\"\n devices = { \"urn:x:1\", \"urn:x:2\" }\n}\n"
	    "service \"closed\" {\n connect = \"[::1]:7\"\n}\nstreams_max = 7\ntunnels_max = 2\nstream_buffer = 65536\n"
	    "local \"a\" {\n listen = \"tcp:127.0.0.1:0\"\n use_on_connect = mt\n}\n"));
	ck_assert_uint_eq(got.mt.n_services, 3);
	ck_assert_str_eq(got.mt.services[0].name, "modem");
	ck_assert_str_eq(got.mt.services[0].connect, "tcp:127.0.0.1:7000");
	ck_assert(got.mt.services[0].confirmed && got.mt.services[0].n_devices == 0);
	ck_assert_str_eq(got.mt.services[1].connect, "unix:/run/gps");
	ck_assert(!got.mt.services[1].confirmed && got.mt.services[1].n_devices == 2);
	ck_assert_str_eq(got.mt.services[1].devices[1].s, "urn:x:2");
	ck_assert_str_eq(got.mt.services[2].connect, "tcp:[::1]:7");
	ck_assert(!got.mt.services[2].confirmed && got.mt.services[2].n_devices == 0);	/* nobody may */
	ck_assert_uint_eq(got.mt.streams_max, 7);
	ck_assert_uint_eq(got.mt.tunnels_max, 2);
	ck_assert_uint_eq(got.mt.stream_buffer, 65536);
	ck_assert(got.mt.locals[0].use_on_connect);
}
END_TEST

START_TEST(device_policy)
{
	ck_ok(read_text(HEAD LOCAL "devices = { any }\n"));	/* as it was before there was device_policy */
	ck_assert_int_eq(got.mt.device_policy, MT_DEVICES_ANY);
	ck_ok(read_text(HEAD LOCAL "device_policy = any\n"));
	ck_assert_int_eq(got.mt.device_policy, MT_DEVICES_ANY);
	ck_assert_int_eq(got.mt.ask_timeout_s, 60);
	ck_ok(read_text(HEAD LOCAL "device_policy = ask\nask_timeout = \"2m\"\ndevices = { \"urn:x:1\" }\n"));
	ck_assert_int_eq(got.mt.device_policy, MT_DEVICES_ASK);
	ck_assert_int_eq(got.mt.ask_timeout_s, 120);
	ck_assert_uint_eq(got.mt.n_devices, 1);
}
END_TEST

#define CENTER "keycenter \"nafkc.example.org/0100000002\" {\n ca = \"/etc/passwd\"\n}\n"

START_TEST(keycenters)
{
	ck_ok(read_text(HEAD LOCAL));
	ck_assert_uint_eq(got.mt.n_centers, 0);
	ck_assert_int_eq(got.mt.state_interval_s, 900);
	ck_assert_int_eq(got.mt.state_grace_s, 0);
	ck_assert(!got.mt.state_before_use);
	ck_ok(read_text(HEAD LOCAL CENTER "keycenter \"b.example.org/0100000003\" {\n url = \"https://b.example.org:9/x\"\n"
	    " ca = \"/etc/passwd\"\n dial = \"127.0.0.1:9\"\n}\nstate_interval = \"30s\"\nstate_grace = \"1d\"\nstate_before_use = yes\n"));
	ck_assert_uint_eq(got.mt.n_centers, 2);
	ck_assert_str_eq(got.mt.centers[0].naf_id.fqdn, "nafkc.example.org");
	ck_assert_str_eq(got.mt.centers[0].url, "");
	ck_assert_str_eq(got.center_ca[0], "/etc/passwd");
	ck_assert_str_eq(got.mt.centers[1].url, "https://b.example.org:9/x");
	ck_assert_str_eq(got.mt.centers[1].dial, "127.0.0.1:9");
	ck_assert_mem_eq(got.mt.centers[1].naf_id.ua, "\1\0\0\0\3", 5);
	ck_assert_int_eq(got.mt.state_interval_s, 30);
	ck_assert_int_eq(got.mt.state_grace_s, 86400);
	ck_assert(got.mt.state_before_use);
}
END_TEST

static const struct {
	const char *text, *said;
} bad[] = {
	{ LOCAL "keycenter \"nafkc.example.org\" {\n ca = \"/etc/passwd\"\n}\n", "keycenter" },
	{ LOCAL "keycenter \"nafkc.example.org/0100000002\" { }\n", "ca" },
	{ LOCAL "keycenter \"a.example.org/0100000002\" {\n ca = \"/etc/passwd\"\n url = \"https://b.example.org/x\"\n}\n", "url" },
	{ LOCAL "keycenter \"a.example.org/0100000002\" {\n ca = \"/etc/passwd\"\n url = \"http://a.example.org/x\"\n}\n", "url" },
	{ LOCAL "keycenter \"a.example.org/0100000002\" {\n ca = \"/etc/passwd\"\n dial = \"x\"\n}\n", "dial" },
	{ LOCAL CENTER "state_interval = \"1s\"\n", "state_interval" },
	{ LOCAL CENTER "state_grace = \"soon\"\n", "state_grace" },
	{ LOCAL "state_before_use = yes\n", "keycenter" },
	{ LOCAL "state_grace = \"1d\"\n", "keycenter" },
	{ "", "local" },
	{ "local \"t\" {\n listen = \"tcp:0.0.0.0:7259\"\n}\n", "insecure" },		/* K11 */
	{ "local \"t\" {\n listen = \"tcp:[::]:7259\"\n}\n", "insecure" },
	{ LOCAL "naf_ids = { \"nafkc.example.org\" }\n", "naf_ids" },
	{ LOCAL "naf_ids = { \"a.example.org/0100000002\", \"a.example.org/0100000002\" }\n", "twice" },
	{ LOCAL "naf_policy = some\n", "naf_policy" },
	{ LOCAL "device_policy = some\n", "device_policy" },
	{ LOCAL "device_policy = ask\ndevices = { any }\n", "device_policy" },
	{ LOCAL "ask_timeout = \"5m\"\n", "ask_timeout" },
	{ LOCAL "ks_min_left = \"0s\"\n", "ks_min_left" },
	{ LOCAL "runs_per_hour = 0\n", "runs_per_hour" },
	{ LOCAL "runs_per_hour_device = 1000001\n", "runs_per_hour_device" },
	{ LOCAL "unused_keys_max = 0\n", "unused_keys_max" },
	{ LOCAL "devices = { \"not a device id\" }\n", "devices" },
	{ LOCAL "devices = { any, \"urn:x:1\" }\n", "devices" },
	{ LOCAL "uicc {\n pin = \"12\"\n}\n", "pin" },
	{ LOCAL "uicc {\n pin = \"12345678901\"\n}\n", "pin" },
	{ LOCAL "uicc {\n pin = \"abcd\"\n}\n", "pin" },
	{ LOCAL "uicc {\n mnc_len = 1\n}\n", "mnc_len" },
	{ LOCAL "uicc {\n pin_file = \"/nonexistent/pin\"\n}\n", "pin_file" },
	{ LOCAL "uicc {\n reader = \"0123456789012345678901234567890123456789012345678901234567890123456789"
	    "012345678901234567890123456789012345678901234567890123456789\"\n}\n", "reader" },
	{ LOCAL "uicc {\n mnc_len = 4\n}\n", "mnc_len" },
	{ LOCAL "uicc {\n gba = yes\n}\n", "gba" },
	{ LOCAL "uicc {\n keys_without_card = keep\n}\n", "keys_without_card" },
	{ LOCAL "uicc {\n isim_for = { \"nafkc.example.org\" }\n}\n", "isim_for" },
	{ LOCAL "uicc {\n isim_for = { any, \"a.example.org/0100000002\" }\n}\n", "isim_for" },
	{ LOCAL "uicc {\n isim_for = { a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a }\n}\n", "at most 16" },
	{ LOCAL "uicc {\n nafkca_protocol = \"01000002\"\n}\n", "nafkca_protocol" },
	{ LOCAL "uicc {\n nafkca_protocol = \"0000000000\"\n}\n", "nafkca_protocol" },
	{ LOCAL "uicc {\n nafkca_protocol = \"01000000AA\"\n}\n", "nafkca_protocol" },
	{ LOCAL "uicc {\n image = \"/nonexistent/card\"\n}\n", "image" },
	{ LOCAL "bsf {\n fqdn = \"BSF.example.org\"\n}\n", "fqdn" },
	{ LOCAL "bsf {\n url = \"ftp://x.example/\"\n}\n", "url" },
	{ LOCAL "bsf {\n url = \"bsf.example.org\"\n}\n", "url" },
	{ LOCAL "bsf {\n url = \"https://bsf.example.org/\"\n}\n", "ca" },
	{ LOCAL "bsf {\n dial = \"nowhere\"\n}\n", "dial" },
	{ LOCAL "bsf {\n headers = { \"no colon\" }\n}\n", "headers" },
	{ LOCAL "bsf {\n headers = { \"A B: c\" }\n}\n", "headers" },
	{ LOCAL "bsf {\n headers = { \"authorization: x\" }\n}\n", "Ub's own" },
	{ LOCAL "bsf {\n headers = { \"a:1\",\"b:1\",\"c:1\",\"d:1\",\"e:1\",\"f:1\",\"g:1\",\"h:1\",\"i:1\" }\n}\n", "headers" },
	{ LOCAL "bsf {\n tolerate = { everything }\n}\n", "tolerate" },
	{ LOCAL "bsf {\n timeout = \"2m\"\n}\n", "timeout" },
	{ "local \"a\" {\n}\n", "listen" },
	{ "local \"a\" {\n listen = \"127.0.0.1:1\"\n}\n", "listen" },
	{ "local \"a b\" {\n listen = \"unix:/x\"\n}\n", "name" },
	{ "local \"a/b\" {\n listen = \"unix:/x\"\n}\n", "name" },
	{ "local \"a\" {\n listen = \"unix:/x\"\n mode = \"660\"\n}\n", "mode" },
	{ "local \"a\" {\n listen = \"unix:/x\"\n mode = \"0999\"\n}\n", "mode" },
	{ "local \"a\" {\n listen = \"unix:/x\"\n links_max = 0\n}\n", "links_max" },
	{ "local \"a\" {\n listen = \"serial:/x\"\n baud = 115201\n}\n", "baud" },
	{ "local \"a\" {\n listen = \"serial:/x\"\n flow = both\n}\n", "flow" },
	{ "local \"a\" {\n listen = \"unix:/x\"\n tls = certificates\n}\n", "cert" },
	{ "local \"a\" {\n listen = \"unix:/x\"\n use_on_connect = device\n}\n", "use_on_connect" },
	{ LOCAL "service \"modem\" {\n}\n", "connect" },
	{ LOCAL "service \"modem\" {\n connect = \"nowhere\"\n}\n", "connect" },
	{ LOCAL "service \"modem\" {\n connect = \"tcp:127.0.0.1:1\"\n}\n", "connect" },
	{ LOCAL "service \"modem\" {\n connect = \"unix:relative\"\n}\n", "connect" },
	{ LOCAL "service \"127.0.0.1:80\" {\n connect = \"127.0.0.1:80\"\n}\n", "name of a service" },
	{ LOCAL "service \"kslocal-messages\" {\n connect = \"127.0.0.1:80\"\n}\n", "name of a service" },
	{ LOCAL "service \"modem\" {\n connect = \"127.0.0.1:80\"\n devices = { \"not one\" }\n}\n", "devices" },
	{ LOCAL "service \"modem\" {\n connect = \"127.0.0.1:80\"\n devices = { confirmed, \"urn:x:1\" }\n}\n", "devices" },
	{ LOCAL "streams_max = 0\n", "streams_max" },
	{ LOCAL "tunnels_max = 0\n", "tunnels_max" },
	{ LOCAL "stream_buffer = 1\n", "stream_buffer" },
	{ LOCAL LOCAL, "a" },
	{ LOCAL "nonsense = 1\n", "nonsense" },
};

START_TEST(each_mistake)
{
	char text[2048];

	(void)snprintf(text, sizeof text, HEAD "%s", bad[_i].text);
	ck_assert_msg(read_text(text) == RC_SYNTAX, "%s was taken", bad[_i].text);
	ck_assert_msg(strstr(complaints, bad[_i].said) != NULL, "%s: said: %s", bad[_i].text, complaints);
}
END_TEST

/* A PIN is never echoed, not even a malformed one. */
START_TEST(pin_is_not_shown)
{
	ck_rc(read_text(HEAD LOCAL "uicc {\n pin = \"98765x\"\n}\n"), RC_SYNTAX);
	ck_assert_ptr_null(strstr(complaints, "98765"));
}
END_TEST

/* The same file as PIN and as whatever else a line says of it. */
static enum rc
read_with_file(const char *holds, const char *lines, const char *key)
{
	char text[1024];
	FILE *f = fopen(card, "w");

	ck_assert(f != NULL && fputs(holds, f) >= 0 && fclose(f) == 0);
	conf_free(c);
	c = NULL;
	(void)snprintf(text, sizeof text, HEAD LOCAL "uicc {\n%s\n%s = \"%s\"\n}\n", lines, key, card);
	return read_text(text);
}

START_TEST(pin_of_a_file_and_a_reader)
{
	ck_ok(read_with_file("4711\n", "reader = \"any\"", "pin_file"));
	ck_assert_str_eq(got.mt.usim.pin, "4711");
	ck_assert_str_eq(got.reader, "any");
	ck_assert_ptr_null(got.image);
	ck_rc(read_with_file("4711\n", "pin = \"1234\"", "pin_file"), RC_SYNTAX);
	ck_assert_ptr_nonnull(strstr(complaints, "both pin and pin_file"));
	ck_rc(read_with_file("4711\n", "reader = \"any\"", "image"), RC_SYNTAX);
	ck_assert_ptr_nonnull(strstr(complaints, "both image and reader"));
	ck_rc(read_with_file("47114711471147114711\n", "", "pin_file"), RC_SYNTAX);
	ck_assert_ptr_nonnull(strstr(complaints, "holds no PIN"));
	ck_rc(read_with_file("abcd\n", "", "pin_file"), RC_SYNTAX);
	ck_rc(read_with_file("", "", "pin_file"), RC_SYNTAX);
	ck_assert(strstr(complaints, "4711") == NULL && strstr(complaints, "abcd") == NULL);
}
END_TEST

START_TEST(image_that_others_read)
{
	char text[1024];

	ck_assert_int_eq(chmod(card, 0644), 0);
	(void)snprintf(text, sizeof text, HEAD LOCAL "uicc {\n image = \"%s\"\n}\n", card);
	ck_rc(read_text(text), RC_SYNTAX);
	ck_assert_ptr_nonnull(strstr(complaints, "image"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/conf");
	TCase *t = tcase_create("conf");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, defaults);
	tcase_add_test(t, everything);
	tcase_add_test(t, device_policy);
	tcase_add_test(t, u5_services);
	tcase_add_test(t, keycenters);
	tcase_add_loop_test(t, each_mistake, 0, TABLE_N(bad));
	tcase_add_test(t, pin_is_not_shown);
	tcase_add_test(t, pin_of_a_file_and_a_reader);
	tcase_add_test(t, image_that_others_read);
	suite_add_tcase(s, t);
	return unit_run(s);
}
