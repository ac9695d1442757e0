/*
 * ksctl's command line, the words parted by newlines.
 * Properties: what is taken has a verb of that daemon's, or asks for help or version; its body is of the forms of the table; what is
 * refused says why.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/ksctl.h"

#define WORDS_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
must(bool good)
{
	if (!good)
		abort();
}

static bool
has_member(const struct ksctl_verb *v, const char *member)
{
	for (const struct ksctl_param *q = v->params; q != NULL && q->name != NULL; q++)
		if (q->member != NULL && strcmp(q->member, member) == 0)
			return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *text = malloc(n + 1), *argv[WORDS_MAX + 2], why[512], zero[] = "ksctl";
	struct ksctl_args a;
	const char *key;
	json_t *v;
	int argc = 1;
	enum rc rc;

	memcpy(text, p, n);
	text[n] = '\0';
	argv[0] = zero;
	for (char *w = text; w != NULL && argc <= WORDS_MAX; ) {
		argv[argc++] = w;
		if ((w = strchr(w, '\n')) != NULL)
			*w++ = '\0';
	}
	argv[argc] = NULL;
	rc = ksctl_args_parse(argc, argv, &a, why, sizeof why);
	must(rc == RC_OK || (rc == RC_SYNTAX && why[0] != '\0'));
	if (rc == RC_OK && !a.help && !a.version) {
		must(a.verb != NULL);
		must(a.daemon == KSCTL_DAEMONS ? a.verb->daemons == 0 : (a.verb->daemons & KSCTL_IS(a.daemon)) != 0);
		must(a.timeout_s >= 0 && a.timeout_s <= 3600);
		json_object_foreach(a.body, key, v)
			must(has_member(a.verb, key) && (json_is_true(v) || json_is_string(v) || json_is_integer(v)));
	}
	ksctl_args_free(&a);
	free(text);
	return 0;
}
