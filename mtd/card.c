#include "mtd/card.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/log.h"
#include "mtd/card_image.h"
#include "mtd/card_int.h"

#define LOCK_TRIES 20
#define LOCK_MS 50

static void get_response(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a);

typedef void command(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a);
static const struct {
	uint8_t ins;
	command *fn;
	bool case_4;		/* data in and out: with T=0 the answer waits for GET RESPONSE */
} commands[] = {
	{ MT_INS_SELECT, mt_card_select, true }, { MT_INS_READ_BINARY, mt_card_read_binary, false },
	{ MT_INS_READ_RECORD, mt_card_read_record, false }, { MT_INS_VERIFY, mt_card_verify, false },
	{ MT_INS_AUTHENTICATE, mt_card_authenticate, true }, { MT_INS_GET_RESPONSE, get_response, false },
	{ MT_INS_UPDATE_BINARY, mt_card_update_binary, false },
};
#define N_COMMANDS (sizeof commands / sizeof commands[0])

enum rc
mt_card_new(const struct mt_card_image *image, const char *state_path, const struct rnd *rnd, struct mt_card **out)
{
	struct mt_card *c;
	enum rc rc = RC_NOMEM;

	if ((c = calloc(1, sizeof *c)) == NULL)
		goto out;
	c->lock = -1;
	if ((rc = mt_card_image_dup(image, &c->image)) != RC_OK)
		goto out;
	if ((rc = mt_card_fs_new(c)) != RC_OK)
		goto out;
	if ((rc = mt_card_store_open(state_path, &c->image, rnd, &c->state, &c->store)) != RC_OK)
		goto out;
	mt_card_reset(c);
	*out = c;
	c = NULL;
out:
	mt_card_free(c);
	return rc;
}

/* The image is never written, so its file can stand for both; an editor that replaces it leaves the lock with the old one. */
static enum rc
lock(const char *path, int *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), tries = LOCK_TRIES;

	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			log_warn("card: %s cannot be locked (%s): nothing but you keeps two from using it at once", path, strerror(errno));
			break;
		}
		if (tries-- == 0) {
			log_error("card: %s is in use by another process, and two would overwrite each other's counters in %s.state: stop the other "
			    "mtd or 'ksctl card serve' ('fuser %s' names it), or take an image of another card", path, path, path);
			close(fd);
			return RC_LIMIT;
		}
		(void)poll(NULL, 0, LOCK_MS);
	}
	*out = fd;
	return RC_OK;
}

enum rc
mt_card_open(const char *image_path, const struct rnd *rnd, struct mt_card **out, struct iccid *iccid)
{
	struct mt_card_image image;
	char state[PATH_MAX];
	int fd = -1;
	enum rc rc;

	if ((size_t)snprintf(state, sizeof state, "%s.state", image_path) >= sizeof state)
		return RC_RANGE;
	if ((rc = mt_card_image_load(image_path, &image)) != RC_OK)
		return rc;
	*iccid = image.iccid;
	if ((rc = lock(image_path, &fd)) == RC_OK && (rc = mt_card_new(&image, state, rnd, out)) == RC_OK)
		(*out)->lock = fd;
	else if (fd >= 0)
		close(fd);
	mt_card_image_clear(&image);
	return rc;
}

void
mt_card_free(struct mt_card *c)
{
	if (c == NULL)
		return;
	mt_card_store_free(c->store);
	mt_card_state_clear(&c->state);
	mt_card_fs_free(c);
	mt_card_image_clear(&c->image);
	if (c->lock >= 0)
		close(c->lock);
	explicit_bzero(c, sizeof *c);
	free(c);
}

enum rc
mt_card_try_save(struct mt_card *c)
{
	return mt_card_store_save(c->store, &c->state);
}

void
mt_card_reset(struct mt_card *c)
{
	c->df = &c->files[0];
	c->ef = c->adf = NULL;
	c->pin_verified = false;
	explicit_bzero(&c->waiting, sizeof c->waiting);
}

/* ISO 7816-3 8.2: TS, T0, with T=1 a TD1 that says so; historical bytes; with T=1 a check octet. */
size_t
mt_card_atr(const struct mt_card *c, uint8_t out[static MT_CARD_ATR_MAX])
{
	static const uint8_t name[] = { 'k', 's', 'l', 'o', 'c', 'a', 'l' };
	size_t n = 0;

	out[n++] = 0x3b;
	out[n++] = (uint8_t)((c->image.t0 ? 0x00 : 0x80) | sizeof name);
	if (!c->image.t0)
		out[n++] = 0x01;
	memcpy(out + n, name, sizeof name);
	n += sizeof name;
	if (c->image.t0)
		return n;
	out[n] = 0;
	for (size_t i = 1; i < n; i++)
		out[n] ^= out[i];
	return n + 1;
}

static uint16_t
class_ok(uint8_t cla)
{
	if ((cla & 0xf0) != 0x00)
		return MT_SW_CLA;
	if ((cla & 0x0c) != 0)
		return MT_SW_NO_SM;
	return (cla & 0x03) != 0 ? MT_SW_NO_CHANNEL : MT_SW_OK;
}

/* T=0 cannot bring data both ways: 61xx says how much waits. */
static void
make_wait(struct mt_card *c, struct mt_card_answer *a)
{
	c->waiting = *a;
	a->sw = (uint16_t)(0x6100 | (a->n & 0xff));
	explicit_bzero(a->data, sizeof a->data);
	a->n = 0;
}

static void
get_response(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a)
{
	if (cmd->p1 != 0 || cmd->p2 != 0) {
		a->sw = MT_SW_P1P2;
	} else if (c->waiting.n == 0) {
		a->sw = MT_SW_CONDITIONS;
	} else if (cmd->le != c->waiting.n) {		/* the answer goes on waiting */
		a->sw = (uint16_t)(0x6c00 | (c->waiting.n & 0xff));
	} else {
		*a = c->waiting;
		explicit_bzero(&c->waiting, sizeof c->waiting);
	}
}

static void
dispatch(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a)
{
	if (cmd->ins != MT_INS_GET_RESPONSE)
		explicit_bzero(&c->waiting, sizeof c->waiting);
	a->sw = MT_SW_INS;
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (commands[i].ins != cmd->ins)
			continue;
		commands[i].fn(c, cmd, a);
		if (c->image.t0 && commands[i].case_4 && a->n > 0)
			make_wait(c, a);
		return;
	}
}

size_t
mt_card_apdu(struct mt_card *c, struct span apdu, uint8_t out[static MT_CARD_ANSWER_MAX])
{
	struct mt_card_answer a = { .sw = MT_SW_FAULT };
	struct mt_command cmd;
	size_t n;

	if (mt_apdu_parse(apdu, &cmd) != RC_OK)
		a.sw = MT_SW_LENGTH;
	else if ((a.sw = class_ok(cmd.cla)) == MT_SW_OK)
		dispatch(c, &cmd, &a);
	n = a.n;
	memcpy(out, a.data, n);
	out[n] = (uint8_t)(a.sw >> 8);
	out[n + 1] = (uint8_t)a.sw;
	explicit_bzero(&a, sizeof a);
	return n + 2;
}
