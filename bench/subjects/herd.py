"""A hundred clients that want the same cold blob at the same moment.

Loopback carries a hundred times the blob: how long that takes once it is cached is the third row, and a floor of the second.
"""

from lib.bench import Case
from lib.contenders import CACHE, REGISTRY, TIDEPOOL
from subjects import cold_blob

TITLE = "Herd on a cold blob, upstream at 100 MB/s"
COLUMNS = (("total_s", "total s", 3), ("first_byte_max_ms", "last first byte ms", 1), ("upstream_gets", "upstream GETs", 0),
           ("upstream_per_byte", "upstream bytes / blob", 2), ("server_busy", "server busy", 2),
           ("rss_anon_bytes", "RssAnon bytes", 0))
CONTENDERS = (TIDEPOOL, CACHE, REGISTRY)


def cases(bench):
    clients = 10 if bench.options.quick else 100
    yield Case("1 client", CONTENDERS, measure(bench, 1))
    yield Case(f"{clients} clients", CONTENDERS, measure(bench, clients))
    yield Case(f"{clients} clients, cached", CONTENDERS, measure_cached(bench, clients))


def measure(bench, clients):
    def measured(kind):
        with bench.cold(kind, bench.upstream.limited_port) as contender:
            return cold_blob.pulled(bench, contender, clients)

    return measured


def measure_cached(bench, clients):
    def measured(kind):
        contender = bench.warm(kind, [(bench.data.cold.path, bench.data.cold)])
        return cold_blob.pulled(bench, contender, clients)

    return measured
