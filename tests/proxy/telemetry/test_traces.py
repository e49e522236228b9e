"""Spans as a collector receives them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from proxy.telemetry.traces import Traces, traces_url

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector:
    """Takes bodies, and answers with `status`."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.bodies: list[bytes] = []

    def __call__(self, body: bytes) -> int:
        self.bodies.append(body)
        return self.status

    def spans(self) -> dict[str, Sent]:
        found = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        scopes = [scope for one in found for resource in one.resource_spans for scope in resource.scope_spans]
        return {span.name: span for scope in scopes for span in scope.spans}


def sent(work: Callable[[Traces], None]) -> dict[str, Sent]:
    collector = Collector()
    with Traces(collector, "1.0") as traces:
        work(traces)
    return collector.spans()


def attributes(span: Sent) -> dict[str, str]:
    return {one.key: one.value.string_value or str(one.value.int_value) for one in span.attributes}


def test_a_span_is_inside_the_one_that_is_open() -> None:
    def work(traces: Traces) -> None:
        with traces.span("POST /mcp", "server", caller={"traceparent": PARENT}) as request:
            request.note("http.response.status_code", 200)
            with traces.span("execution", attributes={"executor.execution.id": "exec_1"}):
                pass

    spans = sent(work)
    request, execution = spans["POST /mcp"], spans["execution"]
    assert request.trace_id.hex() == execution.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert request.parent_span_id.hex() == "b7ad6b7169203331"
    assert execution.parent_span_id == request.span_id
    assert request.kind == Sent.SPAN_KIND_SERVER
    assert attributes(request) == {"http.response.status_code": "200"}
    assert attributes(execution) == {"executor.execution.id": "exec_1"}


async def test_tasks_inherit_the_span() -> None:
    collector = Collector()
    with Traces(collector, "1.0") as traces:

        async def call() -> None:
            with traces.span("call"):
                await asyncio.sleep(0)

        with traces.span("execution"):
            async with asyncio.TaskGroup() as group:
                group.create_task(call())
    spans = collector.spans()
    assert spans["call"].parent_span_id == spans["execution"].span_id


def test_a_malformed_caller_begins_a_trace() -> None:
    def work(traces: Traces) -> None:
        with traces.span("a", caller={"traceparent": "nonsense"}):
            pass

    assert sent(work)["a"].parent_span_id == b""


def test_upstreams_are_told() -> None:
    def work(traces: Traces) -> None:
        assert traces.headers() == ()
        with traces.span("call", "client", caller={"traceparent": PARENT}):
            names = dict(traces.headers())
            assert names["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c-")

    sent(work)


def test_t27_an_error_is_named_and_not_told() -> None:
    def work(traces: Traces) -> None:
        with pytest.raises(ValueError, match="hunter2"), traces.span("call"):
            raise ValueError("the password is hunter2")

    span = sent(work)["call"]
    assert attributes(span) == {"error.type": "ValueError"}
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert b"hunter2" not in span.SerializeToString()


def test_a_collector_that_refuses_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    collector = Collector(503)
    with caplog.at_level(logging.WARNING), Traces(collector, "1.0") as traces:
        for _ in range(1100):
            with traces.span("call"):
                pass
    assert len(collector.bodies) >= 2
    assert [record.message for record in caplog.records] == ["traces_not_sent"]


def test_a_collector_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    def away(body: bytes) -> int:
        raise ConnectionRefusedError("connection refused")

    with caplog.at_level(logging.WARNING), Traces(away, "1.0") as traces, traces.span("call"):
        pass
    assert [record.message for record in caplog.records] == ["traces_not_sent"]


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("https://otel.example.com", "https://otel.example.com/v1/traces"),
        ("https://otel.example.com/", "https://otel.example.com/v1/traces"),
        ("http://127.0.0.1:4318/otlp", "http://127.0.0.1:4318/otlp/v1/traces"),
        ("https://otel.example.com/v1/traces", "https://otel.example.com/v1/traces"),
    ],
)
def test_where_spans_go(endpoint: str, url: str) -> None:
    assert traces_url(endpoint) == url
