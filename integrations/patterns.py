"""`include` and `exclude`: patterns over the tool names of one integration."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence


def name_filter(include: Sequence[str], exclude: Sequence[str]) -> Callable[[str], bool]:
    """Whether a tool stays: `include` names it (everything when empty) and `exclude` does not."""
    wanted = _matcher(include) if include else None
    unwanted = _matcher(exclude) if exclude else None

    def stays(name: str) -> bool:
        return (wanted is None or bool(wanted.fullmatch(name))) and not (
            unwanted and unwanted.fullmatch(name)
        )

    return stays


def idle_patterns(patterns: Sequence[str], names: Sequence[str]) -> list[str]:
    """The patterns that match no name: most likely misspelt."""
    return [one for one in patterns if not any(map(_matcher((one,)).fullmatch, names))]


def _matcher(patterns: Sequence[str]) -> re.Pattern[str]:
    """Dotted patterns: `*` is one segment, or part of one; a last `.*` and a lone `*` are any number of
    segments.
    """
    return re.compile("|".join(map(_pattern, patterns)))


def _pattern(pattern: str) -> str:
    if pattern == "*":
        return ".+"
    body, rest = (pattern[:-2], r"(?:\..+)") if pattern.endswith(".*") else (pattern, "")
    return "(?:" + r"[^.]*".join(map(re.escape, body.split("*"))) + rest + ")"
