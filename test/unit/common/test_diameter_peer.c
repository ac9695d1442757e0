/* Connections of a Diameter node: capabilities, watchdog, good-bye, the next try. */
#include "test/unit/common/zn_world.h"

static struct world w;
static struct user bsf, naf;
static struct raw raw, raw2;
static struct dia_msg m;

static void
setup(void)
{
	memset(&bsf, 0, sizeof bsf);
	memset(&naf, 0, sizeof naf);
	memset(&raw, 0, sizeof raw);
	memset(&raw2, 0, sizeof raw2);
	world_open(&w);
}

static void
teardown(void)
{
	raw_close(&raw);
	raw_close(&raw2);
	dia_node_free(naf.node);
	dia_node_free(bsf.node);
	world_close(&w);
}

/* --- made and started */

static const struct {
	const char *what;
	struct dia_conf conf;
	enum rc rc;
} bad_confs[] = {
	{ "host", { .host = "a b", .realm = "r" }, RC_SYNTAX },
	{ "realm", { .host = "h", .realm = "" }, RC_SYNTAX },
	{ "peers", { .host = "h", .realm = "r", .n_peers = DIA_PEERS_MAX + 1 }, RC_RANGE },
	{ "listen", { .host = "h", .realm = "r", .n_listen = DIA_LISTEN_MAX + 1 }, RC_RANGE },
	{ "watchdog", { .host = "h", .realm = "r", .watchdog_ms = 5999 }, RC_RANGE },
	{ "reconnect", { .host = "h", .realm = "r", .reconnect_max_ms = 1 }, RC_RANGE },
	{ "peer host", { .host = "h", .realm = "r", .n_peers = 1, .peers = &(struct dia_peer_conf){ .host = "", .realm = "r" } }, RC_SYNTAX },
	{ "peer realm", { .host = "h", .realm = "r", .n_peers = 1, .peers = &(struct dia_peer_conf){ .host = "p", .realm = ";" } }, RC_SYNTAX },
	{ "ourselves", { .host = "h", .realm = "r", .n_peers = 1, .peers = &(struct dia_peer_conf){ .host = "H", .realm = "r" } }, RC_SYNTAX },
	{ "twice", { .host = "h", .realm = "r", .n_peers = 2,
	    .peers = (struct dia_peer_conf[]){ { .host = "p", .realm = "r" }, { .host = "P", .realm = "r" } } }, RC_SYNTAX },
	{ "no address", { .host = "h", .realm = "r", .n_listen = 1, .listen = &(struct dia_listen_conf){ .address = NULL } }, RC_RANGE },
};

START_TEST(what_is_not_configured_well_is_refused)
{
	const struct dia_node_cb cb = { NULL, NULL };
	struct dia_node *n;

	untouched_fill(&n, sizeof n);
	ck_rc(dia_node_new(&w.seams, &bad_confs[_i].conf, &cb, NULL, &n), bad_confs[_i].rc);
	ck_assert_msg(untouched(&n, sizeof n), "%s", bad_confs[_i].what);
}
END_TEST

static const struct {
	const char *address;
	bool insecure;
	enum rc rc;
} B3_listeners[] = {
	{ "tcp:127.0.0.1:0", false, RC_OK }, { "tcp:[::1]:0", false, RC_OK }, { "tcp:0.0.0.0:0", false, RC_DENIED },
	{ "tcp:[::]:0", false, RC_DENIED }, { "tcp:192.0.2.1:0", false, RC_DENIED }, { "tcp:0.0.0.0:0", true, RC_OK },
};

START_TEST(B3_plain_beyond_loopback_needs_insecure)
{
	const struct dia_listen_conf l = { .address = B3_listeners[_i].address, .insecure = B3_listeners[_i].insecure };
	const struct dia_conf conf = { .host = "h", .realm = "r", .listen = &l, .n_listen = 1 };
	const struct dia_node_cb cb = { NULL, NULL };

	ck_ok(dia_node_new(&w.seams, &conf, &cb, NULL, &bsf.node));
	ck_rc(dia_node_start(bsf.node), B3_listeners[_i].rc);
	ck_assert(logged("zn-insecure") == (B3_listeners[_i].rc == RC_DENIED));
	ck_assert((dia_node_address(bsf.node, 0) != NULL) == (B3_listeners[_i].rc == RC_OK));
	ck_assert_ptr_null(dia_node_address(bsf.node, 1));
}
END_TEST

