/*
 * line: 'ksctl line A B': two ttys joined by a bad cable, for trying serial links without any (U6). A and B become symbolic links to
 * the ends of two ptys; what is written to one comes out of the other, but for the octets that are dropped, repeated or flipped.
 *
 *	mtd ── A (pty) ══ ksctl line ══ (pty) B ── extdevd
 *
 * A program that closes its end and opens it again is no hang-up for anybody; the end of ksctl line is: then both are unplugged.
 */
#ifndef CTL_LINE_H
#define CTL_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/rc.h"
#include "common/rnd.h"
#include "ctl/ksctl.h"

struct ksctl_noise {
	unsigned drop, repeat, flip;	/* of 100,000 octets; together 100,000 at most */
	int64_t delay_ms;
};
struct ksctl_line_stats {
	uint64_t octets[2];		/* came in at A, at B */
	uint64_t dropped, repeated, flipped;
};

struct ksctl_line;

/* Makes the ends, and the symbolic links (an old link is replaced, anything else is RC_EXISTS). RC_IO: errno says why. RC_NOMEM. */
enum rc ksctl_line_open(const char *a, const char *b, const struct ksctl_noise *noise, const struct rnd *rnd, struct ksctl_line **out)
    MUST_USE;
/* Carries what there is; waits for it up to wait_ms (-1: until something comes or a signal). */
void ksctl_line_carry(struct ksctl_line *l, int wait_ms);
void ksctl_line_get_stats(const struct ksctl_line *l, struct ksctl_line_stats *out);
/* Both ends are unplugged, the links are removed. NULL is fine. */
void ksctl_line_close(struct ksctl_line *l);

/* Is it "line …"? */
bool ksctl_line_is(int argc, char **argv);
/* argv: "ksctl line A B [--drop N] …". Prints a ready line; runs until SIGTERM or SIGINT; then what it did. */
enum ksctl_exit ksctl_line(int argc, char **argv);

#endif
