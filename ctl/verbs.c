/* verbs: what ksctl can ask, as a table. The operations are ctl.h's and the daemons'. */
#include <stddef.h>

#include "ctl/ksctl.h"

#define END { NULL, KSCTL_FLAG, NULL, false }

static const struct ksctl_param p_timeout[] = { { "--timeout", KSCTL_SECONDS, "timeout_s", false }, END };
static const struct ksctl_param p_peer[] = {
	{ "--timeout", KSCTL_SECONDS, "timeout_s", false }, { "PEER", KSCTL_TEXT, "peer", false }, END
};
static const struct ksctl_param p_trace[] = {
	{ "--follow", KSCTL_FLAG, NULL, false }, { "--since", KSCTL_NUMBER, "since", false }, { "--run", KSCTL_TEXT, "run", false },
	{ "--btid", KSCTL_TEXT, "btid", false }, END
};
static const struct ksctl_param p_level[] = { { "LEVEL", KSCTL_TEXT, "level", false }, END };
static const struct ksctl_param p_forward[] = { { "+SECONDS", KSCTL_SIGNED, "seconds", true }, END };
static const struct ksctl_param p_step[] = { { "+-SECONDS", KSCTL_SIGNED, "seconds", true }, END };
static const struct ksctl_param p_subscriber[] = { { "FILE|-", KSCTL_FILE, "subscriber", true }, END };
static const struct ksctl_param p_impi[] = { { "IMPI", KSCTL_TEXT, "impi", true }, END };
static const struct ksctl_param p_naf[] = { { "FILE|-", KSCTL_FILE, "naf", true }, END };
static const struct ksctl_param p_fqdn[] = { { "FQDN", KSCTL_TEXT, "fqdn", true }, END };
static const struct ksctl_param p_device[] = { { "DEVICE_ID", KSCTL_TEXT, "device_id", true }, END };
static const struct ksctl_param p_allow[] = {
	{ "DEVICE_ID", KSCTL_TEXT, "device_id", true }, { "--lifetime-max", KSCTL_LIFETIME, "lifetime_max", false }, END
};
static const struct ksctl_param p_all[] = { { "--all", KSCTL_FLAG, "all", false }, END };
static const struct ksctl_param p_block[] = {
	{ "DEVICE_ID", KSCTL_TEXT, "device_id", false }, { "--spki", KSCTL_TEXT, "spki", false }, { "--issuer", KSCTL_TEXT, "issuer", false }, END
};
static const struct ksctl_param p_triple[] = {
	{ "--btid", KSCTL_TEXT, "btid", true }, { "--device", KSCTL_TEXT, "device_id", true }, { "--naf", KSCTL_TEXT, "naf_id", false }, END
};
static const struct ksctl_param p_key_limit[] = {
	{ "--btid", KSCTL_TEXT, "btid", true }, { "--device", KSCTL_TEXT, "device_id", true }, { "--naf", KSCTL_TEXT, "naf_id", false },
	{ "--expires", KSCTL_TEXT, "expires", true }, END
};
static const struct ksctl_param p_device_limit[] = {
	{ "DEVICE_ID", KSCTL_TEXT, "device_id", true }, { "--expires", KSCTL_TEXT, "expires", true }, END
};
static const struct ksctl_param p_audit[] = { { "--limit", KSCTL_NUMBER, "limit", false }, END };
static const struct ksctl_param p_establish[] = {
	{ "--force", KSCTL_FLAG, "force", false }, { "--new", KSCTL_FLAG, "new", false }, { "--mt", KSCTL_TEXT, "mt", false },
	{ "--naf", KSCTL_TEXT, "naf", false }, END
};
static const struct ksctl_param p_forget[] = {
	{ "--all", KSCTL_FLAG, "all", false }, { "--mt", KSCTL_TEXT, "mt", false }, { "--btid", KSCTL_TEXT, "btid", false },
	{ "--naf", KSCTL_TEXT, "naf_id", false }, { "--device", KSCTL_TEXT, "device_id", false }, END
};
static const struct ksctl_param p_forget_mt[] = {
	{ "--all", KSCTL_FLAG, "all", false }, { "--btid", KSCTL_TEXT, "btid", false }, { "--naf", KSCTL_TEXT, "naf_id", false },
	{ "--device", KSCTL_TEXT, "device_id", false }, END
};
static const struct ksctl_param p_wait_key[] = {
	{ "--timeout", KSCTL_SECONDS, "timeout_s", false }, { "--mt", KSCTL_TEXT, "mt", false }, END
};
static const struct ksctl_param p_mt[] = { { "--mt", KSCTL_TEXT, "mt", false }, END };
static const struct ksctl_param p_mt_id[] = { { "MT_ID", KSCTL_TEXT, "mt_id", true }, END };
/* Behind the first two, what key_derive.c takes out again. */
#define KEY_TARGET \
	{ "--app", KSCTL_TEXT, "app", true }, { "--format", KSCTL_TEXT, "format", false }, { "--identity", KSCTL_TEXT, "identity", false }, \
	{ "--out", KSCTL_TEXT, "out", false }, { "--fd", KSCTL_NUMBER, "fd", false }
