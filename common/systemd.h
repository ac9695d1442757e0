/*
 * systemd: what a daemon tells its service manager and the journal. Each is a datagram whose form systemd promises to keep (sd_notify(3);
 * "Native Journal Protocol"). By hand, because libsystemd brings six libraries more into every process: a megabyte. Any thread.
 */
#ifndef COMMON_SYSTEMD_H
#define COMMON_SYSTEMD_H

#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"

/* Lines of VARIABLE=value. Nothing where nobody asked for it ($NOTIFY_SOCKET). */
void systemd_notify(const char *state);
/* How often systemd wants to hear WATCHDOG=1 of this process, in microseconds; 0: not at all. */
uint64_t systemd_watchdog_us(void);

/* An entry of the journal: fields of one line each. n = 0 at the start; what does not fit is cut. */
struct systemd_entry {
	size_t n;
	char octets[8192];
};
void systemd_field(struct systemd_entry *e, const char *name, const char *value);
void systemd_number(struct systemd_entry *e, const char *name, int value);
/* To the journal. There is nowhere to say that it failed. */
void systemd_journal(const struct systemd_entry *e);
/* The same to another socket, for tests. */
void systemd_send(const char *path, const void *p, size_t n);

#endif
