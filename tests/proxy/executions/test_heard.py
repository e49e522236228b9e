"""What code said, bounded on our side too."""

from __future__ import annotations

from proxy.executions.heard import Heard, size_of
from proxy.sandbox import Blocked
from tests.proxy.executions.world import (
    Noted,
)


def test_what_was_heard_counts_every_kind_of_value() -> None:
    heard = Heard(1000, 20)
    heard.take(Blocked((), None, (("log", "a"),), ([1], {"b": None}, ["abc", 1])), Noted())
    assert heard.logs == [("log", "a")]
    assert heard.emits == [[1]]


def test_strings_are_the_bulk() -> None:
    assert size_of({"name": ["abc", None]}) == 8 + (1 + 5) + (1 + 8)
