"""Search quality: the right operation among the first five for plain intents.

`relevance.yaml` may be tuned on. `heldout.yaml` was written before the first version of the ranking and
`heldout2.yaml` after the last one; neither is ever tuned on. The committed table has summaries only, so these
floors are lower than what the whole document gives.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from integrations.openapi.compile import compile_document
from integrations.openapi.doc import Doc
from integrations.openapi.toolset import make_toolset
from proxy.catalog import ToolIndex, build_index, everything
from proxy.catalog.match import match
from proxy.catalog.query import parse_query
from tests.proxy.catalog.samples import HERE, github

FIRST = 5


def entries(name: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    return loaded


def is_found(entry: dict[str, Any]) -> bool:
    page = github().search(entry["intent"], "", FIRST, 0, everything)
    return any(found.tool.name in entry["any"] for found in page.items)


@pytest.mark.parametrize(("name", "floor"), [("relevance", 0.94), ("heldout", 0.9), ("heldout2", 0.9)])
def test_the_right_operation_is_among_the_first_five(name: str, floor: float) -> None:
    all_entries = entries(name)
    missed = [entry["intent"] for entry in all_entries if not is_found(entry)]
    assert 1 - len(missed) / len(all_entries) >= floor, missed


@pytest.mark.parametrize("name", ["relevance", "heldout", "heldout2"])
def test_the_expected_operations_exist(name: str) -> None:
    known = {each.name for each in github().all()}
    assert not [wanted for entry in entries(name) for wanted in entry["any"] if wanted not in known]


# Real documents that nothing here was made for: fetched by `make specs`.
SPECS = Path(__file__).resolve().parents[3] / ".specs"
DOCUMENTS = {
    "digitalocean": SPECS / "directory" / "digitalocean.com.json",
    "stripe": SPECS / "directory" / "stripe.com.json",
    "kubernetes": SPECS / "kubernetes.json",
}


@cache
def index_of(document: str) -> ToolIndex:
    path = DOCUMENTS[document]
    doc = Doc(compile_document(path.read_bytes(), path.name))
    return build_index(make_toolset(doc, document, None, document, (), ()))


def is_found_in(entry: dict[str, Any]) -> bool:
    index, query = index_of(entry["document"]), parse_query(entry["intent"])
    ranked = match(index, query, [0.0] * len(query.terms))[:FIRST]
    said = (f"{index.tools[number].method} {index.tools[number].path}" for _, number in ranked)
    return any(re.match(entry["any"], one) for one in said)


@pytest.mark.specs
@pytest.mark.parametrize(
    ("name", "at_least"),
    [("intents", 50), ("intents_heldout", 22), ("intents_fresh", 25), ("intents_later", 25)],
)
def test_the_right_operation_of_a_document_that_nothing_was_tuned_for(name: str, at_least: int) -> None:
    every = entries(name)
    missed = [f"{entry['document']}: {entry['intent']}" for entry in every if not is_found_in(entry)]
    assert len(every) - len(missed) >= at_least, missed
