"""Where code declares a name for the second time: the engine says that it does, but at a place behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from proxy.sandbox.recovery import Recovered, place_at, unshifted
from proxy.sandbox.statements import HEADERS
from proxy.sandbox.tokens import Tokens

SAID: Final = "invalid redefinition"
SAID_OF_PARAMETERS: Final = "Duplicate parameter name"
_LEXICAL: Final = frozenset(("let", "const", "class", "enum"))
_LISTS: Final = frozenset(("let", "const", "var"))
_NAMED: Final = frozenset(("function", "class", "enum"))
_BEFORE_STATEMENT: Final = frozenset(
    ("", ";", "{", "}", ")", "export", "default", "declare", "abstract", "const")
)
_PARAMETER: Final = "parameter"
_END_OF_DECLARATOR: Final = frozenset((";", "of", "in"))
_CLOSERS: Final = frozenset((")", "]", "}"))
_MODIFIERS: Final = frozenset(("public", "private", "protected", "readonly", "override"))


class _Scope:
    """`names`: each with the word that declared it. A `var` goes up to the scope of its function."""

    __slots__ = ("is_function", "names")

    def __init__(self, *, is_function: bool = False) -> None:
        self.is_function = is_function
        self.names: dict[str, str] = {}


def redefinition(recovered: Recovered) -> tuple[str, tuple[int, int]] | None:
    """The first name that is declared twice in one scope, and its second place; None where none is seen."""
    clash = _Reader(recovered.source).clash()
    if clash is None:
        return None
    name, at = clash
    return name, unshifted(place_at(recovered.source, at), recovered.shifts)


def duplicate_parameter(recovered: Recovered) -> tuple[str, tuple[int, int]] | None:
    """The same for the first function with two parameters of one name."""
    clash = _Reader(recovered.source).duplicate()
    if clash is None:
        return None
    name, at = clash
    return name, unshifted(place_at(recovered.source, at), recovered.shifts)


class _Reader:
    """Follows the scopes of code in one pass over its tokens."""

    def __init__(self, text: str) -> None:
        tokens = Tokens(text)
        self._text, self._items, self._match = text, tokens.items, tokens.match
        self._scopes = [_Scope(is_function=True)]

    def clash(self) -> tuple[str, int] | None:
        """The name and the offset of its second declaration."""
        for index in range(len(self._items)):
            self._follow(index)
            for word, at in self._declared(index):
                name = self._items[at][1]
                if self._declare(name, word):
                    return name, self._items[at][2]
        return None

    def duplicate(self) -> tuple[str, int] | None:
        """The name and the offset of the second parameter."""
        for index in range(len(self._items)):
            before: set[str] = set()
            begins_body = self._word(index - 1) == "=>" or self._word(index) == "{"
            for at in (self._parameters(index) or ()) if begins_body else ():
                if self._word(at) in before:
                    return self._word(at), self._items[at][2]
                before.add(self._word(at))
        return None

    def _follow(self, index: int) -> None:
        word = self._word(index)
        if word == "{":
            parameters = self._parameters(index)
            self._scopes.append(_Scope(is_function=parameters is not None))
            for at in parameters or self._caught(index):
                if self._word(at - 1) in ("(", ",", "=>", "...") or self._is_name(at - 1):
                    self._scopes[-1].names.setdefault(self._word(at), _PARAMETER)
        elif word == "(":
            self._scopes.append(_Scope())
        elif word in ("}", ")") and len(self._scopes) > 1:
            self._scopes.pop()

    def _declare(self, name: str, word: str) -> bool:
        """Whether it clashes with what was declared before."""
        if word == "function" and not self._scopes[-1].is_function:
            word = "let"  # it is the block's own
        for scope in reversed(self._scopes if word == "var" else self._scopes[-1:]):
            before = scope.names.get(name)
            if before is not None and not _LEXICAL.isdisjoint((word, before)):
                return True
            scope.names.setdefault(name, word)
            if scope.is_function:
                break
        return False

    def _declared(self, index: int) -> Iterator[tuple[str, int]]:
        """What the token at `index` declares: (word, index of the name)."""
        word = self._word(index)
        if (
            word not in _LISTS | _NAMED
            or self._word(index - 1) in (".", "?.")
            or self._word(index + 1) == ":"
        ):
            return
        if word in _LISTS:
            yield from ((word, at) for at in self._listed(index + 1))
            return
        name = index + (2 if self._word(index + 1) == "*" else 1)
        if self._is_name(name) and self._begins_statement(index):
            yield word, name

    def _begins_statement(self, index: int) -> bool:
        before = index - (2 if self._word(index - 1) == "async" else 1)
        return self._word(before) in _BEFORE_STATEMENT or self._is_new_line(before + 1)

    # ---- lists of names ---------------------------------------------------------------------------------------------
    def _listed(self, index: int) -> Iterator[int]:
        """The names of a list of declarators, or of parameters: until it ends."""
        while True:
            while self._word(index) == "..." or (
                self._word(index) in _MODIFIERS and self._is_name(index + 1)
            ):
                index += 1
            if self._word(index) in ("{", "["):
                yield from self._in_pattern(index)
                index = self._match.get(index, index) + 1
            elif self._is_name(index):
                yield index
                index += 1
            elif self._word(index) != ",":
                return
            index = self._after_value(index)
            if self._word(index) != ",":
                return
            index += 1

    def _in_pattern(self, opener: int) -> Iterator[int]:
        close = self._match.get(opener, opener)
        index = opener + 1
        while index < close:
            if self._word(opener) == "{" and self._word(index + 1) == ":":
                index += 2
            elif self._word(index) == "[" and self._word(opener) == "{":  # a computed key
                index = self._match.get(index, index) + 2
            yield from (at for at in self._first_listed(index) if at < close)
            while index < close and self._word(index) != ",":
                index = max(self._match.get(index, index), index) + 1
            index += 1

    def _first_listed(self, index: int) -> Iterator[int]:
        index += self._word(index) == "..."
        if self._word(index) in ("{", "["):
            yield from self._in_pattern(index)
        elif self._is_name(index):
            yield index

    def _after_value(self, index: int) -> int:
        """The comma or the end behind a declarator's type and value."""
        angles = 0
        begun = index
        while index < len(self._items):
            word = self._word(index)
            angles += (word == "<") - (word == ">") * (angles > 0)
            ends = word in _END_OF_DECLARATOR or word in _CLOSERS
            if ends or (word == "," and not angles) or (index > begun and self._is_new_line(index)):
                return index
            index = max(self._match.get(index, index), index) + 1
        return index

    # ---- functions --------------------------------------------------------------------------------------------------
    def _parameters(self, brace: int) -> list[int] | None:
        """The names that the function has whose body begins here; None if it is no function's body."""
        before = brace - 1
        if self._word(before) == "=>":
            before -= 1
            if self._is_name(before):
                return [before]
        opener = self._match.get(before, -1) if self._word(before) == ")" else self._typed_parameters(before)
        if opener < 0 or (self._word(brace - 1) != "=>" and self._word(opener - 1) in HEADERS):
            return None
        return list(self._listed(opener + 1))

    def _typed_parameters(self, before: int) -> int:
        """The opening parenthesis of `(...): Type {`; -1 if there is none."""
        for index in range(before, max(before - 40, -1), -1):
            if self._word(index) in (";", "{", "}", "=", "(", ","):
                return -1
            if self._word(index) == ":" and self._word(index - 1) == ")":
                return self._match.get(index - 1, -1)
        return -1

    def _caught(self, brace: int) -> list[int]:
        opener = self._match.get(brace - 1, 0) if self._word(brace - 1) == ")" else 0
        return list(self._listed(opener + 1)) if opener and self._word(opener - 1) == "catch" else []

    # ---- tokens -----------------------------------------------------------------------------------------------------
    def _word(self, index: int) -> str:
        return self._items[index][1] if 0 <= index < len(self._items) else ""

    def _is_name(self, index: int) -> bool:
        return 0 <= index < len(self._items) and self._items[index][0] == "name"

    def _is_new_line(self, index: int) -> bool:
        """Whether the token at `index` begins a line and, by its kind and the one before, a statement."""
        if not 0 < index < len(self._items):
            return False
        (kind, word, at), (next_kind, _, next_at) = self._items[index - 1], self._items[index]
        ended = kind in ("name", "number", "string", "template", "regex") or word in _CLOSERS
        return ended and next_kind == "name" and "\n" in self._text[at + len(word) : next_at]
