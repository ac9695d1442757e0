#include "test/conform/fd_common.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
fd_die(const char *what)
{
	fprintf(stderr, "freeDiameter: %s failed\n", what);
	_exit(3);
}

void
fd_args(int argc, char **argv, struct fd_args *out)
{
	const struct {
		const char *name;
		const char **value;
	} words[] = {
		{ "host", &out->host }, { "realm", &out->realm }, { "peer", &out->peer }, { "peer_realm", &out->peer_realm },
		{ "address", &out->address }, { "port", &out->port }, { "tls", &out->tls }, { "cert", &out->cert }, { "key", &out->key },
		{ "ca", &out->ca }, { "btid", &out->btid }, { "fqdn", &out->fqdn }, { "protocol", &out->protocol }, { "gsid", &out->gsid },
		{ "keys", &out->keys }, { "count", &out->count },
	};
	size_t k, n;

	memset(out, 0, sizeof *out);
	for (int i = 1; i < argc; i++) {
		n = strcspn(argv[i], "=");
		for (k = 0; k < sizeof words / sizeof *words; k++)
			if (argv[i][n] == '=' && strlen(words[k].name) == n && strncmp(words[k].name, argv[i], n) == 0)
				break;
		if (k == sizeof words / sizeof *words) {
			fprintf(stderr, "%s: unknown word: %s\n", argv[0], argv[i]);
			exit(2);
		}
		*words[k].value = argv[i] + n + 1;
	}
	if (out->host == NULL || out->realm == NULL || out->port == NULL || out->cert == NULL || out->key == NULL || out->ca == NULL) {
		fprintf(stderr, "usage: %s host= realm= port= cert= key= ca= [peer= peer_realm= address=] [tls=yes]…\n", argv[0]);
		exit(2);
	}
}

/* --- configuration: a file, since that is all libfdcore reads */

static void
write_conf(FILE *f, const struct fd_args *a)
{
	bool tls = a->tls != NULL && strcmp(a->tls, "yes") == 0, listens = a->address == NULL;

	fprintf(f, "Identity = \"%s\";\nRealm = \"%s\";\n", a->host, a->realm);
	fprintf(f, "Port = %s;\nSecPort = %s;\n", listens && !tls ? a->port : "0", listens && tls ? a->port : "0");
	fprintf(f, "No_SCTP;\nNo_IPv6;\nTcTimer = 2;\nTwTimer = 6;\nNoRelay;\n");
	fprintf(f, "TLS_Cred = \"%s\", \"%s\";\nTLS_CA = \"%s\";\n", a->cert, a->key, a->ca);
	if (!listens)
		fprintf(f, "ConnectPeer = \"%s\" { ConnectTo = \"%s\"; Port = %s; Realm = \"%s\"; No_SCTP; %s};\n", a->peer, a->address, a->port,
		    a->peer_realm, tls ? "" : "No_TLS; ");
	if (ferror(f) || fclose(f) != 0)
		fd_die("writing its configuration");
}

/* It would listen on every interface: give it the loopback alone. */
static void
loopback_only(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	FD(fd_ep_add_merge(&fd_g_config->cnf_endpoints, (sSA *)&sin, sizeof sin, EP_FL_CONF | EP_ACCEPTALL));
}

/* Whoever connects is let in: which peers there are is not what it judges here. */
static int
welcome(struct peer_info *info, int *auth, int (**cb2)(struct peer_info *))
{
	(void)cb2;
	info->config.pic_flags.sec = info->runtime.pir_cert_list != NULL ? PI_SEC_DEFAULT : PI_SEC_NONE;
	*auth = 1;
	return 0;
}

/* --- the dictionary of Zn: nobody ships one */

static struct dict_object *
search(enum dict_object_type type, int how, const void *what)
{
	struct dict_object *o = NULL;

	FD(fd_dict_search(fd_g_config->cnf_dict, type, how, what, &o, ENOENT));
	return o;
}

