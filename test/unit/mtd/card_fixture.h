/* A software card for tests: TS 35.208 set 1 under the IMSI of vectors.json; and APDUs as hex. */
#ifndef TEST_UNIT_MTD_CARD_FIXTURE_H
#define TEST_UNIT_MTD_CARD_FIXTURE_H

#include <fcntl.h>
#include <unistd.h>

#include "mtd/card.h"
#include "mtd/card_image.h"
#include "test/unit/vectors.h"

#define USIM_AID "a0000000871002ff44ff128900000100"

static inline void
card_serve(struct mt_card_app *a, unsigned service)
{
	a->services[(service - 1) / 8] |= (uint8_t)(1 << (service - 1) % 8);
}

/* Of set i (from 0); mt_card_image_clear() it. */
static inline struct mt_card_image
card_image_of_set(json_t *doc, int i)
{
	json_t *set = vec_at(doc, "milenage.sets", i);
	struct mt_card_image image = { .mnc_len = 2, .sqn = { SQN_SEQ_MAX, 0 },
		.app = { { .label = "USIM", .aid_len = 16, .gba_nafs = MT_CARD_NAFS_MAX } } };

	ck_ok(iccid_parse(span_str(vec_str(doc, "computed.usim.iccid")), &image.iccid));
	ck_ok(imsi_parse(span_str(vec_str(doc, "computed.base.imsi")), &image.imsi));
	ck_ok(hex_parse(span_str(USIM_AID), image.app[MT_CARD_USIM].aid, 16));
	card_serve(&image.app[MT_CARD_USIM], 27);
	image.k = vec_secret(set, "k");
	image.opc = vec_secret(set, "opc");
	return image;
}

/* From now on the disk takes nothing more of the state file that a card of this process has open; from card_disk_again() on it does. */
static int card_fd = -1, card_fd_was;

static inline void
card_disk_full(const char *state_path)
{
	char link[32], to[256];

	for (int fd = 3; fd < 256; fd++) {
		int full;
		ssize_t n;

		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		n = readlink(link, to, sizeof to - 1);
		to[n > 0 ? n : 0] = '\0';
		if (strcmp(to, state_path) != 0)
			continue;
		ck_assert_int_ge(card_fd_was = dup(fd), 0);
		ck_assert_int_ge(full = open("/dev/full", O_WRONLY), 0);
		ck_assert_int_eq(dup2(full, fd), fd);
		close(full);
		card_fd = fd;
		return;
	}
	ck_abort_msg("%s is not open", state_path);
}

static inline void
card_disk_again(void)
{
	ck_assert_int_eq(dup2(card_fd_was, card_fd), card_fd);
	close(card_fd_was);
}

/* "00a40004023f00" → answer as hex, status word last. */
static inline const char *
card_say(struct mt_card *c, const char *hex)
{
	static char text[2 * MT_CARD_ANSWER_MAX + 1];
	uint8_t cmd[600], out[MT_CARD_ANSWER_MAX];
	struct span in = span_str(hex);

	ck_assert(in.n / 2 <= sizeof cmd);
	ck_ok(hex_parse(in, cmd, in.n / 2));
	hex_print((struct span){ out, mt_card_apdu(c, (struct span){ cmd, in.n / 2 }, out) }, text);
	return text;
}

#define ck_say(c, command, answer) ck_assert_str_eq(card_say(c, command), answer)
/* Only the status word. */
#define ck_sw(c, command, sw) do { \
	const char *ck_got = card_say(c, command); \
	ck_assert_str_eq(ck_got + strlen(ck_got) - 4, sw); \
} while (0)

#endif
