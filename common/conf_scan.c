#include "common/conf_scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"

enum tok { TOK_END, TOK_WORD, TOK_STRING, TOK_EQUALS, TOK_OPEN, TOK_CLOSE, TOK_COMMA, TOK_BAD };

struct scanner {
	struct span in;			/* what is left */
	size_t whole;
	int line;
	struct conf_scan *out;
	size_t cap;			/* of out->v */
	struct conf_scan_error *err;
};

static enum rc PRINTF_LIKE(3, 4)
wrong(struct scanner *s, int line, const char *fmt, ...)
{
	va_list ap;

	s->err->line = line;
	va_start(ap, fmt);
	vsnprintf(s->err->text, sizeof s->err->text, fmt, ap);
	va_end(ap);
	return RC_SYNTAX;
}

/* --- tokens */

static bool
at(const struct scanner *s, char c)
{
	return s->in.n > 0 && s->in.p[0] == (uint8_t)c;
}

static bool
at_pair(const struct scanner *s, char a, char b)
{
	return s->in.n > 1 && s->in.p[0] == (uint8_t)a && s->in.p[1] == (uint8_t)b;
}

static void
skip(struct scanner *s, size_t n)
{
	struct span over;

	if (!span_take(&s->in, n, &over))
		return;
	for (size_t i = 0; i < over.n; i++)
		s->line += over.p[i] == '\n';
}

/* The same, and libconfuse shall not see it. Newlines stay, they count. */
static void
blank(struct scanner *s, size_t n)
{
	char *c = s->out->clean + (s->whole - s->in.n);

	for (size_t i = 0; i < n; i++)
		if (c[i] != '\n')
			c[i] = ' ';
	skip(s, n);
}

static enum rc
skip_blanks(struct scanner *s)
{
	for (;;) {
		int from = s->line;

		if (at(s, ' ') || at(s, '\t') || at(s, '\r') || at(s, '\n')) {
			skip(s, 1);
		} else if (at(s, '#') || at_pair(s, '/', '/')) {
			while (s->in.n > 0 && !at(s, '\n'))
				blank(s, 1);
		} else if (at_pair(s, '/', '*')) {
			blank(s, 2);
			while (s->in.n > 0 && !at_pair(s, '*', '/'))
				blank(s, 1);
			if (s->in.n == 0)
				return wrong(s, from, "this comment is not ended");
			blank(s, 2);
		} else {
			return RC_OK;
		}
	}
}

/* What may stand without quotes: libconfuse takes more, and some of it not as one would think. */
static bool
is_word(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c != 0 && strchr("_-.:/@%[]~", c) != NULL);
}

static enum tok
take_string(struct scanner *s, struct span *text)
{
	char quote = (char)s->in.p[0];
	int from = s->line;
	struct span start;
	size_t n = 0;

	skip(s, 1);
	for (start = s->in; !at(s, quote); ) {
		size_t step = at(s, '\\') ? 2 : 1;

		if (s->in.n < step || at(s, '\n') || (step == 2 && s->in.p[1] == '\n')) {
			(void)!wrong(s, from, "this quote is not closed on its line");
			return TOK_BAD;
		}
		if (at_pair(s, '$', '{')) {
			(void)!wrong(s, from, "'${' is refused: the environment has no say in a configuration");
			return TOK_BAD;
		}
		if (s->in.p[0] != '\t' && (s->in.p[0] < ' ' || s->in.p[0] == 0x7f)) {
			(void)!wrong(s, from, "a control character in quotes");
			return TOK_BAD;
		}
		skip(s, step);
		n += step;
	}
	skip(s, 1);
	if (n > CONF_TEXT_MAX) {
		(void)!wrong(s, from, "a text may have %d octets", CONF_TEXT_MAX);
		return TOK_BAD;
	}
	*text = span_of(start.p, n);
	return TOK_STRING;
}

static enum tok
next(struct scanner *s, struct span *text, int *line)
{
	static const struct {
		char c;
		enum tok tok;
	} marks[] = { { '=', TOK_EQUALS }, { '{', TOK_OPEN }, { '}', TOK_CLOSE }, { ',', TOK_COMMA } };
	size_t n = 0;

	*text = (struct span){ 0 };
	if (skip_blanks(s) != RC_OK)
		return TOK_BAD;
	*line = s->line;
	if (s->in.n == 0)
		return TOK_END;
	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
		if (at(s, marks[i].c)) {
			skip(s, 1);
			return marks[i].tok;
		}
	if (at(s, '"') || at(s, '\''))
		return take_string(s, text);
	while (n < s->in.n && is_word(s->in.p[n]))
		n++;
	if (n == 0) {
		uint8_t c = s->in.p[0];

		(void)!wrong(s, *line, c > ' ' && c < 0x7f ? "unexpected '%c'; put texts in double quotes" :
		    "unexpected octet %02x; put texts in double quotes", c);
		return TOK_BAD;
	}
	if (n > CONF_TEXT_MAX) {
		(void)!wrong(s, *line, "a word may have %d octets", CONF_TEXT_MAX);
		return TOK_BAD;
	}
	*text = span_of(s->in.p, n);
	skip(s, n);
	return TOK_WORD;
}

/* --- statements */

