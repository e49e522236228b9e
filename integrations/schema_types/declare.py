"""Declare: the types of one tool - its input, its output, and the named types that they refer to.

Named types are rendered breadth first, so that what is near the call is there in full. Every name that is
used is declared: a name is only handed out while there is room left to declare it at least as `unknown`, and
becomes `unknown /* Name */` after that. The three texts together never exceed the budget, and nothing is cut
inside a token.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote

from integrations.base import JsonObject, ToolSchemas
from integrations.schema_types.expression import Detail, Expression, OverBudget
from integrations.schema_types.references import (
    InlineReferences,
    WrittenOutReferences,
    children_of,
    resolve,
    written_out,
)
from integrations.schema_types.text import comment_text

# From full to coarse; the first that fits is used.
_DETAILS = (
    Detail(depth=8, members=200, comment=160, enums=60),
    Detail(depth=5, members=80, comment=80, enums=24),
    Detail(depth=4, members=60, comment=0, enums=12),
    Detail(depth=2, members=40, comment=0, enums=6),
    Detail(depth=1, members=24, comment=0, enums=0),
    Detail(depth=1, members=8, comment=0, enums=0),
    Detail(depth=0, members=2, comment=0, enums=0),
)
_INLINE_DETAILS = (
    Detail(depth=4, members=16, comment=0, enums=0, one_line=True),
    Detail(depth=2, members=12, comment=0, enums=0, one_line=True),
    Detail(depth=1, members=8, comment=0, enums=0, one_line=True),
    Detail(depth=1, members=4, comment=0, enums=0, one_line=True),
    Detail(depth=0, members=2, comment=0, enums=0, one_line=True),
)
_ERROR_DETAILS = (
    Detail(depth=3, members=8, comment=0, enums=0, one_line=True),
    Detail(depth=1, members=6, comment=0, enums=0, one_line=True),
)
_ERROR_BYTES = 240
_SHORTEST_ERROR = 60
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_$]+")
_LONGEST_NAME = 60
_UNKNOWN = "unknown"
# Types compared to find out whether input and output can share one; a larger closure is declared twice.
_COMPARED = 64
# Names that mean something in TypeScript, or that would shadow what the generated text itself uses.
_TAKEN = frozenset(
    """
    any unknown never void null undefined string number boolean object symbol bigint Record Array Object
    String Number Boolean Promise Function Date Input Output break case catch class const continue
    debugger default delete do else enum export extends false finally for function if import in
    instanceof new return super switch this throw true try typeof var while with as implements interface
    let package private protected public static yield type declare namespace module abstract await async
    infer is keyof readonly unique global asserts from get set of out accessor satisfies override using
    require constructor intrinsic
    """.split()
)


@dataclass(frozen=True, slots=True)
class ToolTypes:
    """`input` and `output` are type expressions, `definitions` the declarations of the names that occur in them."""

    input: str
    output: str
    definitions: str

    @property
    def size(self) -> int:
        return sum(len(text.encode("utf-8")) for text in (self.input, self.output, self.definitions))


def render_tool_types(name: str, schemas: ToolSchemas, budget_bytes: int) -> ToolTypes:
    """The types of the tool `name` in at most `budget_bytes` of UTF-8 (never less than a bare `unknown`
    each).

    The input may take half of the budget, the output half of what is left, named types the rest.
    """
    names = _Names(name, schemas, budget_bytes)
    # Both roots can always say `unknown`: what that takes is set aside until each has had its turn.
    names.left -= len(_UNKNOWN)
    given = _fit(schemas.input, _DETAILS, names.left // 2, _Side(names, "input"), names)
    names.left += len(_UNKNOWN)
    taken = _UNKNOWN
    if schemas.output is not None:
        taken = _fit(schemas.output, _DETAILS, names.left // 2, _Side(names, "output"), names)
    else:
        names.spend(len(_UNKNOWN))
    declared = [*_declarations(names), *error_lines(schemas.errors, names.left)]
    return ToolTypes(given, taken, "".join(declared).rstrip("\n"))


def render_inline_type(schema: Any, budget_bytes: int) -> str:
    """A one-line type without descriptions, enum values or named types: fit for text that a model reads
    unasked.

    The only upstream text in it is member names, escaped.
    """
    for detail in _INLINE_DETAILS:
        try:
            return Expression(detail, budget_bytes, InlineReferences(schema)).render(schema)
        except OverBudget:
            continue
    return "unknown"


def _fit(schema: Any, details: tuple[Detail, ...], allowance: int, references: _Side, names: _Names) -> str:
    """The most detailed rendering that fits; names handed out to attempts that failed are taken back."""
    for detail in details:
        mark = names.mark()
        try:
            text = Expression(detail, min(allowance, names.left), references).render(schema)
        except OverBudget:
            names.back_to(mark)
            continue
        if names.spend(len(text.encode("utf-8"))):
            return text
        names.back_to(mark)
    names.spend(len(_UNKNOWN))
    return _UNKNOWN


def _declarations(names: _Names) -> list[str]:
    lines: list[str] = []
    while names.queue:
        key, name = names.queue.popleft()
        head = f"type {name} = "
        names.release(name)
        names.spend(len(head) + len(";\n"))
        share = max(names.left // 3, min(names.left, 600))
        schema = resolve(names.root(key.side), key.pointer)
        if not key.is_base and (children := children_of(schema)):
            schema = children
        references = _Side(names, key.side, key.pointer)
        lines.append(f"{head}{_fit(schema, _DETAILS, share, references, names)};\n")
    return lines


def error_lines(schemas: JsonObject | None, left: int) -> list[str]:
    """Comment lines that say what the bodies of errors hold, as many as there is room for; equal ones together."""
    statuses: dict[str, list[str]] = {}
    if schemas is None or left < _SHORTEST_ERROR:
        return []
    for status, schema in schemas["properties"].items():
        shown = _written_out(schemas, schema)
        statuses.setdefault(shown, []).append(comment_text(status, _LONGEST_NAME))
    lines: list[str] = []
    for shown, of in statuses.items():
        line = f"// error.details.body of {', '.join(of)}: {shown}\n"
        left -= len(line.encode())
        if left < 0:
            break
        if shown != _UNKNOWN:
            lines.append(line)
    return lines


def _written_out(root: Any, schema: Any) -> str:
    for detail in _ERROR_DETAILS:
        try:
            return Expression(detail, _ERROR_BYTES, WrittenOutReferences(root)).render(schema)
        except OverBudget:
            continue
    return _UNKNOWN


class _Key(NamedTuple):
    """What a name stands for. `is_base`: a schema that its discriminator makes stand for its children, by itself."""

    side: str
    pointer: str
    is_base: bool = False


@dataclass(frozen=True, slots=True)
class _Side:
    """The references of one side, as they are met inside the declaration of `here` ("" in the root)."""

    names: _Names
    side: str
    here: str = ""

    def written_out(self, pointer: str) -> Any:
        return written_out(self.names.root(self.side), pointer)

    def name(self, pointer: str, is_part: bool) -> str:
        return self.names.refer(_Key(self.side, pointer, self._is_base(pointer, is_part)))

    def _is_base(self, pointer: str, is_part: bool) -> bool:
        """A child extends its base, and the base may be a choice beside its children."""
        if not is_part and pointer != self.here:
            return False
        choices = children_of(resolve(self.names.root(self.side), pointer))
        listed = choices["oneOf"] if choices else ()
        return any(one["$ref"] == self.here for one in listed) and (is_part or pointer == self.here)


class _Names:
    """The names given so far, those still to be declared, and the bytes left for everything."""

    def __init__(self, tool: str, schemas: ToolSchemas, budget_bytes: int) -> None:
        self._tool = tool
        self._roots: dict[str, JsonObject] = {"input": schemas.input, "output": schemas.output or {}}
        self._given: dict[_Key, str] = {}
        self._used: set[str] = set()
        self.queue: deque[tuple[_Key, str]] = deque()
        self.left = budget_bytes

    def root(self, side: str) -> JsonObject:
        return self._roots[side]

    def spend(self, size: int) -> bool:
        if size > self.left:
            return False
        self.left -= size
        return True

    def release(self, name: str) -> None:
        """Give back what was set aside for declaring `name`: it is declared now."""
        self.left += _reserve(name)

    def mark(self) -> tuple[int, int]:
        return len(self.queue), self.left

    def back_to(self, mark: tuple[int, int]) -> None:
        while len(self.queue) > mark[0]:
            key, name = self.queue.pop()
            del self._given[key]
            self._used.discard(name)
        self.left = mark[1]

    def refer(self, key: _Key) -> str:
        known = self._given.get(key) or self._shared(key)
        if known is not None:
            return known
        name = self._unused(key)
        if _reserve(name) > self.left:
            return f"unknown /* {comment_text(name, _LONGEST_NAME)} */"
        self.left -= _reserve(name)
        self._given[key] = name
        self._used.add(name)
        self.queue.append((key, name))
        return name

    def _shared(self, key: _Key) -> str | None:
        """The input's name for a type that the output declares in the same words, all the way down."""
        if key.side != "output" or (name := self._given.get(key._replace(side="input"))) is None:
            return None
        return name if self._equal(key.pointer) else None

    def _equal(self, pointer: str) -> bool:
        """Whether input and output mean the same by a reference, and by every one that can be reached from
        it."""
        compared, waiting = {pointer}, [pointer]
        while waiting:
            here = waiting.pop()
            one, other = (resolve(self._roots[side], here) for side in ("input", "output"))
            if here == "#" or not _is_same(one, other) or len(compared) > _COMPARED:
                return False
            fresh = set(_references(one)) - compared
            compared |= fresh
            waiting += fresh
        return True

    def _unused(self, key: _Key) -> str:
        last = unquote(key.pointer.rsplit("/", 1)[-1]).replace("~1", "/").replace("~0", "~")
        wanted = _type_name(last if key.pointer not in ("", "#") else f"{self._tool} {key.side}")
        wanted += "Base" if key.is_base else ""
        if wanted in self._used and key.side == "output":
            wanted += "Output"
        name, number = wanted, 1
        while name in self._used:
            number += 1
            name = f"{wanted}{number}"
        return name


def _is_same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except RecursionError:
        # Too deeply nested to compare: treated as different, which costs a second declaration and nothing else.
        return False


def _reserve(name: str) -> int:
    """Bytes for `type <name> = unknown;` and a newline."""
    return len(name) + len("type  = unknown;\n")


def _references(schema: Any) -> list[str]:
    """Every `$ref` inside, without following them. Iterative: depth is the document's, not ours."""
    found: list[str] = []
    waiting = [schema]
    while waiting:
        here = waiting.pop()
        if isinstance(here, Mapping):
            if isinstance(reference := here.get("$ref"), str):
                found.append(reference)
            waiting += here.values()
        elif isinstance(here, list):
            waiting += here
    return found


def _type_name(text: str) -> str:
    """A PascalCase identifier that collides with nothing of TypeScript's."""
    words = [word for word in _NOT_IN_NAMES.split(text[: 2 * _LONGEST_NAME]) if word]
    name = "".join(word[0].upper() + word[1:] for word in words)[:_LONGEST_NAME] or "Type"
    return f"{name}_" if name in _TAKEN else (f"T{name}" if name[0].isdecimal() else name)
