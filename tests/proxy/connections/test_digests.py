"""Equal things have equal digests, and a replaced file is another thing."""

from __future__ import annotations

import os
from pathlib import Path

from integrations.openapi.config import OpenApi
from proxy.connections.digests import key_of

SPEC = {"kind": "openapi", "spec": {"url": "https://api.example.com/openapi.json"}}


def test_values_are_told_apart_by_what_they_say() -> None:
    first, second = OpenApi.model_validate(SPEC), OpenApi.model_validate(SPEC)
    assert key_of("x", [], first, {"a": (1, 2)}) == key_of("x", [], second, {"a": [1, 2]})
    assert key_of("x", [], first) != key_of("y", [], first)
    assert key_of("x", [], {"a": 1}) != key_of("x", [], {"a": 2})
    assert key_of("x", [], "a", "b") != key_of("x", [], "ab")


def test_files_are_told_apart_by_their_identity(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("{}")
    before = key_of("x", [file])
    assert key_of("x", [file]) == before
    os.utime(file, ns=(1, 1))
    assert key_of("x", [file]) != before
    assert key_of("x", [tmp_path / "none"]) == key_of("x", [tmp_path / "none"])
