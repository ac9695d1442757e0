"""The table of a bench: the rows there are and their bounds, what several runs make of one, its JSON, its lines, its page. Pure."""
import json
import os
import re
import statistics
import textwrap

WIDTH = 132
FIELDS = ("name", "ratio", "bound", "sense", "met", "runs")  # of a row in JSON; the rest is for people

# name: bound, sense, what limits it (the cause that a shortfall gives)
BOUNDS = {
    "handshake, full": (1.4, "at-least", "three ECDSA and two of X25519 in GnuTLS, which nginx has from OpenSSL"),
    "handshake, resumed": (2.0, "at-least", "ECDH and key schedule in GnuTLS, system calls, a commit that few share"),
    "kept, with Zn": (0.16, "at-least", "two judgements, a Diameter round trip, an audit row and a share of a commit per request"),
    "kept, key held": (0.25, "at-least", "a judgement, a derivation, XML both ways, an audit row and a share of a commit per request"),
    "bootstraps": (0.15, "at-least", "per second the wait for the disk, one commit for half of what is under way; by CPU, five B-trees and a share of that commit"),
    "Zn answers": (3.0, "at-least", "a row looked up, a seal opened, two HMACs, a line of log, and what the echo has, too: Diameter and sockets"),
    "scenario 2": (1.5, "at-most", "commits one after the other in three daemons, and wake-ups of four processes"),
    "scenario 1": (1.5, "at-most", "commits one after the other in four daemons, and wake-ups of four processes"),
    "many keys: latency": (1.2, "at-most", "deeper B-trees, pages of which the cache holds fewer"),
    "many keys: CPU": (1.2, "at-most", "deeper B-trees, pages of which the cache holds fewer"),
    "4 threads: CPU": (1.1, "at-most", "more switches between threads"),
    "memory: idle daemon, MB": (12, "at-most", "pages of the shared libraries that start-up touches, libcurl's most of all"),
    "memory: idle TLS connection, KiB": (35, "at-most", "GnuTLS's session and libmicrohttpd's pool of each connection"),
    "memory: 1,000,000 keys, MB": (40, "at-most", "SQLite's page cache and the shared libraries"),
    "start to ready, ms": (100, "at-most", "what start-up reads"),
    "tunnel, UNIX link": (1.0, "at-least", "HTTP/2 framing and one copy more than openssl makes"),
    "tunnel, whole path": (1.0, "at-least", "HTTP/2: a stream's window, and a copy in each of two daemons"),
}


# --- of runs

def med(values):
    return statistics.median(values)


def per_cpu(r):
    """Operations per second of a server's processor time. The kernel counts it in hundredths: less than one is none."""
    return r["done"] / max(r["cpu_s"][0], 0.01)


def by_cpu(o, p):
    return per_cpu(o) / per_cpu(p)


def by_both(o, p):
    """For what is promised per second: the smaller one, since the load generator may be what holds a peer back."""
    return min(o["per_second"] / p["per_second"], by_cpu(o, p))


def in_words(rs):
    return f"{med([r['per_second'] for r in rs]):,.0f}/s, {med([1e6 / per_cpu(r) for r in rs]):,.1f} us of CPU"


# --- rows

def row(name, values, ours="", peer=""):
    """values: the ratio of each run."""
    bound, sense, limit = BOUNDS[name]
    ratio = med(values)
    met = ratio >= bound if sense == "at-least" else ratio <= bound
    return {"name": name, "ratio": round(ratio, 4), "bound": bound, "sense": sense, "met": met, "runs": len(values),
            "values": list(values), "ours": ours, "peer": peer, "cause": "" if met else limit}


def missing(name, why):
    bound, sense, _ = BOUNDS[name]
    return {"name": name, "ratio": None, "bound": bound, "sense": sense, "met": False, "runs": 0, "values": [], "ours": "", "peer": "",
            "cause": "not measured: " + why}


def as_json(rows, before):
    """before: the text of an earlier run's, whose other rows stay. In the order of BOUNDS."""
    try:
        kept = {r["name"]: r for r in json.loads(before)}
    except (ValueError, TypeError, KeyError):
        kept = {}
    kept |= {r["name"]: {k: r[k] for k in FIELDS} for r in rows}
    return json.dumps([kept[name] for name in BOUNDS if name in kept], indent=1) + "\n"


# --- lines

def bound_of(r):
    return ("≥ " if r["sense"] == "at-least" else "≤ ") + f"{r['bound']:g}"


