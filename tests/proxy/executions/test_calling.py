"""What a call tells while it is under way; that it may ask is tested in test_parking.py."""

from __future__ import annotations

import orjson

from integrations.conversation import Conversation, Elicitation, InputNeeded
from proxy.executions.calling import not_shown
from tests.proxy.executions.world import Talking, talking, world

HIDDEN = Elicitation("go", url="javascript:alert(1)")


class Ending(Talking):
    """Its calls end with a question that nobody must be asked, after telling how far they are."""

    async def converse(self, call: object, timeout_seconds: float, conversation: Conversation) -> InputNeeded:
        assert conversation.progress is not None
        conversation.progress(1.0, 2.0, "half\nway")
        conversation.progress(2.0, 2.0, "at once, so not told")
        return InputNeeded({"a": HIDDEN}, None, 1)


def ending() -> Ending:
    plain = talking()
    return Ending(plain.answers, plain.toolset)


async def test_progress_reaches_the_observer_under_the_number_of_the_call() -> None:
    async with world(ending()) as one:
        await one.run("await tools.catalog.namespaces({}); return await tools.demo.org.main.things.get({})")
        steps = [event for event in one.observer.events if event[0] == "progress"]
        assert steps == [("progress", 1, "1 of 2: half way")]


async def test_what_cannot_be_shown_fails_the_call_and_nothing_else() -> None:
    async with world(ending()) as one:
        found = await one.value("return await tools.demo.org.main.things.get({})")
        assert found["error"]["code"] == "mcp_tool_error"
        assert "cannot be shown" in found["error"]["message"]


def test_its_failure_is_a_settlement_like_any_other() -> None:
    settlement = not_shown("a.b")
    assert (settlement.ok, settlement.code) == (False, "mcp_tool_error")
    assert orjson.loads(settlement.body)["ok"] is False
