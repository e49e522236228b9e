"""What the documents promise: a table of contents that is complete, numbered decisions, threats with their tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
STATUS = re.compile(r"^\d{4}-\d\d-\d\d\. Status: (accepted|replaced by \d{4})\.$", re.MULTILINE)


def threats() -> dict[str, list[str]]:
    """Number to cells: what is tried, what stands against it, tests."""
    rows = re.findall(r"^\| *(T\d+) *\|(.*)\|$", (DOCS / "threats.md").read_text(), re.MULTILINE)
    return {number: [cell.strip() for cell in cells.split(" | ")] for number, cells in rows}


THREATS = threats()


def test_all_threats_are_there_in_order() -> None:
    assert list(THREATS) == [f"T{number}" for number in range(1, 44)]


@pytest.mark.parametrize("number", THREATS)
def test_a_threat_has_tests_or_says_that_it_is_open(number: str) -> None:
    _, defence, tests = THREATS[number]
    named = re.findall(r"`(tests/[\w/.]+)`", tests)
    assert named or re.search(r"\*\*Open\*\*: .{15,}", defence)
    for name in named:
        assert (ROOT / name).is_file(), name
        assert mentions(ROOT / name, number), f"{name} does not mention {number}"


def mentions(file: Path, number: str) -> bool:
    """By name, or within a range such as `T18 to T23`."""
    text = file.read_text(encoding="utf-8")
    if re.search(rf"\b{number}\b|\btest_{number}_", text, re.IGNORECASE):
        return True
    ranges = re.findall(r"\bT(\d+) to T(\d+)\b", text)
    return any(int(first) <= int(number[1:]) <= int(last) for first, last in ranges)


@pytest.mark.parametrize("file", DECISIONS, ids=lambda file: file.stem)
def test_a_decision_is_numbered_dated_and_has_a_status(file: Path) -> None:
    """Numbers are given out before the work is done, so there may be gaps; none is given twice."""
    number = file.name[:4]
    text = file.read_text(encoding="utf-8")
    assert [one.name[:4] for one in DECISIONS].count(number) == 1
    assert text.startswith(f"# {number}: ")
    assert STATUS.search(text)


def test_the_table_of_contents_names_every_document() -> None:
    linked = set(re.findall(r"\]\(([\w/-]+\.md)\)", (DOCS / "README.md").read_text()))
    there = {file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.md")}
    assert linked == there - {"README.md"}


def test_the_readme_is_one_screen() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 66
