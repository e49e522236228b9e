"""What is sent, and what comes back of it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from integrations.base import Failure, JsonObject, Result, Success
from policies import Rule
from proxy.calls import (
    CallLimits,
    CallSubject,
)
from tests.proxy.calls.desk import DELETE, GET, Desk, Turnstile
from tests.proxy.executions.world import (
    ALICE,
    TOKEN,
    shelf,
)


async def test_rate_limits_count_what_policies_let_through() -> None:
    turnstile = Turnstile(1)
    desk = Desk(rules=[Rule("hide", DELETE, "block", source="f:1")], limiter=turnstile)
    assert await desk.code(DELETE) == "tool_not_found"
    assert await desk.code(GET) is None
    answer = await desk.call(GET)
    assert answer["error"]["code"] == "rate_limited"
    assert answer["error"]["retryable"] is True
    assert answer["error"]["details"] == {"scope": "per-tool", "retryAfterMs": 1500}
    assert answer["error"]["message"] == "The rate limit `per-tool` is used up. Try again in 2 s."
    assert turnstile.seen[0] == CallSubject(ALICE, "s", "demo", "demo.org.main", GET)
    assert len(desk.upstream.sent) == 1


async def test_an_oversized_result_is_a_failure_with_advice() -> None:
    def large(arguments: JsonObject) -> Result:
        return Success("x" * 1000)

    desk = Desk(shelf(get=large), limits=CallLimits(result_bytes=500))
    answer = await desk.call(GET)
    assert answer["error"]["code"] == "upstream_response_too_large"
    assert answer["error"]["details"] == {"bytes": 1021, "limit": 500}


async def test_an_overdeep_result_is_a_failure_not_a_defect() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]

    desk = Desk(shelf(get=lambda arguments: Success(deep)))
    answer = await desk.call(GET)
    assert answer["error"]["code"] == "upstream_response_too_deep"
    assert answer["error"]["message"].endswith("the call was sent and may have taken effect")


async def test_a_secret_that_an_upstream_reflects_is_redacted() -> None:
    def echoing(arguments: JsonObject) -> Result:
        return Failure("upstream_http_error", f"bad header Bearer {TOKEN}", details={"h": [TOKEN]})

    answer = await Desk(shelf(get=echoing)).call(GET)
    assert answer["error"]["message"] == "bad header Bearer [redacted]"
    assert answer["error"]["details"] == {"h": ["[redacted]"]}


async def test_an_upstream_that_keeps_no_deadline_is_cut_off() -> None:
    desk = Desk(limits=CallLimits(timeout_seconds=0.0, grace_seconds=0.01))
    answer = await desk.call("demo.org.main.things.slow")
    assert answer["error"]["code"] == "upstream_timeout"
    assert answer["error"]["retryable"] is True
    assert desk.upstream.underway == 0


async def test_a_file_that_cannot_be_read_does_not_delay_large_results() -> None:
    """Files are read in the common pool of threads, each of which may be stuck."""
    loop, stuck = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    reading = loop.run_in_executor(None, stuck.wait)
    try:
        desk = Desk(shelf(get=lambda arguments: Success(f"{TOKEN} {'x' * 200_000}")))
        async with asyncio.timeout(60):
            answer = await desk.call(GET)
        assert answer["data"].startswith("[redacted] x")
        assert not reading.done()
    finally:
        stuck.set()
        await reading
