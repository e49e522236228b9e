from __future__ import annotations

from typing import Any

import pytest

from proxy.commands.results import WAITING, decisions, print_result
from proxy.executions import result as engine

WAITS = {
    "executionId": "exec_1",
    "status": "waiting_for_interaction",
    "expiresAt": "2027-01-01T00:00:00Z",
    "interactions": [{"id": "int_1", "message": "Send `x`?", "approver": "model"}],
}


@pytest.mark.parametrize(
    ("result", "code", "out", "err"),
    [
        ({"status": "completed", "result": {"a": 1}}, 0, '{\n  "a": 1\n}\n', ""),
        ({"status": "completed", "result": "text\x1b[31m"}, 0, "text\\u{1B}[31m\n", ""),
        ({"status": "completed"}, 0, "", ""),
        ({"status": "failed", "error": "Error: no"}, 1, "", "failed: Error: no\n"),
        ({"status": "completed", "note": "Look"}, 0, "", "Look\n"),
    ],
)
def test_results_as_people_read_them(
    result: dict[str, Any], code: int, out: str, err: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert print_result(result, as_json=False) == code
    assert capsys.readouterr() == (out, err)


def test_what_waits_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_result(WAITS, as_json=False) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert "Send `x`?" in said.err
    assert "executor resume exec_1 --action accept" in said.err
    print_result(WAITS, as_json=False, server="http://h:1")
    assert "executor resume exec_1 --action decline --server http://h:1\n" in capsys.readouterr().err
    assert print_result(WAITS, as_json=True) == 3
    assert '"exec_1"' in capsys.readouterr().out


def test_another_person_has_another_command() -> None:
    asked = [{"approver": "model"}, {"approver": "human"}]
    assert decisions("exec_1", asked)[0] == "executor approvals approve exec_1"


def test_what_waits_is_the_same_as_in_the_engine() -> None:
    """The command does not import the engine, which takes long to load."""
    assert WAITING == engine.WAITING
