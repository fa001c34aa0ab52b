"""The servers that are compared: each in front of the same upstream, or of the same files."""

import os
import shutil
import subprocess
import time
from dataclasses import dataclass

from lib import dataset, nginx, probe
from lib.process import Process, free_port

TIDEPOOL, REGISTRY, STATIC, CACHE, DIRECT = (
    "tidepool", "docker-registry", "nginx static", "nginx proxy_cache", "upstream directly",
)
MIRRORS = (TIDEPOOL, CACHE, REGISTRY)
SERVERS = (TIDEPOOL, STATIC, CACHE, REGISTRY)


@dataclass(frozen=True)
class Certificate:
    certificate: str
    key: str


def make_certificate(directory):
    made = Certificate(os.path.join(directory, "tls.crt"), os.path.join(directory, "tls.key"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", made.key, "-out", made.certificate],
        check=True, capture_output=True,
    )
    return made


@dataclass
class Place:
    """Where and how a contender is to run."""

    directory: str
    upstream_port: int
    core: int
    tls: Certificate | None
    root: str
    binary: str
    data: str = ""  # what is cached; below `directory` unless it is elsewhere already

    def __post_init__(self):
        self.data = self.data or os.path.join(self.directory, "data")


def tidepool(place, port):
    path = os.path.join(place.directory, "tidepool.yaml")
    tls = f"\n    tls: {{certificate: {place.tls.certificate}, key: {place.tls.key}}}" if place.tls else ""
    with open(path, "w") as file:
        file.write(
            f"listen:\n  - address: 127.0.0.1:{port}{tls}\ndata_dir: {place.data}\nlog: {{level: error}}\n"
            "default_upstream: bench.test\nupstreams:\n  bench.test:\n"
            f"    endpoint: http://127.0.0.1:{place.upstream_port}\n    auth: anonymous\n    tag_ttl: 1h\n"
            # The default is politeness towards Docker Hub, and not what is measured.
            "    requests_per_minute: 1000000\n"
        )
    return [place.binary, "serve", "--config", path]


def registry(place, port):
    path = os.path.join(place.directory, "registry.yml")
    tls = f", tls: {{certificate: {place.tls.certificate}, key: {place.tls.key}}}" if place.tls else ""
    with open(path, "w") as file:
        file.write(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {place.data}}}, cache: {{blobdescriptor: inmemory}}}}\n"
            f"http: {{addr: '127.0.0.1:{port}', secret: none{tls}}}\n"
            f"proxy: {{remoteurl: 'http://127.0.0.1:{place.upstream_port}'}}\n"
        )
    return ["docker-registry", "serve", path]


def static(place, port):
    server = f"""
  server {{
    {nginx.listen(port, place.tls)} root {place.root};
    location / {{ default_type application/octet-stream; }}
    location ~ /manifests/ {{ default_type {dataset.MANIFEST_TYPE}; }}
    location = /v2/ {{ return 200; }}
  }}"""
    return nginx.command(nginx.settings(place.directory, server))


def proxy_cache(place, port):
    server = f"""
  proxy_cache_path {place.data} levels=1:2 keys_zone=registry:10m inactive=1d use_temp_path=off;
  upstream origin {{ server 127.0.0.1:{place.upstream_port}; keepalive 16; }}
  server {{
    {nginx.listen(port, place.tls)}
    location /v2/ {{
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_cache registry; proxy_cache_key $uri; proxy_cache_valid 200 1h;
      proxy_cache_lock on; proxy_cache_lock_timeout 120s; proxy_cache_lock_age 120s;
      add_header X-Cache $upstream_cache_status;
    }}
  }}"""
    return nginx.command(nginx.settings(place.directory, server))


COMMANDS = {TIDEPOOL: tidepool, REGISTRY: registry, STATIC: static, CACHE: proxy_cache}


class Contender:
    """One server, running; or the upstream itself (`DIRECT`), which has no process of its own here."""

    def __init__(self, kind, place):
        self.kind, self.place, self.scheme = kind, place, "https" if place.tls else "http"
        if kind == DIRECT:
            self.process, self.port, self.start_seconds = None, place.upstream_port, 0
            return
        os.makedirs(place.directory)
        self.port = free_port()
        arguments = COMMANDS[kind](place, self.port)
        began = time.perf_counter()
        self.process = Process(arguments, os.path.join(place.directory, "output.log"), place.core)
        self._wait_until_ready()
        self.start_seconds = time.perf_counter() - began

    def _wait_until_ready(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not self.process.has_ended:
            try:
                if self.get("/v2/").status == 200:
                    return
            except OSError:
                time.sleep(0.001)
        raise RuntimeError(f"{self.kind} did not start: {self.process.tail()}")

    @property
    def pids(self):
        """Its processes now."""
        return self.process.pids if self.process else []

    def url(self, path):
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def get(self, path, method="GET"):
        return probe.request(self.port, path, method, tls=bool(self.place.tls))

    def is_hit(self, answer):
        """Whether the server says that it answered out of its cache; None if it never says."""
        if self.kind == TIDEPOOL:
            return answer.headers.get("cache-status", "").startswith("tidepool; hit")
        if self.kind == CACHE:
            return answer.headers.get("x-cache") == "HIT"
        return None

    def stop(self):
        if self.process:
            self.process.stop()
            shutil.rmtree(self.place.directory, ignore_errors=True)