static struct dict_object *
new_avp(uint32_t code, const char *name, enum dict_avp_basetype type)
{
	struct dict_avp_data d = { .avp_code = code, .avp_vendor = ZN_VENDOR, .avp_basetype = type,
		.avp_flag_mask = AVP_FLAG_VENDOR | AVP_FLAG_MANDATORY, .avp_flag_val = AVP_FLAG_VENDOR | AVP_FLAG_MANDATORY };
	char copy[64];
	struct dict_object *o = NULL;

	snprintf(copy, sizeof copy, "%s", name);
	d.avp_name = copy;
	FD(fd_dict_new(fd_g_config->cnf_dict, DICT_AVP, &d, NULL, &o));
	return o;
}

static struct dict_object *
new_command(struct dict_object *app, const char *name, uint8_t flags)
{
	char copy[64];
	struct dict_cmd_data d = { .cmd_code = 310, .cmd_name = copy, .cmd_flag_mask = CMD_FLAG_REQUEST | CMD_FLAG_PROXIABLE, .cmd_flag_val = flags };
	struct dict_object *o = NULL;

	snprintf(copy, sizeof copy, "%s", name);
	FD(fd_dict_new(fd_g_config->cnf_dict, DICT_COMMAND, &d, app, &o));
	return o;
}

/* A row of the command's table: required or not, once. */
static void
new_rule(struct dict_object *command, struct dict_object *avp, enum rule_position where, int min, int max)
{
	struct dict_rule_data d = { .rule_avp = avp, .rule_position = where, .rule_order = where == RULE_FIXED_HEAD, .rule_min = min, .rule_max = max };

	FD(fd_dict_new(fd_g_config->cnf_dict, DICT_RULE, &d, command, NULL));
}

static void
make_dictionary(struct fd_zn *zn)
{
	char vendor_name[] = "3GPP", app_name[] = "3GPP Zn";
	struct dict_vendor_data vendor = { ZN_VENDOR, vendor_name };
	struct dict_application_data app = { ZN_APP, app_name };
	struct dict_object *vendor_object = NULL;

	FD(fd_dict_new(fd_g_config->cnf_dict, DICT_VENDOR, &vendor, NULL, &vendor_object));
	FD(fd_dict_new(fd_g_config->cnf_dict, DICT_APPLICATION, &app, vendor_object, &zn->app));
	zn->btid = new_avp(401, "Transaction-Identifier", AVP_TYPE_OCTETSTRING);
	zn->naf_id = new_avp(402, "NAF-Id", AVP_TYPE_OCTETSTRING);
	zn->gsid = new_avp(403, "GAA-Service-Identifier", AVP_TYPE_OCTETSTRING);
	zn->expiry = new_avp(404, "Key-ExpiryTime", AVP_TYPE_OCTETSTRING);
	zn->me_key = new_avp(405, "ME-Key-Material", AVP_TYPE_OCTETSTRING);
	(void)new_avp(406, "UICC-Key-Material", AVP_TYPE_OCTETSTRING);
	(void)new_avp(407, "GBA-U-Awareness-Indicator", AVP_TYPE_UNSIGNED32);
	zn->created = new_avp(408, "BootstrapInfoCreationTime", AVP_TYPE_OCTETSTRING);
	zn->gba_type = new_avp(410, "GBA-Type", AVP_TYPE_UNSIGNED32);
	(void)new_avp(400, "GBA-UserSecSettings", AVP_TYPE_OCTETSTRING);
	zn->vsai = search(DICT_AVP, AVP_BY_NAME, "Vendor-Specific-Application-Id");
	zn->vendor_id = search(DICT_AVP, AVP_BY_NAME, "Vendor-Id");
	zn->auth_app = search(DICT_AVP, AVP_BY_NAME, "Auth-Application-Id");
	zn->dest_realm = search(DICT_AVP, AVP_BY_NAME, "Destination-Realm");
	zn->dest_host = search(DICT_AVP, AVP_BY_NAME, "Destination-Host");
	zn->session_id = search(DICT_AVP, AVP_BY_NAME, "Session-Id");
	zn->result = search(DICT_AVP, AVP_BY_NAME, "Result-Code");
	zn->experimental = search(DICT_AVP, AVP_BY_NAME, "Experimental-Result");
	zn->experimental_code = search(DICT_AVP, AVP_BY_NAME, "Experimental-Result-Code");
	zn->user_name = search(DICT_AVP, AVP_BY_NAME, "User-Name");
	zn->bir = new_command(zn->app, "Bootstrapping-Info-Request", CMD_FLAG_REQUEST | CMD_FLAG_PROXIABLE);
	zn->bia = new_command(zn->app, "Bootstrapping-Info-Answer", CMD_FLAG_PROXIABLE);
	for (int i = 0; i < 2; i++) {		/* TS 29.109 5.2 */
		struct dict_object *c = i == 0 ? zn->bir : zn->bia;

		new_rule(c, zn->session_id, RULE_FIXED_HEAD, 1, 1);
		new_rule(c, zn->vsai, RULE_REQUIRED, 1, 1);
		new_rule(c, search(DICT_AVP, AVP_BY_NAME, "Origin-Host"), RULE_REQUIRED, 1, 1);
		new_rule(c, search(DICT_AVP, AVP_BY_NAME, "Origin-Realm"), RULE_REQUIRED, 1, 1);
	}
	new_rule(zn->bir, zn->dest_realm, RULE_REQUIRED, 1, 1);
	new_rule(zn->bir, zn->btid, RULE_REQUIRED, 1, 1);
	new_rule(zn->bir, zn->naf_id, RULE_REQUIRED, 1, 1);
	FD(fd_disp_app_support(zn->app, vendor_object, 1, 0));
}

