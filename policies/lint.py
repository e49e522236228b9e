"""Rules that can never apply (W601).

The work grows with the rules, not with their pairs: a pattern is parsed once, and only rules whose pattern covers it
and whose filters share a value with the rule's are looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import product
from typing import Protocol, TypeVar

from policies.index import PatternIndex
from policies.patterns import Pattern, parse_pattern


class Shadowable(Protocol):
    """What a rule is judged by. An empty or absent filter admits everything."""

    @property
    def pattern(self) -> str: ...
    @property
    def principals(self) -> Collection[str] | None: ...
    @property
    def risk(self) -> Collection[str] | None: ...
    @property
    def when(self) -> object: ...


S = TypeVar("S", bound=Shadowable)


def shadowed(rules: Sequence[S]) -> list[tuple[S, S]]:
    """Pairs (rule, the earlier rule that hides it) within one layer.

    A rule hides a later one when its pattern covers the later pattern, it has no conditions, and its
    principals and risk filter, if any, let through whatever the later rule's do. Raises `PatternError`.
    """
    return [(rules[later], rules[earlier]) for later, earlier in hidden(rules)]


def hidden(rules: Sequence[Shadowable]) -> list[tuple[int, int]]:
    """The same as positions."""
    index = _FilteredIndex()
    found: list[tuple[int, int]] = []
    for number, rule in enumerate(rules):
        pattern = parse_pattern(rule.pattern)
        earlier = index.covering(pattern, rule)
        hiding = next((other for other in earlier if _admits_all_of(rules[other], rule)), None)
        if hiding is not None:
            found.append((number, hiding))
        elif not rule.when:
            index.add(pattern, rule, number)
    return found


class _FilteredIndex:
    """Rules filed under every pair of a principal and a risk that they admit; None stands for a missing filter.

    A rule is hidden only by one that has no filter, or whose filter holds all values of its own: the first of them will
    do to find it.
    """

    def __init__(self) -> None:
        self._by_filter: dict[tuple[str | None, str | None], PatternIndex] = {}

    def add(self, pattern: Pattern, rule: Shadowable, number: int) -> None:
        for key in product(rule.principals or (None,), rule.risk or (None,)):
            self._by_filter.setdefault(key, PatternIndex()).add(pattern, number)

    def covering(self, pattern: Pattern, rule: Shadowable) -> list[int]:
        found: set[int] = set()
        for key in product(_first(rule.principals), _first(rule.risk)):
            index = self._by_filter.get(key)
            if index is not None:
                found.update(index.covering(pattern))
        return sorted(found)


def _first(values: Collection[str] | None) -> tuple[str | None, ...]:
    return (None, next(iter(values))) if values else (None,)


def _admits_all_of(wide: Shadowable, narrow: Shadowable) -> bool:
    return _at_least(wide.principals, narrow.principals) and _at_least(wide.risk, narrow.risk)


def _at_least(wide: Collection[str] | None, narrow: Collection[str] | None) -> bool:
    """Whether a filter admits all that another one admits; an empty filter admits everything."""
    return not wide or (bool(narrow) and set(narrow or ()) <= set(wide))
