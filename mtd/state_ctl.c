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
	if (j->failed) {
		json_decref(j->keys);
		ctl_fail(j->c, j->q, REASON_INTERNAL, NULL);
	} else {
		ctl_ok(j->c, j->q, json_pack("{s:o}", "keys", j->keys));
	}
	free(j);
}

/* As the store has it now. */
static void
print_expiry(const struct check *j, const struct triple *t, char out[static UTC_TEXT_LEN + 1])
{
	struct mt *m = j->m;
	struct mt_key k;

	out[0] = '\0';
	if (mt_store_get_key(m->seams.store, &j->iccid, t, timeguard_now(m->seams.guard), &k) != RC_OK)
		return;
	clock_print_utc(k.expires, out);
	mt_key_clear(&k);
}

static void
on_told(void *check, const struct triple *t, const struct mt_said *said)
{
	static const char *const words[] = {
		[MT_SAID_GOOD] = "good", [MT_SAID_GONE] = "gone", [MT_SAID_UNKNOWN] = "unknown", [MT_SAID_NOTHING] = "nothing"
	};
	struct check *j = check;
	char naf[NAF_ID_TEXT_MAX + 1], expires[UTC_TEXT_LEN + 1];

	naf_id_print(&t->naf_id, naf);
	print_expiry(j, t, expires);
	(void)json_array_append_new(j->keys, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "device_id", t->device_id.s, "btid", t->btid.s,
	    "naf_id", naf, "said", words[said->verdict], "expires", expires, "why",
	    said->why == REASON_NONE ? "" : said->detail[0] != '\0' ? said->detail : reason_get(said->why)->what));
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