/* --- start and end */

void
fd_up(const struct fd_args *a, struct fd_zn *zn)
{
	char path[] = "/tmp/kslocal-fd-XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (f == NULL)
		fd_die("making its configuration");
	write_conf(f, a);
	fd_g_debug_lvl = FD_LOG_ERROR;		/* standard output is for what a program has to say */
	FD(fd_core_initialize());
	FD(fd_core_parseconf(path));
	unlink(path);
	loopback_only();
	make_dictionary(zn);
	if (a->address == NULL)
		FD(fd_peer_validate_register(welcome));
	FD(fd_core_start());
	FD(fd_core_waitstartcomplete());
}

void
fd_down(int status)
{
	fflush(stdout);
	/* its shutdown takes up to 16 s; the sockets' end tells the peer as well */
	_exit(status);
}

/* --- messages */

static void
add(void *parent, struct dict_object *model, union avp_value *v)
{
	struct avp *a = NULL;

	FD(fd_msg_avp_new(model, 0, &a));
	if (v != NULL)
		FD(fd_msg_avp_setvalue(a, v));
	FD(fd_msg_avp_add(parent, MSG_BRW_LAST_CHILD, a));
}

void
fd_put(void *parent, struct dict_object *model, const void *p, size_t n)
{
	union avp_value v = { .os = { .data = (uint8_t *)(uintptr_t)p, .len = n } };

	add(parent, model, &v);
}

void
fd_put_u32(void *parent, struct dict_object *model, uint32_t u)
{
	union avp_value v = { .u32 = u };

	add(parent, model, &v);
}

void
fd_put_application(struct msg *m, const struct fd_zn *zn)
{
	struct avp *group = NULL;

	FD(fd_msg_avp_new(zn->vsai, 0, &group));
	fd_put_u32(group, zn->vendor_id, ZN_VENDOR);
	fd_put_u32(group, zn->auth_app, ZN_APP);
	FD(fd_msg_avp_add(m, MSG_BRW_LAST_CHILD, group));
}

union avp_value *
fd_find(struct msg *m, struct dict_object *model)
{
	struct avp *a = NULL;
	struct avp_hdr *h = NULL;

	if (fd_msg_search_avp(m, model, &a) != 0 || a == NULL || fd_msg_avp_hdr(a, &h) != 0)
		return NULL;
	return h->avp_value;
}
