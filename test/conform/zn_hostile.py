#!/usr/bin/env python3
"""A hostile NAF: what has ended other Diameter nodes, sent to a running bsfd, which must answer as the list says and go on serving.

  zn_hostile.py --zn ADDRESS:PORT --bsf HOST --realm REALM --naf HOST --fqdn FQDN --protocol HEX --btid B-TID [--key HEX] [CASE]...

--naf is a peer that bsfd knows, --fqdn and --protocol what it may ask for, --btid a B-TID that is alive, --key what a right request
for it must bring. After each case a right request must be served. Prints TAP; exits 1 when a case failed.
"""
import argparse
import random
import socket
import struct
import sys
import time

from dia import *  # noqa: F403

CLOSED, IGNORED = "closed", "ignored"
CASES = []


def case(name, *want):
    """want: the results of the answers that must come, in this order; CLOSED: then the connection ends; IGNORED: nothing comes."""
    def put(fn):
        CASES.append((name, fn, want))
        return fn
    return put


class World:
    def __init__(self, a):
        self.a = a

    def connect(self, host=None):
        return Client(self.a.zn, host or self.a.naf, self.a.realm)

    def open(self):
        """As our NAF; bsfd may need a moment to see that the last connection is gone."""
        for _ in range(50):
            c = self.connect()
            m = c.ask(c.cer())
            if m is not None and m.result == 2001:
                return c
            assert m is None or m.result == 4003, "CEA %s" % m.result
            c.close()
            time.sleep(0.1)
        raise AssertionError("no connection to bsfd any more")

    def avps(self, c):
        return c.bir_avps(self.a.btid, naf_id(self.a.fqdn, self.a.protocol), self.a.realm)

    def serves(self):
        c = self.open()
        m = c.ask(c.bir(self.avps(c)))
        assert m is not None and m.result == 2001, "a right request gets %s" % (m and m.result)
        assert len(m.get(ME_KEY, TGPP)) == 32
        assert self.a.key is None or m.get(ME_KEY, TGPP).hex() == self.a.key, "another key"
        c.close()


def variant(name, change, result, failed=None):
    """A BIR with its AVPs changed; result and the code in Failed-AVP."""
    @case(name, result)
    def send(w, c):
        d = w.avps(c)
        d = change(d) or d
        m = c.ask(c.bir(d))
        assert m is not None, "closed"
        if failed is not None:
            assert m.failed is not None and m.failed[0] == failed, "Failed-AVP %s" % (m.failed,)
        return m


def put(**kw):
    return lambda d: d.update(kw)


def drop(key):
    return lambda d: {k: v for k, v in d.items() if k != key}


def more(octets):
    return lambda d: d.update(more=octets)


