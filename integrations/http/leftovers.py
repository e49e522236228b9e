"""A connection on which more has come than one answer is never used again.

What stands behind a complete response would be parsed as the response to the next request (response splitting), which
may be another caller's. httpcore2 looks only at what the kernel still holds; here the bytes that were read already are
looked at: those in the parser, and encrypted ones that came along with the last record.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import httpcore2

_CHUNKS_AT_ONCE: Final = 64


class _Guarded:
    """The stream of one response. Closing it ends the connection when there is more on it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        count = 0
        async for chunk in self._stream:
            yield chunk
            count += 1
            if count % _CHUNKS_AT_ONCE == 0:
                # A body in chunks of a byte each is thousands of them in one read; others have their turn between.
                await asyncio.sleep(0)

    async def aclose(self) -> None:
        # The pool's stream around that of the connection; both are httpcore2's own.
        connection = self._stream._stream._connection
        if _has_more(connection):
            # h11's word for "this cannot go on": httpcore2 then closes the connection, and does not keep it.
            connection._h11_state.send_failed()
        await self._stream.aclose()


def _has_more(connection: Any) -> bool:
    if connection._h11_state.trailing_data[0]:
        return True
    encrypted = getattr(getattr(connection._network_stream, "_stream", None), "_read_bio", None)
    secure = connection._network_stream.get_extra_info("ssl_object")
    return bool((secure is not None and secure.pending()) or (encrypted is not None and encrypted.pending))


def guarded(response: httpcore2.Response) -> httpcore2.Response:
    """The same response, whose connection is kept only when nothing is left over."""
    response.stream = _Guarded(response.stream)
    return response
