/*
 * The card's files: one table says which there are; the image says what is in them.
 *	MF 3F00 ─┬─ EF_ICCID 2FE2, EF_DIR 2F00
 *	         ├─ ADF USIM ── EF_IMSI 6F07, EF_AD 6FAD, EF_UST 6F38, EF_GBABP 6FD6, EF_GBANL 6FDA, EF_NAFKCA 6FDD
 *	         └─ ADF ISIM ── EF_IMPI 6F02, EF_DOMAIN 6F03, EF_IMPU 6F04, EF_IST 6F07, EF_GBABP 6FD5, EF_GBANL 6FD7,
 *	                        EF_NAFKCA 6FDD
 * EF_GBABP and EF_GBANL change: they lie in the card's state.
 */
#include <stdlib.h>
#include <string.h>

#include "mtd/card_int.h"
#include "mtd/ef.h"
#include "mtd/ef_gba.h"

#define DIR_RECORD_LEN 64
#define TEXT_LEN (MT_CARD_TEXT_MAX + 3)

/* Record i, or the whole of a transparent file, into out. */
typedef enum rc fill_fn(const struct mt_card_image *im, unsigned app, unsigned i, uint8_t *out);

static enum rc
fill_iccid(const struct mt_card_image *im, unsigned app, unsigned i, uint8_t *out)
{
	(void)app;
	(void)i;
	mt_ef_iccid_print(&im->iccid, out);
	return RC_OK;
}

static enum rc
fill_dir(const struct mt_card_image *im, unsigned app, unsigned i, uint8_t *out)
{
	const struct mt_card_app *a = &im->app[i];		/* the USIM is always there, the ISIM may be */

	(void)app;
	return mt_ef_dir_print((struct span){ a->aid, a->aid_len }, span_str(a->label), out, DIR_RECORD_LEN);
}

static enum rc
fill_imsi(const struct mt_card_image *im, unsigned app, unsigned i, uint8_t *out)
{
	(void)app;
	(void)i;
	mt_ef_imsi_print(&im->imsi, out);
	return RC_OK;
}

static enum rc
fill_ad(const struct mt_card_image *im, unsigned app, unsigned i, uint8_t *out)
{
	(void)app;
	(void)i;
	mt_ef_ad_print(im->mnc_len, out);
	return RC_OK;
}

static enum rc
fill_services(const struct mt_card_image *im, unsigned app, unsigned i, uint8_t *out)
{
	(void)i;
	memcpy(out, im->app[app].services, sizeof im->app[app].services);
	return RC_OK;
}

/* A record of a list that may have none: it is then empty. */
static enum rc
text_or_nothing(const char *text, uint8_t *out)
{
	memset(out, 0xff, TEXT_LEN);
	return text[0] == '\0' ? RC_OK : mt_ef_text_print(span_str(text), out, TEXT_LEN);
}

static enum rc
fill_nafkca(const struct mt_card_image *im, unsigned app, unsigned i, uint8_t *out)
{
	return text_or_nothing(im->app[app].nafkca[i], out);
}

static enum rc
fill_impi(const struct mt_card_image *im, unsigned app, unsigned i, uint8_t *out)
{
	(void)i;
	return text_or_nothing(im->app[app].impi, out);
}

static enum rc
fill_domain(const struct mt_card_image *im, unsigned app, unsigned i, uint8_t *out)
{
	(void)i;
	return text_or_nothing(im->app[app].domain, out);
}

static enum rc
fill_impu(const struct mt_card_image *im, unsigned app, unsigned i, uint8_t *out)
{
	return text_or_nothing(im->app[app].impu[i], out);
}

/* Where a file is, and when it is there. */
enum where { MF = -1, USIM = MT_CARD_USIM, ISIM = MT_CARD_ISIM };
enum when { ALWAYS, GBA, LOCAL_KEY };

