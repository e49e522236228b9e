"""An OTLP collector that keeps what it is sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.e2e.threaded import LIMIT_SECONDS, served


@dataclass
class Collector:
    """`bodies` as they came, in their order."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, *names: str) -> None:
        """Return when spans of all these names have come."""
        with self.came:
            assert self.came.wait_for(
                lambda: {span.name for span in self.spans()} >= set(names), LIMIT_SECONDS
            ), f"there are only {[span.name for span in self.spans()]}"

    def spans(self) -> list[Span]:
        sent = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        scopes = [scope for one in sent for resource in one.resource_spans for scope in resource.scope_spans]
        return [span for scope in scopes for span in scope.spans]


class _Handler(BaseHTTPRequestHandler):
    collector: Collector

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read their own lines."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        with self.collector.came:
            self.collector.bodies.append(body)
            self.collector.came.notify_all()
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()


@contextmanager
def collecting() -> Iterator[Collector]:
    """Serve on a free port of 127.0.0.1 in a thread."""
    collector = Collector()
    handler = type("Handler", (_Handler,), {"collector": collector})
    with served(handler) as collector.url:
        yield collector
