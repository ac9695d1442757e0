#!/usr/bin/env python3
"""A phone's side of Ub, written from the digest of the specifications alone; standard library and derive.py's arithmetic only.

  ub_client.py [OPTION]... URL SUBSCRIBER        one bootstrapping; prints one JSON object; exits 0 when it got a B-TID, else 1

    --realm NAME      the BSF's name (default: made from the IMPI)
    --username NAME   a TMPI, or any name, instead of the IMPI
    --card FILE       the card's highest SEQ per IND, kept there; without it a fresh card
    --card-seq N      before the run, the card has accepted SEQ N on its every IND (so a BSF behind it meets an AUTS)
    --qop QOP         auth-int (default), auth, none
    --leave-out P     a parameter of the answer that is not sent: algorithm, opaque (several times)
    --agent TEXT      User-Agent (default says 3gpp-gba-tmpi; "" = none)
    --hold            between challenge and answer prints the line "held" and waits for one on standard input
    --spoil WHAT      response: a wrong one; res: computed with the RES a byte off; auts: a wrong AUTS; body: auth-int over another
                      body; twice: the same answer once more, and what that got as "again"
    --step1           stops after the first answer

  In the object: statuses, one per request, and, as far as it came: www (of the last 401), btid, lifetime, rspauth (right?),
  tmpi, kcv (key check value of Ks), resyncs, body (of a refusal), retry_after, server.
"""
import argparse
import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import sys
import urllib.parse
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors"))
import derive  # noqa: E402

DELTA = 1 << 28


class Stop(Exception):
    """The phone gives up; what it has found out is in the report."""


class Card:
    """SEQ array of 32, the order of checks of TS 33.102 C.2."""

    def __init__(self, sub, path=None):
        self.k = bytes.fromhex(sub["k"])
        self.opc = bytes.fromhex(sub["opc"]) if "opc" in sub else derive.opc_from_op(self.k, bytes.fromhex(sub["op"]))
        self.path = path
        self.seq = [0] * 32
        if path and os.path.exists(path):
            self.seq = json.load(open(path))

    def save(self):
        if self.path:
            json.dump(self.seq, open(self.path, "w"))

    def authenticate(self, rand, autn):
        """(res, ck, ik, None), or (None, None, None, auts). Stop: the MAC is wrong."""
        ak = derive.milenage(self.k, self.opc, rand, bytes(6), bytes(2))["ak"]
        sqn, amf, mac = derive.xor(autn[:6], ak), autn[6:8], autn[8:]
        m = derive.milenage(self.k, self.opc, rand, sqn, amf)
        if m["mac_a"] != mac:
            raise Stop("AUTN: wrong MAC")
        n = int.from_bytes(sqn, "big")
        seq, ind = n >> 5, n & 31
        best = max(range(32), key=lambda i: self.seq[i])
        if seq - self.seq[best] > DELTA or seq <= self.seq[ind]:
            sqn_ms = (self.seq[best] << 5 | best).to_bytes(6, "big")
            return None, None, None, derive.auts(self.k, self.opc, rand, sqn_ms)
        self.seq[ind] = seq
        self.save()
        return m["res"], m["ck"], m["ik"], None


def parameters(header):
    """auth-params of a Digest challenge or of Authentication-Info."""
    text = re.sub(r"^\s*Digest\s+", "", header, flags=re.I)
    out, at = {}, 0
    one = re.compile(r'\s*([A-Za-z0-9-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)')
    while at < len(text):
        m = one.match(text, at)
        if not m:
            raise Stop("header: cannot read %r" % text[at:])
        out[m.group(1).lower()] = m.group(2) if m.group(2) is not None else m.group(3)
        at = m.end()
    return out


