"""Search quality on GitHub's REST API: the right operation among the first five for plain intents.

`relevance.yaml` may be tuned on. `heldout.yaml` was written before the first version of the ranking and
`heldout2.yaml` after the last one; neither is ever tuned on. The committed table has summaries only, so these
floors are lower than what the whole document gives.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from proxy.catalog import everything
from tests.proxy.catalog.samples import HERE, github

FIRST = 5


def entries(name: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    return loaded


def is_found(entry: dict[str, Any]) -> bool:
    page = github().search(entry["intent"], "", FIRST, 0, everything)
    return any(found.tool.name in entry["any"] for found in page.items)


@pytest.mark.parametrize(("name", "floor"), [("relevance", 0.94), ("heldout", 0.9), ("heldout2", 0.8)])
def test_the_right_operation_is_among_the_first_five(name: str, floor: float) -> None:
    all_entries = entries(name)
    missed = [entry["intent"] for entry in all_entries if not is_found(entry)]
    assert 1 - len(missed) / len(all_entries) >= floor, missed


@pytest.mark.parametrize("name", ["relevance", "heldout", "heldout2"])
def test_the_expected_operations_exist(name: str) -> None:
    known = {each.name for each in github().all()}
    assert not [wanted for entry in entries(name) for wanted in entry["any"] if wanted not in known]