# --- requests that break the grammar
variant("no Session-Id", drop("session"), 5005, SESSION_ID)
variant("no Origin-Host", drop("origin_host"), 5005, ORIGIN_HOST)
variant("no Origin-Realm", drop("origin_realm"), 5005, ORIGIN_REALM)
variant("no Destination-Realm", drop("dest_realm"), 5005, DEST_REALM)
variant("no Transaction-Identifier", drop("btid"), 5005, BTID)
variant("no NAF-Id", drop("naf_id"), 5005, NAF_ID)
variant("two Session-Id", more(avp(SESSION_ID, "x;1;1")), 5009, SESSION_ID)
variant("two Origin-Host", more(avp(ORIGIN_HOST, "x.example")), 5009, ORIGIN_HOST)
variant("two Transaction-Identifier", more(tgpp(BTID, "x@y.example")), 5009, BTID)
variant("seventeen GAA-Service-Identifier", more(tgpp(GSID, "7") * 17), 5009, GSID)
variant("NUL in Session-Id", put(session=avp(SESSION_ID, b"a\0b;1;2")), 5004, SESSION_ID)
variant("Session-Id that is no UTF-8", put(session=avp(SESSION_ID, b"\xff\xfe;1;2")), 5004, SESSION_ID)
variant("Session-Id of 10,000 octets", put(session=avp(SESSION_ID, b"a" * 10000)), 5004)
variant("empty User-Name", more(avp(USER_NAME, b"")), 2001)
variant("User-Name with NUL", more(avp(USER_NAME, b"a\0b")), 5004, USER_NAME)
variant("Origin-Host of another node", put(origin_host=avp(ORIGIN_HOST, "other.example.org")), 5004, ORIGIN_HOST)
variant("Origin-Host with NUL", put(origin_host=avp(ORIGIN_HOST, b"a\0b")), 5004, ORIGIN_HOST)
variant("empty Origin-Host", put(origin_host=avp(ORIGIN_HOST, b"")), 5004, ORIGIN_HOST)
variant("a foreign realm", put(dest_realm=avp(DEST_REALM, "example.com")), 3003)
variant("a foreign host", more(avp(DEST_HOST, "other.example.com")), 3002)
variant("Result-Code in a request", more(avp(RESULT, 2001)), 5008, RESULT)
variant("a key in a request", more(tgpp(ME_KEY, bytes(32))), 5008, ME_KEY)
variant("an unknown AVP with M", more(avp(4711, b"x")), 5001, 4711)
variant("an unknown AVP of 3GPP with M", more(tgpp(4711, b"x")), 5001, 4711)
variant("an unknown AVP without M", more(avp(4711, b"x", flags=0)), 2001)
variant("V set and vendor 0", more(avp(4711, b"x", flags=V | M)), 3009)
variant("Auth-Session-State: maintained", more(avp(AUTH_STATE, 0)), 2001)
variant("Auth-Session-State: no such value", more(avp(AUTH_STATE, 9)), 2001)
variant("GBA_U-Awareness-Indicator: no such value", more(tgpp(AWARE, 7)), 5004, AWARE)
variant("GBA_U-Awareness-Indicator of one octet", more(tgpp(AWARE, b"\1")), 5014, AWARE)
variant("NAF-Id of four octets", put(naf_id=tgpp(NAF_ID, b"abcd")), 5004, NAF_ID)
variant("NAF-Id in capitals", lambda d: d.update(naf_id=tgpp(NAF_ID, b"NAF.example.org\1\0\0\0\2")), 5004, NAF_ID)
variant("NAF-Id of somebody else", put(naf_id=tgpp(NAF_ID, b"bank.example.org\1\0\0\0\2")), 5402)
variant("an unknown B-TID", put(btid=tgpp(BTID, "AAAAAAAAAAAAAAAAAAAAAA==@bsf.example.org")), 5403)
variant("what is no B-TID", put(btid=tgpp(BTID, b"\0\xff")), 5403)
variant("an empty B-TID", put(btid=tgpp(BTID, b"")), 5403)
variant("a B-TID of 60,000 octets", put(btid=tgpp(BTID, b"a" * 60000)), 5403)
variant("Vendor-Specific-Application-Id of another application", put(app=avp(VS_APP, [avp(VENDOR_ID, TGPP), avp(AUTH_APP, 4)])), 5004, VS_APP)
variant("Proxy-Info without its Proxy-State", more(avp(PROXY_INFO, avp(PROXY_HOST, "x.example"))), 5005)

# --- AVPs that break their frame
variant("AVP length zero", more(avp(USER_NAME, b"abcd", length=0)), 5014, USER_NAME)
variant("AVP length less than its header", more(avp(USER_NAME, b"abcd", length=7)), 5014, USER_NAME)
variant("AVP length that overruns", more(avp(USER_NAME, b"abcd", length=100)), 5014, USER_NAME)
variant("AVP length of 16 MiB", more(avp(USER_NAME, b"abcd", length=0xffffff)), 5014, USER_NAME)
variant("AVP not padded", more(avp(USER_NAME, b"abcde", pad=False) + avp(USER_NAME, b"abc", pad=False)), 5014)
variant("AVP in a group not padded", more(avp(PROXY_INFO, avp(PROXY_STATE, b"abcde", pad=False))), 5014, PROXY_STATE)
variant("padding that is not zero", more(avp(USER_NAME, b"abcde", pad=False) + b"xyz"), 2001)
variant("half an AVP header", more(b"\0\0\0\1"), 5014)
variant("a group that overruns", more(avp(PROXY_INFO, avp(PROXY_HOST, b"x", length=200))), 5014)


@case("Proxy-Info comes back, in order, unchanged", 2001)
def proxy_info(w, c):
    one = avp(PROXY_INFO, [avp(PROXY_HOST, "a.example"), avp(PROXY_STATE, b"\0\1")])
    two = avp(PROXY_INFO, [avp(PROXY_HOST, "b.example"), avp(PROXY_STATE, b"")])
    m = c.ask(c.bir(list(w.avps(c).values()) + [one, avp(ROUTE_RECORD, "a.example"), two]))
    assert m.all(PROXY_INFO) == [one[8:], two[8:]]
    return m


