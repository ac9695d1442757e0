#!/usr/bin/env python3
"""A device on the local interface, written from ARCHITECTURE section 4 and RULES K3 alone, for tests of mtd: honest or not.

  local_client.py establish ADDRESS SUBSCRIBER NAF_ID DEVICE_ID   hello, info, derive, complete with proof; prints one JSON object
  local_client.py plain ADDRESS NAF_ID DEVICE_ID                  the same as a foreign peer: no hello, no proof
  local_client.py info ADDRESS DEVICE_ID                          prints the answer
  local_client.py crowd ADDRESS NAF_ID N                          N devices at once; prints the B-TIDs they were told
  local_client.py stale ADDRESS NAF_ID DEVICE_ID N                calls N B-TIDs stale; prints how often it was served
  local_client.py listen-in ADDRESS SUBSCRIBER NAF_ID DEVICE_ID FILE   sends every operation, right and wrong; FILE gets all that came back
  local_client.py hostile ADDRESS CASE                            one misbehaviour, by name; "list" names them
  ADDRESS: tcp:HOST:PORT, unix:/path, tls:/path:CERT:KEY:CA (over a UNIX socket)
"""
import json
import os
import socket
import ssl
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scenario"))
import derive  # noqa: E402
import expect  # noqa: E402

TIMEOUT_S = 20


def connect(address):
    kind, rest = address.split(":", 1)
    if kind == "unix":
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(TIMEOUT_S)
        s.connect(rest)
        return s
    if kind == "tls":
        path, cert, key, ca = rest.split(":")
        s = connect("unix:" + path)
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.check_hostname = False
        c.load_verify_locations(ca)
        if cert:
            c.load_cert_chain(cert, key)
        return c.wrap_socket(s)
    host, port = rest.rsplit(":", 1)
    return socket.create_connection((host.strip("[]"), int(port)), TIMEOUT_S)


def proof(key, side, challenge):
    return derive.proof(key, side.encode(), challenge.encode())


class Device:
    def __init__(self, address):
        self.s = connect(address)
        self.buf = b""
        self.heard = b""
        self.id = 0

    def line(self):
        """The next line as an object; None at the end."""
        while b"\n" not in self.buf:
            got = self.s.recv(65536)
            if not got:
                return None
            self.buf += got
            self.heard += got
        line, self.buf = self.buf.split(b"\n", 1)
        return json.loads(line)

    def ask(self, op, **body):
        self.id += 1
        self.s.sendall(json.dumps({"id": self.id, "op": op, **body}).encode() + b"\n")
        while True:
            o = self.line()
            assert o is not None, "the MT closed"
            if o.get("id") == self.id and "progress" not in o:
                return o


def establish(address, subscriber, naf_id, device_id, foreign=False):
    d = Device(address)
    if not foreign:
        hello = d.ask("hello", version=1, role="device", device_id_kind="fixed")
        assert hello["ok"] and hello["role"] == "mt" and len(hello["mt_id"]) == 32, hello
    info = d.ask("info", device_id=device_id)
    assert naf_id in info["naf_ids"], info
    ask = {"naf_id": naf_id, "device_id": device_id}
    if "btid" in info:
        ask["btid"] = info["btid"]
    derived = d.ask("derive", **ask)
    assert derived.get("ok"), derived
    triple = {"btid": derived["btid"], "naf_id": derived["naf_id"], "device_id": device_id}
    if foreign:
        done = d.ask("complete", **triple)
        assert done.get("ok") and "proof" not in done, done
        return triple
    key = expect.secrets(subscriber, derived["btid"], naf_id, device_id)["Ks_local_MT"]
    wrong = d.ask("complete", **triple, proof=proof(bytes(32), "device", derived["challenge"]))
    assert wrong["error"]["code"] == "key-mismatch", wrong
    done = d.ask("complete", **triple, proof=proof(key, "device", derived["challenge"]))
    assert done.get("ok"), done
    assert done["proof"] == proof(key, "mt", derived["challenge"]), "the MT does not hold the key"
    return {**triple, "kcv": derive.kcv(key), "scenario": 2 if "btid" in info else 1}


