"""JSON objects from the command line."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from proxy.commands.common import CannotRun
from proxy.commands.json_input import read_object


def test_text() -> None:
    assert read_object('{"id": 1, "ü": [null]}') == {"id": 1, "ü": [None]}


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "arguments.json"
    file.write_text('{"id": 1}\n')
    assert read_object(f"@{file}") == {"id": 1}


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"id": 2}'))
    assert read_object("-") == {"id": 2}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{id: 1}", "arguments are not JSON"),
        ("", "arguments are not JSON"),
        ("\udcff", "arguments are not JSON"),
        ("[1]", "must be a JSON object"),
        ('"x"', "must be a JSON object"),
        ("@none.json", "@none.json: No such file"),
        ("@.", "Is a directory"),
    ],
)
def test_what_is_no_object(text: str, why: str) -> None:
    with pytest.raises(CannotRun, match=why):
        read_object(text)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    file = tmp_path / "arguments.json"
    file.write_bytes(b'{"id": "\xff"}')
    with pytest.raises(CannotRun, match="arguments are not JSON"):
        read_object(f"@{file}")
