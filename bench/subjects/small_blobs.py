"""Many blobs of 10 KB: rate when cached, and how fast a cold cache takes them all."""

from lib.bench import Case
from lib.contenders import MIRRORS, SERVERS
from lib.generators import Failed, Job, get

TITLE = "Many blobs of 10 KB"
COLUMNS = (("rate", "blobs/s", 0), ("p50_ms", "p50 ms", 2), ("p99_ms", "p99 ms", 2),
           ("cpu_s_per_100k", "server CPU s per 10⁵", 2))


def cases(bench):
    lines = [blob.path for blob in bench.data.small]
    paths = bench.paths_file("small.txt", lines)
    variants = [(32, False), (32, True)] if bench.options.quick else [(1, False), (32, False), (256, False), (32, True)]
    for connections, close in variants:
        title = f"cached, {connections} connection" + ("s" if connections > 1 else "")
        yield Case(title + (", a connection each" if close else ""), SERVERS, cached(bench, paths, connections, close))
    yield Case("cold, 16 clients", MIRRORS, cold(bench))


def cached(bench, paths, connections, close):
    def measured(kind):
        contender = bench.warm(kind, [(blob.path, blob) for blob in bench.data.small])
        outcome = bench.wrk(contender, bench.data.small[0].path, connections, close, paths)
        return bench.checked(contender, outcome, outcome.rates)

    return measured


def cold(bench):
    def measured(kind):
        sequences = [[get(blob)] for blob in bench.data.small]
        with bench.cold(kind, bench.upstream.port) as contender:
            outcome = bench.client(contender, Job(sequences, 16, count=len(sequences)))
            traffic = bench.upstream.traffic()
        if outcome.failures:
            raise Failed(f"{outcome.failures} failures: {outcome.details['errors']}")
        return outcome.rates | {"upstream_requests": traffic.total, "upstream_gets": traffic.of("GET blobs")}

    return measured
