/*
 * zn: the Diameter node of the BSF and what it answers on Zn. zn.c judges a BIR and makes the BIA; zn_node.c keeps listeners and
 * peers.                                                                      TS 29.109 5.2; spec zn-zh.md
 */
#ifndef BSFD_ZN_H
#define BSFD_ZN_H

#include <jansson.h>
#include <stdbool.h>

#include "common/diameter_peer.h"
#include "common/rc.h"
#include "common/zn_msg.h"

struct bsf;
struct bsf_zn_wait;

struct bsf_zn {
	struct bsf *b;
	struct dia_node *node;
	struct link_tls *tls;
	struct zn_self self;
	int plain, secure;		/* which listener is which, -1 = none */
	struct bsf_zn_wait *waiting;
};

enum rc bsf_zn_new(struct bsf *b, struct bsf_zn **out) MUST_USE;
enum rc bsf_zn_start(struct bsf_zn *z) MUST_USE;
/* The CRL is read again, for connections to come. RC_SYNTAX, logged: it stays as it was. */
enum rc bsf_zn_reload(struct bsf_zn *z) MUST_USE;
void bsf_zn_stop(struct bsf_zn *z, void (*done)(void *arg), void *arg);
/* NULL is fine. */
void bsf_zn_free(struct bsf_zn *z);
/* The address bound, as link.h; NULL: no such listener. */
const char *bsf_zn_bound(const struct bsf_zn *z, bool tls);

/* dia_node_cb's: one BIR. zn is the bsf_zn. */
void bsf_zn_on_request(struct dia_txn *t, const struct dia_msg *m, void *zn);

/* Is this peer up; identity NULL = any? */
bool bsf_zn_peer_up(const struct bsf_zn *z, const char *identity);
/* fn once, when it comes up; never, if bsf_zn_free or cancel comes first. RC_RANGE (identity too long), RC_NOMEM. */
enum rc bsf_zn_wait_peer(struct bsf_zn *z, const char *identity, void (*fn)(void *arg), void *arg, struct bsf_zn_wait **out) MUST_USE;
/* NULL is fine. */
void bsf_zn_wait_cancel(struct bsf_zn_wait *w);
/* Members for status: peers, zn_counts. */
void bsf_zn_status(const struct bsf_zn *z, json_t *o);

#endif
