/*
 * fd_bsf: a BSF on libfdcore. Listens on 127.0.0.1 port=, prints "ready", and answers each BIR from the file keys=, lines
 * "B-TID HEX" (read at each request): the key, with a life of an hour; 5403 when the B-TID has no line, 5402 when its line says "no".
 * Says "asked B-TID" for each. Ends when its standard input does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "test/conform/fd_common.h"

static struct fd_zn zn;
static struct fd_args args;

/* The word beside a B-TID; false when it has no line. */
static bool
look_up(const union avp_value *btid, char word[static 128])
{
	FILE *f = fopen(args.keys, "r");
	char line[512], name[384];
	bool found = false;

	while (f != NULL && !found && fgets(line, sizeof line, f) != NULL)
		found = sscanf(line, "%383s %127s", name, word) == 2 && strlen(name) == btid->os.len && memcmp(name, btid->os.data, btid->os.len) == 0;
	if (f != NULL)
		fclose(f);
	return found;
}

static void
put_time(struct msg *m, struct dict_object *model, time_t t)
{
	uint32_t ntp = (uint32_t)((uint64_t)t + 2208988800U);
	const uint8_t octets[4] = { (uint8_t)(ntp >> 24), (uint8_t)(ntp >> 16), (uint8_t)(ntp >> 8), (uint8_t)ntp };

	fd_put(m, model, octets, sizeof octets);
}

static void
put_key(struct msg *m, const char *hex)
{
	uint8_t key[32];
	unsigned octet;

	for (size_t i = 0; i < sizeof key; i++) {
		if (sscanf(hex + 2 * i, "%2x", &octet) != 1)
			fd_die("keys=");
		key[i] = (uint8_t)octet;
	}
	fd_put(m, zn.me_key, key, sizeof key);
}

static void
put_experimental(struct msg *m, uint32_t code)
{
	struct avp *group = NULL;

	FD(fd_msg_avp_new(zn.experimental, 0, &group));
	fd_put_u32(group, zn.vendor_id, ZN_VENDOR);
	fd_put_u32(group, zn.experimental_code, code);
	FD(fd_msg_avp_add(m, MSG_BRW_LAST_CHILD, group));
}

static int
on_bir(struct msg **m, struct avp *avp, struct session *session, void *data, enum disp_action *act)
{
	union avp_value *btid = fd_find(*m, zn.btid);
	char word[128] = "";
	bool known = btid != NULL && look_up(btid, word);

	(void)avp, (void)session, (void)data, (void)act;
	printf("asked %.*s\n", btid != NULL ? (int)btid->os.len : 1, btid != NULL ? (const char *)btid->os.data : "?");
	fflush(stdout);
	FD(fd_msg_new_answer_from_req(fd_g_config->cnf_dict, m, 0));
	fd_put_application(*m, &zn);
	if (!known || strcmp(word, "no") == 0) {
		put_experimental(*m, known ? 5402 : 5403);
		FD(fd_msg_add_origin(*m, 0));
	} else {
		FD(fd_msg_rescode_set(*m, (char *)(uintptr_t)"DIAMETER_SUCCESS", NULL, NULL, 1));
		put_key(*m, word);
		put_time(*m, zn.expiry, time(NULL) + 3600);
		put_time(*m, zn.created, time(NULL));
		fd_put_u32(*m, zn.gba_type, 0);
	}
	FD(fd_msg_send(m, NULL, NULL));
	return 0;
}

int
main(int argc, char **argv)
{
	struct disp_when when;
	char c;

	fd_args(argc, argv, &args);
	if (args.keys == NULL) {
		fprintf(stderr, "fd_bsf: keys= is needed\n");
		return 2;
	}
	fd_up(&args, &zn);
	memset(&when, 0, sizeof when);
	when.app = zn.app;
	when.command = zn.bir;
	FD(fd_disp_register(on_bir, DISP_HOW_CC, &when, NULL, NULL));
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	fd_down(0);
}
