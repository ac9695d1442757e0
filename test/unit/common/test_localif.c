/* localif: bodies to structs and back, and what is bad-message (W2, W3, K1). */
#include "common/localif.h"
#include "test/unit/unit.h"

#define BTID "oKGio6SlpqeoqaqrrK2urw==@bsf.example.org"
#define NAF "naf.example.org/0100000002"
#define DEV "urn:uuid:6f1d1c1e-0000-4000-8000-000000000001"
#define MT "0123456789abcdef0123456789abcdef"
#define RUN "00112233aabbccdd"
#define PROOF "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

enum message { HELLO, INFO, INFO_OK, DERIVE, DERIVE_OK, COMPLETE, COMPLETE_OK, FORGET, TRIPLE };

union any {
	struct localif_hello hello;
	struct localif_info info;
	struct localif_info_ok info_ok;
	struct localif_derive derive;
	struct localif_derive_ok derive_ok;
	struct localif_complete complete;
	struct localif_complete_ok complete_ok;
	struct localif_forget forget;
	struct triple triple;
};

static enum rc
parse(enum message m, const json_t *o, union any *u, const char **bad)
{
	switch (m) {
	case HELLO:
		return localif_hello_parse(o, &u->hello, bad);
	case INFO:
		return localif_info_parse(o, &u->info, bad);
	case INFO_OK:
		return localif_info_ok_parse(o, &u->info_ok, bad);
	case DERIVE:
		return localif_derive_parse(o, &u->derive, bad);
	case DERIVE_OK:
		return localif_derive_ok_parse(o, &u->derive_ok, bad);
	case COMPLETE:
		return localif_complete_parse(o, &u->complete, bad);
	case COMPLETE_OK:
		return localif_complete_ok_parse(o, &u->complete_ok, bad);
	case FORGET:
		return localif_forget_parse(o, &u->forget, bad);
	case TRIPLE:
		return localif_triple_parse(o, &u->triple, bad);
	}
	return RC_SYNTAX;
}

static json_t *
print(enum message m, const union any *u)
{
	switch (m) {
	case HELLO:
		return localif_hello_print(&u->hello);
	case INFO:
		return localif_info_print(&u->info);
	case INFO_OK:
		return localif_info_ok_print(&u->info_ok);
	case DERIVE:
		return localif_derive_print(&u->derive);
	case DERIVE_OK:
		return localif_derive_ok_print(&u->derive_ok);
	case COMPLETE:
		return localif_complete_print(&u->complete);
	case COMPLETE_OK:
		return localif_complete_ok_print(&u->complete_ok);
	case FORGET:
		return localif_forget_print(&u->forget);
	case TRIPLE:
		return localif_triple_print(&u->triple);
	}
	return NULL;
}

/* What parses prints back to the same members. */
static const struct {
	enum message m;
	const char *json;
} good[] = {
	{ HELLO, "{\"version\":1,\"role\":\"device\",\"device_id_kind\":\"fixed\"}" },
	{ HELLO, "{\"version\":1,\"role\":\"device\",\"device_id_kind\":\"random\"}" },
	{ HELLO, "{\"version\":7,\"role\":\"mt\",\"mt_id\":\"" MT "\"}" },
	{ HELLO, "{\"version\":1,\"role\":\"device\",\"device_id_kind\":\"fixed\",\"device_id\":\"" DEV "\"}" },
	{ HELLO, "{\"version\":1,\"role\":\"mt\",\"mt_id\":\"" MT "\",\"challenge\":\"AbC=\"}" },
	{ INFO, "{}" },
	{ INFO, "{\"device_id\":\"" DEV "\",\"run\":\"" RUN "\"}" },
	{ INFO_OK, "{\"naf_ids\":[]}" },
	{ INFO_OK, "{\"naf_ids\":[\"" NAF "\",\"b.example/0000000000\"],\"btid\":\"" BTID "\"}" },
	{ DERIVE, "{\"naf_id\":\"" NAF "\",\"device_id\":\"" DEV "\"}" },
	{ DERIVE, "{\"naf_id\":\"" NAF "\",\"device_id\":\"" DEV "\",\"btid\":\"" BTID "\",\"run\":\"1\"}" },
	{ DERIVE, "{\"naf_id\":\"" NAF "\",\"device_id\":\"d\",\"stale_btid\":\"" BTID "\",\"run\":\"1\"}" },
	{ DERIVE_OK, "{\"btid\":\"" BTID "\",\"naf_id\":\"" NAF "\",\"challenge\":\"AbC=\"}" },
	{ DERIVE_OK, "{\"btid\":\"" BTID "\",\"naf_id\":\"" NAF "\"}" },
	{ COMPLETE, "{\"naf_id\":\"" NAF "\",\"btid\":\"" BTID "\",\"device_id\":\"" DEV "\",\"run\":\"1\",\"proof\":\"" PROOF "\"}" },
	{ COMPLETE, "{\"naf_id\":\"" NAF "\",\"btid\":\"" BTID "\",\"device_id\":\"" DEV "\"}" },
	{ COMPLETE_OK, "{\"proof\":\"" PROOF "\"}" },
	{ COMPLETE_OK, "{}" },
	{ DERIVE, "{\"naf_id\":\"" NAF "\",\"device_id\":\"d\",\"holds\":\"" PROOF "\"}" },
	{ FORGET, "{\"naf_id\":\"" NAF "\",\"btid\":\"" BTID "\",\"device_id\":\"" DEV "\"}" },
	{ FORGET, "{\"naf_id\":\"" NAF "\",\"btid\":\"" BTID "\",\"device_id\":\"" DEV "\",\"proof\":\"" PROOF "\"}" },
	{ TRIPLE, "{\"naf_id\":\"" NAF "\",\"btid\":\"" BTID "\",\"device_id\":\"" DEV "\"}" },
};

