"""Interim responses (`100 Continue`, `103 Early Hints`) before the real one are few, or the connection ends.

httpcore2 reads over any number of them without a pause: an upstream that sends nothing else would keep the event loop
busy until the time limit of the request.
"""

from __future__ import annotations

import re
import ssl
from typing import Final

import httpcore2
from httpcore2._backends.anyio import AnyIOStream

MAX_INTERIM: Final = 32
_BEGINS = re.compile(rb"HTTP/\d\.\d 1(?!01)\d\d")
_STATUS_BYTES: Final = 12
_BLANK_LINE = re.compile(rb"\n\r?\n")  # what h11 takes for the end of a head


class InterimBoundStream(AnyIOStream):
    """The stream of one connection, which looks at what comes before the head of each response."""

    def __init__(self, stream: AnyIOStream) -> None:
        super().__init__(stream._stream)
        self._await_response()

    def _await_response(self) -> None:
        self._looks, self._start, self._interim = True, b"", 0

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._await_response()
        await super().write(buffer, timeout)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Raises `httpcore2.RemoteProtocolError` after `MAX_INTERIM` interim responses."""
        data = await super().read(max_bytes, timeout)
        if self._looks:
            self._look(data)
        return data

    def _look(self, data: bytes) -> None:
        self._start += data
        while _BEGINS.match(self._start) and (end := _BLANK_LINE.search(self._start)):
            self._start = self._start[end.end() :]
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise httpcore2.RemoteProtocolError(f"more than {MAX_INTERIM} interim responses (1xx)")
        if len(self._start) >= _STATUS_BYTES and not _BEGINS.match(self._start):
            self._looks, self._start = False, b""

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> InterimBoundStream:
        secure = await super().start_tls(ssl_context, server_hostname, timeout)
        assert isinstance(secure, AnyIOStream)
        return InterimBoundStream(secure)
