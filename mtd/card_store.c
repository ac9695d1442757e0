#include "mtd/card_state.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/algo.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/seal.h"
#include "common/store.h"
#include "mtd/card_image.h"

/*
 * Two slots, one of them the newest: a save writes the other one and waits for the disk once. A write that a loss of power cut
 * short spoils only the slot that nobody has been told of. All in it is sealed, its count and its true length too.
 */
#define SLOT_LEN 4096			/* a block of the disk: writing one leaves the other alone */
#define FILE_LEN (2 * SLOT_LEN)
#define COUNT_LEN 8
#define LENGTH_LEN 2
#define PLAIN_LEN (SLOT_LEN - SEALED_LEN(0))
_Static_assert(COUNT_LEN + LENGTH_LEN + MT_CARD_STATE_MAX <= PLAIN_LEN, "a slot is too small for the state");

struct mt_card_store {
	char path[PATH_MAX - 8], aside[PATH_MAX];	/* "" = memory only; where the file is made */
	int dir;				/* its directory, for fsync; -1 */
	int file;				/* -1 = it is to be made first */
	uint64_t count;				/* of the newest slot, which is slot count % 2 */
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
	if (!algo_hmac_sha256(k, span_str(label), secret_bytes(key)))
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

/* --- a slot */

static enum rc
seal_slot(const struct mt_card_store *st, const struct mt_card_state *state, uint64_t count, uint8_t out[static SLOT_LEN])
{
	uint8_t plain[PLAIN_LEN] = { 0 };
	struct secret *s = NULL;
	size_t n = mt_card_state_print(state, plain + COUNT_LEN + LENGTH_LEN);
	enum rc rc;

	for (size_t i = 0; i < COUNT_LEN; i++)
		plain[i] = (uint8_t)(count >> 8 * (COUNT_LEN - 1 - i));
	plain[COUNT_LEN] = (uint8_t)(n >> 8);
	plain[COUNT_LEN + 1] = (uint8_t)n;
	if ((rc = secret_from((struct span){ plain, sizeof plain }, &s)) == RC_OK)
		rc = seal_put(st->seal, &place, s, out, SLOT_LEN, &n);
	OPENSSL_cleanse(plain, sizeof plain);
	secret_free(s);
	return rc;
}

static enum rc
open_slot(const struct mt_card_store *st, const uint8_t slot[static SLOT_LEN], uint64_t *count, struct mt_card_state *state)
{
	struct secret *plain = NULL;
	struct span in, body;
	uint16_t n;
	enum rc rc = seal_get(st->seal, &place, (struct span){ slot, SLOT_LEN }, &plain);

	if (rc != RC_OK)
		return rc;
	in = secret_span(plain);
	rc = span_u64(&in, count) && span_u16(&in, &n) && span_take(&in, n, &body) ? mt_card_state_parse(body, state) : RC_SYNTAX;
	secret_free(plain);
	return rc;
}

/* The newer of those that open. */
static enum rc
open_slots(struct mt_card_store *st, const uint8_t file[static FILE_LEN], struct mt_card_state *state)
{
	struct mt_card_state s[2];
	uint64_t count[2];
	enum rc rc[2];
	unsigned newest;

	for (unsigned i = 0; i < 2; i++) {
		mt_card_state_init(&s[i]);
		rc[i] = open_slot(st, file + i * SLOT_LEN, &count[i], &s[i]);
	}
	newest = rc[1] == RC_OK && (rc[0] != RC_OK || count[1] > count[0]);
	if (rc[newest] == RC_OK) {
		if (rc[!newest] != RC_OK)
			log_warn("card: %s: half of it does not open, as when power was lost while it was written: the other half counts", st->path);
		st->count = count[newest];
		*state = s[newest];
		mt_card_state_init(&s[newest]);
	}
	mt_card_state_clear(&s[0]);
	mt_card_state_clear(&s[1]);
	return rc[newest];
}

/* As it was before there were slots: one sealed value. The first save makes slots of it. */
static enum rc
open_single(const struct mt_card_store *st, struct span sealed, struct mt_card_state *state)
{
	struct secret *plain = NULL;
	enum rc rc = seal_get(st->seal, &place, sealed, &plain);

	if (rc == RC_OK)
		rc = mt_card_state_parse(secret_span(plain), state);	/* a new card's held no secrets */
	secret_free(plain);
	return rc;
}

/* What is on the disk into state; nothing there leaves it. */
static enum rc
load(struct mt_card_store *st, struct mt_card_state *state)
{
	uint8_t file[FILE_LEN + 1];
	size_t n = 0;
	enum rc rc;

	if ((rc = read_file(st->path, file, sizeof file, &n)) == RC_NOTFOUND)
		return RC_OK;
	if (rc == RC_OK && n == FILE_LEN && (st->file = open(st->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		rc = RC_IO;
	if (rc != RC_OK) {
		log_error("card: %s: %s", st->path, strerror(errno));
		return rc;
	}
	rc = n == FILE_LEN ? open_slots(st, file, state) : open_single(st, (struct span){ file, n }, state);
	if (rc == RC_DENIED)
		log_error("card: %s is not this card's, or was changed; remove it to begin with new counters", st->path);
	else if (rc == RC_SYNTAX)
		log_error("card: %s was written by another version", st->path);
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
	st->dir = st->file = -1;
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

/* Both slots aside, synced, renamed, the directory synced: from then on a save changes neither the file's length nor its blocks. */
static bool
make_file(struct mt_card_store *st, const uint8_t slot[static SLOT_LEN])
{
	struct span octets = { slot, SLOT_LEN };
	int fd = open(st->aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0 && fdio_write_all(fd, octets) && fdio_write_all(fd, octets) && fsync(fd) == 0 && rename(st->aside, st->path) == 0 &&
	    fsync(st->dir) == 0) {
		st->file = fd;
		return true;
	}
	if (fd >= 0)
		close(fd);
	return false;
}

static bool
write_slot(const struct mt_card_store *st, const uint8_t slot[static SLOT_LEN], uint64_t count)
{
	return lseek(st->file, count % 2 * SLOT_LEN, SEEK_SET) >= 0 && fdio_write_all(st->file, (struct span){ slot, SLOT_LEN }) &&
	    fdatasync(st->file) == 0;
}

enum rc
mt_card_store_save(struct mt_card_store *st, const struct mt_card_state *state)
{
	uint8_t slot[SLOT_LEN];
	uint64_t count = st->count + 1;
	enum rc rc;

	if (st->path[0] == '\0')
		return RC_OK;
	if ((rc = seal_slot(st, state, count, slot)) != RC_OK)
		return rc;
	if (st->file < 0 ? make_file(st, slot) : write_slot(st, slot, count)) {
		st->count = count;
		return RC_OK;
	}
	log_error("card: %s: %s", st->path, strerror(errno));
	return RC_IO;
}

void
mt_card_store_free(struct mt_card_store *st)
{
	if (st == NULL)
		return;
	if (st->dir >= 0)
		close(st->dir);
	if (st->file >= 0)
		close(st->file);
	seal_free(st->seal);
	free(st);
}
