/*
 * fd_common: freeDiameter's libfdcore as a test peer on Zn: its configuration, its dictionary of Zn, its start and end.
 * No code of ours beyond what libfdcore's users must write: it is the judge.
 */
#ifndef TEST_CONFORM_FD_COMMON_H
#define TEST_CONFORM_FD_COMMON_H

#include <freeDiameter/freeDiameter-host.h>
#include <freeDiameter/libfdcore.h>
#include <stdbool.h>
#include <stdint.h>

/* How it is called: NAME=VALUE words. What a program does not name stays NULL. */
struct fd_args {
	const char *host, *realm;		/* ours */
	const char *peer, *peer_realm;		/* host name of the other side; NULL = whoever connects */
	const char *address, *port;		/* where it listens; NULL = we listen at port */
	const char *tls;			/* "yes": TLS from the first octet */
	const char *cert, *key, *ca;
	const char *btid, *fqdn, *protocol, *gsid;	/* what a NAF asks */
	const char *keys;			/* file of a BSF: lines "B-TID HEX" */
	const char *count;
};

/* The objects of the dictionary that the programs use. */
struct fd_zn {
	struct dict_object *app, *bir, *bia;
	struct dict_object *vsai, *vendor_id, *auth_app, *dest_realm, *dest_host, *session_id;
	struct dict_object *result, *experimental, *experimental_code, *user_name;
	struct dict_object *btid, *naf_id, *gsid, *me_key, *expiry, *created, *gba_type;
};

#define ZN_APP 16777220
#define ZN_VENDOR 10415

/* Reads the words; a wrong one ends the program with a line on standard error. */
void fd_args(int argc, char **argv, struct fd_args *out);
/* libfdcore up to its start; ends the program when it cannot. */
void fd_up(const struct fd_args *a, struct fd_zn *zn);
/* Ends libfdcore and the program; it takes its time. */
_Noreturn void fd_down(int status);
/* An AVP with these octets, at the end of parent (a msg or an avp). */
void fd_put(void *parent, struct dict_object *model, const void *p, size_t n);
void fd_put_u32(void *parent, struct dict_object *model, uint32_t v);
/* Vendor-Specific-Application-Id of Zn. */
void fd_put_application(struct msg *m, const struct fd_zn *zn);
/* The value of the first AVP of this kind; NULL when there is none. */
union avp_value *fd_find(struct msg *m, struct dict_object *model);
_Noreturn void fd_die(const char *what);

#define FD(call) do { \
	if ((call) != 0) \
		fd_die(#call); \
} while (0)

#endif
