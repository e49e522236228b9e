"""Rules that can never apply (W601)."""

from __future__ import annotations

from collections.abc import Sequence

from policies.index import PatternIndex
from policies.patterns import parse_pattern
from policies.rules import Rule


def shadowed(rules: Sequence[Rule]) -> list[tuple[Rule, Rule]]:
    """Pairs (rule, the earlier rule that hides it) within one layer.

    A rule hides a later one when its pattern covers the later pattern, it has no conditions, and its
    principals and risk filter, if any, let through whatever the later rule's do. Raises `PatternError`.
    """
    index = PatternIndex()
    found: list[tuple[Rule, Rule]] = []
    for number, rule in enumerate(rules):
        pattern = parse_pattern(rule.pattern)
        earlier = (rules[other] for other in index.covering(pattern))
        hiding = next((other for other in earlier if _admits_all_of(other, rule)), None)
        if hiding is not None:
            found.append((rule, hiding))
        elif not rule.when:
            index.add(pattern, number)
    return found


def _admits_all_of(wide: Rule, narrow: Rule) -> bool:
    return _at_least(wide.principals, narrow.principals) and _at_least(tuple(wide.risk), tuple(narrow.risk))


def _at_least(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    """Whether a filter admits all that another one admits; an empty filter admits everything."""
    return not wide or (bool(narrow) and set(narrow) <= set(wide))
