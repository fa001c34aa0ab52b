"""Whole images of a kilobyte or two, pulled as Docker does: HEAD of the tag, then the manifest, the configuration and the
layer, each by digest."""

from lib.bench import Case
from lib.contenders import SERVERS
from lib.generators import Job, get

TITLE = "Cached tiny images"
COLUMNS = (("images_per_s", "images/s", 0), ("p50_ms", "p50 ms", 2), ("p99_ms", "p99 ms", 2),
           ("server_busy", "server busy", 2), ("client_busy", "client busy", 2),
           ("cpu_s_per_100k", "server CPU s per 10⁵ requests", 2))


def pull(image):
    """The requests of one pull, in order."""
    tag = {"method": "HEAD", "path": image.tag_path, "status": 200, "length": image.manifest.size}
    return [tag, get(image.manifest), *(get(blob) for blob in image.blobs)]


def contents(images):
    """What has to be cached for all of them to be."""
    for image in images:
        yield image.tag_path, image.manifest
        for content in (image.manifest, *image.blobs):
            yield content.path, content


def cases(bench):
    variants = [(clients, close, False) for clients in (1, 10, 100) for close in (False, True)]
    # With a TLS handshake for each request, our client is the bottleneck: wrk measures that, in `manifests`.
    variants += [(10, False, True)]
    if bench.options.quick:
        variants = [(10, False, False), (10, True, False), (10, False, True)]
    for clients, close, tls in variants:
        title = f"{clients} client" + ("s" if clients > 1 else "") + (", a connection for each request" if close else "")
        yield Case(title + (", TLS" if tls else ""), SERVERS, measure(bench, clients, close, tls))


def measure(bench, clients, close, tls):
    sequences = [pull(image) for image in bench.data.images]

    def measured(kind):
        contender = bench.warm(kind, contents(bench.data.images), tls)
        outcome = bench.client(contender, Job(sequences, clients, seconds=bench.seconds, close=close))
        figures = outcome.rates | {"images_per_s": outcome.details["sequences"] / outcome.seconds}
        return bench.checked(contender, outcome, figures)

    return measured
