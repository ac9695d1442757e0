/*
 * vectors: test/vectors/vectors.json in unit tests: values of a document or of a second implementation (derive.py), never of
 * the code under test. Found from any working directory; $KSLOCAL_VECTORS names another file. What is missing ends the test.
 */
#ifndef TEST_UNIT_VECTORS_H
#define TEST_UNIT_VECTORS_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/hex.h"
#include "test/unit/unit.h"

/* The whole document; the caller json_decref()s. Also outside of a running test, where Check's assertions do not work. */
static inline json_t *
vectors_load(void)
{
	const char *path = getenv("KSLOCAL_VECTORS");
	json_error_t err;
	json_t *doc;

	doc = json_load_file(path != NULL ? path : TEST_SRCDIR "/test/vectors/vectors.json", JSON_REJECT_DUPLICATES, &err);
	if (doc == NULL) {
		fprintf(stderr, "vectors: %s:%d: %s\n", err.source, err.line, err.text);
		exit(EXIT_FAILURE);
	}
	return doc;
}

static inline json_t *
vec_find(json_t *o, const char *path)
{
	char name[64];

	for (size_t n; o != NULL && *path != '\0'; path += n + (path[n] == '.')) {
		n = strcspn(path, ".");
		snprintf(name, sizeof name, "%.*s", (int)n, path);
		o = json_object_get(o, name);
	}
	return o;
}

/* A member by its path, "computed.base": borrowed. */
static inline json_t *
vec_get(json_t *o, const char *path)
{
	json_t *m = vec_find(o, path);

	ck_assert_msg(m != NULL, "vectors: no member \"%s\"", path);
	return m;
}

static inline const char *
vec_str(json_t *o, const char *path)
{
	const char *s = json_string_value(vec_get(o, path));

	ck_assert_msg(s != NULL, "vectors: %s is no string", path);
	return s;
}

/* Hex member into out[cap]; the number of octets. */
static inline size_t
vec_hex(json_t *o, const char *path, uint8_t *out, size_t cap)
{
	struct span text = span_str(vec_str(o, path));

	ck_assert_msg(text.n / 2 <= cap && hex_parse(text, out, text.n / 2) == RC_OK, "vectors: %s", path);
	return text.n / 2;
}

/* Hex member as a secret; the caller frees. */
static inline struct secret *
vec_secret(json_t *o, const char *path)
{
	struct span text = span_str(vec_str(o, path));
	struct secret *s = NULL;

	ck_ok(hex_parse_secret(text, text.n / 2, &s));
	return s;
}

/* Do these octets equal the hex member? */
static inline void
vec_eq(json_t *o, const char *path, struct span got)
{
	uint8_t want[8192];
	size_t n = vec_hex(o, path, want, sizeof want);

	ck_assert_msg(span_eq((struct span){ want, n }, got), "%s differs", path);
}

/* The i-th of an array member; for tcase_add_loop_test. Borrowed. */
static inline json_t *
vec_at(json_t *doc, const char *path, int i)
{
	json_t *o = json_array_get(vec_get(doc, path), (size_t)i);

	ck_assert_msg(o != NULL, "vectors: %s has no element %d", path, i);
	return o;
}

/* How many there are; a test over none would pass unseen, so none ends the program. */
static inline int
vec_count(const char *path)
{
	json_t *doc = vectors_load();
	int n = (int)json_array_size(vec_find(doc, path));

	json_decref(doc);
	if (n == 0) {
		fprintf(stderr, "vectors: nothing in %s\n", path);
		exit(EXIT_FAILURE);
	}
	return n;
}

#endif
