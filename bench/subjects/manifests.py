"""Cached manifests, by tag and by digest: GET with wrk, HEAD with hey."""

from lib.bench import Case
from lib.contenders import SERVERS
from lib.generators import Failed

TITLE = "Cached manifest of 2 KiB"
COLUMNS = (("rate", "requests/s", 0), ("p50_ms", "p50 ms", 2), ("p99_ms", "p99 ms", 2),
           ("cpu_s_per_100k", "server CPU s per 10⁵", 2))
# What a response adds to the body: wrk counts both.
HEAD_LIMIT = 2000


def name(method, reference, connections, close, tls):
    kind = "a connection each" if close else f"{connections} connection" + ("s" if connections > 1 else "")
    if close and connections > 1:
        kind += f", {connections} at a time"
    return f"{method} by {reference}, {kind}" + (", TLS" if tls else "")


def grid(options):
    """The combinations that are measured: all with --full, else those that tell something new."""
    for method in ("GET", "HEAD"):
        for tls in (False, True):
            for close in (False, True):
                for reference in ("tag", "digest"):
                    for connections in (1, 32, 256):
                        if options.full or is_telling(method, reference, connections, close, tls):
                            if not options.quick or connections == 32:
                                yield method, reference, connections, close, tls


def is_telling(method, reference, connections, close, tls):
    if method == "HEAD":
        return connections == 32 and (reference == "tag" or not close) and not tls
    if tls:
        return connections == 32 and reference == "digest"
    return not close or reference == "digest" or connections == 32


def cases(bench):
    for combination in grid(bench.options):
        yield Case(name(*combination), SERVERS, measure(bench, *combination))


def measure(bench, method, reference, connections, close, tls):
    image = bench.data.image
    path = image.tag_path if reference == "tag" else image.manifest.path

    def measured(kind):
        contender = bench.warm(kind, [(path, image.manifest)], tls)
        if method == "HEAD":
            check_head(contender, path, image.manifest)
            bench.settle()
            outcome = bench.hey(contender, path, connections, close)
        else:
            outcome = bench.wrk(contender, path, connections, close)
            if not 0 <= outcome.bytes - outcome.requests * image.manifest.size <= HEAD_LIMIT * (outcome.requests + 256):
                raise Failed(f"{outcome.requests} responses of {outcome.bytes} bytes")
        return bench.checked(contender, outcome, outcome.rates)

    return measured


def check_head(contender, path, manifest):
    answer = contender.get(path, "HEAD")
    if answer.status != 200 or answer.length or answer.headers.get("content-length") != str(manifest.size):
        raise Failed(f"{contender.kind} answered HEAD with {answer}")
