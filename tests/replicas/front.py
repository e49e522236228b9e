"""A load balancer without sticky routing: every request goes to the next replica that takes a connection.

A request that was sent to a replica which then died is answered with 502, as a balancer does that must not repeat a
POST. Answers are passed on as they arrive, so that event streams work. A test may choose the replica with `x-replica`.
"""

from __future__ import annotations

import http.client
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from tests.replicas.upstream import LIMIT_SECONDS, Server, served

CHOICE = "x-replica"
_HOPS = frozenset({"connection", "keep-alive", "transfer-encoding", "host", "content-length", CHOICE})


@dataclass
class Front:
    """`targets` are the replicas' URLs, which a test replaces as it restarts them; `took` says who got each request."""

    url: str = ""
    targets: list[str] = field(default_factory=list)
    took: list[int] = field(default_factory=list)
    _turn: Iterator[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def order(self, choice: str | None) -> list[int]:
        """The replicas in the order in which this request tries them."""
        with self._lock:
            first = int(choice) if choice is not None else next(self._turn)
        return [(first + step) % len(self.targets) for step in range(len(self.targets))]

    def connect(self, choice: str | None) -> http.client.HTTPConnection | None:
        """A connection to the first replica that takes one."""
        for index in self.order(choice):
            connection = http.client.HTTPConnection(
                urlsplit(self.targets[index]).netloc, timeout=LIMIT_SECONDS
            )
            try:
                connection.connect()
            except OSError:
                connection.close()
                continue
            self.took.append(index)
            return connection
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    front: Front

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        connection = self.front.connect(self.headers.get(CHOICE))
        if connection is None:
            self._refuse(503)
            return
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOPS}
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            # What has a length is short, and is passed on whole or not at all.
            whole = answer.read() if answer.getheader("content-length") is not None else None
            if whole is None and not answer.chunked and answer.status not in (202, 204, 304):
                raise http.client.IncompleteRead(
                    b""
                )  # our servers say how long an answer is, unless they die
        except (OSError, http.client.HTTPException):
            connection.close()
            self._refuse(502)
            return
        try:
            self._pass_on(answer, whole)
        except (OSError, http.client.HTTPException):
            # One of the two has gone in the middle of an answer: all that can be done is to close the other.
            self.close_connection = True
        finally:
            connection.close()

    def _pass_on(self, answer: http.client.HTTPResponse, whole: bytes | None) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOPS:
                self.send_header(name, value)
        if whole is not None or answer.status in (204, 304):
            self.send_header("content-length", str(len(whole or b"")))
            self.end_headers()
            self.wfile.write(whole or b"")
            return
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while part := answer.read1():
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_POST = do_DELETE = do_OPTIONS = _forward

    def log_message(self, format: str, *args: Any) -> None:
        """Tests do not print."""


@contextmanager
def front() -> Iterator[Front]:
    found = Front()
    handler = type("Handler", (_Handler,), {"front": found})
    with served(Server(("127.0.0.1", 0), handler)) as url:
        found.url = url
        yield found
