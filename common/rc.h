/* rc: the one way a function tells how it went. Knows nothing else. */
#ifndef COMMON_RC_H
#define COMMON_RC_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

enum rc {
	RC_OK = 0,
	RC_NOMEM,	/* memory; the operation had no effect */
	RC_SYNTAX,	/* input does not match its grammar */
	RC_RANGE,	/* a length or value outside the stated bounds */
	RC_NOTFOUND,	/* there is no such thing */
	RC_EXPIRED,	/* there was, its time is over */
	RC_DENIED,	/* not allowed, or a MAC, digest or proof is wrong */
	RC_EXISTS,	/* it is there already, with other content */
	RC_LIMIT,	/* a quota is used up; waiting helps */
	RC_CRYPTO,	/* the cryptographic library failed */
	RC_IO,		/* file, socket, database, card */
	RC_STATE	/* not in this state */
};

/* A word for a log line ("ok", "no-memory", …); never shown to a peer. */
const char *rc_str(enum rc rc);

#endif
