/*
 * log: one line per event, to the journal (with fields) when run by systemd, else to standard error. Any thread.
 * Identifiers only: never K, OPc, CK, IK, RES, Ks…, nor an Authorization header, at any level. Text from a peer goes through
 * log_text() first.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/rc.h"
#include "common/reason.h"
#include "common/span.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* daemon: the name in each line; before it is called lines go to standard error without one. */
void log_open(const char *daemon, enum log_level level);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* Standard error is the journal's: events may go there with fields (trace.c). */
bool log_to_journal(void);
/*
 * on: what the calling thread says is kept until log_flush(), so that the lines of a turn leave in one write (to standard error; the
 * journal takes one at a time). An error takes with it what was kept, and at level debug nothing is kept. Only one thread may: the loop's. Off: flushes.
 */
void log_gather(bool on);
/* Nothing, in a thread that does not gather. */
void log_flush(void);
/* Tests: give each line (without newline) to fn instead; NULL = back to normal. */
void log_capture(void (*fn)(enum log_level level, const char *line, void *arg), void *arg);

void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* A refusal, at level info: "<fmt…>: reason=<code>: <what> (<why>); <next>". */
void log_reason(enum reason r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Our own bug or an impossible start: says so and ends the process (abort). */
_Noreturn void log_fatal(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Peer text made harmless: printable ASCII stays, \ and all else become \xNN, cut with "…" to fit. Returns out. */
const char *log_text(struct span in, char *out, size_t cap);

#endif
