from __future__ import annotations

from integrations.mcp import ChildSlots


def test_slots_are_given_and_taken_back() -> None:
    slots = ChildSlots(2)
    assert [slots.take() for _ in range(3)] == [True, True, False]
    slots.give()
    assert slots.take()
