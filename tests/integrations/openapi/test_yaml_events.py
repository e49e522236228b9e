from __future__ import annotations

from typing import Any

import pytest

from integrations.openapi.yaml_events import YamlProblem, parse_yaml

SCALARS: list[tuple[str, Any]] = [
    ("no", "no"), ("yes", "yes"), ("on", "on"), ("true", True), ("False", False), ("~", None), ("", None),
    ("null", None), ("2024-10-01", "2024-10-01"), ("012", 12), ("0o14", 12), ("0x1F", 31), ("1_000", "1_000"),
    ("12:30:45", "12:30:45"), ("1e3", 1000.0), (".5", 0.5), ("-7", -7), ("1.2.3", "1.2.3"), ("'1'", "1"), ('"~"', "~"),
    ("!!str 1", "1"), ("123456789012345678901234567890", 123456789012345678901234567890), ("-", None), ("+", "+"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), [pair for pair in SCALARS if pair[0] != "-"])
def test_the_core_schema_of_yaml_1_2(text: str, value: Any) -> None:
    assert parse_yaml(f"v: {text}\n".encode()) == {"v": value}


def test_keys_are_strings() -> None:
    assert parse_yaml(b"200: ok\ntrue: b\n&k x: 1\n*k : 2\n") == {"200": "ok", "true": "b", "x": 2}


def test_anchors_and_merge_keys() -> None:
    source = b"base: &b {x: 1, y: 2}\none:\n  <<: *b\n  y: 3\ntwo:\n  <<: [*b, {z: 4}]\nq: {'<<': 1}\n"
    parsed = parse_yaml(source)
    assert parsed["one"] == {"x": 1, "y": 3}
    assert parsed["two"] == {"x": 1, "y": 2, "z": 4}
    assert parsed["q"] == {"<<": 1}


def test_block_scalars_and_lists() -> None:
    assert parse_yaml(b"a: |\n  x\n  y\nb:\n- 1\n- [2, {c: 3}]\n") == {"a": "x\ny\n", "b": [1, [2, {"c": 3}]]}


def test_an_empty_stream_is_none() -> None:
    assert parse_yaml(b"") is None


@pytest.mark.parametrize(
    "source", [b"a: [1", b"a: *x", b"? {a: 1}\n: 2", b"\xff\xfe\x00", b"a: b: c", b"\x01"]
)
def test_problems_have_places(source: bytes) -> None:
    with pytest.raises(YamlProblem):
        parse_yaml(source)