def line_of(r):
    if r["ratio"] is None:
        return f"{r['name']:<34} {'-':>8} {'':<17} {bound_of(r):<7} shortfall  {r['cause']}"
    spread = f"({min(r['values']):.2f}..{max(r['values']):.2f})"
    return f"{r['name']:<34} {r['ratio']:>8.2f} {spread:<17} {bound_of(r):<7} {'met' if r['met'] else 'shortfall  ' + r['cause']}"


def machine(pinned):
    with open("/proc/cpuinfo") as f:
        model = re.search(r"model name\s*:\s*(.*)", f.read())
    return f"{os.cpu_count()} processors, {model.group(1) if model else 'unknown'}; servers and load " + (
        "on one each" if pinned else "on the same one")


def lines(head, rows, floor, page):
    """The table; page: as doc/PERFORMANCE has it, with what was measured."""
    yield head
    yield f"{'':<34} {'median':>8} {'(spread)':<17} bound"
    for r in rows:
        yield from textwrap.wrap(line_of(r), WIDTH, subsequent_indent=" " * 8)
        for who in ("ours", "peer") if page else ():
            if r[who]:
                yield from textwrap.wrap(f"{who}  {r[who]}", WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 14)
    for k, v in floor.items():
        yield f"floor: {k:<75} {v:>12,.1f}"


# --- of test/bench/endure

def endured(devices, r, memory, others, waited):
    """r: what load says, its servers nafkcd and bsfd; memory: daemon: KiB before and after; others: share of the machine's processors;
    waited: daemon: seconds that its threads could have run and had none."""
    nafkcd, bsfd = (s / r["done"] * 1e6 for s in r["cpu_s"])
    yield f"{r['done']:,} operations of {devices:,} devices in {r['seconds']:.0f} s, {r['failed']} failed, {r['resumed']:,} sessions resumed"
    yield (f"latency from its time on: median {r['p50_us'] / 1000:.1f} ms, p99 {r['p99_us'] / 1000:.1f}, p99.9 {r['p999_us'] / 1000:.1f}, "
           f"longest {r['max_us'] / 1000:.1f}; at most {r['at_once_max']} under way at once")
    yield f"processor time of an operation: nafkcd {nafkcd:.0f} us, bsfd {bsfd:.0f} us"
    for d, (before, after) in memory.items():
        yield f"{d} resident: {before / 1024:.1f} MB, then {after / 1024:.1f} MB: {'flat' if is_flat(before, after) else 'it grows'}"
    yield f"what else ran on the machine had {100 * max(others, 0):.0f} % of its processors; an operation waited for one " + " and ".join(
        f"{1000 * s / r['done']:.1f} ms in {d}" for d, s in waited.items())


def is_flat(before, after):
    """Not more than a tenth and 2 MB."""
    return after <= 1.1 * before + 2048


def example(r):
    """Section 5's, with what an operation costs."""
    cost = sum(r["cpu_s"]) / r["done"]
    return textwrap.fill(
        "An example       By arithmetic, too. A million devices with keys of a day, renewed at 80 % of it, are 14.5 operations a second. "
        "With what an operation of section 4 costs, bootstrapping and a new TLS connection each time, that is "
        f"{100 * cost * 1e6 / (0.8 * 86400):.1f} % of one processor for both daemons together; all million within one hour are "
        f"278 a second, {100 * cost * 1e6 / 3600:.0f} % of one.", WIDTH, subsequent_indent=" " * 17)


def endured_into_page(page, said, r):
    """The indented figures of section 4, and section 5's example."""
    a, b = section(page, 4)
    text = re.sub(r"(?m)(^    .*\n)+", lambda _: "".join(f"    {line}\n" for line in said), page[a:b], count=1)
    page = into_page(page, 4, text)
    a, b = section(page, 5)
    return into_page(page, 5, re.sub(r"(?ms)^An example .*?\n(?=\S|\Z)", lambda _: example(r) + "\n", page[a:b]))


# --- doc/PERFORMANCE: sections "N Title" between empty lines

def section(page, n):
    """Where the text of section n begins and ends."""
    begin = re.search(rf"\n\n{n} .*\n\n", page)
    end = re.search(rf"\n\n{n + 1} .*\n\n", page)
    return begin.end(), end.start() + 1 if end else len(page)


def into_page(page, n, text):
    """With text in place of section n's; all else stays."""
    a, b = section(page, n)
    return page[:a] + text.rstrip("\n") + "\n" + page[b:]