static enum rc
add(struct scanner *s, const struct conf_node *node)
{
	struct conf_scan *o = s->out;

	if (o->n == CONF_NODES_MAX)
		return wrong(s, node->line, "more than %d keys", CONF_NODES_MAX);
	if (o->n == s->cap) {
		size_t cap = s->cap == 0 ? 64 : 2 * s->cap;
		struct conf_node *v = realloc(o->v, cap * sizeof *v);

		if (v == NULL)
			return RC_NOMEM;
		o->v = v;
		s->cap = cap;
	}
	o->v[o->n++] = *node;
	return RC_OK;
}

/* Behind "{": values up to "}". */
static enum rc
list(struct scanner *s, struct conf_node *node)
{
	struct span text;
	int line;
	enum tok t = next(s, &text, &line);

	node->kind = CONF_NODE_LIST;
	if (t == TOK_CLOSE)
		return RC_OK;
	for (;; t = next(s, &text, &line)) {
		if (t == TOK_BAD)
			return RC_SYNTAX;
		if (t != TOK_WORD && t != TOK_STRING)
			return wrong(s, line, "expected a value in the list that begins in line %d", node->line);
		if (++node->n > CONF_LIST_MAX)
			return wrong(s, line, "a list may have %d values", CONF_LIST_MAX);
		if ((t = next(s, &text, &line)) == TOK_BAD)
			return RC_SYNTAX;
		if (t == TOK_CLOSE)
			return RC_OK;
		if (t != TOK_COMMA)
			return wrong(s, line, "expected ',' or '}' in the list that begins in line %d", node->line);
	}
}

static enum rc
value(struct scanner *s, struct conf_node *node)
{
	int line;

	switch (next(s, &node->raw, &line)) {
	case TOK_WORD:
	case TOK_STRING:
		node->kind = CONF_NODE_VALUE;
		return RC_OK;
	case TOK_OPEN:
		return list(s, node);
	case TOK_BAD:
		return RC_SYNTAX;
	default:
		return wrong(s, line, "expected a value after '%.*s ='", (int)node->key.n, (const char *)node->key.p);
	}
}

static enum rc statements(struct scanner *s, size_t parent, unsigned depth);

static enum rc
section(struct scanner *s, struct conf_node *node, unsigned depth)
{
	enum rc rc;

	node->kind = CONF_NODE_SECTION;
	if (depth == CONF_DEPTH_MAX)
		return wrong(s, node->line, "sections may be %d deep", CONF_DEPTH_MAX);
	if ((rc = add(s, node)) != RC_OK)
		return rc;
	return statements(s, s->out->n - 1, depth + 1);
}

/* Behind the key. */
static enum rc
statement(struct scanner *s, struct conf_node *node, unsigned depth)
{
	struct span title;
	int line;
	enum rc rc;

	switch (next(s, &title, &line)) {
	case TOK_EQUALS:
		return (rc = value(s, node)) != RC_OK ? rc : add(s, node);
	case TOK_OPEN:
		return section(s, node, depth);
	case TOK_WORD:
	case TOK_STRING:
		node->raw = title;
		if (memchr(title.p, '\\', title.n) != NULL)
			return wrong(s, line, "no '\\' in a title");
		switch (next(s, &title, &line)) {
		case TOK_OPEN:
			return section(s, node, depth);
		case TOK_BAD:
			return RC_SYNTAX;
		default:
			return wrong(s, line, "expected '=' or '{' after '%.*s'", (int)node->key.n, (const char *)node->key.p);
		}
	case TOK_BAD:
		return RC_SYNTAX;
	default:
		return wrong(s, line, "expected '=' or '{' after '%.*s'", (int)node->key.n, (const char *)node->key.p);
	}
}

/* To the "}" of section parent, or to the end of the file. */
static enum rc
statements(struct scanner *s, size_t parent, unsigned depth)
{
	enum rc rc = RC_OK;

	while (rc == RC_OK) {
		struct conf_node node = { .parent = parent };
		enum tok t = next(s, &node.key, &node.line);

		if (t == TOK_BAD)
			return RC_SYNTAX;
		if (t == TOK_CLOSE && depth > 0)
			return RC_OK;
		if (t == TOK_END && depth == 0)
			return RC_OK;
		if (t == TOK_END)
			return wrong(s, s->out->v[parent].line, "this section has no '}'");
		if (t != TOK_WORD)
			return wrong(s, node.line, "expected a key");
		rc = statement(s, &node, depth);
	}
	return rc;
}

enum rc
conf_scan(struct span text, struct conf_scan *out, struct conf_scan_error *err)
{
	struct scanner s = { .whole = text.n, .line = 1, .out = out, .err = err };

	*out = (struct conf_scan){ 0 };
	*err = (struct conf_scan_error){ .line = 1 };
	if (text.n > CONF_FILE_MAX)
		return wrong(&s, 1, "the file has more than %u octets", CONF_FILE_MAX);
	if ((out->clean = malloc(text.n + 1)) == NULL)
		return RC_NOMEM;
	if (text.n > 0)
		memcpy(out->clean, text.p, text.n);
	out->clean[text.n] = '\0';
	s.in = span_of(out->clean, text.n);
	return statements(&s, CONF_AT_TOP, 0);
}

void
conf_scan_free(struct conf_scan *s)
{
	free(s->v);
	if (s->clean != NULL)
		explicit_bzero(s->clean, strlen(s->clean));
	free(s->clean);
	*s = (struct conf_scan){ 0 };
}
