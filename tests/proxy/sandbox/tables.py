"""Tables of agent code and what it gives, run through real workers: a value, or "Name: message @line:column"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from integrations.json_text import write_json
from proxy.sandbox import Blocked, Done, Pool, PoolOptions, ResultDelivery, StartMessage, TimerDelivery

BIG = 725653563933458433
NOTHING = object()
IMPORT = (
    "is not available. This sandbox has no network, files or modules: reach everything through tools, for example "
    'await tools.search({query: "what you need"}).'
)
ENGLISH = (
    "is not available. Only English (en-US) and the time zone UTC are known here: return plain values, "
    "or format them in your code."
)
MIXED = (
    "Integers beyond 2^53 are BigInt here: use BigInt on both sides (5n), or Number(x) where rounding is fine"
)
UNAWAITED = "tools.a.b(...) was not awaited, so it has no result yet: await it, as in (await tools.a.b(...))"


@dataclass
class Ran:
    value: Any
    logs: list[str]
    calls: list[dict[str, Any]]


async def run(pool: Pool, code: str, data: Any = None) -> Ran:
    async with pool.worker("ws", 30) as worker:
        await worker.start(StartMessage(code, "00" * 32, 1000.0))
        calls: list[dict[str, Any]] = []
        logs: list[str] = []
        answer = write_json({"ok": True, "data": data})
        now = 1000.0
        while True:
            message = await worker.receive()
            calls += [call.args for call in message.calls]
            logs += [text for _, text in message.logs]
            if isinstance(message, Done):
                return Ran(outcome(message), logs, calls)
            assert isinstance(message, Blocked)
            if message.calls:
                await worker.deliver([ResultDelivery(now, call.seq, answer) for call in message.calls])
            else:
                assert message.wake is not None
                now = message.wake
                await worker.deliver([TimerDelivery(now)])


def outcome(done: Done) -> Any:
    if done.error is None:
        return done.value if done.has_value else NOTHING
    error = done.error
    place = f" @{error.line}:{error.column}" if error.line is not None else ""
    return f"{error.name}: {error.message}{place}"


Table = Sequence[tuple[str, Any]]


async def check(table: Table, data: Any = None) -> None:
    async with Pool(PoolOptions()) as pool:
        found = [(code, (await run(pool, code, data)).value) for code, _ in table]
    wrong = [(got, wanted) for got, wanted in zip(found, table, strict=True) if got != wanted]
    assert not wrong, wrong
