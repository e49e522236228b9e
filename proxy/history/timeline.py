"""An execution on a time axis: its runs, the pauses between them, and its inner calls. Pure: values in, values out.

The axis has `WIDTH` units. Runs share it by how long they took; a pause, which may be a thousand times as long, gets a
slot of fixed size, so that calls stay visible. What was seen of a call more than once (it asked, and was sent later; it
was sent again after a crash) is one row with several bars.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from integrations.base import JsonObject
from proxy.history.recent import SeenCall, read_call

WIDTH: Final = 1000.0
_PAUSE: Final = 70.0
_ALL_PAUSES: Final = 350.0
_LEAST: Final = 3.0
"""No bar is narrower: a call of a tenth of a millisecond is there, too."""

_ASKED: Final = frozenset({"approval_required", "input_required"})
_NEVER_LEFT: Final = frozenset({"not_sent", "outcome_unknown"})
BarKind = Literal["ok", "failed", "asked", "waits"]


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of the axis, `x` and `width` in its units. `waits`: from the question to the sending."""

    x: float
    width: float
    kind: BarKind


@dataclass(frozen=True, slots=True)
class TimelineRun:
    """One run: on which replica, from when to when (milliseconds since 1970), and where on the axis. `open`: it has not
    ended; `lost`: its process died, and what is known of it is from the journal."""

    number: int
    replica: str
    began_ms: float
    ended_ms: float
    x: float = 0.0
    width: float = 0.0
    open: bool = False
    lost: bool = False

    @property
    def ms(self) -> float:
        return max(0.0, self.ended_ms - self.began_ms)


@dataclass(frozen=True, slots=True)
class TimelinePause:
    """Between two runs: nothing ran, somebody decided. `open`: it lasts, and nobody has."""

    ms: float
    x: float
    width: float
    open: bool = False


@dataclass(frozen=True, slots=True)
class TimelineCall:
    """One inner call. `outcome` is `ok`, `waiting` or the code of its failure; `sent` counts how often it left: 2 after
    a crash whose loser was sent again. `began_ms` None: nobody saw when."""

    seq: int
    path: str
    outcome: str
    ms: float
    began_ms: float | None = None
    offset_ms: float = 0.0
    action: str = ""
    rule: str = ""
    source: str = ""
    disclosed: bool = True
    sent: int = 1
    run: int = 1
    replica: str = ""
    bars: tuple[Bar, ...] = ()

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"


@dataclass(frozen=True, slots=True)
class Timeline:
    """`left_out`: calls that were too many to be kept."""

    runs: tuple[TimelineRun, ...] = ()
    pauses: tuple[TimelinePause, ...] = ()
    calls: tuple[TimelineCall, ...] = ()
    left_out: int = 0

    @property
    def active_ms(self) -> float:
        return sum(one.ms for one in self.runs)

    @property
    def replicas(self) -> tuple[str, ...]:
        """Each once, in the order in which they drove it."""
        return tuple(dict.fromkeys(one.replica for one in self.runs if one.replica))


@dataclass(slots=True)
class _Rows:
    """What was seen of each call, by its number, with the run it was seen in."""

    seen: dict[int, list[tuple[SeenCall, int]]] = field(default_factory=dict)

    def add(self, calls: Iterable[SeenCall], run: int) -> None:
        for one in calls:
            self.seen.setdefault(one.seq, []).append((one, run))


def timeline(
    runs: Sequence[JsonObject],
    unstored: Sequence[SeenCall],
    listed: Sequence[Mapping[str, Any]],
    *,
    replica: str,
    began_ms: float,
    ended_ms: float,
    running: bool,
    waits_until_ms: float | None = None,
) -> Timeline:
    """`runs` are those of the record, `unstored` what this `replica` has seen of one that no record has (yet), `listed`
    the calls of the result. `ended_ms`: now, as long as it is `running`; `waits_until_ms`: now, while it is paused."""
    known = [_run(number, one) for number, one in enumerate(runs, start=1)]
    rows = _Rows()
    for number, one in enumerate(runs, start=1):
        rows.add(map(read_call, one.get("calls", ())), number)
    if unstored or running or not known:
        begins = min([one.began_ms for one in unstored] or [began_ms])
        begins = began_ms if not known else max(begins, known[-1].ended_ms)
        last = TimelineRun(len(known) + 1, replica, begins, max(begins, ended_ms), open=running)
        known.append(last)
        rows.add(unstored, last.number)
    axis = _Axis(known, waits_until_ms)
    calls = [_call(several, axis) for _, several in sorted(rows.seen.items())]
    left_out = sum(int(one.get("left_out", 0)) for one in runs)
    return Timeline(axis.runs, axis.pauses, (*calls, *_unseen(listed, calls)), left_out)


