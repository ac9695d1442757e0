#include "common/rnd.h"

#include <errno.h>
#include <openssl/sha.h>
#include <string.h>
#include <sys/random.h>

#include "common/log.h"

enum rc
rnd_bytes(const struct rnd *r, uint8_t *out, size_t n)
{
	return r->bytes(r->ctx, out, n);
}

enum rc
rnd_below(const struct rnd *r, uint32_t bound, uint32_t *out)
{
	/* Values at or above the largest multiple of bound are thrown away: the rest is unbiased. */
	uint32_t limit = UINT32_MAX - (UINT32_MAX % bound + 1) % bound;
	uint32_t v;
	enum rc rc;

	do {
		if ((rc = rnd_bytes(r, (uint8_t *)&v, sizeof v)) != RC_OK)
			return rc;
	} while (v > limit);
	*out = v % bound;
	return RC_OK;
}

static enum rc
system_bytes(void *ctx, uint8_t *out, size_t n)
{
	(void)ctx;
	while (n > 0) {
		/* Up to 256 octets come whole once the kernel's pool is ready; a signal may cut longer ones. */
		ssize_t got = getrandom(out, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return RC_CRYPTO;
		out += got;
		n -= (size_t)got;
	}
	return RC_OK;
}

const struct rnd *
rnd_system(void)
{
	static const struct rnd r = { system_bytes, NULL };

	return &r;
}

static enum rc
seeded_bytes(void *ctx, uint8_t *out, size_t n)
{
	struct rnd_seeded *r = ctx;
	uint8_t block[SHA256_DIGEST_LENGTH];

	while (n > 0) {
		uint64_t in[2] = { r->seed, r->counter++ };
		size_t take = n < sizeof block ? n : sizeof block;

		SHA256((const uint8_t *)in, sizeof in, block);
		memcpy(out, block, take);
		out += take;
		n -= take;
	}
	return RC_OK;
}

void
rnd_seeded_init(struct rnd_seeded *r, uint64_t seed)
{
	log_warn("rnd: repeatable octets from seed %llu: for tests only, keys made with them protect nothing",
	    (unsigned long long)seed);
	*r = (struct rnd_seeded){ { seeded_bytes, r }, seed, 0 };
}
