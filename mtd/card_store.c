#include "mtd/card_state.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fdio.h"
#include "common/log.h"
#include "common/seal.h"
#include "common/store.h"
#include "mtd/card_image.h"

#define FILE_MAX SEALED_LEN(MT_CARD_STATE_MAX)

struct mt_card_store {
	char path[PATH_MAX - 8], aside[PATH_MAX];	/* "" = memory only; where the next one is written */
	int dir;				/* its directory, for fsync; -1 */
	struct seal *seal;
};

static const struct seal_place place = { "card", "state", { NULL, 0 } };

/* --- the seal: key = HMAC-SHA-256(K, "kslocal card state") */

static enum rc
make_seal(const struct mt_card_image *image, const struct rnd *rnd, struct seal **out)
{
	static const char label[] = "kslocal card state", prefix[] = "kslocal card";
	char id[sizeof prefix + ICCID_MAX];
	struct span k = secret_span(image->k);
	struct secret *key = NULL;
	uint8_t hash[32];
	enum rc rc;

	snprintf(id, sizeof id, "%s%s", prefix, image->iccid.s);
	if ((rc = secret_new(32, &key)) != RC_OK)
		goto out;
	rc = RC_CRYPTO;
	if (EVP_Digest(id, strlen(id), hash, NULL, EVP_sha256(), NULL) != 1)
		goto out;
	if (HMAC(EVP_sha256(), k.p, (int)k.n, (const uint8_t *)label, sizeof label - 1, secret_bytes(key), NULL) == NULL)
		goto out;
	rc = seal_new(key, hash, rnd, out);
out:
	secret_free(key);
	return rc;
}

/* --- the file */

static enum rc
read_file(const char *path, uint8_t *out, size_t cap, size_t *n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t len = 0;
	ssize_t got = -1;

	if (fd < 0)
		return errno == ENOENT ? RC_NOTFOUND : RC_IO;
	while (len < cap && (got = read(fd, out + len, cap - len)) > 0)
		len += (size_t)got;
	close(fd);
	*n = len;
	return got < 0 ? RC_IO : RC_OK;
}

/* What is on the disk into state; nothing there leaves it. */
static enum rc
load(struct mt_card_store *st, struct mt_card_state *state)
{
	uint8_t sealed[FILE_MAX + 1];
	struct secret *in = NULL;
	size_t n = 0;
	enum rc rc;

	if ((rc = read_file(st->path, sealed, sizeof sealed, &n)) == RC_NOTFOUND)
		return RC_OK;
	if (rc != RC_OK) {
		log_error("card: %s: %s", st->path, strerror(errno));
		return rc;
	}
	if ((rc = seal_get(st->seal, &place, (struct span){ sealed, n }, &in)) == RC_OK)
		rc = mt_card_state_parse(secret_span(in), state);	/* a new card's held no secrets */
	if (rc == RC_DENIED)
		log_error("card: %s is not this card's, or was changed; remove it to begin with new counters", st->path);
	else if (rc == RC_SYNTAX)
		log_error("card: %s was written by another version", st->path);
	secret_free(in);
	return rc;
}

static enum rc
set_path(struct mt_card_store *st, const char *path)
{
	char dir[PATH_MAX];

	if (!span_to_str(span_str(path), st->path, sizeof st->path))
		return RC_RANGE;
	snprintf(st->aside, sizeof st->aside, "%s.new", st->path);
	snprintf(dir, sizeof dir, "%s", path);
	if ((st->dir = open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0)
		return RC_OK;
	log_error("card: directory of %s: %s", path, strerror(errno));
	return RC_IO;
}

enum rc
mt_card_store_open(const char *path, const struct mt_card_image *image, const struct rnd *rnd, struct mt_card_state *state,
    struct mt_card_store **out)
{
	struct mt_card_state s;
	struct mt_card_store *st;
	enum rc rc = RC_NOMEM;

	mt_card_state_init(&s);
	if ((st = calloc(1, sizeof *st)) == NULL)
		goto out;
	st->dir = -1;
	if (path != NULL) {
		if ((rc = set_path(st, path)) != RC_OK)
			goto out;
		if ((rc = make_seal(image, rnd, &st->seal)) != RC_OK)
			goto out;
		if ((rc = load(st, &s)) != RC_OK)
			goto out;
	}
	*state = s;
	mt_card_state_init(&s);
	*out = st;
	st = NULL;
	rc = RC_OK;
out:
	mt_card_state_clear(&s);
	mt_card_store_free(st);
	return rc;
}

/* Aside, synced, renamed, the directory synced: after a crash it is the old one or the new one. */
static enum rc
replace(const struct mt_card_store *st, const uint8_t *p, size_t n)
{
	int fd = open(st->aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool ok = fd >= 0 && fdio_write_all(fd, span_of(p, n)) && fsync(fd) == 0;

	if (fd >= 0 && close(fd) != 0)
		ok = false;
	ok = ok && rename(st->aside, st->path) == 0 && fsync(st->dir) == 0;
	if (!ok)
		log_error("card: %s: %s", st->path, strerror(errno));
	return ok ? RC_OK : RC_IO;
}

enum rc
mt_card_store_save(struct mt_card_store *st, const struct mt_card_state *state)
{
	uint8_t plain[MT_CARD_STATE_MAX], sealed[FILE_MAX];
	struct secret *s = NULL;
	size_t n;
	enum rc rc;

	if (st->path[0] == '\0')
		return RC_OK;
	n = mt_card_state_print(state, plain);
	if ((rc = secret_from((struct span){ plain, n }, &s)) != RC_OK)
		goto out;
	if ((rc = seal_put(st->seal, &place, s, sealed, sizeof sealed, &n)) != RC_OK)
		goto out;
	rc = replace(st, sealed, n);
out:
	OPENSSL_cleanse(plain, sizeof plain);
	secret_free(s);
	return rc;
}

void
mt_card_store_free(struct mt_card_store *st)
{
	if (st == NULL)
		return;
	if (st->dir >= 0)
		close(st->dir);
	seal_free(st->seal);
	free(st);
}
