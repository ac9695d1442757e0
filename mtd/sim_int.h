/* sim_int: the inside of mt_sim: sim.c (which card is in, and what the store is told of it), sim_ask.c (what it is asked). */
#ifndef MTD_SIM_INT_H
#define MTD_SIM_INT_H

#include "mtd/sim.h"

/* An application, and Ub's question to it that is under way. */
struct sim_app {
	struct mt_sim *s;
	enum mt_app_kind kind;
	struct mt_app app;
	bool gba_u;
	struct mt_usim_op *auth;
	mt_auth_fn *auth_fn;
	void *auth_arg;
};

struct mt_sim {
	struct mt_sim_env env;
	struct mt_usim *usim;

	enum mt_sim_state state;
	enum reason why;		/* NONE: why */
	struct mt_usim_info info;
	struct sim_app app[MT_APPS];
	struct mt_usim_op *reading;
	bool recording, deleted;
	bool absent;			/* since the start: a removal if it lasts */
	unsigned removals, put, done;	/* seen; of these in the store's transaction; and durable */
	struct clock_timer *again;	/* recording failed, or is due */
};

#endif
