/* guss: USS in JSON, ussList in XML. */
#include "bsfd/guss.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/span.h"

#define NS "urn:3gpp:gba:GBAGUSSSchema-R9:2010-02"

static enum rc wrong(char *text, size_t cap, const char *fmt, ...) PRINTF_LIKE(3, 4);

static enum rc
wrong(char *text, size_t cap, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, cap, fmt, ap);
	va_end(ap);
	return RC_SYNTAX;
}

static bool
number_ok(const json_t *v)
{
	return json_is_integer(v) && json_integer_value(v) >= 0 && json_integer_value(v) <= UINT32_MAX;
}

/* Text that XML takes as it is: printable ASCII without markup, so that printing needs no escapes. */
static bool
plain_ok(const json_t *v)
{
	const char *s = json_string_value(v);
	size_t n = json_string_length(v);

	if (s == NULL || n < 1 || n > BSF_USS_TEXT_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] > 0x7e || strchr("<>&\"'", s[i]) != NULL)
			return false;
	return true;
}

static bool
key_choice_ok(const json_t *v)
{
	static const char *const words[] = { "ME-based-key", "UICC-based-key", "ME-UICC-based-keys" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (json_is_string(v) && strcmp(json_string_value(v), words[i]) == 0)
			return true;
	return false;
}

static bool
list_ok(const json_t *v, bool (*ok)(const json_t *))
{
	if (!json_is_array(v) || json_array_size(v) > BSF_USS_MAX)
		return false;
	for (size_t i = 0; i < json_array_size(v); i++)
		if (!ok(json_array_get(v, i)))
			return false;
	return true;
}

static enum rc
check_member(const char *key, const json_t *v, size_t i, char *text, size_t cap)
{
	bool number = strcmp(key, "id") == 0 || strcmp(key, "type") == 0;
	bool ok;

	if (number)
		ok = number_ok(v);
	else if (strcmp(key, "nafGroup") == 0)
		ok = plain_ok(v);
	else if (strcmp(key, "ueIds") == 0)
		ok = list_ok(v, plain_ok);
	else if (strcmp(key, "flags") == 0)
		ok = list_ok(v, number_ok);
	else if (strcmp(key, "keyChoice") == 0)
		ok = key_choice_ok(v);
	else
		return wrong(text, cap, "uss: entry %zu: %.40s: no such member", i + 1, key);
	return ok ? RC_OK : wrong(text, cap, "uss: entry %zu: %s: expected %s", i + 1, key, number ? "a number up to 4294967295" :
	    "the form of guss.h: plain text without markup, short lists");
}

enum rc
bsf_guss_check(const json_t *uss, char *text, size_t cap)
{
	if (!json_is_array(uss) || json_array_size(uss) > BSF_USS_MAX)
		return wrong(text, cap, "uss: expected a list of at most %d objects", BSF_USS_MAX);
	for (size_t i = 0; i < json_array_size(uss); i++) {
		json_t *o = json_array_get(uss, i), *v;
		const char *key;

		if (json_object_get(o, "id") == NULL || json_object_get(o, "type") == NULL)
			return wrong(text, cap, "uss: entry %zu: id or type is missing", i + 1);
		json_object_foreach(o, key, v)
			if (check_member(key, v, i, text, cap) != RC_OK)
				return RC_SYNTAX;
	}
	return RC_OK;
}

/* --- printing */

struct out {
	char *p;
	size_t cap, n;
	bool full;
};

static void put(struct out *o, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (o->full)
		return;
	va_start(ap, fmt);
	n = vsnprintf(o->p + o->n, o->cap - o->n, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= o->cap - o->n)
		o->full = true;
	else
		o->n += (size_t)n;
}

static void
put_uss(struct out *o, const json_t *uss)
{
	const char *group = json_string_value(json_object_get(uss, "nafGroup"));
	const char *choice = json_string_value(json_object_get(uss, "keyChoice"));
	const json_t *ids = json_object_get(uss, "ueIds"), *flags = json_object_get(uss, "flags");

	put(o, "  <uss id=\"%lld\" type=\"%lld\"", (long long)json_integer_value(json_object_get(uss, "id")),
	    (long long)json_integer_value(json_object_get(uss, "type")));
	if (group != NULL)
		put(o, " nafGroup=\"%s\"", group);
	put(o, "><ueIds>");
	for (size_t i = 0; i < json_array_size(ids); i++)
		put(o, "<ueId>%s</ueId>", json_string_value(json_array_get(ids, i)));
	put(o, "</ueIds><flags>");
	for (size_t i = 0; i < json_array_size(flags); i++)
		put(o, "<flag>%lld</flag>", (long long)json_integer_value(json_array_get(flags, i)));
	put(o, "</flags>");
	if (choice != NULL)
		put(o, "<keyChoice>%s</keyChoice>", choice);
	put(o, "</uss>\n");
}

static bool
asked(const json_t *uss, const uint32_t *gsids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (json_integer_value(json_object_get(uss, "id")) == (json_int_t)gsids[i])
			return true;
	return false;
}

enum rc
bsf_guss_print(const char *uss, const uint32_t *gsids, size_t n_gsids, char *out, size_t cap, size_t *n)
{
	struct out o = { .p = out, .cap = cap };
	json_t *list = NULL;
	char text[8];
	size_t found = 0;
	enum rc rc = RC_SYNTAX;

	*n = 0;
	if (uss[0] == '\0' || n_gsids == 0)
		return RC_OK;
	if ((list = json_loads(uss, JSON_REJECT_DUPLICATES, NULL)) == NULL || bsf_guss_check(list, text, sizeof text) != RC_OK)
		goto out;
	put(&o, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ussList xmlns=\"" NS "\">\n");
	for (size_t i = 0; i < json_array_size(list); i++)
		if (asked(json_array_get(list, i), gsids, n_gsids)) {
			put_uss(&o, json_array_get(list, i));
			found++;
		}
	put(&o, "</ussList>\n");
	rc = o.full ? RC_RANGE : RC_OK;
	if (rc == RC_OK && found > 0)
		*n = o.n;
out:
	json_decref(list);
	return rc;
}
