#!/usr/bin/env python3
"""echo_client.py HOST:PORT|/PATH TEXT: sends TEXT, ends sending, prints what comes until the end. Exit 1: reset, or nothing within 20 s."""
import socket
import sys

at, text = sys.argv[1:]
try:
    if at.startswith("/"):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(at)
    else:
        host, port = at.rsplit(":", 1)
        s = socket.create_connection((host.strip("[]"), int(port)), 20)
    s.sendall(text.encode())
    s.shutdown(socket.SHUT_WR)
    got = b""
    while data := s.recv(65536):
        got += data
except OSError as e:
    print(e, file=sys.stderr)
    sys.exit(1)
if not got:
    sys.exit(1)
print(got.decode())
