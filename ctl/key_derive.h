/*
 * key_derive: where an application key goes (U7): a new file of its user's alone, or a descriptor that ksctl was given. Never to what
 * ksctl prints.
 */
#ifndef CTL_KEY_DERIVE_H
#define CTL_KEY_DERIVE_H

#include <jansson.h>

#include "common/appkey.h"
#include "common/rc.h"

struct key_target {
	enum appkey_format format;
	const char *identity;	/* NULL = the daemon's */
	const char *out;	/* NULL = fd */
	int fd;
};
/*
 * ksctl's own members of the request: format, identity, out, fd. Texts are borrowed from body. RC_SYNTAX: why says what was expected;
 * an fd that is not open, or is one of the standard three, is one.
 */
enum rc key_target_read(const json_t *body, struct key_target *out, char *why, size_t cap) MUST_USE;
/* What the daemon is asked: body without those. Caller decrefs; NULL: memory is out. */
json_t *key_target_request(const json_t *body);
/*
 * Hands the answer's key over, and takes it out of the answer; identity becomes the one that was written. RC_EXISTS: the file is there;
 * RC_IO; RC_SYNTAX: no identity, or an answer that is none; why says it. Nothing is left half written.
 */
enum rc key_target_write(const struct key_target *t, json_t *answer, char *why, size_t cap) MUST_USE;

#endif
