"""Servers on a core of their own, and what the kernel charges them."""

import os
import signal
import socket
import subprocess
import threading

TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tree(pid):
    """The process and all that descend from it."""
    pids = [pid]
    for parent in pids:
        try:
            with open(f"/proc/{parent}/task/{parent}/children") as file:
                pids += [int(child) for child in file.read().split()]
        except FileNotFoundError:
            pass
    return pids


def cpu_seconds(pids):
    """User and system time of these processes, and of the children that they have waited for.

    One that has ended is among its parent's children: nginx's cache loader goes after a minute.
    """
    ticks = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            continue
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS


def memory(pids):
    """RssAnon and VmHWM of these processes together, in bytes.

    VmHWM is the peak of all resident pages, and so counts mapped files and shared pages once per process; RssAnon is
    memory that cannot be taken back, and has no peak of its own in the kernel: see `MemoryWatch`.
    """
    anonymous = peak = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status") as file:
                for line in file:
                    if line.startswith("RssAnon:"):
                        anonymous += int(line.split()[1]) * 1024
                    elif line.startswith("VmHWM:"):
                        peak += int(line.split()[1]) * 1024
        except FileNotFoundError:
            pass
    return anonymous, peak


class MemoryWatch:
    """Looks at the memory of some processes ten times a second while it is open."""

    def __init__(self, pids):
        self.pids, self.anonymous, self.peak = pids, 0, 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        for pid in self.pids:
            with open(f"/proc/{pid}/clear_refs", "w") as file:
                file.write("5")  # VmHWM starts anew
        self.look()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.look()

    def _watch(self):
        while not self.over.wait(0.1):
            self.look()

    def look(self):
        anonymous, peak = memory(self.pids)
        self.anonymous, self.peak = max(self.anonymous, anonymous), max(self.peak, peak)


class Process:
    """A server that runs until it is stopped, on one core, with its output in a file."""

    def __init__(self, arguments, log, core):
        self.log = log
        with open(log, "ab") as output:
            self.child = subprocess.Popen(
                ["taskset", "-c", str(core), *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    @property
    def pids(self):
        return tree(self.child.pid)

    @property
    def has_ended(self):
        return self.child.poll() is not None

    def tail(self):
        with open(self.log, errors="replace") as file:
            return "".join(file.readlines()[-5:])

    def stop(self):
        if self.has_ended:
            return
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
