/*
 * Configuration files: the scanner alone, then everything behind it, with every getter.
 * Properties: each node's line is where its key stands; the text without comments scans to the same nodes; what is taken has as
 * many sections and list values at libconfuse as the scanner saw; what is refused was complained about.
 */
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/conf_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static cfg_opt_t deep[] = { CFG_STR("x", "deep", CFGF_NONE), CFG_END() };
static cfg_opt_t inner[] = {
	CFG_STR("listen", "127.0.0.1:0", CFGF_NONE), CFG_INT("threads", 3, CFGF_NONE), CFG_SEC("deep", deep, CFGF_NONE), CFG_END()
};
static cfg_opt_t peer[] = { CFG_STR("realm", NULL, CFGF_NONE), CFG_BOOL("relay", cfg_false, CFGF_NONE), CFG_END() };
static cfg_opt_t opts[] = {
	CFG_STR("name", NULL, CFGF_NONE), CFG_STR("life", "10m", CFGF_NONE), CFG_INT("count", 5, CFGF_NONE), CFG_BOOL("loud", cfg_false, CFGF_NONE),
	CFG_STR_LIST("ids", "{a, b}", CFGF_NONE), CFG_SEC("ub", inner, CFGF_NONE), CFG_SEC("peer", peer, CFGF_MULTI | CFGF_TITLE),
	CFG_SEC("many", peer, CFGF_MULTI), CFG_END()
};

static void
must(bool good)
{
	if (!good)
		abort();
}

/* How many newlines stand before it. */
static int
line_at(const char *text, const uint8_t *at)
{
	int line = 1;

	for (; text < (const char *)at; text++)
		line += *text == '\n';
	return line;
}

static void
scanner(struct span in)
{
	struct conf_scan a, b;
	struct conf_scan_error err;
	enum rc rc = conf_scan(in, &a, &err);

	if (rc == RC_OK) {
		for (size_t i = 0; i < a.n; i++) {
			must(a.v[i].key.n > 0 && a.v[i].line == line_at(a.clean, a.v[i].key.p));
			must(a.v[i].parent == CONF_AT_TOP || (a.v[i].parent < i && a.v[a.v[i].parent].kind == CONF_NODE_SECTION));
		}
		must(conf_scan(span_of(a.clean, in.n), &b, &err) == RC_OK && a.n == b.n);
		for (size_t i = 0; i < a.n; i++)
			must(span_eq(a.v[i].key, b.v[i].key) && span_eq(a.v[i].raw, b.v[i].raw) && a.v[i].kind == b.v[i].kind &&
			    a.v[i].line == b.v[i].line && a.v[i].parent == b.v[i].parent && a.v[i].n == b.v[i].n);
		conf_scan_free(&b);
	} else {
		must(rc == RC_SYNTAX && err.line >= 1 && err.text[0] != '\0');
	}
	conf_scan_free(&a);
}

static size_t
seen(struct span in, const char *key, bool list)
{
	struct conf_scan s;
	struct conf_scan_error err;
	size_t n = 0;

	must(conf_scan(in, &s, &err) == RC_OK);
	for (size_t i = 0; i < s.n; i++)
		if (s.v[i].parent == CONF_AT_TOP && span_eq_str(s.v[i].key, key))
			n += !list ? 1 : s.v[i].kind == CONF_NODE_LIST ? s.v[i].n : 1;
	conf_scan_free(&s);
	return n;
}

static void
getters(struct conf *c, struct span in)
{
	static const char *const words[] = { "a", "b", NULL };
	size_t peers = conf_count(c, NULL, "peer"), many = conf_count(c, NULL, "many");

	must(peers == seen(in, "peer", false) && many == seen(in, "many", false));
	if (seen(in, "ids", false) > 0)
		must(conf_count(c, NULL, "ids") == seen(in, "ids", true));
	for (int k = CONF_ANY; k <= CONF_URL_HTTPS; k++) {
		const char *t = conf_text(c, NULL, "name", (enum conf_kind)k);

		must(t[0] == '\0' || conf_text_ok(span_str(t), (enum conf_kind)k));
	}
	(void)conf_word(c, NULL, "name", words);
	must(conf_duration(c, NULL, "life", 5, 50) >= 5 && conf_duration(c, NULL, "life", 5, 50) <= 50);
	must(conf_int(c, NULL, "count", -5, 5) >= -5 && conf_int(c, NULL, "count", -5, 5) <= 5);
	(void)conf_bool(c, NULL, "loud");
	for (size_t i = 0; i < conf_count(c, NULL, "ids"); i++)
		(void)conf_text_at(c, NULL, "ids", i, CONF_NAF_ID);
	for (size_t i = 0; i < peers; i++) {
		must(conf_title(conf_section(c, NULL, "peer", i))[0] != '\0');
		(void)conf_text(c, conf_section(c, NULL, "peer", i), "realm", CONF_IDENTITY);
	}
	(void)conf_int(c, conf_section(c, NULL, "ub", 0), "threads", 1, 64);
	(void)conf_text(c, conf_section(c, conf_section(c, NULL, "ub", 0), "deep", 0), "x", CONF_ANY);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *said = NULL;
	size_t said_n = 0;
	FILE *f = open_memstream(&said, &said_n);
	struct conf *c = NULL;
	enum rc rc;

	scanner(span_of(p, n));
	rc = conf_parse("f", span_of(p, n), opts, f, &c);
	if (rc == RC_OK) {
		must(conf_done(c) == RC_OK);
		getters(c, span_of(p, n));
	} else {
		fflush(f);
		must(rc == RC_SYNTAX && said_n > 0 && c == NULL);
	}
	conf_free(c);
	fclose(f);
	free(said);
	return 0;
}
