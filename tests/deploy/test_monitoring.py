"""The rules, the dashboard and the scrape config of deploy/monitoring: sound, and about metrics that there are."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from proxy.telemetry import METRICS
from tests.deploy.promtool import promtool
from tests.proxy.app.started import application_of
from tests.proxy.support import config_text

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "deploy" / "monitoring"
GROUPS: Final[list[dict[str, Any]]] = yaml.safe_load((PLACE / "rules.yml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"]: rule for rule in RULES if "record" in rule}
TESTS: Final[list[dict[str, Any]]] = yaml.safe_load((PLACE / "rules_test.yml").read_text())["tests"]
DASHBOARD: Final[dict[str, Any]] = json.loads((PLACE / "dashboard.json").read_text())

# What Prometheus and its client add to ours, and what every scraped series has.
OTHERS: Final[Mapping[str, tuple[str, ...]]] = {
    "up": (),
    "process_start_time_seconds": (),
    "process_resident_memory_bytes": (),
    "process_cpu_seconds_total": (),
}
EVERYWHERE = {"job", "instance"}
NAME = re.compile(r"\b(?:(?:job|job_\w+):)?(?:executor|process)_\w+(?::\w+)?|\bup\b(?=\{)")
SELECTOR = re.compile(r"((?:(?:job|job_\w+):)?[a-z_]+(?::\w+)?)\{([^}]*)\}")
GROUPING = re.compile(r"\b(?:by|ignoring) \(([^)]*)\)")
FUNCTIONS = {"executor"}


def labels_of(name: str) -> set[str] | None:
    """The labels of a metric, of one of the series of a histogram, or of a recorded rule; None: there is no such."""
    if name in RECORDED:
        return set(name.partition(":")[0].split("_")) | EVERYWHERE
    if name in OTHERS:
        return set(OTHERS[name]) | EVERYWHERE
    for metric in METRICS:
        parts = ("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",)
        if name in [metric.name + part for part in parts]:
            return {*metric.labels, *({"le"} if metric.kind == "histogram" else ())} | EVERYWHERE
    return None


def expressions() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for note in DASHBOARD["annotations"]["list"]:
        yield note["name"], note["target"]["expr"]


def filled(expression: str) -> str:
    """A panel's expression with a value for each of Grafana's variables."""
    return (
        expression.replace("$__rate_interval", "5m")
        .replace("$job", "executor")
        .replace("$instance", "a:9464")
    )


EXPRESSIONS = [(where, filled(expr)) for where, expr in expressions()]


def check(*arguments: str) -> str:
    found = promtool()
    assert found is not None
    done = subprocess.run(
        [found, *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=PLACE
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


@pytest.mark.parametrize(("where", "expr"), EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_every_expression_is_about_metrics_and_labels_that_there_are(where: str, expr: str) -> None:
    text = re.sub(r'"[^"]*"', '""', expr)
    names = [name for name in NAME.findall(text) if name not in FUNCTIONS]
    assert names, "no metric in it"
    known: set[str] = set()
    for name in names:
        labels = labels_of(name)
        assert labels is not None, f"there is no metric {name}"
        known |= labels
    for name, matchers in SELECTOR.findall(text):
        used = set(re.findall(r"(\w+)\s*[=!]", matchers))
        assert used <= (labels_of(name) or set()), f"{name} has no label {used}"
    for names_of_labels in GROUPING.findall(text):
        assert set(re.split(r"[ ,]+", names_of_labels)) <= known


def test_the_check_of_expressions_finds_a_wrong_name() -> None:
    assert labels_of("executor_execution_total") is None
    assert labels_of("executor_execution_seconds") is None  # a histogram has no series of this name
    assert labels_of("job:executor_nothing:rate5m") is None
    assert NAME.findall("rate(job:executor_requests:rate5m) + executor_errors") == [
        "job:executor_requests:rate5m",
        "executor_errors",
    ]


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_says_what_is_wrong_and_where_to_read_on(name: str) -> None:
    alert = ALERTS[name]
    assert re.fullmatch(r"Executor[A-Z]\w+", name)
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    assert alert["annotations"].keys() == {"summary", "runbook_url"}
    assert alert["annotations"]["summary"].endswith(".")
    assert alert["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"


def test_names_are_used_once() -> None:
    assert len(ALERTS) + len(RECORDED) == len(RULES)


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_is_tested_firing_and_silent(name: str) -> None:
    fired = [
        bool(case["exp_alerts"])
        for test in TESTS
        for case in test["alert_rule_test"]
        if case["alertname"] == name
    ]
    assert set(fired) == {True, False}


def test_panels_have_names_units_and_words() -> None:
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    assert len({panel["title"] for panel in panels}) == len(panels)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in panels:
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_metric_is_on_the_dashboard_or_in_a_rule() -> None:
    """But for those that are read when something else has led to them."""
    looked_at = {
        "executor_config_last_reload_success_timestamp_seconds",
        "executor_config_errors",
        "executor_http_unread_bytes",
        "executor_tls_handshake_failures_total",
        "executor_event_loop_tasks",
        "executor_policy_decisions_total",
        "executor_file_read_failures_total",
        "executor_state_outages_total",
    }
    text = "\n".join(expr for _, expr in EXPRESSIONS)
    unused = {metric.name for metric in METRICS if metric.name not in text}
    assert unused == looked_at


async def test_what_an_increase_is_asked_of_begins_at_zero(tmp_path: Path) -> None:
    """Else the first event of a series is none."""
    env = {"EXECUTOR_STATE_DIR": str(tmp_path / "state")}
    async with application_of(tmp_path, config_text(), env) as application:
        exposed = application.gateway.metrics().decode()
    asked = [
        found
        for rule in ALERTS.values()
        for found in re.findall(r'increase\((executor_\w+)(?:\{(\w+)=~?"([^"]*)"\})?', rule["expr"])
    ]
    assert len(asked) >= 8
    for name, label, values in asked:
        for value in values.split("|"):
            part = f'{label}="{value}"' if label else ""
            assert any(line.startswith(f"{name}{{") and part in line for line in exposed.splitlines())


# ---- by Prometheus itself ------------------------------------------------------------------------------------------
@pytest.mark.promtool
def test_the_rules_are_valid() -> None:
    assert f"{len(RULES)} rules found" in check("check", "rules", "rules.yml")


@pytest.mark.promtool
def test_the_alerts_fire_when_they_should() -> None:
    check("test", "rules", "rules_test.yml")


@pytest.mark.promtool
def test_the_scrape_config_is_valid() -> None:
    check("check", "config", "prometheus.yml")


@pytest.mark.promtool
def test_the_dashboards_expressions_are_valid(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{n}:x", "expr": expr} for n, (_, expr) in enumerate(EXPRESSIONS)]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    check("check", "rules", str(file))


@pytest.mark.promtool
async def test_what_a_server_exposes_is_clean(tmp_path: Path) -> None:
    env = {"EXECUTOR_STATE_DIR": str(tmp_path / "state")}
    async with application_of(tmp_path, config_text(), env) as application:
        exposed = application.gateway.metrics()
    found = promtool()
    assert found is not None
    done = subprocess.run([found, "check", "metrics"], input=exposed, capture_output=True, timeout=60)  # noqa: ASYNC221
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