START_TEST(there_and_back)
{
	json_t *o = json_loads(good[_i].json, 0, NULL), *p;
	const char *bad;
	union any u;

	ck_assert_ptr_nonnull(o);
	ck_ok(parse(good[_i].m, o, &u, &bad));
	p = print(good[_i].m, &u);
	ck_assert_msg(json_equal(o, p), "%s", good[_i].json);
	json_decref(o);
	json_decref(p);
}
END_TEST

/* Members that we do not know, those of rpc among them, change nothing. */
START_TEST(unknown_members_are_ignored)
{
	json_t *o = json_loads(good[_i].json, 0, NULL), *p;
	const char *bad;
	union any u;

	json_object_set_new(o, "id", json_integer(7));
	json_object_set_new(o, "op", json_string("x"));
	json_object_set_new(o, "colour", json_pack("{s:[i]}", "a", 1));
	ck_ok(parse(good[_i].m, o, &u, &bad));
	p = print(good[_i].m, &u);
	json_object_del(o, "id");
	json_object_del(o, "op");
	json_object_del(o, "colour");
	ck_assert(json_equal(o, p));
	json_decref(o);
	json_decref(p);
}
END_TEST

/* Every member, with every wrong type, in every message. */
START_TEST(wrong_types_are_refused)
{
	static const char *const wrong[] = { "null", "true", "7", "1.5", "{}", "[]", "[7]", "[null]", "\"\"", "\" \"", "\"\xc3\xa4\"" };
	json_t *o = json_loads(good[_i].json, 0, NULL), *was;
	const char *bad, *key;
	union any u;
	void *next;

	for (void *it = json_object_iter(o); it != NULL; it = next) {
		next = json_object_iter_next(o, it);
		key = json_object_iter_key(it);
		was = json_incref(json_object_iter_value(it));
		for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
			json_t *w = json_loads(wrong[i], JSON_DECODE_ANY, NULL);

			ck_assert_ptr_nonnull(w);
			if (json_typeof(w) == json_typeof(was) && (!json_is_string(w) || strcmp(key, "role") == 0 || strcmp(key, "device_id_kind") == 0) &&
			    !(json_is_array(w) && json_array_size(w) > 0)) {
				json_decref(w);		/* of the right type, and no form is asked of it */
				continue;
			}
			json_object_set_new(o, key, w);
			untouched_fill(&u, sizeof u);
			ck_assert_msg(parse(good[_i].m, o, &u, &bad) == RC_SYNTAX, "%s = %s", key, wrong[i]);
			ck_assert_str_eq(bad, key);
			ck_assert(untouched(&u, sizeof u));
		}
		json_object_set(o, key, was);
		json_decref(was);
	}
	json_decref(o);
}
END_TEST

/* What must be there. */
static const struct {
	enum message m;
	const char *json, *bad;
} missing[] = {
	{ DERIVE, "{\"device_id\":\"" DEV "\"}", "naf_id" },
	{ DERIVE, "{\"naf_id\":\"" NAF "\"}", "device_id" },
	{ DERIVE_OK, "{\"naf_id\":\"" NAF "\"}", "btid" },
	{ DERIVE_OK, "{\"btid\":\"" BTID "\"}", "naf_id" },
	{ COMPLETE, "{\"btid\":\"" BTID "\",\"device_id\":\"" DEV "\"}", "naf_id" },
	{ COMPLETE, "{\"naf_id\":\"" NAF "\",\"device_id\":\"" DEV "\"}", "btid" },
	{ TRIPLE, "{\"naf_id\":\"" NAF "\",\"btid\":\"" BTID "\"}", "device_id" },
	/* W2, W3: one spelling */
	{ INFO, "{\"device_id\":\" " DEV "\"}", "device_id" },
	{ INFO, "{\"device_id\":\"urn:gsma:imei:49015420-323751-0\"}", "device_id" },
	{ INFO, "{\"run\":\"0123456789abcdef0\"}", "run" },
	{ INFO, "{\"run\":\"ABC\"}", "run" },
	{ INFO_OK, "{\"naf_ids\":[\"naf.example.org\"]}", "naf_ids" },
	{ INFO_OK, "{\"naf_ids\":[\"NAF.example.org/0100000002\"]}", "naf_ids" },
	{ INFO_OK, "{\"naf_ids\":\"" NAF "\"}", "naf_ids" },
	{ INFO_OK, "{\"btid\":\"a@b@c.example\"}", "btid" },
	{ DERIVE, "{\"naf_id\":\"naf.example.org/010000000G\",\"device_id\":\"d\"}", "naf_id" },
	{ HELLO, "{\"mt_id\":\"0123456789abcdef0123456789abcdeF\"}", "mt_id" },
	{ HELLO, "{\"mt_id\":\"0123456789abcdef0123456789abcde\"}", "mt_id" },
	{ HELLO, "{\"version\":0}", "version" },
	{ HELLO, "{\"device_id\":\"a b\"}", "device_id" },
	{ HELLO, "{\"challenge\":\"a\\tb\"}", "challenge" },
	{ FORGET, "{\"naf_id\":\"" NAF "\",\"device_id\":\"" DEV "\"}", "btid" },
	{ HELLO, "{\"version\":-1}", "version" },
	{ DERIVE_OK, "{\"btid\":\"" BTID "\",\"naf_id\":\"" NAF "\",\"challenge\":\"a\\nb\"}", "challenge" },
	{ COMPLETE_OK, "{\"proof\":\"" PROOF "=\"}", "proof" },
};

