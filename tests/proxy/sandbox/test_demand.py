"""How many workers to keep follows the most that were busy at once in the last 10 to 20 seconds."""

from __future__ import annotations

import pytest

from proxy.sandbox.demand import MOST_KEPT, Demand

# (seconds, busy or None to only ask, kept then)
STORIES: dict[str, list[tuple[float, int | None, int]]] = {
    "never busy": [(0, None, 2), (100, None, 2)],
    "a peak is kept for a window and the next": [
        (0, 9, 9),
        (5, 1, 9),
        (12, 1, 9),
        (19, None, 9),
        (25, None, 2),
    ],
    "a long silence forgets at once": [(0, 9, 9), (60, None, 2)],
    "a steady load stays": [(at, 5, 5) for at in range(0, 60, 3)],
    "a falling load follows": [(0, 9, 9), (11, 6, 9), (22, 4, 6), (33, 3, 4), (44, None, 3)],
    "the budget is the end": [(0, 500, MOST_KEPT)],
}


@pytest.mark.parametrize("story", STORIES)
def test_what_is_kept(story: str) -> None:
    demand = Demand()
    for now, busy, kept in STORIES[story]:
        if busy is not None:
            demand.note(busy, now)
        assert demand.kept(2, now) == kept, now