START_TEST(two_nodes_come_up)
{
	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	naf_open(&w, &naf, 1);
	ck_assert(!dia_node_up(naf.node));
	settle(&w);
	ck_assert(dia_node_up(naf.node) && dia_node_up(bsf.node));
	ck_assert(naf.ups == 1 && bsf.ups == 1 && naf.downs == 0);
	ck_assert_int_eq(peer_info(&naf, 0).state, DIA_OPEN);
	ck_assert_str_eq(peer_info(&bsf, 0).host, "nafkc.example.org");
	ck_assert_int_eq(peer_info(&bsf, 0).state, DIA_OPEN);
	ck_assert_int_eq(peer_info(&bsf, 1).state, DIA_DOWN);
	ck_assert_uint_eq(counts(&bsf).connects, 1);
}
END_TEST

/* --- the listening side: CER */

START_TEST(cea_says_who_we_are)
{
	struct dia_avp a, inside;

	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_connect(&w, &raw, "NAFKC.example.org");		/* names are compared without case */
	raw_cer(&w, &raw);
	ck_assert_uint_eq(raw_answer(&raw, DIA_CMD_CE, &m), 2001);
	ck_assert_uint_eq(m.hdr.flags, 0);
	ck_assert(dia_find(m.avps, DIA_ORIGIN_HOST, &a) && span_eq_str(a.data, "bsf.example.org"));
	ck_assert(dia_find(m.avps, DIA_ORIGIN_REALM, &a) && span_eq_str(a.data, "example.org"));
	ck_assert(dia_find(m.avps, DIA_HOST_IP_ADDRESS, &a) && span_eq(a.data, S("\0\1\x7f\0\0\1")));
	ck_assert(dia_find(m.avps, DIA_PRODUCT_NAME, &a) && span_eq_str(a.data, "test") && (a.flags & DIA_AVP_M) == 0);
	ck_assert_uint_eq(msg_u32(&m, DIA_ORIGIN_STATE_ID), 7);
	ck_assert_uint_eq(msg_u32(&m, DIA_SUPPORTED_VENDOR_ID), DIA_VENDOR_3GPP);
	ck_assert(dia_find(m.avps, DIA_VENDOR_SPECIFIC_APPLICATION_ID, &a));
	ck_assert(dia_find(a.data, DIA_AUTH_APPLICATION_ID, &inside) && span_eq(inside.data, S("\1\0\0\4")));
	raw_cer(&w, &raw);					/* once more on the open connection: answered, nothing else */
	ck_assert_uint_eq(raw_answer(&raw, DIA_CMD_CE, &m), 2001);
	ck_serves(&w, &raw);
}
END_TEST

/* A CER with one thing wrong. */
static const struct {
	const char *host, *realm;
	uint32_t app;			/* 0 = none announced */
	bool alone;			/* in Auth-Application-Id, not in Vendor-Specific-Application-Id */
	int without;
	struct { uint32_t code; const char *data; size_t n; } more;
	uint32_t result;		/* 0 = closed without a word */
	const char *reason;
} cers[] = {
#define D(text) text, sizeof (text) - 1
#define USUAL "nafkc.example.org", "example.org", DIA_APP_ZN, false, -1
	{ USUAL, { 0, NULL, 0 }, 2001, NULL },
	{ "nafkc.example.org", "example.org", DIA_APP_RELAY, true, -1, { 0, NULL, 0 }, 2001, NULL },
	{ "nafkc.example.org", "example.org", DIA_APP_ZN, true, -1, { 0, NULL, 0 }, 2001, NULL },
	{ USUAL, { 299, D("\0\0\0\0") }, 2001, NULL },			/* no inband security: as here */
	{ USUAL, { 4711, D("x") }, 5001, "zn-bad-message" },
	{ "stranger.example.org", "example.org", DIA_APP_ZN, false, -1, { 0, NULL, 0 }, 3010, "zn-unknown-peer" },
	{ "elsewhere.example.org", "example.org", DIA_APP_ZN, false, -1, { 0, NULL, 0 }, 3010, "zn-unknown-peer" },	/* B3: that one we connect to */
	{ "nafkc.example.org", "example.com", DIA_APP_ZN, false, -1, { 0, NULL, 0 }, 3010, "zn-identity" },
	{ "nafkc.example.org", "example.org", 0, false, -1, { 0, NULL, 0 }, 5010, "zn-no-common-application" },
	{ "nafkc.example.org", "example.org", 16777221, false, -1, { 0, NULL, 0 }, 5010, "zn-no-common-application" },
	{ USUAL, { 299, D("\0\0\0\1") }, 5017, "zn-capabilities" },		/* only TLS after CER */
	{ "nafkc.example.org", "example.org", DIA_APP_ZN, false, DIA_ORIGIN_HOST, { 0, NULL, 0 }, 5005, "zn-bad-message" },
	{ "nafkc.example.org", "example.org", DIA_APP_ZN, false, DIA_HOST_IP_ADDRESS, { 0, NULL, 0 }, 5005, "zn-bad-message" },
	{ USUAL, { 264, D("nafkc.example.org") }, 5009, "zn-bad-message" },
	{ "naf kc", "example.org", DIA_APP_ZN, false, -1, { 0, NULL, 0 }, 5004, "zn-bad-message" },
	{ "", "example.org", DIA_APP_ZN, false, -1, { 0, NULL, 0 }, 5004, "zn-bad-message" },
	{ USUAL, { 260, D("\0\0\1\12\100\377\377\377\0\0\050\257") }, 5014, "zn-bad-message" },	/* malformed Vendor-Specific-Application-Id */
	{ USUAL, { 260, D("") }, 5005, "zn-bad-message" },
	{ USUAL, { 278, D("\0\0") }, 5014, "zn-bad-message" },
};

