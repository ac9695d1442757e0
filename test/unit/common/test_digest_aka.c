#include "common/digest_aka.h"

#include "test/unit/vectors.h"

/* A struct digest out of a vector's members; qop from text. */
static void
fill(json_t *o, struct digest *d)
{
	static const struct {
		const char *name;
		size_t at, cap;
	} members[] = {
		{ "username", offsetof(struct digest, username), sizeof d->username }, { "realm", offsetof(struct digest, realm), sizeof d->realm },
		{ "nonce", offsetof(struct digest, nonce), sizeof d->nonce }, { "uri", offsetof(struct digest, uri), sizeof d->uri },
		{ "nc", offsetof(struct digest, nc), sizeof d->nc }, { "cnonce", offsetof(struct digest, cnonce), sizeof d->cnonce },
	};
	const char *qop = json_string_value(json_object_get(o, "qop"));

	*d = (struct digest){ 0 };
	for (int i = 0; i < TABLE_N(members); i++) {
		const char *v = json_string_value(json_object_get(o, members[i].name));

		if (v != NULL)
			ck_assert(span_to_str(span_str(v), (char *)d + members[i].at, members[i].cap));
	}
	if (qop != NULL) {
		d->have = DIGEST_QOP;
		d->qop = strcmp(qop, "auth") == 0 ? DIGEST_QOP_AUTH : DIGEST_QOP_AUTH_INT;
	}
}

START_TEST(published)
{
	json_t *doc = vectors_load(), *o = vec_at(doc, "digest_published.cases", _i);
	struct secret *password = NULL;
	char out[DIGEST_LEN + 1];
	struct digest d;

	fill(o, &d);
	if (json_object_get(o, "password_hex") != NULL)
		password = vec_secret(o, "password_hex");
	else
		ck_ok(secret_from(span_str(vec_str(o, "password")), &password));
	ck_ok(digest_response(&d, password, vec_str(o, "method"), span_str(""), out));
	ck_assert_str_eq(out, vec_str(o, "response"));
	ck_ok(digest_check(&d, password, vec_str(o, "method"), span_str(""), out));
	secret_free(password);
	json_decref(doc);
}
END_TEST

/* What a Ub run of TS 35.208 set 1 computes (ub.md 5). */
START_TEST(ub_run)
{
	json_t *doc = vectors_load(), *o = vec_get(doc, "computed.ub_digest"), *base = vec_get(doc, "computed.base");
	struct secret *res = vec_secret(base, "res"), *ck = vec_secret(base, "ck"), *ik = vec_secret(base, "ik"), *v1 = NULL, *v2 = NULL;
	struct span body = span_str(vec_str(o, "body_200"));
	uint8_t rand[16], autn[16];
	char out[DIGEST_LEN + 1], nonce[DIGEST_NONCE_LEN + 1];
	struct digest d;

	fill(o, &d);
	ck_ok(digest_password(DIGEST_ALG_AKAV1_MD5, res, ck, ik, &v1));
	ck_assert(secret_eq(v1, res));
	ck_ok(digest_response(&d, v1, "GET", span_str(""), out));
	ck_assert_str_eq(out, vec_str(o, "akav1_response"));
	ck_ok(digest_response(&d, NULL, "GET", span_str(""), out));
	ck_assert_str_eq(out, vec_str(o, "akav1_response_sync_failure_empty_password"));
	ck_ok(digest_response(&d, v1, "", body, out));
	ck_assert_str_eq(out, vec_str(o, "akav1_rspauth_200"));
	ck_ok(digest_check(&d, v1, "", body, vec_str(o, "akav1_rspauth_200")));
	body.n--;		/* one octet of the answer lost */
	ck_rc(digest_check(&d, v1, "", body, vec_str(o, "akav1_rspauth_200")), RC_DENIED);
	ck_ok(digest_password(DIGEST_ALG_AKAV2_MD5, res, ck, ik, &v2));
	ck_assert(span_eq_str(secret_span(v2), vec_str(o, "akav2_password")));
	d.alg = DIGEST_ALG_AKAV2_MD5;
	ck_ok(digest_response(&d, v2, "GET", span_str(""), out));
	ck_assert_str_eq(out, vec_str(o, "akav2_response"));
	ck_ok(digest_nonce_parse(vec_str(o, "nonce"), rand, autn));
	vec_eq(base, "rand", (struct span){ rand, 16 });
	vec_eq(base, "autn", (struct span){ autn, 16 });
	digest_nonce_print(rand, autn, nonce);
	ck_assert_str_eq(nonce, vec_str(o, "nonce"));
	secret_free(res);
	secret_free(ck);
	secret_free(ik);
	secret_free(v1);
	secret_free(v2);
	json_decref(doc);
}
END_TEST

