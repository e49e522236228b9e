"""What is remembered of where documents send calls, and how it stands up to restarts and damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.connections.origins import KnownOrigins

URL = "https://docs.example/api.json?key=k3y"
FIRST = frozenset({"https://a.example", "https://b.example"})
MOVED = FIRST | {"https://evil.example"}


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_given_first_is_known(tmp_path: Path, kept: bool) -> None:
    known = KnownOrigins(tmp_path / "origins" if kept else None)
    assert known.objection(URL, [], FIRST) is None
    assert known.objection(URL, [], frozenset({"https://a.example"})) is None
    assert known.objection(URL, [], FIRST | {"https://docs.example"}) is None
    said = known.objection(URL, [], MOVED)
    assert said == (
        "https://docs.example/api.json: the document now sends calls to https://evil.example, which it did not when it"
        " was first loaded (then: https://a.example, https://b.example): set `base_url` to say where calls go"
    )
    assert known.objection(URL, [], FIRST) is None


def test_a_restart_accepts_nothing(tmp_path: Path) -> None:
    assert KnownOrigins(tmp_path).objection(URL, [], FIRST) is None
    for _ in range(2):
        assert KnownOrigins(tmp_path).objection(URL, [], MOVED) is not None
    assert KnownOrigins(tmp_path).objection(URL, [], FIRST) is None
    assert all("k3y" not in file.read_text() for file in tmp_path.iterdir())


def test_another_url_and_other_patches_of_the_config_are_another_document(tmp_path: Path) -> None:
    known = KnownOrigins(tmp_path)
    assert known.objection(URL, [], FIRST) is None
    assert known.objection("https://docs.example/v2.json", [], MOVED) is None
    patch = {"op": "replace", "path": "/servers", "value": []}
    assert known.objection(URL, [patch], MOVED) is None


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"origins": 5}', b"\xff"])
def test_a_damaged_memory_trusts_only_the_documents_own_origin(tmp_path: Path, damage: bytes) -> None:
    KnownOrigins(tmp_path).objection(URL, [], FIRST)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)
    assert KnownOrigins(tmp_path).objection(URL, [], FIRST) is not None
    assert KnownOrigins(tmp_path).objection(URL, [], frozenset({"https://docs.example"})) is None


def test_without_a_place_to_write_the_process_remembers(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    known = KnownOrigins(tmp_path / "file" / "origins")
    known.objection(URL, [], FIRST)
    assert known.objection(URL, [], MOVED) is not None
