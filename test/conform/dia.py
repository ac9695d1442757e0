"""dia: as much of Diameter (RFC 6733) and Zn (TS 29.109) as a test client needs, written from the digests alone.

It has no bounds and no manners: whatever a test wants to send, it builds. Standard library only.
"""
import os
import socket
import struct
import time

R, P, E, T = 0x80, 0x40, 0x20, 0x10
V, M = 0x80, 0x40
ZN, TGPP = 16777220, 10415
CE, DW, DP, BI = 257, 280, 282, 310

SESSION_ID, ORIGIN_HOST, ORIGIN_REALM, DEST_REALM, DEST_HOST = 263, 264, 296, 283, 293
RESULT, EXP_RESULT, EXP_CODE, VENDOR_ID, AUTH_APP, VS_APP = 268, 297, 298, 266, 258, 260
HOST_IP, PRODUCT, STATE_ID, SUPPORTED_VENDOR, INBAND = 257, 269, 278, 265, 299
CAUSE, FAILED, ERROR_MESSAGE, USER_NAME, AUTH_STATE = 273, 279, 281, 1, 277
PROXY_INFO, PROXY_HOST, PROXY_STATE, ROUTE_RECORD = 284, 280, 33, 282
USS, BTID, NAF_ID, GSID, EXPIRY, ME_KEY, UICC_KEY, AWARE, CREATED, GBA_TYPE = 400, 401, 402, 403, 404, 405, 406, 407, 408, 410


def avp(code, data, vendor=0, flags=M, length=None, pad=True):
    """One AVP; length and padding can be told wrong."""
    if isinstance(data, str):
        data = data.encode()
    elif isinstance(data, int):
        data = struct.pack(">I", data)
    elif isinstance(data, (list, tuple)):
        data = b"".join(data)
    head = 8 + (4 if vendor or flags & V else 0)
    if vendor:
        flags |= V
    n = head + len(data) if length is None else length
    out = struct.pack(">IB", code, flags) + n.to_bytes(3, "big")
    if flags & V:
        out += struct.pack(">I", vendor)
    return out + data + (b"\0" * (-len(data) % 4) if pad else b"")


def tgpp(code, data, **kw):
    return avp(code, data, vendor=TGPP, **kw)


def message(cmd, flags, app, avps, hbh=1, e2e=1, version=1, length=None):
    body = b"".join(avps)
    n = 20 + len(body) if length is None else length
    return bytes([version]) + n.to_bytes(3, "big") + bytes([flags]) + cmd.to_bytes(3, "big") + struct.pack(">III", app, hbh, e2e) + body


class Message:
    def __init__(self, octets):
        self.octets = octets
        self.flags, self.cmd = octets[4], int.from_bytes(octets[5:8], "big")
        self.app, self.hbh, self.e2e = struct.unpack(">III", octets[8:20])
        self.avps = parse_avps(octets[20:])

    def all(self, code, vendor=0):
        return [d for c, v, _, d in self.avps if (c, v) == (code, vendor)]

    def get(self, code, vendor=0):
        return (self.all(code, vendor) or [None])[0]

    @property
    def result(self):
        """Result-Code, or Experimental-Result-Code."""
        r = self.get(RESULT)
        if r is None:
            x = self.get(EXP_RESULT)
            r = dict((c, d) for c, _, _, d in parse_avps(x))[EXP_CODE] if x is not None else b"\0\0\0\0"
        return int.from_bytes(r, "big")

    @property
    def failed(self):
        """(code, vendor) of the first AVP in Failed-AVP, or None."""
        f = self.get(FAILED)
        return parse_avps(f)[0][:2] if f else None


def parse_avps(b):
    out = []
    while b:
        code, flags = struct.unpack(">IB", b[:5])
        n = int.from_bytes(b[5:8], "big")
        head, vendor = (12, struct.unpack(">I", b[8:12])[0]) if flags & V else (8, 0)
        assert head <= n <= len(b), "malformed AVP"
        out.append((code, vendor, flags, b[head:n]))
        b = b[n + -n % 4:]
    return out


