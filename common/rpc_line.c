/* rpc_line: see the door plate. */
#include "common/rpc_line.h"

#include <string.h>

#include "common/rpc.h"

enum rc
rpc_parse(struct span line, size_t line_max, json_t **out)
{
	json_error_t e;
	json_t *o;

	if (line.n > line_max)
		return RC_RANGE;
	/* jansson refuses raw and escaped NULs, bad UTF-8, numbers out of range and nesting over 2,048 by itself */
	o = json_loadb((const char *)line.p, line.n, JSON_REJECT_DUPLICATES, &e);
	if (!json_is_object(o)) {
		json_decref(o);
		return RC_SYNTAX;
	}
	*out = o;
	return RC_OK;
}

static json_int_t
line_id(const json_t *o)
{
	const json_t *id = json_object_get(o, "id");

	return json_is_integer(id) && json_integer_value(id) >= 0 ? json_integer_value(id) : -1;
}

static enum rpc_kind
read_answer(const json_t *o, struct rpc_line *l)
{
	const json_t *ok = json_object_get(o, "ok"), *error = json_object_get(o, "error");

	if (l->id < 0)
		return RPC_COMPLAINT;
	if ((ok != NULL) == (error != NULL))
		return RPC_BAD_ANSWER;
	if (ok != NULL)
		return json_is_true(ok) ? RPC_ANSWER : RPC_BAD_ANSWER;
	if (!json_is_string(json_object_get(error, "code")))
		return RPC_BAD_ANSWER;
	l->error = error;
	return RPC_ANSWER;
}

static enum rpc_kind
read_progress(const json_t *o, struct rpc_line *l, const char **bad)
{
	const json_t *wait = json_object_get(o, "wait_s");

	l->word = json_string_value(json_object_get(o, "progress"));
	if (l->word == NULL || l->id < 0) {
		*bad = l->word == NULL ? "progress" : "id";
		return RPC_BAD;
	}
	if (wait != NULL && (!json_is_integer(wait) || json_integer_value(wait) < 0)) {
		*bad = "wait_s";
		return RPC_BAD;
	}
	l->wait_s = json_integer_value(wait);
	return RPC_PROGRESS;
}

enum rpc_kind
rpc_line_read(const json_t *o, struct rpc_line *out, const char **bad)
{
	*out = (struct rpc_line){ .id = line_id(o) };
	*bad = "op";
	if (json_object_get(o, "op") == NULL) {
		if (json_object_get(o, "ok") != NULL || json_object_get(o, "error") != NULL)
			return read_answer(o, out);
		if (json_object_get(o, "progress") != NULL)
			return read_progress(o, out, bad);
		return RPC_BAD;
	}
	out->op = json_string_value(json_object_get(o, "op"));
	if (out->op == NULL)
		return RPC_BAD;
	if (out->id < 0) {
		*bad = "id";
		return RPC_BAD;
	}
	return RPC_REQUEST;
}

/* Sets a member that is new and may be NULL (memory was out); on failure the object is gone. */
static json_t *
with(json_t *o, const char *key, json_t *value)
{
	if (o != NULL && json_object_set_new(o, key, value) != 0) {
		json_decref(o);
		return NULL;
	}
	if (o == NULL)
		json_decref(value);
	return o;
}

static json_t *
head(json_int_t id)
{
	return id >= 0 ? with(json_object(), "id", json_integer(id)) : json_object();
}

/* The members of body that o has not; body is borrowed and may be NULL. */
static json_t *
merge(json_t *o, json_t *body)
{
	const char *k;
	json_t *v;

	json_object_foreach(body, k, v) {
		if (o != NULL && json_object_get(o, k) == NULL)
			o = with(o, k, json_incref(v));
	}
	return o;
}

json_t *
rpc_line_request(json_int_t id, const char *op, json_t *body)
{
	return merge(with(head(id), "op", json_string(op)), body);
}

json_t *
rpc_line_ok(json_int_t id, json_t *body)
{
	return merge(with(head(id), "ok", json_true()), body);
}

json_t *
rpc_line_progress(json_int_t id, const char *word, int64_t wait_s)
{
	return with(with(head(id), "progress", json_string(word)), "wait_s", json_integer(wait_s));
}

json_t *
rpc_line_error(json_int_t id, enum reason why, int64_t retry_after_s, const char *text)
{
	const struct reason_info *info = reason_get(why);
	json_t *e = with(json_object(), "code", json_string(info->local)), *t = json_string(text);

	e = with(e, "text", t != NULL ? t : json_string(info->what));	/* text may quote what is no UTF-8 */
	e = with(e, "reason", json_string(info->code));
	if (retry_after_s > 0)
		e = with(e, "retry_after_s", json_integer(retry_after_s));
	return with(head(id), "error", e);
}

enum reason
rpc_line_reason(const json_t *error)
{
	static const enum reason general[] = {
		REASON_LOCAL_UNKNOWN_KEY, REASON_LOCAL_STALE_BTID, REASON_LOCAL_NAF_NOT_OFFERED, REASON_LOCAL_NO_UICC,
		REASON_LOCAL_BOOTSTRAP_FAILED, REASON_LOCAL_REFUSED, REASON_LOCAL_BUSY, REASON_LOCAL_KEY_MISMATCH,
		REASON_LOCAL_MT_CHANGED, REASON_CLOCK_JUMPED, REASON_LOCAL_BAD_MESSAGE, REASON_LOCAL_UNSUPPORTED,
	};
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *name = json_string_value(json_object_get(error, "reason"));
	enum reason r = name != NULL ? reason_by_code(name) : REASON_INTERNAL;

	if (code == NULL)
		return REASON_LOCAL_REFUSED;
	if (r != REASON_INTERNAL && r != REASON_NONE && strcmp(reason_get(r)->local, code) == 0)
		return r;
	for (size_t i = 0; i < sizeof general / sizeof general[0]; i++)
		if (strcmp(reason_get(general[i])->local, code) == 0)
			return general[i];
	return REASON_LOCAL_REFUSED;
}
