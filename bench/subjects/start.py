"""From the start of the process to its first answer, and the memory that it has then, with an empty cache."""

import time

from lib.bench import Case
from lib.contenders import SERVERS
from lib.process import memory

TITLE = "Start with an empty cache"
COLUMNS = (("start_s", "start s", 3), ("rss_anon_bytes", "RssAnon bytes", 0), ("rss_peak_bytes", "VmHWM bytes", 0))


def cases(bench):
    yield Case("start", SERVERS, measure(bench))


def measure(bench):
    def measured(kind):
        contender = bench.start(kind)
        try:
            time.sleep(0.5)
            anonymous, peak = memory(contender.pids)
            return {"start_s": contender.start_seconds, "rss_anon_bytes": anonymous, "rss_peak_bytes": peak}
        finally:
            contender.stop()

    return measured
