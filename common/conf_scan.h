/*
 * conf_scan: what stands where in a configuration file, before libconfuse reads it. Pure. Used by conf.c alone.
 *
 *	file      = { statement }
 *	statement = KEY "=" value | KEY "=" "{" [ value { "," value } ] "}" | KEY [ title ] "{" { statement } "}"
 *	value, title = WORD | "…" | '…'         (quotes end on their line; \ escapes in them)
 *	comments  : # and // to the end of the line, slash-star to star-slash
 *
 * libconfuse 3.3 counts the lines behind a comment wrong, takes the last of two equal keys silently, and takes a section that
 * the end of the file cuts off. So lines, repetitions and ends are found here, and it is given the text without comments.
 */
#ifndef COMMON_CONF_SCAN_H
#define COMMON_CONF_SCAN_H

#include <stddef.h>

#include "common/rc.h"
#include "common/span.h"

#define CONF_NODES_MAX 4096
#define CONF_DEPTH_MAX 4
#define CONF_AT_TOP ((size_t)-1)

enum conf_node_kind { CONF_NODE_VALUE, CONF_NODE_LIST, CONF_NODE_SECTION };

struct conf_node {
	enum conf_node_kind kind;
	size_t parent;		/* index of its section, CONF_AT_TOP */
	struct span key;	/* borrowed from clean, like raw */
	struct span raw;	/* the value or the title without its quotes, escapes as written */
	size_t n;		/* values of a list */
	int line;
	void *section;		/* conf.c's: libconfuse's section */
};

struct conf_scan {
	struct conf_node *v;
	size_t n;
	char *clean;		/* the text, comments blanked, NUL-terminated */
};

struct conf_scan_error {
	int line;
	char text[160];		/* "expected '=' or '{' after 'listen'" */
};

/* RC_SYNTAX: err tells. RC_NOMEM. conf_scan_free() either way is fine. */
enum rc conf_scan(struct span text, struct conf_scan *out, struct conf_scan_error *err) MUST_USE;
void conf_scan_free(struct conf_scan *s);

#endif
