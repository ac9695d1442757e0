#!/usr/bin/env python3
"""A hostile BSF for nafkcd: answers each BIR as the file MODE says at that moment.

  zn_hostile_bsf.py --host HOST --realm REALM --mode FILE --key FILE

Listens on a free loopback port, prints "ready PORT", then "asked MODE B-TID" for each BIR. FILE of --mode holds one word, a name of MODES;
FILE of --key the key in hex. Ends when its standard input does.
"""
import argparse
import select
import socket
import sys
import threading
import time

from dia import *  # noqa: F403

EXPIRES = 3600 + 2208988800


def answer(a, m, avps, flags=P, hbh=None, e2e=None):
    return message(BI, flags, ZN, avps, m.hbh if hbh is None else hbh, m.e2e if e2e is None else e2e)


def parts(a, m):
    """Name → AVP of a right BIA, so that a mode can change or drop one."""
    return {
        "session": avp(SESSION_ID, m.get(SESSION_ID)),
        "app": avp(VS_APP, [avp(VENDOR_ID, TGPP), avp(AUTH_APP, ZN)]),
        "host": avp(ORIGIN_HOST, a.host), "realm": avp(ORIGIN_REALM, a.realm),
        "result": avp(RESULT, 2001),
        "key": tgpp(ME_KEY, bytes.fromhex(open(a.key).read().strip())),
        "expiry": tgpp(EXPIRY, int(time.time()) + EXPIRES & 0xffffffff),
        "created": tgpp(CREATED, int(time.time()) + 2208988800 & 0xffffffff),
    }


def plain(change=None):
    def make(a, m):
        d = parts(a, m)
        return [answer(a, m, ((change(d) or d) if change else d).values())]
    return make


def put(**kw):
    return lambda d: d.update(kw)


def drop(*names):
    return lambda d: {k: v for k, v in d.items() if k not in names}


def error(code, flags):
    def make(a, m):
        d = parts(a, m)
        return [answer(a, m, [d["session"], d["host"], d["realm"], avp(RESULT, code)], flags)]
    return make


def right(a, m):
    return plain()(a, m)


# What is sent for one BIR: a list of octet strings; None in it closes the connection.
MODES = {
    "right": right,
    "twice": lambda a, m: right(a, m) * 2,
    "orphans-first": lambda a, m: [answer(a, m, parts(a, m).values(), hbh=m.hbh ^ 1), answer(a, m, parts(a, m).values(), e2e=m.e2e ^ 1)] + right(a, m),
    "watchdog-between": lambda a, m: [message(DW, 0, 0, [avp(RESULT, 2001), avp(ORIGIN_HOST, a.host), avp(ORIGIN_REALM, a.realm)], 9, 9)] + right(a, m),
    "uicc-key": plain(put(uicc=tgpp(UICC_KEY, bytes(32)))),
    "unknown-avp": plain(put(odd=avp(4711, b"x", flags=0))),
    "no-key": plain(drop("key")),
    "short-key": plain(put(key=tgpp(ME_KEY, bytes(31)))),
    "long-key": plain(put(key=tgpp(ME_KEY, bytes(33)))),
    "no-expiry": plain(drop("expiry")),
    "short-expiry": plain(put(expiry=tgpp(EXPIRY, b"\1\2"))),
    "two-keys": plain(lambda d: d.update(more=d["key"])),
    "no-result": plain(drop("result")),
    "no-session": plain(drop("session")),
    "other-session": plain(put(session=avp(SESSION_ID, "x;1;1"))),
    "nul-session": plain(put(session=avp(SESSION_ID, b"a\0b"))),
    "unknown-avp-with-m": plain(put(odd=avp(4711, b"x"))),
    "overrun": plain(put(odd=avp(USER_NAME, b"abcd", length=99))),
    "success-and-refusal": plain(put(more=avp(EXP_RESULT, [avp(VENDOR_ID, TGPP), avp(EXP_CODE, 5402)]))),
    "success-with-e": lambda a, m: [answer(a, m, parts(a, m).values(), flags=P | E)],
    "expired": plain(put(expiry=tgpp(EXPIRY, 2208988800 + 1000000))),
    "busy": error(3004, P | E),
    "not-delivered": error(3002, P | E),
    "unable": error(5012, P),
    "other-error": error(4999, P),
    "close": lambda a, m: [None],
    "half-then-close": lambda a, m: [right(a, m)[0][:40], None],
    "noise": lambda a, m: [bytes(range(1, 200)), None],
    "version-2": lambda a, m: [b"\2" + right(a, m)[0][1:]],
    "silence": lambda a, m: [],
}


def serve(a, s):
    c = Client.__new__(Client)
    c.s, c.buf, c.timeout, c.n = s, b"", 3600, 1
    origin = [avp(ORIGIN_HOST, a.host), avp(ORIGIN_REALM, a.realm)]
    while True:
        m = c.recv()
        if m is None:
            break
        if not m.flags & R:
            continue
        if m.cmd == BI:
            mode = open(a.mode).read().strip()
            print("asked %s %s" % (mode, m.get(BTID, TGPP).decode()), flush=True)
            out = MODES[mode](a, m)
        else:
            more = [avp(HOST_IP, b"\0\1\x7f\0\0\1"), avp(VENDOR_ID, 0), avp(PRODUCT, "hostile", flags=0),
                    avp(VS_APP, [avp(VENDOR_ID, TGPP), avp(AUTH_APP, ZN)])] if m.cmd == CE else []
            out = [message(m.cmd, 0, 0, [avp(RESULT, 2001)] + origin + more, m.hbh, m.e2e)]
        for octets in out:
            if octets is None:
                s.close()
                return
            s.sendall(octets)
    s.close()


def main():
    p = argparse.ArgumentParser()
    for o in ("host", "realm", "mode", "key"):
        p.add_argument("--" + o)
    p.add_argument("--modes", action="store_true", help="print their names")
    a = p.parse_args()
    if a.modes:
        print("\n".join(MODES))
        return
    ls = socket.create_server(("127.0.0.1", 0))
    print("ready %d" % ls.getsockname()[1], flush=True)

    def one(s):
        try:
            serve(a, s)
        except OSError:
            s.close()

    while True:
        ready, _, _ = select.select([ls, sys.stdin], [], [])
        if sys.stdin in ready and not sys.stdin.read(1):
            return
        if ls in ready:
            threading.Thread(target=one, args=(ls.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    main()
