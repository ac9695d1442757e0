#include "common/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unistd.h>

#include "common/conf_int.h"

/* libconfuse's error callback has no argument of ours; its lexer is one per process anyway. */
static _Thread_local struct conf *reading;

/* One line: FILE:LINE: KEY: text. line 0 and key NULL are left out. */
static void PRINTF_LIKE(4, 0)
vsay(struct conf *c, int line, const char *key, const char *fmt, va_list ap)
{
	fprintf(c->err, "%s:", c->name);
	if (line > 0)
		fprintf(c->err, "%d:", line);
	fprintf(c->err, key != NULL ? " %s: " : " ", key);
	vfprintf(c->err, fmt, ap);
	fputc('\n', c->err);
}

static void PRINTF_LIKE(4, 0)
vcomplain(struct conf *c, int line, const char *key, const char *fmt, va_list ap)
{
	c->complaints++;
	vsay(c, line, key, fmt, ap);
}

static void PRINTF_LIKE(4, 5)
say_at(struct conf *c, int line, const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(c, line, key, fmt, ap);
	va_end(ap);
}

static void PRINTF_LIKE(4, 5)
complain_at(struct conf *c, int line, const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vcomplain(c, line, key, fmt, ap);
	va_end(ap);
}

/* Where a key stands; for one that does not, its section. */
static int
line_of(const struct conf *c, const cfg_t *s, const char *key)
{
	const struct conf_node *n = key != NULL ? conf_node_find(c, s, key) : NULL;

	if (n != NULL)
		return n->line;
	for (size_t i = 0; s != NULL && i < c->scan.n; i++)
		if (c->scan.v[i].section == s)
			return c->scan.v[i].line;
	return 0;
}

void
conf_complain(struct conf *c, cfg_t *s, const char *key, const char *fmt, ...)
{
	int line = line_of(c, s, key);
	char where[80];
	va_list ap;

	/* a section that does not stand in the file has no line to show whose key it is */
	if (line == 0 && key != NULL && s != NULL && s != c->top) {
		snprintf(where, sizeof where, "%s { %s }", cfg_name(s), key);
		key = where;
	}
	va_start(ap, fmt);
	vcomplain(c, line, key, fmt, ap);
	va_end(ap);
}

void
conf_check_only(struct conf *c)
{
	c->checking = true;
}

bool
conf_unchecked(struct conf *c, cfg_t *s, const char *key, const char *name)
{
	bool given = strncmp(name, "credential:", 11) == 0 || (strncmp(name, "/run/credentials/", 17) == 0 && access(name, F_OK) != 0);

	if (!c->checking || !given || getenv("CREDENTIALS_DIRECTORY") != NULL)
		return false;
	say_at(c, line_of(c, s, key), key, "%s: not checked: systemd gives it to the unit alone", name);
	return true;
}

static void PRINTF_LIKE(2, 0)
on_libconfuse(cfg_t *cfg, const char *fmt, va_list ap)
{
	vcomplain(reading, cfg != NULL ? cfg->line : 0, NULL, fmt, ap);
}

/* --- what stands in the file against the table */

static const cfg_opt_t *
opt_find(const cfg_opt_t *opts, struct span key)
{
	for (; opts != NULL && opts->name != NULL; opts++)
		if (span_eq_str(key, opts->name))
			return opts;
	return NULL;
}

/* Says what would have been taken: the mistake is mostly one letter. */
static void
unknown(struct conf *c, const struct conf_node *n, const char *key, const cfg_opt_t *opts)
{
	char known[512] = "";
	size_t len = 0;

	for (; opts != NULL && opts->name != NULL && len < sizeof known - 64; opts++)
		len += (size_t)snprintf(known + len, sizeof known - len, " %.62s", opts->name);
	complain_at(c, n->line, key, "unknown here; expected one of:%s", known);
}

static bool
same(const struct conf_node *a, const struct conf_node *b, bool by_title)
{
	return a->parent == b->parent && span_eq(a->key, b->key) && (!by_title || span_eq(a->raw, b->raw));
}

/* RULES S4: a second value, or section, of one name; with CFGF_MULTI, of one title. */
static void
repeated(struct conf *c, size_t i, const char *key, const cfg_opt_t *opt)
{
	const struct conf_node *v = c->scan.v;
	bool by_title = (opt->flags & CFGF_TITLE) != 0;
	size_t n = 1;

	for (size_t k = 0; k < i; k++) {
		if (!same(&v[k], &v[i], by_title))
			continue;
		if (by_title) {
			complain_at(c, v[i].line, key, "'%.*s' is given twice; line %d has it too", (int)v[i].raw.n,
			    (const char *)v[i].raw.p, v[k].line);
			return;
		}
		if ((opt->flags & CFGF_MULTI) == 0) {
			complain_at(c, v[i].line, key, "given twice; line %d has it too", v[k].line);
			return;
		}
		n++;
	}
	if (n > CONF_LIST_MAX)
		complain_at(c, v[i].line, key, "more than %d of these", CONF_LIST_MAX);
}

