"""`include` and `exclude`: patterns over the tool names of one integration."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence


def name_filter(include: Sequence[str], exclude: Sequence[str]) -> Callable[[str], bool]:
    """The test for one tool name: `include` matches it (or is empty), and `exclude` does not."""
    wanted = _matcher(include) if include else None
    unwanted = _matcher(exclude) if exclude else None

    def stays(name: str) -> bool:
        return (wanted is None or bool(wanted.fullmatch(name))) and not (
            unwanted and unwanted.fullmatch(name)
        )

    return stays


def idle_patterns(patterns: Sequence[str], names: Sequence[str]) -> list[str]:
    """The patterns that match no name, which are probably misspelt."""
    return [one for one in patterns if not any(map(_matcher((one,)).fullmatch, names))]


def none_left(name: str, offered: int, kept: int) -> list[str]:
    """The warning for a source that ends up without tools; empty when it has some."""
    if kept:
        return []
    if offered:
        return [f"{name}: `include` and `exclude` leave none of its {offered} tools"]
    return [f"{name}: it offers nothing that can become a tool"]


def _matcher(patterns: Sequence[str]) -> re.Pattern[str]:
    """Dotted patterns: `*` is one segment, or part of one; a last `.*` and a lone `*` are any number of segments."""
    return re.compile("|".join(map(_pattern, patterns)))


def _pattern(pattern: str) -> str:
    if pattern == "*":
        return ".+"
    body, rest = (pattern[:-2], r"(?:\..+)") if pattern.endswith(".*") else (pattern, "")
    return "(?:" + r"[^.]*".join(map(re.escape, body.split("*"))) + rest + ")"
