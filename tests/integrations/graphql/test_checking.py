from __future__ import annotations

from graphql.language import FieldNode, OperationDefinitionNode, parse

from integrations.graphql.checking import argument_problems, check_selection
from tests.integrations.graphql.server import schema


def operation(text: str) -> OperationDefinitionNode:
    (found,) = parse(text).definitions
    assert isinstance(found, OperationDefinitionNode)
    return found


def test_at_most_ten_problems_are_told() -> None:
    selections = operation("{ " + "nope " * 50 + "}").selection_set
    assert len(check_selection(schema(), selections, "User")) == 10


def test_conflicts_are_looked_for_once_the_types_are_right() -> None:
    assert "alias" in check_selection(schema(), operation("{ x: id x: login }").selection_set, "User")[0][1]
    found = check_selection(schema(), operation("{ x: id x: login nope }").selection_set, "User")
    assert len(found) == 1


def test_arguments_are_told_by_their_owner() -> None:
    (field,) = operation("{ avatar }").selection_set.selections
    assert isinstance(field, FieldNode)
    declared = schema().types["User"].fields["avatar"].arguments
    ((node, reason),) = argument_problems(schema(), field, "field `avatar`", declared, field.arguments)
    assert (node, reason) == (field, "field `avatar` needs the argument `size: Int!`")