START_TEST(B3_cer_is_judged)
{
	struct dia_buf b = DIA_BUF_INIT;
	uint32_t got;

	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_connect(&w, &raw, "x");
	raw_begin(&raw, &b, DIA_R, DIA_CMD_CE, 0);
	if (cers[_i].without != DIA_ORIGIN_HOST)
		dia_put_str(&b, DIA_ORIGIN_HOST, cers[_i].host);
	dia_put_str(&b, DIA_ORIGIN_REALM, cers[_i].realm);
	if (cers[_i].without != DIA_HOST_IP_ADDRESS)
		dia_put(&b, DIA_HOST_IP_ADDRESS, S("\0\1\x7f\0\0\1"));
	dia_put_u32(&b, DIA_VENDOR_ID, 0);
	dia_put_str(&b, DIA_PRODUCT_NAME, "raw");
	if (cers[_i].app != 0 && cers[_i].alone)
		dia_put_u32(&b, DIA_AUTH_APPLICATION_ID, cers[_i].app);
	else if (cers[_i].app != 0)
		dia_put_application(&b, DIA_VENDOR_3GPP, cers[_i].app);
	if (cers[_i].more.code != 0)
		dia_put_raw(&b, cers[_i].more.code, 0, DIA_AVP_M, span_of(cers[_i].more.data, cers[_i].more.n));
	raw_send(&w, &raw, &b);
	got = raw_answer(&raw, DIA_CMD_CE, &m);
	ck_assert_msg(got == cers[_i].result, "%u, expected %u", (unsigned)got, (unsigned)cers[_i].result);
	ck_assert(((m.hdr.flags & DIA_E) != 0) == (got / 1000 == 3));
	if (got == 2001) {
		ck_assert(!raw.closed);
	} else {
		ck_assert_msg(raw.closed, "the connection is still there");
		ck_assert_msg(logged(cers[_i].reason), "not logged: %s", cers[_i].reason);
		ck_assert_uint_eq(counts(&bsf).refused_peers, 1);
		ck_assert_int_eq(peer_info(&bsf, 0).state, DIA_DOWN);
	}
}
END_TEST

/* What may come before CER: nothing else. */
static const struct {
	const char *what;
	struct span octets;
} before_cer[] = {
#define LITERAL(text) { (const uint8_t *)(text), sizeof (text) - 1 }
	{ "DWR", LITERAL("\1\0\0\24\200\0\1\30\0\0\0\0\0\0\0\1\0\0\0\1") },
	{ "BIR", LITERAL("\1\0\0\24\300\0\1\66\1\0\0\4\0\0\0\1\0\0\0\1") },
	{ "CEA", LITERAL("\1\0\0\24\0\0\1\1\0\0\0\0\0\0\0\1\0\0\0\1") },
	{ "CER of another application", LITERAL("\1\0\0\24\200\0\1\1\1\0\0\4\0\0\0\1\0\0\0\1") },
	{ "version 2", LITERAL("\2\0\0\24\200\0\1\1\0\0\0\0\0\0\0\1\0\0\0\1") },
	{ "length 0", LITERAL("\1\0\0\0\200\0\1\1\0\0\0\0\0\0\0\1\0\0\0\1") },
	{ "odd length", LITERAL("\1\0\0\25\200\0\1\1\0\0\0\0\0\0\0\1\0\0\0\1") },
	{ "much too long", LITERAL("\1\377\377\374\200\0\1\1") },
	{ "too long for a stranger", LITERAL("\1\0\377\374\200\0\1\1") },
	{ "HTTP", LITERAL("GET / HTTP/1.1\r\n\r\n") },
	{ "TLS", LITERAL("\26\3\1\2\0\1\0\1\374\3\3") },
};

