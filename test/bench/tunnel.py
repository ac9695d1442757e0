#!/usr/bin/env python3
"""How fast octets go through a tunnel, beside others that carry the same octets on the same machine.

  test/bench/tunnel.py [--json FILE] [MIB [RUNS]]        default 300 MiB, 7 runs; BIN: the programs, default build/plain

Every run measures each of them once, one after the other; a ratio is of the same run's two figures. Printed: median and spread of MiB/s,
of processor time for a GiB of what carries the octets (not of who makes and drops them), and of the ratios. FILE gets the ratios as a list of
name, ratio (the median), bound (null: only shown), sense, met, runs.

  whole     a user's socket, extdevd, the link, mtd, the service's socket
  stunnel   a user's socket, stunnel, a UNIX socket, stunnel, the service's socket: what whole is, without keys, streams and HTTP/2
  openssl   s_client to s_server by TCP: two sockets less than whole
  tunnel    a tunnel alone between two processes that make and drop the octets themselves: like openssl
All: TLS 1.3, a PSK, TLS_AES_128_GCM_SHA256.
"""
import argparse
import contextlib
import json
import os
import re
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("BIN", os.path.join(ROOT, "build/plain"))
PEER = os.path.join(BIN, "bench/tunnel_peer")
SERVICES = os.path.join(ROOT, "test/scenario/services.py")
SUITE = "TLS_AES_128_GCM_SHA256"
HZ = os.sysconf("SC_CLK_TCK")

# name; of what; against what; which figure; bound
RATIOS = (
    ("tunnel, UNIX link, one stream: speed against openssl", "tunnel unix", "openssl", 0, 1.0),
    ("tunnel, UNIX link, one stream: CPU per octet against openssl", "tunnel unix", "openssl", 1, None),
    ("whole path, UNIX link, one stream: speed against stunnel", "whole unix", "stunnel", 0, 1.0),
    ("whole path, UNIX link, one stream: CPU per octet against stunnel", "whole unix", "stunnel", 1, 1.0),
    ("whole path, UNIX link, one stream: speed against openssl", "whole unix", "openssl", 0, None),
    ("whole path, UNIX link, one stream: CPU per octet against openssl", "whole unix", "openssl", 1, None),
    ("whole path, TCP link, one stream: speed against stunnel", "whole tcp", "stunnel", 0, None),
    ("whole path, TCP link, one stream: CPU per octet against stunnel", "whole tcp", "stunnel", 1, None),
)


def cpu_of(*pids):
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / HZ


def figures(mib, seconds, cpu):
    return mib / seconds, max(cpu, 1 / HZ) * 1024 / mib


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
                               SUITE, *psk], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
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
    return figures(mib, t, cpu)


def peers(mib, options, address, streams):
    server = subprocess.Popen([PEER, *options, "serve", address], stdout=subprocess.PIPE, text=True)
    address = server.stdout.readline().split()[1]
    client = subprocess.Popen([PEER, *options, "pour", address, str(mib), str(streams)], stdout=subprocess.PIPE, text=True)
    said = client.stdout.read().split()
    _, status, used = os.wait4(client.pid, 0)
    if status != 0:
        raise SystemExit("bench: tunnel_peer failed")
    out = figures(mib, float(said[0]), used.ru_utime + used.ru_stime + cpu_of(server.pid))
    server.kill()
    server.wait()
    return out


