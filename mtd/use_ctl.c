#include "mtd/use_ctl.h"

#include <stdlib.h>
#include <string.h>

#include "common/ctl.h"
#include "mtd/local.h"
#include "mtd/mt_impl.h"
#include "mtd/use.h"

#define WAIT_S 35	/* the device's answer, then its tunnel */

struct asked {
	struct mt *m;
	struct ctl *c;
	struct rpc_req *q;
	struct device_id device_id;
};

static json_int_t
tunnels_of(struct mt *m, const struct device_id *id)
{
	json_t *all = mt_use_list(m->use), *t;
	json_int_t n = 0;
	size_t i;

	json_array_foreach(all, i, t)
		n += strcmp(json_string_value(json_object_get(t, "device_id")), id->s) == 0;
	json_decref(all);
	return n;
}

static void
on_invited(void *arg, enum reason why, const char *detail)
{
	struct asked *a = arg;

	if (why == REASON_NONE)
		ctl_ok(a->c, a->q, json_pack("{s:s, s:I}", "device_id", a->device_id.s, "tunnels", tunnels_of(a->m, &a->device_id)));
	else if (detail[0] != '\0')
		ctl_fail(a->c, a->q, why, "%s: %s", reason_get(why)->what, detail);
	else
		ctl_fail(a->c, a->q, why, NULL);
	free(a);
}

void
mt_use_ctl_use(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	const json_t *id = json_object_get(body, "device_id");
	struct asked *a = calloc(1, sizeof *a);

	if (a == NULL) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	*a = (struct asked){ .m = core, .c = c, .q = q };
	if (!json_is_string(id) || device_id_parse(span_of(json_string_value(id), json_string_length(id)), &a->device_id) != RC_OK) {
		ctl_fail(c, q, REASON_LOCAL_BAD_MESSAGE, "device_id: expected a Device_ID");
		free(a);
		return;
	}
	ctl_progress(c, q, "use", WAIT_S);
	mt_local_invite(a->m->local, &a->device_id, on_invited, a);
}

void
mt_use_ctl_list(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct mt *m = core;

	(void)body;
	ctl_ok(c, q, json_pack("{s:o}", "tunnels", mt_use_list(m->use)));
}
