#include "mtd/uicc_ctl.h"

#include <stdlib.h>

#include "common/ctl.h"
#include "mtd/mt_impl.h"
#include "mtd/uicc.h"

struct insertion {
	struct ctl *c;
	struct rpc_req *q;
};

static enum reason
refusal(enum rc rc)
{
	switch (rc) {
	case RC_STATE:
		return REASON_CARD_REAL;
	case RC_EXISTS:
		return REASON_CARD_IN;
	case RC_LIMIT:
		return REASON_CARD_IN_USE;
	case RC_NOTFOUND:
	case RC_SYNTAX:
	case RC_DENIED:
	case RC_RANGE:
		return REASON_CARD_IMAGE;
	default:
		return REASON_CARD_BROKEN;
	}
}

static void
on_inserted(void *arg, enum rc rc)
{
	struct insertion *i = arg;

	if (rc == RC_OK)
		ctl_ok(i->c, i->q, NULL);
	else
		ctl_fail(i->c, i->q, rc == RC_IO ? REASON_CARD_STATE : refusal(rc), NULL);
	free(i);
}

void
mt_uicc_on_insert(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	const char *image = json_string_value(json_object_get(body, "image"));
	struct mt *m = core;
	struct insertion *i;
	enum rc rc;

	if (image == NULL || image[0] != '/') {
		ctl_fail(c, q, REASON_CTL_USAGE, "expected image: an absolute path");
		return;
	}
	if ((i = malloc(sizeof *i)) == NULL) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	*i = (struct insertion){ c, q };
	if ((rc = mt_uicc_insert(m->seams.uicc, image, on_inserted, i)) != RC_OK) {
		ctl_fail(c, q, refusal(rc), NULL);
		free(i);
	}
}

void
mt_uicc_on_eject(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct mt *m = core;
	enum rc rc = mt_uicc_eject(m->seams.uicc);

	(void)body;
	if (rc == RC_OK)
		ctl_ok(c, q, NULL);
	else
		ctl_fail(c, q, rc == RC_NOTFOUND ? REASON_CARD_NONE : refusal(rc), NULL);
}

void
mt_uicc_on_status(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	const struct mt *m = core;
	const struct mt_uicc *u = m->seams.uicc;

	(void)body;
	ctl_ok(c, q, json_pack("{s:s, s:s, s:b, s:I, s:I}", "kind", mt_uicc_kind(u), "name", mt_uicc_name(u), "present",
	    mt_uicc_present(u), "insertions", (json_int_t)mt_uicc_generation(u), "apdus", (json_int_t)mt_uicc_apdus(u)));
}
