"""Opens what `telemetry.otlp` asks for: spans on their way to a collector, through the guarded HTTP client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Final

from integrations.http import EgressRules, HttpClient, HttpError
from integrations.http.egress import origin_of
from proxy.app.options import InvalidConfig
from proxy.config import Config
from proxy.config.model import Otlp
from proxy.config.secrets import Resolver, SecretMissing
from proxy.telemetry.spans import NoSpans, Spans

_POST_SECONDS: Final = 10.0
_ANSWER_BYTES: Final = 65_536
_EXTRA: Final = (
    "telemetry.otlp: traces need opentelemetry-sdk; install `executor-proxy[otlp]` or remove the setting"
)


@asynccontextmanager
async def open_spans(config: Config, env: Mapping[str, str]) -> AsyncIterator[Spans]:
    """Spans that go to the collector, or nowhere without one. Raises `InvalidConfig`."""
    otlp = config.telemetry.otlp
    if otlp is None:
        yield NoSpans()
        return
    try:
        from proxy.telemetry.traces import Traces
    except ImportError:
        raise InvalidConfig(_EXTRA) from None
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
