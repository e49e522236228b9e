"""Arguments to one GraphQL request: text made from the schema, values only as variables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from integrations.base import InvalidArguments, JsonObject, Problem
from integrations.graphql.nodes import print_nodes
from integrations.graphql.schema import InputValue, named_type
from integrations.graphql.tools import GraphQlTool
from integrations.graphql.toolset import GraphQlToolset
from integrations.graphql.uploads import files_in, multipart, without_files
from integrations.graphql.values import coerce_arguments
from integrations.json_text import write_json
from integrations.lossless import typescript


@dataclass(frozen=True, slots=True)
class GraphQlRequest:
    """What is sent. `kind` is query or mutation; only variables that were given are in `variables`."""

    kind: str
    name: str
    query: str
    variables: JsonObject
    files: tuple[tuple[str, JsonObject], ...] = ()

    def body(self) -> tuple[str, bytes]:
        """Content-Type and content: JSON (GraphQL over HTTP, section 5.4), or a multipart request with the files."""
        content = {"query": self.query, "operationName": self.name, "variables": self.variables}
        if not self.files:
            return "application/json", _json(content)
        places = {str(index): [path] for index, (path, _) in enumerate(self.files)}
        operations = _json(
            {**content, "variables": without_files(self.variables, (path for path, _ in self.files))}
        )
        return multipart(operations, _json(places), [file for _, file in self.files])


def _json(content: Any) -> bytes:
    return write_json(content)


def build_request(
    toolset: GraphQlToolset, tool: str, arguments: JsonObject
) -> tuple[GraphQlRequest, JsonObject]:
    """The request and the canonical arguments. Raises `UnknownTool`, and `InvalidArguments` with every problem;
    its code is `graphql_invalid_selection` when only `select` is wrong.
    """
    entry = toolset.entry(tool)
    given = dict(arguments)
    select = given.pop("select", None) if toolset.takes_select(entry) else None
    also = ("select",) if toolset.takes_select(entry) else ()
    variables, problems = coerce_arguments(toolset.schema, entry.arguments, given, also)
    selection = _selection(toolset, entry, select, problems) if entry.field is not None else ""
    if problems:
        raise InvalidArguments(problems)
    files = tuple(files_in(toolset.schema, entry.arguments, variables))
    is_own = select is not None and selection != print_nodes(toolset.selection(entry.definition.name))
    canonical = {**variables, "select": selection} if is_own else variables
    if entry.operation is not None:
        return GraphQlRequest(
            entry.kind, entry.operation.name, entry.operation.text, variables, files
        ), canonical
    return replace(_field_request(entry, variables, selection), files=files), canonical


def _selection(toolset: GraphQlToolset, entry: GraphQlTool, select: object, problems: list[Problem]) -> str:
    """The caller's selection, else the default one. Problems of the other arguments come first."""
    if select is None:
        return print_nodes(toolset.selection(entry.definition.name))
    if not isinstance(select, str):
        said = f"has to be text, not {typescript(select)}: a selection set without outer braces"
        problems.append(Problem("/select", said))
        return ""
    if not select.strip():
        problems.append(
            Problem("/select", "is empty: name fields such as `id`, or leave it out for the usual ones")
        )
        return ""
    assert entry.field is not None
    try:
        return toolset.read_select(named_type(entry.field.type), select)
    except InvalidArguments as wrong:
        if not problems:
            raise
        problems += wrong.problems
        return ""


def _field_request(entry: GraphQlTool, variables: JsonObject, selection: str) -> GraphQlRequest:
    """Only the arguments that were given are declared, so that the others keep their defaults."""
    field = entry.field
    assert field is not None
    declared = [value for value in field.arguments if value.name in variables]
    selected = f" {{ {selection} }}" if selection else ""
    text = f"{entry.kind} {field.name}{_declarations(declared)} {{ {field.name}{_uses(declared)}{selected} }}"
    return GraphQlRequest(entry.kind, field.name, text, variables)


def _declarations(values: list[InputValue]) -> str:
    return f"({', '.join(f'${value.name}: {value.type}' for value in values)})" if values else ""


def _uses(values: list[InputValue]) -> str:
    return f"({', '.join(f'{value.name}: ${value.name}' for value in values)})" if values else ""
