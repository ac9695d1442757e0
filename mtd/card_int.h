/*
 * card_int: the card's inside, shared by card.c (commands), card_fs.c (which files there are), card_files.c (commands on them),
 * card_auth.c (VERIFY, AUTHENTICATE) and card_gba.c (its GBA context).
 */
#ifndef MTD_CARD_INT_H
#define MTD_CARD_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/aka.h"
#include "mtd/apdu.h"
#include "mtd/card.h"
#include "mtd/card_image.h"
#include "mtd/card_state.h"
#include "mtd/fcp.h"

#define MT_CARD_FILES_MAX 24

/* What must hold before a file may be read or changed; the values are FCP's compact conditions. */
enum mt_card_access { MT_ACCESS_ALWAYS = 0x00, MT_ACCESS_PIN = 0x10, MT_ACCESS_NEVER = 0xff };

struct mt_card_file {
	struct mt_fcp fcp;
	const struct mt_card_file *parent;	/* the MF's is NULL */
	uint8_t app;				/* of which application; below the MF it says nothing */
	uint8_t *content;			/* records one behind the other; NULL for directories */
	bool live;				/* content lies in the card's state */
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
	int lock;				/* on the image; -1 = it came of no file */
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
/* card_files.c */
void mt_card_select(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a);
void mt_card_read_binary(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a);
void mt_card_read_record(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a);
void mt_card_update_binary(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a);
/* card_auth.c */
void mt_card_verify(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a);
void mt_card_authenticate(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a);
/* The new state is the card's once it is durable; else false. next is used up in each case. */
bool mt_card_change(struct mt_card *c, struct mt_card_state *next) MUST_USE;
/* A genuine challenge (r): is it fresh? Its SQN is then taken down in next. Else a is the whole answer: AUTS. */
bool mt_card_fresh(struct mt_card *c, struct mt_card_state *next, const uint8_t *rand, const struct aka_result *r,
    struct mt_card_answer *a);
void mt_card_put_field(struct mt_card_answer *a, struct span v);
/* card_gba.c: P2 84, in the application app. */
void mt_card_gba(struct mt_card *c, unsigned app, struct span data, struct mt_card_answer *a);

#endif
