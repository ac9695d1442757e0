/* core: the inside of struct bsf, for the files of this room. */
#ifndef BSFD_CORE_H
#define BSFD_CORE_H

#include <stdbool.h>

#include "bsfd/auc.h"
#include "bsfd/bsf.h"
#include "bsfd/challenge.h"
#include "bsfd/policy.h"
#include "common/trace.h"

struct bsf_nafs;
struct bsf_waiter;
struct bsf_zn;
struct metric;
struct purge;

struct bsf {
	struct bsf_seams s;
	struct bsf_conf conf;
	struct bsf_auc *auc;
	struct bsf_challenges *challenges;
	struct bsf_nafs *nafs;
	struct bsf_zn *zn;
	struct purge *purge;
	struct bsf_waiter *waiters;
	bool stopping;
	struct {
		struct metric *challenges, *bootstraps, *resyncs, *ub_refusals;	/* Ub */
		struct metric *keys, *zn_refusals;				/* Zn */
	} count;
};

/* --- nafs.c: the NAF entries in memory; the store's are the truth, these follow when a turn is durable */
enum rc bsf_nafs_new(struct store *st, struct bsf_nafs **out) MUST_USE;
void bsf_nafs_free(struct bsf_nafs *n);
/* NULL: none. Borrowed until the next turn. */
const struct bsf_naf *bsf_nafs_find(const struct bsf_nafs *n, const char *fqdn);
/* Takes over what the store has now. On failure all stays as it was. */
enum rc bsf_nafs_reload(struct bsf_nafs *n, struct store *st) MUST_USE;
/* {"fqdn", …} each, sorted. */
enum rc bsf_nafs_list(const struct bsf_nafs *n, json_t *out) MUST_USE;

/* --- ops.c: who waits for a peer is told that we stop; or is forgotten */
void bsf_ops_stop(struct bsf *b);
void bsf_ops_free(struct bsf *b);

/* --- subscriber.c, beside what bsf.h has of it. RC_NOTFOUND; RC_IO. */
enum rc bsf_subscriber_delete(struct bsf *b, const struct impi *impi) MUST_USE;
enum rc bsf_naf_delete(struct bsf *b, const char *fqdn) MUST_USE;

#endif
