from typing import Any

import pytest

from integrations.schema_types.notes import note_of

NOTES: list[tuple[Any, str]] = [
    ({"minimum": 1, "maximum": 100, "default": 30}, "Default: 30; minimum 1; maximum 100"),
    ({"exclusiveMinimum": 0, "exclusiveMaximum": 1, "multipleOf": 0.01}, "above 0; below 1; multiple of 0.01"),
    ({"pattern": "^[A-Z]{2}$", "minLength": 2}, "minLength 2; pattern ^[A-Z]{2}$"),
    ({"pattern": "^(a*/)?$"}, "pattern ^(a*\\/)?$"),
    ({"pattern": "x" * 200}, ""),
    ({"items": {"maximum": 9, "pattern": "a"}, "maxItems": 3, "uniqueItems": True},
     "maxItems 3; unique; items maximum 9; items pattern a"),
    ({"minimum": -(2**63), "maximum": 2**63 - 1}, ""),
    ({"description": "Per page", "deprecated": True, "maximum": 5}, "@deprecated Per page maximum 5"),
    ({"default": True}, "Default: True"),
    (True, ""),
    ({"minimum": True, "maxLength": "9"}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "note"), NOTES)
def test_limits_are_said(schema: Any, note: str) -> None:
    assert note_of(schema, 160) == note


def test_limits_come_before_prose() -> None:
    note = note_of({"description": "word " * 100, "maximum": 100}, 60)
    assert note.endswith(" maximum 100")
    assert len(note) <= 60


def test_no_room_no_note() -> None:
    assert note_of({"maximum": 100}, 0) == ""
