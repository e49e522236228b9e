from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integrations.base import Credential, InvalidArguments, Success, UnknownTool
from integrations.conversation import ElicitationAnswer, ElicitationRequest
from integrations.mcp import LocalServer, McpUpstream
from integrations.mcp.session import NOBODY_TO_ASK
from integrations.mcp.upstream import check_arguments
from tests.integrations.mcp.running import PATIENCE, QUICK, fifo, raw_server, read_fifo, running


async def test_a_local_server_is_connected_listed_and_called() -> None:
    async with running(raw_server()) as one:
        assert one.status == {"status": "connected"}
        assert "echo" in one.names
        assert one.upstream.listed
        assert await one.data("echo", text="hi") == "hi"


async def test_prepare_refuses_before_anything_is_sent() -> None:
    async with running(raw_server()) as one:
        with pytest.raises(InvalidArguments) as caught:
            one.upstream.prepare("echo", {"text": 5})
        assert caught.value.problems[0].pointer == "/text"
        with pytest.raises(UnknownTool):
            one.upstream.prepare("nothing", {})


async def test_a_prepared_call_says_what_will_be_sent() -> None:
    async with running(raw_server(), name="shop") as one:
        call = one.upstream.prepare("echo", {"text": "a"})
        assert call.summary == "shop: tools/call echo"
        assert call.arguments == {"text": "a"}
        assert call.tool.risk == "read"


async def test_include_and_exclude_pick_the_tools() -> None:
    async with running(raw_server(), include=("e*",), exclude=("error",)) as one:
        assert one.names == ["echo", "empty", "environment"]


async def test_a_disabled_upstream_does_nothing() -> None:
    async with asyncio.TaskGroup() as tasks:
        upstream = McpUpstream(LocalServer(("no such program",)), enabled=False)
        upstream.start(lambda work: tasks.create_task(work()))
        assert await upstream.settled(1)
        assert upstream.status == {"status": "disabled"}
        await upstream.aclose()


async def test_an_error_of_the_tool_is_told_in_its_own_words() -> None:
    async with running(raw_server()) as one:
        failure = await one.failure("error")
        assert (failure.code, failure.message, failure.retryable) == (
            "mcp_tool_error",
            "it went wrong",
            False,
        )


async def test_a_tool_the_server_no_longer_has_is_unknown() -> None:
    async with running(raw_server()) as one:
        call = one.upstream.prepare("echo", {"text": "a"})
        gone = replace(call, plan=replace(call.plan, name="gone"))
        result = await one.upstream.invoke(gone, Credential(), PATIENCE)
        assert not isinstance(result, Success)
        assert result.code == "mcp_tool_unknown"


async def test_an_answer_that_breaks_the_protocol_is_delivered_as_it_is() -> None:
    """The call ran, so saying that it failed would invite a second one."""
    async with running(raw_server()) as one:
        assert await one.data("malformed") == "not a list"
        assert await one.data("echo", text="still here") == "still here"


async def test_progress_is_passed_on() -> None:
    seen: list[tuple[float, float | None, str | None]] = []
    async with running(raw_server()) as one:
        assert await one.talk("progress", progress=lambda *step: seen.append(step)) == "done"
        assert seen == [(1.0, 3.0, None), (2.0, 3.0, None), (3.0, 3.0, None)]


async def test_a_cancelled_caller_cancels_the_call_at_the_server(tmp_path: Path) -> None:
    cancelled, hung = fifo(tmp_path / "cancelled"), fifo(tmp_path / "hung")
    async with running(raw_server("", {"CANCELLED": str(cancelled), "HUNG": str(hung)})) as one:
        async with asyncio.TaskGroup() as tasks:
            call = tasks.create_task(one.call("hang"))
            await read_fifo(hung)
            call.cancel()
        assert json.loads(await read_fifo(cancelled)) is True
        assert await one.data("echo", text="next") == "next"


async def test_a_call_that_runs_out_of_time_is_cancelled_and_says_what_is_known(tmp_path: Path) -> None:
    cancelled = fifo(tmp_path / "cancelled")
    async with running(raw_server("", {"CANCELLED": str(cancelled)})) as one:
        async with asyncio.TaskGroup() as tasks:
            call = tasks.create_task(one.failure("hang", 0.05))
            assert json.loads(await read_fifo(cancelled)) is True
        failure = call.result()
        assert (failure.code, failure.retryable) == ("upstream_timeout", False)
        assert failure.details == {"sent": True, "outcome": "unknown"}
        assert one.status == {"status": "connected"}


