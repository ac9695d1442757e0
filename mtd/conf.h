/* mt_conf: mtd's configuration file into structs (conf/mtd.conf, mtd.conf(5)). */
#ifndef MTD_CONF_H
#define MTD_CONF_H

#include "common/conf.h"
#include "mtd/mt.h"

/* What main.c needs beside the core's own configuration. Texts live as long as the struct conf. */
struct mt_file_conf {
	struct mt_conf mt;		/* without tls pointers */
	const char *image;		/* the software card; NULL = an empty reader */
	const char *reader;		/* a PC/SC reader's name, "any"; NULL = the software card's */
	const char *user;		/* the common key: the card's process becomes it, too; NULL = stays */
	const char *center_ca[MT_NAFS_MAX];	/* of mt.centers */
	const char *bsf_ca;		/* NULL = the BSF is reached by http alone */
	struct {
		const char *cert, *key, *ca;	/* cert NULL = plain */
	} local_tls[MT_LOCALS_MAX];
};

extern cfg_opt_t mt_options[];
/* daemon.h's read_conf; complaints stick in c. */
void mt_conf_read(struct conf *c, void *mt_file_conf);

#endif
