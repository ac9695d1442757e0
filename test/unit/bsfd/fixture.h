/* fixture: what a BSF core stands on: virtual clock, a store in memory, repeatable randomness, a network in memory. */
#ifndef TEST_UNIT_BSFD_FIXTURE_H
#define TEST_UNIT_BSFD_FIXTURE_H

#include <sqlite3.h>
#include <stdio.h>

#include "bsfd/bsf.h"
#include "bsfd/store.h"
#include "common/clock.h"
#include "common/hex.h"
#include "common/link.h"
#include "common/log.h"
#include "common/rnd.h"
#include "common/sqn.h"
#include "common/timeguard.h"
#include "common/trace.h"
#include "common/turn.h"
#include "test/unit/unit.h"

#define BSF_NAME "bsf.mnc001.mcc001.pub.3gppnetwork.org"
#define IMSI "001010123456789"
#define IMPI IMSI "@ims.mnc001.mcc001.3gppnetwork.org"
#define K_HEX "465b5ce8b199b49faa5f0a2ee238a6bc"
#define OPC_HEX "cd63cb71954a9f4e48a5994e37a02baf"
#define SUBSCRIBER "{\"iccid\":\"8988211000000000010\",\"imsi\":\"" IMSI "\",\"impi\":\"" IMPI "\",\"k\":\"" K_HEX "\"," \
	"\"opc\":\"" OPC_HEX "\",\"amf\":\"8000\"}"
#define START_S INT64_C(1800000000)

struct fix {
	struct clock *clock;
	struct timeguard *guard;
	struct rnd_seeded rnd;
	struct secret *key;
	struct store *store;
	struct turn *turn;
	struct trace *trace;
	struct link_net *net;
	struct bsf_conf conf;
	struct bsf *b;
};

static char fix_log[1 << 16];	/* all log lines of a test */

static inline void
fix_on_line(enum log_level level, const char *line, void *arg)
{
	size_t n = strlen(fix_log);

	(void)level;
	(void)arg;
	snprintf(fix_log + n, sizeof fix_log - n, "%s\n", line);
}

/* Everything below the core. */
static inline void
fix_open(struct fix *f, const char *path)
{
	memset(f, 0, sizeof *f);
	fix_log[0] = '\0';
	log_capture(fix_on_line, NULL);
	log_set_level(LOG_LEVEL_DEBUG);
	ck_ok(clock_new_virtual(START_S * 1000, &f->clock));
	rnd_seeded_init(&f->rnd, 1);
	ck_ok(secret_new(32, &f->key));
	ck_ok(store_open(path, &bsf_store_schema, f->key, &f->store));
	ck_ok(timeguard_new(f->clock, f->store, TIMEGUARD_STEP_MAX_S, &f->guard));
	ck_ok(turn_new(f->store, &f->turn));
	ck_ok(trace_new("bsfd", NULL, 0, f->clock, f->turn, &f->trace));
	ck_ok(link_mem_new(f->clock, &f->net));
	bsf_conf_default(&f->conf);
	f->conf.fqdn = BSF_NAME;
	f->conf.zn.host = "bsf.example.org";
	f->conf.zn.realm = "example.org";
	f->conf.zn.listen = "127.0.0.1:3868";
	turn_end(f->turn);
}

static inline void
fix_close(struct fix *f)
{
	turn_end(f->turn);
	link_mem_free(f->net);
	trace_free(f->trace);
	turn_free(f->turn);
	timeguard_free(f->guard);
	store_close(f->store);
	secret_free(f->key);
	clock_free(f->clock);
	log_capture(NULL, NULL);
}

/* --- commits that fail */

static inline int
fix_refuse_commit(void *arg)
{
	(void)arg;
	return 1;
}

static inline void
fix_break_store(struct fix *f, bool broken)
{
	sqlite3_commit_hook(sqlite3_db_handle(store_stmt(f->store, 0)), broken ? fix_refuse_commit : NULL, NULL);
}

static inline uint64_t
fix_commits(struct fix *f)
{
	struct store_stats s;

	store_get_stats(f->store, &s);
	return s.commits;
}

#endif
