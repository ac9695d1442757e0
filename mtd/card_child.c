#include "mtd/card_child.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/daemon.h"
#include "common/log.h"
#include "common/rnd.h"
#include "mtd/apdu.h"
#include "mtd/card.h"

bool
mt_card_child_is(int argc, char **argv)
{
	return (argc == 3 || argc == 4) && strcmp(argv[1], MT_CARD_CHILD_ARG) == 0;
}

/* --- what it gives up */

/* mtd was started as root and will be this user. */
static bool
become(const char *user)
{
	const struct passwd *pw;

	if (user == NULL || geteuid() != 0)
		return true;
	if ((pw = getpwnam(user)) == NULL || initgroups(user, pw->pw_gid) != 0 || setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0 ||
	    setuid(0) == 0) {
		log_error("card: cannot become %s", user);
		return false;
	}
	return true;
}

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif
#define CALL(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (name), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

/* No new socket, no other program, no look into other processes. */
static bool
confine(void)
{
#ifdef OUR_ARCH
	static struct sock_filter calls[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef __x86_64__
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),	/* x32's numbers */
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		CALL(SYS_fork), CALL(SYS_vfork),
#endif
		CALL(SYS_socket), CALL(SYS_connect), CALL(SYS_bind), CALL(SYS_listen), CALL(SYS_accept), CALL(SYS_accept4),
		CALL(SYS_clone), CALL(SYS_clone3), CALL(SYS_execve), CALL(SYS_execveat), CALL(SYS_ptrace),
		CALL(SYS_process_vm_readv), CALL(SYS_process_vm_writev),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
	};
	const struct sock_fprog filter = { sizeof calls / sizeof calls[0], calls };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0)
		return true;
	log_error("card: cannot be confined: %s", strerror(errno));
	return false;
#else
	log_warn("card: this machine's system calls are not filtered");
	return true;
#endif
}

/* --- the card */

static enum rc
start(const char *path, const char *user, struct mt_card **out, struct iccid *iccid)
{
	enum rc rc;

	if ((rc = mt_card_open(path, rnd_system(), out, iccid)) != RC_OK)
		return rc;
	/* the journal's socket is opened by a process's first line, and confined it opens none */
	log_info("card: %s is read, by process %ld", path, (long)getpid());
	/* after the change of user, which undoes it */
	if (!become(user) || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || !confine())
		return RC_DENIED;
	/* root could read the image; it is this user who must keep the counters, or the first run would fail */
	if ((rc = mt_card_try_save(*out)) != RC_OK)
		log_error("card: %s.state cannot be written by %s (uid %ld): chown it and its directory to that user, or move the image to a "
		    "directory that is its own, and read the line above", path, user != NULL ? user : "mtd's user", (long)geteuid());
	return rc;
}

static bool
say(const void *p, size_t n)
{
	return send(MT_CARD_CHILD_FD, p, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* Until mtd is gone, or has taken the card out. */
static void
answer_all(struct mt_card *card)
{
	uint8_t cmd[MT_APDU_MAX], out[MT_CARD_ANSWER_MAX];

	for (;;) {
		ssize_t got = recv(MT_CARD_CHILD_FD, cmd, sizeof cmd, 0);
		size_t n;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		n = mt_card_apdu(card, span_of(cmd, (size_t)got), out);
		explicit_bzero(cmd, sizeof cmd);		/* may have held the PIN */
		if (!say(out, n))
			return;
		explicit_bzero(out, sizeof out);
	}
}

void
mt_card_child_main(int argc, char **argv)
{
	uint8_t first[1 + sizeof(struct iccid)];
	struct iccid iccid = { "" };
	struct mt_card *card = NULL;
	enum rc rc;

	log_open("mtd-card", LOG_LEVEL_INFO);
	daemon_harden();
	/* a signal to all of mtd's processes is for mtd: it may want to end a run with this card */
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)close_range(MT_CARD_CHILD_FD + 1, ~0u, 0);
	rc = start(argv[2], argc == 4 ? argv[3] : NULL, &card, &iccid);
	first[0] = (uint8_t)rc;
	memcpy(first + 1, iccid.s, strlen(iccid.s));
	if (say(first, 1 + strlen(iccid.s)) && rc == RC_OK)
		answer_all(card);
	mt_card_free(card);
	_exit(rc == RC_OK ? 0 : 1);		/* a sanitizer's last look would need calls that are given up */
}