/* One statement; *opts becomes the table that holds inside it, NULL when it was complained about. */
static const cfg_opt_t *
check_node(struct conf *c, size_t i, const cfg_opt_t *opts)
{
	const struct conf_node *n = &c->scan.v[i];
	const cfg_opt_t *opt = opt_find(opts, n->key);
	char key[64];

	if (!span_to_str(n->key, key, sizeof key))
		snprintf(key, sizeof key, "a key too long");
	if (opt == NULL) {
		unknown(c, n, key, opts);
		return NULL;
	}
	if ((opt->type == CFGT_SEC) != (n->kind == CONF_NODE_SECTION)) {
		complain_at(c, n->line, key, opt->type == CFGT_SEC ? "expected a section: %s { … }" : "expected a value: %s = …", key);
		return NULL;
	}
	if (opt->type == CFGT_SEC && ((opt->flags & CFGF_TITLE) != 0) != (n->raw.n > 0)) {
		complain_at(c, n->line, key, (opt->flags & CFGF_TITLE) != 0 ? "expected a title: %s \"…\" { … }" :
		    "expected no title: %s { … }", key);
		return NULL;
	}
	if (n->kind == CONF_NODE_LIST && (opt->flags & CFGF_LIST) == 0) {
		complain_at(c, n->line, key, "expected one value, not a list");
		return NULL;
	}
	repeated(c, i, key, opt);
	return opt->type == CFGT_SEC ? opt->subopts : opts;
}

static enum rc
check(struct conf *c, const cfg_opt_t *opts)
{
	const cfg_opt_t **inside = calloc(c->scan.n + 1, sizeof(cfg_opt_t *));

	if (inside == NULL)
		return RC_NOMEM;
	/* A section comes before what stands in it. Inside one that was complained about nothing more is said. */
	for (size_t i = 0; i < c->scan.n; i++) {
		size_t parent = c->scan.v[i].parent;
		const cfg_opt_t *here = parent == CONF_AT_TOP ? opts : inside[parent];

		if (here != NULL)
			inside[i] = check_node(c, i, here);
	}
	free(inside);
	return conf_done(c);
}

/* Which of libconfuse's sections is which of ours: the k-th of a name is the k-th. */
static void
match_sections(struct conf *c)
{
	struct conf_node *v = c->scan.v;

	for (size_t i = 0; i < c->scan.n; i++) {
		cfg_t *parent = v[i].parent == CONF_AT_TOP ? c->top : v[v[i].parent].section;
		unsigned k = 0;
		char key[64];

		if (v[i].kind != CONF_NODE_SECTION || parent == NULL || !span_to_str(v[i].key, key, sizeof key))
			continue;
		for (size_t j = 0; j < i; j++)
			k += same(&v[j], &v[i], false);
		v[i].section = cfg_getnsec(parent, key, k);
	}
}

/* --- reading */

enum rc
conf_parse(const char *name, struct span text, cfg_opt_t *opts, FILE *err, struct conf **out)
{
	struct conf *c = calloc(1, sizeof *c);
	struct conf_scan_error why;
	enum rc rc = RC_NOMEM;

	if (c == NULL || (c->name = strdup(name)) == NULL)
		goto out;
	c->err = err;
	if ((rc = conf_scan(text, &c->scan, &why)) != RC_OK) {
		if (rc == RC_SYNTAX)
			complain_at(c, why.line, NULL, "%s", why.text);
		goto out;
	}
	if ((rc = check(c, opts)) != RC_OK)
		goto out;
	rc = RC_NOMEM;
	if ((c->top = cfg_init(opts, CFGF_NONE)) == NULL)
		goto out;
	cfg_set_error_function(c->top, on_libconfuse);
	reading = c;
	rc = cfg_parse_buf(c->top, c->scan.clean) == CFG_SUCCESS ? RC_OK : RC_SYNTAX;
	reading = NULL;
	if (rc != RC_OK)
		goto out;
	match_sections(c);
	*out = c;
	c = NULL;
out:
	conf_free(c);
	return rc;
}

static enum rc
read_all(const char *path, char *buf, size_t cap, size_t *n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;
	size_t len = 0;

	while (fd >= 0 && len < cap && (got = read(fd, buf + len, cap - len)) > 0)
		len += (size_t)got;
	if (fd < 0 || got < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return RC_IO;
	}
	close(fd);
	*n = len;
	return RC_OK;
}

enum rc
conf_load(const char *path, cfg_opt_t *opts, struct conf **out)
{
	size_t cap = CONF_FILE_MAX + 1, n;	/* one more, so that a file too long is seen to be so */
	char *buf = malloc(cap);
	enum rc rc = RC_NOMEM;

	if (buf == NULL)
		goto out;
	if ((rc = read_all(path, buf, cap, &n)) != RC_OK)
		goto out;
	rc = conf_parse(path, span_of(buf, n), opts, stderr, out);
out:
	if (buf != NULL)
		explicit_bzero(buf, cap);	/* a card image holds K */
	free(buf);
	return rc;
}

void
conf_free(struct conf *c)
{
	if (c == NULL)
		return;
	if (c->top != NULL)
		cfg_free(c->top);
	conf_scan_free(&c->scan);
	free(c->name);
	free(c);
}

enum rc
conf_done(const struct conf *c)
{
	return c->complaints == 0 ? RC_OK : RC_SYNTAX;
}
