"""Tools that are not as they were reviewed, told where people look: log, audit trail, metric, `/-/status`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from integrations.base import JsonObject
from proxy.audit.events import DriftEvent
from proxy.lock.compare import DRIFT_KINDS
from proxy.lock.state import LockState
from proxy.telemetry import Logger, MetricsRegistry

_METRIC: Final = "executor_tool_drift"
# A whole new document may bring thousands: the rest are a number in the log, and all of them are in the metric.
_LOGGED: Final = 20
_log = Logger("lock")


def changes(before: LockState | None, now: LockState | None) -> list[DriftEvent]:
    """What drifted, or is as it was reviewed again, since `before`."""
    old, new = dict(_drifts(before)), dict(_drifts(now))
    enforced = now.enforced if now is not None else False
    events = [
        DriftEvent(address, kind, parts, enforced)
        for address, (kind, parts) in new.items()
        if old.get(address) != (kind, parts)
    ]
    return events + [DriftEvent(address, "resolved") for address in old if address not in new]


def _drifts(state: LockState | None) -> Iterator[tuple[str, tuple[str, tuple[str, ...]]]]:
    for prefix, name, drift in state.all_drifts() if state is not None else ():
        yield f"{prefix}.{name}", (drift.kind, drift.parts)


def log_changes(events: list[DriftEvent]) -> None:
    for one in events[:_LOGGED]:
        say = _log.info if one.kind == "resolved" else _log.warning
        held = "held" if one.enforced and one.kind != "gone" else "no"
        say("tool_drift", tool=one.address, kind=one.kind, parts=",".join(one.parts) or "-", held=held)
    if len(events) > _LOGGED:
        _log.warning("tool_drift_more", tools=len(events) - _LOGGED, see="executor lock --check")


def measure(metrics: MetricsRegistry, state: LockState | None) -> None:
    """The gauge, set anew: a tool that is as it was reviewed has no series."""
    metrics.clear(_METRIC)
    for prefix, name, drift in state.all_drifts() if state is not None else ():
        metrics.set(
            _METRIC, 1, integration=prefix.partition(".")[0], tool=f"{prefix}.{name}", kind=drift.kind
        )


def status(state: LockState | None) -> JsonObject | None:
    """For `/-/status`; None where the config does not ask."""
    if state is None:
        return None
    kinds = [drift.kind for _, _, drift in state.all_drifts()]
    return {
        "file": str(state.path),
        "mode": state.mode,
        **{kind: kinds.count(kind) for kind in DRIFT_KINDS},
        "tools": [
            {"tool": f"{prefix}.{name}", "kind": drift.kind, "parts": list(drift.parts)}
            for prefix, name, drift in state.all_drifts()
        ],
    }
