"""A blob that nobody has pulled yet: first byte and total, beside fetching it from the upstream directly."""

from lib.bench import Case
from lib.contenders import CACHE, DIRECT, REGISTRY, TIDEPOOL
from lib.generators import Failed, Job, get

TITLE = "Cold blob"
COLUMNS = (("total_s", "total s", 3), ("first_byte_ms", "first byte ms", 2), ("upstream_gets", "upstream GETs", 0),
           ("upstream_per_byte", "upstream bytes / blob", 2), ("cpu_s_per_gb", "server CPU s per GB", 2))
CONTENDERS = (DIRECT, TIDEPOOL, CACHE, REGISTRY)


def cases(bench):
    megabytes = bench.data.cold.size // 1_000_000
    for port, title in ((bench.upstream.limited_port, "upstream at 100 MB/s"), (bench.upstream.port, "upstream unlimited")):
        yield Case(f"{megabytes} MB, {title}", CONTENDERS, measure(bench, port))


def measure(bench, port):
    def measured(kind):
        with bench.cold(kind, port) as contender:
            return pulled(bench, contender, clients=1)

    return measured


def pulled(bench, contender, clients):
    """The cold blob by so many clients at once: times, and what it cost the upstream; the copy kept is checked after."""
    blob = bench.data.cold
    outcome = bench.client(contender, Job([[get(blob)]], clients, count=clients))
    if outcome.failures:
        raise Failed(f"{outcome.failures} failures: {outcome.details['errors']}")
    traffic = bench.upstream.traffic()
    answer = contender.get(blob.path)
    if (answer.status, answer.digest) != (200, blob.digest):
        raise Failed(f"keeps something else: {answer}")
    bench.settle()
    return {
        "total_s": outcome.details["seconds"],
        "first_byte_ms": outcome.details["first_bytes"]["p50"] * 1e3,
        "first_byte_max_ms": outcome.details["first_bytes"]["max"] * 1e3,
        "median_client_s": outcome.p50,
        "upstream_gets": traffic.of("GET blobs"),
        "upstream_requests": traffic.total,
        "upstream_per_byte": traffic.bytes / blob.size,
    } | outcome.throughput
