/*
 * challenge: the open challenges of Ub: those sent and not answered yet, by nonce. In memory only: a restart ends them, and the
 * phone begins again.                                                                                     RULES B2
 *
 *	open ──right response──> closed (forgotten)
 *	 │ └──wrong response───> spent: no longer to be answered, yet counted until its time is over,
 *	 └──time is over───────> gone        or until its sender answers another one rightly
 *
 * A full quota refuses the newcomer and never evicts: a stranger who knows an IMPI cannot keep the phone out, nor make
 * it lose the challenge it is about to answer.
 */
#ifndef BSFD_CHALLENGE_H
#define BSFD_CHALLENGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bsfd/auc.h"
#include "common/digest_aka.h"
#include "common/imsi.h"
#include "common/rc.h"

#define BSF_OPAQUE_LEN 16
#define BSF_SOURCE_MAX 64

struct clock;

struct bsf_challenges;
struct bsf_challenges_conf {
	int64_t life_s;
	unsigned per_source, per_impi, total;
};

struct bsf_challenge {
	char nonce[DIGEST_NONCE_LEN + 1];
	char opaque[BSF_OPAQUE_LEN + 1];
	struct bsf_av av;
	const char *impi;
	const char *username;		/* as it came in step 1: IMPI or TMPI */
	const char *source;		/* whom it was sent to, as bsf_challenge_source() */
	bool resynced;			/* it followed an AUTS: no second one in this run (ub.md 6) */
};

enum rc bsf_challenges_new(struct clock *c, const struct bsf_challenges_conf *conf, struct bsf_challenges **out) MUST_USE;
/* NULL is fine. */
void bsf_challenges_free(struct bsf_challenges *t);

/*
 * What counts as one source: the address without port, IPv6 by its /64 (a host has a whole one). "127.0.0.1:4711" gives
 * "127.0.0.1"; what is no address is taken as it stands.
 */
void bsf_challenge_source(const char *address, char out[static BSF_SOURCE_MAX]);
/*
 * Is there room for one more? RC_LIMIT: no; *retry_s = when the first of those in the way ends, 1 or more.
 */
enum rc bsf_challenges_room(struct bsf_challenges *t, const char *impi, const char *source, int64_t *retry_s) MUST_USE;
/* Open one, copying c (its nonce comes from c->av). The caller asked for room. RC_NOMEM. RC_EXISTS: that RAND is open. */
enum rc bsf_challenges_add(struct bsf_challenges *t, const struct bsf_challenge *c) MUST_USE;
/* An open one, borrowed; NULL when there is none (spent ones are none). */
struct bsf_challenge *bsf_challenges_find(struct bsf_challenges *t, const char *nonce);
/* Wrongly answered. */
void bsf_challenges_spend(struct bsf_challenges *t, struct bsf_challenge *c);
/* Rightly answered: forgets it, and the spent ones of the same IMPI and source. c is gone. */
void bsf_challenges_close(struct bsf_challenges *t, struct bsf_challenge *c);
/* It could not be sent: as if it had never been. */
void bsf_challenges_withdraw(struct bsf_challenges *t, const char *nonce);
/* A subscriber went: its challenges go too. */
void bsf_challenges_drop(struct bsf_challenges *t, const char *impi);
/* Open and spent ones. */
size_t bsf_challenges_count(const struct bsf_challenges *t);

#endif
