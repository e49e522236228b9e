from typing import Any

import pytest

from integrations.openapi.raw import mapping, strings


def test_mapping() -> None:
    assert mapping({"a": 1}) == {"a": 1}


def test_strings() -> None:
    assert strings(["a", 1, None, "b"]) == ["a", "b"]


@pytest.mark.parametrize("other", [None, "a", 1])
def test_anything_else_is_empty(other: Any) -> None:
    assert (mapping(other), strings(other)) == ({}, [])
