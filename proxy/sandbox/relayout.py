"""Puts a transform's output back into the lines and columns of its input.

A transform that re-prints code moves every line, and stacks would name places the author never wrote. Here
the output's tokens are aligned with the input's, and white space alone is changed so that each aligned token
stands where it stood. Wherever the alignment finds nothing, tokens just follow each other: a place may then
be imprecise, the meaning never changes. The rules about line ends (ECMA-262, 12.10, restricted productions)
hold because the printer ends every statement with a semicolon and no line end is added after the words below
or before `=>`, `++`, `--`."""

from __future__ import annotations

from bisect import bisect_left
from difflib import SequenceMatcher

from proxy.sandbox.tokens import Token

_NO_LINE_END_AFTER = frozenset(
    "return throw break continue yield async using accessor await get set static".split()
)
_NO_LINE_END_BEFORE = frozenset(("=>", "++", "--"))
_GRAMS = (1, 2, 4)
_GAP_PRODUCT = 60_000


def relayout(source: str, source_items: list[Token], output: str, output_items: list[Token]) -> str:
    """`output` with its tokens moved to where they stand in `source`."""
    targets = align(keys(source_items), keys(output_items))
    places = _Places(source)
    written: list[str] = []
    line, column, last_end, last_text = 0, 0, output_items[0][2] if output_items else 0, ""
    for (_, text, start), target in zip(output_items, targets, strict=True):
        spaced = start > last_end
        want = places.of(source_items[target][2]) if target is not None else None
        gap = " " if spaced else ""
        if want is not None and want[0] > line and _may_break(last_text, text):
            gap = "\n" * (want[0] - line) + " " * want[1]
        elif want is not None and want[0] == line and want[1] > column:
            gap = " " * (want[1] - column)
        written += (gap, text)
        line, column = _advance(line, column, gap + text)
        last_end, last_text = start + len(text), text
    return "".join(written)


def _may_break(before: str, after: str) -> bool:
    return before not in _NO_LINE_END_AFTER and after not in _NO_LINE_END_BEFORE


def _advance(line: int, column: int, text: str) -> tuple[int, int]:
    ends = text.count("\n")
    return (line + ends, len(text) - text.rfind("\n") - 1) if ends else (line, column + len(text))


class _Places:
    """Offsets as (line, column), both from 0."""

    def __init__(self, text: str) -> None:
        self._starts = [0]
        at = text.find("\n")
        while at >= 0:
            self._starts.append(at + 1)
            at = text.find("\n", at + 1)

    def of(self, offset: int) -> tuple[int, int]:
        line = bisect_left(self._starts, offset + 1) - 1
        return line, offset - self._starts[line]


def place(text: str, offset: int) -> tuple[int, int]:
    """An offset as (line, column), both from 1."""
    line, column = _Places(text).of(offset)
    return line + 1, column + 1


def keys(items: list[Token]) -> list[str]:
    """What tokens are compared by: a printer may change the quotes of a string."""
    return [f"s{text[1:-1]}" if kind == "string" else text for kind, text, _ in items]


def align(source: list[str], output: list[str]) -> list[int | None]:
    """For each output token the index of its source token, rising, or None."""
    targets: list[int | None] = [None] * len(output)
    low_source = low_output = 0
    for at_source, at_output in [*_anchors(source, output), (len(source), len(output))]:
        if at_output < low_output or at_source < low_source:
            continue
        _fill_gap(source, output, (low_source, at_source), (low_output, at_output), targets)
        while at_output < len(output) and at_source < len(source) and source[at_source] == output[at_output]:
            targets[at_output] = at_source
            at_source, at_output = at_source + 1, at_output + 1
        low_source, low_output = at_source, at_output
    return targets


def _fill_gap(
    source: list[str], output: list[str], s: tuple[int, int], o: tuple[int, int], targets: list[int | None]
) -> None:
    if (s[1] - s[0]) * (o[1] - o[0]) > _GAP_PRODUCT:
        return
    matcher = SequenceMatcher(None, source[slice(*s)], output[slice(*o)], autojunk=False)
    for a, b, size in matcher.get_matching_blocks():
        for k in range(size):
            targets[o[0] + b + k] = s[0] + a + k


def _anchors(source: list[str], output: list[str]) -> list[tuple[int, int]]:
    """Pairs of places whose next tokens occur once on each side: the longest chain that rises on both."""
    pairs = sorted(pair for size in _GRAMS for pair in _common(_unique(source, size), _unique(output, size)))
    tails: list[int] = []
    chain: list[int] = []
    before: list[int] = []
    for index, (_, at_source) in enumerate(pairs):
        length = bisect_left(tails, at_source)
        tails[length : length + 1] = [at_source]
        chain[length : length + 1] = [index]
        before.append(chain[length - 1] if length else -1)
    found: list[tuple[int, int]] = []
    index = chain[-1] if chain else -1
    while index >= 0:
        at_output, at_source = pairs[index]
        found.append((at_source, at_output))
        index = before[index]
    return found[::-1]


def _common(ours: dict[tuple[str, ...], int], theirs: dict[tuple[str, ...], int]) -> list[tuple[int, int]]:
    return [(at, ours[gram]) for gram, at in theirs.items() if gram in ours]


def _unique(keys: list[str], size: int) -> dict[tuple[str, ...], int]:
    seen: dict[tuple[str, ...], int] = {}
    for at in range(len(keys) - size + 1):
        gram = tuple(keys[at : at + size])
        seen[gram] = -1 if gram in seen else at
    return {gram: at for gram, at in seen.items() if at >= 0}
