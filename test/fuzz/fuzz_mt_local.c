/*
 * fuzz_mt_local: a hostile device at a whole MT, with its card and a BSF. The input is what the device sends; on the way octet 01
 * lets things happen (and time go on), 02 opens a new connection, 03 pulls the card, 04 puts it in, @B and @P stand for the
 * newest B-TID and for the right proof of the last derive; 05 goes on in TLS with the newest key, as after `use`, so that what follows is
 * said inside: HTTP/2, or what takes its place.
 *
 * Properties: every line that comes back is a JSON object; no key of the MT, nor its check value, comes back in any form (K10);
 * a confirmed key stays until its expiry or another card (K2); an honest device is served afterwards.
 */
#include "test/fuzz/as_unit.h"

#include "test/unit/mtd/rig.h"

#include "common/b64.h"
#include "common/link_over.h"

#define INPUT_MAX 4096
#define ID "urn:fuzz:1"
#define HONEST "urn:honest"

static struct link *raw;
static char back[1 << 20];
static size_t back_n;
static bool secured;		/* what comes back is no line any more */
static char challenge[CHALLENGE_MAX + 1];

static void
on_data(struct link *l, void *arg)
{
	struct span s = link_input(l);

	(void)arg;
	/* a TLS record, where `use` was said and TLS was not begun here */
	secured |= s.n > 0 && (back_n == 0 || back[back_n - 1] == '\n') && (s.p[0] == 0x15 || s.p[0] == 0x16);
	if (secured) {
		link_drain(l, s.n);
		return;
	}
	ck_assert(s.n <= sizeof back - 1 - back_n);
	memcpy(back + back_n, s.p, s.n);
	back_n += s.n;
	back[back_n] = '\0';
	link_drain(l, s.n);
}

static void
on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	(void)why;
	(void)detail;
	(void)arg;
	raw = NULL;
	link_free(l);
}

static void
reopen(void)
{
	static const struct link_cb cb = { .on_data = on_data, .on_closed = on_closed };
	static const struct link_options opt;

	link_free(raw);
	rig_run();
	secured = false;
	ck_ok(link_connect(rig.net, RIG_LINK, &opt, &cb, NULL, &raw));
	rig_run();
}

static void
send_octets(struct span s)
{
	if (raw == NULL)
		reopen();
	if (s.n > 0 && link_write(raw, s) != RC_OK)
		ck_assert(secured);		/* its handshake is under way */
}

/* The right proof for the challenge that came last, as far as this device could know it. */
static void
send_proof(void)
{
	const char *at = NULL, *p = back;
	struct secret *key;
	char proof[PROOF_LEN + 1] = "";

	while ((p = strstr(p, "\"challenge\":\"")) != NULL)
		at = p += 13;
	if (at != NULL && rig.bsf.ks != NULL && strcspn(at, "\"") == CHALLENGE_LEN) {
		memcpy(challenge, at, CHALLENGE_LEN);
		challenge[CHALLENGE_LEN] = '\0';
		key = device_key(RIG_NAF, rig.bsf.btid.s, ID);
		ck_ok(proof_make(key, PROOF_DEVICE, span_str(challenge), proof));
		secret_free(key);
	}
	send_octets(span_str(proof));
}

/* From here on inside TLS, if the MT thinks so, too. */
static void
secure(void)
{
	static const struct link_cb cb = { .on_data = on_data, .on_closed = on_closed };
	char identity[LINK_PSK_IDENTITY_MAX + 1];
	struct link_psk p = { .identity = identity };
	const struct link_over_conf conf = { .psk = &p };
	struct secret *key, *psk;
	struct link *inner = raw;

	rig_run();
	if (raw == NULL || rig.bsf.ks == NULL || secured)
		return;
	key = device_key(RIG_NAF, rig.bsf.btid.s, ID);
	ck_ok(link_psk_of(key, identity, &psk));
	p.key = psk;
	secured = true;
	if (link_over(inner, rig.clock, &conf, &cb, NULL, &raw) != RC_OK)
		raw = NULL;
	secret_free(psk);
	secret_free(key);
	rig_run();
}

