/*
 * mt_card_image: what a software card is made of: one text file that a person writes (conf/card.conf.sample), mode 0600, read
 * only (RULES C4). What the card changes lives in IMAGE.state (card_state.h).
 */
#ifndef MTD_CARD_IMAGE_H
#define MTD_CARD_IMAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/imsi.h"
#include "common/rc.h"
#include "common/secret.h"
#include "common/span.h"
#include "common/sqn.h"
#include "mtd/ef.h"
#include "mtd/fcp.h"

#define MT_CARD_LABEL_MAX 32
#define MT_CARD_PIN_TRIES 3
#define MT_CARD_TEXT_MAX 125	/* octets of an IMPI, IMPU, domain, FQDN: with their tag they make 127 */
#define MT_CARD_LIST_MAX 4	/* EF_NAFKCA's and EF_IMPU's records */
#define MT_CARD_NAFS_MAX 6	/* EF_GBANL's */

enum { MT_CARD_USIM, MT_CARD_ISIM, MT_CARD_APPS };

/* An application; aid_len 0 = not on this card. */
struct mt_card_app {
	uint8_t aid[MT_AID_MAX];
	uint8_t aid_len;
	char label[MT_CARD_LABEL_MAX + 1];
	uint8_t services[MT_SERVICES_MAX / 8];	/* EF_UST, EF_IST */
	uint8_t gba_nafs;			/* records of EF_GBANL, 1..MT_CARD_NAFS_MAX */
	char nafkca[MT_CARD_LIST_MAX][MT_CARD_TEXT_MAX + 1];	/* FQDNs, the first goes first */
	uint8_t n_nafkca;
	/* ISIM */
	char impi[MT_CARD_TEXT_MAX + 1], domain[MT_CARD_TEXT_MAX + 1];
	char impu[MT_CARD_LIST_MAX][MT_CARD_TEXT_MAX + 1];
	uint8_t n_impu;
};

struct mt_card_image {
	struct iccid iccid;
	struct imsi imsi;
	unsigned mnc_len;		/* 2 or 3 */
	char pin[9];			/* 4..8 digits; "" = switched off */
	struct secret *k, *opc;		/* 16 octets each */
	struct mt_card_app app[MT_CARD_APPS];
	struct sqn_limits sqn;
	bool t0;			/* answers 61xx and waits for GET RESPONSE */
};

/*
 * Read a file. RC_DENIED: group or world may read it, or it is another user's. RC_SYNTAX: "FILE:LINE: KEY: …; expected …" on
 * standard error. RC_IO, RC_NOTFOUND, RC_NOMEM, RC_CRYPTO. out->k and out->opc are then the caller's: mt_card_image_clear().
 */
enum rc mt_card_image_load(const char *path, struct mt_card_image *out) MUST_USE;
/* The same from text, complaints to err. */
enum rc mt_card_image_parse(const char *name, struct span text, FILE *err, struct mt_card_image *out) MUST_USE;
enum rc mt_card_image_dup(const struct mt_card_image *i, struct mt_card_image *out) MUST_USE;
/* Does the application offer GBA, and with it the keys of TS 33.110? By its table of services. */
bool mt_card_app_gba(const struct mt_card_image *i, unsigned app);
bool mt_card_app_local_key(const struct mt_card_image *i, unsigned app);
/* Frees the secrets and zeroes. */
void mt_card_image_clear(struct mt_card_image *i);

#endif
