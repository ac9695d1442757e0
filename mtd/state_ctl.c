#include "mtd/state_ctl.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/timeguard.h"
#include "mtd/mt_impl.h"
#include "mtd/state.h"
#include "mtd/store.h"

struct check {
	struct mt *m;
	struct ctl *c;
	struct rpc_req *q;
	struct iccid iccid;
	json_t *keys;
	size_t open;		/* questions, and one for asking them */
	bool failed;
};

static void
done_one(struct check *j)
{
	if (--j->open > 0)
		return;
	if (j->failed || json_array_size(j->keys) == 0) {
		json_decref(j->keys);
		ctl_fail(j->c, j->q, j->failed ? REASON_INTERNAL : REASON_LOCAL_UNKNOWN_KEY, j->failed ? NULL : "there is no key to ask about");
	} else {
		ctl_ok(j->c, j->q, json_pack("{s:o}", "keys", j->keys));
	}
	free(j);
}

static void
on_told(void *check, const struct triple *t, const struct mt_said *said)
{
	static const char *const words[] = {
		[MT_SAID_GOOD] = "good", [MT_SAID_GONE] = "gone", [MT_SAID_UNKNOWN] = "unknown", [MT_SAID_NOTHING] = "nothing"
	};
	struct check *j = check;
	char naf[NAF_ID_TEXT_MAX + 1], expires[UTC_TEXT_LEN + 1];
	struct mt_key k;
	json_t *o;

	naf_id_print(&t->naf_id, naf);
	o = json_pack("{s:s, s:s, s:s, s:s}", "btid", t->btid.s, "naf_id", naf, "device_id", t->device_id.s, "said", words[said->verdict]);
	if (said->why != REASON_NONE) {
		(void)json_object_set_new(o, "reason", json_string(reason_get(said->why)->code));
		(void)json_object_set_new(o, "detail", json_string(said->detail));
	}
	if (mt_store_get_key(j->m->seams.store, &j->iccid, t, timeguard_now(j->m->seams.guard), &k) == RC_OK) {
		clock_print_utc(k.expires, expires);
		(void)json_object_set_new(o, "expires", json_string(expires));
		mt_key_clear(&k);
	}
	(void)json_array_append_new(j->keys, o);
	done_one(j);
}

static void
check_one(void *check, const struct mt_key *k)
{
	struct check *j = check;

	j->open++;
	mt_state_check(j->m->state, k, on_told, j);
}

void
mt_state_on_check(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct mt *m = core;
	struct check *j = calloc(1, sizeof *j);
	enum rc rc;

	(void)body;
	if (j == NULL) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	*j = (struct check){ .m = m, .c = c, .q = q, .keys = json_array(), .open = 1 };
	rc = mt_store_last_card(m->seams.store, &j->iccid);
	if (rc == RC_OK)
		rc = mt_store_each_key(m->seams.store, &j->iccid, timeguard_now(m->seams.guard), check_one, j);
	j->failed = rc != RC_OK && rc != RC_NOTFOUND;
	done_one(j);
}
