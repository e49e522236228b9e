"""Numbers and states as people read them."""

from __future__ import annotations

from proxy.serving.console.figures import tallied


def test_each_name_stands_once_in_its_order_with_how_often() -> None:
    assert tallied(("b", "a", "b", "b")) == [("b", 3), ("a", 1)]
    assert tallied(()) == []
