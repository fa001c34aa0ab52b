"""The index with 10⁴, 10⁵ and 10⁶ entries: tidepool's start with it, and lookups and evictions from inside.

What is inside is measured by `index-bench`, which also fills the indexes: `BENCH=1 swift build -c release --product
index-bench`. Without it this subject is left out.
"""

import json
import os
import re
import subprocess
import sys
import time

from lib.bench import LOAD_CORE, Case
from lib.contenders import TIDEPOOL
from lib.generators import Failed
from lib.process import memory

TITLE = "Many entries in the index"
COLUMNS = (("start_s", "start s", 3), ("lookup_us", "lookup µs", 2), ("evict_1000_ms", "evicting 1,000 ms", 1),
           ("rss_anon_bytes", "RssAnon bytes", 0))
SIZES = (10_000, 100_000, 1_000_000)


class Filled:
    """The indexes, filled and measured when first asked for."""

    def __init__(self, bench, sizes):
        self.bench, self.sizes, self.medians = bench, sizes, None
        self.directory = os.path.join(bench.directory, "index")

    def measured(self, size):
        if self.medians is None:
            report = os.path.join(self.bench.directory, "index.json")
            rounds = 1 if self.bench.options.quick else 7
            subprocess.run(
                ["taskset", "-c", str(LOAD_CORE), program(self.bench), "--sizes", ",".join(map(str, self.sizes)),
                 "--rounds", str(rounds), "--keep", self.directory, "--json", report],
                check=True, stdout=sys.stderr,
            )
            with open(report) as file:
                self.medians = {entry["blobs"]: entry for entry in json.load(file)}
        return self.medians[size]


def program(bench):
    return os.path.join(os.path.dirname(bench.options.tidepool), "index-bench")


def cases(bench):
    if not os.path.exists(program(bench)):
        print(f"bench: index is left out: there is no {program(bench)}", file=sys.stderr)
        return
    sizes = SIZES[:2] if bench.options.quick else SIZES
    filled = Filled(bench, sizes)
    for size in sizes:
        yield Case(f"{size:,} entries", (TIDEPOOL,), measure(bench, filled, size))


def check_entries(contender, size):
    """That it has taken the index as it is, and not begun another."""
    time.sleep(0.5)
    metrics = contender.get("/metrics").start.decode()
    found = re.search(r'^tidepool_cache_objects\{kind="blob"\} (\d+)$', metrics, re.MULTILINE)
    if not found or int(found[1]) < size * 0.99:
        raise Failed(f"has {found and found[1]} blobs in its index, and not {size}")


def measure(bench, filled, size):
    def measured(kind):
        inside = filled.measured(size)
        contender = bench.start(kind, data=os.path.join(filled.directory, str(size)))
        try:
            check_entries(contender, size)
            anonymous, peak = memory(contender.pids)
        finally:
            contender.stop()
        return {
            "start_s": contender.start_seconds, "rss_anon_bytes": anonymous, "rss_peak_bytes": peak,
            "lookup_us": inside["lookupMicroseconds"], "evict_1000_ms": inside["evictionMilliseconds"],
            "open_ms": inside["openingMilliseconds"], "index_megabytes": inside["fileMegabytes"],
        }

    return measured
