"""Every kind says how it stands to every rule of integrations/QUALITY.md, and why where it does not follow one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2] / "integrations"
KINDS = ("openapi", "graphql", "mcp")


def rows(file: Path) -> dict[str, str]:
    found = re.findall(r"^\| *([^|]+?) *\| *(.+?) *\|$", file.read_text(), re.MULTILINE)
    return {name: state for name, state in found if name not in ("rule", "---")}


RULES = rows(HERE / "QUALITY.md")


def test_there_is_about_a_dozen_rules() -> None:
    assert len(RULES) == 13


@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_is_done_or_exempt_with_a_reason(kind: str) -> None:
    states = rows(HERE / kind / "QUALITY.md")
    assert RULES.keys() <= states.keys()
    for rule, state in states.items():
        assert len(state) > 10, rule
        for reason in re.findall(r"exempt(.*)", state):
            assert len(reason) > 15, rule


@pytest.mark.parametrize("kind", KINDS)
def test_the_benches_that_are_named_exist(kind: str) -> None:
    named = re.findall(r"`(bench/\w+\.py)`", rows(HERE / kind / "QUALITY.md")["Speed"])
    assert named
    assert all((HERE.parent / one).exists() for one in named)
