"""Answers that are kept and given again: whole, once for all redirects, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from integrations.base import SourceError
from integrations.http.recorded import KeptAnswer, KeptClient, RecordingClient
from integrations.http.transport import DIRECT
from integrations.openapi.fetch import Fetcher


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.headers.get("If-None-Match"):
            self._answer(304, b"")
        elif self.path.startswith("/moved"):
            self._answer(302, b"", ("Location", "/signed?sig=SECRET"))
        elif self.path.startswith("/signed"):
            self._answer(200, b"\xff\x00", ("ETag", '"1"'))
        else:
            self._answer(404, b"none")

    def _answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (("Content-Type", "text/x"), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def fetcher(client: RecordingClient | KeptClient, owner: str = "me") -> Fetcher:
    return Fetcher(client.through(lambda: DIRECT, owner), ("127.0.0.1",), (("Authorization", "Bearer t"),))


async def test_what_was_answered_is_answered_again(url: str) -> None:
    async with RecordingClient() as recording:
        asked = fetcher(recording)
        live = await asked.document(f"{url}/moved?key=K", {"If-None-Match": '"1"'})
        assert (live.content, live.url) == (b"\xff\x00", f"{url}/signed?sig=SECRET")
        with pytest.raises(SourceError, match="answered 404"):
            await asked.part(f"{url}/none")
        assert recording.kept("another") == {}
        kept = {key: one.as_json() for key, one in recording.kept("me").items()}
    for secret in ("SECRET", "key=K", "Bearer"):
        assert secret not in str(kept)

    again = fetcher(KeptClient({key: KeptAnswer.of(one) for key, one in kept.items()}))
    found = await again.document(f"{url}/moved?key=K", {})
    assert (found.content, found.url) == (b"\xff\x00", f"{url}/signed")
    with pytest.raises(SourceError, match="answered 404"):
        await again.part(f"{url}/none")
    with pytest.raises(SourceError, match="is not in the vendored catalog"):
        await again.part(f"{url}/other?key=K")
