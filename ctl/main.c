/* main: ksctl's wiring: command line, the socket meant, one question, its answer, an exit code. */
#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/daemon.h"
#include "common/log.h"
#include "ctl/card_serve.h"
#include "ctl/key_derive.h"
#include "ctl/ksctl.h"
#include "ctl/ladder.h"
#include "ctl/line.h"

#define FILE_MAX 65536
#define GRACE_MS 300		/* a daemon that gives up by itself says so first */

struct run {
	struct ksctl_args args;
	struct ksctl_client *client;
	json_t *lab;		/* NULL with --socket */
};

static void
print_json(const json_t *o, size_t flags)
{
	json_dumpf(o, stdout, flags);
	fputc('\n', stdout);
	fflush(stdout);
}

/* --- what may go wrong before anybody is asked */

static enum ksctl_exit
complain(const struct run *r, enum ksctl_exit code, enum reason why, const char *text)
{
	struct ksctl_answer a = { .why = why, .error = json_pack("{s:s}", "text", text) };
	json_t *o = ksctl_error_json(&a);

	if (r->args.json)
		print_json(o, JSON_INDENT(2));
	else
		fprintf(stderr, "ksctl: %s\n", text);
	json_decref(o);
	ksctl_answer_free(&a);
	return code;
}

/* Which lab, and where its sockets are. */
static enum ksctl_exit
find_lab(struct run *r)
{
	char dir[PATH_MAX], why[PATH_MAX + 100] = "";
	bool named;

	if (ksctl_lab_find(r->args.lab, dir, sizeof dir, &named) != RC_OK)
		return complain(r, KSCTL_UNREACHABLE, REASON_LINK_UNREACHABLE, "no lab is running, and neither --lab nor --socket is given; 'scripts/lab up', or kslocal-lab, starts one");
	if (ksctl_lab_read(dir, &r->lab, why, sizeof why) != RC_OK)
		return complain(r, KSCTL_UNREACHABLE, REASON_LINK_UNREACHABLE, why);
	if (named)
		fprintf(stderr, "ksctl: lab %s\n", dir);
	return KSCTL_DONE;
}

static const char *
address_of(const struct run *r, enum ksctl_daemon d)
{
	return r->args.socket != NULL ? r->args.socket : ksctl_lab_socket(r->lab, d);
}

/* S2: keys come in files, never on a command line; what is wrong with one is said by place, never by its text. */
static enum ksctl_exit
read_file(struct run *r)
{
	static char buf[FILE_MAX];
	const char *name = r->args.file;
	FILE *f = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
	size_t n = f != NULL ? fread(buf, 1, sizeof buf, f) : 0;
	bool bad = f == NULL || ferror(f) || n == sizeof buf;
	char text[512] = "";
	json_error_t err;
	json_t *o = NULL;

	if (bad && n == sizeof buf)
		snprintf(text, sizeof text, "%.400s: longer than %d octets", name, FILE_MAX - 1);
	else if (bad)
		snprintf(text, sizeof text, "%.400s: cannot be read: %s", name, strerror(errno));
	else if ((o = json_loadb(buf, n, JSON_REJECT_DUPLICATES, &err)) == NULL || !json_is_object(o))
		snprintf(text, sizeof text, "%.400s:%d: expected a JSON object", name, o == NULL ? err.line : 1);
	OPENSSL_cleanse(buf, sizeof buf);
	OPENSSL_cleanse(&err, sizeof err);	/* its text quotes what it stumbled over */
	if (f != NULL && f != stdin)
		fclose(f);
	if (text[0] == '\0') {
		json_object_set_new(r->args.body, r->args.file_member, o);
		return KSCTL_DONE;
	}
	json_decref(o);
	return complain(r, KSCTL_USAGE, REASON_CTL_USAGE, text);
}

/* --- asking and telling */

static void
ask(const struct run *r, enum ksctl_daemon d, const char *op, json_t *body, struct ksctl_answer *out)
{
	const struct ksctl_verb *v = r->args.verb;
	const struct ksctl_ask q = {
		.address = address_of(r, d), .op = op, .body = body, .timeout_ms = r->args.timeout_s * 1000 + (v->waits ? GRACE_MS : 0),
		.until_up = v->waits, .progress = true
	};

	if (q.address != NULL) {
		ksctl_client_ask(r->client, &q, out);
		return;
	}
	*out = (struct ksctl_answer){ .why = REASON_LINK_UNREACHABLE };
	snprintf(out->detail, sizeof out->detail, "lab.json names no control socket of it");
}

static int
terminal_width(void)
{
	struct winsize w;

	return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}

