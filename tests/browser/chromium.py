"""Which browser the tests drive, by the same rule as tools/get_chromium.sh."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Error, sync_playwright

LIMIT_MS = 60_000.0
NAMES = ("chromium", "chromium-browser", "google-chrome")
# Nothing of the machine's own, and nothing over the network.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MISSING = (
    "There is no browser for these tests. Run `sh tools/get_chromium.sh .venv`, install Chromium so that `chromium` is "
    "on PATH, or name one: EXECUTOR_TEST_BROWSER=/path/to/chrome"
)


def installed() -> str | None:
    """The browser of this machine; None: only Playwright's own may be there."""
    named = os.environ.get("EXECUTOR_TEST_BROWSER")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser without a window. Fails when there is none: no test of ours is skipped."""
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=installed(), headless=True, args=list(FLAGS), timeout=LIMIT_MS
            )
        except Error as error:
            raise AssertionError(f"{MISSING}\n{error}") from None
        try:
            yield browser
        finally:
            browser.close()
