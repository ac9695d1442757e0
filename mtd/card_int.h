/* card_int: the card's inside, shared by card.c (commands), card_fs.c (files) and card_auth.c (VERIFY, AUTHENTICATE). */
#ifndef MTD_CARD_INT_H
#define MTD_CARD_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mtd/apdu.h"
#include "mtd/card.h"
#include "mtd/card_image.h"
#include "mtd/card_state.h"
#include "mtd/fcp.h"

#define MT_CARD_FILES_MAX 16

/* What must hold before a file may be read; the values are FCP's compact conditions. */
enum mt_card_access { MT_ACCESS_ALWAYS = 0x00, MT_ACCESS_PIN = 0x10, MT_ACCESS_NEVER = 0xff };

struct mt_card_file {
	struct mt_fcp fcp;
	const struct mt_card_file *parent;	/* the MF's is NULL */
	uint8_t *content;			/* records one behind the other; NULL for directories */
};

/* A command's answer on its way out. */
struct mt_card_answer {
	uint8_t data[256];
	size_t n;
	uint16_t sw;
};

struct mt_card {
	struct mt_card_image image;
	struct mt_card_state state;
	struct mt_card_store *store;
	struct mt_card_file files[MT_CARD_FILES_MAX];
	size_t n_files;
	/* Since the last reset. */
	const struct mt_card_file *df, *ef;	/* selected; ef NULL = none */
	const struct mt_card_file *adf;		/* the application selected last; NULL = none */
	bool pin_verified;
	struct mt_card_answer waiting;		/* T=0: for GET RESPONSE; n 0 = nothing */
};

/* card_fs.c: make the files out of the image. RC_NOMEM, RC_RANGE. */
enum rc mt_card_fs_new(struct mt_card *c) MUST_USE;
void mt_card_fs_free(struct mt_card *c);
bool mt_card_may(const struct mt_card *c, uint8_t condition);
void mt_card_select(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a);
void mt_card_read_binary(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a);
void mt_card_read_record(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a);
/* card_auth.c */
void mt_card_verify(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a);
void mt_card_authenticate(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a);

#endif
