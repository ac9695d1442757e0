#include "mtd/service.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/link.h"
#include "common/link_join.h"
#include "common/log.h"
#include "common/tunnel.h"

#define CONNECT_MS 10000

struct mt_service {
	const struct mt_service_conf *conf;
	uint64_t opened, refused, in, out;	/* octets: from devices, to devices; of streams that have ended */
};

/* A stream and its connection: until that is up two links, then joined. */
struct pipe {
	LIST_ENTRY(pipe) all;
	struct mt_services *sv;
	struct mt_service *service;
	struct device_id device_id;
	struct mt_origin from;
	struct link *stream, *conn;	/* NULL once joined */
	struct link_join *join;
};

struct mt_services {
	const struct mt_seams *s;
	const struct mt_conf *conf;
	struct mt_service service[MT_OFFERED_MAX];
	LIST_HEAD(, pipe) pipes;
};

static void
pipe_free(struct pipe *p)
{
	link_join_cut(p->join);
	link_free(p->conn);
	link_reset(p->stream);
	LIST_REMOVE(p, all);
	free(p);
}

static void
refuse(struct pipe *p, enum reason why, const char *detail)
{
	struct link *stream = p->stream;

	log_reason(why, "service: name=%s device_id=%s link=%s conn=%s: %s", p->service->conf->name, p->device_id.s, p->from.link,
	    p->from.conn, detail);
	p->service->refused++;
	p->stream = NULL;
	pipe_free(p);
	tunnel_refuse(stream, why);
}

/* --- joined */

static void
on_end(struct link_join *j, enum reason why, const struct link_join_stats *st, void *arg)
{
	struct pipe *p = arg;

	(void)j;
	p->join = NULL;
	p->service->in += st->a_to_b;
	p->service->out += st->b_to_a;
	log_info("service: name=%s device_id=%s link=%s conn=%s ended: octets_in=%llu octets_out=%llu%s%s", p->service->conf->name,
	    p->device_id.s, p->from.link, p->from.conn, (unsigned long long)st->a_to_b, (unsigned long long)st->b_to_a,
	    why != REASON_NONE ? ": " : "", why != REASON_NONE ? reason_get(why)->what : "");
	pipe_free(p);
}

/* The service is there: the stream may be. */
static void
on_up(struct link *l, void *arg)
{
	struct pipe *p = arg;
	enum rc rc;

	(void)l;
	if ((rc = tunnel_accept(p->stream)) == RC_STATE) {
		pipe_free(p);		/* the stream has ended */
		return;
	}
	if (rc == RC_OK)
		rc = link_join_new(p->stream, p->conn, p->sv->conf->stream_buffer, on_end, p, &p->join);
	if (rc != RC_OK) {
		log_error("service: name=%s device_id=%s: %s", p->service->conf->name, p->device_id.s, rc_str(rc));
		pipe_free(p);
		return;
	}
	p->stream = p->conn = NULL;
	p->service->opened++;
	log_info("service: name=%s device_id=%s link=%s conn=%s opened", p->service->conf->name, p->device_id.s, p->from.link, p->from.conn);
}

/* --- on the way */

static void
on_conn_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	(void)l;
	(void)why;
	refuse(arg, REASON_TUNNEL_SERVICE_DOWN, detail);
}

static void
on_stream_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct pipe *p = arg;

	(void)l;
	(void)detail;
	log_info("service: name=%s device_id=%s: the stream ended before the service was reached: %s", p->service->conf->name,
	    p->device_id.s, reason_get(why)->what);
	link_free(p->stream);
	p->stream = NULL;
	pipe_free(p);
}

static struct mt_service *
find(struct mt_services *sv, const char *name)
{
	for (size_t i = 0; i < sv->conf->n_services; i++) {
		if (strcmp(sv->service[i].conf->name, name) == 0)
			return &sv->service[i];
	}
	return NULL;
}

static bool
may(const struct mt_service_conf *c, const struct device_id *id)
{
	for (size_t i = 0; i < c->n_devices; i++) {
		if (strcmp(c->devices[i].s, id->s) == 0)
			return true;
	}
	return c->confirmed;
}

void
mt_service_open(struct mt_services *sv, struct link *stream, const char *name, const struct device_id *id, const struct mt_origin *from)
{
	static const struct link_cb conn_cb = { .on_up = on_up, .on_closed = on_conn_closed }, stream_cb = { .on_closed = on_stream_closed };
	const struct link_options opt = { .half_open = true, .opaque = true, .connect_timeout_ms = CONNECT_MS };
	struct mt_service *service = find(sv, name);
	struct pipe *p;
	enum rc rc;

	if (service == NULL) {
		log_reason(REASON_TUNNEL_SERVICE_UNKNOWN, "service: name=%s device_id=%s link=%s conn=%s", name, id->s, from->link, from->conn);
		tunnel_refuse(stream, REASON_TUNNEL_SERVICE_UNKNOWN);
		return;
	}
	if ((p = calloc(1, sizeof *p)) == NULL) {
		tunnel_refuse(stream, REASON_INTERNAL);
		return;
	}
	*p = (struct pipe){ .sv = sv, .service = service, .device_id = *id, .from = *from, .stream = stream };
	LIST_INSERT_HEAD(&sv->pipes, p, all);
	if (!may(service->conf, id)) {
		refuse(p, REASON_TUNNEL_SERVICE_REFUSED, "not among its devices");
		return;
	}
	link_set_cb(stream, &stream_cb, p);
	if ((rc = link_connect(sv->s->net, service->conf->connect, &opt, &conn_cb, p, &p->conn)) != RC_OK)
		refuse(p, REASON_TUNNEL_SERVICE_DOWN, rc_str(rc));
}

/* --- life */

enum rc
mt_services_new(const struct mt_seams *s, const struct mt_conf *conf, struct mt_services **out)
{
	struct mt_services *sv = calloc(1, sizeof *sv);

	if (sv == NULL)
		return RC_NOMEM;
	sv->s = s;
	sv->conf = conf;
	for (size_t i = 0; i < conf->n_services; i++)
		sv->service[i].conf = &conf->services[i];
	LIST_INIT(&sv->pipes);
	*out = sv;
	return RC_OK;
}

void
mt_services_free(struct mt_services *sv)
{
	struct pipe *p;

	if (sv == NULL)
		return;
	while ((p = LIST_FIRST(&sv->pipes)) != NULL)
		pipe_free(p);
	free(sv);
}

/* What runs now, on top of what has ended. */
static json_t *
service_status(const struct mt_services *sv, const struct mt_service *service)
{
	struct link_join_stats st;
	uint64_t in = service->in, out = service->out;
	json_int_t streams = 0;
	const struct pipe *p;

	LIST_FOREACH(p, &sv->pipes, all) {
		if (p->service != service || p->join == NULL)
			continue;
		link_join_get_stats(p->join, &st);
		in += st.a_to_b;
		out += st.b_to_a;
		streams++;
	}
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "name", service->conf->name, "connect", service->conf->connect,
	    "streams", streams, "opened", (json_int_t)service->opened, "refused", (json_int_t)service->refused, "octets_in",
	    (json_int_t)in, "octets_out", (json_int_t)out);
}

json_t *
mt_services_status(const struct mt_services *sv)
{
	json_t *a = json_array();

	for (size_t i = 0; i < sv->conf->n_services; i++)
		(void)json_array_append_new(a, service_status(sv, &sv->service[i]));
	return a;
}