static const struct ksctl_param p_derive_mt[] = { { "--device", KSCTL_TEXT, "device_id", true }, KEY_TARGET, END };
static const struct ksctl_param p_derive_device[] = { { "--mt", KSCTL_TEXT, "mt", false }, KEY_TARGET, END };
static const struct ksctl_param p_app[] = { { "--app", KSCTL_TEXT, "app", false }, END };
static const struct ksctl_param p_image[] = { { "IMAGE", KSCTL_PATH, "image", true }, END };
static const struct ksctl_param p_ladder[] = { { "--run", KSCTL_TEXT, "run", false }, END };

#define BSFD KSCTL_IS(KSCTL_BSFD)
#define NAFKCD KSCTL_IS(KSCTL_NAFKCD)
#define MTD KSCTL_IS(KSCTL_MTD)
#define EXTDEVD KSCTL_IS(KSCTL_EXTDEVD)

const struct ksctl_verb ksctl_verbs[] = {
	{ EXTDEVD, "establish", "establish", p_establish, KSCTL_SHOW_MEMBERS, NULL, 60, false,
	    "get a key; a valid one is kept unless --force (fetch again) or --new (bootstrap anew)" },
	{ EXTDEVD, "use", "use", p_mt, KSCTL_SHOW_MEMBERS, NULL, 60, false,
	    "a tunnel on the key with an MT; a new key first where the MT does not share it" },
	{ EXTDEVD, "tunnel list", "tunnel-list", NULL, KSCTL_SHOW_TABLE, "tunnels", 0, false, "tunnels that are up, their keys and streams" },
	{ EXTDEVD, "key list", "key-list", NULL, KSCTL_SHOW_TABLE, "keys", 0, false, "keys by their check values" },
	{ EXTDEVD, "key forget", "key-forget", p_forget, KSCTL_SHOW_DONE, NULL, 0, false, "delete keys here: all, or those that fit" },
	{ EXTDEVD, "key check", "key-check", p_mt, KSCTL_SHOW_CHECK, "keys", 20, false,
	    "ask the Key Center now whether the keys are still good" },
	{ EXTDEVD, "key derive", "key-derive", p_derive_device, KSCTL_SHOW_KEY, NULL, 20, false,
	    "an application's key, to a new file or a descriptor; the MT gets the same" },
	{ EXTDEVD, "mt list", "mt-list", NULL, KSCTL_SHOW_TABLE, "mts", 0, false, "the MTs, and what tells their SIMs apart" },
	{ EXTDEVD, "mt accept", "mt-accept", p_mt_id, KSCTL_SHOW_DONE, NULL, 0, false, "take the next SIM in this MT" },
	{ EXTDEVD, "wait key", "wait-key", p_wait_key, KSCTL_SHOW_DONE, NULL, 0, true, "wait for a valid key" },

	{ MTD, "bootstrap", "bootstrap", p_app, KSCTL_SHOW_MEMBERS, NULL, 60, false,
	    "run GBA bootstrapping with the BSF now, by the card's usim (default) or isim" },
	{ MTD, "key list", "key-list", NULL, KSCTL_SHOW_TABLE, "keys", 0, false, "keys of the card that is in" },
	{ MTD, "key forget", "key-forget", p_forget_mt, KSCTL_SHOW_DONE, NULL, 0, false, "delete keys here: all, or those that fit" },
	{ MTD, "key derive", "key-derive", p_derive_mt, KSCTL_SHOW_KEY, NULL, 20, false,
	    "an application's key, to a new file or a descriptor; the device gets the same" },
	{ MTD, "key check", "key-check", NULL, KSCTL_SHOW_CHECK, "keys", 60, false, "ask the NAF Key Centers about them now" },
	{ MTD, "device list", "device-list", NULL, KSCTL_SHOW_TABLE, "devices", 0, false, "who waits for the user's word, who may have keys" },
	{ MTD, "device allow", "device-allow", p_device, KSCTL_SHOW_DONE, NULL, 0, false, "a device may have keys, now and from now on" },
	{ MTD, "device refuse", "device-refuse", p_device, KSCTL_SHOW_MEMBERS, NULL, 0, false,
	    "a device may have none from now on; its keys are deleted, its tunnels closed" },
	{ MTD, "use", "use", p_device, KSCTL_SHOW_MEMBERS, NULL, 40, false, "ask a connected device to open a tunnel on its key" },
	{ MTD, "tunnel list", "tunnel-list", NULL, KSCTL_SHOW_TABLE, "tunnels", 0, false, "tunnels that are up" },
	{ MTD, "uicc insert", "uicc-insert", p_image, KSCTL_SHOW_DONE, NULL, 0, false, "put a software card in" },
	{ MTD, "uicc eject", "uicc-eject", NULL, KSCTL_SHOW_DONE, NULL, 0, false, "take the software card out" },
	{ MTD, "uicc status", "uicc-status", NULL, KSCTL_SHOW_MEMBERS, NULL, 0, false, "the reader, and whether a card is in" },

	{ NAFKCD, "key list", "key-list", p_all, KSCTL_SHOW_TABLE, "keys", 0, false, "keys given out; --all: also what is left of revoked ones" },
	{ NAFKCD, "key invalidate", "key-invalidate", p_triple, KSCTL_SHOW_DONE, NULL, 0, false, "a key ends now; both its holders learn it" },
	{ NAFKCD, "key limit", "key-limit", p_key_limit, KSCTL_SHOW_DONE, NULL, 0, false, "a key ends at that time (UTC); never later than it would" },
	{ NAFKCD, "device list", "device-list", NULL, KSCTL_SHOW_TABLE, "devices", 0, false, "devices and their public keys" },
	{ NAFKCD, "device allow", "device-allow", p_allow, KSCTL_SHOW_DONE, NULL, 0, false,
	    "admit a device, or take a block back; its keys live that long at most" },
	{ NAFKCD, "device block", "device-block", p_block, KSCTL_SHOW_DONE, NULL, 0, false,
	    "refuse one of a Device_ID, a public key, an issuer from now on; its keys end" },
	{ NAFKCD, "device unblock", "device-unblock", p_block, KSCTL_SHOW_DONE, NULL, 0, false, "end such a block" },
	{ NAFKCD, "device limit", "device-limit", p_device_limit, KSCTL_SHOW_DONE, NULL, 0, false, "all its keys end at that time (UTC) or before" },
	{ NAFKCD, "device rebind", "device-rebind", p_device, KSCTL_SHOW_DONE, NULL, 0, false,
	    "the next public key that comes with this Device_ID has it" },
	{ NAFKCD, "block list", "block-list", NULL, KSCTL_SHOW_TABLE, "blocks", 0, false, "who is blocked" },
	{ NAFKCD, "audit", "audit", p_audit, KSCTL_SHOW_TABLE, "audit", 0, false, "who was given what, and who was refused" },

	{ BSFD, "subscriber add", "subscriber-add", p_subscriber, KSCTL_SHOW_DONE, NULL, 0, false, "from a file like a lab's subscriber.json" },
	{ BSFD, "subscriber list", "subscriber-list", NULL, KSCTL_SHOW_TABLE, "subscribers", 0, false, "without their keys" },
	{ BSFD, "subscriber delete", "subscriber-delete", p_impi, KSCTL_SHOW_DONE, NULL, 0, false, "with its B-TIDs" },
	{ BSFD, "bootstrap list", "bootstrap-list", NULL, KSCTL_SHOW_TABLE, "bootstraps", 0, false, "live B-TIDs" },
	{ BSFD, "naf add", "naf-add", p_naf, KSCTL_SHOW_DONE, NULL, 0, false, "from a file: fqdn, protocols, peers, impi" },
	{ BSFD, "naf list", "naf-list", NULL, KSCTL_SHOW_TABLE, "nafs", 0, false, "NAFs and who may ask for them" },
	{ BSFD, "naf delete", "naf-delete", p_fqdn, KSCTL_SHOW_DONE, NULL, 0, false, "by its name" },

	{ BSFD | NAFKCD, "wait peer", "wait-peer", p_peer, KSCTL_SHOW_DONE, NULL, 0, true, "wait for a Diameter peer" },
	{ KSCTL_ALL, "wait ready", "wait-ready", p_timeout, KSCTL_SHOW_DONE, NULL, 0, true, "wait until every listener stands" },
	{ KSCTL_ALL, "health", "health", NULL, KSCTL_SHOW_HEALTH, NULL, 0, false, "problems, if any; exit 1 when there are" },
	{ KSCTL_ALL, "status", "status", NULL, KSCTL_SHOW_MEMBERS, NULL, 0, false, "what it listens on and holds" },
	{ KSCTL_ALL, "trace", "trace", p_trace, KSCTL_SHOW_TRACE, "events", 0, false, "its events, oldest first" },
	{ KSCTL_ALL, "log-level", "log-level", p_level, KSCTL_SHOW_MEMBERS, NULL, 0, false, "show or set: error warn info debug" },
	{ KSCTL_ALL, "clock", "clock", NULL, KSCTL_SHOW_MEMBERS, NULL, 0, false, "what time it is there" },
	{ KSCTL_ALL, "clock accept", "clock-accept", NULL, KSCTL_SHOW_MEMBERS, NULL, 0, false, "a jump of its clock was right" },
	{ KSCTL_ALL, "clock advance", "clock-advance", p_forward, KSCTL_SHOW_MEMBERS, NULL, 60, false, "labs: move it forward, run what falls due" },
	{ KSCTL_ALL, "clock step", "clock-step", p_step, KSCTL_SHOW_MEMBERS, NULL, 0, false, "labs: set its wall clock wrong" },
	{ KSCTL_ALL, "ops", "ops", NULL, KSCTL_SHOW_TABLE, "ops", 0, false, "operations of its control socket" },
	{ KSCTL_ALL, "ping", "ping", NULL, KSCTL_SHOW_MEMBERS, NULL, 0, false, "who is there" },
	{ KSCTL_ALL, "stop", "stop", NULL, KSCTL_SHOW_DONE, NULL, 0, false, "end in good order" },

	{ 0, "health", "health", NULL, KSCTL_SHOW_HEALTH, NULL, 0, false, "of each" },
	{ 0, "status", "status", NULL, KSCTL_SHOW_MEMBERS, NULL, 0, false, "of each" },
	{ 0, "wait ready", "wait-ready", p_timeout, KSCTL_SHOW_DONE, NULL, 0, true, "for each" },
	{ 0, "ladder", "trace", p_ladder, KSCTL_SHOW_LADDER, "events", 0, false,
	    "the events of all four daemons for one run (default: the last), as a ladder" },
	{ 0, NULL, NULL, NULL, KSCTL_SHOW_DONE, NULL, 0, false, NULL }
};

const char *
ksctl_daemon_name(enum ksctl_daemon d)
{
	static const char *const names[] = { "bsfd", "nafkcd", "mtd", "extdevd" };

	return (unsigned)d < KSCTL_DAEMONS ? names[d] : NULL;
}
