#!/usr/bin/env python3
"""How fast octets go through a tunnel, beside openssl s_client and s_server with a PSK.

  test/bench/tunnel.py [MIB]        default 400; BIN: the programs, default build/plain

Each line: MiB/s, and processor time for a GiB of what carries the octets (not of who makes and drops them), both also as multiples of
openssl's. "whole" is from a user's socket at the device by extdevd, the link and mtd to the service's socket: two daemons and two more
sockets than openssl has.
"""
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("BIN", os.path.join(ROOT, "build/plain"))
PEER = os.path.join(BIN, "bench/tunnel_peer")
SERVICES = os.path.join(ROOT, "test/scenario/services.py")
HZ = os.sysconf("SC_CLK_TCK")
PIECE = bytes(1 << 20)
base = None


def report(what, mib, seconds, cpu):
    global base
    speed, cost = mib / seconds, max(cpu, 1 / HZ) * 1024 / mib
    base = base or (speed, cost)
    print(f"{what:<44} {speed:7.0f} MiB/s ({speed / base[0]:4.2f})   {cost:6.2f} s/GiB ({cost / base[1]:4.2f})", flush=True)


def cpu_of(*pids):
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / HZ


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what):
    for _ in range(400):
        if what():
            return
        time.sleep(0.05)
    raise SystemExit("bench: waited in vain")


def listens(port):
    with open("/proc/net/tcp") as f:
        return re.search(f":{port:04X} \\S+ 0A ", f.read()) is not None


def openssl(mib):
    port, key = free_port(), secrets.token_hex(32)
    psk = ["-tls1_3", "-psk", key, "-psk_identity", "bench", "-quiet"]
    server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-nocert", "-naccept", "1", "-ciphersuites",
                               "TLS_AES_128_GCM_SHA256", *psk], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    wait_for(lambda: listens(port))
    client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *psk],
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pour = subprocess.Popen([sys.executable, "-c", "import sys\nfor _ in range(int(sys.argv[1])): sys.stdout.buffer.write(bytes(1 << 20))",
                             str(mib)], stdout=client.stdin)
    client.stdin.close()
    t0, n, cpu = time.monotonic(), 0, 0
    while n < mib << 20:
        b = os.read(server.stdout.fileno(), 1 << 20)
        if not b:
            raise SystemExit("bench: openssl ended early")
        n += len(b)
        if n >= mib << 20:
            cpu = cpu_of(server.pid) + cpu_of(client.pid)
    t = time.monotonic() - t0
    for p in (pour, client, server):
        p.kill()
        p.wait()
    report("openssl s_client to s_server, TCP", mib, t, cpu)


def peers(mib, options, address, streams, what):
    server = subprocess.Popen([PEER, *options, "serve", address], stdout=subprocess.PIPE, text=True)
    address = server.stdout.readline().split()[1]
    client = subprocess.Popen([PEER, *options, "pour", address, str(mib), str(streams)], stdout=subprocess.PIPE, text=True)
    said = client.stdout.read().split()
    _, status, used = os.wait4(client.pid, 0)
    if status != 0:
        raise SystemExit("bench: tunnel_peer failed")
    report(what, mib, float(said[0]), used.ru_utime + used.ru_stime + cpu_of(server.pid))
    server.kill()
    server.wait()


def whole(mib, link, tmp):
    lab = os.path.join(tmp, link)
    run = [os.path.join(ROOT, "scripts/lab"), "--dir", lab]
    ports = os.path.join(tmp, "ports-" + link)
    env = dict(os.environ, KSLOCAL_BIN=os.path.join(BIN, "bin"))
    services = subprocess.Popen([SERVICES, "serve", ports])
    try:
        wait_for(lambda: os.path.exists(ports))
        with open(ports) as f:
            drop = re.search(r"drop=(\d+)", f.read()).group(1)
        subprocess.run([*run, "up", "--link", link, "--service", f"drop=127.0.0.1:{drop}"], env=env, check=True, stdout=subprocess.DEVNULL)
        ksctl = [os.path.join(BIN, "bin/ksctl"), "--lab", lab, "--json", "extdevd"]
        subprocess.run([*ksctl, "establish"], env=env, check=True, stdout=subprocess.DEVNULL)
        wait_for(lambda: b'"up"' in subprocess.run([*ksctl, "tunnel", "list"], env=env, check=True, stdout=subprocess.PIPE).stdout)
        status = json.loads(subprocess.run([*run, "status", "--json"], env=env, check=True, stdout=subprocess.PIPE).stdout)
        text = subprocess.run([*run, "status"], env=env, check=True, stdout=subprocess.PIPE, text=True).stdout
        pids = [re.search(rf"^{d} .*pid (\d+)", text, re.M).group(1) for d in ("extdevd", "mtd")]
        before = cpu_of(*pids)
        said = subprocess.run([SERVICES, "drop", status["extdevd"]["services"]["drop"], str(mib << 20)], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        report(f"whole, {link} link", mib, mib / float(said), cpu_of(*pids) - before)
    finally:
        services.kill()
        services.wait()
        subprocess.run([*run, "down", "--delete"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main():
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    with tempfile.TemporaryDirectory(prefix="kslocal-bench-") as tmp:
        openssl(mib)
        unix = "unix:" + os.path.join(tmp, "s")
        peers(mib, ["--psk"], "tcp:127.0.0.1:0", 1, "a tunnel alone, TCP, 1 stream")
        peers(mib, ["--psk"], unix, 1, "a tunnel alone, UNIX socket, 1 stream")
        peers(mib, ["--psk"], unix, 50, "a tunnel alone, UNIX socket, 50 streams")
        peers(mib, [], unix, 1, "the same without TLS, 1 stream")
        for link in ("unix", "tcp"):
            whole(mib, link, tmp)


if __name__ == "__main__":
    main()