START_TEST(only_cer_comes_first)
{
	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_open(&w, &raw2, "naf2.example.org");
	raw_connect(&w, &raw, "nafkc.example.org");
	raw_octets(&w, &raw, before_cer[_i].octets);
	ck_assert_msg(raw.closed && !raw_next(&raw, &m), "%s", before_cer[_i].what);
	ck_assert(logged("zn-malformed") || logged("zn-bad-message"));
	ck_serves(&w, &raw2);
}
END_TEST

START_TEST(random_octets_before_cer_end_that_connection_alone)
{
	uint8_t octets[300];

	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_open(&w, &raw2, "naf2.example.org");
	for (int i = 0; i < 200; i++) {
		ck_ok(rnd_bytes(&w.rnd.rnd, octets, sizeof octets));
		raw_connect(&w, &raw, "nafkc.example.org");
		raw_octets(&w, &raw, span_of(octets, sizeof octets));
		pass(&w, 20);
		raw_close(&raw);
	}
	ck_serves(&w, &raw2);
}
END_TEST

START_TEST(a_stranger_must_say_cer_soon)
{
	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_connect(&w, &raw, "nafkc.example.org");
	pass(&w, 9500);
	raw_octets(&w, &raw, S("\1\0\0\24\200"));		/* a part of one does not help */
	ck_assert(!raw.closed);
	pass(&w, 1000);
	ck_assert(raw.closed && logged("zn-capabilities"));
}
END_TEST

START_TEST(strangers_are_counted)
{
	static struct raw many[70];
	unsigned open = 0;

	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_open(&w, &raw2, "naf2.example.org");
	for (int i = 0; i < 70; i++)
		raw_connect(&w, &many[i], "nafkc.example.org");
	for (int i = 0; i < 70; i++) {
		open += !many[i].closed;
		ck_assert(many[i].closed == (i < 6));		/* the oldest went */
	}
	ck_assert_uint_eq(open, 64);
	ck_assert(logged("link-limit"));
	ck_serves(&w, &raw2);
	raw_open(&w, &raw, "nafkc.example.org");		/* they keep nobody out */
	for (int i = 0; i < 70; i++)
		raw_close(&many[i]);
}
END_TEST

START_TEST(sixty_four_origin_hosts)
{
	char host[32];

	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_open(&w, &raw2, "naf2.example.org");
	for (int i = 0; i < 128; i++) {
		snprintf(host, sizeof host, "naf%d.example.net", i);
		raw_connect(&w, &raw, host);
		raw_cer(&w, &raw);
		ck_assert_uint_eq(raw_answer(&raw, DIA_CMD_CE, &m), 3010);
		ck_assert(raw.closed);
		raw_close(&raw);
	}
	ck_serves(&w, &raw2);
}
END_TEST

START_TEST(one_connection_per_peer)
{
	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_open(&w, &raw, "nafkc.example.org");
	raw_connect(&w, &raw2, "nafkc.example.org");
	raw_cer(&w, &raw2);
	ck_assert_uint_eq(raw_answer(&raw2, DIA_CMD_CE, &m), DIA_ELECTION_LOST);
	ck_assert(raw2.closed && logged("zn-twice"));
	ck_assert(raw_next(&raw, &m) && m.hdr.cmd == DIA_CMD_DW);	/* does it live? */
	raw_reply(&w, &raw, &m, 2001);
	pass(&w, 5000);
	ck_assert(!raw.closed);
	ck_serves(&w, &raw);
}
END_TEST

START_TEST(a_dead_connection_gives_way_to_a_new_one)
{
	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_open(&w, &raw, "nafkc.example.org");
	raw_connect(&w, &raw2, "nafkc.example.org");
	raw_cer(&w, &raw2);
	ck_assert_uint_eq(raw_answer(&raw2, DIA_CMD_CE, &m), DIA_ELECTION_LOST);
	pass(&w, 2100);						/* the first one says nothing */
	ck_assert(raw.closed && logged("zn-deaf"));
	raw_open(&w, &raw2, "nafkc.example.org");
}
END_TEST

START_TEST(octets_may_come_one_by_one)
{
	link_mem_set_chunk(w.net, 1);
	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_open(&w, &raw, "nafkc.example.org");
	ck_serves(&w, &raw);
}
END_TEST

