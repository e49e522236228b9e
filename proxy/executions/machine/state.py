"""Where an execution stands: the state that the machine steps through, its limits and its clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from proxy.executions.machine.events import HeldCall, Judgement, MachineCommand, Resolution
from proxy.executions.machine.journal import Past
from proxy.sandbox.messages import Delivery, Done, ToolCall

Phase = Literal["new", "replaying", "running", "blocked", "draining", "leaving", "paused", "finished"]
NO_CALLS: Final[Mapping[int, ToolCall]] = MappingProxyType({})
NO_HELD: Final[Mapping[int, HeldCall]] = MappingProxyType({})
NO_JUDGED: Final[Mapping[int, Judgement]] = MappingProxyType({})
_NO_RESOLUTIONS: Final[Mapping[int, Resolution]] = MappingProxyType({})


class IllegalEvent(Exception):
    """This event cannot happen in this state."""


@dataclass(frozen=True, slots=True)
class MachineLimits:
    """Milliseconds, bytes, and numbers. `refusals`: calls over the limit before the execution is ended.

    `outcome_bytes` is over all outcomes of one execution: they are held, journalled and delivered.
    """

    active_ms: float = 300_000.0
    lifetime_ms: float = 3_600_000.0
    calls: int = 1000
    parallel: int = 64
    refusals: int = 10_000
    timers: int = 20_000
    argument_bytes: int = 1024 * 1024
    outcome_bytes: int = 32 * 1024 * 1024


# A named tuple and no dataclass: every step makes several of them, and `_replace` costs a fifth of `replace`.
class MachineState(NamedTuple):
    """Everything the machine knows. `at` is the time of the last event, `clock` the virtual clock last recorded.

    `waiting`: the worker is held up by other work than its own. `judging` are calls being judged; `flying` those sent
    and not settled, by number; `once` those of them that must not be sent twice; `held` those that need a decision;
    `queue` those that wait for a place; `inbox` what settled and was not delivered yet; `dropped` what code made and
    will never be sent. While replaying, `past` is the journal, `replayed` how many of its deliveries were made,
    `made` the calls that the code has made again, and `alive` those that are under way still.
    """

    limits: MachineLimits
    phase: Phase = "new"
    began: float = 0.0
    at: float = 0.0
    clock: float = 0.0
    active_ms: float = 0.0
    next_seq: int = 0
    sent: int = 0
    refused: int = 0
    timers: int = 0
    outcome_bytes: int = 0
    wake: float | None = None
    waiting: bool = False
    flying: Mapping[int, ToolCall] = NO_CALLS
    once: frozenset[int] = frozenset()
    judging: Mapping[int, Judgement] = NO_JUDGED
    held: Mapping[int, HeldCall] = NO_HELD
    queue: tuple[Judgement, ...] = ()
    inbox: tuple[Delivery, ...] = ()
    dropped: tuple[ToolCall, ...] = ()
    done: Done | None = None
    past: Past | None = None
    resolutions: Mapping[int, Resolution] = _NO_RESOLUTIONS
    alive: frozenset[int] = frozenset()
    replayed: int = 0
    made: tuple[ToolCall, ...] = ()

    @property
    def active(self) -> bool:
        """Whether time counts against the caller's timeout now."""
        computes = self.phase == "running" and not self.waiting
        return computes or (self.phase == "blocked" and not self.flying)

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way, queued or being judged."""
        return not (self.flying or self.queue or self.judging)


Transition = tuple[MachineState, tuple[MachineCommand, ...]]
"""The next state, and what to do now, in order."""


def deadline(state: MachineState) -> float | None:
    """When `DeadlineReached` is due if nothing else happens before; None when nothing runs."""
    if state.phase in ("new", "paused", "finished"):
        return None
    last = state.began + state.limits.lifetime_ms
    return min(last, state.at + state.limits.active_ms - state.active_ms) if state.active else last


def advanced(state: MachineState, at: float) -> MachineState:
    """Time passed. A clock that was set back passes for one that stood still."""
    passed = max(0.0, at - state.at)
    used = state.active_ms + (passed if state.active else 0.0)
    return state._replace(at=max(state.at, at), active_ms=used)


def without(calls: Mapping[int, Any], seq: int) -> MappingProxyType[int, Any]:
    """The same calls but one."""
    return MappingProxyType({number: one for number, one in calls.items() if number != seq})
