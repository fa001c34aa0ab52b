"""The upstream of all: nginx with static files laid out as a registry, which tells what it was asked."""

import os
import time
from collections import Counter
from dataclasses import dataclass

from lib import dataset, nginx
from lib.process import Process, free_port

# What the issue calls an upstream limited to 100 MB/s. nginx limits each response, not all of them together.
LIMIT = 100_000_000
# nginx pauses for whole milliseconds after each piece: one of them, so that bytes come evenly.
CHUNK = LIMIT // 1000

LOCATIONS = """
    location = /v2/ {{ default_type application/json; return 200 '{{}}'; }}
    location / {{ default_type application/octet-stream; }}
    location ~ /manifests/ {{ default_type {manifest_type}; add_header Docker-Content-Digest $content_digest; }}
"""

SERVER = """
  log_format bench '$request_method $uri $status $body_bytes_sent';
  map $uri $content_digest {{
{digests}
  }}
  server {{
    listen 127.0.0.1:{port}; root {root}; access_log {log} bench;
    {locations}
  }}
  server {{
    listen 127.0.0.1:{limited_port}; root {root}; access_log {log} bench;
    limit_rate {limit}; sendfile_max_chunk {chunk};
    {locations}
  }}
"""


def registry_server(data, log, port, limited_port):
    """nginx directives that serve the data as a registry, on a port without and one with a limit."""
    digests = "\n".join(f"    {path} {digest};" for path, digest in data.manifests)
    return SERVER.format(
        digests=digests, root=data.root, log=log, port=port, limited_port=limited_port, limit=LIMIT, chunk=CHUNK,
        locations=LOCATIONS.format(manifest_type=dataset.MANIFEST_TYPE),
    )


@dataclass
class Traffic:
    """What the upstream was asked between two looks at its log."""

    requests: Counter  # by method and kind, such as "GET blobs"
    bytes: int

    @property
    def total(self):
        return sum(self.requests.values())

    def of(self, *keys):
        return sum(self.requests[key] for key in keys)


class Upstream:
    def __init__(self, data, directory, core):
        self.data, self.port, self.limited_port = data, free_port(), free_port()
        self.log = os.path.join(directory, "upstream-access.log")
        settings = nginx.settings(
            os.path.join(directory, "upstream"), registry_server(data, self.log, self.port, self.limited_port)
        )
        self.process = Process(nginx.command(settings), os.path.join(directory, "upstream.log"), core)
        self.offset = 0

    def traffic(self):
        """What it was asked since the last call, once its log has been still for a while."""
        size, deadline = -1, time.monotonic() + 10
        while size != (size := os.path.getsize(self.log)) and time.monotonic() < deadline:
            time.sleep(0.15)
        requests, received = Counter(), 0
        with open(self.log) as file:
            file.seek(self.offset)
            for line in file:
                method, path, _, length = line.split()
                requests[f"{method} {kind(path)}"] += 1
                received += int(length)
            self.offset = file.tell()
        return Traffic(requests, received)


def kind(path):
    return next((kind for kind in ("manifests", "blobs") if f"/{kind}/" in path), "/v2/")
