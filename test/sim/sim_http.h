/*
 * sim_http: HTTP without sockets. Clients of one simulated network find servers by "host:port" and both live on one virtual
 * clock: a request arrives half the round trip later, its answer the other half. For tests and the simulator.
 */
#ifndef TEST_SIM_SIM_HTTP_H
#define TEST_SIM_SIM_HTTP_H

#include "common/clock.h"
#include "common/http.h"

struct sim_http;

/* rtt_ms: there and back. Caller frees, after its clients' users. */
enum rc sim_http_new(struct clock *clock, int64_t rtt_ms, struct sim_http **out) MUST_USE;
void sim_http_free(struct sim_http *s);

/* A server at "host:port" (of the URL, or of http_call.dial where that is set). Again = in place of the old one. */
enum rc sim_http_listen(struct sim_http *s, const char *host_port, http_on_request *fn, void *arg) MUST_USE;
/* A client; peer is what servers see of it (borrowed). Owned by s. */
enum rc sim_http_client(struct sim_http *s, const struct http_peer *peer, const struct http_client **out) MUST_USE;

/* From now on calls to host_port find nobody / somebody again; a call under way is lost with the connection. */
void sim_http_cut(struct sim_http *s, const char *host_port, bool cut);
/* The next n answers of host_port are lost on the way back: the server has done its work, the client never hears. */
void sim_http_lose_answers(struct sim_http *s, const char *host_port, unsigned n);
/*
 * The server at host_port dies, in two steps around the freeing of its core: false = from now on its answers go nowhere; true = it
 * is gone, its clients see the connection end. Listen again to bring it back.
 */
void sim_http_kill(struct sim_http *s, const char *host_port, bool gone);
/* Requests that reached host_port so far. */
unsigned sim_http_count(const struct sim_http *s, const char *host_port);

#endif
