/* milenage: f1..f5* of TS 35.206 with the example constants. Pure. K and OPc are 16 octets each, else RC_RANGE. */
#ifndef COMMON_MILENAGE_H
#define COMMON_MILENAGE_H

#include <stdint.h>

#include "common/rc.h"
#include "common/secret.h"

/* OPc = OP xor E_K(OP). A new 16-octet secret, the caller frees. RC_RANGE, RC_NOMEM, RC_CRYPTO, as everywhere here. */
enum rc milenage_opc(const struct secret *k, const struct secret *op, struct secret **opc) MUST_USE;
/* f1 → mac_a (network authentication), f1* → mac_s (resynchronisation). */
enum rc milenage_f1(const struct secret *k, const struct secret *opc, const uint8_t rand[static 16], const uint8_t sqn[static 6],
    const uint8_t amf[static 2], uint8_t mac_a[static 8], uint8_t mac_s[static 8]) MUST_USE;
/* f2 → res (8 octets), f3 → ck (16), f4 → ik (16), new secrets the caller frees; f5 → ak. */
enum rc milenage_f2345(const struct secret *k, const struct secret *opc, const uint8_t rand[static 16], struct secret **res,
    struct secret **ck, struct secret **ik, uint8_t ak[static 6]) MUST_USE;
/* f5 alone, f5* → ak for AUTS. */
enum rc milenage_f5(const struct secret *k, const struct secret *opc, const uint8_t rand[static 16], uint8_t ak[static 6]) MUST_USE;
enum rc milenage_f5star(const struct secret *k, const struct secret *opc, const uint8_t rand[static 16],
    uint8_t ak[static 6]) MUST_USE;

#endif
