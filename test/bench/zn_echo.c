/*
 * zn_echo: the least that a BSF on libfdcore can do: it answers each BIR with one and the same key, looks nothing up, keeps
 * nothing, says nothing. Listens on 127.0.0.1 port=, prints "ready", ends when its standard input does. What bsfd's Zn is
 * measured against.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "test/conform/fd_common.h"

static struct fd_zn zn;

static void
put_time(struct msg *m, struct dict_object *model, uint32_t t)
{
	uint32_t ntp = t + 2208988800U;
	const uint8_t octets[4] = { (uint8_t)(ntp >> 24), (uint8_t)(ntp >> 16), (uint8_t)(ntp >> 8), (uint8_t)ntp };

	fd_put(m, model, octets, sizeof octets);
}

static int
on_bir(struct msg **m, struct avp *avp, struct session *session, void *data, enum disp_action *act)
{
	static const uint8_t key[32] = { 1 };
	uint32_t now = (uint32_t)time(NULL);

	(void)avp, (void)session, (void)data, (void)act;
	FD(fd_msg_new_answer_from_req(fd_g_config->cnf_dict, m, 0));
	fd_put_application(*m, &zn);
	FD(fd_msg_rescode_set(*m, (char *)(uintptr_t)"DIAMETER_SUCCESS", NULL, NULL, 1));
	fd_put(*m, zn.me_key, key, sizeof key);
	put_time(*m, zn.expiry, now + 3600);
	put_time(*m, zn.created, now);
	fd_put_u32(*m, zn.gba_type, 0);
	FD(fd_msg_send(m, NULL, NULL));
	return 0;
}

int
main(int argc, char **argv)
{
	struct disp_when when;
	struct fd_args args;
	char c;

	fd_args(argc, argv, &args);
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