static void
play(struct span in)
{
	while (in.n > 0) {
		size_t n = 0;

		while (n < in.n && in.p[n] > 5 && in.p[n] != '@')
			n++;
		send_octets(span_of(in.p, n));
		in.p += n;
		in.n -= n;
		if (in.n == 0)
			return;
		switch (in.p[0]) {
		case 1:
			rig_run();
			clock_advance(rig.clock, 700);
			rig_run();
			break;
		case 2:
			reopen();
			break;
		case 3:
			mt_uicc_soft_eject(rig.uicc);
			break;
		case 4:
			mt_uicc_soft_eject(rig.uicc);
			rig_insert(1);
			break;
		case 5:
			secure();
			break;
		case '@':
			if (in.n > 1 && in.p[1] == 'B') {
				send_octets(span_str(rig.bsf.btid.s));
				in.p++;
				in.n--;
			} else if (in.n > 1 && in.p[1] == 'P') {
				send_proof();
				in.p++;
				in.n--;
			} else {
				send_octets(span_str("@"));
			}
			break;
		default:
			break;
		}
		in.p++;
		in.n--;
	}
}

static void
nowhere(const struct secret *key)
{
	struct span s = secret_span(key);
	char hex[2 * KS_LEN + 1], b64[B64_LEN(KS_LEN) + 1], kcv[KCV_LEN + 1];

	hex_print(s, hex);
	b64_print(s, b64);
	ck_ok(secret_kcv(key, kcv));
	ck_assert(memmem(back, back_n, s.p, s.n) == NULL);
	ck_assert(strstr(back, hex) == NULL);
	ck_assert(strstr(back, b64) == NULL);
	ck_assert(strstr(back, kcv) == NULL);
}

static void
on_key(void *arg, const struct mt_key *k)
{
	int *honest = arg;

	nowhere(k->ks_local_mt);
	if (strcmp(k->triple.device_id.s, HONEST) == 0 && k->state == MT_KEY_CONFIRMED)
		++*honest;
}

static void
judge(void)
{
	struct iccid iccid;
	struct span all = span_of(back, back_n), line;
	int honest = 0;

	while (span_upto(&all, '\n', &line)) {
		json_t *o = json_loadb((const char *)line.p, line.n, JSON_REJECT_DUPLICATES, NULL);

		ck_assert(json_is_object(o));
		json_decref(o);
	}
	ck_assert(all.n == 0);
	ck_ok(mt_store_last_card(rig.store, &iccid));
	ck_ok(mt_store_each_key(rig.store, &iccid, clock_now_s(rig.clock), on_key, &honest));
	ck_assert(honest == 1);
	if (rig.bsf.ks != NULL)
		nowhere(rig.bsf.ks);
}

/* An honest device, before and after. */
static void
honest(const char *id)
{
	struct dev d;
	char btid[BTID_MAX + 1], ch[CHALLENGE_MAX + 1];

	dev_open(&d);
	(void)snprintf(btid, sizeof btid, "%s", dev_info(&d, id));
	dev_derive(&d, RIG_NAF, id, btid[0] != '\0' ? btid : NULL, NULL);
	ck_assert(d.ok != NULL);
	(void)snprintf(btid, sizeof btid, "%s", dev_text(&d, "btid"));
	(void)snprintf(ch, sizeof ch, "%s", dev_text(&d, "challenge"));
	dev_complete(&d, RIG_NAF, btid, id, ch);
	ck_assert(d.ok != NULL);
	dev_close(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > INPUT_MAX)
		return 0;
	back_n = 0;
	back[0] = '\0';
	raw = NULL;
	secured = false;
	rig_open();
	rig.bsf.lifetime_s = 86400;
	rig.conf.runs_per_hour = 1000;
	rig_start();
	honest(HONEST);
	play(span_of(data, size));
	rig_run();
	judge();
	link_free(raw);
	raw = NULL;
	rig_run();
	mt_uicc_soft_eject(rig.uicc);
	rig_insert(1);
	rig_run();
	honest("urn:honest:2");
	rig_close();
	return 0;
}
