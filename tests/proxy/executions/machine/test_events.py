"""Events and commands are values: equal when they say the same, and never changed."""

from __future__ import annotations

import dataclasses

import pytest

from proxy.executions.machine import events
from proxy.executions.machine.step import _HANDLERS


def test_every_event_is_handled_in_some_phase() -> None:
    handled = {kind for _, kind in _HANDLERS}
    assert handled == set(events.MachineEvent.__args__)


@pytest.mark.parametrize(
    "kind", [*events.MachineEvent.__args__, *events.MachineCommand.__args__, events.Ended]
)
def test_events_and_commands_are_frozen(kind: type) -> None:
    parameters = kind.__dataclass_params__  # type: ignore[attr-defined]
    assert parameters.frozen
    assert dataclasses.fields(kind) is not None