static enum ksctl_exit
fail(const struct run *r, enum ksctl_daemon d, const struct ksctl_answer *a)
{
	if (r->args.json) {
		json_t *o = ksctl_error_json(a);

		print_json(o, JSON_INDENT(2));
		json_decref(o);
	} else {
		ksctl_show_error(stderr, ksctl_daemon_name(d), a);
	}
	return ksctl_exit_of(a, r->args.verb);
}

static enum ksctl_exit
one_question(const struct run *r)
{
	const struct ksctl_verb *v = r->args.verb;
	struct ksctl_answer a;
	enum ksctl_exit code;

	if (v->waits && json_object_get(r->args.body, "timeout_s") == NULL)
		json_object_set_new(r->args.body, "timeout_s", json_integer(r->args.timeout_s));
	ask(r, r->args.daemon, v->op, r->args.body, &a);
	if (a.body == NULL) {
		code = fail(r, r->args.daemon, &a);
	} else {
		code = ksctl_exit_of(&a, v);
		if (r->args.json)
			print_json(a.body, JSON_INDENT(2));
		else
			ksctl_show(stdout, v, a.body, terminal_width());
	}
	ksctl_answer_free(&a);
	return code;
}

/* The same question to all four, one after the other; the worst answer is the exit code. */
static enum ksctl_exit
all_four(const struct run *r)
{
	const struct ksctl_verb *v = r->args.verb;
	enum ksctl_exit worst = KSCTL_DONE, code;
	json_t *all = json_object();

	for (unsigned i = 0; i < KSCTL_DAEMONS; i++) {
		const char *name = ksctl_daemon_name((enum ksctl_daemon)i);
		struct ksctl_answer a;

		ask(r, (enum ksctl_daemon)i, v->op, r->args.body, &a);
		code = ksctl_exit_of(&a, v);
		worst = code > worst ? code : worst;
		if (r->args.json) {
			json_object_set_new(all, name, a.body != NULL ? json_incref(a.body) : ksctl_error_json(&a));
		} else if (a.body == NULL) {
			ksctl_show_error(stderr, name, &a);
		} else {
			printf(v->show == KSCTL_SHOW_HEALTH ? "%-8s " : v->show == KSCTL_SHOW_DONE ? "%-8s ready\n" : "--- %s\n", name);
			ksctl_show(stdout, v, a.body, terminal_width());
		}
		ksctl_answer_free(&a);
	}
	if (r->args.json)
		print_json(all, JSON_INDENT(2));
	json_decref(all);
	return worst;
}

/* U7: the key goes where the user said; what is shown is all but the key. */
static enum ksctl_exit
derive_key(const struct run *r)
{
	struct key_target t;
	struct ksctl_answer a;
	char why[400] = "";
	enum ksctl_exit code;
	json_t *body;
	enum rc rc;

	if (key_target_read(r->args.body, &t, why, sizeof why) != RC_OK)
		return complain(r, KSCTL_USAGE, REASON_CTL_USAGE, why);
	body = key_target_request(r->args.body);
	ask(r, r->args.daemon, r->args.verb->op, body, &a);
	json_decref(body);
	if (a.body == NULL) {
		code = fail(r, r->args.daemon, &a);
	} else if ((rc = key_target_write(&t, a.body, why, sizeof why)) != RC_OK) {
		code = complain(r, rc == RC_SYNTAX ? KSCTL_USAGE : KSCTL_REFUSED, rc == RC_SYNTAX ? REASON_CTL_USAGE : REASON_CTL_FILE, why);
	} else {
		code = KSCTL_DONE;
		if (r->args.json)
			print_json(a.body, JSON_INDENT(2));
		else
			ksctl_show(stdout, r->args.verb, a.body, terminal_width());
	}
	ksctl_answer_free(&a);
	return code;
}

/* trace --follow: until the daemon goes, or the user has seen enough. */
static enum ksctl_exit
follow(const struct run *r)
{
	struct ksctl_answer a;
	enum ksctl_exit code;
	const json_t *e;
	size_t i;

	if (json_object_get(r->args.body, "since") == NULL)
		json_object_set_new(r->args.body, "since", json_integer(0));
	for (;;) {
		ask(r, r->args.daemon, "trace-follow", r->args.body, &a);
		if (a.body == NULL)
			break;
		json_array_foreach(json_object_get(a.body, "events"), i, e)
			if (r->args.json)
				print_json(e, JSON_COMPACT);
			else
				ksctl_show_event(stdout, e);
		fflush(stdout);
		json_object_set(r->args.body, "since", json_object_get(a.body, "last"));
		ksctl_answer_free(&a);
	}
	code = fail(r, r->args.daemon, &a);
	ksctl_answer_free(&a);
	return code;
}

