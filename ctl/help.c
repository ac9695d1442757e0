/* help: what --help prints, from the table of verbs. */
#include <string.h>

#include "ctl/ksctl.h"

const char *
ksctl_operand(const struct ksctl_param *q)
{
	static const char *const kinds[] = { [KSCTL_TEXT] = "TEXT", [KSCTL_NUMBER] = "N", [KSCTL_SECONDS] = "S", [KSCTL_SIGNED] = "N",
	    [KSCTL_LIFETIME] = "6h|none", [KSCTL_PATH] = "FILE" };
	static const struct {
		const char *option, *operand;
	} texts[] = { { "--app", "ID" }, { "--btid", "BTID" }, { "--device", "DEVICE_ID" }, { "--expires", "TIME" }, { "--format", "hex|psk" },
		{ "--issuer", "HEX" }, { "--mt", "NAME" }, { "--naf", "NAF_ID" }, { "--out", "FILE" }, { "--run", "ID" }, { "--spki", "HEX" } };

	for (size_t i = 0; q->kind == KSCTL_TEXT && i < sizeof texts / sizeof texts[0]; i++)
		if (strcmp(q->name, texts[i].option) == 0)
			return texts[i].operand;
	return q->kind == KSCTL_FLAG || q->kind == KSCTL_FILE ? "" : kinds[q->kind];
}

void
ksctl_synopsis(const struct ksctl_verb *v, char *out, size_t cap)
{
	size_t n = (size_t)snprintf(out, cap, "%s", v->words);

	for (const struct ksctl_param *p = v->params; p != NULL && p->name != NULL && n < cap; p++) {
		bool option = strncmp(p->name, "--", 2) == 0;
		const char *operand = option ? ksctl_operand(p) : "";

		n += (size_t)snprintf(out + n, cap - n, p->needed ? " %s%s%s" : " [%s%s%s]", p->name, operand[0] != '\0' ? " " : "", operand);
	}
}

static void
group(FILE *to, const char *head, unsigned mask)
{
	char line[128];

	fprintf(to, "\n%s\n", head);
	for (const struct ksctl_verb *v = ksctl_verbs; v->words != NULL; v++) {
		if (v->daemons != mask)
			continue;
		ksctl_synopsis(v, line, sizeof line);
		fprintf(to, strlen(line) > 34 ? "  %s\n%38s%s\n" : "  %-34s  %s%s\n", line, "", v->help);
	}
}

void
ksctl_help(FILE *to, enum ksctl_daemon only)
{
	static const struct {
		const char *head;
		unsigned mask;
	} groups[] = { { "extdevd", KSCTL_IS(KSCTL_EXTDEVD) }, { "mtd", KSCTL_IS(KSCTL_MTD) }, { "nafkcd", KSCTL_IS(KSCTL_NAFKCD) },
		{ "bsfd", KSCTL_IS(KSCTL_BSFD) }, { "bsfd and nafkcd", KSCTL_IS(KSCTL_BSFD) | KSCTL_IS(KSCTL_NAFKCD) },
		{ "every daemon", KSCTL_ALL }, { "all four together", 0 } };

	fprintf(to, "usage: ksctl [--lab D | --socket S] [--json] DAEMON VERB ...\n"
	    "       ksctl [--lab D] [--json] ladder [--run ID] | health | status | wait ready\n"
	    "       ksctl card serve [--port N] IMAGE        a software card in vpcd's virtual reader\n"
	    "       ksctl line A B [--drop N] [--repeat N] [--flip N] [--delay MS] [--seed N]        two ttys and a bad cable\n"
	    "Asks and commands the daemons of kslocal over their control sockets. Keys are shown as check values, never as themselves.\n"
	    "\n"
	    "  --lab D      the lab in directory D; else $KSLOCAL_LAB, else this user's newest running lab, named on standard error\n"
	    "  --socket S   a daemon's control socket: unix:/path\n"
	    "  --json       answer, or error, as one JSON object on standard output\n"
	    "  --help       this; behind a DAEMON, its verbs alone\n"
	    "  --version    print the version\n"
	    "BTID, DEVICE_ID and NAF_ID as 'key list' shows them; TIME is UTC, such as 2027-01-01T00:00:00Z; NAME is that of an mt section.\n");
	for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
		if (only == KSCTL_DAEMONS || (groups[i].mask & KSCTL_IS(only)) != 0)
			group(to, groups[i].head, groups[i].mask);
	fprintf(to, "\nexit codes: 0 done, 1 the answer is no, 2 usage, 3 daemon or peer unreachable, 4 refused\n");
}
