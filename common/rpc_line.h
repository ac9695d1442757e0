/* rpc_line: the lines of rpc as objects. Pure; for rpc.c alone (rpc_parse is in rpc.h). */
#ifndef COMMON_RPC_LINE_H
#define COMMON_RPC_LINE_H

#include <jansson.h>
#include <stdint.h>

#include "common/reason.h"

enum rpc_kind {
	RPC_REQUEST,		/* id and op are good */
	RPC_ANSWER,		/* id is good; ok is true, or error is an object with a code; never both */
	RPC_PROGRESS,		/* id and the word are good */
	RPC_BAD_ANSWER,		/* an answer by its id, but not by its form: it ends that request */
	RPC_COMPLAINT,		/* an error or an answer without id: about a line of ours that had none */
	RPC_BAD			/* nothing of these */
};

struct rpc_line {
	json_int_t id;		/* -1 = none that is usable */
	const char *op, *word;	/* borrowed from the object */
	const json_t *error;
	int64_t wait_s;		/* progress; 0 = not told */
};
/* What an object is. *bad: the member at fault (RPC_BAD). */
enum rpc_kind rpc_line_read(const json_t *o, struct rpc_line *out, const char **bad);

/* New objects, NULL when memory is out. id -1 = without. */
json_t *rpc_line_request(json_int_t id, const char *op, json_t *body);
json_t *rpc_line_ok(json_int_t id, json_t *body);
json_t *rpc_line_error(json_int_t id, enum reason why, int64_t retry_after_s, const char *text);
json_t *rpc_line_progress(json_int_t id, const char *word, int64_t wait_s);

/* What an error means here: its reason if that belongs to its code, else the code's general reason, else LOCAL_REFUSED. */
enum reason rpc_line_reason(const json_t *error);

#endif
