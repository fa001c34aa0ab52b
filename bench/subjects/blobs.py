"""Throughput of cached blobs, and what a GB costs the server."""

from lib.bench import Case
from lib.contenders import SERVERS
from lib.generators import Job, get

TITLE = "Cached blobs"
COLUMNS = (("gb_per_s", "GB/s", 2), ("cpu_s_per_gb", "server CPU s per GB", 3))


def combinations(bench):
    """Size, clients, whether each blob has a connection of its own, TLS."""
    if bench.options.quick:
        yield from (("1 MiB", 16, False, False), ("64 MiB", 16, False, False), ("64 MiB", 16, False, True))
        return
    for size in bench.data.blobs:
        for clients in (1, 16, 64, 256):
            yield size, clients, False, False
    yield "1 MiB", 16, True, False
    for size in bench.data.blobs if bench.options.full else ["64 MiB"]:
        for clients in (1, 16, 64, 256) if bench.options.full else [16]:
            yield size, clients, False, True
    if bench.options.full:
        yield "1 MiB", 16, True, True


def cases(bench):
    for size, clients, close, tls in combinations(bench):
        title = f"{size}, {clients} client" + ("s" if clients > 1 else "")
        title += (", a connection each" if close else "") + (", TLS" if tls else "")
        yield Case(title, SERVERS, measure(bench, bench.data.blobs[size], clients, close, tls))


def measure(bench, blob, clients, close, tls):
    def measured(kind):
        contender = bench.warm(kind, [(blob.path, blob)], tls)
        if tls:
            # Decrypting is too much for our client.
            outcome = bench.wrk(contender, blob.path, clients, close)
        else:
            outcome = bench.client(contender, Job([[get(blob)]], clients, seconds=bench.seconds, close=close))
        return bench.checked(contender, outcome, outcome.throughput)

    return measured
