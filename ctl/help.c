/* help: what --help prints, from the table of verbs. */
#include <string.h>

#include "ctl/ksctl.h"

void
ksctl_synopsis(const struct ksctl_verb *v, char *out, size_t cap)
{
	static const char *const operands[] = { [KSCTL_TEXT] = " TEXT", [KSCTL_NUMBER] = " N", [KSCTL_SECONDS] = " S", [KSCTL_SIGNED] = " N",
	    [KSCTL_LIFETIME] = " 6h|none", [KSCTL_PATH] = " FILE" };
	size_t n = (size_t)snprintf(out, cap, "%s", v->words);

	for (const struct ksctl_param *p = v->params; p != NULL && p->name != NULL && n < cap; p++) {
		bool option = strncmp(p->name, "--", 2) == 0;
		const char *operand = option && p->kind != KSCTL_FLAG && p->kind != KSCTL_FILE ? operands[p->kind] : "";

		n += (size_t)snprintf(out + n, cap - n, p->needed ? " %s%s" : " [%s%s]", p->name, operand);
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
ksctl_help(FILE *to)
{
	fprintf(to, "usage: ksctl [--lab D | --socket S] [--json] DAEMON VERB ...\n"
	    "       ksctl [--lab D] [--json] ladder [--run ID] | health | status | wait ready\n"
	    "       ksctl card serve [--port N] IMAGE        a software card in vpcd's virtual reader\n"
	    "       ksctl line A B [--drop N] [--repeat N] [--flip N] [--delay MS] [--seed N]        two ttys and a bad cable\n"
	    "Asks and commands the daemons of kslocal over their control sockets. Keys are shown as check values, never as themselves.\n"
	    "\n"
	    "  --lab D      the lab in directory D; else $KSLOCAL_LAB, else this user's newest running lab, named on standard error\n"
	    "  --socket S   a daemon's control socket: unix:/path\n"
	    "  --json       answer, or error, as one JSON object on standard output\n"
	    "  --help, --version\n");
	group(to, "extdevd", KSCTL_IS(KSCTL_EXTDEVD));
	group(to, "mtd", KSCTL_IS(KSCTL_MTD));
	group(to, "nafkcd", KSCTL_IS(KSCTL_NAFKCD));
	group(to, "bsfd", KSCTL_IS(KSCTL_BSFD));
	group(to, "bsfd and nafkcd", KSCTL_IS(KSCTL_BSFD) | KSCTL_IS(KSCTL_NAFKCD));
	group(to, "every daemon", KSCTL_ALL);
	group(to, "all four together", 0);
	fprintf(to, "\nexit codes: 0 done, 1 the answer is no, 2 usage, 3 daemon or peer unreachable, 4 refused\n");
}