class Phone:
    def __init__(self, url, sub, args):
        u = urllib.parse.urlsplit(url)
        cls = http.client.HTTPSConnection if u.scheme == "https" else http.client.HTTPConnection
        self.http = cls(u.hostname, u.port, timeout=15)
        self.uri = u.path or "/"
        self.args = args
        self.impi = sub["impi"] if "impi" in sub else derive.impi_from_imsi(sub["imsi"], sub["mnc_length"])
        self.realm = args.realm or derive.bsf_from_impi(self.impi)
        self.username = args.username or self.impi
        self.card = Card(sub, args.card)
        if args.card_seq is not None:
            self.card.seq = [args.card_seq] * 32
        self.report = {"statuses": [], "resyncs": 0}

    def send(self, authorization):
        headers = {"Host": self.realm, "Accept": "*/*", "Authorization": authorization}
        if self.args.agent:
            headers["User-Agent"] = self.args.agent
        try:
            self.http.request("GET", self.uri, headers=headers)
            r = self.http.getresponse()
        except ConnectionError:         # the connection idled out: the conversation need not be on one (ub.md 1)
            self.http.close()
            self.http.request("GET", self.uri, headers=headers)
            r = self.http.getresponse()
        body = r.read()
        self.report["statuses"].append(r.status)
        self.report["server"] = r.getheader("Server")
        return r, body

    def refusal(self, r, body):
        self.report["body"] = body.decode(errors="replace").strip()
        self.report["retry_after"] = r.getheader("Retry-After")

    def ask(self):
        """Step 1: the challenge."""
        r, body = self.send('Digest username="%s", realm="%s", nonce="", uri="%s", response=""' % (self.username, self.realm, self.uri))
        if r.status != 401:
            self.refusal(r, body)
            raise Stop("no challenge: %d" % r.status)
        return self.challenge(r, body)

    def challenge(self, r, body):
        header = r.getheader("WWW-Authenticate")
        if header is None:
            raise Stop("401 without WWW-Authenticate")
        p = parameters(header)
        self.report["www"] = p
        if body:
            self.report["body"] = body.decode(errors="replace").strip()
        if p.get("realm") != self.realm:
            raise Stop("realm %r is not %r" % (p.get("realm"), self.realm))
        if p.get("algorithm", "").upper() != "AKAV1-MD5":
            raise Stop("algorithm %r" % p.get("algorithm"))
        if "auth-int" not in p.get("qop", "").split(","):
            raise Stop("qop %r" % p.get("qop"))
        nonce = base64.b64decode(p["nonce"], validate=True)
        if len(nonce) < 32:
            raise Stop("nonce of %d octets" % len(nonce))
        return p, nonce[:16], nonce[16:32]

    def answer(self, p, password, auts=None):
        """Step 3's header."""
        qop = {"none": b""}.get(self.args.qop, self.args.qop.encode())
        cnonce = os.urandom(16).hex()
        body = b"another body" if self.args.spoil == "body" else b""
        response = derive.digest_response(self.username.encode(), self.realm.encode(), password, p["nonce"].encode(), b"00000001",
                                          cnonce.encode(), qop, b"GET", self.uri.encode(), body)
        if self.args.spoil == "response":
            response = "%032x" % (int(response, 16) ^ 1)
        parts = ['username="%s"' % self.username, 'realm="%s"' % self.realm, 'nonce="%s"' % p["nonce"], 'uri="%s"' % self.uri]
        if qop:
            parts += ["qop=" + qop.decode(), "nc=00000001", 'cnonce="%s"' % cnonce]
        parts.append('response="%s"' % response)
        if "opaque" in p and "opaque" not in self.args.leave_out:
            parts.append('opaque="%s"' % p["opaque"])
        if "algorithm" not in self.args.leave_out:
            parts.append("algorithm=AKAv1-MD5")
        if auts is not None:
            if self.args.spoil == "auts":
                auts = auts[:-1] + bytes([auts[-1] ^ 1])
            parts.append('auts="%s"' % base64.b64encode(auts).decode())
        return "Digest " + ", ".join(parts), cnonce, qop

    def run(self):
        p, rand, autn = self.ask()
        if self.args.step1:
            return
        if self.args.hold:
            print("held", flush=True)
            sys.stdin.readline()
        while True:
            res, ck, ik, auts = self.card.authenticate(rand, autn)
            password = b"" if auts is not None else res
            if self.args.spoil == "res" and auts is None:
                password = bytes([res[0] ^ 1]) + res[1:]
            header, cnonce, qop = self.answer(p, password, auts)
            r, body = self.send(header)
            if auts is None or r.status != 401 or self.report["resyncs"] > 0 or self.args.spoil == "auts":
                break
            self.report["resyncs"] += 1
            p, rand, autn = self.challenge(r, body)
        if r.status != 200:
            if r.status == 401:
                self.challenge(r, body)
            self.refusal(r, body)
            raise Stop("no 200: %d" % r.status)
        self.accept(r, body, p, rand, res, ck, ik, cnonce, qop)
        if self.args.spoil == "twice":
            r, body = self.send(header)
            self.report["again"] = r.status
            if r.status == 401:
                self.challenge(r, body)

    def accept(self, r, body, p, rand, res, ck, ik, cnonce, qop):
        """Step 4: nothing is believed before rspauth was checked."""
        info = parameters(r.getheader("Authentication-Info") or "")
        want = derive.digest_response(self.username.encode(), self.realm.encode(), res, p["nonce"].encode(), b"00000001",
                                      cnonce.encode(), qop, b"", self.uri.encode(), body)
        self.report["rspauth"] = hmac.compare_digest(info.get("rspauth", ""), want)
        if not self.report["rspauth"]:
            raise Stop("rspauth is wrong")
        if qop and (info.get("cnonce"), info.get("nc"), info.get("qop")) != (cnonce, "00000001", qop.decode()):
            raise Stop("Authentication-Info does not echo cnonce, nc and qop")
        if r.getheader("Content-Type") != "application/vnd.3gpp.bsf+xml":
            raise Stop("content type %r" % r.getheader("Content-Type"))
        root = ET.fromstring(body)
        ns = "{uri:3gpp-gba}"
        if root.tag != ns + "BootstrappingInfo":
            raise Stop("root element %r" % root.tag)
        self.report["btid"] = root.find(ns + "btid").text
        self.report["lifetime"] = root.find(ns + "lifetime").text
        if self.report["btid"] != derive.btid(rand, self.realm):
            raise Stop("B-TID is not base64(RAND)@realm")
        self.report["kcv"] = hmac.new(ck + ik, b"kslocal key check", hashlib.sha256).digest()[:6].hex()
        if "3gpp-gba-tmpi" in (self.args.agent or "") and "3gpp-gba-tmpi" in (r.getheader("Server") or ""):
            self.report["tmpi"] = derive.tmpi(ck, ik, rand, self.impi.encode(), self.realm.encode())


def main():
    a = argparse.ArgumentParser(usage=__doc__)
    a.add_argument("url")
    a.add_argument("subscriber")
    for name in ("--realm", "--username", "--card"):
        a.add_argument(name)
    a.add_argument("--card-seq", type=int)
    a.add_argument("--qop", choices=["auth-int", "auth", "none"], default="auth-int")
    a.add_argument("--leave-out", action="append", default=[])
    a.add_argument("--agent", default="Bootstrapping Client Agent; Release-6; 3gpp-gba-tmpi")
    a.add_argument("--spoil", choices=["response", "res", "auts", "body", "twice"])
    for name in ("--hold", "--step1"):
        a.add_argument(name, action="store_true")
    args = a.parse_args()
    phone = Phone(args.url, json.load(open(args.subscriber)), args)
    try:
        phone.run()
    except Stop as e:
        phone.report["stop"] = str(e)
    json.dump(phone.report, sys.stdout)
    print()
    return 0 if "btid" in phone.report and "stop" not in phone.report else 1


if __name__ == "__main__":
    sys.exit(main())
