from __future__ import annotations

from typing import Any

import pytest

from integrations.paths import dig


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b", 1), ("l.0", 5), ("l.-1", 6), ("l.2", None), ("l.-3", None), ("l.x", None), ("a.b.c", None), ("x", None),
        ("odd.name", 7), ("l.99999999999", None),
    ],
)  # fmt: skip
def test_dig(path: str, value: Any) -> None:
    assert dig({"a": {"b": 1}, "l": [5, 6], "odd.name": 7}, path) == value


def test_lists_and_plain_values_are_dug_too() -> None:
    assert dig([{"id": 1}], "0.id") == 1
    assert dig("text", "a") is None
