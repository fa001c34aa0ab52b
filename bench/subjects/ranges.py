"""Parts of blobs: what resumed pulls and lazily pulled layers ask for."""

import random

from lib.bench import Case
from lib.contenders import CACHE, DIRECT, REGISTRY, SERVERS, TIDEPOOL
from lib.dataset import MIB
from lib.generators import Failed, Job, get

TITLE = "Ranges"
COLUMNS = (("gb_per_s", "GB/s", 2), ("cpu_s_per_gb", "server CPU s per GB", 3), ("total_s", "total s", 3),
           ("upstream_gets", "upstream GETs", 0))


def part(blob, start, length, status=206):
    request = get(blob, {"Range": f"bytes={start}-{start + length - 1}"}, status, length)
    return request


def cases(bench):
    largest = max(bench.data.blobs.values(), key=lambda blob: blob.size)
    for length, title in ((MIB, "1 MiB"), (256 << 10, "256 KiB")):
        for clients in (16,) if bench.options.quick else (1, 16, 256):
            name = f"cached, {title} anywhere, {clients} client" + ("s" if clients > 1 else "")
            yield Case(name, SERVERS, cached(bench, largest, length, clients))
    contenders = (DIRECT, TIDEPOOL, CACHE, REGISTRY)
    yield Case("cold, 1 MiB out of the middle, upstream at 100 MB/s", contenders, cold(bench))


def cached(bench, blob, length, clients):
    seeded = random.Random(6)
    sequences = [[part(blob, seeded.randrange(blob.size - length), length)] for _ in range(1024)]

    def measured(kind):
        contender = bench.warm(kind, [(blob.path, blob)])
        outcome = bench.client(contender, Job(sequences, clients, seconds=bench.seconds))
        return bench.checked(contender, outcome, outcome.throughput | outcome.rates)

    return measured


def cold(bench):
    blob = bench.data.cold
    request = part(blob, blob.size // 2, MIB)

    def measured(kind):
        # docker-registry answers a cold range with the whole blob.
        asked = request if kind != REGISTRY else request | {"status": 200, "length": blob.size}
        with bench.cold(kind, bench.upstream.limited_port) as contender:
            outcome = bench.client(contender, Job([[asked]], 1, count=1))
            traffic = bench.upstream.traffic()
        if outcome.failures:
            raise Failed(f"{outcome.failures} failures: {outcome.details['errors']}")
        return {
            "total_s": outcome.details["seconds"],
            "first_byte_ms": outcome.details["first_bytes"]["p50"] * 1e3,
            "upstream_gets": traffic.of("GET blobs"),
            "upstream_requests": traffic.total,
            "upstream_bytes": traffic.bytes,
        } | outcome.figures

    return measured
