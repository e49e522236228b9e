from __future__ import annotations

import pytest
from graphql import parse, validate

from integrations.graphql.default import default_selection
from integrations.graphql.nodes import print_nodes
from integrations.graphql.schema import GraphQlSchema
from tests.integrations.graphql.server import executable, schema


def selected(field: str, kind: str = "query", depth: int = 2, fields: int = 40) -> str:
    found = schema().types[schema().root(kind)].fields[field]
    return print_nodes(default_selection(schema(), found, kind, depth, fields))


def operation_text(schema: GraphQlSchema, kind: str, name: str, depth: int, fields: int) -> str:
    """The root field with its required arguments and its default selection."""
    field = schema.types[schema.root(kind)].fields[name]
    needed = [argument for argument in field.arguments if argument.required]
    declared = ", ".join(f"${a.name}: {a.type}" for a in needed)
    used = ", ".join(f"{a.name}: ${a.name}" for a in needed)
    nodes = print_nodes(default_selection(schema, field, kind, depth, fields))
    inner = f" {{ {nodes} }}" if nodes else ""
    return f"{kind} {f'({declared})' if needed else ''} {{ {name}{f'({used})' if needed else ''}{inner} }}"


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
@pytest.mark.parametrize("fields", [1, 3, 40, 1000])
def test_every_generated_operation_is_valid(depth: int, fields: int) -> None:
    for kind in ("query", "mutation"):
        for name in schema().types[schema().root(kind)].fields:
            text = operation_text(schema(), kind, name, depth, fields)
            assert validate(executable(), parse(text)) == [], text


def test_leaves_first_then_objects_one_level_in() -> None:
    text = selected("me")
    assert text.startswith("id name login createdAt bio role age score meta picture team { id name }")
    assert "followers" not in text, "a user is already on the way"
    for never in ("secret", "avatar", "manager", "query"):
        assert f" {never}" not in text


def test_inner_connections_are_bounded() -> None:
    assert "posts(first: 10) { totalCount nodes { id title body tags } }" in selected("me")


def test_depth_and_fields_are_limits() -> None:
    assert selected("me", depth=1, fields=3) == "id name login"
    assert "author {" not in selected("me", depth=2)
    assert "author {" not in selected("me", depth=1)
    assert "team { id name lead" not in selected("me", depth=5), "cycles are cut"


def test_connections_are_seen_through() -> None:
    assert selected("posts") == (
        "totalCount nodes { id title body tags author { __typename id login } } "
        "pageInfo { hasNextPage endCursor }"
    )
    assert selected("users").startswith("edges { node { id name login")
    assert selected("users").endswith("pageInfo { hasNextPage endCursor }")


def test_payloads_show_what_was_made_and_the_errors() -> None:
    assert selected("createUser", "mutation") == (
        "clientMutationId user { id name login createdAt bio role age score meta picture } "
        "errors { message field }"
    )


def test_unions_ask_for_every_member_and_drop_what_cannot_merge() -> None:
    text = selected("search")
    assert text.startswith("__typename ... on User { id name login")
    assert "... on Bot { id login }" in text, "its `bio` is an Int where User's is a String"
    assert "... on Team { id }" in text, "its `name` is String! where User's is String"
    assert "... on Post { id title body tags }" in text


def test_interfaces_show_common_fields_and_members() -> None:
    text = selected("actor")
    assert text.startswith("__typename id login ... on User { name")
    assert "... on Bot { bio }" not in text


def test_nothing_left_is_typename_and_leaves_have_no_selection() -> None:
    assert selected("empty") == "__typename"
    assert selected("version") == ""
