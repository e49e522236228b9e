"""Whether a running server is alive: what `executor doctor --live` asks. The standard library only, because the health
check of a container starts it every few seconds, and a whole program costs twenty times as much as the question.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

DEFAULT_URL = "http://127.0.0.1:8080"
LIVE_SECONDS = 3.0
COLUMNS = ("LEVEL", "CHECK", "DETAIL")
"""Of what `doctor` prints."""


def live_url(words: Sequence[str]) -> str | None:
    """The URL where the words are `doctor --live [URL]` and nothing else; None for every other command line."""
    if list(words[:2]) != ["doctor", "--live"] or len(words) > 3 or any(w.startswith("-") for w in words[2:]):
        return None
    return words[2] if len(words) == 3 else DEFAULT_URL


def ask(url: str) -> tuple[bool, str]:
    """Whether `GET /healthz` there answers 200, and what was seen. `unix:/PATH` asks a socket. Raises nothing."""
    try:
        connection, path = _connection(url)
        try:
            connection.request("GET", f"{path.rstrip('/')}/healthz")
            status = connection.getresponse().status
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return False, f"{url}: {str(error) or type(error).__name__}"
    return status == 200, f"{url}: HTTP {status}"


def _connection(url: str) -> tuple[http.client.HTTPConnection, str]:
    """Raises ValueError for what is no address of a server."""
    if url.startswith("unix:"):
        return _UnixConnection(url.removeprefix("unix:")), ""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected http://HOST:PORT, https://HOST:PORT or unix:/PATH")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname, parts.port, timeout=LIVE_SECONDS), parts.path


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=LIVE_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(LIVE_SECONDS)
        self.sock.connect(self._path)
