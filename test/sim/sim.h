/*
 * sim: the four cores in one process: one virtual clock, links and HTTP in memory, stores in a directory of their own, real
 * procedure code. Time moves only when nothing is left to do, so a day of key life takes milliseconds, and every run of one
 * seed is the same run.
 */
#ifndef TEST_SIM_SIM_H
#define TEST_SIM_SIM_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "bsfd/bsf.h"
#include "extdevd/extdev.h"
#include "mtd/mt.h"
#include "nafkcd/nafkc.h"
#include "test/sim/sim_http.h"

/* SIM_DEV is the first of n_devices; the i-th is sim_device(i). SIM_HOSTS: with one device. */
enum sim_host { SIM_BSF, SIM_NAFKC, SIM_MT, SIM_DEV, SIM_HOSTS };
#define sim_device(i) ((enum sim_host)(SIM_DEV + (i)))

#define SIM_START_S 1767225600		/* 2026-01-01T00:00:00Z */
#define SIM_IMPI "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
#define SIM_UB "bsf.mnc001.mcc001.pub.3gppnetwork.org:80"
#define SIM_UA "nafkc.example.org:443"
#define SIM_UA_MT "nafkc.example.org:8444"	/* the second port, for MTs */
#define SIM_UA_MT "nafkc.example.org:8444"
#define SIM_ZN "tcp:bsf.example.org:3868"
#define SIM_LOCAL "unix:/sim/mt"
#define SIM_ECHO "unix:/sim/echo"		/* the service behind the MT */
#define SIM_NAF_ID "nafkc.example.org/0100000002"
#define SIM_DEVICE_ID_STEM "urn:uuid:6f1d1c1e-0000-4000-8000-000000000"	/* and three digits from 001 on */
#define SIM_DEVICE_ID SIM_DEVICE_ID_STEM "001"

struct sim_conf {
	uint64_t seed;
	int64_t ks_lifetime_s;		/* 0 = 28,800 */
	int64_t key_lifetime_max_s;	/* at nafkc; 0 = 86,400 */
	size_t n_devices;		/* 0 = 1; each has a store, a certificate and a Device_ID of its own */
	bool at_start;			/* devices establish by themselves */
	bool random_each;		/* with a new Device_ID per establishment */
	bool cautious;			/* both ends ask before use, every minute, and bridge two minutes of silence (N10) */
	bool tunnels;			/* and use their keys: the MT offers an echo; bootstrappings cost nothing */
};

struct sim;

/* A failure to set up ends the test (abort): there is nothing to tell. Caller frees; its directory goes too. */
struct sim *sim_new(const struct sim_conf *conf);
void sim_free(struct sim *s);
/* What sim_new() did at the BSF: the subscriber, and the NAF. */
void sim_provision(struct sim *s);

struct clock *sim_clock(struct sim *s);
struct sim_http *sim_http_of(struct sim *s);
struct link_net *sim_net(struct sim *s);
struct bsf *sim_bsf(struct sim *s);
struct nafkc *sim_nafkc(struct sim *s);
struct mt *sim_mt(struct sim *s);
struct extdev *sim_dev(struct sim *s);
/* Any host's core; NULL: it is dead. */
void *sim_core(struct sim *s, enum sim_host h);
struct store *sim_store(struct sim *s, enum sim_host h);
const char *sim_store_path(struct sim *s, enum sim_host h);

/* Do what is due, or else move time to the next timer. false: nothing will ever happen again. */
bool sim_step(struct sim *s);
/* Steps until until(arg) says so; false if max_ms of virtual time were over first. until NULL: until the time is over. */
bool sim_run(struct sim *s, bool (*until)(void *arg), void *arg, int64_t max_ms);
/* Steps made so far. */
uint64_t sim_steps(const struct sim *s);

size_t sim_hosts(const struct sim *s);
bool sim_alive(const struct sim *s, enum sim_host h);
/* A device's; "" = none is configured. */
const char *sim_device_id(const struct sim *s, enum sim_host h);

/* One establishment of the first device to its end (within ten minutes of virtual time, else abort). The result lives until the next call. */
const struct extdev_result *sim_establish(struct sim *s, const struct extdev_want *want);
/* The same in two parts; end gives NULL when ten minutes bring none (the device was killed meanwhile). */
void sim_establish_start(struct sim *s, const struct extdev_want *want);
const struct extdev_result *sim_establish_end(struct sim *s);
/* Of another device; one at a time, too. */
void sim_establish_start_at(struct sim *s, enum sim_host h, const struct extdev_want *want);
const struct extdev_result *sim_establish_at(struct sim *s, enum sim_host h, const struct extdev_want *want);

/*
 * kill -9, and the start after it. What was committed stays, everything else is gone; peers see their connections end. A killed host may
 * be booted at once or later.
 */
void sim_kill(struct sim *s, enum sim_host h);
/* The same in the midst of a turn: what it has not committed yet is gone, too. */
void sim_kill_within(struct sim *s, enum sim_host h);
void sim_boot(struct sim *s, enum sim_host h);
/* A dead host's store is lost. */
void sim_wipe(struct sim *s, enum sim_host h);
/* The card is pulled, in the midst of whatever it does, and put in again. */
void sim_card(struct sim *s, bool in);
/* After this many more steps host h is killed and booted again; 0 = not any more. */
void sim_kill_after(struct sim *s, enum sim_host h, uint64_t steps);

/* tunnels: text goes to the echo behind the MT through a device's tunnel, and back. REASON_NONE: it came; within two minutes. */
enum reason sim_echo(struct sim *s, enum sim_host h, const char *text);
/* A stream that stays open; all of them end. */
void sim_stream(struct sim *s, enum sim_host h);
void sim_streams_end(struct sim *s);

/* A control operation, as ksctl asks it; a refusal aborts. Steals body (may be NULL). Caller decrefs. */
json_t *sim_ask(struct sim *s, enum sim_host h, const char *op, json_t *body);
/* The same where a refusal is an answer. answer NULL: not wanted; else NULL where there is none, and the caller decrefs. */
enum reason sim_try(struct sim *s, enum sim_host h, const char *op, json_t *body, json_t **answer);
/* Who holds which key: the same objects as "key list" gives. Caller decrefs. */
json_t *sim_keys(struct sim *s, enum sim_host h);
/* Trace events of a host since its boot. Caller decrefs. */
json_t *sim_trace(struct sim *s, enum sim_host h);

#endif
