/*
 * profile: everything that is project form and not standard, in one place (ts33259.md 6.2, 6.3, 7): TS 33.259 Annexes A, B, D and G
 * could not be read. When their text is at hand, profile.c changes and nothing else.
 */
#ifndef COMMON_PROFILE_H
#define COMMON_PROFILE_H

#include <stdint.h>

#include "common/naf_id.h"

/* The inputs that a derivation can draw on. */
enum profile_input { PROFILE_END, PROFILE_LABEL, PROFILE_BTID, PROFILE_NAF_ID, PROFILE_DEVICE_ID, PROFILE_APP_ID };

struct profile_kdf {
	uint16_t fc;				/* above 0xff: two octets, FF first (TS 33.220 B.2) */
	const char *label;			/* PROFILE_LABEL */
	enum profile_input order[6];		/* P0, P1 …, PROFILE_END */
};

struct profile {
	struct profile_kdf ks_local_mt;		/* TS 33.259 A.2: from Ks_(ext)_NAF */
	struct profile_kdf ks_local_mt_appl;	/* TS 33.259 G: from Ks_local_MT */
	struct {				/* application ids that are ours (W5) */
		const char *prefix, *tls, *psk_id, *confirm;
	} reserved;
	struct {				/* TS 33.259 B, D */
		const char *path, *state_path, *media_type, *media_type_charset, *ns;
		const char *request, *response, *state, *error;
		const char *btid, *naf_id, *device_id, *key, *lifetime, *mt_pseudonym, *reason, *text;
		const char *btid_header, *device_id_header;	/* of the state question (N7); the URL would be logged */
	} ua;
	uint8_t ua_protocol[UA_PROTO_LEN];	/* where a configuration names none */
};

extern const struct profile profile;

#endif
