"""Every key of the config says what it means, in the schema and in the reference; no line is left over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proxy.config.json_schema import config_schema
from proxy.config.meanings import MEANINGS, TOP_LEVEL

ROOT = Path(__file__).parents[3]


def properties(value: Any, definition: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Definition, key and schema of every property, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from properties(item, definition)
    elif isinstance(value, dict):
        for key, described in value.get("properties", {}).items():
            yield definition, key, described
        for name, inner in value.items():
            if name == "$defs":
                for of, below in inner.items():
                    yield from properties(below, of)
            else:
                yield from properties(inner, definition)


def test_every_property_has_a_meaning() -> None:
    missing = [
        (of, key)
        for of, key, schema in properties(config_schema(), TOP_LEVEL)
        if not schema.get("description")
    ]
    assert missing == []


def test_no_meaning_is_left_over() -> None:
    used = {(of, key) for of, key, _ in properties(config_schema(), TOP_LEVEL)}
    keys = {key for _, key in used}
    for line in MEANINGS:
        of, _, key = line.partition(".")
        assert (key in keys) if of == "*" else ((of, key) in used), line


def test_a_meaning_is_one_line() -> None:
    for name, line in MEANINGS.items():
        assert re.fullmatch(r"[^\n]{2,110}", line), name
        assert not line.endswith("."), name


def test_no_row_of_the_reference_is_empty() -> None:
    rows = [
        line for line in (ROOT / "docs" / "reference.md").read_text().splitlines() if line.startswith("| ")
    ]
    assert len(rows) > 500
    assert [row for row in rows if row.rstrip().endswith("|  |")] == []
