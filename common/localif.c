/*
 * localif: see the door plate. Each message is a list of members; get() knows their forms. A member that is not there leaves its
 * field zero, which every message reads as "not told"; which ones must be there, the parser says.
 */
#include "common/localif.h"

#include <string.h>

enum form { NAF_ID, BTID, DEVICE_ID, MT_ID, RUN_ID, CHALLENGE, PROOF };

/* Printable ASCII, as the proof takes it octet for octet. */
static enum rc
parse_text(struct span in, char *out, size_t cap)
{
	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] < 0x21 || in.p[i] > 0x7e)
			return RC_SYNTAX;
	return in.n > 0 && span_to_str(in, out, cap) ? RC_OK : RC_SYNTAX;
}

static enum rc
parse_form(enum form form, struct span in, void *out)
{
	switch (form) {
	case NAF_ID:
		return naf_id_parse(in, out);
	case BTID:
		return btid_parse(in, out);
	case DEVICE_ID:
		return device_id_parse(in, out);
	case MT_ID:
		return mt_id_parse(in, out);
	case RUN_ID:
		return run_id_parse(in, out);
	case CHALLENGE:
		return parse_text(in, out, CHALLENGE_MAX + 1);
	case PROOF:
		return parse_text(in, out, PROOF_LEN + 1);
	}
	return RC_SYNTAX;
}

/* A text member into out. true: it has its form, or is absent and may be. */
static bool
get(const json_t *body, const char *key, enum form form, bool required, void *out, const char **bad)
{
	const json_t *v = json_object_get(body, key);

	*bad = key;
	if (v == NULL)
		return !required;
	return json_is_string(v) && parse_form(form, span_of(json_string_value(v), json_string_length(v)), out) == RC_OK;
}

static bool
get_triple(const json_t *body, struct triple *out, const char **bad)
{
	return get(body, "naf_id", NAF_ID, true, &out->naf_id, bad) && get(body, "btid", BTID, true, &out->btid, bad) &&
	    get(body, "device_id", DEVICE_ID, true, &out->device_id, bad);
}

