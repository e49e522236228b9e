"""A name whose record is still on its way is not taken out of its list."""

from __future__ import annotations

from proxy.state.redis.dead_names import MOST_NAMES, DeadNames
from tests.proxy.state.stores import Clock


def test_a_name_is_certain_when_no_save_takes_so_long() -> None:
    clock = Clock()
    dead = DeadNames(10.0, clock)
    assert dead.certain("list", ["e1", "e2"]) == []
    clock.now += 10
    assert dead.certain("list", ["e1", "e3"]) == []
    clock.now += 1
    assert dead.certain("list", ["e1", "e3"]) == ["e1"]
    assert dead.certain("other", ["e2"]) == []
    clock.now += 10
    assert dead.certain("list", ["e2", "e3"]) == ["e2", "e3"]


def test_of_very_many_the_oldest_notes_are_forgotten() -> None:
    clock = Clock()
    dead = DeadNames(10.0, clock)
    dead.certain("list", ["first"])
    dead.certain("list", map(str, range(MOST_NAMES)))
    clock.now += 11
    assert dead.certain("list", ["first", "7"]) == ["7"]
