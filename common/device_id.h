/* device_id, mt_id, run_id and the triple: names of the two ends and of the key between them. Pure. RULES W2, W3 */
#ifndef COMMON_DEVICE_ID_H
#define COMMON_DEVICE_ID_H

#include <stdbool.h>

#include "common/btid.h"
#include "common/naf_id.h"
#include "common/rc.h"
#include "common/rnd.h"
#include "common/span.h"

#define DEVICE_ID_MAX 128
#define MT_ID_LEN 32		/* hex digits */
#define RUN_ID_LEN 16		/* hex digits, made by extdevd for one establishment (S1) */

struct device_id {
	char s[DEVICE_ID_MAX + 1];
};
struct mt_id {
	char s[MT_ID_LEN + 1];
};
struct run_id {
	char s[RUN_ID_LEN + 1];	/* "" = the peer sent none */
};

/* (NAF_ID, B-TID, Device_ID) names one Ks_local_MT.                                   seed 7.4 */
struct triple {
	struct naf_id naf_id;
	struct btid btid;
	struct device_id device_id;
};

/* W2: 1..128 of A–Z a–z 0–9 : . _ - @ + ; "urn:gsma:imei:" needs a right check digit. RC_SYNTAX, RC_RANGE. */
enum rc device_id_parse(struct span in, struct device_id *out) MUST_USE;
/* urn:uuid: version 4 from rnd. */
enum rc device_id_random(const struct rnd *rnd, struct device_id *out) MUST_USE;
/* 32 lower-case hex digits. */
enum rc mt_id_parse(struct span in, struct mt_id *out) MUST_USE;
enum rc mt_id_random(const struct rnd *rnd, struct mt_id *out) MUST_USE;
/* 1..16 lower-case hex digits. */
enum rc run_id_parse(struct span in, struct run_id *out) MUST_USE;
enum rc run_id_random(const struct rnd *rnd, struct run_id *out) MUST_USE;
bool triple_eq(const struct triple *a, const struct triple *b);

#endif
