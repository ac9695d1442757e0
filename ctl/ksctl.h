/*
 * ksctl: the one command-line tool for the four daemons: a table of verbs (verbs.c), a command line (args.c), a lab's sockets
 * (lab.c), a client of the control socket (client.c), printers (show.c), the ladder (ladder.c, ladder_show.c).
 *
 *	ksctl [--lab D | --socket S] [--json] DAEMON VERB …
 *
 * Exit codes (ARCHITECTURE 8a): 0 done, 1 the answer is no, 2 usage, 3 daemon or peer unreachable, 4 refused.
 */
#ifndef CTL_KSCTL_H
#define CTL_KSCTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/rc.h"
#include "common/reason.h"

enum ksctl_exit { KSCTL_DONE = 0, KSCTL_NO = 1, KSCTL_USAGE = 2, KSCTL_UNREACHABLE = 3, KSCTL_REFUSED = 4 };

enum ksctl_daemon { KSCTL_BSFD, KSCTL_NAFKCD, KSCTL_MTD, KSCTL_EXTDEVD, KSCTL_DAEMONS };
/* "bsfd" …; NULL for any other value. */
const char *ksctl_daemon_name(enum ksctl_daemon d);
#define KSCTL_IS(d) (1u << (d))
#define KSCTL_ALL (KSCTL_IS(KSCTL_DAEMONS) - 1)

/* --- verbs.c */

/* What may stand behind a verb. S2: none of these takes a key. */
enum ksctl_kind {
	KSCTL_FLAG,		/* --name */
	KSCTL_TEXT,		/* --name TEXT, or a word in its place */
	KSCTL_NUMBER,		/* 0 .. 2^53 */
	KSCTL_SECONDS,		/* 0 .. 3600; sets the time-out too */
	KSCTL_SIGNED,		/* +N or -N or N */
	KSCTL_LIFETIME,		/* "6h"; "none" takes it back */
	KSCTL_PATH,		/* a file for the daemon to read: its whole path is sent */
	KSCTL_FILE		/* a file of JSON, "-" = standard input */
};
struct ksctl_param {
	const char *name;	/* "--force"; without "--" it stands in its place, in order */
	enum ksctl_kind kind;
	const char *member;	/* of the request; NULL = ksctl's own (main.c looks it up by name) */
	bool needed;
};
/* _CHECK: a table whose rows' "said" make the exit code */
enum ksctl_show { KSCTL_SHOW_MEMBERS, KSCTL_SHOW_TABLE, KSCTL_SHOW_CHECK, KSCTL_SHOW_HEALTH, KSCTL_SHOW_TRACE,
	KSCTL_SHOW_LADDER, KSCTL_SHOW_DONE, KSCTL_SHOW_KEY };
struct ksctl_verb {
	unsigned daemons;	/* KSCTL_IS(…); 0 = stands without a daemon */
	const char *words;	/* "key list" */
	const char *op;
	const struct ksctl_param *params;	/* ends with a NULL name; NULL = none */
	enum ksctl_show show;
	const char *list;	/* KSCTL_SHOW_TABLE, _CHECK: the answer's member */
	int timeout_s;		/* for an answer, restarted by progress; 0 = 10 */
	bool waits;		/* tries to connect until the time is over; late = KSCTL_NO */
	const char *help;
};
/* Ends with NULL words. */
extern const struct ksctl_verb ksctl_verbs[];

/* --- args.c: pure */

struct ksctl_args {
	const char *lab, *socket;	/* borrowed from argv, like the rest */
	bool json, help, version, follow;
	enum ksctl_daemon daemon;	/* KSCTL_DAEMONS = a verb without one */
	const struct ksctl_verb *verb;
	json_t *body;			/* the request's members */
	const char *file, *file_member;	/* KSCTL_FILE: to be read into body */
	int64_t timeout_s;
};
/* RC_SYNTAX: why says what was expected. ksctl_args_free() either way is fine. */
enum rc ksctl_args_parse(int argc, char *const *argv, struct ksctl_args *out, char *why, size_t cap) MUST_USE;
void ksctl_args_free(struct ksctl_args *a);
/* --help, from the table; only: the verbs of that daemon alone, KSCTL_DAEMONS = of all. */
void ksctl_help(FILE *to, enum ksctl_daemon only);
/* What stands behind an option: "BTID", "hex|psk"; "" = nothing. */
const char *ksctl_operand(const struct ksctl_param *q);
/* "key list", "subscriber add FILE", "establish [--force]": a verb with what stands behind it. */
void ksctl_synopsis(const struct ksctl_verb *v, char *out, size_t cap);

/* --- lab.c */

/*
 * The lab meant: D, else $KSLOCAL_LAB, else the newest running lab of this user (S3). named: it was found and not given.
 * RC_NOTFOUND: none. RC_RANGE: path too long.
 */
enum rc ksctl_lab_find(const char *given, char *out, size_t cap, bool *named) MUST_USE;
/* D/lab.json. RC_IO, RC_SYNTAX; why says it. Caller decrefs. */
enum rc ksctl_lab_read(const char *dir, json_t **out, char *why, size_t cap) MUST_USE;
/* Pure: a daemon's control socket in it, "unix:/…"; NULL = it has none. Borrowed. */
const char *ksctl_lab_socket(const json_t *lab, enum ksctl_daemon d);

/* --- client.c */

/* How it went. body is the answer without its envelope (NULL: it failed); error as the daemon said it (may be NULL). */
struct ksctl_answer {
	json_t *body, *error;
	enum reason why;
	char detail[200];	/* what the link said, when there is no answer */
};
struct ksctl_client;
/* RC_NOMEM, RC_IO. Caller frees. */
enum rc ksctl_client_new(struct ksctl_client **out) MUST_USE;
void ksctl_client_free(struct ksctl_client *c);
/*
 * One request to one socket. progress: words are shown on standard error. until_up: a daemon that is not there yet is tried
 * again until the time is over. out is the caller's to free.
 */
struct ksctl_ask {
	const char *address, *op;
	json_t *body;		/* may be NULL; borrowed */
	int64_t timeout_ms;
	bool until_up, progress;
};
void ksctl_client_ask(struct ksctl_client *c, const struct ksctl_ask *ask, struct ksctl_answer *out);
void ksctl_answer_free(struct ksctl_answer *a);

/* --- show.c */

/* What a failure means for the exit code. */
enum ksctl_exit ksctl_exit_of(const struct ksctl_answer *a, const struct ksctl_verb *v);
/* {"error":{code, reason, text, why, next, retry_after_s}}: what --json prints for a failure. Caller decrefs. */
json_t *ksctl_error_json(const struct ksctl_answer *a);
/* what, why, next on standard error. */
void ksctl_show_error(FILE *to, const char *daemon, const struct ksctl_answer *a);
/* An answer as text. width: columns of the terminal, 0 = as wide as need be. */
void ksctl_show(FILE *to, const struct ksctl_verb *v, const json_t *body, int width);
/* One event of a trace, one line. */
void ksctl_show_event(FILE *to, const json_t *event);
/* Text of a daemon, or of whom it heard it from, on somebody's terminal: control characters become "?". */
void ksctl_put_text(FILE *to, const char *s);

/* --- ladder_show.c: ladder_make()'s object as a drawing; colour: on a terminal */
void ksctl_show_ladder(FILE *to, const json_t *ladder, bool colour);

#endif
