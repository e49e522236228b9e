"""The journal of an execution: what a replay needs, in the order in which it happened.

One record is one line of JSON. Rules:
- `DispatchRecord` is stored before the call is sent, `SettleRecord` before its result is delivered.
- The order of settlements and timers is the order of delivery; their clocks never go back.
- Arguments are kept as a digest only, but for questions, which a person must be able to read; outcomes have been
  scrubbed of secrets before they come here (T17).
- The last `DispatchRecord` or `HoldRecord` of a call that has not settled says where it stands: under way when the
  journal ends, or waiting for somebody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class StartRecord:
    """`now` is the virtual clock's start in milliseconds since 1970, `seed` 32 bytes in hex.

    The four limits are those the worker enforces: another value could change what code sees.
    """

    code: str
    seed: str
    now: float
    calls: int
    log_bytes: int
    emit_bytes: int
    argument_bytes: int
    result_bytes: int


@dataclass(frozen=True, slots=True)
class DispatchRecord:
    """Call `seq` is about to be sent. `digest` is the sha256 of its canonical arguments.

    `repeatable`: sending it twice has the effect of sending it once, so a crash after this record is no problem.
    """

    seq: int
    path: str
    digest: str
    clock: float = 0.0
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class HoldRecord:
    """Call `seq` was not sent: it needs a decision. `ask` is the question, with what an approval is bound to."""

    seq: int
    path: str
    digest: str
    ask: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SettleRecord:
    """Call `seq` ended in `outcome` (JSON), which code sees at virtual time `clock`.

    A call without a `DispatchRecord` was refused by a limit and never sent.
    """

    seq: int
    outcome: bytes
    clock: float


@dataclass(frozen=True, slots=True)
class TimerRecord:
    """The virtual clock reached `clock`, and every timer due by then fired."""

    clock: float


@dataclass(frozen=True, slots=True)
class PauseRecord:
    """Nothing could progress without a decision. `active_ms` is the active time used up so far."""

    active_ms: float


Record = StartRecord | DispatchRecord | HoldRecord | SettleRecord | TimerRecord | PauseRecord


class CorruptJournal(ValueError):
    """Bytes that no version of this module wrote."""


def encode(record: Record) -> bytes:
    """One record as JSON; an outcome is embedded unread."""
    if isinstance(record, StartRecord):
        return orjson.dumps({"r": "start", "v": VERSION, **_fields(record)})
    if isinstance(record, DispatchRecord):
        return orjson.dumps({"r": "call", **_fields(record)})
    if isinstance(record, HoldRecord):
        return orjson.dumps({"r": "hold", **_fields(record)})
    if isinstance(record, SettleRecord):
        body = {"r": "end", "seq": record.seq, "clock": record.clock}
        return orjson.dumps({**body, "outcome": orjson.Fragment(record.outcome)})
    return orjson.dumps({"r": "timer" if isinstance(record, TimerRecord) else "pause", **_fields(record)})


def _fields(record: StartRecord | DispatchRecord | HoldRecord | TimerRecord | PauseRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}


def decode(line: bytes) -> Record:
    """Raises `CorruptJournal`."""
    try:
        body = orjson.loads(line)
        return _decoded(body.pop("r"), body)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise CorruptJournal(f"not a journal record: {error}") from error


_PLAIN: Final[dict[str, Callable[..., Record]]] = {
    "call": DispatchRecord,
    "hold": HoldRecord,
    "timer": TimerRecord,
    "pause": PauseRecord,
}


def _decoded(kind: str, body: dict[str, Any]) -> Record:
    if kind == "start":
        if body.pop("v") != VERSION:
            raise CorruptJournal("written by another version")
        return StartRecord(**body)
    if kind == "end":
        return SettleRecord(body["seq"], orjson.dumps(body["outcome"]), body["clock"])
    known = _PLAIN.get(kind)
    if known is not None:
        return known(**body)
    raise CorruptJournal(f"an unknown record `{kind}`")
