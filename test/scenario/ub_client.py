#!/usr/bin/env python3
"""A UE's side of Ub, written from the specification (TS 24.109 4, TS 33.220 4.5.2, RFC 3310) and derive.py alone, with Python's own
HTTP client: an outsider that judges bsfd.

  ub_client.py URL SUBSCRIBER [--user NAME] [--resync] [--wrong] [--qop auth|auth-int] [--no-algorithm] [--replay] [--realm NAME]

Prints one JSON object: status (of the last answer), and after 200 btid, lifetime, kcv_ks (check value of Ks), tmpi, rand.
  --resync   the first challenge is answered with AUTS of an SQN that is ahead by 1000
  --wrong    the response is made with a wrong RES
  --replay   the right response is sent a second time
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

TOKEN = "3gpp-gba-tmpi"


class Wrong(Exception):
    pass


def need(condition, text):
    if not condition:
        raise Wrong(text)


def parameters(header):
    need(header is not None and header.startswith("Digest "), "no Digest challenge: %r" % header)
    return {k.lower(): v.strip('"') for k, v in re.findall(r'([A-Za-z-]+)=("[^"]*"|[^,\s]+)', header[len("Digest "):])}


def client(a):
    sub = json.load(open(a.subscriber))
    k, opc = bytes.fromhex(sub["k"]), bytes.fromhex(sub["opc"])
    url = urllib.parse.urlsplit(a.url)
    uri = url.path or "/"
    user = a.user or sub["impi"]
    realm = a.realm or derive.bsf_from_imsi(sub["imsi"], 2)
    conn = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=20)

    def get(authorization):
        conn.request("GET", uri, headers={"Host": realm, "User-Agent": "outsider Release-6 " + TOKEN, "Accept": "*/*", "Authorization": authorization})
        r = conn.getresponse()
        return r, r.read()

    def base(nonce):
        return 'Digest username="%s", realm="%s", nonce="%s", uri="%s"' % (user, realm, nonce, uri)

    r, body = get(base("") + ', response=""')
    out = {"status": r.status}
    if r.status != 401:
        return out
    resync = a.resync
    while True:
        need(TOKEN in r.getheader("Server", ""), "Server lacks the token " + TOKEN)
        c = parameters(r.getheader("WWW-Authenticate"))
        need(c["realm"] == realm, "realm is " + c["realm"])
        need(c["algorithm"] == "AKAv1-MD5", "algorithm is " + c["algorithm"])
        need("auth-int" in c["qop"].split(","), "qop is " + c["qop"])
        nonce = base64.b64decode(c["nonce"], validate=True)
        need(len(nonce) >= 32, "nonce of %d octets" % len(nonce))
        rand, autn = nonce[:16], nonce[16:32]
        m = derive.milenage(k, opc, rand, bytes(6), bytes(2))
        sqn, amf = derive.xor(autn[:6], m["ak"]), autn[6:8]
        m = derive.milenage(k, opc, rand, sqn, amf)
        need(m["mac_a"] == autn[8:], "AUTN's MAC is wrong")
        need(amf[0] & 0x80, "AMF separation bit is not set")
        qop = a.qop
        password, extra = m["res"], ""
        if resync:
            ahead = (int.from_bytes(sqn, "big") + (1000 << 5)).to_bytes(6, "big")
            extra = ', auts="%s"' % base64.b64encode(derive.auts(k, opc, rand, ahead)).decode()
            password = b""
        elif a.wrong:
            password = bytes(len(m["res"]))
        cnonce = os.urandom(16).hex()
        response = derive.digest_response(user.encode(), realm.encode(), password, c["nonce"].encode(), b"00000001", cnonce.encode(), qop.encode(), b"GET",
                                          uri.encode(), b"")
        answer = base(c["nonce"]) + ', qop=%s, nc=00000001, cnonce="%s", response="%s"' % (qop, cnonce, response)
        if "opaque" in c:
            answer += ', opaque="%s"' % c["opaque"]
        if not a.no_algorithm:
            answer += ", algorithm=AKAv1-MD5"
        r, body = get(answer + extra)
        out["status"] = r.status
        if resync:
            need(r.status == 401, "AUTS was answered with %d" % r.status)
            resync = False
            before = int.from_bytes(ahead, "big")
            c2 = base64.b64decode(parameters(r.getheader("WWW-Authenticate"))["nonce"])
            after = int.from_bytes(derive.xor(c2[16:22], derive.milenage(k, opc, c2[:16], bytes(6), bytes(2))["ak"]), "big")
            need(after > before, "SQN after AUTS is not beyond SQN_MS")
            out["resynchronised"] = True
            continue
        break
    if r.status != 200:
        return out
    need(r.getheader("Content-Type", "").split(";")[0] == "application/vnd.3gpp.bsf+xml", "Content-Type is %s" % r.getheader("Content-Type"))
    info = parameters("Digest " + r.getheader("Authentication-Info", ""))
    want = derive.digest_response(user.encode(), realm.encode(), password, c["nonce"].encode(), b"00000001", cnonce.encode(), qop.encode(), b"", uri.encode(), body)
    need(info.get("rspauth") == want, "rspauth is wrong")
    need(info.get("cnonce") == cnonce and info.get("nc") == "00000001", "cnonce or nc is not echoed")
    root = ET.fromstring(body)
    ns = "{uri:3gpp-gba}"
    need(root.tag == ns + "BootstrappingInfo", "root element " + root.tag)
    out["btid"], out["lifetime"] = root.find(ns + "btid").text, root.find(ns + "lifetime").text
    need(out["btid"] == derive.btid(rand, realm), "B-TID %s is not base64(RAND)@%s" % (out["btid"], realm))
    need(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", out["lifetime"]) is not None, "lifetime " + out["lifetime"])
    out["kcv_ks"] = hmac.new(m["ck"] + m["ik"], b"kslocal key check", hashlib.sha256).digest()[:6].hex()
    out["tmpi"] = derive.tmpi(m["ck"], m["ik"], rand, sub["impi"].encode(), realm.encode())
    if a.replay:
        r, body = get(answer)
        out["replay_status"] = r.status
    return out


def main():
    p = argparse.ArgumentParser()
    p.add_argument("url")
    p.add_argument("subscriber")
    p.add_argument("--user")
    p.add_argument("--realm")
    p.add_argument("--qop", default="auth-int")
    for flag in ("--resync", "--wrong", "--replay", "--no-algorithm"):
        p.add_argument(flag, action="store_true")
    try:
        print(json.dumps(client(p.parse_args())))
    except Wrong as e:
        sys.exit("ub_client: %s" % e)


main()
