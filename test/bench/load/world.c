#include "test/bench/load/load.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/hex.h"

#define IN_FLIGHT 64		/* subscriber-add: as many as a control socket lets wait */

/* Made of a number, so that each run of the same count has the same subscribers. */
static struct secret *
made_key(const char *what, size_t i)
{
	char text[64];
	uint8_t sum[SHA256_DIGEST_LENGTH];
	struct secret *s;
	int n = snprintf(text, sizeof text, "load %s %zu", what, i);

	SHA256((const uint8_t *)text, (size_t)n, sum);
	if (secret_from(span_of(sum, 16), &s) != RC_OK)
		die("out of memory");
	return s;
}

void
world_subscribers(struct world *w, size_t n)
{
	w->subs = calloc(n + 1, sizeof *w->subs);
	if (w->subs == NULL)
		die("out of memory");
	w->n_subs = n;
	for (size_t i = 0; i < n; i++) {
		struct subscriber *s = &w->subs[i];

		(void)snprintf(s->imsi, sizeof s->imsi, "00101%010zu", (size_t)9000000000 + i);
		(void)snprintf(s->impi, sizeof s->impi, "%s@ims.mnc001.mcc001.3gppnetwork.org", s->imsi);
		s->k = made_key("k", i);
		s->opc = made_key("opc", i);
	}
}

/* --- certificates */

static EVP_PKEY *
read_key(const char *path)
{
	FILE *f = fopen(path, "re");
	EVP_PKEY *k = f != NULL ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;

	if (k == NULL)
		die("cannot read %s", path);
	fclose(f);
	return k;
}

static X509 *
read_cert(const char *path)
{
	FILE *f = fopen(path, "re");
	X509 *c = f != NULL ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;

	if (c == NULL)
		die("cannot read %s", path);
	fclose(f);
	return c;
}

static void
add_extension(X509 *c, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	if (e == NULL || X509_add_ext(c, e, -1) != 1)
		die("no certificate extension");
	X509_EXTENSION_free(e);
}

static void
make_identity(struct identity *who, size_t i, X509 *ca, EVP_PKEY *ca_key)
{
	X509_NAME *name = X509_NAME_new();
	char cn[64];

	who->key = EVP_EC_gen("P-256");
	who->cert = X509_new();
	if (who->key == NULL || who->cert == NULL || name == NULL)
		die("out of memory");
	(void)snprintf(cn, sizeof cn, "load device %zu", i);
	if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)cn, -1, -1, 0) != 1 ||
	    X509_set_version(who->cert, X509_VERSION_3) != 1 ||
	    ASN1_INTEGER_set_uint64(X509_get_serialNumber(who->cert), 1000000 + i) != 1 ||
	    X509_set_subject_name(who->cert, name) != 1 || X509_set_issuer_name(who->cert, X509_get_subject_name(ca)) != 1 ||
	    X509_gmtime_adj(X509_getm_notBefore(who->cert), -3600) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(who->cert), 30 * 86400) == NULL || X509_set_pubkey(who->cert, who->key) != 1)
		die("no certificate");
	add_extension(who->cert, NID_basic_constraints, "critical,CA:FALSE");
	add_extension(who->cert, NID_key_usage, "critical,digitalSignature");
	add_extension(who->cert, NID_ext_key_usage, "clientAuth");
	if (X509_sign(who->cert, ca_key, EVP_sha256()) == 0)
		die("the CA's key does not sign");
	X509_NAME_free(name);
}

void
world_devices(struct world *w, size_t n, const char *ca_file, const char *ca_key_file)
{
	X509 *ca = read_cert(ca_file);
	EVP_PKEY *ca_key = read_key(ca_key_file);

	w->devs = calloc(n + 1, sizeof *w->devs);
	if (w->devs == NULL)
		die("out of memory");
	w->n_devs = n;
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(w->devs[i].id, sizeof w->devs[i].id, "load-%d-%zu", (int)getpid(), i);
		make_identity(&w->devs[i].who, i, ca, ca_key);
	}
	X509_free(ca);
	EVP_PKEY_free(ca_key);
}

/* --- provisioning */

static void
control_open(const char *address, FILE **out, FILE **in)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strncmp(address, "unix:", 5) == 0)
		address += 5;
	(void)snprintf(un.sun_path, sizeof un.sun_path, "%s", address);
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof un) != 0)
		die("%s: cannot connect", address);
	*out = fdopen(fd, "w");
	*in = fdopen(dup(fd), "r");
	if (*out == NULL || *in == NULL)
		die("out of memory");
}

static void
hex_of(const struct secret *s, char out[static 33])
{
	hex_print(secret_span(s), out);
}

static void
read_answer(FILE *f)
{
	char line[4096];

	if (fgets(line, sizeof line, f) == NULL)
		die("bsfd ended the control connection");
	if (strstr(line, "\"ok\"") == NULL && strstr(line, "exist") == NULL)
		die("bsfd: %s", line);
}

void
world_provision(const struct world *w, const char *control)
{
	FILE *out, *in;
	char k[33], opc[33];
	size_t asked = 0, answered = 0;

	control_open(control, &out, &in);
	while (answered < w->n_subs) {
		while (asked < w->n_subs && asked - answered < IN_FLIGHT) {
			const struct subscriber *s = &w->subs[asked];

			hex_of(s->k, k);
			hex_of(s->opc, opc);
			fprintf(out, "{\"id\":%zu,\"op\":\"subscriber-add\",\"subscriber\":{\"imsi\":\"%s\",\"impi\":\"%s\",\"k\":\"%s\",\"opc\":\"%s\","
			    "\"amf\":\"8000\"}}\n", ++asked, s->imsi, s->impi, k, opc);
		}
		fflush(out);
		read_answer(in);
		answered++;
	}
	fclose(out);
	fclose(in);
}

void
world_free(struct world *w)
{
	for (size_t i = 0; i < w->n_subs; i++) {
		secret_free(w->subs[i].k);
		secret_free(w->subs[i].opc);
	}
	for (size_t i = 0; i < w->n_devs; i++) {
		X509_free(w->devs[i].who.cert);
		EVP_PKEY_free(w->devs[i].who.key);
		SSL_SESSION_free(w->devs[i].who.session);
	}
	free(w->subs);
	free(w->devs);
}
