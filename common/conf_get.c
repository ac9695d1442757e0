/* conf_get: the getters of conf.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf_int.h"
#include "common/keyfile.h"
#include "common/log.h"

static cfg_t *
section_of(const struct conf *c, cfg_t *s)
{
	return s != NULL ? s : c->top;
}

/* An option of the table; one that is not in it is our own bug. */
static cfg_opt_t *
opt_of(const struct conf *c, cfg_t *s, const char *key)
{
	cfg_opt_t *opt = cfg_getopt(section_of(c, s), key);

	if (opt == NULL)
		log_fatal("conf: no option '%s' in the table", key);
	return opt;
}

const struct conf_node *
conf_node_find(const struct conf *c, const cfg_t *s, const char *key)
{
	const struct conf_node *v = c->scan.v, *last = NULL;

	for (size_t i = 0; i < c->scan.n; i++) {
		const void *in = v[i].parent == CONF_AT_TOP ? NULL : v[v[i].parent].section;

		if (in == (s == c->top ? NULL : s) && span_eq_str(v[i].key, key))
			last = &v[i];
	}
	return last;
}

/* A text, by place; NULL = none. */
static const char *
nth(const struct conf *c, cfg_t *s, const char *key, size_t i)
{
	cfg_opt_t *opt = opt_of(c, s, key);
	const char *text;

	if (opt->type != CFGT_STR)
		log_fatal("conf: option '%s' is no text", key);
	text = i < cfg_opt_size(opt) ? cfg_opt_getnstr(opt, (unsigned)i) : NULL;
	return text != NULL && text[0] != '\0' ? text : NULL;
}

bool
conf_has(const struct conf *c, cfg_t *s, const char *key)
{
	const cfg_opt_t *opt = opt_of(c, s, key);

	switch (opt->type) {
	case CFGT_STR:
		return nth(c, s, key, 0) != NULL;
	case CFGT_SEC:
		return conf_node_find(c, s, key) != NULL;
	default:
		return true;
	}
}

size_t
conf_count(const struct conf *c, cfg_t *s, const char *key)
{
	return cfg_opt_size(opt_of(c, s, key));
}

cfg_t *
conf_section(struct conf *c, cfg_t *s, const char *key, size_t i)
{
	cfg_t *sub = cfg_opt_getnsec(opt_of(c, s, key), (unsigned)i);

	if (sub == NULL)
		log_fatal("conf: no section '%s' number %zu", key, i);
	return sub;
}

const char *
conf_title(cfg_t *s)
{
	const char *title = cfg_title(s);

	return title != NULL ? title : "";
}

/* --- texts */

static void
complain_value(struct conf *c, cfg_t *s, const char *key, const char *text, const char *expected)
{
	char shown[128];

	conf_complain(c, s, key, "'%s'; expected %s", log_text(span_str(text), shown, sizeof shown), expected);
}

const char *
conf_optional(struct conf *c, cfg_t *s, const char *key, enum conf_kind kind)
{
	return conf_has(c, s, key) ? conf_text(c, s, key, kind) : NULL;
}

const char *
conf_text_at(struct conf *c, cfg_t *s, const char *key, size_t i, enum conf_kind kind)
{
	const char *text = nth(c, s, key, i);
	char why[512];

	if (text == NULL) {
		conf_complain(c, s, key, "is missing; expected %s", conf_expected(kind));
		return "";
	}
	if (!conf_text_ok(span_str(text), kind)) {
		/* CONF_ANY may be a PIN: it is not shown. */
		if (kind == CONF_ANY)
			conf_complain(c, s, key, "expected %s", conf_expected(kind));
		else
			complain_value(c, s, key, text, conf_expected(kind));
		return "";
	}
	if ((kind == CONF_FILE || kind == CONF_PRIVATE_FILE) && conf_unchecked(c, s, key, text))
		return text;
	if (kind == CONF_FILE && access(text, R_OK) != 0) {
		conf_complain(c, s, key, "%s: %s; expected %s", text, strerror(errno), conf_expected(kind));
		return "";
	}
	if (kind == CONF_PRIVATE_FILE && keyfile_check(text, why, sizeof why) != RC_OK) {
		conf_complain(c, s, key, "%s; expected %s", why, conf_expected(kind));
		return "";
	}
	return text;
}

const char *
conf_text(struct conf *c, cfg_t *s, const char *key, enum conf_kind kind)
{
	return conf_text_at(c, s, key, 0, kind);
}

int64_t
conf_duration(struct conf *c, cfg_t *s, const char *key, int64_t min, int64_t max)
{
	const char *text = nth(c, s, key, 0);
	int64_t v = min;
	enum rc rc;

	if (text == NULL) {
		conf_complain(c, s, key, "is missing; expected a duration such as 30s 10m 6h 1d");
		return min;
	}
	if ((rc = conf_parse_duration(span_str(text), &v)) == RC_SYNTAX) {
		complain_value(c, s, key, text, "a duration such as 30s 10m 6h 1d");
		return min;
	}
	if (rc != RC_OK || v < min || v > max) {
		conf_complain(c, s, key, "'%s'; expected %llds to %llds", text, (long long)min, (long long)max);
		return min;
	}
	return v;
}

unsigned
conf_word(struct conf *c, cfg_t *s, const char *key, const char *const *words)
{
	const char *text = nth(c, s, key, 0);
	char all[256] = "one of:";
	size_t n = strlen(all);

	for (unsigned i = 0; words[i] != NULL; i++) {
		if (text != NULL && strcmp(text, words[i]) == 0)
			return i;
		if (n < sizeof all)
			n += (size_t)snprintf(all + n, sizeof all - n, " %s", words[i]);
	}
	if (text == NULL)
		conf_complain(c, s, key, "is missing; expected %s", all);
	else
		complain_value(c, s, key, text, all);
	return 0;
}

/* --- numbers */

int64_t
conf_int(struct conf *c, cfg_t *s, const char *key, int64_t min, int64_t max)
{
	cfg_opt_t *opt = opt_of(c, s, key);
	const struct conf_node *n = conf_node_find(c, s, key);
	struct span digits;
	int64_t v;
	uint64_t ignored;

	if (opt->type != CFGT_INT)
		log_fatal("conf: option '%s' is no number", key);
	v = cfg_opt_getnint(opt, 0);
	if (n != NULL) {
		/* libconfuse reads 010 as 8 and 0x10 as 16. */
		digits = n->raw;
		if (digits.n > 0 && digits.p[0] == '-')
			(void)span_take(&digits, 1, &(struct span){ 0 });
		if (!span_decimal(digits, INT64_MAX, &ignored)) {
			conf_complain(c, s, key, "expected a decimal number");
			return min;
		}
	}
	if (v < min || v > max) {
		conf_complain(c, s, key, "%lld; expected %lld to %lld", (long long)v, (long long)min, (long long)max);
		return min;
	}
	return v;
}

bool
conf_bool(struct conf *c, cfg_t *s, const char *key)
{
	cfg_opt_t *opt = opt_of(c, s, key);

	if (opt->type != CFGT_BOOL)
		log_fatal("conf: option '%s' is no yes or no", key);
	return cfg_opt_getnbool(opt, 0) == cfg_true;
}
