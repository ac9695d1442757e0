/*
 * keyfile: a 32-octet key from a file of 64 hex digits and a newline, or from a systemd credential.
 * Its text is never echoed, not even when it is malformed.
 */
#ifndef COMMON_KEYFILE_H
#define COMMON_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/rc.h"
#include "common/secret.h"
#include "common/span.h"

#define KEYFILE_KEY_LEN 32

/*
 * name   a path, or "credential:NAME" = $CREDENTIALS_DIRECTORY/NAME
 * why    a sentence for the user, "" on success: "/etc/x.key may be read by its group: chmod 600 it"
 * RC_NOTFOUND, RC_IO. RC_DENIED: group or world may read or write it, another user owns it (root may), or it is no regular file.
 * RC_SYNTAX: not 64 hex digits. Caller frees *out.
 */
enum rc keyfile_read(const char *name, struct secret **out, char *why, size_t cap) MUST_USE;
/* Pure: the text. RC_SYNTAX. */
enum rc keyfile_parse(struct span text, struct secret **out) MUST_USE;
/*
 * May a private file be used? A regular file, owned by us or root, that neither group nor world may read or write. Below
 * $CREDENTIALS_DIRECTORY the group's bits do not count: systemd shows an access list there. RC_NOTFOUND, RC_IO, RC_DENIED.
 */
enum rc keyfile_check(const char *path, char *why, size_t cap) MUST_USE;
/* Does whoever copies the store's directory get its key too? Then the seal protects nothing, and the daemon says so. */
bool keyfile_beside(const char *key_path, const char *store_path);
/* Where name is: the path, with a credential's looked up. RC_NOTFOUND: no $CREDENTIALS_DIRECTORY. RC_RANGE: too long. */
enum rc keyfile_path(const char *name, char *out, size_t cap) MUST_USE;

#endif
