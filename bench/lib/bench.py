"""What a run has: the data, the upstream, the servers, and the record of what was measured."""

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass

from lib import contenders, generators
from lib.contenders import CACHE, STATIC, TIDEPOOL, Contender, Place
from lib.generators import Failed

SERVER_CORE, LOAD_CORE = 0, 1


@dataclass
class Case:
    """One row of a table: what is measured, for whom, and how."""

    name: str
    contenders: tuple
    measure: object  # a function of the contender's kind that returns figures by name


@dataclass
class Record:
    subject: str
    case: str
    contender: str
    round: int
    figures: dict
    problem: str | None = None


class Bench:
    def __init__(self, options, directory, data, upstream):
        self.options, self.directory, self.data, self.upstream = options, directory, data, upstream
        self.certificate = contenders.make_certificate(directory)
        self.started, self.running, self.warm_paths = 0, {}, set()

    @property
    def seconds(self):
        return self.options.seconds

    def start(self, kind, tls=False, upstream_port=None, data=""):
        """A server with an empty cache, or that of `data`; without an upstream's port, its upstream has no limit."""
        self.started += 1
        place = Place(
            os.path.join(self.directory, f"{self.started}-{kind.replace(' ', '-')}"),
            upstream_port or self.upstream.port, SERVER_CORE, self.certificate if tls else None, self.data.root,
            self.options.tidepool, data,
        )
        return Contender(kind, place)

    def warm(self, kind, contents=(), tls=False):
        """A server that stays for this subject, and has these contents in its cache."""
        key = (kind, tls)
        if key not in self.running:
            self.running[key] = self.start(kind, tls)
        contender = self.running[key]
        missing = [(path, content) for path, content in contents if (key, path) not in self.warm_paths]
        if missing:
            self._fill(contender, missing)
            self.warm_paths.update((key, path) for path, _ in missing)
        return contender

    def _fill(self, contender, contents):
        """Pulls it all, and checks it, until all comes out of the cache.

        docker-registry stores after it has answered, and does not tell what was a hit; that the upstream is not asked for
        content tells it.
        """
        self.settle()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            hits = set()
            for path, content in contents:
                answer = contender.get(path)
                if (answer.status, answer.digest, answer.length) != (200, content.digest, content.size):
                    raise Failed(f"{contender.kind} answered {path} with {answer}")
                hits.add(contender.is_hit(answer))
            asked = self.upstream.traffic().of("GET blobs", "HEAD blobs", "GET manifests")
            if contender.kind == STATIC or (asked == 0 and False not in hits):
                return
        raise Failed(f"{contender.kind} does not keep what it is asked for")

    def settle(self):
        """Forgets what the upstream was asked until now."""
        self.upstream.traffic()

    @contextmanager
    def cold(self, kind, upstream_port):
        """A server with nothing in its cache, which has spoken to the upstream before."""
        contender = self.start(kind, upstream_port=upstream_port)
        try:
            contender.get(self.data.images[0].tag_path)
            contender.get(self.data.images[0].blobs[0].path)
            self.settle()
            yield contender
        finally:
            contender.stop()

    def wrk(self, contender, path, connections, close=False, paths_file=None):
        return generators.wrk(contender, path, connections, self.seconds, LOAD_CORE, close, paths_file)

    def hey(self, contender, path, connections, close=False):
        return generators.hey(contender, path, connections, self.seconds, LOAD_CORE, close)

    def client(self, contender, job):
        return generators.client(contender, job, LOAD_CORE)

    def paths_file(self, name, lines):
        path = os.path.join(self.directory, name)
        with open(path, "w") as file:
            file.write("\n".join(lines) + "\n")
        return path

    def checked(self, contender, outcome, figures):
        """The figures of a measurement on warm caches, if it was one."""
        if outcome.failures or not (outcome.requests or outcome.bytes):
            raise Failed(f"{outcome.failures} failures, {outcome.requests} answers: {outcome.details.get('errors')}")
        traffic = self.upstream.traffic()
        if traffic.total and contender.kind in (TIDEPOOL, CACHE):
            raise Failed(f"asked the upstream although warm: {dict(traffic.requests)}")
        return figures | {"upstream_requests": traffic.total}

    def retire(self):
        """Stops every server of this subject."""
        for contender in self.running.values():
            contender.stop()
        self.running, self.warm_paths = {}, set()


def run(bench, name, cases, take):
    """Measures all cases, `rounds` times, the servers in turn and each round in another order; `take` gets each record."""
    try:
        for number in range(bench.options.rounds):
            for case in cases:
                turn = number % len(case.contenders)
                for kind in case.contenders[turn:] + case.contenders[:turn]:
                    record = Record(name, case.name, kind, number, {})
                    try:
                        record.figures = case.measure(kind)
                    except (Failed, OSError, RuntimeError) as error:
                        record.problem = str(error)
                    take(record)
    finally:
        bench.retire()