/* TS 24.109 5.2: the same arithmetic for a NAF, password = base64(Ks_NAF). */
START_TEST(ua_digest)
{
	json_t *doc = vectors_load(), *o = vec_get(doc, "computed.ua_digest");
	struct secret *password = NULL;
	char out[DIGEST_LEN + 1];
	struct digest d;

	fill(o, &d);
	d.alg = DIGEST_ALG_MD5;
	ck_ok(secret_from(span_str(vec_str(o, "password")), &password));
	ck_ok(digest_response(&d, password, vec_str(o, "method"), span_str(""), out));
	ck_assert_str_eq(out, vec_str(o, "response"));
	secret_free(password);
	json_decref(doc);
}
END_TEST

/* RES may hold 00, and nothing may end there. */
START_TEST(res_with_nul_octets)
{
	struct digest d = { .username = "u", .realm = "r", .nonce = "n", .uri = "/" };
	struct secret *a = NULL, *b = NULL;
	char ra[DIGEST_LEN + 1], rb[DIGEST_LEN + 1];

	ck_ok(secret_from(span_of("\0\1\2\3\4\5\6\7", 8), &a));
	ck_ok(secret_from(span_of("\0\1\2\3\4\5\6\1", 8), &b));
	ck_ok(digest_response(&d, a, "GET", span_str(""), ra));
	ck_ok(digest_response(&d, b, "GET", span_str(""), rb));
	ck_assert_str_ne(ra, rb);
	ck_ok(digest_response(&d, NULL, "GET", span_str(""), rb));
	ck_assert_str_ne(ra, rb);
	secret_free(a);
	secret_free(b);
}
END_TEST

/* Every input of the response must matter. */
START_TEST(each_input_counts)
{
	const struct digest good = {
		.have = DIGEST_QOP, .username = "u", .realm = "r", .nonce = "n", .uri = "/", .nc = "00000001", .cnonce = "c", .qop = DIGEST_QOP_AUTH_INT
	};
	struct digest d[8];
	char right[DIGEST_LEN + 1];

	ck_ok(digest_response(&good, NULL, "GET", span_str("b"), right));
	for (int i = 0; i < TABLE_N(d); i++)
		d[i] = good;
	d[0].username[0] = 'U';
	d[1].realm[0] = 'R';
	d[2].nonce[0] = 'N';
	d[3].uri[0] = '*';
	d[4].nc[7] = '2';
	d[5].cnonce[0] = 'C';
	d[6].qop = DIGEST_QOP_AUTH;
	d[7].qop = DIGEST_QOP_NONE;
	d[7].have = 0;
	for (int i = 0; i < TABLE_N(d); i++)
		ck_assert_msg(digest_check(&d[i], NULL, "GET", span_str("b"), right) == RC_DENIED, "%d", i);
	ck_rc(digest_check(&good, NULL, "PUT", span_str("b"), right), RC_DENIED);
	ck_rc(digest_check(&good, NULL, "GET", span_str("c"), right), RC_DENIED);
	ck_ok(digest_check(&good, NULL, "GET", span_str("b"), right));
}
END_TEST

