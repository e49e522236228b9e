"""`executor call`: data on stdout, the sentence on stderr, and an exit code that scripts can branch on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from proxy.cli import main
from proxy.commands.call import code_of
from tests.proxy.commands.boarded import boarded
from tests.proxy.commands.running import Run, at_terminal
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
    assert main(["call", "search", '{"query": {}}', "--config", config]) == 1
    assert "query" in capsys.readouterr().err


def test_at_a_terminal_somebody_is_asked(config: str) -> None:
    words = ["call", "shop.org.main.items.create", '{"body": {"id": "1"}}', "--config", config]
    said, code = at_terminal(words, "y")
    assert "Approve? [y/N]" in said
    assert "POST http://127.0.0.1:9/items" in said
    # It was sent: that nobody is there is the upstream's answer.
    assert (code, "upstream_unreachable" in said) == (1, True)


def test_another_persons_approval_is_not_asked_for_here(config: str, tmp_path: Path) -> None:
    rule = '  - {id: person, pattern: "shop.*.*.*.*", action: require_approval, approver: human}\n'
    human = str(written(tmp_path, config_text(inline(shop()), more=RULES + rule), "human.yaml"))
    said, code = at_terminal(["call", "shop.org.main.items.list", "--config", human], "y")
    assert (code, "Approve?" in said, "--server URL" in said) == (3, False, True)


def test_on_a_server(run: Run) -> None:
    with boarded() as server:
        run.set(EXECUTOR_TOKEN="alice")
        ran = run("call", "demo.org.main.get", '{"a": 1}', "--server", server.url)
        assert (ran.code, len(server.board.requests)) == (0, 1)
        assert server.board.requests[0].code == 'return await tools["demo"]["org"]["main"]["get"]({"a":1})'
        assert run("call", "x.y", "--server", server.url, "--as", "key=a").code == 2
        assert run("call", "x..y", "--server", server.url).code == 2
        run.set(EXECUTOR_TOKEN="nobody")
        assert run("call", "x.y", "--server", server.url).code == 2
    assert run("call", "x.y", "--server", server.url).code == 2


@pytest.mark.parametrize("address", ["a.b", "tools.a.b"])
def test_the_code_is_one_call_whatever_the_address_holds(address: str) -> None:
    assert code_of(address, {"x": "</script>\u2028"}).startswith('return await tools["a"]["b"]({"x":')
    assert code_of('a"]; evil(', {}) == 'return await tools["a\\"]; evil("]({})'