def _run(number: int, body: JsonObject) -> TimelineRun:
    began, ended = float(body.get("began", 0.0)), float(body.get("ended", 0.0))
    lost = bool(body.get("lost"))
    return TimelineRun(number, str(body.get("replica", "")), began, max(began, ended), lost=lost)


class _Axis:
    """Lays runs and pauses out, and finds the place of a moment."""

    def __init__(self, runs: Sequence[TimelineRun], waits_until_ms: float | None) -> None:
        gaps = len(runs) - 1 + (waits_until_ms is not None)
        slot = min(_PAUSE, _ALL_PAUSES / gaps) if gaps else 0.0
        room = WIDTH - slot * gaps
        total = sum(one.ms for one in runs) or 1.0
        placed: list[TimelineRun] = []
        pauses: list[TimelinePause] = []
        x = 0.0
        for number, one in enumerate(runs):
            share = one.ms / total if any(run.ms for run in runs) else 1 / len(runs)
            placed.append(replace(one, x=round(x, 2), width=round(room * share, 2)))
            x += room * share
            if number < gaps:
                last = number == len(runs) - 1
                until = waits_until_ms if last and waits_until_ms is not None else runs[number + 1].began_ms
                pauses.append(
                    TimelinePause(max(0.0, until - one.ended_ms), round(x, 2), round(slot, 2), last)
                )
                x += slot
        self.runs, self.pauses = tuple(placed), tuple(pauses)
        self.end_ms = waits_until_ms if waits_until_ms is not None else runs[-1].ended_ms

    def at(self, moment_ms: float) -> float:
        before = self.runs[0]
        if moment_ms <= before.began_ms:
            return before.x
        for one in self.runs:
            if moment_ms < one.began_ms:
                # In the pause before this run.
                return before.x + before.width
            if moment_ms <= one.ended_ms:
                share = (moment_ms - one.began_ms) / one.ms if one.ms else 0.0
                return one.x + one.width * share
            before = one
        return WIDTH if moment_ms >= self.end_ms else before.x + before.width

    def bar(self, began_ms: float, ended_ms: float, kind: BarKind) -> Bar:
        x = self.at(began_ms)
        width = max(_LEAST, self.at(ended_ms) - x)
        x = min(x, WIDTH - width)
        return Bar(round(x, 2), round(width, 2), kind)

    def replica(self, run: int) -> str:
        return self.runs[run - 1].replica


def _call(seen: Sequence[tuple[SeenCall, int]], axis: _Axis) -> TimelineCall:
    """The row of one call from everything that was seen of it, in order."""
    last, run = seen[-1]
    asked = last.code in _ASKED
    decided = next((one for one, _ in seen if one.action == "require_approval"), last)
    return TimelineCall(
        seq=last.seq,
        path=last.path,
        outcome="waiting" if asked else last.code or "ok",
        ms=last.ms,
        began_ms=last.began_ms,
        offset_ms=max(0.0, seen[0][0].began_ms - axis.runs[0].began_ms),
        action=decided.action,
        rule=decided.rule,
        source=decided.source,
        disclosed=decided.disclosed,
        sent=sum(one.code not in _ASKED for one, _ in seen),
        run=run,
        replica=axis.replica(run),
        bars=tuple(_bars([one for one, _ in seen], axis)),
    )


def _bars(seen: Sequence[SeenCall], axis: _Axis) -> Iterable[Bar]:
    for number, one in enumerate(seen):
        ended = one.began_ms + one.ms
        if one.code in _ASKED:
            yield axis.bar(one.began_ms, ended, "asked")
            following = seen[number + 1] if number + 1 < len(seen) else None
            until = following.began_ms if following is not None else axis.end_ms
            if until > ended:
                yield axis.bar(ended, until, "waits")
        else:
            yield axis.bar(one.began_ms, ended, "ok" if one.code is None else "failed")


def _unseen(listed: Sequence[Mapping[str, Any]], calls: Sequence[TimelineCall]) -> tuple[TimelineCall, ...]:
    """Calls of the result that nobody saw: all of them where nothing was seen, else those that never left."""
    rows = listed if not calls else [one for one in listed if one.get("code") in _NEVER_LEFT]
    following = max((one.seq for one in calls), default=-1) + 1
    return tuple(
        TimelineCall(following + number, str(one["path"]), _outcome(one), float(one.get("ms", 0.0)), sent=0)
        for number, one in enumerate(rows)
    )


def _outcome(listed: Mapping[str, Any]) -> str:
    code = listed.get("code")
    if code in _ASKED:
        return "waiting"
    return "ok" if listed.get("ok") else str(code or "failed")
