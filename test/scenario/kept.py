#!/usr/bin/env python3
"""A device's connections to Ua that outlive a decision: kept.py LAB BODY COMMAND...

Posts BODY, keeps the connection and the TLS session, runs COMMAND, and posts BODY again on the kept connection and then on a
new one that resumes the session. Prints one line per answer: "first|kept|resumed STATUS REASON closed|open full|resumed".
"""
import json
import os
import re
import socket
import ssl
import subprocess
import sys


def connect(lab, ctx, session=None):
    host, port = re.match(r"https://([^:/]+):(\d+)/", lab["nafkcd"]["ua"]).groups()
    raw = socket.create_connection((host, int(port)), timeout=20)
    return ctx.wrap_socket(raw, server_hostname=lab["nafkcd"]["naf_id"].split("/")[0], session=session)


def post(s, fqdn, body):
    """Status, reason, and whether the server then ends the connection."""
    s.sendall((f"POST /keycentre/v1/key-request HTTP/1.1\r\nHost: {fqdn}\r\nContent-Type: application/xml\r\n"
               f"Content-Length: {len(body)}\r\n\r\n").encode() + body)
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(65536)
        if not more:
            return 0, "", True
        data += more
    head, rest = data.split(b"\r\n\r\n", 1)
    n = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
    while len(rest) < n:
        rest += s.recv(65536)
    reason = re.search(rb"<reason>(.*?)</reason>", rest)
    closed = re.search(rb"(?i)\r\nconnection: close", head) is not None
    if closed:
        s.settimeout(10)
        closed = s.recv(1) == b""
    return int(head.split()[1]), reason.group(1).decode() if reason else "-", closed


def tell(what, s, fqdn, body):
    status, reason, closed = post(s, fqdn, body)
    print(what, status, reason, "closed" if closed else "open", "resumed" if s.session_reused else "full", flush=True)


def main():
    d, body, command = sys.argv[1], sys.argv[2].encode(), sys.argv[3:]
    with open(os.path.join(d, "lab.json")) as f:
        lab = json.load(f)
    fqdn = lab["nafkcd"]["naf_id"].split("/")[0]
    ctx = ssl.create_default_context(cafile=os.path.join(d, "pki/ca.pem"))
    ctx.load_cert_chain(os.path.join(d, "pki/device.pem"), os.path.join(d, "pki/device.key"))
    kept = connect(lab, ctx)
    tell("first", kept, fqdn, body)
    session = kept.session
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    tell("kept", kept, fqdn, body)
    kept.close()
    again = connect(lab, ctx, session)
    tell("resumed", again, fqdn, body)
    again.close()


if __name__ == "__main__":
    main()
