import json

import pytest

from proxy.config import Config
from proxy.config.diagnostic import Diagnostic
from proxy.config.report import Summary
from proxy.reload import Effects, Rejected, ReloadOutcome, restart_required
from proxy.reload.decisions import Running, for_a_running_process, judge, summary_of
from tests.proxy.reload.sources import Text

SUMMARY = Summary(1, 5, 7, 5, 212)
WRONG = Diagnostic(
    "E201", "error", "unknown key `tokn`", "did you mean `token`?", file="executor.yaml", line=42, column=7
)


def outcome(**changes: object) -> ReloadOutcome:
    fields: dict[str, object] = {
        "result": "applied",
        "trigger": "watch",
        "generation": 2,
        "sha256": "8d03be71" + "0" * 56,
        "diagnostics": (),
        "summary": SUMMARY,
        "restart_required": (),
        "elapsed_ms": 212,
    }
    return ReloadOutcome(**{**fields, **changes})  # type: ignore[arg-type]


def running(text: str, references: str = "") -> Running:
    return Running(1, Text(text).sha256, references, SUMMARY)


@pytest.mark.parametrize(
    ("text", "references", "was", "step"),
    [
        ("one", "", None, "build"),
        ("bad", "", None, "reject"),
        ("bad", "", running("one"), "reject"),
        ("one", "", running("one"), "keep"),
        ("one# new comment", "", running("one# old comment"), "keep"),
        ("two", "", running("one"), "build"),
        ("one", "spec v2", running("one", "spec v1"), "build"),
    ],
)
def test_judge(text: str, references: str, was: Running | None, step: str) -> None:
    assert judge(Text(text), references, was) == step


def test_only_sockets_watchers_and_stores_need_a_restart() -> None:
    def config(**sections: object) -> Config:
        return Config.model_validate({"version": 1, **sections})

    base = config()
    assert restart_required(base, config(server={"listen": "127.0.0.1:9999"})) == ("server.listen",)
    assert restart_required(base, config(telemetry={"metrics": {"listen": "127.0.0.1:9464"}})) == (
        "telemetry.metrics.listen",
    )
    assert restart_required(base, config(state={"backend": "memory", "execution_ttl": "1h"})) == (
        "state.backend",
        "state.execution_ttl",
    )
    assert restart_required(base, config(server={"reload": {"watch": False}})) == ("server.reload.watch",)
    assert restart_required(base, config(server={"reload": {"drain_timeout": "5s"}})) == ()


def test_an_applied_config_answers_what_changed() -> None:
    assert outcome().as_json() == {
        "generation": 2,
        "sha256": "8d03be71" + "0" * 56,
        "changed": True,
        "restart_required": [],
        "summary": {
            "files": 1,
            "integrations": 5,
            "connections": 7,
            "policies": 5,
            "elapsed_ms": 212,
            "not_checked": {},
            "sha256": "",
        },
        "warnings": [],
    }
    assert outcome(result="unchanged").as_json()["changed"] is False


def test_a_rejected_config_answers_like_validate() -> None:
    rejected = outcome(result="rejected", diagnostics=(WRONG,))
    body = json.loads(json.dumps(rejected.as_json()))
    assert (body["valid"], body["errors"]) == (False, 1)
    assert body["diagnostics"][0]["line"] == 42
    assert "error" not in body


def test_what_is_not_the_configs_fault_is_an_error_without_a_diagnostic() -> None:
    failed = outcome(result="rejected", error="internal error [1f2e3d4c]")
    assert failed.errors == 1
    assert failed.as_json()["valid"] is False


def test_log_fields_of_an_applied_config_in_their_order() -> None:
    event, fields = outcome(effects=Effects(2, 1, 1, 3, 1)).log_line()
    assert event == "config applied"
    assert list(fields) == [
        "generation",
        "sha256",
        "trigger",
        "tools",
        "wider",
        "narrower",
        "restart_required",
        "in",
    ]
    assert (fields["tools"], fields["sha256"], fields["in"]) == ("+2-1~1", "8d03be71", 212)


def test_nothing_is_claimed_that_nobody_compared() -> None:
    assert not {"tools", "wider", "narrower"} & set(outcome().log_line()[1])


def test_log_fields_of_a_rejection_name_the_first_place() -> None:
    _, fields = outcome(result="rejected", diagnostics=(WRONG, WRONG)).log_line()
    assert fields == {
        "generation": 2,
        "stays": True,
        "trigger": "watch",
        "errors": 2,
        "detail": "executor.yaml:42:7 E201 unknown key `tokn` (did you mean `token`?)",
    }
    first = outcome(result="rejected", generation=0, error="broken").log_line()[1]
    assert "stays" not in first
    assert first["detail"] == "broken"


def test_a_rejection_is_readable_as_text() -> None:
    assert str(Rejected([WRONG])) == "executor.yaml:42:7 E201 unknown key `tokn` (did you mean `token`?)"


def test_only_missing_variables_are_reworded() -> None:
    missing = Diagnostic("E402", "error", "environment variable `GITHUB_TOKEN` is not set", "set it")
    nameless = Diagnostic("E402", "error", "not set")
    told = for_a_running_process([WRONG, missing, nameless])
    assert told[0] is WRONG
    assert told[1].help == "this process was started without GITHUB_TOKEN; restart it, or use {file: PATH}"
    assert told[2].help == "this process was started without it; restart it, or use {file: PATH}"


def test_the_summary_of_an_invalid_config_counts_only_files() -> None:
    assert summary_of(Text("bad"), 3) == Summary(1, 0, 0, 0, 3, sha256=Text("bad").sha256)
    assert summary_of(Text("one"), 3) == Summary(1, 1, 0, 0, 3, sha256=Text("one").sha256)