# --- headers
def header(name, result, **kw):
    @case(name, result)
    def send(w, c):
        n = c.next()
        args = dict(cmd=BI, flags=R | P, app=ZN)
        args.update(kw)
        return c.ask(message(args["cmd"], args["flags"], args["app"], list(w.avps(c).values()), n, n))


header("unknown application", 3007, app=16777221)
header("unknown command", 3001, cmd=303)
header("unknown command of the base protocol", 3001, cmd=274, app=0, flags=R)
header("E in a request", 3008, flags=R | P | E)
header("P not set: taken all the same", 2001, flags=R)
header("reserved flags: taken all the same", 2001, flags=R | P | 0x0f)


def stream(name, octets, *want):
    @case(name, *want)
    def send(w, c):
        c.send(octets)
        return None


def head(length=None, version=1, flags=R | P, cmd=BI, app=ZN):
    return message(cmd, flags, app, [], 5, 5, version=version, length=length)


stream("version 2", head(version=2), 5011, CLOSED)
stream("version 0", head(version=0), 5011, CLOSED)
stream("message length 16", head(length=16), 5015, CLOSED)
stream("an odd message length", head(length=21) + b"\0", 5015, CLOSED)
stream("a message of 16 MiB", head(length=0xfffffc), 5015, CLOSED)
stream("an answer of version 2", head(version=2, flags=P), CLOSED)


@case("half a message, then nothing, then the rest", 2001)
def slowly(w, c):
    b = c.bir(w.avps(c))
    for i in range(0, len(b), 7):
        c.send(b[i:i + 7])
        time.sleep(0.002)
    return c.answer()


@case("answers that nobody asked for are ignored")
def unasked(w, c):
    for cmd, app in ((CE, 0), (DW, 0), (DP, 0), (BI, ZN), (4711, 0), (310, 99)):
        c.send(message(cmd, 0, app, [avp(RESULT, 2001)] + c.origin(), 77, 77))
    c.send(message(DW, 0, 0, [], 78, 78))
    m = c.ask(c.dwr())
    assert m.cmd == DW and m.result == 2001
    return None


@case("DWR without Origin-Host", 5005)
def dwr(w, c):
    return c.ask(message(DW, R, 0, [avp(ORIGIN_REALM, w.a.realm)], c.next(), c.n))


@case("a second CER on an open connection", 2001)
def cer_again(w, c):
    return c.ask(c.cer())


@case("the same request many times over: the same key")
def again(w, c):
    d = w.avps(c)
    keys = set()
    for _ in range(20):
        m = c.ask(c.bir(d, flags=R | P | T, e2e=4242))
        assert m.result == 2001 and m.e2e == 4242
        keys.add(m.get(ME_KEY, TGPP))
    assert len(keys) == 1
    return None


@case("a thousand requests at once, each answered once")
def thousand(w, c):
    hbh = set()
    out = b""
    for _ in range(1000):
        out += c.bir(w.avps(c))
        hbh.add(c.n)
    c.send(out)
    while hbh:
        m = c.answer()
        assert m is not None and m.result in (2001, 3004), m and m.result
        hbh.remove(m.hbh)
    return None


@case("DPR is answered, then we close", 2001)
def dpr(w, c):
    return c.ask(message(DP, R, 0, c.origin() + [avp(CAUSE, 2)], c.next(), c.n))


@case("DPR with a cause that nobody knows", 2001)
def dpr_odd(w, c):
    return c.ask(message(DP, R, 0, c.origin() + [avp(CAUSE, 99)], c.next(), c.n))


# --- ends
def leave(name, how):
    @case(name)
    def send(w, c):
        for _ in range(50):
            c.send(c.bir(w.avps(c)))
        how(c.s)
        return None


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


leave("RST while answers are written", reset)
leave("close while answers are written", lambda s: s.close())
leave("half-close while answers are written", lambda s: s.shutdown(socket.SHUT_WR))


@case("requests without Destination-Realm, then RST")
def no_realm_rst(w, c):
    for _ in range(10):
        c.send(c.bir(drop("dest_realm")(w.avps(c))))
    reset(c.s)
    return None


# --- before the capabilities are exchanged: these open their own connection
def stranger(name, octets, *want, host=None):
    @case(name, *want)
    def send(w, c):
        c.close()
        d = w.connect(host(w) if callable(host) else host)
        d.send(octets(d) if callable(octets) else octets)
        return d


