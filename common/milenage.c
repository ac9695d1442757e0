/*
 * TS 35.206 4.1. E = AES-128 under K; rot = cyclic shift to the left, here always by whole octets.
 *   TEMP = E(RAND xor OPc)
 *   OUT1 = E(TEMP xor rot(IN1 xor OPc, r1) xor c1) xor OPc          IN1 = SQN || AMF || SQN || AMF
 *   OUTi = E(rot(TEMP xor OPc, ri) xor ci) xor OPc                  i = 2..5
 */
#include "common/milenage.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "common/algo.h"

#define BLOCK 16

/* r in octets; c has only its last octet set. */
struct constants {
	size_t r;
	uint8_t c;
};
static const struct constants out1 = { 8, 0 }, out2 = { 0, 1 }, out3 = { 4, 2 }, out4 = { 8, 4 }, out5 = { 12, 8 };

struct run {
	EVP_CIPHER_CTX *e;
	const uint8_t *opc;
	uint8_t temp[BLOCK];
};

static void
xor_block(uint8_t *to, const uint8_t *a, const uint8_t *b)
{
	for (size_t i = 0; i < BLOCK; i++)
		to[i] = a[i] ^ b[i];
}

static enum rc
encrypt(EVP_CIPHER_CTX *e, const uint8_t *in, uint8_t *out)
{
	int n = 0;

	return EVP_EncryptUpdate(e, out, &n, in, BLOCK) == 1 && n == BLOCK ? RC_OK : RC_CRYPTO;
}

static void
run_end(struct run *m)
{
	EVP_CIPHER_CTX_free(m->e);	/* cleanses the key schedule */
	OPENSSL_cleanse(m->temp, sizeof m->temp);
}

