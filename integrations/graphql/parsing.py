"""GraphQL text: a caller's `select`, and the named operations of the config. Imports graphql-core, which is
slow to import, so this module is imported when text has to be parsed and not before.

A `select` is parsed alone, as exactly one selection set and nothing else, and what is sent is printed from its
syntax tree. Text that closes the set and goes on (`id } deleteAll { id`) is therefore a syntax error; spliced
into an operation it would be a second root field that no policy has seen (T7).
"""

from __future__ import annotations

from collections.abc import Iterable

from graphql import GraphQLSyntaxError
from graphql.language import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    Source,
    TokenKind,
    get_location,
    parse,
    print_ast,
)
from graphql.language.parser import Parser
from graphql.utilities import strip_ignored_characters

from integrations.base import InvalidArguments, Problem
from integrations.graphql.checking import check_selection
from integrations.graphql.merging import condition_of
from integrations.graphql.nodes import InlineFragment, SelectedField, SelectionItem
from integrations.graphql.schema import GraphQlSchema

MAX_TOKENS = 4_000
MAX_CHARACTERS = 100_000
CODE = "graphql_invalid_selection"


def read_select(schema: GraphQlSchema, parent: str, text: str) -> str:
    """The selection set in canonical text, without outer braces. Raises `InvalidArguments` with the code
    `graphql_invalid_selection`; reasons start with line and column in `text`.
    """
    if len(text) > MAX_CHARACTERS:
        raise _invalid([f"is longer than {MAX_CHARACTERS} characters"])
    braced = text.lstrip("\ufeff \t\r\n,").startswith("{")
    source = Source(text if braced else f"{{{text}\n}}", "select")
    try:
        selections = _parse_alone(source)
    except GraphQLSyntaxError as error:
        place = error.locations[0] if error.locations else None
        where = _position(place.line, place.column, braced) if place else "somewhere"
        raise _invalid([f"{where}: {error.message}"]) from None
    except RecursionError:
        raise _invalid(["is nested too deeply"]) from None
    found = check_selection(schema, selections, parent)
    if found:
        raise _invalid([f"{_place(source, node, braced)}: {reason}" for node, reason in found])
    return strip_ignored_characters(print_ast(selections))[1:-1]


def _parse_alone(source: Source) -> SelectionSetNode:
    parser = Parser(source, max_tokens=MAX_TOKENS)
    parser.expect_token(TokenKind.SOF)
    selections = parser.parse_selection_set()
    parser.expect_token(TokenKind.EOF)
    return selections


def _invalid(reasons: Iterable[str]) -> InvalidArguments:
    return InvalidArguments([Problem("/select", reason) for reason in reasons], CODE)


def _place(source: Source, node: Node, braced: bool) -> str:
    assert node.loc is not None
    place = get_location(source, node.loc.start)
    return _position(place.line, place.column, braced)


def _position(line: int, column: int, braced: bool) -> str:
    """In the caller's own text: the brace that was put before it does not count."""
    return f"line {line}, column {column - (line == 1 and not braced)}"


def operation_nodes(text: str) -> tuple[SelectionItem, ...]:
    """What the one operation of a validated document selects, with its fragments written in place."""
    document = parse(text)
    (operation,) = (one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    return _Reader(document).nodes(operation.selection_set)


class _Reader:
    """Reads selections of one document."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
        }

    def nodes(self, selections: SelectionSetNode) -> tuple[SelectionItem, ...]:
        return tuple(map(self._node, selections.selections))

    def _node(self, node: Node) -> SelectionItem:
        if isinstance(node, FieldNode):
            inner = self.nodes(node.selection_set) if node.selection_set else ()
            alias = node.alias.value if node.alias else ""
            return SelectedField(node.name.value, inner, "", alias, _conditional(node.directives))
        if isinstance(node, FragmentSpreadNode):
            named = self._fragments[node.name.value]
            on, inner = named.type_condition.name.value, self.nodes(named.selection_set)
            return InlineFragment(on, inner, _conditional(node.directives))
        assert isinstance(node, InlineFragmentNode)
        return InlineFragment(
            condition_of(node), self.nodes(node.selection_set), _conditional(node.directives)
        )


def _conditional(directives: Iterable[DirectiveNode]) -> bool:
    return any(one.name.value in ("include", "skip") for one in directives)
