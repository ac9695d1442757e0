/* link_mem_impl: what the files of the in-memory network share: link_mem.c (the network), link_mem_link.c (a link and what its user
 * calls), link_mem_step.c (what a run does to a link). */
#ifndef COMMON_LINK_MEM_IMPL_H
#define COMMON_LINK_MEM_IMPL_H

#include <sys/queue.h>

#include "common/link_impl.h"

struct clock_timer;
struct evbuffer;

struct mem_listener {
	struct link_listener base;
	LIST_ENTRY(mem_listener) all;
	struct mem_net *net;
	bool tls, half_open;
	size_t n_links, max_links;
	void (*on_accept)(struct link *l, void *arg);
	void *arg;
};

enum mem_state { MEM_CONNECTING, MEM_UP, MEM_CLOSING, MEM_CLOSED };

struct mem_link {
	struct link base;
	LIST_ENTRY(mem_link) all;
	TAILQ_ENTRY(mem_link) ready;
	struct mem_net *net;
	struct mem_link *peer;		/* NULL: not connected yet, or the other end is gone */
	struct mem_listener *from;	/* accepted links: where they count */
	struct evbuffer *in, *out;
	struct clock_timer *close_timer;
	size_t limit;
	enum mem_state state;
	enum reason why;		/* what on_closed will say, once broken */
	bool is_ready, broken, peer_ended, up_due, drained_due, tls;
	bool half_open, shut, eof_in;	/* shut: we send no more; eof_in: the peer does not, and our user knows */
	unsigned id;
	char address[160];		/* connected to, or accepted at */
	char detail[32];		/* on_closed's: it ends with the link, as a socket's does */
};

struct mem_cut {
	LIST_ENTRY(mem_cut) all;
	char address[160];
};

struct mem_net {
	struct link_net net;
	struct clock *clock;
	LIST_HEAD(, mem_listener) listeners;
	LIST_HEAD(, mem_link) links;
	LIST_HEAD(, mem_cut) cuts;
	TAILQ_HEAD(, mem_link) ready;
	size_t chunk;
	unsigned next_id, next_port;
};

/* Something is to be done for it; NULL is fine. */
void link_mem_wake(struct mem_link *m);
void link_mem_unready(struct mem_link *m);
/* It is over for this end: one call, then only link_free() is left to its user. */
void link_mem_closed(struct mem_link *m, enum reason why, const char *detail);
enum rc link_mem_link_new(struct mem_net *net, const char *address, struct mem_link **out) MUST_USE;
extern const struct link_ops link_mem_ops;

/* NULL: there is none. */
struct mem_listener *link_mem_find_listener(struct mem_net *net, const char *address);
struct mem_cut *link_mem_find_cut(struct mem_net *net, const char *address);

/* One step of one link; how many callbacks it ran. m may be gone afterwards. */
size_t link_mem_step(struct mem_link *m);

#endif