static enum rc
cipher_new(const struct secret *k, EVP_CIPHER_CTX **out)
{
	EVP_CIPHER_CTX *e;

	if (secret_span(k).n != BLOCK)
		return RC_RANGE;
	if ((e = EVP_CIPHER_CTX_new()) == NULL)
		return RC_NOMEM;
	if (EVP_EncryptInit_ex2(e, algo_aes_128_ecb(), secret_span(k).p, NULL, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(e, 0) != 1) {
		EVP_CIPHER_CTX_free(e);
		return RC_CRYPTO;
	}
	*out = e;
	return RC_OK;
}

/* TEMP = E(RAND xor OPc); run_end() also after a failure. */
static enum rc
run_begin(struct run *m, const struct secret *k, const struct secret *opc, const uint8_t *rand)
{
	enum rc rc;

	*m = (struct run){ 0 };
	if (secret_span(opc).n != BLOCK)
		return RC_RANGE;
	m->opc = secret_span(opc).p;
	if ((rc = cipher_new(k, &m->e)) != RC_OK)
		return rc;
	xor_block(m->temp, rand, m->opc);
	return encrypt(m->e, m->temp, m->temp);
}

/* E(rot(x xor OPc, r) xor c xor y) xor OPc, which is OUT1 with x = IN1, y = TEMP, and OUTi with x = TEMP, y = 0. */
static enum rc
run_out(struct run *m, const struct constants *k, const uint8_t *x, const uint8_t *y, uint8_t *out)
{
	uint8_t b[BLOCK];
	enum rc rc;

	for (size_t i = 0; i < BLOCK; i++)
		b[i] = (uint8_t)(x[(i + k->r) % BLOCK] ^ m->opc[(i + k->r) % BLOCK] ^ (y == NULL ? 0 : y[i]));
	b[BLOCK - 1] ^= k->c;
	if ((rc = encrypt(m->e, b, out)) == RC_OK)
		xor_block(out, out, m->opc);
	OPENSSL_cleanse(b, sizeof b);
	return rc;
}

enum rc
milenage_opc(const struct secret *k, const struct secret *op, struct secret **opc)
{
	EVP_CIPHER_CTX *e = NULL;
	struct secret *s = NULL;
	enum rc rc = RC_RANGE;

	if (secret_span(op).n != BLOCK)
		goto out;
	if ((rc = cipher_new(k, &e)) != RC_OK)
		goto out;
	if ((rc = secret_new(BLOCK, &s)) != RC_OK)
		goto out;
	if ((rc = encrypt(e, secret_span(op).p, secret_bytes(s))) != RC_OK)
		goto out;
	xor_block(secret_bytes(s), secret_bytes(s), secret_span(op).p);
	*opc = s;
	s = NULL;
out:
	secret_free(s);
	EVP_CIPHER_CTX_free(e);
	return rc;
}

enum rc
milenage_f1(const struct secret *k, const struct secret *opc, const uint8_t rand[static 16], const uint8_t sqn[static 6],
    const uint8_t amf[static 2], uint8_t mac_a[static 8], uint8_t mac_s[static 8])
{
	uint8_t in1[BLOCK], o[BLOCK];
	struct run m;
	enum rc rc;

	for (size_t i = 0; i < BLOCK; i += 8) {
		memcpy(in1 + i, sqn, 6);
		memcpy(in1 + i + 6, amf, 2);
	}
	if ((rc = run_begin(&m, k, opc, rand)) != RC_OK)
		goto out;
	if ((rc = run_out(&m, &out1, in1, m.temp, o)) != RC_OK)
		goto out;
	memcpy(mac_a, o, 8);
	memcpy(mac_s, o + 8, 8);
out:
	run_end(&m);
	OPENSSL_cleanse(o, sizeof o);
	return rc;
}

enum rc
milenage_f2345(const struct secret *k, const struct secret *opc, const uint8_t rand[static 16], struct secret **res,
    struct secret **ck, struct secret **ik, uint8_t ak[static 6])
{
	struct secret *r = NULL, *c = NULL, *i = NULL;
	uint8_t o[BLOCK];
	struct run m;
	enum rc rc;

	if ((rc = run_begin(&m, k, opc, rand)) != RC_OK)
		goto out;
	if ((rc = run_out(&m, &out2, m.temp, NULL, o)) != RC_OK)
		goto out;
	if ((rc = secret_from((struct span){ o + 8, 8 }, &r)) != RC_OK)
		goto out;
	if ((rc = secret_new(BLOCK, &c)) != RC_OK || (rc = secret_new(BLOCK, &i)) != RC_OK)
		goto out;
	if ((rc = run_out(&m, &out3, m.temp, NULL, secret_bytes(c))) != RC_OK)
		goto out;
	if ((rc = run_out(&m, &out4, m.temp, NULL, secret_bytes(i))) != RC_OK)
		goto out;
	memcpy(ak, o, 6);
	*res = r;
	*ck = c;
	*ik = i;
	r = c = i = NULL;
out:
	secret_free(r);
	secret_free(c);
	secret_free(i);
	run_end(&m);
	OPENSSL_cleanse(o, sizeof o);
	return rc;
}

static enum rc
anonymity_key(const struct secret *k, const struct secret *opc, const uint8_t *rand, const struct constants *which, uint8_t *ak)
{
	uint8_t o[BLOCK];
	struct run m;
	enum rc rc;

	if ((rc = run_begin(&m, k, opc, rand)) != RC_OK)
		goto out;
	if ((rc = run_out(&m, which, m.temp, NULL, o)) != RC_OK)
		goto out;
	memcpy(ak, o, 6);
out:
	run_end(&m);
	OPENSSL_cleanse(o, sizeof o);
	return rc;
}

enum rc
milenage_f5(const struct secret *k, const struct secret *opc, const uint8_t rand[static 16], uint8_t ak[static 6])
{
	return anonymity_key(k, opc, rand, &out2, ak);
}

enum rc
milenage_f5star(const struct secret *k, const struct secret *opc, const uint8_t rand[static 16], uint8_t ak[static 6])
{
	return anonymity_key(k, opc, rand, &out5, ak);
}
