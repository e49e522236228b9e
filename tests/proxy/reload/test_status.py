import io
import json
from collections.abc import Iterator

import pytest

from proxy.config.diagnostic import Diagnostic
from proxy.config.report import Summary
from proxy.live import ReloadResult
from proxy.reload import ReloadOutcome
from proxy.reload.decisions import Running, Trigger
from proxy.reload.status import ReloadStatus
from proxy.telemetry import MetricsRegistry, configure_logging

SUMMARY = Summary(1, 5, 7, 5, 8)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    out = io.StringIO()
    configure_logging(fmt="text", stream=out)
    yield out
    configure_logging(stream=io.StringIO())


def fresh_status(clock: Clock, metrics: MetricsRegistry) -> ReloadStatus:
    made = ReloadStatus(metrics, clock=clock, now=lambda: 1_700_000_000.0, remind_seconds=300.0)
    made.running = Running(2, "8d03be71" + "0" * 56, "", SUMMARY, ("server.listen",))
    return made


def ended(
    made: ReloadStatus, result: ReloadResult, trigger: Trigger = "watch", errors: int = 0
) -> ReloadOutcome:
    wrong = tuple(
        Diagnostic("E201", "error", f"error {line}", file="a.yaml", line=line)
        for line in range(1, errors + 1)
    )
    assert made.running is not None
    return ReloadOutcome(
        result, trigger, made.generation, made.sha256, wrong, SUMMARY, made.running.restart_required, 8
    )


def test_log_lines_are_the_documented_ones(lines: io.StringIO) -> None:
    made = fresh_status(Clock(), MetricsRegistry())
    made.note(ended(made, "applied"))
    made.note(ended(made, "rejected", errors=2))
    made.note(ended(made, "unchanged", trigger="sighup"))
    made.note(ended(made, "unchanged", trigger="watch"))
    restart = "restart_required=server.listen in=8ms"
    assert lines.getvalue().splitlines() == [
        f"INFO  config applied  generation=2 sha256=8d03be71 trigger=watch {restart}",
        "ERROR config rejected generation=2 stays trigger=watch errors=2 a.yaml:1:1 E201 error 1",
        "ERROR config error    a.yaml:2:1 E201 error 2",
        f"INFO  config unchanged generation=2 sha256=8d03be71 trigger=sighup {restart} after_rejection",
    ]


def test_a_rejection_is_due_again_every_five_minutes_until_it_is_mended(lines: io.StringIO) -> None:
    clock = Clock()
    made = fresh_status(clock, MetricsRegistry())
    assert made.remind_in() is None
    made.say()
    made.note(ended(made, "rejected", errors=1))
    assert made.remind_in() == 300.0
    clock.seconds += 299
    assert made.remind_in() == 1.0
    clock.seconds += 10
    assert made.remind_in() == 0.0
    made.say()
    assert made.remind_in() == 300.0
    made.note(ended(made, "unchanged"))
    assert made.remind_in() is None
    assert lines.getvalue().count("config rejected") == 2


def test_metrics_show_every_outcome() -> None:
    metrics = MetricsRegistry()
    made = fresh_status(Clock(), metrics)
    made.note(ended(made, "rejected", trigger="http", errors=3))
    assert metrics.value("executor_config_last_reload_successful") == 0
    assert metrics.value("executor_config_errors") == 3
    made.note(ended(made, "applied"))
    assert metrics.value("executor_config_last_reload_successful") == 1
    assert metrics.value("executor_config_last_reload_success_timestamp_seconds") == 1_700_000_000
    assert metrics.value("executor_config_restart_required") == 1
    assert metrics.value("executor_config_errors") == 0
    assert metrics.value("executor_config_reloads_total", trigger="http", result="rejected") == 1
    assert metrics.value("executor_config_info", sha256=made.sha256, generation="2") == 1


def test_the_status_is_plain_json_and_says_why() -> None:
    made = fresh_status(Clock(), MetricsRegistry())
    made.note(ended(made, "applied"))
    made.note(ended(made, "rejected", errors=1))
    status = json.loads(json.dumps(made.status()))
    assert (status["generation"], status["in_sync"]) == (2, False)
    assert status["last_reload"]["diagnostics"][0]["code"] == "E201"
    assert status["summary"]["integrations"] == 5


def test_nothing_runs_before_the_first_config() -> None:
    made = ReloadStatus(MetricsRegistry(), clock=Clock(), now=lambda: 0.0, remind_seconds=300.0)
    assert made.status() == {
        "generation": 0,
        "sha256": "",
        "applied_at": 0.0,
        "in_sync": False,
        "rejected": None,
        "restart_required": [],
        "summary": None,
        "last_reload": None,
    }
