"""Traces by OpenTelemetry, sent as OTLP over HTTP (`telemetry.otlp`). Needs the extra `otlp`.

Spans are batched by the SDK's own thread and posted through whatever `Post` is given, which is the guarded HTTP client
in a running server. A collector that is away costs nothing but the spans: at most 2,048 wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from proxy.telemetry.logs import Logger
from proxy.telemetry.spans import AttributeValue, Headers, Span, SpanKind

Post = Callable[[bytes], int]
"""Posts one body to the collector, from any thread but the event loop's; the HTTP status. Raises `OSError`."""

_KINDS: Final = {
    "server": trace.SpanKind.SERVER,
    "internal": trace.SpanKind.INTERNAL,
    "client": trace.SpanKind.CLIENT,
}
_log = Logger("traces")


def traces_url(endpoint: str) -> str:
    """Where spans go: OTLP says `/v1/traces` under the endpoint, unless the endpoint says it already."""
    parts = urlsplit(endpoint)
    path = parts.path.rstrip("/")
    if not path.endswith("/v1/traces"):
        path += "/v1/traces"
    return urlunsplit(parts._replace(path=path))


class _Open:
    """A span that is under way."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def note(self, name: str, value: AttributeValue) -> None:
        self._span.set_attribute(name, value)

    def fail(self, code: str) -> None:
        self._span.set_attribute("error.type", code)
        self._span.set_status(Status(StatusCode.ERROR))


class Traces:
    """Implements `Spans`. `close` sends what waits; call it from a thread, never from the event loop.

    Batches follow the SDK's own variables, such as OTEL_BSP_SCHEDULE_DELAY (milliseconds; 5,000).
    """

    def __init__(self, post: Post, version: str) -> None:
        resource = Resource.create({"service.name": "executor", "service.version": version})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_Exporter(post)))
        self._tracer = self._provider.get_tracer("executor", version)
        self._context = TraceContextTextMapPropagator()

    def __enter__(self) -> Traces:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._provider.shutdown()

    @contextmanager
    def span(
        self,
        name: str,
        kind: SpanKind = "internal",
        *,
        attributes: Mapping[str, AttributeValue] | None = None,
        caller: Mapping[str, str] | None = None,
    ) -> Iterator[Span]:
        parent = self._context.extract(caller) if caller is not None else None
        # An exception's text may hold anything, so only its type is kept.
        with self._tracer.start_as_current_span(
            name,
            parent,
            _KINDS[kind],
            dict(attributes or {}),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            opened = _Open(span)
            try:
                yield opened
            except BaseException as error:
                opened.fail(type(error).__name__)
                raise

    def headers(self) -> Headers:
        found: dict[str, str] = {}
        self._context.inject(found)
        return tuple(found.items())


class _Exporter(SpanExporter):
    """Called by the SDK's thread only."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        body = encode_spans(spans).SerializeToString()
        try:
            status = self._post(body)
        except OSError as error:
            return self._failed(str(error))
        if status >= 300:
            return self._failed(f"the collector answered {status}")
        self._failing = False
        return SpanExportResult.SUCCESS

    def _failed(self, why: str) -> SpanExportResult:
        if not self._failing:
            self._failing = True
            _log.warning("traces_not_sent", detail=f"{why}; spans are dropped until it takes them again")
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Nothing of ours is open."""
