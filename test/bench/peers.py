"""What a bench needs besides the rows: labs as they would run in production, nginx, the load generator, the floor of cryptography.

Servers are pinned to the first processor, load to the last one; with one processor nothing is pinned.
"""
import json
import os
import re
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("B", os.path.join(ROOT, "build/plain"))
LOAD = os.path.join(BUILD, "bench/load")
SERVER_CORE, LOAD_CORE = 0, (os.cpu_count() or 1) - 1
PINNED = SERVER_CORE != LOAD_CORE
WARM_S = 0.5
DAEMONS = ("bsfd", "nafkcd", "mtd", "extdevd")
HZ = os.sysconf("SC_CLK_TCK")


class Shortfall(Exception):
    """A row that cannot be measured: it is printed with this cause."""


def pin(pid, cores):
    if not PINNED:
        return
    for tid in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(tid), cores)


def on_core(core, command):
    return ["taskset", "-c", str(core), *command] if PINNED else list(command)


def cpu_of(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / HZ


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, why, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return
        time.sleep(0.02)
    raise Shortfall(f"waited in vain for {why}")


class Lab:
    """scripts/lab with what production has: no trace file, the clock of the kernel, log_level as it comes, no metrics port.
    settings: (daemon, line) pairs, each a sed script on its configuration."""

    def __init__(self, tmp, name, settings=(), up=True):
        self.dir = os.path.join(tmp, name)
        self.env = dict(os.environ, KSLOCAL_BIN=os.path.join(BUILD, "bin"))
        self.run("up", "--no-start")
        for d in DAEMONS:
            self.edit(d, r"/^trace_file/d; /^test {/d; /^metrics/d")
        for d, script in settings:
            self.edit(d, script)
        if up:
            self.up()

    def run(self, *args):
        p = subprocess.run([os.path.join(ROOT, "scripts/lab"), "--dir", self.dir, *args], env=self.env, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if p.returncode != 0:
            raise Shortfall("lab: " + (p.stderr.strip().splitlines() or ["failed"])[-1])
        return p.stdout

    def up(self):
        self.run("up")
        with open(os.path.join(self.dir, "lab.json")) as f:
            self.json = json.load(f)
        self.place()

    def place(self):
        """nafkcd on the servers' core; what it asks, and who asks it, on the other. A row that measures another one pins it itself."""
        for d in DAEMONS:
            pin(self.pid(d), {SERVER_CORE if d == "nafkcd" else LOAD_CORE})

    def edit(self, daemon, script):
        subprocess.run(["sed", "-i", script, os.path.join(self.dir, daemon + ".conf")], check=True)

    def restart(self, daemon):
        self.run("restart", daemon)
        self.place()

    def pid(self, daemon):
        with open(os.path.join(self.dir, daemon, "pid")) as f:
            return int(f.read().split()[0])

    def address(self, daemon, key):
        return re.sub(r"^https?://|/.*$", "", self.json[daemon][key])

    def control(self, daemon):
        return Control(self.json[daemon]["control"])

    def down(self):
        self.run("down", "--delete")


class Control:
    """A daemon's control socket."""

    def __init__(self, address):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(30)
        self.s.connect(address.removeprefix("unix:"))
        self.f = self.s.makefile("rb")
        self.id = 0

    def ask(self, op, **body):
        self.id += 1
        self.s.sendall(json.dumps({"id": self.id, "op": op, **body}).encode() + b"\n")
        while True:
            line = self.f.readline()
            if not line:
                raise Shortfall(f"{op}: the daemon closed")
            o = json.loads(line)
            if o.get("id") == self.id and "progress" not in o:
                if "error" in o:
                    raise Shortfall(f"{op}: {o['error']}")
                return o

    def close(self):
        self.f.close()
        self.s.close()


def load(mode, *options, core=None):
    """One run of the load generator: its JSON object."""
    p = subprocess.run(on_core(LOAD_CORE if core is None else core, [LOAD, *map(str, options), mode]), stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if not p.stdout:
        raise Shortfall("load: " + p.stderr.strip()[-200:])
    r = json.loads(p.stdout)
    if r["failed"] or not r["done"]:
        raise Shortfall(f"load {mode}: {r['failed']} failed: {r.get('error', 'nothing done')}")
    return r


def lab_target(lab, cpu_of_daemon):
    j = lab.json
    return ["--ub", lab.address("bsfd", "ub"), "--ub-fqdn", j["bsfd"]["fqdn"], "--ua", lab.address("nafkcd", "ua"),
            "--naf-fqdn", j["nafkcd"]["naf_id"].split("/")[0], "--control", j["bsfd"]["control"], "--ca", j["ca"], "--ca-key", j["ca_key"],
            "--provision", "--cpu-of", lab.pid(cpu_of_daemon)]


class Nginx:
    """As it comes, one worker, a static answer; mutual TLS with the certificates of a lab on one port, plain HTTP on the other."""

    def __init__(self, tmp, lab):
        self.lab, self.dir = lab, os.path.join(tmp, "nginx")
        os.mkdir(self.dir)
        self.tls, self.plain = free_port(), free_port()
        pki = os.path.join(lab.dir, "pki")
        conf = os.path.join(self.dir, "nginx.conf")
        with open(conf, "w") as f:
            f.write(f"""
daemon off;
worker_processes 1;
pid {self.dir}/pid;
error_log {self.dir}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {self.dir}/body;
    proxy_temp_path {self.dir}/proxy;
    fastcgi_temp_path {self.dir}/fastcgi;
    uwsgi_temp_path {self.dir}/uwsgi;
    scgi_temp_path {self.dir}/scgi;
    server {{
        listen 127.0.0.1:{self.tls} ssl;
        ssl_protocols TLSv1.3;
        ssl_certificate {pki}/nafkc.pem;
        ssl_certificate_key {pki}/nafkc.key;
        ssl_client_certificate {lab.json['ca']};
        ssl_verify_client on;
        location / {{ return 200 "ok"; }}
    }}
    server {{
        listen 127.0.0.1:{self.plain};
        location / {{ return 200 "ok"; }}
    }}
}}
""")
        program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))
        if program is None:
            raise SystemExit("bench: no nginx: scripts/deps bench installs it")
        self.master = subprocess.Popen([program, "-c", conf, "-p", self.dir], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.worker() is not None, "nginx's worker")
        pin(self.worker(), {SERVER_CORE})

    def worker(self):
        try:
            with open(f"/proc/{self.master.pid}/task/{self.master.pid}/children") as f:
                return int(f.read().split()[0])
        except (OSError, IndexError):
            return None

    def target(self):
        j = self.lab.json
        return ["--foreign", "--ub", f"127.0.0.1:{self.plain}", "--ua", f"127.0.0.1:{self.tls}", "--naf-fqdn",
                j["nafkcd"]["naf_id"].split("/")[0], "--ca", j["ca"], "--ca-key", j["ca_key"], "--cpu-of", self.worker()]

    def stop(self):
        self.master.terminate()
        self.master.wait()


# --- Zn

class ZnEcho:
    """The least that libfdcore can do."""

    def __init__(self, lab):
        self.port, j = free_port(), lab.json
        self.server = subprocess.Popen(on_core(SERVER_CORE, [
            os.path.join(BUILD, "bench/zn_echo"), f"host={j['bsfd']['host']}", f"realm={j['bsfd']['realm']}", f"port={self.port}",
            f"cert={lab.dir}/pki/zn-bsf.pem", f"key={lab.dir}/pki/zn-bsf.key", f"ca={j['ca']}"]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if b"ready" not in self.server.stdout.readline():
            raise Shortfall("zn_echo did not start")

    def stop(self):
        self.server.kill()  # an orderly end takes it seconds
        self.server.wait()


def zn_load(lab, address, pid, btids, seconds, in_flight):
    j = lab.json
    t = j["zn_test"]
    p = subprocess.run(on_core(LOAD_CORE, [
        os.path.join(BUILD, "bench/zn_load"), f"address={address}", f"host={t['host']}", f"realm={t['realm']}", f"peer={j['bsfd']['host']}",
        f"peer_realm={j['bsfd']['realm']}", f"fqdn={t['fqdn']}", f"protocol={t['protocol']}", f"in_flight={in_flight}",
        f"warm={max(1, int(WARM_S))}", f"seconds={max(1, int(seconds))}", f"cpu_of={pid}", *(f"btid={b}" for b in btids)]),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if not p.stdout:
        raise Shortfall("zn_load: " + p.stderr.strip()[-200:])
    r = json.loads(p.stdout)
    if r["failed"] or not r["done"]:
        raise Shortfall(f"zn_load: {r['failed']} failed, the first with {r['first_failure']}")
    return r


# --- the floor

def openssl_speed(seconds):
    """Operations, or octets, per second of one core."""
    out = {}
    for name in ("ecdsap256", "ecdhp256"):
        text = subprocess.run(on_core(SERVER_CORE, ["openssl", "speed", "-mr", "-seconds", str(seconds), name]), check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        line = re.search(r"^\+F[45]:.*$", text, re.M).group(0).split(":")
        if line[0] == "+F4":
            out["ECDSA P-256 signatures/s"], out["ECDSA P-256 verifications/s"] = float(line[3]), float(line[4])
        else:
            out["ECDH P-256 agreements/s"] = float(line[3])
    for name in ("aes-128-gcm", "sha256"):
        text = subprocess.run(on_core(SERVER_CORE, ["openssl", "speed", "-mr", "-seconds", str(seconds), "-bytes", "1024", "-evp", name]),
                              check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        out[f"{name} MB/s, 1 KiB pieces"] = float(re.search(r"^\+F:.*:([\d.]+)$", text, re.M).group(1)) / 1e6
    return out


def bare_tls(lab, seconds):
    """Mutual TLS 1.3 handshakes in memory, with the lab's certificates: microseconds of the server's side alone."""
    j, pki = lab.json, os.path.join(lab.dir, "pki")
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(os.path.join(pki, "nafkc.pem"), os.path.join(pki, "nafkc.key"))
    server.verify_mode = ssl.CERT_REQUIRED
    client.load_cert_chain(j["device_cert"], j["device_key"])
    for c in (server, client):
        c.minimum_version = ssl.TLSVersion.TLSv1_3
        c.load_verify_locations(j["ca"])
    name, n, spent, end = j["nafkcd"]["naf_id"].split("/")[0], 0, 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
        s, c = server.wrap_bio(a, b, server_side=True), client.wrap_bio(b, a, server_hostname=name)
        for side in (c, s, c, s):
            t0 = time.thread_time()
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
            if side is s:
                spent += time.thread_time() - t0
        n += 1
    return spent / n * 1e6


class Commits:
    """SQLite's own: durable commits of one row (WAL, synchronous = FULL), on the file system of the labs."""

    def __init__(self, tmp):
        self.db = sqlite3.connect(os.path.join(tempfile.mkdtemp(dir=tmp), "commit.db"), isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)")

    def once(self):
        self.db.execute("INSERT INTO t (b) VALUES (?)", (bytes(200),))

    def close(self):
        self.db.close()


class CardProcess:
    """What two APDUs to a software card cost at least, SELECT and AUTHENTICATE: a process of its own that answers each, the second
    one after a durable write of one block where blocks are."""

    def __init__(self, tmp):
        fd = os.open(os.path.join(tempfile.mkdtemp(dir=tmp), "card"), os.O_RDWR | os.O_CREAT, 0o600)
        os.write(fd, bytes(8192))
        os.fsync(fd)
        self.s, card = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.s.close()
                self.serve(card, fd)
            finally:
                os._exit(0)
        card.close()
        os.close(fd)

    @staticmethod
    def serve(card, fd):
        block, n = bytes(4096), 0
        while card.recv(261):
            n += 1
            if n % 2 == 0:
                os.pwrite(fd, block, n // 2 % 2 * 4096)
                os.fdatasync(fd)
            card.send(block[:46])

    def once(self):
        for _ in range(2):
            self.s.send(bytes(40))
            self.s.recv(261)

    def close(self):
        self.s.close()
        os.waitpid(self.pid, 0)


class StaticAnswer:
    """A request and nginx's answer on a kept connection, in HTTPS with certificates on both sides."""

    def __init__(self, nginx, tls):
        j = nginx.lab.json
        fqdn = j["nafkcd"]["naf_id"].split("/")[0]
        self.s = socket.create_connection(("127.0.0.1", nginx.tls if tls else nginx.plain), 20)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            c.load_verify_locations(j["ca"])
            c.load_cert_chain(j["device_cert"], j["device_key"])
            self.s = c.wrap_socket(self.s, server_hostname=fqdn)
        self.request = f"POST / HTTP/1.1\r\nHost: {fqdn}\r\nContent-Length: 300\r\n\r\n".encode() + bytes(300)

    def once(self):
        got = b""
        self.s.sendall(self.request)
        while not got.endswith(b"ok"):
            piece = self.s.recv(4096)
            if not piece:
                raise Shortfall("nginx closed a connection")
            got += piece

    def close(self):
        self.s.close()


def timed_us(fn):
    t0 = time.perf_counter()
    fn()
    return (time.perf_counter() - t0) * 1e6


def sqlite_commit(tmp, seconds):
    """Its median, in microseconds."""
    c, took, end = Commits(tmp), [], time.monotonic() + seconds
    while time.monotonic() < end:
        took.append(timed_us(c.once))
    c.close()
    return sorted(took)[len(took) // 2]


def progress(text):
    if sys.stderr.isatty() or os.environ.get("BENCH_PROGRESS") != "no":
        print(f"bench: {text}", file=sys.stderr, flush=True)
