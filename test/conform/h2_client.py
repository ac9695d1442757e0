#!/usr/bin/python3
"""An HTTP/2 client on python3-h2, which knows nothing of kslocal but RFC 9113 8.5: CONNECT with a service's name as :authority.
It runs on Debian's own Python, for which python3-h2 is packaged.

  h2_client.py ADDRESS status AUTHORITY...   prints the status of a CONNECT to each
  h2_client.py ADDRESS get                   prints the status of a GET, and of a CONNECT with :path ("reset" if it is reset)
  h2_client.py ADDRESS echo N OCTETS         N streams to `echo` at once, OCTETS each, half-closed at the end; prints "N whole"
  h2_client.py ADDRESS early                 octets and END_STREAM straight after the head, without waiting for the 200; prints the echo
  h2_client.py ADDRESS reset                 RST_STREAM in mid-stream; then a stream that works; prints "works"
  h2_client.py ADDRESS greedy                reads nothing of one stream's echo for a while; prints how many octets came at most
  h2_client.py ADDRESS flood                 opens and resets as fast as it can; prints the error of the GOAWAY
  h2_client.py ADDRESS ping                  prints "pong"
  --record FILE before ADDRESS: what was sent and what came goes to FILE.sent and FILE.came
"""
import hashlib
import socket
import sys

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

TIMEOUT_S = 20


class Client:
    def __init__(self, address, record=None):
        kind, rest = address.split(":", 1)
        if kind == "unix":
            self.s = socket.socket(socket.AF_UNIX)
            self.s.settimeout(TIMEOUT_S)
            self.s.connect(rest)
        else:
            host, port = rest.rsplit(":", 1)
            self.s = socket.create_connection((host, int(port)), TIMEOUT_S)
        self.record = record
        self.sent = self.came = b""
        self.c = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8",
                                                                      validate_outbound_headers=False))
        self.c.initiate_connection()
        self.status, self.ended, self.resets, self.got = {}, set(), {}, {}
        self.goaway = None
        self.pongs = 0
        self.hungry = set()         # streams whose window is not given back
        self.flush()
        while not self.c.remote_settings.max_concurrent_streams or self.c.remote_settings.max_concurrent_streams > 10000:
            self.turn()

    def flush(self):
        out = self.c.data_to_send()
        if self.record:
            self.sent += out
        self.s.sendall(out)

    def turn(self):
        """Waits for octets and works on them; False at the end."""
        octets = self.s.recv(65536)
        if self.record:
            self.came += octets
        if not octets:
            return False
        for e in self.c.receive_data(octets):
            if isinstance(e, h2.events.ResponseReceived):
                self.status[e.stream_id] = dict(e.headers)[":status"]
            elif isinstance(e, h2.events.DataReceived):
                self.got[e.stream_id] = self.got.get(e.stream_id, b"") + e.data
                if e.stream_id not in self.hungry:
                    self.c.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
                else:
                    self.c.increment_flow_control_window(e.flow_controlled_length)
            elif isinstance(e, h2.events.StreamEnded):
                self.ended.add(e.stream_id)
            elif isinstance(e, h2.events.StreamReset):
                self.resets[e.stream_id] = e.error_code
            elif isinstance(e, h2.events.ConnectionTerminated):
                self.goaway = e.error_code
            elif isinstance(e, h2.events.PingAckReceived):
                self.pongs += 1
        self.flush()
        return True

    def until(self, what):
        while not what():
            if not self.turn():
                raise SystemExit("h2_client: the connection ended")

    def head(self, fields):
        sid = self.c.get_next_available_stream_id()
        self.c.send_headers(sid, fields)
        self.flush()
        return sid

    def connect(self, authority):
        return self.head([(":method", "CONNECT"), (":authority", authority)])

    def answer(self, sid):
        self.until(lambda: sid in self.status or sid in self.resets)
        return self.status.get(sid, "reset")

    def window(self, sid):
        return min(self.c.local_flow_control_window(sid), self.c.max_outbound_frame_size)

    def end(self):
        if self.record:
            for kind in ("sent", "came"):
                with open(self.record + "." + kind, "wb") as f:
                    f.write(getattr(self, kind))


def octets_of(sid, n):
    block = hashlib.sha256(str(sid).encode()).digest()
    return (block * (n // len(block) + 1))[:n]


def echo(c, n, size):
    streams = [c.connect("echo") for _ in range(n)]
    for sid in streams:
        assert c.answer(sid) == "200", c.status
    left = {sid: octets_of(sid, size) for sid in streams}
    while left:
        moved = False
        for sid in list(left):
            k = min(c.window(sid), len(left[sid]))
            if k == 0 and left[sid]:
                continue
            moved = True
            c.c.send_data(sid, left[sid][:k], end_stream=k == len(left[sid]))
            left[sid] = left[sid][k:]
            if not left[sid]:
                del left[sid]
        c.flush()
        if not moved:
            c.turn()
    c.until(lambda: all(sid in c.ended for sid in streams))
    return sum(c.got.get(sid, b"") == octets_of(sid, size) for sid in streams)


def greedy(c):
    """Our window for a stream is 65,535 octets: no more may come, though the echo has more to say; another stream works meanwhile."""
    sid = c.connect("echo")
    c.answer(sid)
    c.hungry.add(sid)
    sent = 0
    while sent < 200000:
        k = min(c.window(sid), 200000 - sent)
        if k == 0:
            break
        c.c.send_data(sid, b"x" * k)
        sent += k
        c.flush()
    c.until(lambda: len(c.got.get(sid, b"")) >= 65535)
    assert echo(c, 1, 100000) == 1
    return len(c.got[sid])


def flood(c):
    try:
        for _ in range(20000):
            sid = c.connect("echo")
            c.c.reset_stream(sid, h2.errors.ErrorCodes.CANCEL)
            c.flush()
    except (OSError, h2.exceptions.H2Error):
        pass
    try:
        while c.goaway is None and c.turn():
            pass
    except (OSError, h2.exceptions.H2Error):
        pass
    return "none" if c.goaway is None else h2.errors.ErrorCodes(c.goaway).name


def main(argv):
    record = None
    if argv[1] == "--record":
        record = argv[2]
        argv = argv[2:]
    c = Client(argv[1], record)
    what, rest = argv[2], argv[3:]
    if what == "status":
        print(" ".join(c.answer(c.connect(a)) for a in rest))
    elif what == "get":
        get = c.head([(":method", "GET"), (":scheme", "http"), (":authority", "echo"), (":path", "/")])
        both = c.head([(":method", "CONNECT"), (":scheme", "http"), (":authority", "echo"), (":path", "/")])
        print(c.answer(get), c.answer(both), c.answer(c.connect("echo")))
    elif what == "echo":
        print(echo(c, int(rest[0]), int(rest[1])), "whole")
    elif what == "early":
        sid = c.connect("echo")
        c.c.send_data(sid, b"early", end_stream=True)
        c.flush()
        c.until(lambda: sid in c.ended)
        print(c.got[sid].decode())
    elif what == "reset":
        sid = c.connect("echo")
        c.answer(sid)
        c.c.send_data(sid, b"half a word")
        c.c.reset_stream(sid, h2.errors.ErrorCodes.CANCEL)
        c.flush()
        assert echo(c, 1, 10) == 1
        print("works")
    elif what == "greedy":
        print(greedy(c))
    elif what == "flood":
        print(flood(c))
    elif what == "ping":
        c.c.ping(b"12345678")
        c.flush()
        c.until(lambda: c.pongs == 1)
        print("pong")
    else:
        raise SystemExit(__doc__)
    c.end()


if __name__ == "__main__":
    main(sys.argv)
