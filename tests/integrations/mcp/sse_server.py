"""An MCP server of the oldest transport (HTTP+SSE, 2024-11-05), without any library: a stream of events for each
client, and requests that name its session in their URL.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from integrations.mcp import RemoteServer
from tests.e2e.threaded import served
from tests.integrations.echo import Reply
from tests.integrations.mcp.http_server import TOOLS

HELLO = {
    "protocolVersion": "2024-11-05",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "s", "version": "1"},
}


class RawSse:
    """`unknown_session` answers requests of sessions that `forget()` has lost; their streams stay open. While `holds`,
    calls are taken and not answered; `taken` is set by each.
    """

    def __init__(self) -> None:
        self.url = ""
        self.calls = 0
        self.holds = False
        self.taken = threading.Event()
        self.unknown_session = Reply(404)
        self.streams: list[queue.Queue[bytes | None]] = []
        self._first_known = 0

    @property
    def server(self) -> RemoteServer:
        return RemoteServer(self.url + "/sse", transport="sse")

    def forget(self) -> None:
        self._first_known = len(self.streams)

    def close(self) -> None:
        """End every stream."""
        for stream in self.streams:
            stream.put(None)

    def post(self, session: int, message: dict[str, Any]) -> Reply:
        if session < self._first_known:
            return self.unknown_session
        if self.holds and message["method"] == "tools/call":
            self.calls += 1
            self.taken.set()
        elif "id" in message:
            answer = json.dumps({"jsonrpc": "2.0", "id": message["id"], **self._answer(message["method"])})
            self.streams[session].put(f"event: message\ndata: {answer}\n\n".encode())
        return Reply(202)

    def _answer(self, method: str) -> dict[str, Any]:
        if method == "tools/call":
            self.calls += 1
            return {"result": {"content": [{"type": "text", "text": "fine"}]}}
        results = {"initialize": HELLO, "tools/list": {"tools": TOOLS}}
        return (
            {"result": results[method]} if method in results else {"error": {"code": -32601, "message": "no"}}
        )


@contextmanager
def raw_sse() -> Iterator[RawSse]:
    sse = RawSse()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            stream: queue.Queue[bytes | None] = queue.Queue()
            sse.streams.append(stream)
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.close_connection = True
            event: bytes | None = b"event: endpoint\ndata: /post?session_id=%d\n\n" % (len(sse.streams) - 1)
            while event is not None:
                self.wfile.write(event)
                event = stream.get()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            reply = sse.post(int(self.path.rpartition("=")[2]), json.loads(body))
            self.send_response(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

    with served(Handler) as url:
        sse.url = url
        try:
            yield sse
        finally:
            sse.close()