def naf_id(fqdn, proto):
    return fqdn.encode() + bytes.fromhex(proto)


class Client:
    """One connection of a Diameter client. Every wait is bounded."""

    def __init__(self, address, host, realm, tls=None, timeout=10):
        h, p = address.rsplit(":", 1)
        self.s = socket.create_connection((h.strip("[]"), int(p)), timeout=timeout)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.s = tls.wrap_socket(self.s)
        self.host, self.realm, self.timeout = host, realm, timeout
        self.n = int.from_bytes(os.urandom(3), "big")
        self.buf = b""

    def send(self, octets):
        self.s.sendall(octets)

    def next(self):
        self.n += 1
        return self.n

    def origin(self):
        return [avp(ORIGIN_HOST, self.host), avp(ORIGIN_REALM, self.realm)]

    def recv(self, timeout=None):
        """The next message; None when the peer closed. socket.timeout when nothing comes."""
        end = time.monotonic() + (timeout or self.timeout)
        while True:
            if len(self.buf) >= 4:
                n = int.from_bytes(self.buf[1:4], "big")
                if len(self.buf) >= n:
                    m, self.buf = Message(self.buf[:n]), self.buf[n:]
                    return m
            left = end - time.monotonic()
            if left <= 0:
                raise socket.timeout("no message in time")
            self.s.settimeout(left)
            try:
                b = self.s.recv(65536)
            except ConnectionError:
                return None
            if not b:
                return None
            self.buf += b

    def answer(self, timeout=None):
        """The next message that is an answer; the peer's watchdog is answered meanwhile."""
        while True:
            m = self.recv(timeout)
            if m is not None and m.flags & R:
                self.send(message(m.cmd, 0, 0, [avp(RESULT, 2001)] + self.origin(), m.hbh, m.e2e))
                continue
            return m

    def ask(self, octets, timeout=None):
        self.send(octets)
        return self.answer(timeout)

    def cer(self, extra=None, apps=None):
        if apps is None:
            apps = [avp(VS_APP, [avp(VENDOR_ID, TGPP), avp(AUTH_APP, ZN)])]
        return message(CE, R, 0, self.origin() + [avp(HOST_IP, b"\0\1\x7f\0\0\1"), avp(VENDOR_ID, 0), avp(PRODUCT, "dia.py", flags=0),
                       avp(SUPPORTED_VENDOR, TGPP)] + apps + (extra or []), self.next(), self.n)

    def open(self):
        m = self.ask(self.cer())
        assert m is not None and m.cmd == CE and m.result == 2001, "CEA: %s" % (m and m.result)
        return self

    def dwr(self):
        return message(DW, R, 0, self.origin(), self.next(), self.n)

    def bir_avps(self, btid, naf, dest_realm, dest_host=None):
        """Name → AVP, in order, so that a test can change, repeat or leave out one."""
        d = {
            "session": avp(SESSION_ID, "%s;1;%d" % (self.host, self.next())),
            "app": avp(VS_APP, [avp(VENDOR_ID, TGPP), avp(AUTH_APP, ZN)]),
            "origin_host": avp(ORIGIN_HOST, self.host),
            "origin_realm": avp(ORIGIN_REALM, self.realm),
            "dest_realm": avp(DEST_REALM, dest_realm),
        }
        if dest_host:
            d["dest_host"] = avp(DEST_HOST, dest_host)
        d["btid"] = tgpp(BTID, btid)
        d["naf_id"] = tgpp(NAF_ID, naf)
        return d

    def bir(self, avps, flags=R | P, e2e=None):
        n = self.next()
        return message(BI, flags, ZN, avps.values() if isinstance(avps, dict) else avps, n, n if e2e is None else e2e)

    def close(self):
        self.s.close()
