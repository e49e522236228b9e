"""Promises that code spreads into an object without awaiting them: that gives nothing, and no engine says so.

Calls of tools say so themselves when they are spread. Here the calls of the code's own async functions are found, by
reading: only what is certain is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from proxy.sandbox.recovery import Recovered, place_at, unshifted
from proxy.sandbox.tokens import Tokens

_MAY_HOLD: Final = re.compile(r"\.\.\.[\s\S]*\b(?:async|Promise)\b|\b(?:async|Promise)\b[\s\S]*\.\.\.")
_MAKERS: Final = frozenset(("resolve", "reject", "all", "allSettled", "race", "any"))


def spread_promise(recovered: Recovered) -> str | None:
    """What to say about the first promise that is spread into an object."""
    if _MAY_HOLD.search(recovered.source) is None:
        return None
    reader = _Reader(Tokens(recovered.source))
    for index in reader.object_spreads():
        if reader.is_promise(index + 1):
            line, _ = unshifted(place_at(recovered.source, reader.tokens.items[index][2]), recovered.shifts)
            text = recovered.source[reader.tokens.items[index + 1][2] : reader.end(index + 1)]
            shown = " ".join(text.split()) if len(text) < 60 else "x"
            return (
                f"Line {line} spreads a promise, which gives nothing: await it, as in {{...(await {shown})}}."
            )
    return None


class _Reader:
    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self._items, self._match = tokens.items, tokens.match
        self._async = set(self._async_functions())
        self._promises: set[str] = set()
        self._promises.update(list(self._promise_names()))

    def object_spreads(self) -> Iterator[int]:
        """Indexes of `...` in the braces of an object that is no pattern."""
        open_: list[int] = []
        for index, (_, word, _) in enumerate(self._items):
            if self._match.get(index, -1) > index:
                open_.append(index)
            elif open_ and self._match.get(open_[-1]) == index:
                open_.pop()
            elif word == "..." and open_ and self._word(open_[-1]) == "{" and self._is_object(open_[-1]):
                yield index

    def is_promise(self, index: int) -> bool:
        """Whether the expression at `index` is a promise for certain."""
        word = self._word(index)
        if word == "Promise":
            return self._word(index + 1) == "." and self._word(index + 2) in _MAKERS
        if word == "(":  # (async () => ...)()
            return self._word(index + 1) == "async" and self._word(self._match.get(index, index) + 1) == "("
        if self._word(index + 1) == "(" and word in self._async:
            return self._word(self._match.get(index + 1, index) + 1) in (",", "}", ";") or self._ends_line(
                index
            )
        return word in self._promises and self._word(index + 1) in (",", "}")

    def end(self, index: int) -> int:
        """The offset behind the expression at `index`."""
        while index < len(self._items) and self._word(index) not in (",", "}"):
            index = max(self._match.get(index, index), index) + 1
        return self._items[min(index, len(self._items) - 1)][2]

    def _async_functions(self) -> Iterator[str]:
        for index, (_, word, _) in enumerate(self._items):
            if word != "async":
                continue
            if self._word(index + 1) == "function" and self._kind(index + 2) == "name":
                yield self._word(index + 2)
            elif self._word(index - 1) == "=" and self._word(index - 3) == "const":
                yield self._word(index - 2)

    def _promise_names(self) -> Iterator[str]:
        for index, (_, word, _) in enumerate(self._items):
            if word == "const" and self._word(index + 2) == "=" and self.is_promise(index + 3):
                yield self._word(index + 1)

    def _is_object(self, opener: int) -> bool:
        after = self._word(self._match[opener] + 1)
        return after not in ("=", "=>", "of") and self._word(opener - 1) not in ("const", "let", "var", "=>")

    def _ends_line(self, index: int) -> bool:
        close = self._match.get(index + 1, index)
        if close + 1 >= len(self._items):
            return True
        return self._kind(close + 1) == "name"

    def _word(self, index: int) -> str:
        return self._items[index][1] if 0 <= index < len(self._items) else ""

    def _kind(self, index: int) -> str:
        return self._items[index][0] if 0 <= index < len(self._items) else ""
