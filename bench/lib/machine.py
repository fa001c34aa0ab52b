"""Where and with what it was measured."""

import os
import platform
import re
import subprocess
import time


def _first_line(*arguments):
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=20)
        return (done.stdout or done.stderr).strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "unknown"


def _field(path, name):
    with open(path) as file:
        for line in file:
            if line.startswith(name):
                return line.split(":", 1)[1].strip()
    return "unknown"


def package(name):
    return _first_line("dpkg-query", "--show", "--showformat=${Version}", name)


def surroundings(repository):
    """The machine and the commit: names and values for people, in the order in which they are shown."""
    git = lambda *arguments: _first_line("git", "-C", repository, *arguments)
    changed = git("status", "--porcelain", "--untracked-files=no") != "unknown"
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": git("rev-parse", "--short=12", "HEAD") + (" and changes" if changed else ""),
        "processor": _field("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / (1 << 20):.1f} GiB",
        "kernel": platform.release(),
        "system": _pretty_name(),
    }


def describe(binary, repository):
    """The surroundings, and the programs that are measured and measured with."""
    return surroundings(repository) | {
        "tidepool": _first_line(binary, "--version"),
        "nginx": package("nginx"),
        "docker-registry": package("docker-registry"),
        "wrk": package("wrk"),
        "hey": package("hey"),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def _pretty_name():
    with open("/etc/os-release") as file:
        found = re.search(r'^PRETTY_NAME="?(.*?)"?$', file.read(), re.MULTILINE)
    return found[1] if found else platform.system()
