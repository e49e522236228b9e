"""Executions that an earlier version left in the store: they are read and continued, or end with a clear reason.

`data/*.json` is what the store returned, decrypted, when the code of commit 06abf1b (journal version 1) had run
the program in its first record:

    approval            paused at an approval, after a call and a timer
    approved            the same, decided, and not carried out
    settled             the same at its end
    upstream_question   the approved call ended with two questions; paused at the first
    second_question     the first was answered; paused at the second
    crashed             the process died while the approved call was under way
    lost_call           the same, paused at the question what became of it

Their times lie in the year 2100, so that nothing expires. The approvals are bound to the tools of `world`: whoever
changes those has to write `data` again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from integrations.base import Credential, PreparedCall, Result, Success
from integrations.conversation import Conversation, InputNeeded
from policies import Rule
from proxy.executions.machine.journal import decode, encode
from proxy.state import DecisionRecord, ExecutionRecord, MemoryState, Owner
from tests.proxy.executions.world import ALICE, Talking, World, talking, world

DATA = Path(__file__).parent / "data"
NAMES = sorted(file.stem for file in DATA.glob("*.json"))
RULES = [Rule("ask", "demo.org.main.things.create", "require_approval", reason="it writes")]
MADE = {"n": 2, "text": "\u00fc"}


class Answered(Talking):
    """Its calls that write are made again with the answers to what they asked."""

    async def converse(
        self, call: PreparedCall, timeout_seconds: float, conversation: Conversation
    ) -> Result | InputNeeded:
        if conversation.reply is None:
            return await self.invoke(call, Credential(), timeout_seconds)
        answers = {key: one.as_json() for key, one in conversation.reply.answers.items()}
        return Success([conversation.reply.state, conversation.reply.rounds, answers])


def stored(name: str) -> Any:
    return orjson.loads((DATA / f"{name}.json").read_bytes())


async def store_with(found: Any) -> MemoryState:
    """A store that holds what the file says."""
    state = MemoryState()
    record = dict(found["record"])
    owner = Owner(**record.pop("owner"))
    body = orjson.dumps(record.pop("body"))
    journal = [orjson.dumps(line) for line in found["journal"]]
    await state.append_journal(record["execution_id"], owner, journal)
    saved = ExecutionRecord(**{**record, "owner": owner, "body": body, "version": 0})
    waiting = await state.save_execution(replace(saved, status="paused"))
    for one in found["decisions"]:
        decision = {**one, "owner": owner, "body": orjson.dumps(one["body"]), "used": False}
        kept = await state.decide(DecisionRecord(**decision))
        if one["used"]:
            assert kept is not None
            assert await state.use_decision(kept)
    await state.save_execution(replace(saved, version=waiting.version))
    return state


@asynccontextmanager
async def opened(name: str) -> AsyncIterator[tuple[World, str]]:
    """A process of today with that store, and the execution's id."""
    found, plain = stored(name), talking()
    upstream = Answered(plain.answers, plain.toolset)
    async with world(upstream, RULES, state=await store_with(found)) as running:
        yield running, found["record"]["execution_id"]


async def go_on(running: World, execution_id: str, action: str | None = "accept", content: Any = None) -> Any:
    """Decide about the pause that this account was given last; without `action` it is only given it."""
    return await running.executions.resume(execution_id, action, content, None, ALICE)


@pytest.mark.parametrize("name", NAMES)
def test_every_record_is_written_as_it_was(name: str) -> None:
    """So a server of the earlier version, which shares the store for a while, can read it too."""
    for line in stored(name)["journal"]:
        assert orjson.loads(encode(decode(orjson.dumps(line)))) == line


@pytest.mark.parametrize("name", NAMES)
async def test_everybody_sees_it_as_before(name: str) -> None:
    async with opened(name) as (running, execution_id):
        shown = await running.executions.show(execution_id, ALICE)
        record = stored(name)["record"]
        assert shown is not None
        asked = record["body"]["interactions"] if record["status"] == "paused" else []
        assert [one.id for one in shown.interactions] == [one["id"] for one in asked]
        assert shown.as_json()["createdAt"].startswith("2100-01-01T00:00:00")


