"""What upstreams hear while they are called."""

from __future__ import annotations

import orjson

from integrations.conversation import Elicitation
from proxy.executions import ExecutionLimits, ExecutionRequest
from proxy.executions.conversing import not_shown, talk_of
from proxy.executions.stretch import Asked, first_stretch
from proxy.sandbox import ToolCall
from proxy.state import MemoryState
from tests.proxy.executions.world import ALICE, Noted, connection, live_with, shelf, workspace


async def test_progress_reaches_the_observer_and_questions_nobody() -> None:
    live = live_with(workspace([connection("demo.org.main", shelf())]))
    asked = Asked("exec_1", ExecutionRequest("code"), ALICE, Noted())
    job = first_stretch(asked, live.current, ExecutionLimits(), MemoryState(), 1.0).job
    talk = talk_of(job, ToolCall(3, "demo.org.main.things.get", {}), None)
    talk.on_step("half")
    assert talk.party == "exec_1"
    assert talk.ask is not None
    assert await talk.ask(Elicitation("Which one?")) is None


def test_what_cannot_be_shown_is_an_expected_failure() -> None:
    settlement = not_shown("demo.org.main.ask")
    assert (settlement.ok, settlement.code) == (False, "mcp_tool_error")
    assert "demo.org.main.ask" in orjson.loads(settlement.body)["error"]["message"]
