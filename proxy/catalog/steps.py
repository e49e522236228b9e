"""Work on a catalog in steps: before each, a generator says what the step costs, in units of work.

Whoever runs it may do something else between two steps, or stop when there have been enough.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, TypeVar

T = TypeVar("T")
CatalogSteps = Generator[int, None, T]
"""Yields what the next step costs; returns the answer."""

SEARCH_UNITS: Final = 10
"""A search, and the suggestions for a path that does not exist: up to about 20 ms in a large catalog."""
TYPES_UNITS: Final = 1
"""The types of one tool."""


def finished(steps: CatalogSteps[T]) -> T:
    """All steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            answer: T = end.value
            return answer
