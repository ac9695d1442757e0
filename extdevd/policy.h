/* policy: what the device decides, without I/O: which Key Center, and what to do after a refusal. Pure. */
#ifndef EXTDEVD_POLICY_H
#define EXTDEVD_POLICY_H

#include "common/localif.h"
#include "extdevd/extdev.h"

/* Runs of one establishment, so that no peer can keep it going for ever: scenario 2, its fall to 1, and one more. */
#define EXTDEV_RUNS_MAX 3

/*
 * K1: the index of the Key Center: the first of the MT's list that is ours too, or with prefer_own the first of ours that is the
 * MT's too; an empty list: our first. want (may be NULL) must be on both, or on ours if the list is empty.
 * RC_NOTFOUND: there is none.
 */
enum rc extdev_choose(const struct extdev_conf *c, const struct localif_info_ok *info, const struct naf_id *want, size_t *out) MUST_USE;
/* Both lists, for the reason's text: "the MT offers a/0100000002 b/…; we trust c/…". Cut to fit. */
void extdev_choose_text(const struct extdev_conf *c, const struct localif_info_ok *info, char *out, size_t cap);

enum extdev_next {
	EXTDEV_GIVE_UP,		/* the asker's business */
	EXTDEV_LATER,		/* the key request stays pending and is repeated alone (N6) */
	EXTDEV_INFO_AGAIN,	/* this run failed; begin with info, say that this B-TID is stale */
};
/* After the MT refused derive or complete. */
enum extdev_next extdev_after_mt(enum reason why);
/* After the Key Center refused: HTTP status, 0 = no answer, then why tells; keyError's reason, "" = no such body. */
enum extdev_next extdev_after_naf(int status, enum reason why, const char *ua_reason);
/* Which entry of the table says a Key Center's refusal. */
enum reason extdev_naf_reason(int status, const char *ua_reason);
/* Retry-After: seconds, else 0 (a date is not computed with: nobody of ours sends one). At most an hour. */
int64_t extdev_retry_after(const char *value);
/* Would waiting help, so that what we began by ourselves is tried again? */
bool extdev_transient(enum reason why);

/* As link.h: nobody else's machine can reach this address. */
bool extdev_is_loopback(const char *address);

#endif
