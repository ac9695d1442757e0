#include "test/sim/sim_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ctl.h"
#include "common/digest_aka.h"
#include "common/hex.h"
#include "common/link.h"
#include "common/log.h"
#include "common/rnd.h"
#include "common/timeguard.h"
#include "common/trace.h"
#include "common/turn.h"
#include "mtd/card_image.h"
#include "mtd/uicc.h"
#include "mtd/uicc_soft.h"

#define must sim_must

void
sim_must(enum rc rc, const char *what)
{
	if (rc != RC_OK)
		log_fatal("sim: %s: %s", what, rc_str(rc));
}

/* --- what each host is made of */

/* What HTTP servers see of a host; its client outlives its process, for the calls that do. */
static const struct http_client *
client(struct sim *s, struct host *h)
{
	if (h->client == NULL)
		must(sim_http_client(s->http, &h->peer, &h->client), "http client");
	return h->client;
}

static void
make_peer(struct host *h, size_t i)
{
	struct http_peer *p = &h->peer;

	(void)snprintf(p->address, sizeof p->address, "10.0.0.%zu:40000", 8 + i);
	if (i < SIM_DEV)
		return;
	p->has_cert = true;
	p->spki_sha256[0] = 0xd0;
	p->spki_sha256[1] = (uint8_t)(1 + i - SIM_DEV);
	p->issuer_sha256[0] = 0xca;
	p->issuer_sha256[1] = 1;
	(void)snprintf(p->subject, sizeof p->subject, "CN=device-%zu", 1 + i - SIM_DEV);
	(void)snprintf(p->issuer, sizeof p->issuer, "CN=ca");
	(void)snprintf(h->service, sizeof h->service, "unix:/sim/echo-%zu", 1 + i - SIM_DEV);
	(void)snprintf(h->device_id, sizeof h->device_id, SIM_DEVICE_ID_STEM "%03zu", 1 + i - SIM_DEV);
}

static void
boot_bsf(struct sim *s, struct host *h)
{
	static const struct bsf_peer_conf peers[] = { { "nafkc.example.org", "example.org", false } };
	struct bsf_seams seams = { .clock = s->clock, .guard = h->guard, .rnd = &h->rnd.rnd, .store = h->store, .turn = h->turn,
		.trace = h->trace, .net = s->net };
	struct bsf_conf conf;
	struct bsf *b;

	bsf_conf_default(&conf);
	conf.fqdn = "bsf.mnc001.mcc001.pub.3gppnetwork.org";
	if (s->conf.ks_lifetime_s != 0)
		conf.ks_lifetime_s = s->conf.ks_lifetime_s;
	conf.zn.host = "bsf.example.org";
	conf.zn.realm = "example.org";
	conf.zn.listen = "bsf.example.org:3868";
	conf.zn.insecure = true;
	conf.zn.peers = peers;
	conf.zn.n_peers = 1;
	must(bsf_new(&seams, &conf, &b), "bsf_new");
	h->core = b;
	must(bsf_start(b), "bsf_start");
	must(sim_http_listen(s->http, SIM_UB, bsf_on_ub, b), "Ub");
}

static void
boot_nafkc(struct sim *s, struct host *h)
{
	static const struct nafkc_peer_conf peers[] = {
		{ .identity = "bsf.example.org", .realm = "example.org", .address = "bsf.example.org:3868", .insecure = true } };
	struct nafkc_seams seams = { .clock = s->clock, .guard = h->guard, .rnd = &h->rnd.rnd, .store = h->store, .turn = h->turn,
		.trace = h->trace, .net = s->net };
	static struct naf_id naf_id;
	struct nafkc_conf conf;
	struct nafkc *n;

	nafkc_conf_default(&conf);
	must(naf_id_parse(span_str(SIM_NAF_ID), &naf_id), "NAF_ID");
	conf.naf_ids = &naf_id;
	conf.n_naf_ids = 1;
	conf.devices = NAFKC_BIND_FIRST_USE;
	conf.rate_per_minute = 100000;
	if (s->conf.key_lifetime_max_s != 0)
		conf.key_lifetime_max_s = s->conf.key_lifetime_max_s;
	conf.zn.host = "nafkc.example.org";
	conf.zn.realm = "example.org";
	conf.zn.peers = peers;
	conf.zn.n_peers = 1;
	must(nafkc_new(&seams, &conf, &n), "nafkc_new");
	h->core = n;
	must(nafkc_start(n), "nafkc_start");
	must(sim_http_listen(s->http, SIM_UA, nafkc_on_ua, n), "Ua");
	must(sim_http_listen(s->http, SIM_UA_MT, nafkc_on_ua_mt, n), "Ua for MTs");
}

