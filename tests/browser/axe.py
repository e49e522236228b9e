"""axe-core from npm, in `.specs/axe`, where npm installs it once: what it finds wrong with a page."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tools.fetch_specs import AXE, install

FOLDER = Path(__file__).resolve().parents[2] / ".specs" / "axe"
# axe's own rules beside WCAG: what every page should have.
OPTIONS = {"resultTypes": ["violations"]}


@cache
def source() -> str:
    """Fails where neither the package nor npm is there: no check is left out in silence."""
    file = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
    if not file.exists():
        assert shutil.which("npm") is not None, f"axe-core is missing and so is npm: put it at {file}"
        install(AXE, FOLDER)
    return file.read_text(encoding="utf-8")


def findings(page: Page) -> list[str]:
    """One line each: the rule, and the first element that breaks it. Runs beside the page's policy, not against it."""
    page.evaluate(source())
    found: list[dict[str, Any]] = page.evaluate(
        "async (options) => (await axe.run(document, options)).violations", OPTIONS
    )
    return [
        f"{one['id']}: {one['nodes'][0]['target']} {one['nodes'][0].get('failureSummary', '')}"
        for one in found
    ]
