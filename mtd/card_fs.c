/*
 * The card's files: one table says which there are; the image says what is in them.
 *	MF 3F00 ─┬─ EF_ICCID 2FE2, EF_DIR 2F00
 *	         └─ ADF USIM ── EF_IMSI 6F07, EF_AD 6FAD, EF_UST 6F38
 */
#include <stdlib.h>
#include <string.h>

#include "mtd/card_int.h"
#include "mtd/ef.h"

#define DIR_RECORD_LEN 64
#define NO_PARENT (-1)

static enum rc
fill_iccid(const struct mt_card_image *i, uint8_t *out)
{
	mt_ef_iccid_print(&i->iccid, out);
	return RC_OK;
}

static enum rc
fill_dir(const struct mt_card_image *i, uint8_t *out)
{
	return mt_ef_dir_print((struct span){ i->aid, i->aid_len }, span_str(i->label), out, DIR_RECORD_LEN);
}

static enum rc
fill_imsi(const struct mt_card_image *i, uint8_t *out)
{
	mt_ef_imsi_print(&i->imsi, out);
	return RC_OK;
}

static enum rc
fill_ad(const struct mt_card_image *i, uint8_t *out)
{
	mt_ef_ad_print(i->mnc_len, out);
	return RC_OK;
}

static enum rc
fill_ust(const struct mt_card_image *i, uint8_t *out)
{
	memcpy(out, i->ust, sizeof i->ust);
	return RC_OK;
}

/* A parent stands before its children; the MF is the first. size of a linear file: of one record. */
static const struct form {
	uint16_t fid;
	int parent;
	enum mt_file_kind kind;
	uint8_t size, records, sfi;
	enum mt_card_access read;
	enum rc (*fill)(const struct mt_card_image *i, uint8_t *out);
} forms[] = {
	{ MT_FID_MF, NO_PARENT, MT_FILE_DF, 0, 0, 0, MT_ACCESS_ALWAYS, NULL },
	{ MT_EF_ICCID, 0, MT_FILE_TRANSPARENT, MT_EF_ICCID_LEN, 0, 0x02, MT_ACCESS_ALWAYS, fill_iccid },
	{ MT_EF_DIR, 0, MT_FILE_LINEAR, DIR_RECORD_LEN, 1, 0x1e, MT_ACCESS_ALWAYS, fill_dir },
	{ MT_FID_ADF, 0, MT_FILE_DF, 0, 0, 0, MT_ACCESS_ALWAYS, NULL },
	{ MT_EF_IMSI, 3, MT_FILE_TRANSPARENT, MT_EF_IMSI_LEN, 0, 0x07, MT_ACCESS_PIN, fill_imsi },
	{ MT_EF_AD, 3, MT_FILE_TRANSPARENT, MT_EF_AD_LEN, 0, 0x03, MT_ACCESS_ALWAYS, fill_ad },
	{ MT_EF_UST, 3, MT_FILE_TRANSPARENT, MT_SERVICES_MAX / 8, 0, 0x04, MT_ACCESS_PIN, fill_ust },
};
#define N_FORMS (sizeof forms / sizeof forms[0])
_Static_assert(N_FORMS <= MT_CARD_FILES_MAX, "MT_CARD_FILES_MAX");

static enum rc
make_file(struct mt_card *c, const struct form *form, struct mt_card_file *f)
{
	size_t n = (size_t)form->size * (form->kind == MT_FILE_LINEAR ? form->records : 1);

	f->fcp = (struct mt_fcp){
		.kind = form->kind, .fid = form->fid, .sfi = form->sfi, .read_sc = (uint8_t)form->read, .update_sc = MT_ACCESS_NEVER,
		.pin_on = c->image.pin[0] != '\0',
	};
	f->parent = form->parent == NO_PARENT ? NULL : &c->files[form->parent];
	if (form->kind == MT_FILE_TRANSPARENT)
		f->fcp.size = form->size;
	if (form->kind == MT_FILE_LINEAR) {
		f->fcp.record_len = form->size;
		f->fcp.records = form->records;
	}
	if (form->fid == MT_FID_ADF) {
		memcpy(f->fcp.aid, c->image.aid, c->image.aid_len);
		f->fcp.aid_len = c->image.aid_len;
	}
	if (form->fill == NULL)
		return RC_OK;
	if ((f->content = calloc(1, n)) == NULL)
		return RC_NOMEM;
	return form->fill(&c->image, f->content);
}

enum rc
mt_card_fs_new(struct mt_card *c)
{
	for (size_t i = 0; i < N_FORMS; i++) {
		enum rc rc;

		c->n_files = i + 1;
		if ((rc = make_file(c, &forms[i], &c->files[i])) != RC_OK)
			return rc;
	}
	return RC_OK;
}

void
mt_card_fs_free(struct mt_card *c)
{
	for (size_t i = 0; i < c->n_files; i++)
		free(c->files[i].content);
	c->n_files = 0;
}

bool
mt_card_may(const struct mt_card *c, uint8_t condition)
{
	switch (condition) {
	case MT_ACCESS_ALWAYS:
		return true;
	case MT_ACCESS_PIN:
		return c->image.pin[0] == '\0' || c->pin_verified;
	default:
		return false;
	}
}

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