static void
boot_mt(struct sim *s, struct host *h)
{
	struct mt_seams seams = { .clock = s->clock, .guard = h->guard, .rnd = &h->rnd.rnd, .store = h->store, .turn = h->turn,
		.trace = h->trace, .net = s->net, .http = client(s, h), .uicc = s->uicc };
	static struct mt_conf conf;	/* large; the same each time */
	struct mt *m;

	conf = (struct mt_conf){ .n_locals = 1, .n_nafs = 1, .device_policy = MT_DEVICES_ANY };
	(void)snprintf(conf.locals[0].name, sizeof conf.locals[0].name, "sim");
	(void)snprintf(conf.locals[0].listen, sizeof conf.locals[0].listen, SIM_LOCAL);
	must(naf_id_parse(span_str(SIM_NAF_ID), &conf.nafs[0]), "NAF_ID");
	conf.n_centers = 1;
	conf.centers[0].naf_id = conf.nafs[0];
	if (s->conf.cautious) {
		conf.state_interval_s = 60;
		conf.state_grace_s = 120;
		conf.state_before_use = true;
	}
	if (s->conf.tunnels) {
		conf.n_services = 1;
		(void)snprintf(conf.services[0].name, sizeof conf.services[0].name, "echo");
		(void)snprintf(conf.services[0].connect, sizeof conf.services[0].connect, SIM_ECHO);
		conf.services[0].confirmed = true;
		conf.runs_per_hour = conf.runs_per_hour_device = 100000;
	}
	must(mt_new(&seams, &conf, &m), "mt_new");
	h->core = m;
	must(mt_start(m), "mt_start");
}

static void
boot_dev(struct sim *s, struct host *h)
{
	static struct extdev_center_conf centers[1];
	static const struct http_tls *const tls[1];
	struct extdev_seams seams = { .clock = s->clock, .guard = h->guard, .rnd = &h->rnd.rnd, .store = h->store, .turn = h->turn,
		.trace = h->trace, .net = s->net, .http = client(s, h), .tls = tls };
	struct extdev_conf conf;
	struct extdev *e;

	extdev_conf_default(&conf);
	must(naf_id_parse(span_str(SIM_NAF_ID), &centers[0].naf_id), "NAF_ID");
	conf.id_kind = s->conf.random_each ? EXTDEV_ID_RANDOM_EACH : EXTDEV_ID_FIXED;
	conf.device_id = h->device_id;
	conf.at_start = s->conf.at_start;
	if (s->conf.cautious) {
		conf.state_interval_s = 60;
		conf.state_grace_s = 120;
		conf.state_before_use = true;
	}
	h->mt = (struct extdev_mt_conf){ .name = "phone", .address = SIM_LOCAL };
	if (s->conf.tunnels) {
		h->offered = (struct extdev_service_conf){ .name = "echo", .listen = h->service };
		h->mt.services = &h->offered;
		h->mt.n_services = 1;
		h->mt.use_on_connect = true;
	}
	conf.mts = &h->mt;
	conf.n_mts = 1;
	conf.centers = centers;
	conf.n_centers = 1;
	must(extdev_new(&seams, &conf, &e), "extdev_new");
	h->core = e;
	must(extdev_start(e), "extdev_start");
}