START_TEST(claims_of_another_form)
{
	const struct digest d = { .username = "u", .realm = "r", .nonce = "n", .uri = "/" };
	char right[DIGEST_LEN + 2];

	ck_ok(digest_response(&d, NULL, "GET", span_str(""), right));
	ck_rc(digest_check(&d, NULL, "GET", span_str(""), ""), RC_DENIED);
	right[DIGEST_LEN] = '0';
	right[DIGEST_LEN + 1] = '\0';
	ck_rc(digest_check(&d, NULL, "GET", span_str(""), right), RC_DENIED);
	right[DIGEST_LEN - 1] = '\0';
	ck_rc(digest_check(&d, NULL, "GET", span_str(""), right), RC_DENIED);
}
END_TEST

START_TEST(what_cannot_be_computed)
{
	struct digest d = { .username = "u", .realm = "r", .nonce = "n", .uri = "/" };
	struct secret *res = NULL, *out = NULL;
	char r[DIGEST_LEN + 1];

	untouched_fill(r, sizeof r);
	d.qop = DIGEST_QOP_AUTH | DIGEST_QOP_AUTH_INT;
	d.have = DIGEST_QOP;
	ck_rc(digest_response(&d, NULL, "GET", span_str(""), r), RC_RANGE);
	d.qop = DIGEST_QOP_NONE;	/* a qop that we do not know is not the same as none */
	ck_rc(digest_response(&d, NULL, "GET", span_str(""), r), RC_RANGE);
	d.have = 0;
	d.qop = DIGEST_QOP_AUTH;
	ck_rc(digest_response(&d, NULL, "GET", span_str(""), r), RC_RANGE);
	d.qop = DIGEST_QOP_NONE;
	d.alg = DIGEST_ALG_OTHER;
	ck_rc(digest_response(&d, NULL, "GET", span_str(""), r), RC_RANGE);
	ck_rc(digest_check(&d, NULL, "GET", span_str(""), ""), RC_RANGE);
	ck_assert(untouched(r, sizeof r));
	ck_ok(secret_new(8, &res));
	ck_rc(digest_password(DIGEST_ALG_MD5, res, res, res, &out), RC_RANGE);
	ck_rc(digest_password(DIGEST_ALG_OTHER, res, res, res, &out), RC_RANGE);
	ck_rc(digest_password(DIGEST_ALG_AKAV2_MD5, res, NULL, NULL, &out), RC_RANGE);
	ck_assert_ptr_null(out);
	secret_free(res);
}
END_TEST

static const char *const bad_nonces[] = {
	"", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfr7M", "I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfr7N=",
	"I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfrw==", "I1U8vpY3qJ0hiuZNrke-NVXzKLQ1d7m5Sp_6w1Tfr7M=", "I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfr7M= ",
};
START_TEST(nonce_is_rand_and_autn)
{
	uint8_t rand[16], autn[16];

	untouched_fill(rand, 16);
	untouched_fill(autn, 16);
	ck_rc(digest_nonce_parse(bad_nonces[_i], rand, autn), RC_SYNTAX);
	ck_assert(untouched(rand, 16) && untouched(autn, 16));
	/* server data behind them is not ours to read */
	ck_ok(digest_nonce_parse("I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfr7MAAAA=", rand, autn));
	ck_assert_uint_eq(autn[15], 0xb3);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("digest_aka");
	TCase *t = tcase_create("digest_aka");

	tcase_add_loop_test(t, published, 0, vec_count("digest_published.cases"));
	tcase_add_test(t, ub_run);
	tcase_add_test(t, ua_digest);
	tcase_add_test(t, res_with_nul_octets);
	tcase_add_test(t, each_input_counts);
	tcase_add_test(t, claims_of_another_form);
	tcase_add_test(t, what_cannot_be_computed);
	tcase_add_loop_test(t, nonce_is_rand_and_autn, 0, TABLE_N(bad_nonces));
	suite_add_tcase(s, t);
	return unit_run(s);
}
