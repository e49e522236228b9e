"""Small plots as numbers: bars of the last hour, laid out for a template that writes them as SVG. No script draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 240
HEIGHT: Final = 44


@dataclass(frozen=True, slots=True)
class PlotBar:
    """One minute. `failed` is the part of the height that stands for what did not go well."""

    x: float
    width: float
    height: float
    failed: float


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars with what they say in words, for those who do not see them."""

    bars: tuple[PlotBar, ...]
    total: int
    failed: int
    most: int
    label: str


def plot(what: str, counts: Sequence[int], failed: Sequence[int]) -> Plot:
    """`counts` has one number a minute, the oldest first; `failed` are those of them that did not go well."""
    most, total, bad = max(counts, default=0), sum(counts), sum(failed)
    step = WIDTH / max(1, len(counts))
    bars = tuple(
        PlotBar(round(index * step, 2), round(step * 0.7, 2), _height(number, most), _height(wrong, most))
        for index, (number, wrong) in enumerate(zip(counts, failed, strict=True))
        if number
    )
    label = (
        f"{total:,} {what} in the last {len(counts)} minutes, {bad:,} failed, {most:,} in the busiest minute"
    )
    return Plot(bars, total, bad, most, label)


def _height(number: int, most: int) -> float:
    """Whatever happened at all can be seen."""
    return max(1.5, round(number / most * HEIGHT, 2)) if number else 0.0