static void bsf_end(void *core) { bsf_free(core); }
static void nafkc_end(void *core) { nafkc_free(core); }
static void mt_end(void *core) { mt_free(core); }
static void dev_end(void *core) { extdev_free(core); }

static const struct kind {
	const char *name, *link, *http[2];
	const struct store_schema *schema;
	void (*boot)(struct sim *s, struct host *h);
	void (*end)(void *core);
	const struct ctl_op *ops;
} kinds[SIM_HOSTS] = {
	[SIM_BSF] = { "bsfd", SIM_ZN, { SIM_UB }, &bsf_store_schema, boot_bsf, bsf_end, bsf_ctl_ops },
	[SIM_NAFKC] = { "nafkcd", NULL, { SIM_UA, SIM_UA_MT }, &nafkc_store_schema, boot_nafkc, nafkc_end, nafkc_ctl_ops },
	[SIM_MT] = { "mtd", SIM_LOCAL, { NULL }, &mt_store_schema, boot_mt, mt_end, mt_ctl_ops },
	[SIM_DEV] = { "extdevd", NULL, { NULL }, &extdev_store_schema, boot_dev, dev_end, extdev_ctl_ops },
};

static const struct kind *
kind(enum sim_host i)
{
	return &kinds[i < SIM_DEV ? i : SIM_DEV];
}

const char *
sim_ctl_path(const struct sim *s, enum sim_host i, char out[static 64])
{
	(void)snprintf(out, 64, "unix:/sim/ctl/%s", s->host[i].name);
	return out;
}

void
sim_boot(struct sim *s, enum sim_host i)
{
	struct host *h = &s->host[i];
	struct ctl_env env;
	struct ctl_hooks hooks = { .ops = kind(i)->ops };
	char path[64];

	if (h->core != NULL)
		log_fatal("sim: %s runs already", h->name);
	must(store_open(h->path, kind(i)->schema, h->key, &h->store), "store_open");
	must(timeguard_new(s->clock, h->store, TIMEGUARD_STEP_MAX_S, &h->guard), "timeguard_new");
	must(turn_new(h->store, &h->turn), "turn_new");
	must(trace_new(kind(i)->name, NULL, 0, s->clock, h->turn, &h->trace), "trace_new");
	if (h->link != NULL)
		link_mem_cut(s->net, h->link, false);
	kind(i)->boot(s, h);
	env = (struct ctl_env){ s->net, s->clock, h->guard, h->turn, h->trace, kind(i)->name };
	hooks.core = h->core;
	must(ctl_new(&env, sim_ctl_path(s, i, path), &hooks, &h->ctl), "ctl_new");
	ctl_ready(h->ctl);
}

static int
no_commit(void *arg)
{
	(void)arg;
	return 1;
}

static void
kill_http(struct sim *s, struct host *h, bool gone)
{
	for (size_t i = 0; i < 2 && h->http[i] != NULL; i++)
		sim_http_kill(s->http, h->http[i], gone);
}

/* lose: the turn that is open is lost; else it is committed, as one that ends just before the blow. */
static void
die(struct sim *s, enum sim_host i, bool lose)
{
	struct host *h = &s->host[i];

	if (h->core == NULL)
		return;
	/* From here on nothing of it reaches anyone. */
	if (h->link != NULL)
		link_mem_cut(s->net, h->link, true);
	kill_http(s, h, false);
	if (lose)
		(void)sqlite3_commit_hook(sqlite3_db_handle(store_stmt(h->store, 0)), no_commit, NULL);
	turn_end(h->turn);
	ctl_free(h->ctl);
	kind(i)->end(h->core);
	turn_end(h->turn);	/* what was still open gets its answer, as in daemon.c */
	h->core = NULL;
	kill_http(s, h, true);
	trace_free(h->trace);
	turn_free(h->turn);
	timeguard_free(h->guard);
	store_close(h->store);
}

void
sim_kill(struct sim *s, enum sim_host i)
{
	die(s, i, false);
}

