"""One server for the run and one browser for each module: starting them costs more than their tests.

The browser ends with its module, because Playwright runs an event loop in this thread meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.approval_server import ApprovalServer, approval_server
from tests.browser.chromium import chromium
from tests.e2e.upstream import upstream


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def approvals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApprovalServer]:
    with upstream() as api, approval_server(api, tmp_path_factory.mktemp("approvals")) as running:
        yield running