/* Every EF; size of a linear file: of one record. Without a fill it lies in the card's state. */
static const struct form {
	uint16_t fid;
	enum where where;
	enum when when;
	enum mt_file_kind kind;
	uint8_t size, sfi;
	enum mt_card_access read, update;
	fill_fn *fill;
} forms[] = {
	{ MT_EF_ICCID, MF, ALWAYS, MT_FILE_TRANSPARENT, MT_EF_ICCID_LEN, 0x02, MT_ACCESS_ALWAYS, MT_ACCESS_NEVER, fill_iccid },
	{ MT_EF_DIR, MF, ALWAYS, MT_FILE_LINEAR, DIR_RECORD_LEN, 0x1e, MT_ACCESS_ALWAYS, MT_ACCESS_NEVER, fill_dir },
	{ MT_EF_IMSI, USIM, ALWAYS, MT_FILE_TRANSPARENT, MT_EF_IMSI_LEN, 0x07, MT_ACCESS_PIN, MT_ACCESS_NEVER, fill_imsi },
	{ MT_EF_AD, USIM, ALWAYS, MT_FILE_TRANSPARENT, MT_EF_AD_LEN, 0x03, MT_ACCESS_ALWAYS, MT_ACCESS_NEVER, fill_ad },
	{ MT_EF_UST, USIM, ALWAYS, MT_FILE_TRANSPARENT, MT_SERVICES_MAX / 8, 0x04, MT_ACCESS_PIN, MT_ACCESS_NEVER, fill_services },
	{ MT_EF_GBABP, USIM, GBA, MT_FILE_TRANSPARENT, MT_CARD_GBABP_LEN, 0, MT_ACCESS_PIN, MT_ACCESS_PIN, NULL },
	{ MT_EF_GBANL, USIM, GBA, MT_FILE_LINEAR, MT_CARD_GBANL_LEN, 0, MT_ACCESS_PIN, MT_ACCESS_NEVER, NULL },
	{ MT_EF_NAFKCA, USIM, LOCAL_KEY, MT_FILE_LINEAR, TEXT_LEN, 0, MT_ACCESS_PIN, MT_ACCESS_NEVER, fill_nafkca },
	{ MT_EF_IMPI, ISIM, ALWAYS, MT_FILE_TRANSPARENT, TEXT_LEN, 0x02, MT_ACCESS_PIN, MT_ACCESS_NEVER, fill_impi },
	{ MT_EF_DOMAIN, ISIM, ALWAYS, MT_FILE_TRANSPARENT, TEXT_LEN, 0x05, MT_ACCESS_PIN, MT_ACCESS_NEVER, fill_domain },
	{ MT_EF_IMPU, ISIM, ALWAYS, MT_FILE_LINEAR, TEXT_LEN, 0x04, MT_ACCESS_PIN, MT_ACCESS_NEVER, fill_impu },
	{ MT_EF_IST, ISIM, ALWAYS, MT_FILE_TRANSPARENT, MT_SERVICES_MAX / 8, 0x07, MT_ACCESS_PIN, MT_ACCESS_NEVER, fill_services },
	{ MT_EF_ISIM_GBABP, ISIM, GBA, MT_FILE_TRANSPARENT, MT_CARD_GBABP_LEN, 0, MT_ACCESS_PIN, MT_ACCESS_PIN, NULL },
	{ MT_EF_ISIM_GBANL, ISIM, GBA, MT_FILE_LINEAR, MT_CARD_GBANL_LEN, 0, MT_ACCESS_PIN, MT_ACCESS_NEVER, NULL },
	{ MT_EF_NAFKCA, ISIM, LOCAL_KEY, MT_FILE_LINEAR, TEXT_LEN, 0, MT_ACCESS_PIN, MT_ACCESS_NEVER, fill_nafkca },
};
#define N_FORMS (sizeof forms / sizeof forms[0])
_Static_assert(1 + MT_CARD_APPS + N_FORMS <= MT_CARD_FILES_MAX, "MT_CARD_FILES_MAX");

