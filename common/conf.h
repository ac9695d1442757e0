/*
 * conf: a daemon's configuration file: libconfuse's grammar with a stricter reader.                       RULES S4
 * Every complaint is one line on standard error, "FILE:LINE: KEY: what is wrong; expected …", and sticks: a daemon's conf.c
 * asks for all its values in a row, each getter returning something harmless after a complaint, and conf_done() tells at the
 * end whether the file may be used. So a user sees all mistakes at once.
 *
 *	static cfg_opt_t ub_opts[] = { CFG_STR("listen", "127.0.0.1:0", CFGF_NONE), CFG_END() };
 *	static cfg_opt_t opts[] = { DAEMON_OPTIONS, CFG_STR("ks_lifetime", "24h", CFGF_NONE), CFG_SEC("ub", ub_opts, CFGF_NONE), CFG_END() };
 *	…
 *	out->ks_lifetime_s = conf_duration(c, NULL, "ks_lifetime", 60, 7 * 86400);
 *	out->ub_listen = conf_text(c, conf_section(c, NULL, "ub", 0), "listen", CONF_HOST_PORT);
 */
#ifndef COMMON_CONF_H
#define COMMON_CONF_H

#include <confuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/rc.h"
#include "common/span.h"

#define CONF_FILE_MAX (256u << 10)	/* octets */
#define CONF_TEXT_MAX 1024		/* octets of one value */
#define CONF_LIST_MAX 256		/* values of one list, sections of one name */

struct conf;

/*
 * Read a file against a table. Refused here: what libconfuse refuses, an unknown key, a key or section given twice (sections
 * with a title: the same title twice), "${" (libconfuse would put the environment in), NUL octets, and the sizes above.
 * RC_SYNTAX (complaints were printed), RC_IO (cannot be read; said too), RC_NOMEM. opts is borrowed for good. Caller frees;
 * all texts that getters return live that long.
 */
enum rc conf_load(const char *path, cfg_opt_t *opts, struct conf **out) MUST_USE;
/* The same from text; name stands for the file in complaints, which go to err. */
enum rc conf_parse(const char *name, struct span text, cfg_opt_t *opts, FILE *err, struct conf **out) MUST_USE;
void conf_free(struct conf *c);
/* RC_SYNTAX when anything was complained about since it was loaded. */
enum rc conf_done(const struct conf *c) MUST_USE;
/*
 * -n: what systemd gives to the unit alone ("credential:NAME", /run/credentials/UNIT/NAME) and is not here is said to be unchecked
 * and is no mistake.
 */
void conf_check_only(struct conf *c);
/* Is it such a file, and was that said? */
bool conf_unchecked(struct conf *c, cfg_t *s, const char *key, const char *name);
/* A daemon's own complaint about a key (NULL: about the section). s as below. */
void conf_complain(struct conf *c, cfg_t *s, const char *key, const char *fmt, ...) PRINTF_LIKE(4, 5);

/*
 * Getters. s is a section, NULL = the file's top. A key that is not there and has no default is a complaint ("is missing"):
 * ask conf_has() first where absence means something. "" counts as not there.
 */
bool conf_has(const struct conf *c, cfg_t *s, const char *key);
/* How many sections of that name, or values of that list. */
size_t conf_count(const struct conf *c, cfg_t *s, const char *key);
/* The i-th section of that name; one without CFGF_MULTI is always there once. */
cfg_t *conf_section(struct conf *c, cfg_t *s, const char *key, size_t i);
/* Its title; never NULL. */
const char *conf_title(cfg_t *s);

enum conf_kind {
	CONF_ANY,		/* 1..CONF_TEXT_MAX octets of printable ASCII or UTF-8 */
	CONF_FQDN,		/* bsf.operator.example: lower case, two labels or more */
	CONF_IDENTITY,		/* DiameterIdentity: the same letters, one label is enough */
	CONF_NAF_ID,		/* FQDN/0100000002 */
	CONF_PROTOCOL,		/* Ua security protocol identifier: 10 lower-case hex digits */
	CONF_LINK,		/* tcp:HOST:PORT, unix:/path or serial:/dev/path, as link.h */
	CONF_HOST_PORT,		/* 127.0.0.1:0, [::1]:3868, host.example:443 */
	CONF_URL_HTTP,		/* http://host[:port][/path] */
	CONF_URL_HTTPS,
	CONF_PATH,		/* a file's name; need not exist */
	CONF_FILE,		/* a file that can be read */
	CONF_PRIVATE_FILE	/* the same, and neither group nor world may read or write it */
};
/* A CFGT_STR's text, checked; "" after a complaint. */
const char *conf_text(struct conf *c, cfg_t *s, const char *key, enum conf_kind kind);
/* The same where absence means something: NULL when it is not there. */
const char *conf_optional(struct conf *c, cfg_t *s, const char *key, enum conf_kind kind);
/* The i-th value of a list of texts. */
const char *conf_text_at(struct conf *c, cfg_t *s, const char *key, size_t i, enum conf_kind kind);
/* "30s" "10m" "6h" "1d" (a CFGT_STR) as seconds in min..max; min after a complaint. */
int64_t conf_duration(struct conf *c, cfg_t *s, const char *key, int64_t min, int64_t max);
/* A CFGT_INT in min..max. */
int64_t conf_int(struct conf *c, cfg_t *s, const char *key, int64_t min, int64_t max);
/* Which of words (ends with NULL) a CFGT_STR is; 0 after a complaint. */
unsigned conf_word(struct conf *c, cfg_t *s, const char *key, const char *const *words);
/* A CFGT_BOOL: yes no true false on off. */
bool conf_bool(struct conf *c, cfg_t *s, const char *key);

/* The pure parts. RC_SYNTAX, RC_RANGE (does not fit 1 s .. 100 years; "0s" is in). */
enum rc conf_parse_duration(struct span text, int64_t *out_s) MUST_USE;
/* Grammar alone; for the kinds of file: that it is a name. */
bool conf_text_ok(struct span text, enum conf_kind kind);
/* "expected …" for a kind: "a lower-case FQDN such as bsf.operator.example". */
const char *conf_expected(enum conf_kind kind);

#endif