void
sim_kill_within(struct sim *s, enum sim_host i)
{
	die(s, i, true);
}

void
sim_wipe(struct sim *s, enum sim_host h)
{
	static const char *const tails[] = { "", "-wal", "-shm", ".generation" };
	char path[340];

	for (size_t k = 0; k < sizeof tails / sizeof tails[0]; k++) {
		(void)snprintf(path, sizeof path, "%s%s", s->host[h].path, tails[k]);
		(void)unlink(path);
	}
}

void
sim_kill_after(struct sim *s, enum sim_host h, uint64_t steps)
{
	s->kill_who = h;
	s->kill_at = steps != 0 ? s->steps + steps : 0;
}

/* --- running */

/* What is under way arrives, and each host ends its turn. false: nothing was under way. */
static bool
deliver(struct sim *s)
{
	size_t n = link_mem_run(s->net);

	for (size_t i = 0; i < s->n_hosts; i++)
		if (s->host[i].core != NULL)
			turn_end(s->host[i].turn);
	return n > 0;
}

/* One step, but time moves no further than to end_ms. */
static bool
step_until(struct sim *s, int64_t end_ms)
{
	int64_t next;

	s->steps++;
	if (s->kill_at != 0 && s->steps >= s->kill_at) {
		s->kill_at = 0;
		sim_kill(s, s->kill_who);
		sim_boot(s, s->kill_who);
	}
	/* The second time for what the turns' ends have sent. */
	if (deliver(s) || deliver(s))
		return true;
	next = clock_until_next(s->clock);
	if (next < 0 || clock_mono_ms(s->clock) + next > end_ms)
		return false;
	clock_advance(s->clock, next);
	return true;
}

bool
sim_step(struct sim *s)
{
	return step_until(s, INT64_MAX);
}

bool
sim_run(struct sim *s, bool (*until)(void *arg), void *arg, int64_t max_ms)
{
	int64_t end = clock_mono_ms(s->clock) + max_ms;

	while (until == NULL || !until(arg))
		if (!step_until(s, end)) {
			/* A run of ten seconds is ten seconds. */
			clock_advance(s->clock, end - clock_mono_ms(s->clock));
			(void)deliver(s);
			return until == NULL || until(arg);
		}
	return true;
}

uint64_t
sim_steps(const struct sim *s)
{
	return s->steps;
}

/* --- life */

/* TS 35.208 test set 1's K and OPc; SQN starts at 0 on both ends. */
#define K_HEX "465b5ce8b199b49faa5f0a2ee238a6bc"
#define OPC_HEX "cd63cb71954a9f4e48a5994e37a02baf"

void
sim_card(struct sim *s, bool in)
{
	static const char text[] = "iccid = \"89441000309999999999\"\nimsi = \"001010123456789\"\nmnc_len = 2\n"
	    "k = \"" K_HEX "\"\nopc = \"" OPC_HEX "\"\n";
	struct mt_card_image image = { 0 };

	if (in == s->card_in)
		return;
	s->card_in = in;
	if (!in) {
		mt_uicc_soft_eject(s->uicc);
		return;
	}
	must(mt_card_image_parse("sim card", span_str(text), stderr, &image), "card image");
	must(mt_uicc_soft_insert_image(s->uicc, &image, NULL), "card");
	mt_card_image_clear(&image);
}

void
sim_provision(struct sim *s)
{
	json_decref(sim_ask(s, SIM_BSF, "subscriber-add", json_pack("{s:{s:s,s:s,s:s,s:s,s:s,s:s}}", "subscriber", "iccid",
	    "89441000309999999999", "imsi", "001010123456789", "impi", SIM_IMPI, "k", K_HEX, "opc", OPC_HEX, "amf", "8000")));
	json_decref(sim_ask(s, SIM_BSF, "naf-add", json_pack("{s:{s:s,s:[s],s:[s],s:b}}", "naf", "fqdn", "nafkc.example.org", "protocols",
	    "0100000002", "peers", "nafkc.example.org", "impi", 1)));
}

