/* rnd: the randomness seam. Real: the kernel's generator. Seeded: repeatable, for tests and the simulator. */
#ifndef COMMON_RND_H
#define COMMON_RND_H

#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"

struct rnd {
	enum rc (*bytes)(void *ctx, uint8_t *out, size_t n);
	void *ctx;
};

/* Fill out[n]. RC_CRYPTO: the generator failed (out is then not to be used). */
enum rc rnd_bytes(const struct rnd *r, uint8_t *out, size_t n) MUST_USE;
/* 0 .. bound-1, unbiased; bound 1 or more. */
enum rc rnd_below(const struct rnd *r, uint32_t bound, uint32_t *out) MUST_USE;

/* The kernel's generator; lives for ever. */
const struct rnd *rnd_system(void);

/* Repeatable octets from a seed (SHA-256 in counter mode). For tests: announces itself in the log once. */
struct rnd_seeded {
	struct rnd rnd;
	uint64_t seed, counter;
};
void rnd_seeded_init(struct rnd_seeded *r, uint64_t seed);

#endif