static bool
is_there(const struct mt_card_image *im, const struct form *form)
{
	if (form->where == MF)
		return true;
	if (im->app[form->where].aid_len == 0)
		return false;
	switch (form->when) {
	case GBA:
		return mt_card_app_gba(im, (unsigned)form->where);
	case LOCAL_KEY:
		return mt_card_app_local_key(im, (unsigned)form->where);
	default:
		return true;
	}
}

static uint8_t
at_least_one(uint8_t n)
{
	return n > 0 ? n : 1;
}

static uint8_t
records(const struct mt_card_image *im, const struct form *form)
{
	const struct mt_card_app *a = &im->app[form->where == MF ? MT_CARD_USIM : form->where];

	switch (form->fid) {
	case MT_EF_DIR:
		return im->app[MT_CARD_ISIM].aid_len > 0 ? 2 : 1;
	case MT_EF_NAFKCA:
		return at_least_one(a->n_nafkca);
	case MT_EF_IMPU:
		return at_least_one(a->n_impu);
	default:
		return at_least_one(a->gba_nafs);
	}
}

static enum rc
fill_file(const struct mt_card_image *im, const struct form *form, struct mt_card_file *f)
{
	unsigned n = form->kind == MT_FILE_LINEAR ? f->fcp.records : 1;
	enum rc rc = RC_OK;

	if ((f->content = calloc(n, form->size)) == NULL)
		return RC_NOMEM;
	for (unsigned i = 0; i < n && rc == RC_OK; i++)
		rc = form->fill(im, f->app, i, f->content + (size_t)i * form->size);
	return rc;
}

static enum rc
make_ef(struct mt_card *c, const struct form *form, const struct mt_card_file *parent, struct mt_card_file *f)
{
	f->fcp = (struct mt_fcp){ .kind = form->kind, .fid = form->fid, .sfi = form->sfi, .read_sc = (uint8_t)form->read,
	    .update_sc = (uint8_t)form->update };
	f->parent = parent;
	f->app = (uint8_t)(form->where == MF ? 0 : form->where);
	if (form->kind == MT_FILE_LINEAR) {
		f->fcp.record_len = form->size;
		f->fcp.records = records(&c->image, form);
	} else {
		f->fcp.size = form->size;
	}
	if (form->fill != NULL)
		return fill_file(&c->image, form, f);
	f->live = true;
	f->content = form->kind == MT_FILE_LINEAR ? c->state.gba[f->app].gbanl[0] : c->state.gba[f->app].gbabp;
	return RC_OK;
}

static struct mt_card_file *
make_df(struct mt_card *c, uint16_t fid, const struct mt_card_file *parent)
{
	struct mt_card_file *f = &c->files[c->n_files++];

	f->fcp = (struct mt_fcp){ .kind = MT_FILE_DF, .fid = fid, .update_sc = MT_ACCESS_NEVER, .pin_on = c->image.pin[0] != '\0' };
	f->parent = parent;
	return f;
}

enum rc
mt_card_fs_new(struct mt_card *c)
{
	const struct mt_card_file *mf = make_df(c, MT_FID_MF, NULL);
	struct mt_card_file *adf[MT_CARD_APPS] = { NULL };

	for (unsigned i = 0; i < MT_CARD_APPS; i++) {
		if (c->image.app[i].aid_len == 0)
			continue;
		adf[i] = make_df(c, MT_FID_ADF, mf);
		adf[i]->app = (uint8_t)i;
		adf[i]->fcp.aid_len = c->image.app[i].aid_len;
		memcpy(adf[i]->fcp.aid, c->image.app[i].aid, adf[i]->fcp.aid_len);
	}
	for (size_t i = 0; i < N_FORMS; i++) {
		enum rc rc;

		if (!is_there(&c->image, &forms[i]))
			continue;
		if ((rc = make_ef(c, &forms[i], forms[i].where == MF ? mf : adf[forms[i].where], &c->files[c->n_files++])) != RC_OK)
			return rc;
	}
	return RC_OK;
}

void
mt_card_fs_free(struct mt_card *c)
{
	for (size_t i = 0; i < c->n_files; i++) {
		if (!c->files[i].live)
			free(c->files[i].content);
	}
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
