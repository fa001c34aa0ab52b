"""wrk, hey and our own client, on their core, with one kind of outcome."""

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field

from lib import probe
from lib.process import MemoryWatch, cpu_seconds

HERE = os.path.dirname(os.path.abspath(__file__))


@dataclass
class Job:
    """What `client.py` is to do: for some seconds, or so many sequences; `limit` seconds at most."""

    sequences: list
    clients: int
    seconds: float = 0
    count: int = 0
    close: bool = False
    warm_up: float = 0.5
    limit: float = 120


@dataclass
class Outcome:
    seconds: float
    requests: int
    bytes: int
    failures: int
    server_cpu: float
    client_cpu: float
    p50: float = 0
    p99: float = 0
    memory: tuple = (0, 0)
    details: dict = field(default_factory=dict)

    @property
    def figures(self):
        """What every measurement has. Bytes are those of bodies, except with wrk and hey."""
        return {
            "server_busy": self.server_cpu / self.seconds,
            "client_busy": self.client_cpu / self.seconds,
            "rss_anon_bytes": self.memory[0],
            "rss_peak_bytes": self.memory[1],
        }

    @property
    def rates(self):
        return {
            "rate": self.requests / self.seconds,
            "p50_ms": self.p50 * 1e3,
            "p99_ms": self.p99 * 1e3,
            "cpu_s_per_100k": self.server_cpu / max(self.requests, 1) * 1e5,
        } | self.figures

    @property
    def throughput(self):
        return {
            "gb_per_s": self.bytes / self.seconds / 1e9,
            "cpu_s_per_gb": self.server_cpu / max(self.bytes, 1) * 1e9,
        } | self.figures


class Failed(Exception):
    """A measurement that measured something else than it should."""


def _run(arguments, contender, core, text=None, timeout=300):
    """Runs a generator and returns its output, with the CPU time of both sides and the server's memory."""
    pids = contender.pids
    before, began = cpu_seconds(pids), time.perf_counter()
    with MemoryWatch(pids) as watch:
        own = os.times()
        done = subprocess.run(
            ["taskset", "-c", str(core), *arguments], input=text, capture_output=True, text=True, timeout=timeout
        )
        used = os.times()
    seconds, cpu = time.perf_counter() - began, cpu_seconds(pids) - before
    if done.returncode != 0:
        raise Failed(f"{arguments[0]} failed: {done.stderr or done.stdout}")
    client_cpu = used.children_user + used.children_system - own.children_user - own.children_system
    return done.stdout, seconds, cpu, client_cpu, (watch.anonymous, watch.peak)


def wrk(contender, path, connections, seconds, core, close=False, paths_file=None):
    arguments = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", f"{HERE}/wrk.lua"]
    for name, value in (probe.HEADERS | ({"Connection": "close"} if close else {})).items():
        arguments += ["-H", f"{name}: {value}"]
    arguments += [contender.url(path)] + (["--", paths_file] if paths_file else [])
    output, _, cpu, client_cpu, memory = _run(arguments, contender, core)
    told = json.loads(output.rsplit("JSON ", 1)[1])
    return Outcome(server_cpu=cpu, client_cpu=client_cpu, memory=memory, **told)


def hey(contender, path, connections, seconds, core, close=False, method="HEAD"):
    """For HEAD: wrk waits for the body that Content-Length speaks of."""
    arguments = ["hey", "-cpus", "1", "-m", method, "-c", str(connections), "-z", f"{seconds}s", "-t", "10"]
    for name, value in probe.HEADERS.items():
        arguments += ["-H", f"{name}: {value}"]
    arguments += (["-disable-keepalive"] if close else []) + [contender.url(path)]
    output, _, cpu, client_cpu, memory = _run(arguments, contender, core)
    statuses = {int(status): int(count) for status, count in re.findall(r"\[(\d{3})\]\t(\d+) responses", output)}
    # hey's own stop at the end of its time counts as an error for at most one request of each connection.
    errors = sum(int(count) for count in re.findall(r"^  \[(\d+)\]\t(?!\d+ responses)", output, re.MULTILINE))
    latencies = {share: float(value) for share, value in re.findall(r"(\d+)% in ([\d.]+) secs", output)}
    if "50" not in latencies:
        raise Failed(f"hey measured nothing: {output}")
    return Outcome(
        seconds=float(re.search(r"Total:\s+([\d.]+) secs", output)[1]),
        requests=statuses.get(200, 0), bytes=0,
        failures=sum(statuses.values()) - statuses.get(200, 0) + max(0, errors - connections),
        p50=latencies["50"], p99=latencies.get("99", latencies["50"]),
        server_cpu=cpu, client_cpu=client_cpu, memory=memory,
    )


def client(contender, job, core):
    description = vars(job) | {
        "host": "127.0.0.1", "port": contender.port, "tls": contender.scheme == "https", "headers": probe.HEADERS,
        "pids": contender.pids,
    }
    arguments = [sys.executable, f"{HERE}/client.py"]
    output, _, _, _, memory = _run(arguments, contender, core, json.dumps(description))
    told = json.loads(output)
    if told["errors"]:
        told["details"] = {"errors": told["errors"]}
    times = told["times"] or {"p50": 0, "p99": 0}
    return Outcome(
        seconds=told["seconds"], requests=told["requests"], bytes=told["bytes"], failures=told["failures"],
        server_cpu=told["server_cpu"], client_cpu=told["client_cpu"], p50=times["p50"], p99=times["p99"],
        memory=memory, details=told,
    )


def get(content, headers=None, status=200, length=None):
    """A request of a sequence, with what is expected of its response."""
    return {
        "method": "GET", "path": getattr(content, "path", content), "headers": headers or {}, "status": status,
        "length": content.size if length is None else length,
    }
