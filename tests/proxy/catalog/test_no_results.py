"""A search that lists nothing, or everything, says why and what to ask instead."""

from __future__ import annotations

import pytest

from integrations.base import JsonObject
from proxy.catalog import Catalog, CatalogTool, everything
from tests.proxy.catalog.samples import Tools, catalog, connection, tool

ISSUES = Tools((tool("issues.list", "List issues"), tool("labels.list", "List labels")))


def nothing(_: CatalogTool) -> bool:
    return False


def answered(
    query: str, namespace: str = "", where: Catalog | None = None, *, hidden: bool = False
) -> JsonObject:
    chosen = catalog(connection("acme.org.prod", ISSUES)) if where is None else where
    return chosen.search_json(query, namespace, 12, 0, nothing if hidden else everything)


@pytest.mark.parametrize(
    ("query", "namespace", "said"),
    [
        ("", "", "Without `query` these are the tools"),
        ("  ", "", "Without `query` these are the tools"),
        (
            "zzzz",
            "",
            "No tool fits `zzzz`. Try other words or fewer, or list them: tools.catalog.namespaces()",
        ),
        ("zzzz", "acme", "No tool fits `zzzz`."),
        ("!?", "", "`!?` holds no word to search for."),
        ("list", "nowhere", "no tools in the namespace `nowhere`; there are: acme.org.prod."),
        ("", "nowhere", "no tools in the namespace `nowhere`"),
    ],
)
def test_what_is_said(query: str, namespace: str, said: str) -> None:
    assert said in answered(query, namespace)["note"]


def test_an_empty_query_lists() -> None:
    assert [one["name"] for one in answered("")["items"]] == ["issues.list", "labels.list"]


@pytest.mark.parametrize(("query", "namespace"), [("list issues", ""), ("", "acme"), ("issues", "acme.org")])
def test_results_speak_for_themselves(query: str, namespace: str) -> None:
    assert "note" not in answered(query, namespace)


@pytest.mark.parametrize("query", ["", "list issues", "zzzz"])
def test_what_is_hidden_is_told_like_what_is_not_there(query: str) -> None:
    hidden = answered(query, hidden=True)
    assert hidden == answered(query, where=catalog())
    assert "no tool here that you may call" in hidden["note"]


@pytest.mark.parametrize("namespace", ["", "acme"])
def test_a_connection_that_is_not_ready_is_the_reason(namespace: str) -> None:
    said = answered("list issues", namespace, catalog(connection("acme.org.prod", None)))
    assert "`notReady` says why (acme.org.prod)" in said["note"]
    assert said["notReady"][0]["namespace"] == "acme.org.prod"


def test_only_the_first_page_says_it() -> None:
    assert "note" not in catalog(connection("acme.org.prod", ISSUES)).search_json("", "", 2, 2, everything)