/* --- the connecting side: CEA */

static const struct {
	uint32_t result;
	const char *host, *realm;
	uint32_t app;
	bool other_hbh;
	const char *reason;
} ceas[] = {
	{ 2001, "bsf.example.org", "example.org", DIA_APP_ZN, false, NULL },
	{ 2001, "BSF.Example.Org", "EXAMPLE.org", DIA_APP_ZN, false, NULL },
	{ 2001, "bsf.example.org", "example.org", DIA_APP_RELAY, false, NULL },
	{ 3010, "bsf.example.org", "example.org", DIA_APP_ZN, false, "zn-capabilities" },
	{ 5010, "bsf.example.org", "example.org", DIA_APP_ZN, false, "zn-capabilities" },
	{ 2001, "other.example.org", "example.org", DIA_APP_ZN, false, "zn-identity" },
	{ 2001, "bsf.example.org", "example.com", DIA_APP_ZN, false, "zn-identity" },
	{ 2001, "bsf.example.org", "example.org", 4, false, "zn-no-common-application" },
	{ 2001, "", "example.org", DIA_APP_ZN, false, "zn-bad-message" },
	{ 2001, "bsf.example.org", "example.org", DIA_APP_ZN, true, "not asked for" },
};

START_TEST(cea_is_judged)
{
	const struct dia_fault f = { .result = ceas[_i].result };
	struct dia_buf b = DIA_BUF_INIT;

	raw_listen(&w, &raw, "bsf.example.org", BSF_ADDRESS);
	naf_open(&w, &naf, 1);
	settle(&w);
	ck_assert(raw_next(&raw, &m) && m.hdr.cmd == DIA_CMD_CE && m.hdr.flags == DIA_R);
	m.hdr.hbh += ceas[_i].other_hbh;
	dia_begin_answer(&b, &m, ceas[_i].host, ceas[_i].realm, &f);
	raw_capabilities(&b);
	dia_put_u32(&b, DIA_AUTH_APPLICATION_ID, ceas[_i].app);
	raw_send(&w, &raw, &b);
	ck_assert(dia_node_up(naf.node) == (ceas[_i].reason == NULL));
	if (ceas[_i].reason != NULL)
		ck_assert_msg(logged(ceas[_i].reason), "%s: %s", ceas[_i].reason, world_log);
	if (ceas[_i].other_hbh)
		pass(&w, 11000);
	ck_assert(raw.closed == (ceas[_i].reason != NULL) || raw.link != NULL);
}
END_TEST

START_TEST(a_mute_peer_is_left_and_tried_again)
{
	raw_listen(&w, &raw, "bsf.example.org", BSF_ADDRESS);
	naf_open(&w, &naf, 1);
	settle(&w);
	ck_assert(raw_next(&raw, &m) && m.hdr.cmd == DIA_CMD_CE);
	pass(&w, 10100);
	ck_assert(logged("zn-capabilities"));
	pass(&w, 2100);
	raw_welcome(&w, &raw);
	ck_assert(dia_node_up(naf.node));
}
END_TEST

/* --- watchdog */

START_TEST(an_idle_connection_stays)
{
	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	naf_open(&w, &naf, 1);
	pass(&w, 2 * 3600 * 1000);
	ck_assert(dia_node_up(naf.node) && dia_node_up(bsf.node));
	ck_assert(naf.downs == 0 && counts(&naf).connects == 1);
	ck_assert(counts(&naf).watchdogs_sent + counts(&bsf).watchdogs_sent > 300);
	ck_assert_uint_eq(counts(&naf).watchdogs_missed, 0);
}
END_TEST

START_TEST(dwr_comes_after_tw_with_jitter)
{
	int64_t least = INT64_MAX, most = 0, before;

	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_open(&w, &raw, "nafkc.example.org");
	for (int i = 0; i < 40; i++) {
		before = clock_mono_ms(w.clock);
		while (!raw_next(&raw, &m))
			pass(&w, 50);
		ck_assert(m.hdr.cmd == DIA_CMD_DW && m.hdr.flags == DIA_R && msg_u32(&m, DIA_ORIGIN_STATE_ID) == 7);
		raw_reply(&w, &raw, &m, 2001);
		before = clock_mono_ms(w.clock) - before;
		least = before < least ? before : least;
		most = before > most ? before : most;
	}
	ck_assert_msg(least >= 8000 && most <= 12050 && most - least > 1000, "%ld..%ld", (long)least, (long)most);
}
END_TEST

