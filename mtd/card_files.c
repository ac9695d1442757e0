/* SELECT, READ and UPDATE: the commands on files. */
#include <string.h>

#include "mtd/card_int.h"

/* --- SELECT                                                                       ETSI TS 102 221 8.4, 11.1.1 */

static const struct mt_card_file *
child(const struct mt_card *c, const struct mt_card_file *df, uint16_t fid)
{
	for (size_t i = 0; i < c->n_files; i++) {
		/* an ADF has no identifier of its own; 7FFF is the one selected last */
		if (c->files[i].parent == df && c->files[i].fcp.fid == fid && fid != MT_FID_ADF)
			return &c->files[i];
	}
	return NULL;
}

/* Reachable from the current directory: MF, current ADF, own children, parent, the parent's directories. */
static const struct mt_card_file *
by_fid(const struct mt_card *c, const struct mt_card_file *from, uint16_t fid)
{
	const struct mt_card_file *f;

	if (fid == MT_FID_MF)
		return &c->files[0];
	if (fid == MT_FID_ADF)
		return c->adf;
	if ((f = child(c, from, fid)) != NULL || from->parent == NULL)
		return f;
	if (from->parent->fcp.fid == fid)
		return from->parent;
	f = child(c, from->parent, fid);
	return f != NULL && f->fcp.kind == MT_FILE_DF ? f : NULL;
}

/* Whole, or its first octets. */
static const struct mt_card_file *
by_aid(const struct mt_card *c, struct span aid)
{
	for (size_t i = 0; i < c->n_files; i++) {
		struct span whole = { c->files[i].fcp.aid, c->files[i].fcp.aid_len }, head;

		if (span_take(&whole, aid.n, &head) && span_eq(head, aid))
			return &c->files[i];
	}
	return NULL;
}

static const struct mt_card_file *
by_path(const struct mt_card *c, const struct mt_card_file *from, struct span path)
{
	const struct mt_card_file *f = from;
	uint16_t fid;

	for (bool first = true; f != NULL && span_u16(&path, &fid); first = false) {
		if (f->fcp.kind != MT_FILE_DF)
			return NULL;
		f = first && fid == MT_FID_ADF ? c->adf : child(c, f, fid);
	}
	return path.n == 0 ? f : NULL;
}

static void
enter(struct mt_card *c, const struct mt_card_file *f)
{
	if (f->fcp.kind != MT_FILE_DF) {
		c->df = f->parent;
		c->ef = f;
		return;
	}
	c->df = f;
	c->ef = NULL;
	if (f->fcp.aid_len > 0)
		c->adf = f;
}

void
mt_card_select(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a)
{
	const struct mt_card_file *f = NULL;
	struct span d = cmd->data;
	uint16_t fid;

	if (cmd->p2 != 0x04 && cmd->p2 != 0x0c) {
		a->sw = MT_SW_P1P2;
		return;
	}
	switch (cmd->p1) {
	case 0x00:
		if (d.n == 0)		/* ISO 7816-4: without data it is the MF */
			f = &c->files[0];
		else if (d.n == 2 && span_u16(&d, &fid))
			f = by_fid(c, c->df, fid);
		break;
	case 0x04:
		if (d.n >= 5 && d.n <= MT_AID_MAX)
			f = by_aid(c, d);
		break;
	case 0x08:
		f = d.n >= 2 ? by_path(c, &c->files[0], d) : NULL;
		break;
	case 0x09:
		f = d.n >= 2 ? by_path(c, c->df, d) : NULL;
		break;
	default:
		a->sw = MT_SW_P1P2;
		return;
	}
	if (f == NULL) {
		a->sw = MT_SW_NO_FILE;
		return;
	}
	enter(c, f);
	a->sw = MT_SW_OK;
	if (cmd->p2 == 0x04 && (cmd->le > 0 || c->image.t0))	/* T=0 does not say Le here */
		a->n = mt_fcp_print(&f->fcp, a->data);
}

/* --- READ                                                                        ETSI TS 102 221 11.1.3, 11.1.5 */

/* The file that a command means, selected from now on: the current one, or a short identifier's (sfi above 0). */
static const struct mt_card_file *
meant(struct mt_card *c, unsigned sfi, uint16_t *sw)
{
	if (sfi == 0) {
		*sw = MT_SW_NO_EF;
		return c->ef;
	}
	for (size_t i = 0; i < c->n_files; i++) {
		if (c->files[i].parent == c->df && c->files[i].fcp.sfi == sfi)
			return c->ef = &c->files[i];
	}
	*sw = MT_SW_NO_FILE;
	return NULL;
}

