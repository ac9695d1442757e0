/* mt_impl: the core's struct, for mt.c (life) and mt_ctl.c (control socket). Nobody else includes it. */
#ifndef MTD_MT_IMPL_H
#define MTD_MT_IMPL_H

#include "common/device_id.h"
#include "mtd/mt.h"

struct mt_gba;
struct mt_local;
struct mt_services;
struct mt_state;
struct mt_use;

struct mt {
	struct mt_seams seams;
	struct mt_conf conf;
	struct mt_id id;
	struct mt_gba *gba;
	struct mt_local *local;
	struct mt_state *state;
	struct mt_services *services;
	struct mt_use *use;
	void (*stopped)(void *arg);
	void *stopped_arg;
};

#endif