/* --- ladder */

/* All events that a daemon has, appended; false: it did not answer. */
static bool
collect(const struct run *r, enum ksctl_daemon d, json_t *events)
{
	json_t *body = json_pack("{s:i}", "since", 0);
	bool more = true, good = true;

	while (more && good) {
		struct ksctl_answer a;

		ask(r, d, "trace", body, &a);
		if ((good = a.body != NULL)) {
			json_array_extend(events, json_object_get(a.body, "events"));
			json_object_set(body, "since", json_object_get(a.body, "last"));
			more = json_is_true(json_object_get(a.body, "more"));
		}
		ksctl_answer_free(&a);
	}
	json_decref(body);
	return good;
}

static enum ksctl_exit
ladder(const struct run *r)
{
	const char *run = json_string_value(json_object_get(r->args.body, "run"));
	json_t *events = json_array(), *absent = json_array(), *out = NULL;
	const char *colour = getenv("NO_COLOR");
	enum ksctl_exit code = KSCTL_DONE;

	for (unsigned d = 0; d < KSCTL_DAEMONS; d++)
		if (!collect(r, (enum ksctl_daemon)d, events))
			json_array_append_new(absent, json_string(ksctl_daemon_name((enum ksctl_daemon)d)));
	if (json_array_size(absent) == KSCTL_DAEMONS) {
		code = complain(r, KSCTL_UNREACHABLE, REASON_LINK_UNREACHABLE, "none of the four daemons answers");
	} else if (ladder_make(events, run, &out) != RC_OK) {
		code = complain(r, KSCTL_NO, REASON_CTL_RUN_UNKNOWN, run != NULL ? "no daemon has an event of that run: 'ksctl extdevd trace' shows what is remembered" : "no daemon has an event of any run: 'ksctl extdevd establish' makes one");
	} else {
		json_object_set(out, "absent", absent);
		if (r->args.json)
			print_json(out, JSON_INDENT(2));
		else
			ksctl_show_ladder(stdout, out, isatty(STDOUT_FILENO) && (colour == NULL || colour[0] == '\0'));
	}
	json_decref(events);
	json_decref(absent);
	json_decref(out);
	return code;
}

static enum ksctl_exit
run(struct run *r)
{
	enum ksctl_exit code = KSCTL_DONE;

	if (r->args.socket == NULL)
		code = find_lab(r);
	if (code == KSCTL_DONE && r->args.file != NULL)
		code = read_file(r);
	if (code != KSCTL_DONE)
		return code;
	if (ksctl_client_new(&r->client) != RC_OK)
		return complain(r, KSCTL_REFUSED, REASON_INTERNAL, "out of memory");
	if (r->args.verb->show == KSCTL_SHOW_LADDER)
		return ladder(r);
	if (r->args.daemon == KSCTL_DAEMONS)
		return all_four(r);
	if (r->args.verb->show == KSCTL_SHOW_KEY)
		return derive_key(r);
	return r->args.follow ? follow(r) : one_question(r);
}

int
main(int argc, char **argv)
{
	struct run r = { .client = NULL };
	char why[512];
	int code = KSCTL_USAGE;

	log_open("ksctl", LOG_LEVEL_ERROR);	/* what the libraries below say is the answer's business */
	if (ksctl_card_serve_is(argc, argv))
		return (int)ksctl_card_serve(argc, argv);
	if (ksctl_line_is(argc, argv))
		return (int)ksctl_line(argc, argv);
	if (ksctl_args_parse(argc, argv, &r.args, why, sizeof why) != RC_OK) {
		for (int i = 1; i < argc; i++)	/* it may stand behind what was not understood */
			r.args.json = r.args.json || strcmp(argv[i], "--json") == 0;
		code = (int)complain(&r, KSCTL_USAGE, REASON_CTL_USAGE, why);
		if (!r.args.json)
			fputs("ksctl --help tells what there is\n", stderr);
	} else if (r.args.help) {
		ksctl_help(stdout, r.args.daemon);
		code = KSCTL_DONE;
	} else if (r.args.version) {
		printf("ksctl %s\n", KSLOCAL_VERSION);
		code = KSCTL_DONE;
	} else {
		code = (int)run(&r);
	}
	ksctl_client_free(r.client);
	json_decref(r.lab);
	ksctl_args_free(&r.args);
	if (fflush(stdout) != 0 && code == KSCTL_DONE)
		code = KSCTL_REFUSED;	/* what was asked for did not reach its reader */
	return code;
}
