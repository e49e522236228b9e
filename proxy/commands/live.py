"""Whether a running server is alive: what `executor doctor --live` asks. The standard library only, because the health
check of a container starts it every few seconds, and a whole program costs twenty times as much as the question.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Sequence
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


def ask(url: str, trust: Callable[[], ssl.SSLContext] = ssl.create_default_context) -> tuple[bool, str]:
    """Whether `GET /healthz` there answers 200, and what was seen. `unix:/PATH` asks a socket. Raises what `trust` may.

    Nothing secret is sent, so on this machine any certificate will do, and `http` may turn out to be TLS.
    """
    try:
        return _ask(url, trust)
    except (ConnectionResetError, http.client.BadStatusLine) as error:
        if not url.startswith("http:") or not _is_near(url):
            return False, f"{url}: {str(error) or type(error).__name__}"
    return ask(f"https:{url.removeprefix('http:')}", trust)


def _ask(url: str, trust: Callable[[], ssl.SSLContext]) -> tuple[bool, str]:
    """Raises what may be the answer of a server that speaks TLS."""
    try:
        connection, path = _connection(url, trust)
        try:
            connection.request("GET", f"{path.rstrip('/')}/healthz")
            status = connection.getresponse().status
        finally:
            connection.close()
    except (ConnectionResetError, http.client.BadStatusLine):
        raise
    except (OSError, ValueError, http.client.HTTPException) as error:
        return False, f"{url}: {str(error) or type(error).__name__}"
    return status == 200, f"{url}: HTTP {status}"


def _is_near(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def _connection(url: str, trust: Callable[[], ssl.SSLContext]) -> tuple[http.client.HTTPConnection, str]:
    """Raises ValueError for what is no address of a server."""
    if url.startswith("unix:"):
        return _UnixConnection(url.removeprefix("unix:")), ""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected http://HOST:PORT, https://HOST:PORT or unix:/PATH")
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=LIVE_SECONDS), parts.path
    context = trust()
    if _is_near(url):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    secure = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=LIVE_SECONDS, context=context)
    return secure, parts.path


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=LIVE_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(LIVE_SECONDS)
        self.sock.connect(self._path)