def crowd(address, naf_id, n):
    devices = [Device(address) for _ in range(n)]
    told = [None] * n
    # all have asked before the first run can end: who has seen the newest B-TID and asks without one wants another
    asked = threading.Barrier(n)

    def one(i):
        devices[i].ask("info", device_id=f"urn:crowd:{i}")
        asked.wait(TIMEOUT_S)
        told[i] = devices[i].ask("derive", naf_id=naf_id, device_id=f"urn:crowd:{i}").get("btid")

    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return told


def stale(address, naf_id, device_id, n):
    served, last, retry = 0, None, 0
    for _ in range(n):
        d = Device(address)
        d.ask("info", device_id=device_id)
        ask = {"naf_id": naf_id, "device_id": device_id}
        if last:
            ask["stale_btid"] = last
        a = d.ask("derive", **ask)
        if "error" in a:
            assert a["error"]["code"] == "busy", a
            retry = a["error"]["retry_after_s"]
            assert retry > 0, a
        else:
            served += 1
            last = a["btid"]
        d.s.close()
    return {"served": served, "retry_after_s": retry}


def listen_in(address, subscriber, naf_id, device_id, path):
    done = establish(address, subscriber, naf_id, device_id)
    key = expect.secrets(subscriber, done["btid"], naf_id, device_id)["Ks_local_MT"]
    triple = {"btid": done["btid"], "naf_id": naf_id, "device_id": device_id}
    d = Device(address)
    bodies = [{}, {"device_id": device_id}, {"naf_id": naf_id, "device_id": device_id, "btid": done["btid"]}, triple,
              {**triple, "proof": proof(key, "device", "x")}, {**triple, "proof": proof(key, "mt", "x")},
              {"naf_id": 7}, {"device_id": [device_id]}, {"key": True, "ks_local_mt": True, "kcv": True}]
    for op in ("hello", "info", "derive", "complete", "forget", "use", "renew", "status", "key-list", "trace", "bootstrap", "export", ""):
        for b in bodies:
            answer = d.ask(op, **b) if op else d.s.sendall(b"{}\n")
            if op == "use" and answer.get("ok"):        # TLS is due on this link now: whatever it says to one who has no key
                d.s.sendall(b"no hello\n")
                heard = d.heard + b"".join(iter(lambda: d.s.recv(65536), b""))
                d = Device(address)
                d.heard = heard
    open(path, "wb").write(d.heard)
    return triple


# --- misbehaviour: each returns what must be true of the answer, or fails by assertion

def expect_error(d, code):
    o = d.line()
    assert o is not None and o["error"]["code"] == code, o


def h_binary(a):
    d = Device(a)
    d.s.sendall(bytes(range(256)) * 8 + b"\n")
    expect_error(d, "bad-message")


def h_endless_line(a):
    d = Device(a)
    d.s.sendall(b'{"id":1,"op":"' + b"x" * 200000)
    d.s.sendall(b'"}\n{"id":2,"op":"info"}\n')
    while True:
        o = d.line()
        assert o is not None
        if o.get("id") == 2:
            assert o["ok"], o
            return


def h_deep(a):
    d = Device(a)
    d.s.sendall(b'{"id":1,"op":"info","x":' + b"[" * 4000 + b"]" * 4000 + b"}\n")
    expect_error(d, "bad-message")


def h_duplicate_member(a):
    d = Device(a)
    d.s.sendall(b'{"id":1,"op":"info","device_id":"urn:a","device_id":"urn:b"}\n')
    expect_error(d, "bad-message")


def h_bad_utf8(a):
    d = Device(a)
    d.s.sendall(b'{"id":1,"op":"info","device_id":"\xff\xfe"}\n')
    expect_error(d, "bad-message")


def h_nul(a):
    d = Device(a)
    d.s.sendall(b'{"id":1,"op":"info","device_id":"urn:a\\u0000b"}\n')
    expect_error(d, "bad-message")


def h_wrong_types(a):
    d = Device(a)
    for v in (7, None, True, [], {}, "", "x" * 129, "a b", "urn:gsma:imei:12345678-123456-7"):
        assert d.ask("derive", naf_id="nafkc.kslocal.example/0100000002", device_id=v)["error"]["code"] == "bad-message", v
        assert d.ask("derive", naf_id=v, device_id="urn:a")["error"]["code"] == "bad-message", v


