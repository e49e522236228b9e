"""Declare: the types of one tool - its input, its output, and the named types that they refer to.

Named types are rendered breadth first, so that what is near the call is there in full. Every name that is
used is declared: a name is only handed out while there is room left to declare it at least as `unknown`, and
becomes `unknown /* Name */` after that. The three texts together never exceed the budget, and nothing is cut
inside a token.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from integrations.base import JsonObject, ToolSchemas
from integrations.schema_types.expression import Detail, Expression, OverBudget
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
    given = _fit(schemas.input, _DETAILS, names.left // 2, names.referrer("input"), names)
    names.left += len(_UNKNOWN)
    taken = _UNKNOWN
    if schemas.output is not None:
        taken = _fit(schemas.output, _DETAILS, names.left // 2, names.referrer("output"), names)
    else:
        names.spend(len(_UNKNOWN))
    return ToolTypes(given, taken, _declarations(names))


def render_inline_type(schema: Any, budget_bytes: int) -> str:
    """A one-line type without descriptions, enum values or named types: fit for text that a model reads
    unasked.

    The only upstream text in it is member names, escaped.
    """
    root = schema if isinstance(schema, Mapping) else {}
    for detail in _INLINE_DETAILS:
        try:
            return Expression(detail, budget_bytes, lambda pointer: _shallow(root, pointer)).render(schema)
        except OverBudget:
            continue
    return "unknown"


def _shallow(root: Mapping[str, Any], pointer: str) -> str:
    """A reference in an inline type: only the kind of what it points to."""
    target = _resolve(root, pointer)
    kind = target.get("type") if isinstance(target, Mapping) else None
    return {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}.get(
        str(kind), "unknown"
    )


def _fit(
    schema: Any, details: tuple[Detail, ...], allowance: int, refer: Callable[[str], str], names: _Names
) -> str:
    """The most detailed rendering that fits; names handed out to attempts that failed are taken back."""
    for detail in details:
        mark = names.mark()
        try:
            text = Expression(detail, min(allowance, names.left), refer).render(schema)
        except OverBudget:
            names.back_to(mark)
            continue
        if names.spend(len(text.encode("utf-8"))):
            return text
        names.back_to(mark)
    names.spend(len(_UNKNOWN))
    return _UNKNOWN


def _declarations(names: _Names) -> str:
    lines: list[str] = []
    while names.queue:
        side, pointer, name = names.queue.popleft()
        head = f"type {name} = "
        names.release(name)
        names.spend(len(head) + len(";\n"))
        share = max(names.left // 3, min(names.left, 600))
        schema = _resolve(names.root(side), pointer)
        lines.append(f"{head}{_fit(schema, _DETAILS, share, names.referrer(side), names)};\n")
    return "".join(lines).rstrip("\n")


def _resolve(root: Any, pointer: str) -> Any:
    """The schema at a same-document reference (RFC 6901 fragment); True (anything) where there is none."""
    if pointer in ("", "#"):
        return root
    if not pointer.startswith("#/"):
        return True
    here = root
    for part in pointer[2:].split("/"):
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(here, Mapping) and key in here:
            here = here[key]
        elif isinstance(here, list) and key.isdecimal() and int(key) < len(here):
            here = here[int(key)]
        else:
            return True
    return here


class _Names:
    """The names given so far, those still to be declared, and the bytes left for everything."""

    def __init__(self, tool: str, schemas: ToolSchemas, budget_bytes: int) -> None:
        self._tool = tool
        self._roots: dict[str, JsonObject] = {"input": schemas.input, "output": schemas.output or {}}
        self._given: dict[tuple[str, str], str] = {}
        self._used: set[str] = set()
        self.queue: deque[tuple[str, str, str]] = deque()
        self.left = budget_bytes

    def root(self, side: str) -> JsonObject:
        return self._roots[side]

    def referrer(self, side: str) -> Callable[[str], str]:
        return lambda pointer: self._refer(side, pointer)

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
            side, pointer, name = self.queue.pop()
            del self._given[side, pointer]
            self._used.discard(name)
        self.left = mark[1]

    def _refer(self, side: str, pointer: str) -> str:
        known = self._given.get((side, pointer)) or self._shared(side, pointer)
        if known is not None:
            return known
        name = self._unused(side, pointer)
        if _reserve(name) > self.left:
            return f"unknown /* {comment_text(name, _LONGEST_NAME)} */"
        self.left -= _reserve(name)
        self._given[side, pointer] = name
        self._used.add(name)
        self.queue.append((side, pointer, name))
        return name

    def _shared(self, side: str, pointer: str) -> str | None:
        """The input's name for a type that the output declares in the same words, all the way down."""
        if side != "output" or (name := self._given.get(("input", pointer))) is None:
            return None
        return name if self._equal(pointer) else None

    def _equal(self, pointer: str) -> bool:
        """Whether input and output mean the same by a reference, and by every one that can be reached from
        it."""
        compared, waiting = {pointer}, [pointer]
        while waiting:
            here = waiting.pop()
            one, other = (_resolve(self._roots[side], here) for side in ("input", "output"))
            if here == "#" or not _is_same(one, other) or len(compared) > _COMPARED:
                return False
            fresh = set(_references(one)) - compared
            compared |= fresh
            waiting += fresh
        return True

    def _unused(self, side: str, pointer: str) -> str:
        last = unquote(pointer.rsplit("/", 1)[-1]).replace("~1", "/").replace("~0", "~")
        wanted = _type_name(last if pointer not in ("", "#") else f"{self._tool} {side}")
        if wanted in self._used and side == "output":
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