START_TEST(any_message_restarts_the_watchdog)
{
	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_open(&w, &raw, "nafkc.example.org");
	for (int i = 0; i < 20; i++) {
		pass(&w, 5000);
		ck_serves(&w, &raw);
	}
	ck_assert_uint_eq(counts(&bsf).watchdogs_sent, 0);
}
END_TEST

START_TEST(dwr_is_answered)
{
	struct dia_buf b = DIA_BUF_INIT;

	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_open(&w, &raw, "nafkc.example.org");
	raw_begin(&raw, &b, DIA_R, DIA_CMD_DW, 0);
	raw_origin(&raw, &b);
	raw_send(&w, &raw, &b);
	ck_assert_uint_eq(raw_answer(&raw, DIA_CMD_DW, &m), 2001);
	ck_assert_uint_eq(m.hdr.flags, 0);
	raw_begin(&raw, &b, DIA_R, DIA_CMD_DW, 0);
	dia_put_str(&b, DIA_ORIGIN_REALM, "example.org");
	raw_send(&w, &raw, &b);
	ck_assert_uint_eq(raw_answer(&raw, DIA_CMD_DW, &m), 5005);
	ck_assert_uint_eq(failed_of(&m), 264);
	ck_serves(&w, &raw);
}
END_TEST

START_TEST(a_deaf_peer_is_noticed_and_back_within_5_s)
{
	int64_t left;

	raw_listen(&w, &raw, "bsf.example.org", BSF_ADDRESS);
	naf_open(&w, &naf, 1);
	raw_welcome(&w, &raw);
	ck_assert(dia_node_up(naf.node));
	pass(&w, 12100);
	ck_assert(raw_next(&raw, &m) && m.hdr.cmd == DIA_CMD_DW);	/* nobody answers it */
	pass(&w, 12100);
	ck_assert_int_eq(peer_info(&naf, 0).state, DIA_SUSPECT);
	ck_assert(!dia_node_up(naf.node) && naf.downs == 1);
	pass(&w, 12100);
	ck_assert(logged("zn-deaf") && counts(&naf).watchdogs_missed == 2);
	left = clock_mono_ms(w.clock);
	while (!dia_node_up(naf.node) && clock_mono_ms(w.clock) - left < 5000) {
		if (raw.link != NULL && raw_next(&raw, &m))
			raw_reply(&w, &raw, &m, 2001);		/* CER, then three DWR */
		pass(&w, 50);
	}
	ck_assert_msg(dia_node_up(naf.node), "not back");
	ck_assert_uint_eq(counts(&naf).connects, 2);
}
END_TEST

START_TEST(a_suspect_peer_that_speaks_is_open_again)
{
	raw_listen(&w, &raw, "bsf.example.org", BSF_ADDRESS);
	naf_open(&w, &naf, 1);
	raw_welcome(&w, &raw);
	pass(&w, 24200);
	ck_assert_int_eq(peer_info(&naf, 0).state, DIA_SUSPECT);
	ck_assert(raw_next(&raw, &m) && m.hdr.cmd == DIA_CMD_DW);
	raw_reply(&w, &raw, &m, 2001);
	ck_assert_int_eq(peer_info(&naf, 0).state, DIA_OPEN);
	ck_assert(naf.ups == 2 && counts(&naf).connects == 1);
}
END_TEST

START_TEST(after_a_failure_three_dwas_come_first)
{
	raw_listen(&w, &raw, "bsf.example.org", BSF_ADDRESS);
	naf_open(&w, &naf, 1);
	raw_welcome(&w, &raw);
	link_free(raw.link);
	raw.link = NULL;
	pass(&w, 300);
	raw_welcome(&w, &raw);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(peer_info(&naf, 0).state, DIA_REOPEN);
		ck_assert(!dia_node_up(naf.node));
		ck_assert(raw_next(&raw, &m) && m.hdr.cmd == DIA_CMD_DW);
		raw_reply(&w, &raw, &m, 2001);
	}
	ck_assert_int_eq(peer_info(&naf, 0).state, DIA_OPEN);
	ck_assert(!raw_next(&raw, &m));
}
END_TEST

