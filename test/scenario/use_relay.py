#!/usr/bin/env python3
"""A device's first words on the local interface, for tools that only speak TLS: for each connection it dials the MT, says hello and
use, and then pipes octets both ways, whatever they are.

  use_relay.py ADDRESS BTID NAF_ID DEVICE_ID      ADDRESS: tcp:HOST:PORT or unix:/path

Prints "HOST:PORT", where it listens, then one line for each connection: "piped", or the MT's error as JSON.
"""
import json
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conform"))
import local_client  # noqa: E402


def pump(a, b):
    try:
        while True:
            octets = a.recv(65536)
            if not octets:
                break
            b.sendall(octets)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def serve(client, address, triple):
    mt = local_client.Device(address)
    hello = mt.ask("hello", version=1, role="device", device_id_kind="fixed")
    assert hello["ok"], hello
    used = mt.ask("use", **triple)
    if "error" in used:
        print(json.dumps(used["error"]), flush=True)
        client.close()
        return
    assert mt.buf == b"", "octets behind the ok"
    mt.s.settimeout(None)
    print("piped", flush=True)
    back = threading.Thread(target=pump, args=(mt.s, client))
    back.start()
    pump(client, mt.s)
    back.join()
    client.close()
    mt.s.close()


def main(argv):
    if len(argv) != 5:
        sys.exit(__doc__)
    triple = {"btid": argv[2], "naf_id": argv[3], "device_id": argv[4]}
    listener = socket.create_server(("127.0.0.1", 0))
    print("%s:%u" % listener.getsockname(), flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, argv[1], triple), daemon=True).start()


if __name__ == "__main__":
    main(sys.argv)