stranger("nothing but CER comes first: DWR", lambda d: d.dwr(), CLOSED)
stranger("nothing but CER comes first: BIR", lambda d: message(BI, R | P, ZN, d.origin(), 1, 1), CLOSED)
stranger("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", CLOSED)
stranger("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(508), CLOSED)
stranger("CER from a peer that is not configured", lambda d: d.cer(), 3010, CLOSED, host="stranger.example.net")
stranger("CER in the BSF's own name", lambda d: d.cer(), 3010, CLOSED, host=lambda w: w.a.bsf)
stranger("CER without an application", lambda d: d.cer(apps=[]), 5010, CLOSED)
stranger("CER for another application", lambda d: d.cer(apps=[avp(AUTH_APP, 4)]), 5010, CLOSED)
stranger("CER with a Vendor-Specific-Application-Id that overruns", lambda d: d.cer(apps=[avp(VS_APP, avp(VENDOR_ID, b"abcd", length=99))]), 5014, CLOSED)
stranger("CER with an empty Vendor-Specific-Application-Id", lambda d: d.cer(apps=[avp(VS_APP, b"")]), 5005, CLOSED)
stranger("CER that wants inband TLS", lambda d: d.cer(extra=[avp(INBAND, 1)]), 5017, CLOSED)
stranger("CER with two Origin-Host", lambda d: d.cer(extra=[avp(ORIGIN_HOST, "x.example")]), 5009, CLOSED)
stranger("CER of 60 KB", lambda d: d.cer(extra=[avp(4711, b"x" * 60000, flags=0)]), CLOSED)


@case("128 Origin-Hosts")
def many_hosts(w, c):
    c.close()
    for i in range(128):
        d = w.connect("host%d.example.net" % i)
        m = d.ask(d.cer())
        assert m is not None and m.result == 3010, m and m.result
        d.close()
    return None


@case("a hundred connections that say nothing")
def mute(w, c):
    c.close()
    many = [w.connect() for _ in range(100)]
    time.sleep(0.2)
    for d in many:
        d.close()
    time.sleep(0.2)
    return None


@case("random octets before CER, 300 times")
def noise_before(w, c):
    c.close()
    rnd = random.Random(1)
    for _ in range(300):
        d = w.connect()
        try:
            d.send(rnd.randbytes(rnd.randrange(1, 400)))
        except ConnectionError:
            pass
        d.close()
    return None


@case("random octets after CER, 100 times")
def noise_after(w, c):
    rnd = random.Random(2)
    for _ in range(100):
        try:
            c.send(rnd.randbytes(rnd.randrange(20, 400)))
        except ConnectionError:
            pass
        c.close()
        c = w.open()
    c.close()
    return None


@case("2,000 right requests with some octets changed: an answer each, or none")
def mutated(w, c):
    rnd = random.Random(3)
    for _ in range(2000):
        b = bytearray(c.bir(w.avps(c)))
        for _ in range(rnd.randrange(1, 5)):
            b[rnd.randrange(20, len(b))] = rnd.randrange(256)
        m = c.ask(bytes(b))
        assert m is not None and m.result != 0, "no answer to %s" % b.hex()
    return None


def run(w, fn, want):
    c = w.open()
    got = fn(w, c)
    if isinstance(got, Client):
        c = got
    for x in want:
        if x == CLOSED:
            assert c.answer() is None, "not closed"
            continue
        m = got if isinstance(got, Message) else c.answer()
        got = None
        assert m is not None, "closed without %s" % x
        assert not m.flags & R and m.result == x, "%s instead of %s" % (m.result, x)
        assert bool(m.flags & E) == (m.result // 1000 == 3), "E flag"
    c.close()


def main():
    p = argparse.ArgumentParser()
    for o in ("zn", "bsf", "realm", "naf", "fqdn", "protocol", "btid"):
        p.add_argument("--" + o, required=True)
    p.add_argument("--key")
    p.add_argument("cases", nargs="*", help="a part of a case's name")
    a = p.parse_args()
    w = World(a)
    todo = [k for k in CASES if not a.cases or any(x in k[0] for x in a.cases)]
    print("1..%d" % len(todo))
    bad = 0
    for i, (name, fn, want) in enumerate(todo, 1):
        try:
            run(w, fn, want)
            w.serves()
            print("ok %d %s" % (i, name), flush=True)
        except Exception as e:          # whatever it was: this case failed, the next one may show more
            bad += 1
            print("not ok %d %s\n# %s: %s" % (i, name, type(e).__name__, e), flush=True)
    return 1 if bad or not todo else 0


if __name__ == "__main__":
    sys.exit(main())
