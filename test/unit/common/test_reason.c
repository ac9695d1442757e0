/* reason, rc: every entry is whole, and no two are taken for each other. */
#include "common/reason.h"

#include <check.h>
#include <ctype.h>

#include "test/unit/unit.h"

static const char *const local_codes[] = {
	"unknown-key", "stale-btid", "naf-not-offered", "no-uicc", "bootstrap-failed", "refused", "busy", "key-mismatch", "mt-changed",
	"clock-jumped", "bad-message", "unsupported"
};

START_TEST(entry)
{
	const struct reason_info *i = reason_get((enum reason)_i);
	bool known = false;

	ck_assert_str_ne(i->code, "");
	for (const char *c = i->code; *c != '\0'; c++)
		ck_assert_msg(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '-', "%s", i->code);
	for (size_t k = 0; k < sizeof local_codes / sizeof local_codes[0]; k++)
		known = known || strcmp(i->local, local_codes[k]) == 0;
	ck_assert_msg(known, "%s: local code %s is none of the table's", i->code, i->local);
	ck_assert_msg(i->http == 0 || (i->http >= 200 && i->http <= 599), "%s: %d", i->code, i->http);
	ck_assert_msg((i->http >= 400) >= (i->ua != NULL), "%s: a Ua word without a status", i->code);
	if (_i != REASON_NONE) {
		ck_assert_str_ne(i->what, "");
		ck_assert_str_ne(i->why, "");
		ck_assert_str_ne(i->next, "");
		ck_assert_msg(i->what[strlen(i->what) - 1] != '.', "%s", i->code);
	}
	for (int k = 0; k < _i; k++)
		ck_assert_str_ne(reason_get((enum reason)k)->code, i->code);
	ck_assert_int_eq(reason_by_code(i->code), _i);
}
END_TEST

START_TEST(unknown)
{
	ck_assert_str_eq(reason_get((enum reason)REASON_COUNT)->code, "internal");
	ck_assert_str_eq(reason_get((enum reason)-1)->code, "internal");
	ck_assert_int_eq(reason_by_code("no such code"), REASON_INTERNAL);
	ck_assert_int_eq(reason_by_code(NULL), REASON_INTERNAL);
}
END_TEST

START_TEST(tls_alerts)
{
	ck_assert_int_eq(reason_of_tls_alert(48), REASON_LINK_REFUSED_CA);
	ck_assert_int_eq(reason_of_tls_alert(45), REASON_LINK_REFUSED_EXPIRED);
	ck_assert_int_eq(reason_of_tls_alert(116), REASON_LINK_REFUSED_NO_CERT);
	for (int alert = 0; alert < 256; alert++) {
		bool refused = (alert >= 41 && alert <= 46) || alert == 48 || alert == 49 || alert == 116;

		ck_assert_msg((reason_of_tls_alert(alert) == REASON_LINK_TLS_BROKEN) == !refused, "alert %d", alert);
	}
}
END_TEST

START_TEST(rc_words)
{
	for (int a = RC_OK; a <= RC_STATE; a++) {
		ck_assert_str_ne(rc_str((enum rc)a), "unknown");
		for (int b = RC_OK; b < a; b++)
			ck_assert_str_ne(rc_str((enum rc)a), rc_str((enum rc)b));
	}
	ck_assert_str_eq(rc_str((enum rc)99), "unknown");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("reason");
	TCase *t = tcase_create("reason");

	tcase_add_loop_test(t, entry, 0, REASON_COUNT);
	tcase_add_test(t, unknown);
	tcase_add_test(t, tls_alerts);
	tcase_add_test(t, rc_words);
	suite_add_tcase(s, t);
	return unit_run(s);
}