/* Adds a text unless it is empty; on failure the object is gone. NULL in, NULL out. */
static json_t *
put(json_t *o, const char *key, const char *text)
{
	if (o == NULL || *text == '\0' || json_object_set_new(o, key, json_string(text)) == 0)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *
put_naf_id(json_t *o, const struct naf_id *id)
{
	char text[NAF_ID_TEXT_MAX + 1];

	naf_id_print(id, text);
	return put(o, "naf_id", text);
}

static json_t *
put_triple(json_t *o, const struct triple *t)
{
	return put(put(put_naf_id(o, &t->naf_id), "btid", t->btid.s), "device_id", t->device_id.s);
}

/* --- hello */

enum rc
localif_hello_parse(const json_t *body, struct localif_hello *out, const char **bad)
{
	struct localif_hello m = { .version = 1 };
	const json_t *version = json_object_get(body, "version"), *role = json_object_get(body, "role");
	const json_t *kind = json_object_get(body, "device_id_kind");

	*bad = "version";
	if (version != NULL && (!json_is_integer(version) || json_integer_value(version) < 1 || json_integer_value(version) > 1000000))
		return RC_SYNTAX;
	if (version != NULL)
		m.version = (int)json_integer_value(version);
	*bad = "role";
	if (role != NULL && !json_is_string(role))
		return RC_SYNTAX;
	if (role != NULL && strcmp(json_string_value(role), "device") == 0)
		m.role = LOCALIF_ROLE_DEVICE;
	else if (role != NULL && strcmp(json_string_value(role), "mt") == 0)
		m.role = LOCALIF_ROLE_MT;
	*bad = "device_id_kind";
	if (kind != NULL && !json_is_string(kind))
		return RC_SYNTAX;
	if (kind != NULL && strcmp(json_string_value(kind), "fixed") == 0)
		m.device_id_kind = LOCALIF_KIND_FIXED;
	else if (kind != NULL && strcmp(json_string_value(kind), "random") == 0)
		m.device_id_kind = LOCALIF_KIND_RANDOM;
	if (!get(body, "mt_id", MT_ID, false, &m.mt_id, bad) || !get(body, "device_id", DEVICE_ID, false, &m.device_id, bad) ||
	    !get(body, "challenge", CHALLENGE, false, m.challenge, bad))
		return RC_SYNTAX;
	*out = m;
	return RC_OK;
}

json_t *
localif_hello_print(const struct localif_hello *m)
{
	static const char *const roles[] = { "", "device", "mt" }, *const kinds[] = { "", "fixed", "random" };
	json_t *o = json_object();

	if (o != NULL && json_object_set_new(o, "version", json_integer(m->version)) != 0) {
		json_decref(o);
		return NULL;
	}
	o = put(put(put(o, "role", roles[m->role]), "device_id_kind", kinds[m->device_id_kind]), "mt_id", m->mt_id.s);
	return put(put(o, "device_id", m->device_id.s), "challenge", m->challenge);
}

/* --- info */

enum rc
localif_info_parse(const json_t *body, struct localif_info *out, const char **bad)
{
	struct localif_info m = { 0 };

	if (!get(body, "device_id", DEVICE_ID, false, &m.device_id, bad) || !get(body, "run", RUN_ID, false, &m.run, bad))
		return RC_SYNTAX;
	*out = m;
	return RC_OK;
}

json_t *
localif_info_print(const struct localif_info *m)
{
	return put(put(json_object(), "device_id", m->device_id.s), "run", m->run.s);
}

enum rc
localif_info_ok_parse(const json_t *body, struct localif_info_ok *out, const char **bad)
{
	struct localif_info_ok m = { 0 };
	const json_t *list = json_object_get(body, "naf_ids"), *v;

	*bad = "naf_ids";
	if (list != NULL && !json_is_array(list))
		return RC_SYNTAX;
	while (m.n_naf_ids < LOCALIF_NAF_IDS_MAX && (v = json_array_get(list, m.n_naf_ids)) != NULL) {
		if (!json_is_string(v) ||
		    naf_id_parse(span_of(json_string_value(v), json_string_length(v)), &m.naf_ids[m.n_naf_ids]) != RC_OK)
			return RC_SYNTAX;
		m.n_naf_ids++;
	}
	if (!get(body, "btid", BTID, false, &m.btid, bad))
		return RC_SYNTAX;
	*out = m;
	return RC_OK;
}

json_t *
localif_info_ok_print(const struct localif_info_ok *m)
{
	json_t *o = json_object(), *list = json_array();
	char text[NAF_ID_TEXT_MAX + 1];

	for (size_t i = 0; i < m->n_naf_ids; i++) {
		naf_id_print(&m->naf_ids[i], text);
		if (json_array_append_new(list, json_string(text)) != 0)
			goto fail;
	}
	if (json_object_set(o, "naf_ids", list) != 0)
		goto fail;
	json_decref(list);
	return put(o, "btid", m->btid.s);
fail:
	json_decref(list);
	json_decref(o);
	return NULL;
}

/* --- derive */

enum rc
localif_derive_parse(const json_t *body, struct localif_derive *out, const char **bad)
{
	struct localif_derive m = { 0 };

	if (!get(body, "naf_id", NAF_ID, true, &m.naf_id, bad) || !get(body, "device_id", DEVICE_ID, true, &m.device_id, bad) ||
	    !get(body, "btid", BTID, false, &m.btid, bad) || !get(body, "stale_btid", BTID, false, &m.stale_btid, bad) ||
	    !get(body, "run", RUN_ID, false, &m.run, bad) || !get(body, "holds", PROOF, false, m.holds, bad))
		return RC_SYNTAX;
	*out = m;
	return RC_OK;
}

json_t *
localif_derive_print(const struct localif_derive *m)
{
	json_t *o = put(put_naf_id(json_object(), &m->naf_id), "device_id", m->device_id.s);

	return put(put(put(put(o, "btid", m->btid.s), "stale_btid", m->stale_btid.s), "run", m->run.s), "holds", m->holds);
}

enum rc
localif_derive_ok_parse(const json_t *body, struct localif_derive_ok *out, const char **bad)
{
	struct localif_derive_ok m = { 0 };

	if (!get(body, "btid", BTID, true, &m.btid, bad) || !get(body, "naf_id", NAF_ID, true, &m.naf_id, bad) ||
	    !get(body, "challenge", CHALLENGE, false, m.challenge, bad))
		return RC_SYNTAX;
	*out = m;
	return RC_OK;
}

json_t *
localif_derive_ok_print(const struct localif_derive_ok *m)
{
	return put(put_naf_id(put(json_object(), "btid", m->btid.s), &m->naf_id), "challenge", m->challenge);
}

/* --- complete */

enum rc
localif_complete_parse(const json_t *body, struct localif_complete *out, const char **bad)
{
	struct localif_complete m = { 0 };

	if (!get_triple(body, &m.triple, bad) || !get(body, "run", RUN_ID, false, &m.run, bad) ||
	    !get(body, "proof", PROOF, false, m.proof, bad))
		return RC_SYNTAX;
	*out = m;
	return RC_OK;
}

json_t *
localif_complete_print(const struct localif_complete *m)
{
	return put(put(put_triple(json_object(), &m->triple), "run", m->run.s), "proof", m->proof);
}

enum rc
localif_complete_ok_parse(const json_t *body, struct localif_complete_ok *out, const char **bad)
{
	struct localif_complete_ok m = { 0 };

	if (!get(body, "proof", PROOF, false, m.proof, bad))
		return RC_SYNTAX;
	*out = m;
	return RC_OK;
}

json_t *
localif_complete_ok_print(const struct localif_complete_ok *m)
{
	return put(json_object(), "proof", m->proof);
}

/* --- forget, use */

enum rc
localif_forget_parse(const json_t *body, struct localif_forget *out, const char **bad)
{
	struct localif_forget m = { 0 };

	if (!get_triple(body, &m.triple, bad) || !get(body, "proof", PROOF, false, m.proof, bad))
		return RC_SYNTAX;
	*out = m;
	return RC_OK;
}

json_t *
localif_forget_print(const struct localif_forget *m)
{
	return put(put_triple(json_object(), &m->triple), "proof", m->proof);
}

enum rc
localif_triple_parse(const json_t *body, struct triple *out, const char **bad)
{
	struct triple m = { 0 };

	if (!get_triple(body, &m, bad))
		return RC_SYNTAX;
	*out = m;
	return RC_OK;
}

json_t *
localif_triple_print(const struct triple *t)
{
	return put_triple(json_object(), t);
}
