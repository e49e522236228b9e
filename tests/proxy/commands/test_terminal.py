"""Tables and colours: headers, and escape sequences where a terminal takes them only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.commands.terminal import print_table
from tests.proxy.support import config_text, written

ROWS = [["a", "long", ""], ["bcd", "e", "last"]]


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(ROWS)
    print_table([], ["HEADER"])
    assert capsys.readouterr().out == "a    long\nbcd  e     last\n"


def test_headers_are_as_wide_as_what_is_below(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(ROWS, ["NAME", "B", "C"])
    assert capsys.readouterr().out == "NAME  B     C\na     long\nbcd   e     last\n"


def shown_at_a_terminal(*words: str, **env: str) -> str:
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "proxy", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", **env},
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # EIO: the other side has closed
        pass
    os.close(ours)
    process.wait(60)
    return shown.decode()


@pytest.mark.parametrize(
    "words", [("validate",), ("validate", "--list-env"), ("tools", "ls"), ("tools", "sources")]
)
def test_a_terminal_is_coloured_unless_it_should_not_be(words: tuple[str, ...], tmp_path: Path) -> None:
    more = "polices: []\n" if words == ("validate",) else ""
    connection = "{auth: {kind: bearer, token: {env: TERMINAL_T}}}"
    config = str(written(tmp_path, config_text(connection=connection, more=more)))
    assert "\x1b[" in shown_at_a_terminal(*words, "--config", config)
    if words == ("tools", "ls"):
        plain = [{"NO_COLOR": "1"}, {"TERM": "dumb"}]
        assert not [
            "\x1b" for env in plain if "\x1b[" in shown_at_a_terminal(*words, "--config", config, **env)
        ]
