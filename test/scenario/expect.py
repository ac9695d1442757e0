#!/usr/bin/env python3
"""What an outsider can work out about a lab, from D/subscriber.json and public identifiers, with derive.py's functions.

  expect.py kcv     SUBSCRIBER BTID NAF_ID DEVICE_ID            the key check value of Ks_local_MT
  expect.py key     SUBSCRIBER BTID NAF_ID DEVICE_ID            Ks_local_MT in hex (tests of foreign clients)
  expect.py use-key SUBSCRIBER BTID NAF_ID DEVICE_ID            what `use` makes of it (U2): the PSK in hex and its identity
  expect.py app-key SUBSCRIBER BTID NAF_ID DEVICE_ID APP        an application's key in hex (U7)
  expect.py naf-key SUBSCRIBER BTID NAF_ID                      Ks_NAF in hex (what Zn must bring)
  expect.py kcv-of  BASE64                                      the key check value of a key that was delivered
  expect.py search  SUBSCRIBER TRIPLES FILE...                  TRIPLES: lines "BTID NAF_ID DEVICE_ID"; looks for every secret
                                                                of these runs in the files, raw, hex and base64; exits 1 when
                                                                one is found, and says where. "-" among FILE: also the list
                                                                of names of what is looked for
"""
import base64
import hashlib
import hmac
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors"))
import derive  # noqa: E402


def naf_octets(naf_id):
    fqdn, protocol = naf_id.split("/")
    return fqdn.encode() + bytes.fromhex(protocol)


def secrets(sub, btid, naf_id, device_id):
    k, opc = bytes.fromhex(sub["k"]), bytes.fromhex(sub["opc"])
    rand = base64.b64decode(btid.split("@")[0], validate=True)
    m = derive.milenage(k, opc, rand, bytes(6), bytes(2))       # CK, IK, RES, AK do not depend on SQN
    naf = naf_octets(naf_id)
    ks_naf = derive.ks_naf(m["ck"], m["ik"], rand, sub["impi"].encode(), naf)
    ks_int_naf = derive.kdf(m["ck"] + m["ik"], b"\x01", [b"gba-u", rand, sub["impi"].encode(), naf])
    local = derive.kdf(ks_naf, b"\xff\xfe", [b"ks_local_device", btid.encode(), naf, device_id.encode()])
    confirm = derive.kdf(local, b"\xff\xfd", [b"ks_local_device_appl", b"kslocal-confirm"])
    return {"K": k, "OPc": opc, "CK": m["ck"], "IK": m["ik"], "RES": m["res"], "Ks": m["ck"] + m["ik"], "Ks_NAF": ks_naf,
            "Ks_int_NAF": ks_int_naf, "Ks_local_MT": local, "confirm key": confirm}


def use_key(local):
    """RULES U2, W5."""
    psk, name = (derive.kdf(local, b"\xff\xfd", [b"ks_local_device_appl", app]) for app in (b"kslocal-tls", b"kslocal-psk-id"))
    return psk.hex(), "kslocal1." + base64.urlsafe_b64encode(name[:16]).decode().rstrip("=")


def kcv(key):
    return hmac.new(key, b"kslocal key check", hashlib.sha256).digest()[:6].hex()


def spellings(v):
    """Every way an octet string may lie in a file: raw, hex, and base64 at each of the three offsets it can have there."""
    yield "raw", v
    yield "hex", v.hex().encode()
    yield "HEX", v.hex().upper().encode()
    for shift in range(3):
        inner = base64.b64encode(bytes(shift) + v)
        inner = inner[(0, 2, 3)[shift]:len(inner.rstrip(b"=")) - 1]     # what does not depend on neighbours
        yield "base64", inner
        yield "base64url", inner.translate(bytes.maketrans(b"+/", b"-_"))


def search(sub, triples, files):
    wanted = {}
    for line in open(triples):
        for name, v in secrets(sub, *line.split()).items():
            for how, octets in spellings(v):
                wanted[octets] = "%s (%s)" % (name, how)
    found = 0
    for f in files:
        data = open(f, "rb").read()
        for octets, what in wanted.items():
            at = data.find(octets)
            if at >= 0:
                print("%s: octet %d: %s" % (f, at, what))
                found = 1
    print("%d files searched for %d spellings" % (len(files), len(wanted)))
    return found


def main(argv):
    if len(argv) == 3 and argv[1] == "kcv-of":
        print(kcv(base64.b64decode(argv[2], validate=True)))
    elif len(argv) == 6 and argv[1] in ("kcv", "key"):
        local = secrets(json.load(open(argv[2])), *argv[3:])["Ks_local_MT"]
        print(kcv(local) if argv[1] == "kcv" else local.hex())
    elif len(argv) == 6 and argv[1] == "use-key":
        print(*use_key(secrets(json.load(open(argv[2])), *argv[3:])["Ks_local_MT"]))
    elif len(argv) == 7 and argv[1] == "app-key":
        local = secrets(json.load(open(argv[2])), *argv[3:6])["Ks_local_MT"]
        print(derive.kdf(local, b"\xff\xfd", [b"ks_local_device_appl", argv[6].encode()]).hex())
    elif len(argv) == 5 and argv[1] == "naf-key":
        print(secrets(json.load(open(argv[2])), argv[3], argv[4], "")["Ks_NAF"].hex())
    elif len(argv) > 4 and argv[1] == "search":
        return search(json.load(open(argv[2])), argv[3], argv[4:])
    else:
        sys.exit(__doc__)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
