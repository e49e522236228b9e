from __future__ import annotations

from graphql import graphql_sync
from jsonschema import Draft202012Validator

from integrations.base import JsonObject
from integrations.graphql.nodes import TYPENAME, InlineFragment, SelectedField, print_nodes
from integrations.graphql.outputs import output_schema
from tests.integrations.graphql.server import Calls, Root, executable, schema, toolset


def of(*nodes: SelectedField | InlineFragment) -> JsonObject:
    return output_schema(schema(), "query", nodes)


def test_results_follow_the_selection() -> None:
    out = of(
        SelectedField(
            "me",
            (
                SelectedField("id"),
                SelectedField("role", alias="kind"),
                SelectedField("meta", conditional=True),
            ),
        )
    )
    me = out["properties"]["me"]
    assert out["required"] == ["me"]
    assert me["type"] == ["object", "null"]
    assert me["required"] == ["id", "kind"]
    assert me["properties"]["id"] == {"type": "string"}
    assert me["properties"]["kind"]["enum"] == ["ADMIN", "MEMBER", "OLD"]


def test_unions_are_told_apart_by_typename() -> None:
    nodes = (
        TYPENAME,
        InlineFragment("User", (SelectedField("name"),)),
        InlineFragment("Bot", (SelectedField("bio"),)),
    )
    items = of(SelectedField("search", nodes))["properties"]["search"]["items"]
    assert [one["properties"]["__typename"]["enum"] for one in items["anyOf"]] == [
        ["User"],
        ["Bot"],
        ["Team", "Post"],
    ]
    assert items["anyOf"][1]["properties"]["bio"] == {"type": ["integer", "null"]}


def test_interfaces_without_differences_are_one_object() -> None:
    out = of(
        SelectedField(
            "actor", (TYPENAME, InlineFragment("Node", (SelectedField("id"),)), SelectedField("login"))
        )
    )
    actor = out["properties"]["actor"]
    assert "anyOf" not in actor
    assert actor["properties"]["__typename"]["enum"] == ["User", "Bot"]


def test_one_key_in_two_places_is_one_property() -> None:
    first, second = (
        SelectedField("team", (SelectedField("id"),)),
        InlineFragment("User", (SelectedField("team", (SelectedField("name"),)),)),
    )
    me = of(SelectedField("me", (first, second)))["properties"]["me"]
    assert list(me["properties"]["team"]["properties"]) == ["id", "name"]


def test_real_results_fit_their_declared_types() -> None:
    tools = toolset()
    for name in ("query.me", "query.users", "query.search"):
        nodes = tools.selection(name)
        field = name.partition(".")[2]
        argument = '(text: "x")' if field == "search" else ""
        text = f"{{ {field}{argument} {{ {print_nodes(nodes)} }} }}"
        result = graphql_sync(executable(), text, Root(Calls([])))
        assert result.errors is None
        validator = Draft202012Validator(tools.schemas(name).output or False)
        assert list(validator.iter_errors(result.data)) == []
