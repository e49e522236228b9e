"""What a running application says about itself: how it logs, what it counts, and where its spans go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Final, TypeVar

from integrations.files import FileTrouble
from integrations.http import EgressRules, HttpClient, HttpError
from integrations.http.egress import origin_of
from proxy.app.options import CannotServe, InvalidConfig
from proxy.calls import CallReport
from proxy.config import Config
from proxy.config.model import Otlp
from proxy.config.secrets import Resolver, SecretMissing
from proxy.executions import DecisionReport, ExecutionReport
from proxy.telemetry import MetricsRegistry, configure_logging
from proxy.telemetry.spans import NoSpans, Spans

_POST_SECONDS: Final = 10.0
_ANSWER_BYTES: Final = 65_536
_EXTRA: Final = (
    "telemetry.otlp: traces need opentelemetry-sdk; install `executor-proxy[otlp]` or remove the setting"
)

Report = TypeVar("Report")


def set_logging(config: Config, env: Mapping[str, str]) -> None:
    """Logs as the config says; `EXECUTOR_MCP_DEBUG` adds what the MCP SDK logs."""
    log = config.telemetry.log
    debug = env.get("EXECUTOR_MCP_DEBUG", "").lower() in ("1", "true")
    configure_logging(log.level, log.format, protocol_debug=debug)


def all_of(*listeners: Callable[[Report], None]) -> Callable[[Report], None]:
    """One callback that tells all of these, in this order."""

    def tell(report: Report) -> None:
        for listener in listeners:
            listener(report)

    return tell


class Counts:
    """Turns reports into metrics. Its methods are the callbacks of executions, calls and limits."""

    def __init__(self, metrics: MetricsRegistry) -> None:
        self._metrics = metrics

    def limit_hit(self, name: str) -> None:
        self._metrics.count("executor_rate_limit_hits_total", limit=name)

    def executed(self, report: ExecutionReport) -> None:
        self._metrics.count("executor_executions_total", status=report.status)
        self._metrics.observe("executor_execution_seconds", report.duration_ms / 1000)
        if report.lost is not None:
            self._metrics.count("executor_sandbox_kills_total", reason=report.lost)

    def decided(self, report: DecisionReport) -> None:
        outcome = report.refused or "taken"
        self._metrics.count("executor_approval_decisions_total", action=report.action, outcome=outcome)

    def file_trouble(self, trouble: FileTrouble | None, stuck: int) -> None:
        """May be called in any thread."""
        if trouble is not None:
            self._metrics.count("executor_file_read_failures_total", reason=trouble)
        self._metrics.set("executor_file_reads_stuck", stuck)

    def called(self, report: CallReport) -> None:
        integration = report.integration or "unknown"
        self._metrics.count("executor_tool_calls_total", integration=integration, outcome=report.code or "ok")
        self._metrics.observe(
            "executor_tool_call_seconds", report.milliseconds / 1000, integration=integration
        )
        if report.decision is not None:
            self._metrics.count("executor_policy_decisions_total", action=report.decision.action)


@asynccontextmanager
async def open_spans(config: Config, env: Mapping[str, str]) -> AsyncIterator[Spans]:
    """Spans that go to the collector, or nowhere without one. Raises `InvalidConfig`, `CannotServe`."""
    otlp = config.telemetry.otlp
    if otlp is None:
        yield NoSpans()
        return
    try:
        from proxy.telemetry.traces import Traces
    except ImportError:
        raise CannotServe(_EXTRA) from None
    async with HttpClient() as http:
        collector = _Collector(http, otlp, env)
        traces = Traces(collector.post, metadata.version("executor-proxy"))
        try:
            yield traces
        finally:
            # It waits for its own thread, which needs this loop to post.
            await asyncio.to_thread(traces.close)


class _Collector:
    """Posts from the exporter's thread by way of the event loop, where the client lives."""

    def __init__(self, http: HttpClient, otlp: Otlp, env: Mapping[str, str]) -> None:
        from proxy.telemetry.traces import traces_url

        self._http = http
        self._url = traces_url(str(otlp.endpoint))
        self._rules = EgressRules(origins=frozenset({origin_of(self._url)}))
        self._loop = asyncio.get_running_loop()
        self._headers = [("Content-Type", "application/x-protobuf")]
        resolver = Resolver(env)
        for name, value in otlp.headers.items():
            try:
                shown = value if isinstance(value, str) else resolver.resolve(value).reveal()
            except SecretMissing as error:
                raise InvalidConfig(f"telemetry.otlp.headers.{name}: {error}") from None
            self._headers.append((name, shown))

    def post(self, body: bytes) -> int:
        """The status of the answer. Raises `OSError`."""
        answer = asyncio.run_coroutine_threadsafe(self._post(body), self._loop)
        try:
            return answer.result(_POST_SECONDS * 2)
        except (HttpError, FutureTimeout, RuntimeError) as error:
            answer.cancel()
            raise OSError(str(error) or "no answer in time") from error

    async def _post(self, body: bytes) -> int:
        response = await self._http.request(
            "POST",
            self._url,
            self._headers,
            body,
            timeout_seconds=_POST_SECONDS,
            max_bytes=_ANSWER_BYTES,
            allow=self._rules,
        )
        return response.status
