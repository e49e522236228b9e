"""Where a place in transformed code stands in the code as sent.

The transform's output is put back into the lines and columns of its input, but where it writes more than there was (an
`enum`, a `namespace`, a parameter property) what follows in the line moves to the right. What it wrote itself has no
place.
"""

from __future__ import annotations

from bisect import bisect_right

from proxy.sandbox.recovery import Recovered, place_at, unshifted
from proxy.sandbox.relayout import align, keys
from proxy.sandbox.tokens import Tokens

Place = tuple[int, int]


def place_as_sent(sent: Recovered, running: Recovered, place: Place) -> tuple[Place | None, int]:
    """The place in the code as sent, or None and the line from which on to look. `running` has the shifts of `sent`."""
    ours, theirs = Tokens(sent.source), Tokens(running.source)
    starts = [start for _, _, start in theirs.items]
    at = bisect_right(starts, offset_of(running, place)) - 1
    targets = align(keys(ours.items), keys(theirs.items))
    known = next((target for target in targets[at::-1] if target is not None), None) if at >= 0 else None
    if known is None:
        return None, 1
    found = unshifted(place_at(sent.source, ours.items[known][2]), sent.shifts)
    return (found if targets[at] == known else None), found[0]


def offset_of(recovered: Recovered, place: Place) -> int:
    """Of a place in code as sent, in the code with what was put in."""
    line, column = place
    put_in = sum(width for row, at, width in recovered.shifts if row == line and at <= column)
    before = recovered.source.split("\n")[: line - 1]
    return sum(len(text) + 1 for text in before) + column - 1 + put_in
