"""What holds for the whole run: tests marked `specs` need the documents that `make specs` fetches.

`make check` fetches them first. Where that is not possible they are no part of the run, and the run says so.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.proxy.state.servers import find_tls_server
from tools.fetch_specs import is_complete

SPECS = Path(__file__).resolve().parent.parent / ".specs"
MISSING = (
    "specs: MISSING. The tests marked `specs` are not part of this run; `make specs` fetches what they need"
)
CLUSTERS = os.environ.get("EXECUTOR_CLUSTER_TESTS") == "1"
NO_CLUSTERS = "cluster: a part of the contract ran; `make cluster-test` runs all of it, with failovers"

IN_MINUTES = "cluster: NOT RUN here: Sentinel, and TLS; `make cluster-test` runs all of it"
NO_TLS = "redis with TLS: MISSING. Tests marked `redis_tls` are not part of this run; tools/get_redis.sh fetches one"

# Coverage is that of the tests' own processes: measuring what they start as well takes half as long again.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)

# How long an example takes says something about the machine's other work only.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


def pytest_report_header() -> str:
    return f"specs: real documents in {SPECS.name}" if is_complete(SPECS) else MISSING


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Quiet runs have no header."""
    if not is_complete(SPECS):
        terminalreporter.write_line(MISSING, yellow=True)
    if not CLUSTERS:
        terminalreporter.write_line(NO_CLUSTERS, yellow=True)
    elif "not minutes" in config.option.markexpr:
        terminalreporter.write_line(IN_MINUTES, yellow=True)
    elif find_tls_server() is None:
        terminalreporter.write_line(NO_TLS, red=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not is_complete(SPECS):
        _leave_out("specs", config, items)
    if not CLUSTERS:
        _leave_out("cluster", config, items)
    elif find_tls_server() is None:
        _leave_out("redis_tls", config, items)


def _leave_out(mark: str, config: pytest.Config, items: list[pytest.Item]) -> None:
    absent = [item for item in items if item.get_closest_marker(mark)]
    items[:] = [item for item in items if not item.get_closest_marker(mark)]
    if absent:
        config.hook.pytest_deselected(items=absent)
