/*
 * xml: flat XML documents, in and out: one root element, children that hold text. Pure. expat underneath, without DTD
 * (so no entities but XML's own five), depth at most XML_DEPTH_MAX, size capped by the shape.
 */
#ifndef COMMON_XML_H
#define COMMON_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "common/rc.h"
#include "common/span.h"

#define XML_DEPTH_MAX 8
#define XML_FIELDS_MAX 16

struct xml_field {
	const char *parent;	/* NULL: a child of the root; else the child of the root that it stands in (any namespace) */
	const char *name;
	bool required;
};
struct xml_shape {
	const char *ns, *root;	/* exact */
	const struct xml_field *fields;
	size_t n;		/* at most XML_FIELDS_MAX */
	bool ignore_unknown;	/* else an unknown element, or any attribute but xmlns, is RC_SYNTAX */
	size_t max;		/* octets of a document */
};
struct xml_text {		/* where a field's text goes, NUL-terminated */
	char *p;
	size_t cap;		/* its NUL counted */
	bool found;		/* set by xml_parse */
};

/*
 * Parse doc. texts[i] belongs to shape->fields[i]; entities and character references are decoded, blanks are kept.
 * RC_RANGE: doc longer than max, deeper than XML_DEPTH_MAX, or a text that does not fit its cap.
 * RC_SYNTAX: not well-formed, a DTD, another root or namespace, an element twice, text between elements, a required one missing,
 * an unknown one. texts' contents are undefined then.
 */
enum rc xml_parse(struct span doc, const struct xml_shape *shape, struct xml_text *texts) MUST_USE;

/* A document under construction; overflow is remembered and told at the end. */
struct xml_out {
	char *p;
	size_t cap, n;
	bool full;
};
void xml_out_init(struct xml_out *o, char *p, size_t cap);
/* Declaration and <root xmlns="ns">; children; </root>. name text is the caller's constant, value is escaped. */
void xml_out_open(struct xml_out *o, const char *ns, const char *root);
void xml_out_text(struct xml_out *o, const char *name, struct span value);
/* RC_RANGE: it did not fit cap. Else p holds n octets, no NUL counted. */
enum rc xml_out_close(struct xml_out *o, const char *root, size_t *n) MUST_USE;

#endif
