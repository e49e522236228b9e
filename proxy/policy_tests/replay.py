"""Calls of an audit trail, decided again: which of them would be decided otherwise.

Rules:
- A call is judged as whoever made it, in the same workspace, with the arguments of its line.
- Where the line does not have them whole (digest, redacted, too long) and a rule depends on them, nothing is claimed of
  the call, and it is counted.
- A call that nothing was decided about (no such tool) is no past decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from policies import Decision
from proxy.audit import AuditLine
from proxy.audit.redaction import HIDDEN
from proxy.catalog import CatalogTool
from proxy.principal import Principal, PrincipalKind
from proxy.workspace import Generation


@dataclass(frozen=True, slots=True)
class ChangedCall:
    """A past call and what would become of it; `now` is None where its tool or its workspace is gone."""

    record: Mapping[str, Any]
    was: Mapping[str, Any]
    now: Decision | None
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        now = self.now
        return {
            "time": self.record.get("time"),
            "executionId": self.record.get("executionId"),
            "account": (self.record.get("who") or {}).get("account"),
            "address": self.record.get("address"),
            "was": {key: self.was.get(key) for key in ("action", "rule", "source")},
            "now": {"action": now.action, "rule": now.rule_id, "source": now.rule_source} if now else None,
            "why": self.why or None,
        }


@dataclass(slots=True)
class Replay:
    """`unclear`: how many calls could not be judged, and why."""

    calls: int = 0
    changed: list[ChangedCall] = field(default_factory=list)
    unclear: dict[str, int] = field(default_factory=dict)


def replay(lines: Iterable[AuditLine], generation: Generation, absent: Mapping[str, str]) -> Replay:
    """Decide every call of the lines again. `absent`: connections whose tools are not known, and why."""
    found = Replay()
    for line in lines:
        was = line.record.get("decision")
        if line.record.get("event") == "call" and isinstance(was, dict) and line.record.get("address"):
            found.calls += 1
            _again(found, line.record, was, generation, absent)
    return found


def _again(
    found: Replay,
    record: Mapping[str, Any],
    was: Mapping[str, Any],
    generation: Generation,
    absent: Mapping[str, str],
) -> None:
    address = str(record["address"])
    prefix = ".".join(address.split(".")[:3])
    who = record.get("who") or {}
    workspace = generation.workspace(str(who.get("workspace")))
    if prefix in absent:
        _unclear(found, f"the tools of `{prefix}` are not known here")
        return
    if workspace is None:
        found.changed.append(
            ChangedCall(record, was, None, f"there is no workspace `{who.get('workspace')}`")
        )
        return
    tool = workspace.catalog.find(address)
    if not isinstance(tool, CatalogTool):
        found.changed.append(ChangedCall(record, was, None, f"there is no tool `{address}`"))
        return
    arguments = _whole(record)
    decision = workspace.policies.decide(workspace.facts(tool), _principal(who).caller(), arguments)
    if arguments is None and decision.conditional:
        _unclear(found, "the trail does not have the arguments (audit.arguments: full)")
    elif decision.action != was.get("action"):
        found.changed.append(ChangedCall(record, was, decision))


def _unclear(found: Replay, why: str) -> None:
    found.unclear[why] = found.unclear.get(why, 0) + 1


def _whole(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The arguments, when nothing of them is hidden."""
    value = (record.get("arguments") or {}).get("value")
    return value if isinstance(value, dict) and not _hides(value) else None


def _hides(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_hides, value.values()))
    return any(map(_hides, value)) if isinstance(value, list) else value == HIDDEN


def _principal(who: Mapping[str, Any]) -> Principal:
    account = str(who.get("account", ""))
    kind = str(who.get("kind") or account.partition(":")[0])
    return Principal(
        str(who.get("workspace")),
        account,
        kind if kind in get_args(PrincipalKind) else "local",  # type: ignore[arg-type]
        frozenset(who.get("groups") or ()),
    )
