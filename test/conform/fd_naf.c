/*
 * fd_naf: a NAF on libfdcore. Connects to a BSF, asks for the key of btid= for NAF fqdn=/protocol=, count= times one after the other,
 * and prints what the last answer says as one JSON object: result, experimental, user_name, key (hex), expires, created, gba_type.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "test/conform/fd_common.h"

static struct fd_zn zn;
static struct fd_args args;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
static struct msg *answer;

static void
on_answer(void *data, struct msg **m)
{
	(void)data;
	pthread_mutex_lock(&lock);
	answer = *m;
	*m = NULL;
	pthread_cond_signal(&answered);
	pthread_mutex_unlock(&lock);
}

static void
wait_open(void)
{
	struct peer_hdr *p = NULL;
	struct timespec pause = { 0, 20000000 };

	for (int i = 0; i < 500; i++) {
		if (fd_peer_getbyid((char *)(uintptr_t)args.peer, strlen(args.peer), 0, &p) == 0 && p != NULL && fd_peer_get_state(p) == STATE_OPEN)
			return;
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "fd_naf: the peer did not come up within 10 s\n");
	fd_down(1);
}

static struct msg *
make_bir(void)
{
	uint8_t naf_id[300];
	size_t n = strlen(args.fqdn);
	struct msg *m = NULL;
	unsigned octet;

	FD(fd_msg_new(zn.bir, MSGFL_ALLOC_ETEID, &m));
	FD(fd_msg_new_session(m, NULL, 0));
	fd_put_application(m, &zn);
	FD(fd_msg_add_origin(m, 0));
	fd_put(m, zn.dest_realm, args.peer_realm, strlen(args.peer_realm));
	fd_put(m, zn.dest_host, args.peer, strlen(args.peer));
	if (args.gsid != NULL)
		fd_put(m, zn.gsid, args.gsid, strlen(args.gsid));
	fd_put(m, zn.btid, args.btid, strlen(args.btid));
	if (n > sizeof naf_id - 5)
		fd_die("fqdn=");
	memcpy(naf_id, args.fqdn, n);
	for (int i = 0; i < 5; i++, n++) {
		if (sscanf(args.protocol + 2 * i, "%2x", &octet) != 1)
			fd_die("protocol=");
		naf_id[n] = (uint8_t)octet;
	}
	fd_put(m, zn.naf_id, naf_id, n);
	return m;
}

/* Sends one and waits for its answer, 10 s at most. */
static struct msg *
ask(void)
{
	struct msg *m = make_bir(), *got;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	FD(fd_msg_send(&m, on_answer, NULL));
	pthread_mutex_lock(&lock);
	while (answer == NULL)
		if (pthread_cond_timedwait(&answered, &lock, &until) != 0)
			break;
	got = answer;
	answer = NULL;
	pthread_mutex_unlock(&lock);
	if (got == NULL) {
		fprintf(stderr, "fd_naf: no answer within 10 s\n");
		fd_down(1);
	}
	return got;
}

static uint32_t
experimental(struct msg *m)
{
	struct avp *group = NULL, *a = NULL;
	struct avp_hdr *h = NULL;

	if (fd_msg_search_avp(m, zn.experimental, &group) != 0 || group == NULL)
		return 0;
	for (fd_msg_browse(group, MSG_BRW_FIRST_CHILD, &a, NULL); a != NULL; fd_msg_browse(a, MSG_BRW_NEXT, &a, NULL))
		if (fd_msg_avp_hdr(a, &h) == 0 && h->avp_code == 298 && h->avp_value != NULL)
			return h->avp_value->u32;
	return 0;
}

static void
print_time(const char *name, struct msg *m, struct dict_object *model)
{
	union avp_value *v = fd_find(m, model);
	const uint8_t *p;

	if (v == NULL || v->os.len != 4)
		return;
	p = v->os.data;
	printf(", \"%s\": %lld", name, (long long)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]) - 2208988800LL);
}

static void
print(struct msg *m)
{
	union avp_value *v = fd_find(m, zn.result);

	printf("{\"result\": %u, \"experimental\": %u", v != NULL ? (unsigned)v->u32 : 0, (unsigned)experimental(m));
	if ((v = fd_find(m, zn.user_name)) != NULL)
		printf(", \"user_name\": \"%.*s\"", (int)v->os.len, (const char *)v->os.data);
	if ((v = fd_find(m, zn.me_key)) != NULL) {
		printf(", \"key\": \"");
		for (size_t i = 0; i < v->os.len; i++)
			printf("%02x", v->os.data[i]);
		printf("\"");
	}
	if ((v = fd_find(m, zn.gba_type)) != NULL)
		printf(", \"gba_type\": %u", (unsigned)v->u32);
	print_time("expires", m, zn.expiry);
	print_time("created", m, zn.created);
	printf("}\n");
}

int
main(int argc, char **argv)
{
	struct msg *m = NULL;
	long n;

	fd_args(argc, argv, &args);
	if (args.peer == NULL || args.peer_realm == NULL || args.address == NULL || args.btid == NULL || args.fqdn == NULL || args.protocol == NULL) {
		fprintf(stderr, "fd_naf: peer= peer_realm= address= btid= fqdn= protocol= are needed\n");
		return 2;
	}
	n = args.count != NULL ? strtol(args.count, NULL, 10) : 1;
	fd_up(&args, &zn);
	wait_open();
	for (long i = 0; i < n; i++)
		m = ask();
	print(m);
	fd_down(0);
}
