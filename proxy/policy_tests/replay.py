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
class PastCallNow:
    """What would become of a past call; without a decision `why` says what is missing. What is not `clear` could not be
    judged."""

    decision: Decision | None
    why: str = ""
    clear: bool = True


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
    now = decided_now(record, generation, absent)
    if not now.clear:
        found.unclear[now.why] = found.unclear.get(now.why, 0) + 1
    elif now.decision is None or now.decision.action != was.get("action"):
        found.changed.append(ChangedCall(record, was, now.decision, now.why))


def decided_now(record: Mapping[str, Any], generation: Generation, absent: Mapping[str, str]) -> PastCallNow:
    """What would become of a recorded call. A connection in `absent` is judged by what `executor.lock` has of it."""
    address = str(record["address"])
    prefix = ".".join(address.split(".")[:3])
    who = record.get("who") or {}
    workspace = generation.workspace(str(who.get("workspace")))
    if workspace is None:
        return PastCallNow(None, f"there is no workspace `{who.get('workspace')}`")
    arguments, caller = _whole(record), _principal(who).caller()
    if prefix in absent:
        facts = workspace.reviewed(address)
        uses = generation.config.workspaces.get(workspace.id)
        if (
            uses is not None
            and uses.integrations is not None
            and prefix.partition(".")[0] not in uses.integrations
        ):
            return PastCallNow(None, f"workspace `{workspace.id}` does not use `{prefix}`")
        if facts is None:
            return PastCallNow(None, f"the tools of `{prefix}` are not known here", clear=False)
        decision = workspace.policies.decide(facts, caller, arguments)
    else:
        tool = workspace.catalog.find(address)
        if not isinstance(tool, CatalogTool):
            return PastCallNow(None, f"there is no tool `{address}`")
        decision = workspace.decide(tool, caller, arguments)
    if arguments is None and decision.conditional:
        return PastCallNow(
            decision, "the trail does not have the arguments (audit.arguments: full)", clear=False
        )
    return PastCallNow(decision)


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
