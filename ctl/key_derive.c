#include "ctl/key_derive.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/fdio.h"

static const char *const own[] = { "format", "identity", "out", "fd" };

enum rc
key_target_read(const json_t *body, struct key_target *out, char *why, size_t cap)
{
	const char *format = json_string_value(json_object_get(body, "format"));
	const json_t *fd = json_object_get(body, "fd");
	struct key_target t = {
		.identity = json_string_value(json_object_get(body, "identity")), .out = json_string_value(json_object_get(body, "out")), .fd = -1
	};

	if (format != NULL && strcmp(format, "hex") != 0 && strcmp(format, "psk") != 0) {
		(void)snprintf(why, cap, "--format: '%.40s': expected hex or psk", format);
		return RC_SYNTAX;
	}
	t.format = format != NULL && strcmp(format, "psk") == 0 ? APPKEY_PSK : APPKEY_HEX;
	if (t.identity != NULL && !appkey_identity_ok(span_str(t.identity))) {
		(void)snprintf(why, cap, "--identity: expected 1 to %d printable characters without blank and colon", APPKEY_IDENTITY_MAX);
		return RC_SYNTAX;
	}
	if ((t.out != NULL) == (fd != NULL)) {
		(void)snprintf(why, cap, "expected --out FILE, a new one, or --fd N: a key is not printed");
		return RC_SYNTAX;
	}
	if (fd != NULL) {
		json_int_t n = json_integer_value(fd);

		t.fd = n > STDERR_FILENO && n <= 65535 ? (int)n : -1;
		if (t.fd < 0 || fcntl(t.fd, F_GETFD) < 0) {
			(void)snprintf(why, cap, "--fd: expected an open descriptor, 3 or above");
			return RC_SYNTAX;
		}
	}
	*out = t;
	return RC_OK;
}

json_t *
key_target_request(const json_t *body)
{
	json_t *o = json_deep_copy(body);

	for (size_t i = 0; o != NULL && i < sizeof own / sizeof *own; i++)
		(void)json_object_del(o, own[i]);
	return o;
}

/* A new file, whoever else may have put one or a link of that name there. */
static enum rc
write_file(const char *path, const char *p, size_t n, char *why, size_t cap)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool good;

	if (fd < 0) {
		(void)snprintf(why, cap, "%.200s: %s%s", path, strerror(errno), errno == EEXIST ? ": a key is only put into a new file" : "");
		return errno == EEXIST ? RC_EXISTS : RC_IO;
	}
	good = fdio_write_all(fd, span_of(p, n)) && fsync(fd) == 0;
	good = close(fd) == 0 && good;
	if (good)
		return RC_OK;
	(void)snprintf(why, cap, "%.200s: %s", path, strerror(errno));
	(void)unlink(path);
	return RC_IO;
}

enum rc
key_target_write(const struct key_target *t, json_t *answer, char *why, size_t cap)
{
	const char *hex = json_string_value(json_object_get(answer, "key"));
	const char *identity = t->identity != NULL ? t->identity : json_string_value(json_object_get(answer, "identity"));
	char text[APPKEY_TEXT_MAX + 1];
	size_t n = 0;
	enum rc rc = RC_SYNTAX;

	if (hex == NULL || identity == NULL)
		(void)snprintf(why, cap, "the daemon's answer has no key");
	else if (t->format == APPKEY_PSK && identity[0] == '\0')
		(void)snprintf(why, cap, "--identity is needed: none can be made of this --app");
	else if ((rc = appkey_print(t->format, identity, hex, text, &n)) != RC_OK)
		(void)snprintf(why, cap, "the daemon's answer has no key of the right form");
	else if (t->out != NULL)
		rc = write_file(t->out, text, n, why, cap);
	else if (!fdio_write_all(t->fd, span_of(text, n))) {
		(void)snprintf(why, cap, "--fd %d: %s", t->fd, strerror(errno));
		rc = RC_IO;
	}
	OPENSSL_cleanse(text, sizeof text);
	if (rc == RC_OK && t->identity != NULL)
		(void)json_object_set_new(answer, "identity", json_string(t->identity));
	(void)json_object_del(answer, "key");		/* cleansed: wipe.h is jansson's allocator here */
	return rc;
}