async def test_a_read_that_runs_out_of_time_may_be_retried(tmp_path: Path) -> None:
    async with running(raw_server("", {"CANCELLED": os.devnull})) as one:
        failure = await one.failure("hang_reading", 0.05)
        assert (failure.code, failure.retryable) == ("upstream_timeout", True)


async def test_requests_of_the_server_are_refused_by_default() -> None:
    async with running(raw_server()) as one:
        answers = await one.data("ask")
        assert sorted(answer["error"] for answer in answers) == [
            "Elicitation not supported",
            "List roots not supported",
            "Sampling not supported",
        ]


async def test_elicitation_goes_to_whoever_made_the_call() -> None:
    asked: list[ElicitationRequest] = []

    async def answer(question: ElicitationRequest) -> ElicitationAnswer:
        asked.append(question)
        return ElicitationAnswer("accept", {"name": "Ada"})

    async with running(raw_server(), asks=True) as one:
        answers = await one.talk("ask", ask=answer)
        assert {"action": "accept", "content": {"name": "Ada"}} in answers
        assert asked[0].message == "who?"
        assert asked[0].schema is not None
        assert "name" in asked[0].schema["properties"]


async def test_a_call_that_nobody_listens_to_is_refused_its_questions() -> None:
    async with running(raw_server(), asks=True) as one:
        assert {"error": NOBODY_TO_ASK} in await one.data("ask")


async def test_too_many_calls_are_turned_away() -> None:
    limits = replace(QUICK, parallel_calls=1, waiting_calls=1)
    async with running(raw_server("", {"CANCELLED": os.devnull}), limits=limits) as one:
        async with asyncio.TaskGroup() as tasks:
            calls = [tasks.create_task(one.call("hang", 0.2)) for _ in range(3)]
        codes = [getattr(call.result(), "code", None) for call in calls]
        assert codes.count("mcp_connection_failed") == 1
        assert codes.count("upstream_timeout") == 2


async def test_a_server_that_cannot_be_started_is_failed() -> None:
    async with running(LocalServer(("no-such-program-anywhere",))) as one:
        assert one.status["status"] == "failed"
        assert "no-such-program-anywhere" in one.status["error"]
        assert not one.upstream.listed


async def test_calls_after_the_end_fail_at_once() -> None:
    async with running(raw_server()) as one:
        call = one.upstream.prepare("echo", {"text": "a"})
    result = await one.upstream.invoke(call, Credential(), PATIENCE)
    assert not isinstance(result, Success)
    assert result.code == "mcp_connection_failed"


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "a/b": {"type": "array", "items": {"$ref": "#/$defs/x"}}},
    "required": ["n"],
    "additionalProperties": False,
    "$defs": {"x": {"type": "string"}},
}


def problems(schema: dict[str, Any], arguments: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidArguments) as caught:
        check_arguments(schema, arguments)
    return [problem.pointer for problem in caught.value.problems]


def test_what_fits_passes() -> None:
    check_arguments(SCHEMA, {"n": 1, "a/b": ["x"]})


def test_every_problem_has_its_pointer() -> None:
    assert sorted(problems(SCHEMA, {"n": "1", "a/b": ["x", 2]})) == ["/a~1b/1", "/n"]
    assert problems(SCHEMA, {}) == [""]
    assert problems(SCHEMA, {"n": 1, "more": 2}) == [""]


def test_problems_and_reasons_are_bounded() -> None:
    found = problems(
        {"properties": {f"p{index}": False for index in range(50)}}, {f"p{i}": 1 for i in range(50)}
    )
    assert len(found) == 20
    with pytest.raises(InvalidArguments) as caught:
        check_arguments({"properties": {"a": {"type": "integer"}}}, {"a": "x" * 10_000})
    assert len(caught.value.problems[0].reason) < 300


@pytest.mark.parametrize(
    "schema",
    [
        {"type": 5},
        {"$ref": "#/nowhere"},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"properties": {"a": {"pattern": "(a+)+$"}}},
        {"$ref": "#"},
    ],
)
def test_a_schema_that_cannot_be_applied_says_nothing(schema: dict[str, Any]) -> None:
    check_arguments(schema, {"a": "a" * 60 + "b"} if "properties" not in schema else {"a": 5})
