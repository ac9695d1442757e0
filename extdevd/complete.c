/*
 * complete: the last message, and the proofs that both ends hold the same key.          seed 8.3.1 step 18, 8.3.2 step 16; K3
 * Until it is answered it stays owed in the store (K4). A right proof confirms the key, and only then the older one goes (K2).
 */
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/proof.h"
#include "common/purge.h"
#include "extdevd/core.h"

static enum rc
settle(struct extdev_mt *m, const struct extdev_key *k)
{
	struct store *st = m->e->s.store;
	enum rc rc = store_begin(st), end;

	if (rc != RC_OK)
		return rc;
	rc = extdev_store_settle(st, &k->from.mt_id, &k->from.triple);
	end = store_end(st, rc == RC_OK);
	return rc != RC_OK ? rc : end;
}

void
extdev_say_if_no_pseudonym(struct extdev_mt *m, const struct extdev_key *k)
{
	char known[UAXML_PSEUDONYM_MAX + 1], naf[NAF_ID_TEXT_MAX + 1];

	if (k->pseudonym[0] != '\0' ||
	    extdev_store_get_pseudonym(m->e->s.store, &k->from.mt_id, &k->from.triple.naf_id, known) != RC_NOTFOUND)
		return;
	naf_id_print(&k->from.triple.naf_id, naf);
	log_info("establish: mt=%s mt_id=%s naf_id=%s: no pseudonym came with the key: a change of SIM in this MT cannot be noticed",
	    m->conf->name, k->from.mt_id.s, naf);
}

static void
drop_key(struct extdev_mt *m, const struct extdev_key *k)
{
	struct store *st = m->e->s.store;
	bool gone;

	if (store_begin(st) != RC_OK)
		return;
	gone = extdev_store_drop_waiting(st, &k->from.mt_id, &k->from.triple) == RC_OK;
	if (store_end(st, gone) != RC_OK || !gone)
		log_error("establish: btid=%s: the key could not be deleted", k->from.triple.btid.s);
	extdev_keys_gone(m->e);
}

/* The MT refused. */
static void
refused(struct extdev_mt *m, enum reason why, const json_t *error)
{
	const char *text = json_string_value(json_object_get(error, "text"));
	const char *code = reason_get(why)->local;
	char safe[200];

	log_text(span_str(text), safe, sizeof safe);
	extdev_step(m, 18, "extdevd", "mtd", "complete", reason_get(why)->code, extdev_waited_us(m));
	if (error != NULL && strcmp(code, "unknown-key") == 0) {		/* K4 */
		drop_key(m, &m->p.key);
		extdev_fall(m, why, safe, NULL);
	} else if (error != NULL && strcmp(code, "key-mismatch") == 0) {
		drop_key(m, &m->p.key);
		extdev_fail(m, why, 0, false, "%s", safe);
	} else {
		int64_t wait = json_integer_value(json_object_get(error, "retry_after_s"));

		extdev_fail(m, why, wait > 0 && wait < 86400 ? wait : 0, true, "%s%s",
		    why == REASON_NOT_DURABLE ? "" : "the key is stored, complete stays owed; ", safe);
	}
}

static void
on_completed(struct extdev_mt *m, json_t *body, enum reason why, const json_t *error)
{
	struct extdev_key k = m->p.key;
	struct localif_complete_ok ok;
	const char *bad = "";
	bool proved;
	enum rc rc;

	if (why == REASON_NONE && localif_complete_ok_parse(body, &ok, &bad) != RC_OK)
		why = REASON_LOCAL_BAD_ANSWER;
	if (why != REASON_NONE) {
		refused(m, why, error);
		return;
	}
	proved = k.from.challenge[0] != '\0' && ok.proof[0] != '\0';
	if (proved && (rc = proof_check(k.ks, PROOF_MT, span_str(k.from.challenge), span_str(ok.proof))) != RC_OK) {
		why = rc == RC_DENIED ? REASON_LOCAL_KEY_MISMATCH : REASON_INTERNAL;
		extdev_step(m, 18, "extdevd", "mtd", "complete", reason_get(why)->code, extdev_waited_us(m));
		if (rc == RC_DENIED)
			drop_key(m, &k);
		extdev_fail(m, why, 0, false, "the MT's proof is wrong");
		return;
	}
	rc = proved ? extdev_use_confirm(m, &k.from.triple) : settle(m, &k);
	if (rc != RC_OK) {	/* RC_NOTFOUND: it was forgotten, or expired, meanwhile */
		extdev_fail(m, rc == RC_NOTFOUND ? REASON_LOCAL_UNKNOWN_KEY : REASON_INTERNAL, 0, false, "the key is gone from the store");
		return;
	}
	memset(&m->p.key, 0, sizeof m->p.key);		/* k has it now */
	extdev_succeed(m, &k, k.from.scenario, false);
	extdev_key_clear(&k);
}

void
extdev_complete_send(struct extdev_mt *m, struct extdev_key *k)
{
	struct localif_complete ask = { .triple = k->from.triple, .run = k->from.run };
	struct span challenge;

	m->p.state = EXTDEV_COMPLETE;
	m->p.key = *k;
	memset(k, 0, sizeof *k);
	if (secret_kcv(m->p.key.ks, m->p.kcv) != RC_OK)
		m->p.kcv[0] = '\0';
	challenge = span_str(m->p.key.from.challenge);
	if (challenge.n > 0 && proof_make(m->p.key.ks, PROOF_DEVICE, challenge, ask.proof) != RC_OK) {
		extdev_fail(m, REASON_INTERNAL, 0, true, "no proof could be made");
		return;
	}
	extdev_step(m, 18, "extdevd", "mtd", "complete", NULL, 0);
	extdev_local_ask(m, LOCALIF_COMPLETE, localif_complete_print(&ask), on_completed);
}
