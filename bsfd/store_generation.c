/*
 * store_generation: noticing that a store is older than it was (RULES B4). A backup put back would give SQNs that were used
 * already; the phones would answer them with AUTS, one by one. So the generation, counted up with every reserved block, is
 * noted beside the store: whoever restores the store from a backup brings an older one, or none of the side file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bsfd/store.h"
#include "bsfd/store_sql.h"
#include "common/log.h"
#include "common/span.h"
#include "common/sql.h"
#include "common/sqn.h"

#define SIDE_LEN 21	/* 20 decimal digits, leading zeros, and a newline: overwritten in place */

/* RC_NOTFOUND: no such file, or none that was written by bsf_store_note_generation. */
static enum rc
read_side(const char *side, uint64_t *out)
{
	char buf[SIDE_LEN + 1];
	struct span text;
	ssize_t n;
	int fd = open(side, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return RC_NOTFOUND;
	n = read(fd, buf, sizeof buf);
	(void)close(fd);
	if (n != SIDE_LEN || buf[SIDE_LEN - 1] != '\n')
		return RC_NOTFOUND;
	text = span_of(buf, SIDE_LEN - 1);
	while (text.n > 1 && text.p[0] == '0')
		text = span_of(text.p + 1, text.n - 1);
	return span_decimal(text, INT64_MAX, out) ? RC_OK : RC_NOTFOUND;
}

void
bsf_store_note_generation(const char *side, uint64_t generation)
{
	char buf[SIDE_LEN + 1];
	int fd = open(side, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)snprintf(buf, sizeof buf, "%020llu\n", (unsigned long long)generation);
	if (fd < 0 || pwrite(fd, buf, SIDE_LEN, 0) != SIDE_LEN || ftruncate(fd, SIDE_LEN) != 0)
		log_warn("store: generation not noted in %s: %s", side, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
}

static enum rc
count_up(struct store *st, uint64_t least, uint64_t *out)
{
	sqlite3_stmt *q = NULL;
	enum rc rc = sql_bind(st, BSF_SQL_NEXT_GENERATION, &q, "i", (int64_t)least);

	if (rc == RC_OK && (rc = sql_step(q)) == RC_OK)
		*out = (uint64_t)sqlite3_column_int64(q, 0);
	sql_done(q);
	return rc == RC_NOTFOUND ? RC_IO : rc;
}

enum rc
bsf_store_next_generation(struct store *st, uint64_t *generation)
{
	return count_up(st, 0, generation);
}

static enum rc
raise_all(struct store *st)
{
	return sql_run(st, BSF_SQL_RAISE_SQN, NULL, "ii", (int64_t)BSF_DOUBT_RAISE, (int64_t)SQN_MAX);
}

enum rc
bsf_store_open_generation(struct store *st, const char *side, uint64_t *generation, bool *sure)
{
	sqlite3_stmt *q = NULL;
	uint64_t kept = 0, noted = 0;
	bool subscribers = false, ok = true;
	enum rc rc = sql_bind(st, BSF_SQL_GET_GENERATION, &q, "");

	if (rc == RC_OK && (rc = sql_step(q)) == RC_OK) {
		kept = (uint64_t)sqlite3_column_int64(q, 0);
		subscribers = sqlite3_column_int(q, 1) != 0;
	}
	sql_done(q);
	if (rc != RC_OK)
		return rc == RC_NOTFOUND ? RC_IO : rc;
	if (side != NULL) {
		ok = read_side(side, &noted) == RC_OK ? kept >= noted : !subscribers;
		if (!ok && (rc = raise_all(st)) != RC_OK)
			return rc;
	}
	if ((rc = count_up(st, noted, generation)) == RC_OK)
		*sure = ok;
	return rc;
}
