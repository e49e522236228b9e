"""What may be traced: a request, the execution it starts, the calls inside. Values and protocols only.

Without traces nothing here costs more than a function call. Names and attributes follow OpenTelemetry's conventions
(HTTP, MCP, generative AI); there are never arguments, results, code or credentials in a span.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final, Literal, Protocol

SpanKind = Literal["server", "internal", "client"]
AttributeValue = str | int | float | bool
Headers = tuple[tuple[str, str], ...]


class Span(Protocol):
    """One thing that takes time."""

    def note(self, name: str, value: AttributeValue) -> None:
        """Add an attribute."""
        ...

    def fail(self, code: str) -> None:
        """It went wrong; `code` is one of a short list of words (attribute `error.type`)."""
        ...


class Spans(Protocol):
    """Where spans begin."""

    def span(
        self,
        name: str,
        kind: SpanKind = "internal",
        *,
        attributes: Mapping[str, AttributeValue] | None = None,
        caller: Mapping[str, str] | None = None,
    ) -> AbstractContextManager[Span]:
        """A span around a block, inside the span that is open in this task. `caller`: headers in lower case, whose
        `traceparent` names the parent instead (W3C Trace Context). An exception that leaves the block fails the span.
        """
        ...

    def headers(self) -> Headers:
        """What tells an upstream about the span that is open in this task; nothing without one."""
        ...


class _NoSpan:
    def note(self, name: str, value: AttributeValue) -> None:
        """Nobody listens."""

    def fail(self, code: str) -> None:
        """Nobody listens."""


_NO_SPAN: Final = _NoSpan()


class NoSpans:
    """Traces nothing."""

    @contextmanager
    def span(
        self,
        name: str,
        kind: SpanKind = "internal",
        *,
        attributes: Mapping[str, AttributeValue] | None = None,
        caller: Mapping[str, str] | None = None,
    ) -> Iterator[Span]:
        yield _NO_SPAN

    def headers(self) -> Headers:
        return ()
