/* store_open: how a store comes to be: the file and its lock, whose it is, migrations, statements. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hex.h"
#include "common/log.h"
#include "common/seal.h"
#include "common/store_int.h"

static const char *const own_sql[OWN_COUNT] = {
	[OWN_READ] = "BEGIN",
	[OWN_BEGIN] = "BEGIN IMMEDIATE",
	[OWN_COMMIT] = "COMMIT",
	[OWN_ROLLBACK] = "ROLLBACK",
	/* One name for all: SQLite takes the innermost. */
	[OWN_SAVEPOINT] = "SAVEPOINT request",
	[OWN_RELEASE] = "RELEASE request",
	[OWN_ROLLBACK_TO] = "ROLLBACK TO request",
	[OWN_META_GET] = "SELECT value FROM meta WHERE name = :name",
	[OWN_META_PUT] = "INSERT OR REPLACE INTO meta (name, value) VALUES (:name, :value)",
};

static const char pragmas[] =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = FULL;"	/* durable before answered */
    "PRAGMA secure_delete = ON;"	/* a deleted key is overwritten */
    "PRAGMA foreign_keys = ON;"
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA cell_size_check = ON;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA cache_size = -8192;"	/* KiB, taken as a store grows */
    "PRAGMA wal_autocheckpoint = 4000;";	/* pages: one that is written again and again is copied back less often */

/* What a daemon must remember once, by name: "daemon", "store_id" and "key_id" are store.c's, the rest is its users'. */
static const char meta_sql[] =
    "CREATE TABLE IF NOT EXISTS meta (name TEXT NOT NULL PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID";

/*
 * Made by us and not by SQLite, so that it is 0600 from the first moment. The lock keeps a second daemon out: two that hand
 * out sequence numbers from one file would each be right alone. The descriptor stays open as long as SQLite's: closing any
 * descriptor of a file drops all of a process's POSIX locks on it, which SQLite's are.
 */
static enum rc
lock_file(const char *path, int *out)
{
	struct stat sb;
	int fd;

	if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0 || fstat(fd, &sb) != 0) {
		log_error("store: %s: %s", path, strerror(errno));
		goto fail;
	}
	if (!S_ISREG(sb.st_mode)) {
		log_error("store: %s is no regular file", path);
		goto fail;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		log_error("store: %s is in use by another process", path);
		goto fail;
	}
	if ((sb.st_mode & 077) != 0) {
		log_warn("store: %s was open to its group or the world (mode %04o): now 0600", path, (unsigned)sb.st_mode & 07777);
		if (fchmod(fd, 0600) != 0) {
			log_error("store: %s: %s", path, strerror(errno));
			goto fail;
		}
	}
	*out = fd;
	return RC_OK;
fail:
	if (fd >= 0)
		close(fd);
	return RC_IO;
}

