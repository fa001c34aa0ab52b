"""What issue 6 asks for, and whether it is so."""

import re
from dataclasses import dataclass

from lib.contenders import CACHE, DIRECT, REGISTRY, STATIC, TIDEPOOL

MIB = 1 << 20
PER_CONNECTION = r".*, a connection each.*"
KEPT = r"(GET|HEAD)(?!.*a connection each).*"


@dataclass(frozen=True)
class Target:
    """A bound on a value of each case whose name matches; `aim` is what is hoped for beyond the bound."""

    text: str
    subject: str
    cases: str
    value: object  # of summary, subject and case: a number, or None where nothing was measured
    bound: float
    at_least: bool = False
    aim: float | None = None

    def is_met(self, value, bound=None):
        bound = self.bound if bound is None else bound
        return value >= bound if self.at_least else value <= bound

    @property
    def limit(self):
        sign = "≥" if self.at_least else "≤"
        return f"{sign} {self.bound:g}" + (f" (aim {sign} {self.aim:g})" if self.aim is not None else "")


def ratio(figure, peer):
    return lambda summary, subject, case: summary.ratio(subject, case, figure, TIDEPOOL, peer)


def own(figure, scale=1.0):
    def value(summary, subject, case):
        found = summary.figure(subject, case, TIDEPOOL, figure)
        return None if found is None else found * scale

    return value


def difference(figure, peer):
    def value(summary, subject, case):
        mine, other = (summary.figure(subject, case, kind, figure) for kind in (TIDEPOOL, peer))
        return None if mine is None or other is None else mine - other

    return value


def to_case(figure, base):
    """Ratio to the first case that matches `base`, of tidepool alone."""

    def value(summary, subject, case):
        other = next((name for name in summary.cases[subject] if re.fullmatch(base, name)), None)
        mine, theirs = (summary.figure(subject, name, TIDEPOOL, figure) for name in (case, other))
        return mine / theirs if mine is not None and theirs else None

    return value


TARGETS = (
    Target("rate / nginx proxy_cache", "manifests", KEPT, ratio("rate", CACHE), 0.85, at_least=True, aim=1),
    Target("rate / nginx proxy_cache, new connections", "manifests", PER_CONNECTION, ratio("rate", CACHE), 1, True),
    Target("p99 / nginx proxy_cache", "manifests", ".*", ratio("p99_ms", CACHE), 1.5),
    Target("throughput / nginx static", "blobs", ".*", ratio("gb_per_s", STATIC), 1, at_least=True),
    Target("CPU per GB / nginx static", "blobs", ".*", ratio("cpu_s_per_gb", STATIC), 1),
    Target("CPU per GB / docker-registry", "blobs", ".*", ratio("cpu_s_per_gb", REGISTRY), 0.5),
    Target("throughput / nginx static", "ranges", "cached.*", ratio("gb_per_s", STATIC), 1, at_least=True),
    Target("CPU per GB / nginx static", "ranges", "cached.*", ratio("cpu_s_per_gb", STATIC), 1),
    Target("CPU per GB / docker-registry", "ranges", "cached.*", ratio("cpu_s_per_gb", REGISTRY), 0.5),
    Target("total / directly", "cold_blob", ".*100 MB/s", ratio("total_s", DIRECT), 1.05),
    Target("first byte after directly, ms", "cold_blob", ".*", difference("first_byte_ms", DIRECT), 5),
    Target("upstream GETs", "herd", r"\d+ clients", own("upstream_gets"), 1),
    Target("total / one client", "herd", r"\d+ clients", to_case("total_s", "1 client"), 1.5),
    Target("images per second", "images", "10 clients", own("images_per_s"), 1800, at_least=True),
    Target("images per second / 10 clients", "images", "100 clients", to_case("images_per_s", "10 clients"), 1, True),
    Target("start, s", "index", "1,000,000 entries", own("start_s"), 1),
    Target("lookup / 10⁴ entries", "index", "1,000,000 entries", to_case("lookup_us", "10,000 entries"), 1.5),
    Target("RssAnon, MiB", ".*", ".*", own("rss_anon_bytes", 1 / MIB), 64),
)


@dataclass(frozen=True)
class Verdict:
    target: Target
    subject: str
    case: str
    value: float | None

    @property
    def word(self):
        if self.value is None:
            return "not measured"
        if not self.target.is_met(self.value):
            return "MISS"
        return "pass" if self.target.aim is None or self.target.is_met(self.value, self.target.aim) else "pass, not the aim"


def verdicts(summary):
    found = []
    for target in TARGETS:
        measured = [
            Verdict(target, subject, case, target.value(summary, subject, case))
            for subject, cases in summary.cases.items() if re.fullmatch(target.subject, subject)
            for case in cases if re.fullmatch(target.cases, case)
        ]
        # Memory is one figure of the whole run: the case that took most.
        if target.subject == ".*":
            measured = sorted((v for v in measured if v.value is not None), key=lambda verdict: -verdict.value)[:1]
        found += measured
    return found