START_TEST(W3_what_does_not_match)
{
	json_t *o = json_loads(missing[_i].json, 0, NULL);
	const char *bad = "";
	union any u;

	ck_assert_ptr_nonnull(o);
	untouched_fill(&u, sizeof u);
	ck_rc(parse(missing[_i].m, o, &u, &bad), RC_SYNTAX);
	ck_assert_str_eq(bad, missing[_i].bad);
	ck_assert(untouched(&u, sizeof u));
	json_decref(o);
}
END_TEST

/* K1: at most 16 NAF_IDs are read; what stands behind is not even judged. */
START_TEST(K1_sixteen_naf_ids)
{
	json_t *o = json_object(), *list = json_array();
	struct localif_info_ok m;
	const char *bad;
	char text[64];

	for (int i = 0; i < 16; i++) {
		snprintf(text, sizeof text, "naf%d.example.org/0100000002", i);
		json_array_append_new(list, json_string(text));
	}
	json_array_append_new(list, json_integer(7));
	json_object_set_new(o, "naf_ids", list);
	ck_ok(localif_info_ok_parse(o, &m, &bad));
	ck_assert_uint_eq(m.n_naf_ids, 16);
	ck_assert_str_eq(m.naf_ids[0].fqdn, "naf0.example.org");
	ck_assert_str_eq(m.naf_ids[15].fqdn, "naf15.example.org");
	json_array_set_new(list, 15, json_string("x"));
	ck_rc(localif_info_ok_parse(o, &m, &bad), RC_SYNTAX);
	json_decref(o);
}
END_TEST

START_TEST(challenge_lengths)
{
	char text[CHALLENGE_MAX + 2];
	json_t *o = json_loads("{\"btid\":\"" BTID "\",\"naf_id\":\"" NAF "\"}", 0, NULL);
	struct localif_derive_ok m;
	const char *bad;

	memset(text, 'x', sizeof text);
	text[CHALLENGE_MAX] = '\0';
	json_object_set_new(o, "challenge", json_string(text));
	ck_ok(localif_derive_ok_parse(o, &m, &bad));
	ck_assert_str_eq(m.challenge, text);
	text[CHALLENGE_MAX] = 'x';
	text[CHALLENGE_MAX + 1] = '\0';
	json_object_set_new(o, "challenge", json_string(text));
	ck_rc(localif_derive_ok_parse(o, &m, &bad), RC_SYNTAX);
	json_decref(o);
}
END_TEST

/* Words of a later version are no errors. */
START_TEST(hello_of_a_stranger)
{
	json_t *o = json_loads("{\"role\":\"fridge\",\"device_id_kind\":\"rotating\"}", 0, NULL);
	struct localif_hello m;
	const char *bad;

	ck_ok(localif_hello_parse(o, &m, &bad));
	ck_assert_int_eq(m.version, 1);
	ck_assert_int_eq(m.role, LOCALIF_ROLE_UNKNOWN);
	ck_assert_int_eq(m.device_id_kind, LOCALIF_KIND_UNKNOWN);
	ck_assert_str_eq(m.mt_id.s, "");
	json_decref(o);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("localif");
	TCase *t = tcase_create("messages");

	tcase_add_loop_test(t, there_and_back, 0, TABLE_N(good));
	tcase_add_loop_test(t, unknown_members_are_ignored, 0, TABLE_N(good));
	tcase_add_loop_test(t, wrong_types_are_refused, 0, TABLE_N(good));
	tcase_add_loop_test(t, W3_what_does_not_match, 0, TABLE_N(missing));
	tcase_add_test(t, K1_sixteen_naf_ids);
	tcase_add_test(t, challenge_lengths);
	tcase_add_test(t, hello_of_a_stranger);
	suite_add_tcase(s, t);
	return unit_run(s);
}