static enum rc
get_int(struct store *st, const char *sql, int64_t *out)
{
	sqlite3_stmt *s = NULL;
	enum rc rc = RC_IO;

	if (sqlite3_prepare_v2(st->db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
		*out = sqlite3_column_int64(s, 0);
		rc = RC_OK;
	}
	sqlite3_finalize(s);
	return rc;
}

static enum rc
exec(struct store *st, const char *sql)
{
	return sqlite3_exec(st->db, sql, NULL, NULL, NULL) == SQLITE_OK ? RC_OK : RC_IO;
}

/* One migration and its number stand or fall together. */
static enum rc
migrate_one(struct store *st, size_t k)
{
	char version[64];

	snprintf(version, sizeof version, "PRAGMA user_version = %zu", k + 1);
	if (exec(st, "BEGIN IMMEDIATE") == RC_OK && exec(st, st->schema->migrations[k]) == RC_OK && exec(st, version) == RC_OK &&
	    exec(st, "COMMIT") == RC_OK)
		return RC_OK;
	store_complain(st, "migration");
	log_error("store: %s: to version %zu: nothing was changed", st->schema->daemon, k + 1);
	(void)!exec(st, "ROLLBACK");
	return RC_IO;
}

/* Where the file stands; a new one gets its meta table. */
static enum rc
version(struct store *st, size_t *out)
{
	int64_t v;

	if (get_int(st, "PRAGMA user_version", &v) != RC_OK)
		return store_complain(st, "reading its version");
	if (v < 0 || (uint64_t)v > st->schema->n_migrations) {
		log_error("store: its version is %lld, this program knows up to %zu: it belongs to a newer %s", (long long)v,
		    st->schema->n_migrations, st->schema->daemon);
		return RC_IO;
	}
	if (v == 0 && exec(st, meta_sql) != RC_OK)
		return store_complain(st, "making its meta table");
	*out = (size_t)v;
	return RC_OK;
}

/* Says what is wrong with it. RC_IO. */
static enum rc
prepare(struct store *st, const char *sql, sqlite3_stmt **out)
{
	if (sqlite3_prepare_v3(st->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) == SQLITE_OK)
		return RC_OK;
	store_complain(st, "preparing a statement");
	log_error("store: %s: %s", st->schema->daemon, sql);
	return RC_IO;
}

/* The file's own name for a thing, made at first sight; RC_DENIED when it is there and another one. */
static enum rc
claim(struct store *st, const char *name, const char *value, const char *whose)
{
	char was[64];
	enum rc rc;

	if ((rc = store_meta_get_text(st, name, was, sizeof was)) == RC_NOTFOUND)
		return store_meta_put_text(st, name, value);
	if (rc == RC_OK && strcmp(was, value) != 0) {
		log_error("store: it was made %s %s, not %s: refused", whose, was, value);
		rc = RC_DENIED;
	}
	return rc;
}

static enum rc
identify(struct store *st, const struct secret *key)
{
	uint8_t id[SEAL_STORE_ID_LEN], key_id[SEAL_KEY_ID_LEN];
	char text[2 * SEAL_STORE_ID_LEN + 1];
	enum rc rc;

	if ((rc = claim(st, "daemon", st->schema->daemon, "by")) != RC_OK)
		return rc;
	if ((rc = seal_key_id(key, key_id)) != RC_OK)
		return rc;
	hex_print(span_of(key_id, sizeof key_id), text);
	if ((rc = claim(st, "key_id", text, "with the store key whose id is")) != RC_OK)
		return rc;
	if ((rc = store_meta_get_text(st, "store_id", text, sizeof text)) == RC_NOTFOUND) {
		if ((rc = rnd_bytes(rnd_system(), id, sizeof id)) != RC_OK)
			return rc;
		hex_print(span_of(id, sizeof id), text);
		rc = store_meta_put_text(st, "store_id", text);
	}
	if (rc != RC_OK)
		return rc;
	if (hex_parse(span_str(text), id, sizeof id) != RC_OK)
		return RC_IO;
	return seal_new(key, id, rnd_system(), &st->seal);
}

/* First whose file it is, then what is done to it. */
static enum rc
set_up(struct store *st, const struct secret *key)
{
	size_t v = 0;
	enum rc rc;

	if ((rc = version(st, &v)) != RC_OK)
		return rc;
	for (size_t i = 0; i < OWN_COUNT; i++)
		if ((rc = prepare(st, own_sql[i], &st->own[i])) != RC_OK)
			return rc;
	if ((rc = identify(st, key)) != RC_OK || (rc = store_commit(st)) != RC_OK)
		return rc;
	for (; v < st->schema->n_migrations; v++)
		if ((rc = migrate_one(st, v)) != RC_OK)
			return rc;
	for (size_t i = 0; i < st->schema->n_sql; i++)
		if ((rc = prepare(st, st->schema->sql[i], &st->stmt[i])) != RC_OK)
			return rc;
	return RC_OK;
}

enum rc
store_open(const char *path, const struct store_schema *schema, const struct secret *key, struct store **out)
{
	struct store *st = calloc(1, sizeof *st);
	enum rc rc = RC_NOMEM;

	if (st == NULL)
		goto out;
	/* of the process, before its first store; its count of memory in use is kept under a lock, and nobody asks */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	st->schema = schema;
	st->lock = -1;
	if ((st->stmt = calloc(schema->n_sql + 1, sizeof(sqlite3_stmt *))) == NULL ||
	    (st->used = calloc(schema->n_sql + 1, sizeof *st->used)) == NULL ||
	    (st->was_used = calloc(schema->n_sql + 1, sizeof *st->was_used)) == NULL)
		goto out;
	rc = RC_RANGE;
	if (secret_span(key).n != 32)
		goto out;
	if (strcmp(path, ":memory:") != 0 && (rc = lock_file(path, &st->lock)) != RC_OK)
		goto out;
	rc = RC_IO;
	if (sqlite3_open_v2(path, &st->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL) != SQLITE_OK ||
	    exec(st, pragmas) != RC_OK) {
		store_complain(st, path);
		goto out;
	}
	/* "x" in double quotes is a name, and when there is none of that name an error, not a text. */
	sqlite3_db_config(st->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(st->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_db_config(st->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if ((rc = set_up(st, key)) != RC_OK)
		goto out;
	*out = st;
	st = NULL;
out:
	store_close(st);
	return rc;
}

void
store_close(struct store *st)
{
	if (st == NULL)
		return;
	for (size_t i = 0; i < OWN_COUNT; i++)
		sqlite3_finalize(st->own[i]);
	for (size_t i = 0; st->stmt != NULL && i < st->schema->n_sql; i++)
		sqlite3_finalize(st->stmt[i]);
	free(st->stmt);
	free(st->used);
	free(st->was_used);
	sqlite3_close(st->db);		/* rolls back what is open */
	if (st->lock >= 0)
		close(st->lock);
	seal_free(st->seal);
	free(st);
}
