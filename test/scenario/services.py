#!/usr/bin/env python3
"""Services behind an MT, and users of them at a device, for tests of tunnels. Python's own sockets alone.

  services.py serve FILE              listens on free ports of loopback; FILE gets "sink=PORT drop=PORT echo=PORT …", whole;
                                      FILE.log a line "SERVICE end" or "SERVICE cut" for each connection; ends with SIGTERM
      sink     reads to the end, then says "OCTETS SHA256\\n" and ends
      drop     reads to the end, then says "OCTETS\\n" and ends: nothing else costs time
      echo     gives back what comes, and its end
      source   reads a line "OCTETS SEED\\n", says that many octets, and ends
      reset    reads 5 octets, then resets the connection (SO_LINGER 0)
  services.py sink ADDRESS OCTETS SEED    pours octets into it; prints "whole" or what is wrong, and MiB/s
  services.py drop ADDRESS OCTETS         pours zeros into it; prints MiB/s
  services.py echo ADDRESS N OCTETS       N connections at once; prints "N whole"
  services.py source ADDRESS OCTETS SEED  half-closes at once, then reads; prints "whole" or what is wrong
  services.py reset ADDRESS               prints "reset" when the service's reset arrives, else what came
  services.py cut ADDRESS                 sends, resets the connection itself
  services.py closed ADDRESS              prints "closed" when a connection ends without an octet (unknown service, refused)
  services.py hold ADDRESS FILE           keeps an echo connection open: a line in, the echo out; FILE gets "ready"; ends when stdin ends
  ADDRESS: HOST:PORT or /path
"""
import asyncio
import hashlib
import os
import socket
import struct
import sys
import time

TIMEOUT_S = 120
PIECE = 65536


def stream_of(seed):
    """Octets without end that no mistake in order or number leaves as they are."""
    n = 0
    block = hashlib.sha256(seed.encode()).digest() * (PIECE // 32)
    while True:
        yield struct.pack(">Q", n) + block[8:]
        n += 1


def octets(n, seed):
    for b in stream_of(seed):
        if n <= 0:
            return
        yield b[:n]
        n -= len(b)


# --- serving

async def sink(r, w):
    h, n = hashlib.sha256(), 0
    while b := await r.read(PIECE):
        h.update(b)
        n += len(b)
    w.write(f"{n} {h.hexdigest()}\n".encode())


async def drop(r, w):
    n = 0
    while b := await r.read(16 * PIECE):
        n += len(b)
    w.write(f"{n}\n".encode())


async def echo(r, w):
    while b := await r.read(PIECE):
        w.write(b)
        await w.drain()


async def source(r, w):
    n, seed = (await r.readline()).decode().split()
    for b in octets(int(n), seed):
        w.write(b)
        await w.drain()


async def reset(r, w):
    await r.readexactly(5)
    w.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    w.transport.abort()


async def serve(path):
    log = open(path + ".log", "w", buffering=1)

    def handler(fn):
        async def on(r, w):
            try:
                await fn(r, w)
                await w.drain()
                w.close()
                log.write(fn.__name__ + " end\n")
            except (OSError, asyncio.IncompleteReadError):
                w.transport.abort()
                log.write(fn.__name__ + " cut\n")
        return on

    servers = {f.__name__: await asyncio.start_server(handler(f), "127.0.0.1", 0, limit=16 * PIECE) for f in (sink, drop, echo, source, reset)}
    text = " ".join(f"{k}={s.sockets[0].getsockname()[1]}" for k, s in servers.items())
    with open(path + ".new", "w") as f:
        f.write(text + "\n")
    os.rename(path + ".new", path)
    await asyncio.gather(*(s.serve_forever() for s in servers.values()))


# --- using

def connect(address):
    if address.startswith("/"):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(TIMEOUT_S)
        s.connect(address)
        return s
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), TIMEOUT_S)


def rest(s):
    got = bytearray()
    while b := s.recv(PIECE):
        got += b
    return bytes(got)


def use_sink(address, n, seed):
    h = hashlib.sha256()
    for b in octets(n, seed):
        h.update(b)
    s = connect(address)
    t0 = time.monotonic()
    for b in octets(n, seed):
        s.sendall(b)
    s.shutdown(socket.SHUT_WR)
    said = rest(s).decode().split()
    t = time.monotonic() - t0
    print("whole" if said == [str(n), h.hexdigest()] else f"said {said}, not {n} {h.hexdigest()}", f"{n / 1048576 / t:.1f} MiB/s")


def use_drop(address, n):
    zeros = memoryview(bytes(16 * PIECE))
    s = connect(address)
    t0 = time.monotonic()
    for at in range(0, n, len(zeros)):
        s.sendall(zeros[:n - at])
    s.shutdown(socket.SHUT_WR)
    said = int(rest(s))
    print(f"{n / 1048576 / (time.monotonic() - t0):.0f}" if said == n else f"only {said} octets")


def use_source(address, n, seed):
    s = connect(address)
    s.sendall(f"{n} {seed}\n".encode())
    s.shutdown(socket.SHUT_WR)
    got = hashlib.sha256(rest(s)).hexdigest()
    want = hashlib.sha256(b"".join(octets(n, seed))).hexdigest()
    print("whole" if got == want else f"{got}, not {want}")


async def use_echo(address, n, size):
    async def one(i):
        if address.startswith("/"):
            r, w = await asyncio.open_unix_connection(address)
        else:
            r, w = await asyncio.open_connection(*address.rsplit(":", 1))
        want = b"".join(octets(size, f"echo {i}"))

        async def say():
            for at in range(0, len(want), PIECE):
                w.write(want[at:at + PIECE])
                await w.drain()
            w.write_eof()
        task = asyncio.create_task(say())
        got = await r.read()
        await task
        w.close()
        return got == want
    print(sum(await asyncio.gather(*(one(i) for i in range(n)))), "whole")


def use_reset(address):
    s = connect(address)
    try:
        s.sendall(b"12345")
        got = rest(s)
        print(f"{len(got)} octets and an end")
    except ConnectionResetError:
        print("reset")


def use_cut(address):
    s = connect(address)
    s.sendall(b"half a word")
    assert s.recv(100)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    print("cut")


def use_closed(address):
    try:
        got = rest(connect(address))
    except ConnectionResetError:
        got = b""
    print("closed" if not got else f"{len(got)} octets")


def use_hold(address, path):
    s = connect(address)
    with open(path, "w") as f:
        f.write("ready\n")
    r = s.makefile("r")
    for line in sys.stdin:
        s.sendall(line.encode())
        print(r.readline(), end="", flush=True)
    s.shutdown(socket.SHUT_WR)
    print("end" if r.readline() == "" else "more", flush=True)


def main(argv):
    what, rest_ = argv[1], argv[2:]
    if what == "serve":
        try:
            asyncio.run(serve(rest_[0]))
        except KeyboardInterrupt:
            pass
    elif what == "sink":
        use_sink(rest_[0], int(rest_[1]), rest_[2])
    elif what == "drop":
        use_drop(rest_[0], int(rest_[1]))
    elif what == "source":
        use_source(rest_[0], int(rest_[1]), rest_[2])
    elif what == "echo":
        asyncio.run(asyncio.wait_for(use_echo(rest_[0], int(rest_[1]), int(rest_[2])), TIMEOUT_S))
    elif what == "reset":
        use_reset(rest_[0])
    elif what == "cut":
        use_cut(rest_[0])
    elif what == "closed":
        use_closed(rest_[0])
    elif what == "hold":
        use_hold(*rest_)
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv)
