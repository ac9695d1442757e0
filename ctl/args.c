/* args: the command line against the table of verbs. Pure, but for the whole path of a file that is named. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/span.h"
#include "ctl/ksctl.h"

#define TEXT_MAX 1024
#define NUMBER_MAX (UINT64_C(1) << 53)
#define SECONDS_MAX 3600
#define WORDS_MAX 4		/* of a verb */

struct parse {
	int argc;
	char *const *argv;
	int at;
	bool no_options;	/* behind "--" */
	struct ksctl_args *out;
	char *why;
	size_t cap;
};

static enum rc PRINTF_LIKE(2, 3)
wrong(struct parse *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, p->cap, fmt, ap);
	va_end(ap);
	return RC_SYNTAX;
}

/* --- values */

static enum rc
put(struct parse *p, const struct ksctl_param *q, json_t *value)
{
	if (value == NULL || q->member == NULL || json_object_set_new(p->out->body, q->member, value) != 0)
		return wrong(p, "%s: not taken: it is no UTF-8", q->name);
	return RC_OK;
}

static enum rc
number(struct parse *p, const struct ksctl_param *q, const char *text)
{
	struct span in = span_str(text), sign;
	uint64_t v, max = q->kind == KSCTL_SECONDS ? SECONDS_MAX : NUMBER_MAX;
	bool minus = false;

	if (q->kind == KSCTL_SIGNED && in.n > 0 && (in.p[0] == '+' || in.p[0] == '-')) {
		(void)span_take(&in, 1, &sign);
		minus = sign.p[0] == '-';
	}
	if (!span_decimal(in, max, &v))
		return wrong(p, "%s: '%.40s': expected a whole number%s", q->name, text, q->kind == KSCTL_SECONDS ? " of seconds, 0 to 3600" : "");
	if (q->kind == KSCTL_SECONDS)
		p->out->timeout_s = (int64_t)v;
	return put(p, q, json_integer(minus ? -(json_int_t)v : (json_int_t)v));
}

/* The daemon has a directory of its own. */
static enum rc
path(struct parse *p, const struct ksctl_param *q, const char *text)
{
	char *whole = realpath(text, NULL);
	enum rc rc;

	if (whole == NULL)
		return wrong(p, "%s: %.200s: %s", q->name, text, strerror(errno));
	rc = put(p, q, json_string(whole));
	free(whole);
	return rc;
}

static enum rc
value(struct parse *p, const struct ksctl_param *q, const char *text)
{
	switch (q->kind) {
	case KSCTL_FLAG:
		if (strcmp(q->name, "--follow") == 0) {
			p->out->follow = true;
			return RC_OK;
		}
		return put(p, q, json_true());
	case KSCTL_TEXT:
		if (text[0] == '\0' || strlen(text) > TEXT_MAX)
			return wrong(p, "%s: expected 1 to %d characters", q->name, TEXT_MAX);
		return put(p, q, json_string(text));
	case KSCTL_NUMBER:
	case KSCTL_SECONDS:
	case KSCTL_SIGNED:
		return number(p, q, text);
	case KSCTL_LIFETIME:
		return put(p, q, json_string(strcmp(text, "none") == 0 ? "" : text));
	case KSCTL_PATH:
		return path(p, q, text);
	case KSCTL_FILE:
		p->out->file = text;
		p->out->file_member = q->member;
		return RC_OK;
	}
	return RC_SYNTAX;
}

/* --- words */

static bool
is_option(const struct parse *p, const char *arg)
{
	return !p->no_options && arg[0] == '-' && arg[1] == '-';
}

/* The option of that name; *text becomes what stands behind its "=", or NULL. */
static bool
named(const char *arg, const char *name, const char **text)
{
	size_t n = strlen(name);

	if (strncmp(arg, name, n) != 0 || (arg[n] != '\0' && arg[n] != '='))
		return false;
	*text = arg[n] == '=' ? arg + n + 1 : NULL;
	return true;
}

