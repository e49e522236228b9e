"""What a call tells while it is under way; that it may ask is tested in test_parking.py."""

from __future__ import annotations

import orjson

from integrations.base import PreparedCall, Result, Success
from integrations.conversation import Conversation, ElicitationRequest, InputNeeded
from policies import Rule
from proxy.executions.calling import not_shown
from proxy.state import MemoryState
from tests.proxy.executions.world import ALICE, WHO, Talking, talking, world

HIDDEN = ElicitationRequest("go", url="javascript:alert(1)")


class Ending(Talking):
    """Its calls end with a question that nobody must be asked, after telling how far they are."""

    async def converse(self, call: object, timeout_seconds: float, conversation: Conversation) -> InputNeeded:
        assert conversation.progress is not None
        conversation.progress(1.0, 2.0, "half\nway")
        conversation.progress(2.0, 2.0, "at once, so not told")
        return InputNeeded({"a": HIDDEN}, None, 1)


class Sealing(Talking):
    """Its calls end with a question and a state, and want both back."""

    async def converse(
        self, call: PreparedCall, timeout_seconds: float, conversation: Conversation
    ) -> Result | InputNeeded:
        self.sent.append((call.tool.name, call.arguments))
        if conversation.reply is None:
            return InputNeeded({"a": ElicitationRequest("who?", schema=WHO)}, "sealed", 1)
        answer = conversation.reply.answers["a"]
        return Success([conversation.reply.state, conversation.reply.rounds, answer.as_json()])


def ending() -> Ending:
    plain = talking()
    return Ending(plain.answers, plain.toolset)


def sealing() -> Sealing:
    plain = talking()
    return Sealing(plain.answers, plain.toolset)


async def test_an_answer_to_a_question_that_ended_the_call_goes_back_from_any_process() -> None:
    state = MemoryState()
    code = "return (await tools.demo.org.main.things.create({n: 1})).data"
    async with world(sealing(), state=state) as here:
        first = await here.run(code)
        assert [one.kind for one in first.interactions] == ["form"]
    async with world(sealing(), state=state) as there:
        done = await there.executions.resume(first.execution_id, "accept", {"name": "Ada"}, None, ALICE)
        assert done.result == ["sealed", 1, {"action": "accept", "content": {"name": "Ada"}}]
        assert there.upstream.sent == [("things.create", {"n": 1})]


async def test_an_answer_is_sent_only_if_the_rules_of_the_moment_let_the_call_through() -> None:
    state = MemoryState()
    block = Rule("no", "demo.org.main.things.create", "block", reason="not any more")
    async with world(sealing(), state=state) as before:
        first = await before.run("return await tools.demo.org.main.things.create({n: 1})")
    async with world(sealing(), rules=[block], state=state) as after:
        done = await after.executions.resume(first.execution_id, "accept", {"name": "Ada"}, None, ALICE)
        assert done.result["error"]["code"] == "tool_blocked"
        assert after.upstream.sent == []


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
