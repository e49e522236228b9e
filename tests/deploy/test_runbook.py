"""docs/runbook.md has a section for every alert and every code, and what it tells people to look at exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proxy.cli import COMMANDS
from proxy.config.diagnostic import CODES
from proxy.telemetry import METRICS
from tests.deploy.test_monitoring import ALERTS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "runbook.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL))
OF_CODES = {title: text for title, text in SECTIONS.items() if re.match(r"[EW]\d", title)}
CODE = re.compile(r"\b[EW]\d{3}\b")


def anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_has_a_section_that_says_what_to_do(name: str) -> None:
    text = SECTIONS[name]
    meaning, look, do = re.split(r"\*\*(?:Look|Do):\*\*", text)
    assert len(meaning.split()) >= 12
    assert "`" in look
    assert len(do.split()) >= 10


def test_there_is_no_section_of_an_alert_that_is_gone() -> None:
    assert SECTIONS.keys() - OF_CODES.keys() == ALERTS.keys()


def test_every_code_has_one_section() -> None:
    found = [code for title in OF_CODES for code in CODE.findall(title)]
    assert sorted(found) == sorted(CODES)
    assert all(len(text.split()) >= 25 for text in OF_CODES.values())


def test_the_metrics_it_names_exist() -> None:
    known = {metric.name for metric in METRICS} | {"executor_config"}
    named = set(re.findall(r"\bexecutor_[a-z_]+[a-z]", PAGE))
    assert named
    assert named <= known


def test_the_commands_it_names_exist() -> None:
    known = {command.name for command in COMMANDS}
    named = set(re.findall(r"`executor ([a-z]+)", PAGE))
    assert named
    assert named <= known


def test_links_lead_somewhere() -> None:
    anchors = {anchor(title) for title in SECTIONS}
    for name, place in re.findall(r"\]\(([\w.]*)#?([\w-]*)\)", PAGE):
        assert not name or (DOCS / name).exists()
        assert not place or place in anchors


def test_every_alert_links_to_its_section() -> None:
    anchors = {anchor(title) for title in SECTIONS}
    for alert in ALERTS.values():
        page, _, place = alert["annotations"]["runbook_url"].partition("#")
        assert page == "docs/runbook.md"
        assert place in anchors
