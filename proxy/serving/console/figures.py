"""Numbers, times and states as people read them: functions that every template of the console has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from proxy.serving.pages.presenting import Moment, moment

_GOOD: Final = frozenset({"connected", "completed", "applied", "unchanged", "approve", "ok", "accept"})
_WAITS: Final = frozenset(
    {
        "needs_auth",
        "needs_secret",
        "needs_client_registration",
        "connecting",
        "running",
        "paused",
        "waiting",
        "require_approval",
    }
)
_OFF: Final = frozenset({"disabled", "canceled", "cancelled", "expired"})


def tone(state: str) -> str:
    """How a state looks: `good`, `waits`, `off` or `bad`. A paused execution waits whatever it is that it waits for."""
    if state in _GOOD:
        return "good"
    if state in _WAITS or state.startswith("user_"):
        return "waits"
    return "off" if state in _OFF else "bad"


def count(number: float) -> str:
    """1234567 is `1,234,567`."""
    return f"{number:,.0f}"


def tallied(names: Iterable[str]) -> list[tuple[str, int]]:
    """Each of them once with how often it is there, in the order in which they came."""
    return list(Counter(names).items())


def duration(milliseconds: float) -> str:
    """`420 ms`, `3.2 s`, `4 min`, `2.5 h`."""
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def when(at_seconds: float, now_ms: float) -> Moment:
    """A time of the status, which counts in seconds since 1970."""
    return moment(at_seconds * 1000, now_ms)


FIGURES: Final[Mapping[str, Any]] = {
    "tone": tone,
    "count": count,
    "tallied": tallied,
    "duration": duration,
    "when": when,
    "moment": moment,
}
