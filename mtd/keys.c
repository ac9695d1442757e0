#include "mtd/keys.h"

#include <string.h>

#include "common/kdf.h"
#include "common/store.h"

bool
mt_keys_kept(const struct mt_keys_env *e, const struct mt_app *app, const struct mt_ks *ks, const struct naf_id *naf, int64_t now_s)
{
	struct secret *kept = NULL;
	bool yes = ks->ks != NULL || mt_store_get_ks_naf(e->store, app, &ks->btid, naf, now_s, &kept) == RC_OK;

	secret_free(kept);
	return yes;
}

/* K6: derived only if it is not there (seed 8.3.2 step 7). */
static enum rc
naf_key(const struct mt_keys_env *e, const struct mt_keys_source *src, const struct naf_id *naf, int64_t now_s, bool *derived,
    struct secret **out)
{
	const struct mt_ks *ks = src->ks;
	struct secret *ks_naf = NULL;
	enum rc rc;

	rc = mt_store_get_ks_naf(e->store, src->app, &ks->btid, naf, now_s, out);
	if (rc != RC_NOTFOUND && rc != RC_EXPIRED)
		return rc;
	if (src->ks_ext_naf != NULL)
		rc = secret_dup(src->ks_ext_naf, &ks_naf);
	else if (ks->ks != NULL)
		rc = kdf_ks_naf(ks->ks, ks->rand, span_str(ks->impi.s), naf, &ks_naf);
	else
		rc = RC_STATE;
	if (rc != RC_OK)
		return rc;
	if ((rc = mt_store_put_ks_naf(e->store, src->app, &ks->btid, naf, ks->expires, ks_naf)) != RC_OK) {
		secret_free(ks_naf);
		return rc;
	}
	*derived = true;
	*out = ks_naf;
	return RC_OK;
}

static enum rc
new_key(const struct mt_keys_env *e, struct mt_key *k, const struct mt_origin *from)
{
	enum rc rc;

	if ((rc = kdf_ks_local_mt(k->ks_naf, &k->triple, &k->ks_local_mt)) != RC_OK)
		return rc;
	if ((rc = proof_challenge(e->rnd, k->challenge)) != RC_OK)
		return rc;
	if ((rc = mt_store_put_key(e->store, k, from)) != RC_OK)
		return rc;
	return mt_store_trim_conn(e->store, from, e->unused_max);
}

static enum rc
derive(const struct mt_keys_env *e, const struct mt_keys_source *src, struct mt_key *k, const struct mt_origin *from, int64_t now_s,
    struct mt_keys_made *out)
{
	struct mt_key there;
	enum rc rc;

	if ((rc = naf_key(e, src, &k->triple.naf_id, now_s, &out->naf_derived, &k->ks_naf)) != RC_OK)
		return rc;
	rc = mt_store_get_key(e->store, &src->app->iccid, &k->triple, now_s, &there);
	if (rc == RC_OK) {
		memcpy(out->challenge, there.challenge, sizeof out->challenge);
		if ((rc = secret_kcv(there.ks_local_mt, out->kcv)) == RC_OK)
			rc = mt_store_touch_key(e->store, &there, from);
		mt_key_clear(&there);
		return rc;
	}
	if (rc != RC_NOTFOUND)
		return rc;
	/* N8: derivation is deterministic, so this would be the key that was ended. */
	rc = mt_store_get_tombstone(e->store, &src->app->iccid, &k->triple.device_id, &k->triple.btid, &k->triple.naf_id, now_s);
	if (rc != RC_NOTFOUND)
		return rc == RC_OK ? RC_EXPIRED : rc;
	if ((rc = new_key(e, k, from)) != RC_OK)
		return rc;
	out->key_derived = true;
	memcpy(out->challenge, k->challenge, sizeof out->challenge);
	return secret_kcv(k->ks_local_mt, out->kcv);
}

enum rc
mt_keys_derive(const struct mt_keys_env *e, const struct mt_keys_source *src, const struct naf_id *naf,
    const struct device_id *device, const struct mt_origin *from, int64_t now_s, struct mt_keys_made *out)
{
	struct mt_key k = {
		.iccid = src->app->iccid, .triple = { *naf, src->ks->btid, *device }, .created = now_s, .expires = src->ks->expires
	};
	struct mt_keys_made made = { .naf_derived = false };
	enum rc rc;

	if ((rc = store_begin(e->store)) != RC_OK)
		return rc;
	rc = mt_store_end(e->store, derive(e, src, &k, from, now_s, &made));
	mt_key_clear(&k);
	if (rc == RC_OK)
		*out = made;
	return rc;
}

enum rc
mt_keys_complete(const struct mt_keys_env *e, const struct iccid *iccid, const struct triple *t, const char *proof, int64_t now_s,
    struct mt_keys_proven *out)
{
	struct mt_keys_proven proven = { .proof = "" };
	struct mt_key k = { .ks_local_mt = NULL };
	struct span challenge;
	enum rc rc;

	if ((rc = mt_store_get_key(e->store, iccid, t, now_s, &k)) != RC_OK)
		return rc;
	challenge = span_str(k.challenge);
	if ((rc = secret_kcv(k.ks_local_mt, proven.kcv)) != RC_OK)
		goto out;
	if (proof[0] == '\0')
		goto out;
	if ((rc = proof_check(k.ks_local_mt, PROOF_DEVICE, challenge, span_str(proof))) != RC_OK)
		goto out;
	if ((rc = proof_make(k.ks_local_mt, PROOF_MT, challenge, proven.proof)) != RC_OK)
		goto out;
	/* confirmed already: what it replaced went then */
	if (k.state != MT_KEY_CONFIRMED && (rc = mt_store_confirm_key(e->store, iccid, t)) != RC_OK)
		goto out;
	proven.confirmed = k.state != MT_KEY_CONFIRMED;
out:
	mt_key_clear(&k);
	if (rc == RC_OK)
		*out = proven;
	return rc;
}