def pour(mib, address, pids):
    before = cpu_of(*pids)
    said = subprocess.run([SERVICES, "drop", address, str(mib << 20)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return figures(mib, mib / float(said), cpu_of(*pids) - before)


@contextlib.contextmanager
def service(tmp):
    """Who drops what arrives: its port."""
    ports = os.path.join(tmp, "ports")
    p = subprocess.Popen([SERVICES, "serve", ports])
    try:
        wait_for(lambda: os.path.exists(ports))
        with open(ports) as f:
            yield int(re.search(r"drop=(\d+)", f.read()).group(1))
    finally:
        p.kill()
        p.wait()


@contextlib.contextmanager
def stunnels(tmp, drop):
    """Two stunnels that stand: where a user connects to, and who they are."""
    port, link, psk = free_port(), os.path.join(tmp, "stunnel.sock"), os.path.join(tmp, "stunnel.psk")
    with open(os.open(psk, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
        f.write("bench:" + secrets.token_hex(32) + "\n")
    common = f"foreground = yes\npid =\ndebug = err\n[bench]\nsslVersion = TLSv1.3\nciphersuites = {SUITE}\nPSKsecrets = {psk}\n"
    running = []
    try:
        for name, own, up in (
                ("server", f"accept = {link}\nconnect = 127.0.0.1:{drop}\n", lambda: os.path.exists(link)),
                ("client", f"client = yes\nPSKidentity = bench\naccept = 127.0.0.1:{port}\nconnect = {link}\n", lambda: listens(port))):
            conf = os.path.join(tmp, f"stunnel-{name}.conf")
            with open(conf, "w") as f:
                f.write(common + own)
            running.append(subprocess.Popen(["stunnel", conf], stderr=subprocess.DEVNULL))
            wait_for(up)
        yield f"127.0.0.1:{port}", [p.pid for p in running]
    finally:
        for p in running:
            p.kill()
            p.wait()


@contextlib.contextmanager
def lab(tmp, drop, link):
    """A lab whose tunnel stands: where a user connects to, and who carries."""
    run = [os.path.join(ROOT, "scripts/lab"), "--dir", os.path.join(tmp, link)]
    env = dict(os.environ, KSLOCAL_BIN=os.path.join(BIN, "bin"))
    try:
        subprocess.run([*run, "up", "--link", link, "--service", f"drop=127.0.0.1:{drop}"], env=env, check=True, stdout=subprocess.DEVNULL)
        ksctl = [os.path.join(BIN, "bin/ksctl"), "--lab", os.path.join(tmp, link), "--json", "extdevd"]
        subprocess.run([*ksctl, "establish"], env=env, check=True, stdout=subprocess.DEVNULL)
        wait_for(lambda: b'"up"' in subprocess.run([*ksctl, "tunnel", "list"], env=env, check=True, stdout=subprocess.PIPE).stdout)
        status = json.loads(subprocess.run([*run, "status", "--json"], env=env, check=True, stdout=subprocess.PIPE).stdout)
        text = subprocess.run([*run, "status"], env=env, check=True, stdout=subprocess.PIPE, text=True).stdout
        yield status["extdevd"]["services"]["drop"], [re.search(rf"^{d} .*pid (\d+)", text, re.M).group(1) for d in ("extdevd", "mtd")]
    finally:
        subprocess.run([*run, "down", "--delete"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure(mib, runs, tmp):
    """{name: [(MiB/s, s/GiB) of each run]}"""
    got = {}
    unix = "unix:" + os.path.join(tmp, "peer.sock")
    with service(tmp) as drop, stunnels(tmp, drop) as beside, lab(tmp, drop, "unix") as by_unix, lab(tmp, drop, "tcp") as by_tcp:
        what = {
            "openssl": lambda: openssl(mib),
            "stunnel": lambda: pour(mib, *beside),
            "whole unix": lambda: pour(mib, *by_unix),
            "whole tcp": lambda: pour(mib, *by_tcp),
            "tunnel unix": lambda: peers(mib, ["--psk"], unix, 1),
            "tunnel tcp": lambda: peers(mib, ["--psk"], "tcp:127.0.0.1:0", 1),
            "tunnel unix, 50 streams": lambda: peers(mib, ["--psk"], unix, 50),
            "tunnel unix without TLS": lambda: peers(mib, [], unix, 1),
        }
        for _ in range(runs):
            for name, fn in what.items():
                got.setdefault(name, []).append(fn())
    return got


def spread(values, form):
    return f"{statistics.median(values):{form}} ({min(values):{form}} .. {max(values):{form}})"


def judge(got):
    rows = []
    for name, a, b, i, bound in RATIOS:
        r = [x[i] / y[i] for x, y in zip(got[a], got[b])]
        ratio, sense = statistics.median(r), "at-least" if i == 0 else "at-most"
        met = bound is None or (ratio >= bound if sense == "at-least" else ratio <= bound)
        print(f"{name:<66} {spread(r, '.2f'):<22} {'' if bound is None else f'{sense} {bound:.2f}: ' + ('met' if met else 'NOT MET')}")
        rows.append({"name": name, "ratio": round(ratio, 3), "bound": bound, "sense": sense, "met": met, "runs": [round(x, 3) for x in r]})
    return rows


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--json")
    p.add_argument("mib", nargs="?", type=int, default=300)
    p.add_argument("runs", nargs="?", type=int, default=7)
    a = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="kslocal-bench-") as tmp:
        got = measure(a.mib, a.runs, tmp)
    for name, f in got.items():
        print(f"{name:<26} MiB/s {spread([x[0] for x in f], '.0f'):<20} CPU s/GiB {spread([x[1] for x in f], '.2f')}")
    rows = judge(got)
    if a.json is not None:
        with open(a.json, "w") as f:
            json.dump(rows, f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    main()
