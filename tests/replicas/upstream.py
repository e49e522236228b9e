"""An API that keeps a ledger: every call bears a run and a number, so what arrived twice, or never, is known.

`quick` and `post` must not be repeated; `keyed` may be with the same `Idempotency-Key`; `read` and `put` always may.
"""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LIMIT_SECONDS = 60.0
JsonObject = dict[str, Any]
METHODS = {"read": "get", "put": "put", "quick": "post", "post": "post"}


def document(operations: tuple[str, ...]) -> JsonObject:
    """The OpenAPI document of some of the operations."""
    where = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in ("run", "n")
    ]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ledger", "version": "1"},
        "paths": {
            f"/ledger/{name}/{{run}}/{{n}}": {
                METHODS.get(name, "post"): {
                    "operationId": f"ledger.{name}",
                    "parameters": where,
                    "responses": {"200": {"description": "ok"}},
                }
            }
            for name in operations
        },
    }


def reply(operation: str, number: str, times: int = 1) -> JsonObject:
    """What the API says; a call that arrived twice is not answered like one that arrived once."""
    return {"text": f"{operation} {number}" + (f", {times} times" if times > 1 else "")}


@dataclass
class Gate:
    """Keeps the first caller of one call waiting for an answer, until it is opened."""

    arrived: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)


class Ledger:
    """What arrived: `arrivals` counts requests, `keys` the keys of those that had one."""

    def __init__(self) -> None:
        self.url = ""
        self.arrivals: Counter[tuple[str, str, str]] = Counter()
        self.keys: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
        self._gates: dict[tuple[str, str, str], Gate] = {}
        self._lock = threading.Lock()

    def hold(self, operation: str, run: str, number: str | int, gate: Gate | None = None) -> Gate:
        """The next caller of this call gets no answer until the gate is opened."""
        found = self._gates[operation, run, str(number)] = gate or Gate()
        return found

    def take(self, operation: str, run: str, number: str, key: str | None) -> JsonObject:
        call = (operation, run, number)
        with self._lock:
            self.arrivals[call] += 1
            if key is not None:
                self.keys[call].add(key)
            gate = self._gates.pop(call, None)
            times = self._times(call)
        if gate is not None:
            gate.arrived.set()
            gate.opened.wait(LIMIT_SECONDS)
        return reply(operation, number, times)

    def _times(self, call: tuple[str, str, str]) -> int:
        """How often it took effect."""
        if call[0] in ("read", "put"):
            return 1
        return len(self.keys[call]) if call[0] == "keyed" else self.arrivals[call]

    def arrived(self, operation: str, run: str, number: str) -> bool:
        return self.arrivals[operation, run, number] > 0

    def calls_of(self, run: str) -> set[tuple[str, str]]:
        """Operation and number of what arrived."""
        with self._lock:
            return {(operation, number) for operation, its, number in self.arrivals if its == run}

    def doubled(self) -> list[tuple[str, str, str]]:
        """The calls that took effect more than once."""
        with self._lock:
            return [call for call in self.arrivals if self._times(call) > 1]

    def release(self) -> None:
        """Let everybody go who waits at a gate."""
        for gate in list(self._gates.values()):
            gate.opened.set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    ledger: Ledger

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        _, _, operation, run, number = self.path.split("/")
        said = self.ledger.take(operation, run, number, self.headers.get("idempotency-key"))
        body = json.dumps(said).encode()
        try:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            # Whoever asked was killed meanwhile.
            self.close_connection = True

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Tests do not print."""


class Server(ThreadingHTTPServer):
    """A thread for each connection; a connection that dies is no news here."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Replicas are killed in these tests, and callers go away."""


@contextmanager
def served(server: Server) -> Iterator[str]:
    """Serve in a thread; the URL."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(LIMIT_SECONDS)


@contextmanager
def ledger() -> Iterator[Ledger]:
    found = Ledger()
    handler = type("Handler", (_Handler,), {"ledger": found})
    with served(Server(("127.0.0.1", 0), handler)) as url:
        found.url = url
        try:
            yield found
        finally:
            found.release()