START_TEST(wrong_and_unasked_answers_are_ignored)
{
	static const uint32_t cmds[] = { DIA_CMD_CE, DIA_CMD_DW, DIA_CMD_DP };
	const struct dia_fault f = { .result = 2001 };
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_msg q = { .hdr = { .flags = DIA_R, .hbh = 0xdeadbeef } };

	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_open(&w, &raw, "nafkc.example.org");
	for (size_t i = 0; i < 3; i++) {			/* nobody asked */
		q.hdr.cmd = cmds[i];
		raw_reply(&w, &raw, &q, 2001);
	}
	ck_assert_uint_eq(counts(&bsf).orphans, 3);
	pass(&w, 12100);
	ck_assert(raw_next(&raw, &m) && m.hdr.cmd == DIA_CMD_DW);
	dia_begin_answer(&b, &m, "naf2.example.org", "example.org", &f);	/* another's name */
	raw_send(&w, &raw, &b);
	m.hdr.hbh++;						/* another's number */
	raw_reply(&w, &raw, &m, 2001);
	ck_assert_uint_eq(counts(&bsf).orphans, 5);
	m.hdr.hbh--;
	dia_begin(&b, &(struct dia_hdr){ .cmd = DIA_CMD_DW, .hbh = m.hdr.hbh });	/* empty */
	raw_send(&w, &raw, &b);
	ck_assert(logged("answer ignored: Result-Code is missing"));
	raw_reply(&w, &raw, &m, 2001);				/* the right one */
	pass(&w, 3000);
	ck_serves(&w, &raw);
}
END_TEST

/* --- the next try */

START_TEST(tries_get_rarer)
{
	uint64_t cers_seen = 0;

	raw_listen(&w, &raw, "bsf.example.org", BSF_ADDRESS);
	naf_open(&w, &naf, 1);
	for (int i = 0; i < 1200; i++) {			/* a minute; each connection is cut at once */
		pass(&w, 50);
		if (raw.link != NULL) {
			cers_seen++;
			link_free(raw.link);
			raw.link = NULL;
		}
	}
	/* 0, 0.25, 0.75, 1.75, then every 2 s less an eighth */
	ck_assert_msg(cers_seen >= 30 && cers_seen <= 38, "%u tries", (unsigned)cers_seen);
}
END_TEST

START_TEST(a_peer_that_was_away_is_back_within_5_s)
{
	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	naf_open(&w, &naf, 1);
	settle(&w);
	for (int i = 0; i < 3; i++) {
		link_mem_cut(w.net, BSF_ADDRESS, true);
		pass(&w, 600 * 1000);
		ck_assert(!dia_node_up(naf.node) && counts(&naf).disconnects == (uint64_t)i + 1);
		link_mem_cut(w.net, BSF_ADDRESS, false);
		pass(&w, 5000);
		ck_assert(dia_node_up(naf.node) && dia_node_up(bsf.node));
	}
	ck_assert(peer_info(&naf, 0).last != REASON_NONE);
}
END_TEST

/* --- good-bye */

static unsigned stopped;

static void
on_stopped(void *arg)
{
	(void)arg;
	stopped++;
}

START_TEST(stop_says_good_bye)
{
	stopped = 0;
	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_open(&w, &raw, "nafkc.example.org");
	dia_node_stop(bsf.node, on_stopped, NULL);
	ck_assert_uint_eq(stopped, 0);
	settle(&w);
	ck_assert(raw_next(&raw, &m) && m.hdr.cmd == DIA_CMD_DP && m.hdr.flags == DIA_R);
	ck_assert_uint_eq(msg_u32(&m, DIA_DISCONNECT_CAUSE), 0);
	ck_assert(!raw.closed);
	raw_reply(&w, &raw, &m, 2001);
	ck_assert(raw.closed && stopped == 1);
	raw_close(&raw);
	raw_connect(&w, &raw, "nafkc.example.org");		/* nobody listens any more */
	ck_assert(raw.closed);
}
END_TEST

START_TEST(stop_waits_for_requests_under_way)
{
	struct dia_buf b = DIA_BUF_INIT;

	stopped = 0;
	bsf.keep = true;
	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_open(&w, &raw, "nafkc.example.org");
	raw_begin_bir(&raw, &b);
	raw_send(&w, &raw, &b);
	dia_node_stop(bsf.node, on_stopped, NULL);
	settle(&w);
	ck_assert(!raw_next(&raw, &m));
	raw_begin_bir(&raw, &b);				/* too late */
	raw_send(&w, &raw, &b);
	ck_assert_uint_eq(raw_answer(&raw, DIA_CMD_BI, &m), 3004);
	raw.next--;
	user_answer(&bsf, bsf.kept[0]);
	settle(&w);
	ck_assert_uint_eq(raw_answer(&raw, DIA_CMD_BI, &m), 2001);
	ck_assert(raw_next(&raw, &m) && m.hdr.cmd == DIA_CMD_DP);
	raw_reply(&w, &raw, &m, 2001);
	ck_assert_uint_eq(stopped, 1);
}
END_TEST

