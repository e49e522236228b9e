"""Executions that wait, as the store has them."""

from __future__ import annotations

from dataclasses import replace

from proxy.executions import AskedBy, ExecutionRequest, Interaction
from proxy.executions.records import body_of, new_body, packed, stored
from proxy.executions.result import ExecutionResult
from proxy.principal import Principal
from proxy.state import ExecutionRecord, Owner, State

ADA = Principal("default", "ada", "key")
NOW = 1_800_000_000.0
LATER = NOW + 900


def question(name: str, expires_at: float = LATER) -> Interaction:
    return Interaction(
        id=name,
        kind="approval",
        message="Send `shop.org.main.items.delete`?",
        address="shop.org.main.items.delete",
        summary="DELETE /items/{id}",
        args='{\n  "id": "7"\n}',
        args_digest="0" * 64,
        args_bytes=10,
        rule=AskedBy("policies[0]", "executor.yaml:9"),
        approver="model",
        expires_at_ms=expires_at * 1000,
        seqs=(0,),
    )


async def paused(state: State, execution_id: str, *names: str) -> ExecutionRecord:
    """Save an execution that waits for an answer to these questions."""
    found = await state.find_execution(execution_id, ADA.workspace_id)
    asked = tuple(question(name) for name in names)
    result = ExecutionResult(execution_id, "waiting_for_interaction", ADA.workspace_id, ADA.account_id)
    body = new_body(ExecutionRequest("return 1", session_id="s_1"), ADA, "c" * 64)
    record = found or ExecutionRecord(
        execution_id, Owner(ADA.workspace_id, ADA.account_id), "paused", NOW, LATER + 60, b"", "s_1"
    )
    body = replace(body, interactions=tuple(stored(one) for one in asked), result=packed(result))
    return await state.save_execution(
        replace(record, status="paused", due_at=LATER, pending=len(asked), body=body.encoded())
    )


async def settled(state: State, record: ExecutionRecord) -> ExecutionRecord:
    """Nothing waits any more."""
    body = replace(body_of(record), interactions=())
    return await state.save_execution(
        replace(record, status="settled", due_at=None, pending=0, body=body.encoded())
    )
