"""Word diffs: `Write a file[-.-]{+. Overwrites without warning.+}`, with what is unseen spelled."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Final

from proxy.lock.unseen import shown

_TOKEN: Final = re.compile(r"\w+|\s+|[^\w\s]")
_CONTEXT: Final = 6
_MOST_TOKENS: Final = 4_000


def word_diff(old: str, new: str) -> str:
    """One line. Long equal stretches are folded to `...`; what was added or taken away never is."""
    before, after = _TOKEN.findall(old), _TOKEN.findall(new)
    if len(before) + len(after) > _MOST_TOKENS:
        # Comparing takes quadratic time: what is equal at both ends is enough then.
        return _at_the_ends(before, after)
    out: list[str] = []
    steps = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    for number, (what, a, b, c, d) in enumerate(steps):
        if what == "equal":
            out.append(_folded(before[a:b], number == 0, number == len(steps) - 1))
        else:
            out += _changed(before[a:b], after[c:d])
    return one_line("".join(out))


def one_line(text: str) -> str:
    """As one line for a terminal: line ends and blanks are single blanks, what is unseen is spelled."""
    return shown(re.sub(r"\s+", " ", text)).strip()


def _changed(old: list[str], new: list[str]) -> list[str]:
    said = [f"[-{''.join(old)}-]"] if old else []
    return [*said, f"{{+{''.join(new)}+}}"] if new else said


def _folded(tokens: list[str], first: bool, last: bool) -> str:
    if len(tokens) <= 2 * _CONTEXT + 1:
        return "".join(tokens)
    start = "" if first else "".join(tokens[:_CONTEXT])
    end = "" if last else "".join(tokens[-_CONTEXT:])
    return f"{start} ... {end}"


def _at_the_ends(before: list[str], after: list[str]) -> str:
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    middle = _changed(before[start : len(before) - end], after[start : len(after) - end])
    parts = [_folded(before[:start], True, False), *middle, _folded(before[len(before) - end :], False, True)]
    return one_line("".join(parts))