def h_unknown_op(a):
    d = Device(a)
    for op in ("shutdown", "x" * 1000, "renew"):
        assert d.ask(op)["error"]["code"] == "unsupported", op
    assert d.ask("use")["error"]["code"] == "bad-message"


def h_too_many_bad(a):
    d = Device(a)
    n = 0
    try:
        for _ in range(64):
            d.s.sendall(b"nonsense\n")
        while d.line() is not None:
            n += 1
    except (ConnectionResetError, BrokenPipeError):
        pass
    assert n <= 16, n


def h_half_line(a):
    d = Device(a)
    d.s.sendall(b'{"id":1,"op":"in')
    d.s.shutdown(socket.SHUT_WR)
    assert d.line() is None


def h_reset(a):
    d = Device(a)
    d.s.sendall(b'{"id":1,"op":"derive","naf_id":"nafkc.kslocal.example/0100000002","device_id":"urn:reset"}\n' * 3)
    d.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    d.s.close()


def h_never_reads(a):
    d = Device(a)
    d.s.settimeout(1)
    try:
        for i in range(200000):
            d.s.sendall(b'{"id":%d,"op":"info","device_id":"urn:deaf"}\n' % i)
    except (TimeoutError, BrokenPipeError, ConnectionResetError):
        return
    raise AssertionError("a peer that does not read is read for ever")


def h_flood_of_requests(a):
    d = Device(a)
    for i in range(500):
        d.s.sendall(b'{"id":%d,"op":"info","device_id":"urn:flood"}\n' % i)
    seen = set()
    while len(seen) < 500:
        o = d.line()
        assert o is not None
        if "progress" not in o:
            assert o.get("ok") or o["error"]["code"] == "busy", o
            seen.add(o["id"])


def h_same_id_twice(a):
    d = Device(a)
    d.s.sendall(b'{"id":1,"op":"derive","naf_id":"nafkc.kslocal.example/0100000002","device_id":"urn:twice"}\n' * 2)
    codes = [d.line() for _ in range(2)]
    assert any("error" in o and o["error"]["code"] == "bad-message" for o in codes), codes


def h_answers_to_nothing(a):
    d = Device(a)
    d.s.sendall(b'{"id":1,"ok":true}\n{"id":9,"error":{"code":"busy"}}\n{"id":1,"progress":"queued"}\n')
    assert d.ask("info", device_id="urn:a")["ok"]


def h_many_links(a):
    links = []
    for _ in range(400):
        try:
            links.append(connect(a))
        except OSError:
            break
    served = 0
    for s in links:
        try:
            s.sendall(b'{"id":1,"op":"hello"}\n')
            served += bool(s.recv(1))
        except OSError:
            pass
    assert 0 < served <= 256, served
    for s in links:
        s.close()


def h_forget(a):
    d = Device(a)
    t = {"btid": "AAAAAAAAAAAAAAAAAAAAAA==@bsf.example.org", "naf_id": "nafkc.kslocal.example/0100000002", "device_id": "urn:a"}
    assert d.ask("forget", **t)["error"]["code"] == "refused"


HOSTILE = {n[2:]: f for n, f in list(globals().items()) if n.startswith("h_")}


def main():
    verb, args = sys.argv[1], sys.argv[2:]
    if verb == "establish":
        print(json.dumps(establish(args[0], json.load(open(args[1])), args[2], args[3])))
    elif verb == "plain":
        print(json.dumps(establish(args[0], None, args[1], args[2], foreign=True)))
    elif verb == "info":
        print(json.dumps(Device(args[0]).ask("info", device_id=args[1])))
    elif verb == "crowd":
        print("\n".join(map(str, crowd(args[0], args[1], int(args[2])))))
    elif verb == "stale":
        print(json.dumps(stale(args[0], args[1], args[2], int(args[3]))))
    elif verb == "listen-in":
        print(json.dumps(listen_in(args[0], json.load(open(args[1])), args[2], args[3], args[4])))
    elif verb == "hostile" and args[0] == "list":
        print("\n".join(HOSTILE))
    elif verb == "hostile":
        HOSTILE[args[1]](args[0])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
