#include "test/bench/load/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/aka.h"
#include "common/digest_aka.h"
#include "common/rnd.h"
#include "mtd/ub_msg.h"

struct run {
	const struct target *t;
	struct peer *p;
	struct subscriber *s;
	struct digest d;
	op_done_fn *fn;
	void *arg;
};

static void
finish(struct run *r, const char *error)
{
	op_done_fn *fn = r->fn;
	void *arg = r->arg;

	free(r);
	fn(arg, error);
}

static void
ask(struct run *r, peer_reply_fn *fn)
{
	char authorization[DIGEST_HEADER_MAX], text[DIGEST_HEADER_MAX + 512];
	int n;

	if (digest_print_authorization(&r->d, authorization, sizeof authorization) != RC_OK)
		die("Ub: the request does not print");
	n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: load; %s\r\nAuthorization: %s\r\n\r\n", r->t->ub_fqdn,
	    MT_UB_TOKEN, authorization);
	peer_ask(r->p, span_of(text, (size_t)n), fn, r);
}

/* The B-TID, out of a document that our own server made. */
static bool
take_btid(struct span body, struct btid *out)
{
	static const char open[] = "<btid>", close[] = "</btid>";
	const uint8_t *a = memmem(body.p, body.n, open, sizeof open - 1), *b;

	if (a == NULL)
		return false;
	a += sizeof open - 1;
	b = memmem(a, body.n - (size_t)(a - body.p), close, sizeof close - 1);
	return b != NULL && btid_parse(span_of(a, (size_t)(b - a)), out) == RC_OK;
}

static void
on_done(void *arg, const struct reply *reply)
{
	struct run *r = arg;
	static char text[160];

	if (reply->status != 200) {
		(void)snprintf(text, sizeof text, "Ub: answer: %d %s", reply->status, reply->detail);
		finish(r, text);
		return;
	}
	finish(r, take_btid(reply->body, &r->s->btid) ? NULL : "Ub: no B-TID in the answer");
}

static void
on_challenge(void *arg, const struct reply *reply)
{
	struct run *r = arg;
	char field[DIGEST_HEADER_MAX];
	uint8_t rand[AKA_RAND_LEN], autn[AKA_AUTN_LEN];
	struct aka_result aka;
	struct secret *password = NULL;
	static char text[160];

	if (reply->status != 401 || !reply_field(reply->head, "WWW-Authenticate", field, sizeof field) ||
	    digest_parse_challenge(span_str(field), &r->d) != RC_OK || digest_nonce_parse(r->d.nonce, rand, autn) != RC_OK) {
		(void)snprintf(text, sizeof text, "Ub: challenge: %d %s", reply->status, reply->detail);
		finish(r, text);
		return;
	}
	r->d.qop = DIGEST_QOP_AUTH_INT;
	if (aka_check(r->s->k, r->s->opc, rand, autn, &aka) != RC_OK) {
		finish(r, "Ub: AUTN is not ours");
		return;
	}
	if (digest_password(r->d.alg, aka.res, aka.ck, aka.ik, &password) != RC_OK ||
	    mt_ub_fill_answer(&r->d, r->s->impi, "/", rnd_system(), password, NULL) != RC_OK)
		die("Ub: no answer can be made");
	secret_free(password);
	aka_result_clear(&aka);
	ask(r, on_done);
}

void
ub_run(const struct target *t, struct peer *p, struct subscriber *s, op_done_fn *fn, void *arg)
{
	struct run *r = calloc(1, sizeof *r);

	if (r == NULL)
		die("out of memory");
	*r = (struct run){ .t = t, .p = p, .s = s, .fn = fn, .arg = arg };
	mt_ub_fill_initial(&r->d, s->impi, t->ub_fqdn, "/");
	ask(r, on_challenge);
}
