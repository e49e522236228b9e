"""`executor call`: data on stdout, the sentence on stderr, and an exit code that scripts can branch on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from proxy.cli import main
from tests.proxy.support import config_text, inline, shop, written

RULES = """\
policies:
  - {id: no-deletes, pattern: "shop.*.*.items.delete", action: block, reason: By hand only}
"""


@pytest.fixture
def config(tmp_path: Path, env: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("EXECUTOR_STATE_DIR", env["EXECUTOR_STATE_DIR"])
    return str(written(tmp_path, config_text(inline(shop()), more=RULES)))


def test_an_upstream_that_is_down_is_exit_1(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["call", "shop.org.main.items.list", "--config", config]) == 1
    assert "upstream_unreachable" in capsys.readouterr().err


def test_a_blocked_tool_is_exit_4_with_rule_and_reason(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["call", "shop.org.main.items.delete", '{"id": "1"}', "--config", config]) == 4
    out = capsys.readouterr()
    assert "By hand only" in out.err
    assert json.loads(out.out)["rule"] == "no-deletes"


def test_a_call_that_needs_approval_is_exit_3(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["call", "shop.org.main.items.create", '{"body": {"id": "1"}}', "--config", config]) == 3
    assert "approval_required" in capsys.readouterr().err


def test_system_tools_answer_plain_values(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["call", "search", '{"query": "list items"}', "--config", config]) == 0
    assert json.loads(capsys.readouterr().out)["items"][0]["path"] == "shop.org.main.items.list"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [("[1]", "must be a JSON object"), ("{", "not JSON"), ("@/nonexistent", "No such file")],
)
def test_arguments_that_cannot_be_read_are_exit_2(
    config: str, arguments: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["call", "shop.org.main.items.list", arguments, "--config", config]) == 2
    assert words in capsys.readouterr().err


def test_a_wrong_argument_type_of_a_system_tool_is_exit_1(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["call", "search", '{"query": 5}', "--config", config]) == 1
    assert "query" in capsys.readouterr().err
