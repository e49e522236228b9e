"""Whose request a server refused over HTTP+SSE, where one refusal ends the stream that all requests share.

The answer to a POST is about the request in it, and the SDK sends a request in the context of whoever made it. So the
transport can tell that one caller, and only that one, that its request was not taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from integrations.mcp.errors import McpError


class SentRequest:
    """One request under way. `refusal` is why the server did not take it."""

    __slots__ = ("refusal",)

    def __init__(self) -> None:
        self.refusal: McpError | None = None


_current: Final[ContextVar[SentRequest | None]] = ContextVar("executor_mcp_request", default=None)


@contextmanager
def sending(request: SentRequest) -> Iterator[None]:
    """What is sent inside is this request."""
    token = _current.set(request)
    try:
        yield
    finally:
        _current.reset(token)


def refused(error: McpError) -> None:
    """The server has not taken the request of this context."""
    request = _current.get()
    if request is not None:
        request.refusal = error