/* n octets at p, if Le asks for them: as many as it says, 256 = all there are. */
static void
give(const uint8_t *p, size_t n, unsigned le, struct mt_card_answer *a)
{
	if (le == 0) {
		a->sw = MT_SW_LENGTH;
	} else if (le > n && le != 256) {
		a->sw = (uint16_t)(0x6c00 | (n & 0xff));
	} else {
		a->n = le < n ? le : n;
		memcpy(a->data, p, a->n);
		a->sw = MT_SW_OK;
	}
}

void
mt_card_read_binary(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a)
{
	bool by_sfi = (cmd->p1 & 0x80) != 0;
	size_t offset = by_sfi ? cmd->p2 : (size_t)cmd->p1 << 8 | cmd->p2;
	const struct mt_card_file *f;

	if (by_sfi && ((cmd->p1 & 0x60) != 0 || (cmd->p1 & 0x1f) == 0)) {
		a->sw = MT_SW_P1P2;
		return;
	}
	if ((f = meant(c, by_sfi ? cmd->p1 & 0x1f : 0, &a->sw)) == NULL)
		return;
	if (f->fcp.kind != MT_FILE_TRANSPARENT)
		a->sw = MT_SW_FILE_KIND;
	else if (!mt_card_may(c, f->fcp.read_sc))
		a->sw = MT_SW_ACCESS;
	else if (offset >= f->fcp.size)
		a->sw = MT_SW_OFFSET;
	else
		give(f->content + offset, f->fcp.size - offset, cmd->le, a);
}

void
mt_card_read_record(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a)
{
	const struct mt_card_file *f;

	if ((cmd->p2 & 0x07) != 0x04 || cmd->p2 >> 3 == 0x1f) {		/* absolute mode only */
		a->sw = MT_SW_P1P2;
		return;
	}
	if ((f = meant(c, cmd->p2 >> 3, &a->sw)) == NULL)
		return;
	if (f->fcp.kind != MT_FILE_LINEAR)
		a->sw = MT_SW_FILE_KIND;
	else if (!mt_card_may(c, f->fcp.read_sc))
		a->sw = MT_SW_ACCESS;
	else if (cmd->p1 == 0 || cmd->p1 > f->fcp.records)
		a->sw = MT_SW_NO_RECORD;
	else if (cmd->le != 0 && cmd->le != 256 && cmd->le != f->fcp.record_len)
		a->sw = (uint16_t)(0x6c00 | f->fcp.record_len);
	else
		give(f->content + (size_t)(cmd->p1 - 1) * f->fcp.record_len, f->fcp.record_len, cmd->le, a);
}

/* ETSI TS 102 221 11.1.4. What may be changed lies in the card's state (EF_GBABP). */
void
mt_card_update_binary(struct mt_card *c, const struct mt_command *cmd, struct mt_card_answer *a)
{
	bool by_sfi = (cmd->p1 & 0x80) != 0;
	size_t offset = by_sfi ? cmd->p2 : (size_t)cmd->p1 << 8 | cmd->p2;
	const struct mt_card_file *f;
	struct mt_card_state next;

	if (by_sfi && ((cmd->p1 & 0x60) != 0 || (cmd->p1 & 0x1f) == 0)) {
		a->sw = MT_SW_P1P2;
		return;
	}
	if ((f = meant(c, by_sfi ? cmd->p1 & 0x1f : 0, &a->sw)) == NULL)
		return;
	if (f->fcp.kind != MT_FILE_TRANSPARENT) {
		a->sw = MT_SW_FILE_KIND;
	} else if (!mt_card_may(c, f->fcp.update_sc)) {
		a->sw = MT_SW_ACCESS;
	} else if (cmd->data.n == 0) {
		a->sw = MT_SW_LENGTH;
	} else if (offset >= f->fcp.size) {
		a->sw = MT_SW_OFFSET;
	} else if (cmd->data.n > f->fcp.size - offset) {
		a->sw = MT_SW_LENGTH;
	} else if (mt_card_state_dup(&c->state, &next) != RC_OK) {
		a->sw = MT_SW_MEMORY;
	} else {
		memcpy(next.gba[f->app].gbabp + offset, cmd->data.p, cmd->data.n);
		a->sw = mt_card_change(c, &next) ? MT_SW_OK : MT_SW_MEMORY;
	}
}
