"""Results of tests for people, JUnit readers, GitHub and programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from proxy.config.report_ci import workflow_command
from proxy.policy_tests.judging import Verdict
from proxy.policy_tests.reading import PlacedTest

FORMAT_VERSION: Final = "1"
_WIDTH: Final = 100


@dataclass(frozen=True, slots=True)
class TestResults:
    """`rules` are all that the config has; covered is a rule that decided a test which passed."""

    __test__ = False

    cases: tuple[tuple[PlacedTest, Verdict], ...]
    rules: tuple[str, ...]

    @property
    def failed(self) -> int:
        return sum(not verdict.passed for _, verdict in self.cases)

    @property
    def uncovered(self) -> list[str]:
        decided = {
            verdict.decision.rule_id for _, verdict in self.cases if verdict.passed and verdict.decision
        }
        return [rule for rule in self.rules if rule not in decided]

    @property
    def coverage(self) -> float:
        """Percent; a config without rules is covered."""
        return 100.0 * (1 - len(self.uncovered) / len(self.rules)) if self.rules else 100.0

    def summary(self) -> str:
        """One line; rules that were never decided stand below it where they are too many for that."""
        passed = len(self.cases) - self.failed
        covered = len(self.rules) - len(self.uncovered)
        said = f"{passed} passed, {self.failed} failed; rules covered {covered}/{len(self.rules)}"
        if not self.uncovered:
            return said
        line = f"{said}: never decided: {', '.join(self.uncovered)}"
        return line if len(line) <= _WIDTH else f"{said}: never decided:\n{_block(self.uncovered)}"


def _block(rules: Sequence[str]) -> str:
    return fill(
        ", ".join(rules),
        _WIDTH,
        initial_indent="  ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _text(results: TestResults) -> str:
    lines = []
    for placed, verdict in results.cases:
        lines.append(f"{'PASS' if verdict.passed else 'FAIL'} {placed.test.name}")
        if not verdict.passed:
            lines.append(f"     {placed.file}:{placed.expect_line}: {verdict.problem}")
    return "\n".join([*lines, results.summary()]) + "\n"


def _github(results: TestResults) -> str:
    failed = [(placed, verdict) for placed, verdict in results.cases if not verdict.passed]
    lines = [
        workflow_command(
            "error", placed.file, placed.expect_line, "executor test", f"{placed.test.name}: {v.problem}"
        )
        for placed, v in failed
    ]
    return "\n".join([*lines, results.summary()]) + "\n"


def _json(results: TestResults) -> str:
    shown = {
        "format_version": FORMAT_VERSION,
        "passed": len(results.cases) - results.failed,
        "failed": results.failed,
        "tests": [_case(placed, verdict) for placed, verdict in results.cases],
        "rules": list(results.rules),
        "uncovered": results.uncovered,
        "coverage": round(results.coverage, 1),
    }
    return json.dumps(shown, indent=2) + "\n"


def _case(placed: PlacedTest, verdict: Verdict) -> dict[str, Any]:
    decision = verdict.decision
    return {
        "name": placed.test.name,
        "tool": placed.test.tool,
        "passed": verdict.passed,
        "problem": verdict.problem or None,
        "action": decision.action if decision else None,
        "rule": decision.rule_id if decision else None,
        "source": decision.rule_source if decision else None,
        "file": placed.file,
        "line": placed.line,
    }


def _junit(results: TestResults) -> str:
    """The form that Jenkins, GitLab and GitHub actions read: one suite for each file."""
    suites = []
    for file in dict.fromkeys(placed.file for placed, _ in results.cases):
        cases = [(placed, verdict) for placed, verdict in results.cases if placed.file == file]
        failed = sum(not verdict.passed for _, verdict in cases)
        counts = f'tests="{len(cases)}" failures="{failed}" errors="0" skipped="0"'
        body = "\n".join(_junit_case(placed, verdict) for placed, verdict in cases)
        suites.append(f"  <testsuite name={_attribute(file)} {counts}>\n{body}\n  </testsuite>")
    counts = f'tests="{len(results.cases)}" failures="{results.failed}"'
    inside = "\n".join(suites)
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return f'{head}\n<testsuites name="executor test" {counts}>\n{inside}\n</testsuites>\n'


def _junit_case(placed: PlacedTest, verdict: Verdict) -> str:
    where = f'file={_attribute(placed.file)} line="{placed.line}"'
    head = (
        f"    <testcase name={_attribute(placed.test.name)} classname={_attribute(placed.test.tool)} {where}"
    )
    if verdict.passed:
        return f"{head}/>"
    text = _attribute(f"{placed.file}:{placed.expect_line}: {verdict.problem}")
    return f"{head}>\n      <failure message={text}/>\n    </testcase>"


def _attribute(text: str) -> str:
    """XML 1.0 has no place for control characters."""
    return quoteattr("".join(one if one.isprintable() else " " for one in text))


REPORTS: Final[dict[str, Callable[[TestResults], str]]] = {
    "text": _text,
    "json": _json,
    "junit": _junit,
    "github": _github,
}
