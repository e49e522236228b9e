from __future__ import annotations

import pytest
from graphql.language import FieldNode, parse
from graphql.language.ast import OperationDefinitionNode

from integrations.graphql.merging import condition_of, conflicts
from tests.integrations.graphql.server import schema


def found(text: str, parent: str = "User") -> list[str]:
    (operation,) = parse("{" + text + "}").definitions
    assert isinstance(operation, OperationDefinitionNode)
    return [reason for _, reason in conflicts(schema(), operation.selection_set, parent)]


@pytest.mark.parametrize(
    ("text", "parent"),
    [
        ("id id", "User"),
        ("avatar(size: 1) avatar(size: 1)", "User"),
        ('posts(first: 1, after: "c") { totalCount } posts(after: "c", first: 1) { totalCount }', "User"),
        ("... on User { x: login } ... on Bot { x: login }", "Actor"),
        ("... on User { x: avatar(size: 1) } ... on Post { x: body }", "Found"),
        ("... on User { team { id } } ... on Team { team: lead { id: login } }", "Found"),
    ],
)
def test_fields_that_merge(text: str, parent: str) -> None:
    if "id: login" in text:
        assert "one place" in found(text, parent)[0], "shapes are compared below, too: ID! is not String!"
    else:
        assert found(text, parent) == []


@pytest.mark.parametrize(
    ("text", "parent"),
    [
        ("x: id x: login", "User"),
        ("avatar(size: 1) avatar(size: 2)", "User"),
        ("picture picture(size: 2)", "User"),
        ("... on User { x: name } ... on Bot { x: login }", "Actor"),
        ("x: id ... on Bot { x: bio }", "Actor"),
        ("x: login ... on User { x: id }", "Actor"),
        ("team { id } ... { team { id: name } }", "User"),
        ("... on User { bio } ... on Bot { bio }", "Found"),
        ("... on Post { x: tags } ... on Team { x: name }", "Found"),
    ],
)
def test_fields_that_do_not(text: str, parent: str) -> None:
    assert "give one an alias" in found(text, parent)[0]


def test_a_fragment_without_condition_has_none() -> None:
    (operation,) = parse("{ ... { id } ... on User { id } }").definitions
    assert isinstance(operation, OperationDefinitionNode)
    nodes = operation.selection_set.selections
    assert [condition_of(node) for node in nodes if not isinstance(node, FieldNode)] == ["", "User"]  # type: ignore[arg-type]