START_TEST(stop_does_not_wait_for_ever)
{
	struct dia_buf b = DIA_BUF_INIT;

	stopped = 0;
	bsf.keep = true;
	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_open(&w, &raw, "nafkc.example.org");
	raw_begin_bir(&raw, &b);
	raw_send(&w, &raw, &b);
	dia_node_stop(bsf.node, on_stopped, NULL);
	pass(&w, 7100);						/* neither our answer nor the peer's DPA comes */
	ck_assert_uint_eq(stopped, 1);
	dia_node_stop(bsf.node, on_stopped, NULL);		/* a second time harms nobody */
}
END_TEST

static const struct {
	uint32_t cause;
	bool comes_back;
} causes[] = { { 0, true }, { 1, true }, { 2, false }, { 7, true } };

START_TEST(dpr_is_answered_and_its_cause_heeded)
{
	struct dia_buf b = DIA_BUF_INIT;

	raw_listen(&w, &raw, "bsf.example.org", BSF_ADDRESS);
	naf_open(&w, &naf, 1);
	raw_welcome(&w, &raw);
	raw_begin(&raw, &b, DIA_R, DIA_CMD_DP, 0);
	raw_origin(&raw, &b);
	dia_put_u32(&b, DIA_DISCONNECT_CAUSE, causes[_i].cause);
	raw_send(&w, &raw, &b);
	ck_assert_uint_eq(raw_answer(&raw, DIA_CMD_DP, &m), 2001);
	ck_assert(!dia_node_up(naf.node));
	pass(&w, 2500);						/* the peer does not close: we do, and try again */
	ck_assert(raw.link == NULL || causes[_i].comes_back);
	pass(&w, 120000);
	ck_assert((raw.link != NULL) == causes[_i].comes_back);
	if (!causes[_i].comes_back) {
		ck_assert_int_eq(peer_info(&naf, 0).state, DIA_OFF);
		dia_node_retry(naf.node);
	}
	settle(&w);
	if (raw.link == NULL)
		pass(&w, 2100);
	raw_welcome(&w, &raw);
	ck_assert(dia_node_up(naf.node));			/* an orderly end: no REOPEN */
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("diameter_peer");
	TCase *t = tcase_create("diameter_peer");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, what_is_not_configured_well_is_refused, 0, TABLE_N(bad_confs));
	tcase_add_loop_test(t, B3_plain_beyond_loopback_needs_insecure, 0, TABLE_N(B3_listeners));
	tcase_add_test(t, two_nodes_come_up);
	tcase_add_test(t, cea_says_who_we_are);
	tcase_add_loop_test(t, B3_cer_is_judged, 0, TABLE_N(cers));
	tcase_add_loop_test(t, only_cer_comes_first, 0, TABLE_N(before_cer));
	tcase_add_test(t, random_octets_before_cer_end_that_connection_alone);
	tcase_add_test(t, a_stranger_must_say_cer_soon);
	tcase_add_test(t, strangers_are_counted);
	tcase_add_test(t, sixty_four_origin_hosts);
	tcase_add_test(t, one_connection_per_peer);
	tcase_add_test(t, a_dead_connection_gives_way_to_a_new_one);
	tcase_add_test(t, octets_may_come_one_by_one);
	tcase_add_loop_test(t, cea_is_judged, 0, TABLE_N(ceas));
	tcase_add_test(t, a_mute_peer_is_left_and_tried_again);
	tcase_add_test(t, an_idle_connection_stays);
	tcase_add_test(t, dwr_comes_after_tw_with_jitter);
	tcase_add_test(t, any_message_restarts_the_watchdog);
	tcase_add_test(t, dwr_is_answered);
	tcase_add_test(t, a_deaf_peer_is_noticed_and_back_within_5_s);
	tcase_add_test(t, a_suspect_peer_that_speaks_is_open_again);
	tcase_add_test(t, after_a_failure_three_dwas_come_first);
	tcase_add_test(t, wrong_and_unasked_answers_are_ignored);
	tcase_add_test(t, tries_get_rarer);
	tcase_add_test(t, a_peer_that_was_away_is_back_within_5_s);
	tcase_add_test(t, stop_says_good_bye);
	tcase_add_test(t, stop_waits_for_requests_under_way);
	tcase_add_test(t, stop_does_not_wait_for_ever);
	tcase_add_loop_test(t, dpr_is_answered_and_its_cause_heeded, 0, TABLE_N(causes));
	suite_add_tcase(s, t);
	return unit_run(s);
}
