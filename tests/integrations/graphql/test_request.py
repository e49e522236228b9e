from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.base import InvalidArguments, JsonObject
from integrations.graphql.request import GraphQlRequest, build_request
from tests.integrations.graphql.server import reasons, toolset
from tests.integrations.graphql.test_toolset import REPORT


def built(tool: str, arguments: JsonObject) -> tuple[GraphQlRequest, JsonObject]:
    return build_request(toolset(REPORT, fields=1, depth=1), tool, arguments)


def refused(tool: str, arguments: JsonObject) -> InvalidArguments:
    with pytest.raises(InvalidArguments) as caught:
        built(tool, arguments)
    return caught.value


def test_only_given_arguments_are_declared_and_values_are_variables() -> None:
    request, canonical = built("query.users", {"role": None})
    assert request.query == (
        "query users($role: Role) { users(role: $role) "
        "{ edges { node { id } } pageInfo { hasNextPage endCursor } } }"
    )
    assert request.variables == canonical == {"role": None}


def test_text_in_a_value_stays_text() -> None:
    evil = '1") { id } deleteAll #'
    request, _ = built("query.user", {"id": evil})
    assert evil not in request.query
    assert json.loads(request.body()[1])["variables"] == {"id": evil}


def test_a_leaf_has_no_selection() -> None:
    request, canonical = built("mutation.deleteAll", {})
    assert (request.query, request.name, request.kind) == (
        "mutation deleteAll { deleteAll }",
        "deleteAll",
        "mutation",
    )
    assert canonical == {}
    assert reasons(refused("mutation.deleteAll", {"select": "id"})) == {
        "/select": "is not known: there are none"
    }


def test_select_replaces_the_default_and_is_part_of_what_is_judged() -> None:
    request, canonical = built("query.user", {"id": 1, "select": " login,\n # who\n name "})
    assert request.query == "query user($id: ID!) { user(id: $id) { login name } }"
    assert canonical == {"id": "1", "select": "login name"}
    assert built("query.user", {"id": 1, "select": None})[1] == {"id": "1"}


def test_the_default_selection_is_the_same_call_with_and_without_select() -> None:
    plain = built("query.user", {"id": 1})
    default = plain[0].query.partition("{ user(id: $id) { ")[2].removesuffix(" } }")
    assert built("query.user", {"id": 1, "select": f" {default}\n"}) == plain


SPELLINGS = st.fixed_dictionaries(
    {"id": st.sampled_from([1, "1", "01", 2])},
    optional={
        "select": st.sampled_from([None, "id", " id ", "login name", "login,name", "name login", "id #x"])
    },
)


@given(st.lists(SPELLINGS, min_size=2, max_size=6))
def test_equal_bodies_if_and_only_if_equal_canonical_arguments(calls: list[JsonObject]) -> None:
    made = [built("query.user", call) for call in calls]
    for (one, left), (other, right) in combinations(made, 2):
        assert (one.body() == other.body()) == (left == right)


def test_a_real_argument_called_select_stays_one() -> None:
    request, canonical = built("query.choose", {"select": 3})
    assert request.query == "query choose($select: Int!) { choose(select: $select) { id } }"
    assert canonical == {"select": 3}


def test_codes_tell_selections_from_other_arguments() -> None:
    assert refused("query.user", {"id": 1, "select": "nope"}).code == "graphql_invalid_selection"
    wrong = refused("query.user", {"select": "nope"})
    assert wrong.code == "invalid_tool_arguments"
    assert list(reasons(wrong)) == ["/id", "/select"]
    assert (
        'has to be text, not ["id"]' in reasons(refused("query.user", {"id": 1, "select": ["id"]}))["/select"]
    )
    assert "leave it out" in reasons(refused("query.user", {"id": 1, "select": ""}))["/select"]
    assert "known are id, at, select" in reasons(refused("query.user", {"id": 1, "fields": "id"}))["/fields"]


def test_t7_the_injection_of_the_holes_page() -> None:
    wrong = refused("mutation.setRole", {"id": "1", "select": "id } deleteAll setRole2: setRole(id: 2) { id"})
    assert wrong.code == "graphql_invalid_selection"
    assert "line 1, column 6" in reasons(wrong)["/select"]


def test_named_operations_are_sent_as_written() -> None:
    request, canonical = built("query.Report", {"id": "1"})
    assert (request.name, request.query, request.variables) == ("Report", REPORT.text, {"id": "1"})
    assert canonical == {"id": "1"}
    assert list(reasons(refused("query.Report", {"id": "1", "select": "id"}))) == ["/select"]


@pytest.mark.parametrize("value", [2**70, "\ud800", [1, {"a": 2**64}]])
def test_values_beyond_64_bits_and_lone_surrogates_are_sent(value: Any) -> None:
    request, _ = built("query.echo", {"big": value})
    assert json.loads(request.body()[1])["variables"] == {"big": value}