struct sim *
sim_new(const struct sim_conf *conf)
{
	struct sim *s = calloc(1, sizeof *s);
	uint8_t key[KS_LEN];

	if (s == NULL)
		log_fatal("sim: out of memory");
	s->conf = *conf;
	/* In memory where there is such a place: durability is not what is looked at, and a disk makes the many commits slow. */
	(void)snprintf(s->dir, sizeof s->dir, "%s/kslocal-sim-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(s->dir) == NULL)
		log_fatal("sim: no directory");
	must(clock_new_virtual(SIM_START_S * 1000LL, &s->clock), "clock");
	must(link_mem_new(s->clock, &s->net), "net");
	must(sim_http_new(s->clock, 20, &s->http), "http");
	s->n_hosts = SIM_DEV + (conf->n_devices != 0 ? conf->n_devices : 1);
	if ((s->host = calloc(s->n_hosts, sizeof *s->host)) == NULL)
		log_fatal("sim: out of memory");
	for (size_t i = 0; i < s->n_hosts; i++) {
		struct host *h = &s->host[i];

		if (i <= SIM_DEV)
			(void)snprintf(h->name, sizeof h->name, "%s", kind((enum sim_host)i)->name);
		else
			(void)snprintf(h->name, sizeof h->name, "%s-%zu", kind((enum sim_host)i)->name, 1 + i - SIM_DEV);
		make_peer(h, i);
		h->link = kind((enum sim_host)i)->link;
		memcpy(h->http, kind((enum sim_host)i)->http, sizeof h->http);
		rnd_seeded_init(&h->rnd, conf->seed * 1000 + i);
		must(rnd_bytes(&h->rnd.rnd, key, sizeof key), "store key");
		must(secret_from(span_of(key, sizeof key), &h->key), "store key");
		(void)snprintf(h->path, sizeof h->path, "%s/%s.db", s->dir, h->name);
	}
	must(mt_uicc_soft_new(s->clock, &s->host[SIM_MT].rnd.rnd, &s->uicc), "card reader");
	sim_card(s, true);
	sim_echo_start(s);
	for (size_t i = 0; i < s->n_hosts; i++)
		sim_boot(s, (enum sim_host)i);
	sim_provision(s);
	return s;
}

void
sim_free(struct sim *s)
{
	for (size_t i = s->n_hosts; i-- > 0; ) {
		sim_kill(s, (enum sim_host)i);
		secret_free(s->host[i].key);
		sim_wipe(s, (enum sim_host)i);
	}
	sim_echo_stop(s);
	free(s->host);
	mt_uicc_free(s->uicc);
	sim_http_free(s->http);
	link_mem_free(s->net);
	clock_free(s->clock);
	(void)rmdir(s->dir);
	free(s);
}

/* --- looking */

struct clock *sim_clock(struct sim *s) { return s->clock; }
struct sim_http *sim_http_of(struct sim *s) { return s->http; }
struct link_net *sim_net(struct sim *s) { return s->net; }
struct bsf *sim_bsf(struct sim *s) { return s->host[SIM_BSF].core; }
struct nafkc *sim_nafkc(struct sim *s) { return s->host[SIM_NAFKC].core; }
struct mt *sim_mt(struct sim *s) { return s->host[SIM_MT].core; }
void *sim_core(struct sim *s, enum sim_host h) { return s->host[h].core; }
struct extdev *sim_dev(struct sim *s) { return s->host[SIM_DEV].core; }
struct store *sim_store(struct sim *s, enum sim_host h) { return s->host[h].store; }
size_t sim_hosts(const struct sim *s) { return s->n_hosts; }
bool sim_alive(const struct sim *s, enum sim_host h) { return s->host[h].core != NULL; }
const char *sim_device_id(const struct sim *s, enum sim_host h) { return s->host[h].device_id; }
const char *sim_store_path(struct sim *s, enum sim_host h) { return s->host[h].path; }
