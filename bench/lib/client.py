#!/usr/bin/env python3
"""A load generator for what wrk and hey cannot do: bodies larger than a run, HEAD beside GET, clients that start together.

Reads a job (see `generators.Job`) as JSON from standard input and writes its outcome as JSON. Each client repeats
sequences of requests, one request at a time. Without TLS, bodies are thrown away by the kernel (MSG_TRUNC), so that the
server and not the copying of the client is what is measured. A response with another status or length than expected
counts as failed.
"""

import json
import select
import socket
import ssl
import sys
import time

from process import cpu_seconds

HEAD_BYTES = 16 << 10
sink = bytearray(4 << 20)


class Client:
    """One client: its connection, and where it is in its sequence."""

    def __init__(self, run, number):
        self.run, self.sequence_number, self.socket = run, number, None
        self.begin_sequence()

    def begin_sequence(self):
        self.requests = iter(self.run.sequence(self.sequence_number))
        self.sequence_number += self.run.job["clients"]
        self.sequence_began, self.is_right = time.perf_counter(), True
        self.begin_request(next(self.requests))

    def begin_request(self, request):
        self.request, self.head, self.remaining = request, b"", None
        if self.socket is None:
            self.connect()
        if not self.is_handshaking:
            self.send()

    def connect(self):
        self.socket = socket.create_connection((self.run.job["host"], self.run.job["port"]))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.is_handshaking = bool(self.run.context)
        if self.run.context:
            self.socket = self.run.context.wrap_socket(self.socket, do_handshake_on_connect=False)
        self.socket.setblocking(False)
        self.run.poll.register(self.socket.fileno(), select.EPOLLIN)
        self.run.clients[self.socket.fileno()] = self
        if self.is_handshaking:
            try:
                self.socket.do_handshake()
                self.is_handshaking = False
            except ssl.SSLWantReadError:
                pass

    def disconnect(self):
        if self.socket is not None:
            self.run.poll.unregister(self.socket.fileno())
            del self.run.clients[self.socket.fileno()]
            self.socket.close()
            self.socket = None

    def send(self):
        self.socket.sendall(self.request["bytes"])

    def on_readable(self):
        try:
            self.read()
            # What TLS has decrypted already, epoll knows nothing of.
            while self.run.context and self.socket is not None:
                self.read()
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except OSError as error:
            self.fail(repr(error))

    def read(self):
        if self.is_handshaking:
            self.socket.do_handshake()
            self.is_handshaking = False
            self.send()
        elif self.remaining is None:
            self.read_head()
        else:
            self.read_body()

    def read_head(self):
        data = self.socket.recv(HEAD_BYTES)
        if not data:
            raise ConnectionError("closed before the end of the head")
        if not self.head:
            self.run.note_first_byte(time.perf_counter() - self.sequence_began)
        self.head += data
        end = self.head.find(b"\r\n\r\n")
        if end < 0:
            return
        length, body = content_length(self.head[:end]), len(self.head) - end - 4
        if int(self.head[9:12]) != self.request["status"] or length != self.request["length"]:
            self.note_wrong(self.head[:end].decode("latin-1"))
        self.run.bytes += body
        self.remaining = 0 if self.request["method"] == "HEAD" else length - body
        if self.remaining == 0:
            self.end_request()

    def read_body(self):
        flags = 0 if self.run.context else socket.MSG_TRUNC
        count = self.socket.recv_into(sink, min(self.remaining, len(sink)), flags)
        if count == 0:
            raise ConnectionError(f"closed {self.remaining} bytes before the end")
        self.run.bytes += count
        self.remaining -= count
        if self.remaining == 0:
            self.end_request()

    def end_request(self):
        self.run.requests += 1
        if self.run.job["close"]:
            self.disconnect()
        if (request := next(self.requests, None)) is not None:
            self.begin_request(request)
            return
        self.run.note_sequence(self.sequence_began, self.is_right)
        self.go_on()

    def go_on(self):
        if self.run.wants_more():
            self.begin_sequence()
        else:
            self.disconnect()

    def note_wrong(self, what):
        self.is_right = False
        if len(self.run.errors) < 5:
            self.run.errors.append(f"{self.request['method']} {self.request['path']}: {what}")

    def fail(self, what):
        self.note_wrong(what)
        self.run.failures += 1
        self.disconnect()
        self.go_on()


def content_length(head):
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    raise ConnectionError("a response without Content-Length")


class Run:
    """All clients of a job, and what they have seen."""

    def __init__(self, job):
        self.job, self.poll, self.clients = job, select.epoll(), {}
        self.context = None
        if job["tls"]:
            self.context = ssl.create_default_context()
            self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.errors, self.failures = [], 0
        self.begin_window()
        for sequence in job["sequences"]:
            for request in sequence:
                request["bytes"] = self.serialised(request)

    def serialised(self, request):
        fields = {"Host": "127.0.0.1"} | self.job["headers"] | request.get("headers", {})
        if self.job["close"]:
            fields["Connection"] = "close"
        head = [f"{request['method']} {request['path']} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items()), "", ""]
        return "\r\n".join(head).encode()

    def sequence(self, number):
        return self.job["sequences"][number % len(self.job["sequences"])]

    def begin_window(self):
        self.began, self.cpu_began = time.perf_counter(), cpu_seconds(self.job["pids"])
        self.own_cpu_began = time.process_time()
        self.bytes = self.requests = self.sequences = 0
        self.times, self.first_bytes = [], []

    def note_first_byte(self, seconds):
        self.first_bytes.append(seconds)

    def note_sequence(self, began, is_right):
        self.sequences += 1
        self.failures += not is_right
        self.times.append(time.perf_counter() - began)

    def wants_more(self):
        """Where there is a time, until it is over; else as many sequences as were asked for."""
        if self.job["seconds"]:
            return True
        self.left -= 1
        return self.left >= 0

    def go(self):
        self.left = self.job["count"] - self.job["clients"]
        for number in range(self.job["clients"]):
            Client(self, number)
        if not self.job["seconds"]:
            self.serve_until(time.perf_counter() + self.job["limit"])
            return self.outcome()
        # Connections are being opened and the kernel's buffers filled: what comes after that is measured.
        self.serve_until(time.perf_counter() + self.job["warm_up"])
        self.begin_window()
        self.serve_until(time.perf_counter() + self.job["seconds"])
        return self.outcome()

    def serve_until(self, deadline):
        while self.clients and (now := time.perf_counter()) < deadline:
            for descriptor, _ in self.poll.poll(deadline - now):
                if client := self.clients.get(descriptor):
                    client.on_readable()

    def outcome(self):
        unfinished = 0 if self.job["seconds"] else len(self.clients)
        seconds = time.perf_counter() - self.began
        return {
            "seconds": seconds,
            "bytes": self.bytes,
            "requests": self.requests,
            "sequences": self.sequences,
            "failures": self.failures + unfinished,
            "errors": self.errors,
            "server_cpu": cpu_seconds(self.job["pids"]) - self.cpu_began,
            "client_cpu": time.process_time() - self.own_cpu_began,
            "times": percentiles(self.times),
            "first_bytes": percentiles(self.first_bytes),
        }


def percentiles(values):
    if not values:
        return None
    values = sorted(values)
    at = lambda share: values[min(len(values) - 1, int(share * len(values)))]
    return {"p50": at(0.5), "p99": at(0.99), "max": values[-1]}


if __name__ == "__main__":
    print(json.dumps(Run(json.load(sys.stdin)).go()))
