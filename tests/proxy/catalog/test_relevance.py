"""Search quality: the right operation among the first five for plain intents.

`heldout.yaml` was written before the first version of the ranking and `heldout2.yaml` after a later one. The
committed table has summaries only, so these floors are lower than what the whole document gives. Each list of intents
over real documents was written before it was measured, and once that was done it counts as tuned on:
docs/decisions/0039 says what came out when.
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
from proxy.catalog import Catalog, CatalogConnection, everything
from tests.proxy.catalog.samples import HERE, catalog, connection, github

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
    "github": SPECS / "api.github.com.json",
}


@cache
def connection_of(document: str) -> CatalogConnection:
    path = DOCUMENTS[document]
    toolset = make_toolset(
        Doc(compile_document(path.read_bytes(), path.name)), document, None, document, (), ()
    )
    return connection(f"{document}.org.main", toolset, document)


@cache
def catalog_of(*documents: str) -> Catalog:
    return catalog(*map(connection_of, documents))


def is_found_in(where: Catalog, entry: dict[str, Any]) -> bool:
    first = where.search(entry["intent"], "", FIRST, 0, everything).items
    tools = [found.tool for found in first if found.tool.integration == entry["document"]]
    return any(re.match(entry["any"], f"{tool.definition.method} {tool.definition.path}") for tool in tools)


@pytest.mark.specs
@pytest.mark.parametrize(
    ("name", "at_least"),
    [
        ("intents", 50),
        ("intents_heldout", 24),
        ("intents_fresh", 26),
        ("intents_later", 25),
        ("intents_first", 40),
        ("intents_second", 41),
        ("intents_final", 34),
        ("intents_fourth", 47),
    ],
)
def test_the_right_operation_of_a_real_document_is_among_the_first_five(name: str, at_least: int) -> None:
    every = entries(name)
    missed = [entry for entry in every if not is_found_in(catalog_of(entry["document"]), entry)]
    assert len(every) - len(missed) >= at_least, [f"{each['document']}: {each['intent']}" for each in missed]


@pytest.mark.specs
def test_and_of_three_documents_in_one_catalog() -> None:
    names = [each.stem for each in HERE.glob("intents*.yaml")]
    three = catalog_of("digitalocean", "stripe", "kubernetes")
    every = [entry for name in names for entry in entries(name) if entry["document"] != "github"]
    missed = [f"{each['document']}: {each['intent']}" for each in every if not is_found_in(three, each)]
    assert len(every) - len(missed) >= 214, missed
