"""An API in the test's own process whose answers the test holds in its hand: gates, echoes, sizes."""

from __future__ import annotations

import base64
import html
import json
import queue
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import quote

from tests.e2e.threaded import LIMIT_SECONDS, served


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; nothing is normalised."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Upstream:
    """`seen` lists every request. A call of `hold` answers after `open(gate)`."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    _gates: dict[str, threading.Event] = field(default_factory=lambda: defaultdict(threading.Event))
    _arrivals: dict[str, queue.Queue[None]] = field(default_factory=lambda: defaultdict(queue.Queue))

    def arrived(self, gate: str) -> None:
        """Wait until a call waits at this gate. Raises `queue.Empty` after the limit."""
        self._arrivals[gate].get(timeout=LIMIT_SECONDS)

    def open(self, gate: str) -> None:
        self._gates[gate].set()

    def hold(self, gate: str) -> None:
        self._arrivals[gate].put(None)
        self._gates[gate].wait(LIMIT_SECONDS)

    def targets(self) -> list[str]:
        return [f"{one.method} {one.target}" for one in self.seen]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    upstream: Upstream

    def log_message(self, format: str, *args: Any) -> None:
        """Tests do not print."""

    def _answer(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        request = Seen(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
        self.upstream.seen.append(request)
        status, body = _reply(self.upstream, request)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Seen-Authorization", request.headers.get("Authorization", "none"))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            # The proxy no longer waits: that is what a cancelled call looks like from here.
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = _answer


def _reply(upstream: Upstream, request: Seen) -> tuple[int, Any]:
    head, _, rest = request.target.partition("?")[0].lstrip("/").partition("/")
    if head == "hold":
        upstream.hold(rest)
        return 200, {"gate": rest}
    if head == "size":
        return 200, {"text": "x" * int(rest)}
    if head == "echo":
        seen = {"headers": request.headers, "target": request.target}
        return int(rest or "200"), {"message": f"seen: {seen}", **seen}
    if head == "mirror":
        return int(rest or "200"), _mirrored(request)
    if head == "things" and request.method == "GET" and not rest:
        return 200, [{"id": "t1", "name": "bolt"}, {"id": "t2", "name": "nut"}]
    return 200, {"method": request.method, "target": request.target, "body": request.body.decode()}


def _mirrored(request: Seen) -> Any:
    """Everything credential-like in this request, in the spellings in which it might leave somewhere else."""
    carried = [value for name, value in request.headers.items() if name.lower() not in ("host", "accept")]
    values = [*carried, *(part.split(" ", 1)[1] for part in carried if " " in part), request.target]
    spelled = []
    for value in values:
        raw = value.encode()
        coded = [
            base64.b64encode(raw).decode(),
            base64.urlsafe_b64encode(raw).decode().rstrip("="),
            raw.hex(),
        ]
        inside = base64.b64encode(b"user:" + raw).decode()
        spelled += [
            value,
            *coded,
            inside,
            quote(value, safe=""),
            quote(value),
            html.escape(value),
            json.dumps(value),
        ]
    return {"seen": spelled, "as key": {one: 1 for one in spelled}, "text": " ".join(spelled)}


@contextmanager
def upstream() -> Iterator[Upstream]:
    """Serve on a free port of 127.0.0.1 in a thread."""
    state = Upstream()
    handler = type("Handler", (_Handler,), {"upstream": state})
    with served(handler) as state.url:
        yield state


def _operation(
    name: str, *parameters: dict[str, Any], body: bool = False, summary: str = ""
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary or f"Does {name}",
        "parameters": list(parameters),
        "responses": {"200": {"description": "fine", "content": {"application/json": {"schema": {}}}}},
    }
    if body:
        schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _path(name: str, kind: str = "string") -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": kind}}


def document(**summaries: str) -> dict[str, Any]:
    """The OpenAPI document of this upstream. `summaries` replaces the summary of `things_list`, say."""
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer"}}

    def one(name: str, *parameters: dict[str, Any], body: bool = False) -> dict[str, Any]:
        return _operation(name, *parameters, body=body, summary=summaries.get(name.replace(".", "_"), ""))

    paths = {
        "/things": {"get": one("things.list", limit), "post": one("things.create", body=True)},
        "/things/{id}": {
            "get": one("things.get", _path("id")),
            "delete": one("things.delete", _path("id")),
        },
        "/hold/{gate}": {"get": one("hold.wait", _path("gate"))},
        "/size/{bytes}": {"get": one("size.text", _path("bytes", "integer"))},
        "/echo": {"get": one("echo.show")},
        "/echo/{status}": {"get": one("echo.fail", _path("status", "integer"))},
        "/mirror": {"get": one("mirror.show")},
        "/mirror/{status}": {"get": one("mirror.fail", _path("status", "integer"))},
        "/admin/wipe": {"post": one("admin.wipe")},
    }
    return {"openapi": "3.1.0", "info": {"title": "Shop", "version": "1"}, "paths": paths}