/* The value of an option: behind "=", or the next word. */
static enum rc
operand(struct parse *p, const char *name, const char *behind, const char **out)
{
	if (behind == NULL && p->at < p->argc)
		behind = p->argv[p->at++];
	if (behind == NULL)
		return wrong(p, "%s: expected a value", name);
	*out = behind;
	return RC_OK;
}

/* --lab --socket --json --help --version, anywhere. RC_NOTFOUND: none of them. */
static enum rc
global(struct parse *p, const char *arg)
{
	static const struct {
		const char *name;
		bool flag;
	} all[] = { { "--lab", false }, { "--socket", false }, { "--json", true }, { "--help", true }, { "--version", true } };
	struct ksctl_args *o = p->out;
	const char *text;

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (!named(arg, all[i].name, &text))
			continue;
		if (all[i].flag) {
			if (text != NULL)
				return wrong(p, "%s takes no value", all[i].name);
			*(i == 2 ? &o->json : i == 3 ? &o->help : &o->version) = true;
			return RC_OK;
		}
		return operand(p, all[i].name, text, i == 0 ? &o->lab : &o->socket);
	}
	return RC_NOTFOUND;
}

/* The next word that is no global option; NULL = no more. */
static enum rc
next_word(struct parse *p, const char **out)
{
	*out = NULL;
	while (p->at < p->argc) {
		const char *arg = p->argv[p->at++];
		enum rc rc;

		if (!p->no_options && strcmp(arg, "--") == 0) {
			p->no_options = true;
			continue;
		}
		rc = is_option(p, arg) ? global(p, arg) : RC_NOTFOUND;
		if (rc == RC_NOTFOUND) {
			*out = arg;
			return RC_OK;
		}
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

/* --- the verb */

/* How many words of a verb's name the given ones begin with, if all of them fit; 0 = another verb. */
static unsigned
fits(const char *words, const char *const *given, unsigned n)
{
	unsigned k = 0;

	for (const char *w = words; *w != '\0'; k++) {
		size_t len = strcspn(w, " ");

		if (k == n || strlen(given[k]) != len || strncmp(w, given[k], len) != 0)
			return 0;
		w += len + (w[len] == ' ');
	}
	return k;
}

/* The longest name that fits: "clock accept" before "clock". */
static const struct ksctl_verb *
verb_find(const struct ksctl_args *o, const char *const *given, unsigned n, unsigned *used)
{
	const struct ksctl_verb *best = NULL;

	*used = 0;
	for (const struct ksctl_verb *v = ksctl_verbs; v->words != NULL; v++) {
		unsigned k;

		if (o->daemon == KSCTL_DAEMONS ? v->daemons != 0 : (v->daemons & KSCTL_IS(o->daemon)) == 0)
			continue;
		if ((k = fits(v->words, given, n)) > *used) {
			*used = k;
			best = v;
		}
	}
	return best;
}

static enum rc
unknown_verb(struct parse *p, const char *word)
{
	char all[400] = "";
	size_t n = 0;

	for (const struct ksctl_verb *v = ksctl_verbs; v->words != NULL; v++)
		if (p->out->daemon != KSCTL_DAEMONS && (v->daemons & KSCTL_IS(p->out->daemon)) != 0 && n < sizeof all)
			n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", n > 0 ? ", " : "", v->words);
	if (p->out->daemon == KSCTL_DAEMONS)
		return wrong(p, "'%.40s': expected bsfd, nafkcd, mtd, extdevd, ladder, health, status, wait ready, card serve or line", word);
	return wrong(p, "%s%s%.40s: expected one of: %s", ksctl_daemon_name(p->out->daemon), word[0] != '\0' ? " " : "", word, all);
}

/* One word behind the verb. *place counts those that stand in their place. */
static enum rc
argument(struct parse *p, const char *arg, unsigned *place)
{
	const struct ksctl_param *q = p->out->verb->params;
	const char *text = NULL;
	unsigned k = 0;
	enum rc rc;

	for (; q != NULL && q->name != NULL; q++) {
		bool option = strncmp(q->name, "--", 2) == 0;

		if (is_option(p, arg)) {
			if (!option || !named(arg, q->name, &text))
				continue;
			if (q->kind == KSCTL_FLAG)
				return text == NULL ? value(p, q, NULL) : wrong(p, "%s takes no value", q->name);
			return (rc = operand(p, q->name, text, &text)) != RC_OK ? rc : value(p, q, text);
		}
		if (!option && k++ == *place) {
			++*place;
			return value(p, q, arg);
		}
	}
	return wrong(p, "'%.40s' is not for %s", arg, p->out->verb->words);
}

static enum rc
arguments(struct parse *p, const char *const *left, unsigned n)
{
	const struct ksctl_param *q = p->out->verb->params;
	unsigned place = 0, k = 0;
	const char *arg;
	enum rc rc;

	for (unsigned i = 0; i < n; i++)
		if ((rc = argument(p, left[i], &place)) != RC_OK)
			return rc;
	while ((rc = next_word(p, &arg)) == RC_OK && arg != NULL)
		if ((rc = argument(p, arg, &place)) != RC_OK)
			return rc;
	if (rc != RC_OK)
		return rc;
	for (; q != NULL && q->name != NULL; q++) {
		bool option = strncmp(q->name, "--", 2) == 0;

		if (q->needed && (option ? json_object_get(p->out->body, q->member) == NULL : k++ >= place))
			return wrong(p, "%s: expected %s%s%s", p->out->verb->words, q->name, option ? " " : "", option ? ksctl_operand(q) : "");
	}
	return RC_OK;
}

/* Up to WORDS_MAX words that may be the verb's; the first option ends them and is kept for arguments(). */
static enum rc
verb(struct parse *p, const char *first)
{
	const char *given[WORDS_MAX];
	unsigned n = 0, used;
	enum rc rc;

	for (const char *w = first; w != NULL; ) {
		given[n++] = w;
		if (n == WORDS_MAX || is_option(p, w))
			break;
		if ((rc = next_word(p, &w)) != RC_OK)
			return rc;
	}
	if ((p->out->verb = verb_find(p->out, given, n, &used)) == NULL)
		return p->out->help ? RC_OK : unknown_verb(p, n > 0 ? given[0] : "");
	p->out->timeout_s = p->out->verb->timeout_s != 0 ? p->out->verb->timeout_s : 10;
	return arguments(p, given + used, n - used);
}

enum rc
ksctl_args_parse(int argc, char *const *argv, struct ksctl_args *out, char *why, size_t cap)
{
	struct parse p = { .argc = argc, .argv = argv, .at = 1, .out = out, .why = why, .cap = cap };
	const char *word;
	enum rc rc;

	*out = (struct ksctl_args){ .daemon = KSCTL_DAEMONS };
	why[0] = '\0';
	if ((out->body = json_object()) == NULL)
		return RC_NOMEM;
	if ((rc = next_word(&p, &word)) != RC_OK)
		return rc;
	if (word == NULL)
		return out->help || out->version ? RC_OK : wrong(&p, "expected a daemon and a verb; --help tells them");
	for (unsigned d = 0; d < KSCTL_DAEMONS && out->daemon == KSCTL_DAEMONS; d++)
		if (strcmp(word, ksctl_daemon_name((enum ksctl_daemon)d)) == 0)
			out->daemon = (enum ksctl_daemon)d;
	if (out->daemon != KSCTL_DAEMONS && (rc = next_word(&p, &word)) != RC_OK)
		return rc;
	if ((rc = verb(&p, word)) != RC_OK)
		return out->help ? RC_OK : rc;
	if (out->lab != NULL && out->socket != NULL)
		return wrong(&p, "expected --lab or --socket, not both");
	if (out->socket != NULL && strncmp(out->socket, "unix:/", 6) != 0)
		return wrong(&p, "--socket: '%s': expected unix:/path, as 'status' prints it", out->socket);
	if (out->socket != NULL && out->daemon == KSCTL_DAEMONS && out->verb != NULL)
		return wrong(&p, "%s is about all four daemons: expected --lab, not --socket", out->verb->words);
	return RC_OK;
}

void
ksctl_args_free(struct ksctl_args *a)
{
	json_decref(a->body);
	a->body = NULL;
}
