"""The work that needs all of graphql-core, done in a child process (`integrations.child`): SDL becomes an introspection
result, and the documents of the config become validated operations.

Request: `{"work": "schema"}` with SDL as content, or `{"work": "operations", "files": [[name, text], ...]}`
with an introspection result as content.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLSchema,
    build_ast_schema,
    build_client_schema,
    introspection_from_schema,
    parse,
    separate_operations,
    specified_rules,
    validate,
)
from graphql.language import (
    DefinitionNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    EnumTypeExtensionNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    InputObjectTypeDefinitionNode,
    InputObjectTypeExtensionNode,
    InterfaceTypeDefinitionNode,
    InterfaceTypeExtensionNode,
    Node,
    ObjectTypeDefinitionNode,
    ObjectTypeExtensionNode,
    OperationDefinitionNode,
    OperationType,
    ScalarTypeDefinitionNode,
    ScalarTypeExtensionNode,
    SelectionSetNode,
    Source,
    TypeDefinitionNode,
    TypeExtensionNode,
    UnionTypeDefinitionNode,
    UnionTypeExtensionNode,
    print_ast,
)
from graphql.validation import (
    KnownTypeNamesRule,
    NoUnusedFragmentsRule,
    UniqueOperationTypesRule,
    UniqueTypeNamesRule,
)
from graphql.validation.validate import validate_sdl

from integrations.base import JsonObject, SourceError
from integrations.child import serve_child
from integrations.graphql.missing import without_missing
from integrations.graphql.operations import NamedOperation, operation_json
from integrations.graphql.schema import InputValue
from integrations.json_text import read_json, write_json

_MAX_TOKENS = 200_000
# Published SDL is less tidy than the specification: GitHub's defines a field twice, others use directives that
# they do not declare. Only errors that leave the meaning open are refused, with their place.
_SDL_RULES = [KnownTypeNamesRule, UniqueTypeNamesRule, UniqueOperationTypesRule]
_RULES = [rule for rule in specified_rules if rule is not NoUnusedFragmentsRule]


_BASES: dict[type[Node], type[TypeDefinitionNode]] = {
    ScalarTypeExtensionNode: ScalarTypeDefinitionNode,
    ObjectTypeExtensionNode: ObjectTypeDefinitionNode,
    InterfaceTypeExtensionNode: InterfaceTypeDefinitionNode,
    UnionTypeExtensionNode: UnionTypeDefinitionNode,
    EnumTypeExtensionNode: EnumTypeDefinitionNode,
    InputObjectTypeExtensionNode: InputObjectTypeDefinitionNode,
}


@dataclass(slots=True)
class Read:
    """Operations that fit the schema, and a sentence for each that does not or is a subscription."""

    operations: list[NamedOperation] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def work(request: JsonObject, content: bytes) -> bytes:
    if request["work"] == "schema":
        return schema_from_sdl(content, request["name"])
    read = read_operations(read_json(content), request["files"], request["name"])
    operations = list(map(operation_json, read.operations))
    return write_json({"operations": operations, "refused": read.refused, "ignored": read.ignored})


def schema_from_sdl(content: bytes, name: str) -> bytes:
    """The introspection result `{"__schema": ...}`. Directives that are not declared, and fields that are defined
    twice, are tolerated. Types that are not defined are missing in the result too.
    """
    try:
        document, missing = without_missing(_with_bases(parse(content.decode("utf-8-sig"))))
        for error in validate_sdl(document, rules=_SDL_RULES)[:1]:
            raise error
        found: Any = introspection_from_schema(build_ast_schema(document, assume_valid_sdl=True))
        missing.restore(found["__schema"])
        return write_json(found)
    except UnicodeDecodeError:
        raise SourceError(
            f"{name}: neither introspection JSON nor GraphQL SDL (it is not UTF-8 text)"
        ) from None
    except (GraphQLError, TypeError) as error:
        raise SourceError(f"{name}{_line(error)}: {_sentence(error)}") from None


def _with_bases(document: DocumentNode) -> DocumentNode:
    """The first extension of a type that nobody defines becomes its definition: parts of a federated schema, and the
    schemas of some generators, hold nothing but `extend type`.
    """
    defined = {one.name.value for one in document.definitions if isinstance(one, TypeDefinitionNode)}
    out: list[DefinitionNode] = []
    for one in document.definitions:
        if isinstance(one, TypeExtensionNode) and one.name.value not in defined:
            defined.add(one.name.value)
            base = _BASES[type(one)]
            out.append(base(**{key: getattr(one, key, None) for key in base.keys}))
        else:
            out.append(one)
    return DocumentNode(definitions=tuple(out), loc=document.loc)


def _line(error: Exception) -> str:
    places = error.locations if isinstance(error, GraphQLError) else None
    return f":{places[0].line}:{places[0].column}" if places else ""


def _sentence(error: Exception) -> str:
    return (error.message if isinstance(error, GraphQLError) else str(error)).replace("\n", " ")[:400]


def read_operations(introspection: JsonObject, files: Sequence[Sequence[str]], name: str) -> Read:
    """Every operation, in order of the files. Fragments may be shared between files.

    Raises `SourceError` for text that is wrong whatever the schema is.
    """
    schema = _client_schema(introspection, name)
    whole = DocumentNode(definitions=tuple(each for file in files for each in _parse(*file).definitions))
    _check_names(whole)
    read = Read()
    for label, alone in separate_operations(whole).items():
        operation = _operation_of(alone)
        if operation.operation is OperationType.SUBSCRIPTION:
            read.ignored.append(f"{_place(operation)}: subscription `{label}` is ignored")
        elif errors := validate(schema, alone, _RULES):
            read.refused.append(
                f"operation `{label}` does not fit the schema: {_explain(errors[0], operation)}"
            )
        else:
            read.operations.append(_named(alone, operation))
    return read


def _client_schema(introspection: JsonObject, name: str) -> GraphQLSchema:
    try:
        return build_client_schema(introspection, assume_valid=True)  # type: ignore[arg-type]
    except (GraphQLError, TypeError, KeyError, ValueError) as error:
        raise SourceError(f"{name}: not a usable GraphQL schema: {_sentence(error)}") from None


def _parse(name: str, text: str) -> DocumentNode:
    try:
        return parse(Source(text, name), max_tokens=_MAX_TOKENS)
    except GraphQLError as error:
        raise SourceError(f"{name}{_line(error)}: {_sentence(error)}") from None


def _check_names(document: DocumentNode) -> None:
    """Operations and fragments have names, and no two of a kind the same one."""
    seen: dict[tuple[str, str], str] = {}
    for one in document.definitions:
        if not isinstance(one, OperationDefinitionNode | FragmentDefinitionNode):
            raise SourceError(f"{_place(one)}: only operations and fragments may stand in a document")
        what = "fragment" if isinstance(one, FragmentDefinitionNode) else "operation"
        if one.name is None:
            raise SourceError(f"{_place(one)}: the operation needs a name: it becomes the name of a tool")
        key = (what, one.name.value)
        if key in seen:
            raise SourceError(f"{_place(one)}: {what} `{one.name.value}` is also defined at {seen[key]}")
        seen[key] = _place(one)


def _place(node: OperationDefinitionNode | FragmentDefinitionNode | object) -> str:
    location = getattr(node, "loc", None)
    if location is None:
        return "document"
    token = location.start_token
    return f"{location.source.name}:{token.line}:{token.column}"


def _explain(error: GraphQLError, operation: OperationDefinitionNode) -> str:
    if error.source is not None and error.locations:
        return f"{error.source.name}{_line(error)}: {_sentence(error)}"
    return f"{_place(operation)}: {_sentence(error)}"


def _operation_of(document: DocumentNode) -> OperationDefinitionNode:
    return next(one for one in document.definitions if isinstance(one, OperationDefinitionNode))


def _named(document: DocumentNode, operation: OperationDefinitionNode) -> NamedOperation:
    assert operation.name is not None
    return NamedOperation(
        operation.name.value,
        "query" if operation.operation is OperationType.QUERY else "mutation",
        print_ast(document),
        _comment_above(operation),
        tuple(_variables(operation)),
        tuple(dict.fromkeys(_root_fields(document, operation.selection_set))),
    )


def _variables(operation: OperationDefinitionNode) -> Iterator[InputValue]:
    for one in operation.variable_definitions:
        default = print_ast(one.default_value) if one.default_value is not None else None
        yield InputValue(one.variable.name.value, print_ast(one.type), "", default, None)


def _root_fields(document: DocumentNode, selections: SelectionSetNode) -> Iterator[str]:
    for node in selections.selections:
        if isinstance(node, FieldNode):
            yield node.name.value
        elif isinstance(node, InlineFragmentNode):
            yield from _root_fields(document, node.selection_set)
        elif isinstance(node, FragmentSpreadNode):
            for one in document.definitions:
                if isinstance(one, FragmentDefinitionNode) and one.name.value == node.name.value:
                    yield from _root_fields(document, one.selection_set)


def _comment_above(operation: OperationDefinitionNode) -> str:
    """The `#` lines directly above the operation describe the tool."""
    lines: list[str] = []
    token = operation.loc.start_token if operation.loc else None
    wanted = token.line - 1 if token else 0
    previous = token.prev if token else None
    while previous is not None and previous.kind.value == "Comment" and previous.line == wanted:
        lines.insert(0, (previous.value or "").strip())
        previous, wanted = previous.prev, wanted - 1
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(serve_child(work))
