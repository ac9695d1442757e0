#include "mtd/ub_msg.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/hex.h"
#include "common/xml.h"

#define BODY_MAX 65536
#define RETRY_AFTER_MAX_S 3600
#define CNONCE_OCTETS 16

/* --- what we send */

enum rc
mt_ub_uri(const char *url, char *out, size_t cap)
{
	const char *host = strstr(url, "://"), *path;
	size_t n;

	if (host == NULL || host[3] == '\0' || host[3] == '/')
		return RC_SYNTAX;
	path = strpbrk(host + 3, "/?#");
	if (path == NULL)
		path = "/";
	if (*path != '/')
		return RC_SYNTAX;
	n = strcspn(path, "#");
	if (!span_to_str(span_of(path, n), out, cap))
		return RC_RANGE;
	return RC_OK;
}

void
mt_ub_fill_initial(struct digest *d, const char *username, const char *realm, const char *uri)
{
	memset(d, 0, sizeof *d);
	d->have = DIGEST_USERNAME | DIGEST_REALM | DIGEST_NONCE | DIGEST_URI | DIGEST_RESPONSE;
	(void)snprintf(d->username, sizeof d->username, "%s", username);
	(void)snprintf(d->realm, sizeof d->realm, "%s", realm);
	(void)snprintf(d->uri, sizeof d->uri, "%s", uri);
}

enum rc
mt_ub_fill_answer(struct digest *d, const char *username, const char *uri, const struct rnd *rnd, const struct secret *password,
    const uint8_t *auts)
{
	uint8_t cnonce[CNONCE_OCTETS];
	enum rc rc;

	if ((rc = rnd_bytes(rnd, cnonce, sizeof cnonce)) != RC_OK)
		return rc;
	d->have = DIGEST_USERNAME | DIGEST_REALM | DIGEST_NONCE | DIGEST_URI | DIGEST_RESPONSE | DIGEST_ALGORITHM | DIGEST_QOP |
	    DIGEST_NC | DIGEST_CNONCE | (d->have & DIGEST_OPAQUE) | (auts != NULL ? DIGEST_AUTS : 0);
	(void)snprintf(d->username, sizeof d->username, "%s", username);
	(void)snprintf(d->uri, sizeof d->uri, "%s", uri);
	(void)snprintf(d->nc, sizeof d->nc, "00000001");	/* each nonce is answered once */
	hex_print(span_of(cnonce, sizeof cnonce), d->cnonce);
	if (auts != NULL)
		memcpy(d->auts, auts, sizeof d->auts);
	return digest_response(d, password, "GET", span_str(""), d->response);
}

