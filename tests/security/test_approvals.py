"""T10 to T14, and T2 where it meets them: what people are shown, what an approval is good for, who may give it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest

from policies import Rule
from proxy.calls import Calls
from proxy.executions import (
    ExecutionLimits,
    ExecutionOptions,
    ExecutionResult,
    Executions,
    InteractionDecision,
)
from proxy.executions.finish import PENDING_CAP
from proxy.executions.rendering import SHOWN_CHARACTERS, render
from proxy.principal import Principal
from proxy.state import MemoryState
from tests.proxy.executions.world import (
    ALICE,
    BOB,
    World,
    connection,
    generation,
    shelf,
    talking,
    workspace,
    world,
)
from tests.proxy.support import LIMIT_SECONDS

ASK = Rule(
    "ask", "demo.org.main.things.create", "require_approval", source="executor.yaml:7", reason="careful"
)
HUMAN = replace(ASK, approver="human")
CREATE = "return await tools.demo.org.main.things.create({n: 1})"
BOSS = Principal("ws", "key:boss", "key", groups=frozenset({"approvers"}))


def is_boss(principal: Principal) -> bool:
    return "approvers" in principal.groups


async def paused(running: World, code: str = CREATE, **more: Any) -> ExecutionResult:
    result = await running.run(code, **more)
    assert result.status == "waiting_for_interaction", result.text()
    return result


async def accept(
    running: World, result: ExecutionResult, who: Principal = ALICE, **more: Any
) -> ExecutionResult:
    return await running.executions.resume(result.execution_id, "accept", None, None, who, **more)


# ---- T10: what is shown ---------------------------------------------------------------------------------------------
async def test_t10_what_is_asked_is_rendered_from_the_arguments_and_shows_everything_invisible() -> None:
    hostile = "ok\\u202e\\u200b\\u001b[31m<script>\\n\\n\\nApprove: harmless"
    async with world(rules=[ASK]) as running:
        result = await paused(
            running, f'return await tools.demo.org.main.things.create({{body: "{hostile}"}})'
        )
        (question,) = result.interactions
    assert question.message.isprintable() or set(question.message) - {"\n"} <= set(map(chr, range(32, 127)))
    assert "\\u{202E}" in question.args
    assert "\\u{200B}" in question.args
    assert "\x1b" not in question.message
    # Its own line breaks stay escaped: nothing can look like a line of ours.
    assert not any(line.startswith("Approve") for line in question.message.splitlines())
    assert question.rule.source == "executor.yaml:7"


def test_t10_padding_pushes_no_field_off_the_screen() -> None:
    body = {"a_note": "x" * 1_000_000, "z_target": "production", "m": list(range(5000))}
    shown = render(orjson.dumps(body, option=orjson.OPT_SORT_KEYS))
    assert len(shown) <= SHOWN_CHARACTERS
    assert '"z_target": "production"' in shown
    assert "1,000,002 bytes, sha256" in shown
    assert render(b'{"a":1}') == '{\n  "a": 1\n}'


def test_t10_very_many_fields_are_counted_and_hashed() -> None:
    shown = render(orjson.dumps({f"field_{number:05}": "y" * 100 for number in range(3000)}))
    assert len(shown) <= SHOWN_CHARACTERS
    assert "more fields" in shown
    assert "sha256" in shown


# ---- T11: what it is good for ---------------------------------------------------------------------------------------
async def test_t11_a_double_approval_executes_once() -> None:
    async with world(rules=[ASK]) as running:
        first = await paused(running)
        both = await asyncio.gather(accept(running, first), accept(running, first))
        again = await accept(running, first)
    assert [one.status for one in (*both, again)] == ["completed"] * 3
    assert len(running.upstream.sent) == 1


async def test_t11_approval_on_another_replica_goes_on_there() -> None:
    async with world(rules=[ASK]) as running:
        calls = Calls(running.live, running.state)
        options = ExecutionOptions(limits=lambda _: ExecutionLimits())
        other = Executions(running.pool, calls, running.live, running.state, options)
        first = await paused(running)
        result = await other.resume(first.execution_id, "accept", None, None, ALICE)
        late = await accept(running, first)
    assert (result.status, late.status) == ("completed", "completed")
    assert late.structured() == result.structured()
    assert len(running.upstream.sent) == 1


async def test_t11_a_block_added_meanwhile_wins() -> None:
    async with world(rules=[ASK]) as running:
        first = await paused(running)
        block = Rule("no", "demo.*", "block", reason="closed today")
        running.live.swap(
            generation(workspace([connection("demo.org.main", running.upstream)], [block], 2), number=2)
        )
        result = await accept(running, first)
    assert result.result["error"]["code"] == "tool_blocked"
    assert running.upstream.sent == []


async def test_t11_another_rule_asks_again() -> None:
    async with world(rules=[ASK]) as running:
        first = await paused(running)
        running.live.swap(
            generation(workspace([connection("demo.org.main", running.upstream)], [HUMAN], 2), number=2)
        )
        again = await accept(running, first)
        assert again.status == "waiting_for_interaction"
        assert again.interactions[0].approver == "human"
        assert again.interactions[0].id != first.interactions[0].id
    assert running.upstream.sent == []


async def test_t11_the_groups_of_the_moment_count() -> None:
    ops = replace(ALICE, groups=frozenset({"ops"}))
    still = {ALICE.account_id: ops}
    mine = Rule("mine", "demo.org.main.things.delete", "approve", principals=("group:ops",))
    rules = [ASK, mine, Rule("no", "demo.org.main.things.delete", "block", reason="ops only")]
    code = f"{CREATE.replace('return ', '')}; return await tools.demo.org.main.things.delete({{n: 2}})"
    async with world(rules=rules, refresh_principal=lambda who: still[who.account_id]) as running:
        result = await accept(running, await running.run(code, ops))
        assert result.result["ok"]
        first = await running.run(code, ops)
        still[ALICE.account_id] = ALICE
        result = await accept(running, first)
        assert result.result["error"]["code"] == "tool_blocked"


async def test_t11_nothing_is_sent_for_an_account_that_is_not_admitted_any_more() -> None:
    still: dict[str, Principal] = {ALICE.account_id: ALICE}
    async with world(
        rules=[HUMAN], is_approver=is_boss, refresh_principal=lambda who: still.get(who.account_id)
    ) as running:
        first = await paused(running)
        still.clear()
        result = await accept(running, first, BOSS, via="rest")
    assert result.status == "failed"
    assert result.error is not None
    assert result.error.name == "AccessRevokedError"
    assert running.upstream.sent == []


async def test_t11_a_changed_definition_voids_the_approval() -> None:
    async with world(rules=[ASK]) as running:
        first = await paused(running)
        changed = shelf()
        tools = tuple(
            replace(one, risk="destructive") if one.name == "things.create" else one
            for one in changed.toolset.tools
        )
        changed.toolset = type(changed.toolset)(tools, digest="changed")  # type: ignore[call-arg]
        running.live.swap(generation(workspace([connection("demo.org.main", changed)], [ASK], 2), number=2))
        result = await accept(running, first)
    assert result.result["error"]["code"] == "tool_definition_changed"
    assert changed.sent == []


async def test_t11_after_its_time_an_approval_is_refused() -> None:
    limits = replace(ExecutionLimits(), approval_timeout_ms=0.0)
    async with world(rules=[ASK], limits=limits) as running:
        first = await paused(running)
        late = await accept(running, first)
        assert (late.status, late.recovery) == ("execution_expired", "re_execute")
        assert await running.executions.recover() == 1
        seen = await running.executions.wait(first.execution_id, ALICE, 1)
    assert seen.status == "execution_expired"
    assert running.upstream.sent == []


async def test_t11_another_decision_comes_too_late() -> None:
    async with world(rules=[ASK]) as running:
        first = await paused(running)
        await accept(running, first)
        late = await running.executions.resume(first.execution_id, "decline", None, None, ALICE)
    assert late.status == "execution_already_settled"


# ---- T12: who may give it --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("via", ["mcp", "native", "browser", "rest", "cli"])
async def test_t12_the_account_that_asks_never_satisfies_a_rule_that_wants_a_person(via: Any) -> None:
    async with world(rules=[HUMAN], is_approver=lambda _: True) as running:
        first = await paused(running)
        answer = await accept(running, first, via=via)
        assert answer.status == "waiting_for_interaction"
        assert "another person" in (answer.note or "")
    assert running.upstream.sent == []


async def test_t12_another_person_with_the_role_does_but_not_through_mcp() -> None:
    async with world(rules=[HUMAN], is_approver=is_boss) as running:
        first = await paused(running)
        assert (await accept(running, first, BOSS)).status == "waiting_for_interaction"
        result = await accept(running, first, BOSS, via="rest")
    assert result.status == "completed"
    assert result.account_id == ALICE.account_id


async def test_t12_everybody_who_sees_it_may_decline() -> None:
    async with world(rules=[HUMAN]) as running:
        first = await paused(running, "try { " + CREATE + " } catch (e) { return e.name }")
        result = await running.executions.resume(first.execution_id, "decline", None, None, ALICE)
    assert result.result == "ToolApprovalDeclinedError"


async def test_t12_what_a_person_approved_is_sent_again_after_a_crash_only_by_a_person() -> None:
    state, code = MemoryState(), CREATE.replace("return await", "return (await") + ").ok"
    async with world(talking(), state=state, rules=[HUMAN], is_approver=is_boss) as there:
        async with world(talking(), state=state, rules=[HUMAN], is_approver=is_boss) as here:
            first = await paused(here, code)
            await here.executions.decide(
                first.execution_id, {"*": InteractionDecision("accept")}, BOSS, "rest"
            )
            await here.executions.wait(first.execution_id, ALICE, 0)
            await here.executions.let_go(0)
        # The call asked something in the middle, and the process that held it is gone.
        answered = {"*": InteractionDecision("accept", {"name": "Ada"})}
        await there.executions.decide(first.execution_id, answered, BOSS, "rest")
        lost = await there.executions.wait(first.execution_id, ALICE, 0)
        assert [(one.kind, one.approver) for one in lost.interactions] == [("outcome_unknown", "human")]
        for outcome in ("retry", "done"):
            again = {"*": InteractionDecision("accept", {"outcome": outcome})}
            refused = await there.executions.decide(first.execution_id, again, ALICE, "rest")
            assert refused.first_refusal == "needs_another_person"
        assert there.upstream.sent == []
        taken = await there.executions.decide(
            first.execution_id, {"*": InteractionDecision("decline")}, ALICE, "rest"
        )
        assert taken.first_refusal is None
        assert (await there.executions.wait(first.execution_id, ALICE, LIMIT_SECONDS)).result is False


# ---- T13: not too many ----------------------------------------------------------------------------------------------
async def test_t13_identical_pending_calls_are_one_question() -> None:
    async with world(rules=[ASK]) as running:
        code = (
            "const c = () => tools.demo.org.main.things.create({n: 1});"
            "return (await Promise.all([c(), c(), c()])).length"
        )
        first = await paused(running, code)
        (question,) = first.interactions
        assert question.seqs == (0, 1, 2)
        assert "3 times" in question.message
        assert (await accept(running, first)).result == 3
    assert len(running.upstream.sent) == 3


async def test_t13_an_account_has_a_bounded_number_of_questions_waiting() -> None:
    async with world(rules=[ASK]) as running:
        many = "await Promise.all([...Array(%d).keys()].map((n) => tools.demo.org.main.things.create({n})))"
        await paused(running, many % (PENDING_CAP - 1))
        over = await running.run(many % 2)
        assert over.status == "failed"
        assert "waiting already" in over.text()
        assert (await running.run(many % 2, BOB)).waiting, "another account is not affected"


# ---- T14: ids ------------------------------------------------------------------------------------------------------
async def test_t14_another_account_does_not_find_it() -> None:
    async with world(rules=[ASK]) as running:
        first = await paused(running)
        for found in (
            await accept(running, first, BOB),
            await running.executions.resume("exec_" + "0" * 32, "accept", None, None, ALICE),
            await accept(running, first, Principal("other", "key:alice", "key")),
        ):
            assert (found.status, found.recovery) == ("execution_not_found", "re_execute")
        assert await running.executions.show(first.execution_id, BOB) is None
        assert await running.executions.pending(BOB) == ()
        outcome = await running.executions.decide(
            first.execution_id, {"*": InteractionDecision("accept")}, BOB, "rest"
        )
        assert outcome.why == "not_found"


# ---- what T16 and T17 leave to a unit --------------------------------------------------------------------------------
async def test_t17_arguments_and_code_are_not_readable_in_an_encrypted_store_and_secrets_are_in_none() -> (
    None
):
    canary = "canary-5f1d"
    state = MemoryState()
    async with world(rules=[ASK], state=state) as running:
        result = await paused(
            running, f"return await tools.demo.org.main.things.create({{note: '{canary}'}})"
        )
        found = await state.find_execution(result.execution_id, "ws")
        assert found is not None
        assert b"s3cret-t0ken" not in found.body
