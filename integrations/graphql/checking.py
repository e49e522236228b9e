"""A caller's selection set against the schema, on the syntax tree (section 5, validation).

Beyond the specification's rules: variables and fragments have no meaning in a selection set that stands alone, and a
selection may not enter a root type, because root fields are tools of their own with policies of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches

from graphql.language import (
    ArgumentNode,
    DirectiveNode,
    FieldNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    Node,
    SelectionSetNode,
)

from integrations.graphql.literals import literal_problems
from integrations.graphql.merging import condition_of, conflicts
from integrations.graphql.schema import LEAVES, FieldDefinition, GraphQlSchema, InputValue, named_type

_MAX_DEPTH = 40
_MAX_PROBLEMS = 10
_UNSUPPORTED_DIRECTIVES = frozenset({"defer", "stream"})
SelectionProblem = tuple[Node, str]


def check_selection(
    schema: GraphQlSchema, selections: SelectionSetNode, parent: str
) -> list[SelectionProblem]:
    """At most ten problems as (syntax node, reason). `parent` is the composite type selected from."""
    check = _Check(schema)
    check.selections(selections, parent, 1)
    if not check.found:
        check.found = list(conflicts(schema, selections, parent))
    return check.found[:_MAX_PROBLEMS]


class _Check:
    """The check of one selection set."""

    def __init__(self, schema: GraphQlSchema) -> None:
        self._schema = schema
        self.found: list[SelectionProblem] = []

    def _refuse(self, node: Node, reason: str) -> None:
        self.found.append((node, reason))

    def selections(self, selections: SelectionSetNode, parent: str, depth: int) -> None:
        if depth > _MAX_DEPTH:
            return self._refuse(selections, f"is nested more than {_MAX_DEPTH} levels deep")
        for node in selections.selections:
            if isinstance(node, FieldNode):
                self._field(node, parent, depth)
            elif isinstance(node, InlineFragmentNode):
                self._fragment(node, parent, depth)
            elif isinstance(node, FragmentSpreadNode):
                name = node.name.value
                self._refuse(
                    node, f"there is no fragment `{name}` here: write its fields, or `... on Type {{ }}`"
                )

    def _field(self, node: FieldNode, parent: str, depth: int) -> None:
        name = node.name.value
        self._directives(node.directives, "FIELD")
        if name == "__typename":
            if node.arguments or node.selection_set:
                self._refuse(node, "`__typename` takes neither arguments nor a selection")
            return None
        field = self._schema.types[parent].fields.get(name)
        if field is None:
            return self._refuse(node, f"`{parent}` has no field `{name}`{self._hint(name, parent)}")
        self._arguments(node, f"field `{name}`", field.arguments, node.arguments)
        return self._result(node, field, depth)

    def _hint(self, name: str, parent: str) -> str:
        here = self._schema.types[parent]
        if here.kind == "UNION":
            return (
                f": it is one of {', '.join(here.possible[:12])}, so write `... on {here.possible[0]} {{ }}`"
            )
        return _suggestion(name, here.fields)

    def _result(self, node: FieldNode, field: FieldDefinition, depth: int) -> None:
        name = named_type(field.type)
        if self._schema.types[name].kind in LEAVES:
            if node.selection_set:
                self._refuse(
                    node.selection_set, f"`{field.name}` is {field.type} and has no fields to select"
                )
        elif name in self._schema.roots:
            self._refuse(node, _root_type_reason(name))
        elif node.selection_set is None:
            self._refuse(
                node, f"`{field.name}` is {field.type}: say which of its fields, `{field.name} {{ ... }}`"
            )
        else:
            self.selections(node.selection_set, name, depth + 1)

    def _fragment(self, node: InlineFragmentNode, parent: str, depth: int) -> None:
        self._directives(node.directives, "INLINE_FRAGMENT")
        on = condition_of(node) or parent
        if on != parent:
            found = self._schema.types.get(on)
            if found is None or found.kind not in ("OBJECT", "INTERFACE", "UNION"):
                hint = _suggestion(on, self._schema.possible(parent))
                return self._refuse(node, f"there is no object, interface or union type `{on}`{hint}")
            if on in self._schema.roots:
                return self._refuse(node, _root_type_reason(on))
            if not set(self._schema.possible(on)) & set(self._schema.possible(parent)):
                return self._refuse(node, f"`{parent}` can never be `{on}`")
        return self.selections(node.selection_set, on, depth + 1)

    def _directives(self, directives: Iterable[DirectiveNode], location: str) -> None:
        seen: set[str] = set()
        for node in directives:
            name = node.name.value
            declared = self._schema.directives.get(name)
            if name in _UNSUPPORTED_DIRECTIVES:
                self._refuse(node, f"`@{name}` is not supported: the answer comes as a whole")
            elif declared is None or location not in declared.locations:
                self._refuse(node, f"there is no directive `@{name}` for this place")
            elif name in seen and not declared.repeatable:
                self._refuse(node, f"`@{name}` may be written once")
            else:
                self._arguments(node, f"directive `@{name}`", declared.arguments, node.arguments)
            seen.add(name)

    def _arguments(
        self, owner: Node, what: str, declared: Sequence[InputValue], given: Iterable[ArgumentNode]
    ) -> None:
        self.found += argument_problems(self._schema, owner, what, declared, given)


def argument_problems(
    schema: GraphQlSchema,
    owner: Node,
    what: str,
    declared: Sequence[InputValue],
    given: Iterable[ArgumentNode],
) -> list[SelectionProblem]:
    known = {value.name: value for value in declared}
    seen: set[str] = set()
    out: list[SelectionProblem] = []
    for node in given:
        name = node.name.value
        if name not in known:
            out.append((node, f"{what} has no argument `{name}`{_suggestion(name, known)}"))
        elif name in seen:
            out.append((node, f"argument `{name}` is given twice"))
        else:
            out += literal_problems(schema, known[name].type, node.value)
        seen.add(name)
    missing = [value for value in declared if value.required and value.name not in seen]
    out += [(owner, f"{what} needs the argument `{value.name}: {value.type}`") for value in missing]
    return out


def _root_type_reason(name: str) -> str:
    return f"a selection may not enter `{name}`: its fields are tools of their own, call those"


def _suggestion(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, known, 3)
    if close:
        return ", did you mean " + " or ".join(f"`{one}`" for one in close) + "?"
    return f": there is {', '.join(list(known)[:12])}" if 0 < len(known) <= 12 else ""
