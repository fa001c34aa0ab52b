"""What one pull of an image costs the upstream: cold, again, and with the manifest already known by digest."""

from lib.bench import Case
from lib.contenders import MIRRORS
from lib.generators import Failed, Job
from subjects import images

TITLE = "Upstream requests for one pull of an image with one layer"
COLUMNS = (("upstream_requests", "requests", 0), ("manifest_gets", "GET manifest", 0), ("manifest_heads", "HEAD manifest", 0),
           ("blob_gets", "GET blob", 0), ("blob_heads", "HEAD blob", 0), ("pings", "/v2/", 0))


def cases(bench):
    yield Case("cold", MIRRORS, measure(bench, before=0))
    yield Case("warm", MIRRORS, measure(bench, before=1))


def measure(bench, before):
    sequence = images.pull(bench.data.image)

    def measured(kind):
        with bench.cold(kind, bench.upstream.port) as contender:
            for _ in range(before):
                pull_once(bench, contender, sequence)
            return pull_once(bench, contender, sequence)

    return measured


def pull_once(bench, contender, sequence):
    outcome = bench.client(contender, Job([sequence], 1, count=1))
    if outcome.failures:
        raise Failed(f"failed: {outcome.details['errors']}")
    traffic = bench.upstream.traffic()
    return {
        "upstream_requests": traffic.total,
        "manifest_gets": traffic.of("GET manifests"),
        "manifest_heads": traffic.of("HEAD manifests"),
        "blob_gets": traffic.of("GET blobs"),
        "blob_heads": traffic.of("HEAD blobs"),
        "pings": traffic.of("GET /v2/", "HEAD /v2/"),
        "upstream_bytes": traffic.bytes,
    }
