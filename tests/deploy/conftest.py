"""Tests that need programs which a machine may not have: they say which, and the run says what it left out.

`promtool`: `make monitoring` fetches it. `deploy(...)`: the tests of the deployment kit, minutes long; `make
deploy-test` runs them (EXECUTOR_DEPLOY_TESTS=1) and fetches the programs that the mark names.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.deploy.container import Builder
from tests.deploy.promtool import promtool
from tests.deploy.tools import PROGRAMS, WANTED, tool

IN_MINUTES = (
    "deploy: NOT RUN here: the image, a boot of systemd, the wheel; `make deploy-test` runs all of it"
)
MISSING = (
    "promtool: MISSING. The tests marked `promtool` are not part of this run; `make monitoring` fetches it"
)


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """The image, built once for all tests."""
    made = Builder(tmp_path_factory.mktemp("image"))
    made.build()
    yield made
    # Its layers belong to nobody that pytest could clean up after.
    subprocess.run(["rm", "-rf", str(made.folder)], check=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if promtool() is None:
        terminalreporter.write_line(MISSING, yellow=True)
    if not WANTED:
        terminalreporter.write_line("deploy: not part of this run; `make deploy-test` runs them", yellow=True)
        return
    if "not minutes" in config.option.markexpr:
        terminalreporter.write_line(IN_MINUTES, yellow=True)
    if absent := [name for name in PROGRAMS if tool(name) is None]:
        terminalreporter.write_line(
            f"deploy: MISSING {', '.join(absent)}: what needs them did not run", red=True
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left = [item for item in items if not _runs(item)]
    items[:] = [item for item in items if item not in left]
    if left:
        config.hook.pytest_deselected(items=left)


def _runs(item: pytest.Item) -> bool:
    if item.get_closest_marker("promtool") and promtool() is None:
        return False
    needed = [name for mark in item.iter_markers("deploy") for name in mark.args]
    assert set(needed) <= set(PROGRAMS), (
        f"{item.name}: {needed}; PROGRAMS of tests/deploy/tools.py are reported"
    )
    return not needed or (WANTED and all(tool(name) for name in needed))