@pytest.mark.parametrize(("name", "action"), [("approval", "accept"), ("approved", None)])
async def test_an_approved_call_is_sent_and_the_code_goes_on(name: str, action: str | None) -> None:
    async with opened(name) as (running, execution_id):
        result = await go_on(running, execution_id, action)
        assert result.status == "completed", result.text()
        assert (result.result["seen"], result.result["made"]["data"]) == ({"n": 1}, MADE)
        assert result.logs == (("log", "started"),)
        assert [one.ok for one in result.calls] == [True, True]
        assert running.upstream.sent == [("things.create", MADE)]


async def test_a_declined_call_is_not_sent() -> None:
    async with opened("approval") as (running, execution_id):
        result = await go_on(running, execution_id, "decline")
        assert result.error is not None
        assert result.error.name == "ToolApprovalDeclinedError"
        assert running.upstream.sent == []


async def test_questions_of_an_upstream_are_asked_and_answered() -> None:
    async with opened("upstream_question") as (running, execution_id):
        await go_on(running, execution_id, None)
        second = await go_on(running, execution_id, content={"name": "Ada"})
        assert [(one.kind, one.url) for one in second.interactions] == [("url", "https://pay.example.com/x")]
        done = await go_on(running, execution_id)
        answers = {"who": {"action": "accept", "content": {"name": "Ada"}}, "pay": {"action": "accept"}}
        assert done.result["made"]["data"] == ["sealed", 1, answers]


async def test_answers_that_were_given_before_are_kept() -> None:
    async with opened("second_question") as (running, execution_id):
        await go_on(running, execution_id, None)
        done = await go_on(running, execution_id, "decline")
        answers = {"who": {"action": "accept", "content": {"name": "Ada"}}, "pay": {"action": "decline"}}
        assert done.result["made"]["data"] == ["sealed", 1, answers]


async def test_a_call_that_was_lost_is_asked_about() -> None:
    async with opened("crashed") as (running, execution_id):
        lost = await go_on(running, execution_id, None)
        assert [(one.kind, one.approver) for one in lost.interactions] == [("outcome_unknown", "model")]
        done = await go_on(running, execution_id, content={"outcome": "retry"})
        assert done.status == "completed", done.text()
        assert running.upstream.sent == [("things.create", MADE)]
        view = await running.executions.show(execution_id, ALICE)
        assert view is not None
        lost, asked, again = view.runs
        assert lost["lost"] is True
        codes = {one["path"].rpartition(".")[2]: one.get("code") for one in lost["calls"]}
        assert codes["create"] == "outcome_unknown"
        assert "lost" not in asked
        assert [one["began"] <= one["ended"] for one in (lost, asked, again)] == [True] * 3


@pytest.mark.parametrize("outcome", ["retry", "done"])
async def test_the_question_about_a_lost_call_can_be_answered(outcome: str) -> None:
    async with opened("lost_call") as (running, execution_id):
        await go_on(running, execution_id, None)
        done = await go_on(running, execution_id, content={"outcome": outcome, "data": "found"})
        assert done.result["made"]["data"] == ("found" if outcome == "done" else MADE)
        assert len(running.upstream.sent) == (outcome == "retry")


async def test_a_result_can_be_asked_for_again() -> None:
    async with opened("settled") as (running, execution_id):
        again = await go_on(running, execution_id, None)
        assert (again.status, again.result["made"]["data"]) == ("completed", MADE)


async def test_a_journal_of_another_version_ends_the_execution_with_the_reason() -> None:
    found = stored("approval")
    found["journal"][0]["v"] = 99
    async with world(rules=RULES, state=await store_with(found)) as running:
        result = await go_on(running, found["record"]["execution_id"])
        assert (result.status, result.error.name) == ("failed", "StateError")
        words = "cannot be read: it has version 99, and this server reads version 1 only."
        assert words in result.error.message
        assert running.upstream.sent == []
