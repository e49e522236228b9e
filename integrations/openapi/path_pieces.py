"""Can a path segment that is made of several values be read back in one way only?

`{base}...{head}` is as good as its values are: `1.0` and `2.0` make `1.0...2.0`, which nobody can read otherwise, while
`{a}-{b}` of `1-2` and `3` is also `1` and `2-3`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PathPiece:
    """Text of a segment. `opening` is what the value starts with by its style; None for text of the template."""

    text: str
    opening: str | None = None


def is_ambiguous(pieces: Sequence[PathPiece]) -> bool:
    """Whether other values, none of them empty, would make the same text."""
    text = "".join(piece.text for piece in pieces)
    ways = [1] + [0] * len(text)
    for piece in pieces:
        ways = (
            _after_value(text, ways, piece.opening)
            if piece.opening is not None
            else _after(text, ways, piece.text)
        )
    return ways[-1] != 1


def _after(text: str, ways: list[int], literal: str) -> list[int]:
    """In how many ways (two are many) the pieces so far end at each place."""
    size = len(literal)
    out = [0] * len(ways)
    for place, count in enumerate(ways):
        if count and text.startswith(literal, place):
            out[place + size] = count
    return out


def _after_value(text: str, ways: list[int], opening: str) -> list[int]:
    out, started = [0] * len(ways), 0
    for place, count in enumerate(ways):
        out[place] = started
        if count and text.startswith(opening, place):
            started = min(2, started + count)
    return out