void
mt_ub_print_date(int64_t now_s, char out[static MT_UB_DATE_LEN + 1])
{
	time_t t = (time_t)now_s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(out, MT_UB_DATE_LEN + 1, "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
		out[0] = '\0';
}

/* --- what we are told */

bool
mt_ub_has_token(const char *field)
{
	size_t n = strlen(MT_UB_TOKEN);

	for (const char *p = field; p != NULL && (p = strstr(p, MT_UB_TOKEN)) != NULL; p += n) {
		bool begins = p == field || strchr(" \t;,(", p[-1]) != NULL;

		if (begins && (p[n] == '\0' || strchr(" \t;,)/", p[n]) != NULL))
			return true;
	}
	return false;
}

int64_t
mt_ub_retry_after(const struct http_reply *r)
{
	const char *v = http_header_get(r->headers, r->n_headers, "Retry-After");
	uint64_t s;

	if (v == NULL || !span_decimal(span_trim(span_str(v)), UINT32_MAX, &s))
		return 0;
	return s < RETRY_AFTER_MAX_S ? (int64_t)s : RETRY_AFTER_MAX_S;
}

/* The first of several that is Digest with AKA; else what the last one lacked. */
static enum reason
pick_challenge(const struct http_reply *r, struct digest *out, const char **bad)
{
	enum reason why = REASON_BSF_NO_CHALLENGE;

	*bad = "no WWW-Authenticate";
	for (size_t i = 0; i < r->n_headers; i++) {
		enum rc rc;

		if (!span_eq_nocase(span_str(r->headers[i].name), "WWW-Authenticate"))
			continue;
		rc = digest_parse_challenge(span_str(r->headers[i].value), out);
		if (rc == RC_NOTFOUND) {
			*bad = "WWW-Authenticate of another scheme than Digest";
			continue;
		}
		why = REASON_BSF_CHALLENGE;
		if (rc != RC_OK) {
			*bad = "malformed WWW-Authenticate";
			continue;
		}
		if ((out->have & DIGEST_ALGORITHM) == 0)
			*bad = "no algorithm";
		else if (out->alg != DIGEST_ALG_AKAV1_MD5 && out->alg != DIGEST_ALG_AKAV2_MD5)
			*bad = "algorithm is not AKAv1-MD5 or AKAv2-MD5";
		else
			return REASON_NONE;
	}
	return why;
}

enum reason
mt_ub_challenge(const struct http_reply *r, const char *realm, unsigned tolerate, struct digest *out,
    uint8_t rand[static AKA_RAND_LEN], uint8_t autn[static AKA_AUTN_LEN], const char **bad)
{
	enum reason why = pick_challenge(r, out, bad);

	if (why != REASON_NONE)
		return why;
	*bad = "realm";
	if (!span_eq_nocase(span_str(out->realm), realm))
		return REASON_BSF_REALM;
	*bad = "nonce is not base64(RAND || AUTN)";
	if ((out->have & DIGEST_NONCE) == 0 || digest_nonce_parse(out->nonce, rand, autn) != RC_OK)
		return REASON_BSF_CHALLENGE;
	*bad = "qop does not offer auth-int";
	if ((out->qop & DIGEST_QOP_AUTH_INT) != 0)
		out->qop = DIGEST_QOP_AUTH_INT;
	else if ((out->qop & DIGEST_QOP_AUTH) != 0 && (tolerate & MT_TOLERATE_QOP_AUTH) != 0)
		out->qop = DIGEST_QOP_AUTH;
	else
		return REASON_BSF_CHALLENGE;
	return REASON_NONE;
}

enum reason
mt_ub_check_info(const struct http_reply *r, const struct digest *ours, const struct secret *password, unsigned tolerate,
    const char **bad)
{
	size_t n = http_header_count(r->headers, r->n_headers, "Authentication-Info");
	struct digest info;

	*bad = "no Authentication-Info";
	if (n == 0)
		return (tolerate & MT_TOLERATE_NO_INFO) != 0 ? REASON_NONE : REASON_BSF_NO_INFO;
	*bad = "more than one Authentication-Info";
	if (n > 1)
		return REASON_BSF_NO_INFO;
	*bad = "malformed Authentication-Info";
	if (digest_parse_info(span_str(http_header_get(r->headers, r->n_headers, "Authentication-Info")), &info) != RC_OK)
		return REASON_BSF_NO_INFO;
	*bad = "no rspauth in Authentication-Info";
	if ((info.have & DIGEST_RSPAUTH) == 0)
		return REASON_BSF_NO_INFO;
	*bad = "qop, nc or cnonce of Authentication-Info is not ours";
	if (((info.have & DIGEST_QOP) != 0 && info.qop != ours->qop) ||
	    ((info.have & DIGEST_NC) != 0 && strcmp(info.nc, ours->nc) != 0) ||
	    ((info.have & DIGEST_CNONCE) != 0 && strcmp(info.cnonce, ours->cnonce) != 0))
		return REASON_BSF_RSPAUTH;
	*bad = "rspauth";
	return digest_check(ours, password, "", r->body, info.rspauth) == RC_OK ? REASON_NONE : REASON_BSF_RSPAUTH;
}

enum reason
mt_ub_check_btid(const struct btid *btid, const uint8_t rand[static AKA_RAND_LEN], unsigned tolerate)
{
	uint8_t told[AKA_RAND_LEN];

	if (btid_rand(btid, told) == RC_OK && memcmp(told, rand, sizeof told) == 0)
		return REASON_NONE;
	return (tolerate & MT_TOLERATE_OPAQUE_BTID) != 0 ? REASON_NONE : REASON_BSF_BTID;
}

/* White space of an XML text, off both ends. */
static struct span
text_of(const struct xml_text *t)
{
	const char *p = t->p + strspn(t->p, " \t\r\n");
	size_t n = strlen(p);

	while (n > 0 && strchr(" \t\r\n", p[n - 1]) != NULL)
		n--;
	return span_of(p, n);
}

enum rc
mt_ub_parse_info(struct span body, struct mt_bootstrapping_info *out, const char **bad)
{
	static const struct xml_field fields[] = {
		{ NULL, "btid", true }, { NULL, "lifetime", true }, { "Extension", "currenttime", false }
	};
	static const struct xml_shape shape = { "uri:3gpp-gba", "BootstrappingInfo", fields, 3, true, BODY_MAX };
	char btid[BTID_MAX + 64], lifetime[64], currenttime[64];
	struct xml_text texts[] = {
		{ btid, sizeof btid, false }, { lifetime, sizeof lifetime, false }, { currenttime, sizeof currenttime, false }
	};
	struct mt_bootstrapping_info info = { .currenttime = 0 };
	struct span s;
	enum rc rc;

	*bad = "XML";
	if ((rc = xml_parse(body, &shape, texts)) != RC_OK)
		return rc;
	*bad = "btid";
	if ((rc = btid_parse(text_of(&texts[0]), &info.btid)) != RC_OK)
		return rc;
	*bad = "lifetime";
	s = text_of(&texts[1]);
	if ((rc = clock_parse_utc((const char *)s.p, s.n, false, &info.lifetime)) != RC_OK)
		return rc;
	if (texts[2].found) {
		*bad = "currenttime";
		s = text_of(&texts[2]);
		if ((rc = clock_parse_utc((const char *)s.p, s.n, false, &info.currenttime)) != RC_OK)
			return rc;
	}
	*out = info;
	return RC_OK;
}

/* By our clock, or by the BSF's own where ours is not trusted (ub.md 4). */
static int64_t
expiry(const struct mt_ub_sent *sent, const struct mt_bootstrapping_info *info)
{
	if (sent->conf->use_currenttime && info->currenttime != 0)
		return sent->ask->now_s + (info->lifetime - info->currenttime);
	return info->lifetime;
}

enum reason
mt_ub_check_done(const struct http_reply *r, const struct mt_ub_sent *sent, struct mt_ks *out, char detail[static MT_UB_DETAIL_MAX + 1])
{
	char told[UTC_TEXT_LEN + 1], now[UTC_TEXT_LEN + 1];
	struct mt_bootstrapping_info info;
	const char *bad = "";
	enum reason why;
	int64_t expires;

	/* ub.md 5: the only integrity on plain HTTP, so before anything of the body is used */
	why = mt_ub_check_info(r, sent->d, sent->password, sent->conf->tolerate, &bad);
	if (why == REASON_NONE && mt_ub_parse_info(r->body, &info, &bad) != RC_OK)
		why = REASON_BSF_BODY;
	(void)snprintf(detail, MT_UB_DETAIL_MAX + 1, "%s", bad);
	if (why != REASON_NONE)
		return why;
	if ((why = mt_ub_check_btid(&info.btid, sent->rand, sent->conf->tolerate)) != REASON_NONE) {
		(void)snprintf(detail, MT_UB_DETAIL_MAX + 1, "%s", info.btid.s);
		return why;
	}
	expires = expiry(sent, &info);
	if (expires - sent->ask->min_left_s <= sent->ask->now_s) {
		clock_print_utc(expires, told);
		clock_print_utc(sent->ask->now_s, now);
		(void)snprintf(detail, MT_UB_DETAIL_MAX + 1, "lifetime %s, now %s", told, now);
		return REASON_BSF_LIFETIME;
	}
	out->btid = info.btid;
	out->expires = expires;
	return REASON_NONE;
}
