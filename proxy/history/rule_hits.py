"""How often each rule applied to a call, and when last.

Rules:
- Counted since this process started, for each workspace. A hit is a call for which the rule was the one that applied in
  its layer, whether it decided or a stricter layer did.
- A call that waits for approval counts once, when it asks: that it is sent afterwards is the same call.
- A reload keeps the counts of every rule whose words are the same, wherever in its layer it stands now. A rule that was
  changed is another rule and begins at nothing.
- Only rules of the config that serves are counted, so there are never more counters than rules. A call of an execution
  that began under an older config counts for the rules that are still there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from policies import Decision, Layer, Rule
from proxy.calls import CallReport
from proxy.workspace import Generation, Workspace

RuleKey = tuple[str, str]
"""A rule as decisions name it: its id and its `file:line`."""
ASKED: Final = "approval_required"


@dataclass(slots=True)
class RuleHits:
    """`last_ms`: milliseconds since 1970; 0 as long as there was none."""

    count: int = 0
    last_ms: float = 0.0


NO_HITS: Final = RuleHits()


@dataclass(frozen=True, slots=True)
class _Counted:
    """One counter, and what its rule says without its place."""

    words: str
    hits: RuleHits


class RuleCounters:
    """Hears of every call and of every swap. Its methods do not block."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._workspaces: dict[str, dict[RuleKey, _Counted]] = {}

    def swapped(self, generation: Generation) -> None:
        """Count for the rules of this generation from now on."""
        self._workspaces = {
            name: _carried(workspace, self._workspaces.get(name, {}))
            for name, workspace in generation.workspaces.items()
        }

    def called(self, report: CallReport) -> None:
        decision = report.decision
        counters = self._workspaces.get(report.principal.workspace_id)
        if decision is None or counters is None or not _is_first(decision, report.code):
            return
        now_ms = self._clock() * 1000
        for row in decision.considered:
            counted = counters.get((row.rule_id, row.source)) if row.outcome != "skipped" else None
            if counted is not None:
                counted.hits.count += 1
                counted.hits.last_ms = now_ms

    def of(self, workspace_id: str) -> Mapping[RuleKey, RuleHits]:
        """The counters of one workspace, those of its rules and of its defaults."""
        return {key: one.hits for key, one in self._workspaces.get(workspace_id, {}).items()}


def _is_first(decision: Decision, code: str | None) -> bool:
    """Whether the call is heard of for the first time."""
    return decision.action != "require_approval" or code == ASKED


def _carried(workspace: Workspace, before: Mapping[RuleKey, _Counted]) -> dict[RuleKey, _Counted]:
    """The counters of these rules; those whose words are the same are taken over, each once."""
    left: dict[str, list[RuleHits]] = {}
    for one in before.values():
        left.setdefault(one.words, []).append(one.hits)
    found: dict[RuleKey, _Counted] = {}
    for key, words in _rules(workspace):
        same = left.get(words)
        found[key] = _Counted(words, same.pop(0) if same else RuleHits())
    return found


def _rules(workspace: Workspace) -> Iterator[tuple[RuleKey, str]]:
    for layer in workspace.policies.layers:
        for rule in layer.rules:
            yield (rule.id, rule.source), f"{layer.name}: {_words(layer, rule)}"
    for name, default in workspace.defaults.items():
        rule_id = f"approve_by_default: {default.approve_by_default}"
        yield (rule_id, default.source), f"integrations.{name}: {rule_id}"


def _words(layer: Layer, rule: Rule) -> str:
    """The rule without its place. An id that is only its number in the list is a place, too."""
    name = "" if rule.id.startswith(f"{layer.name}[") else rule.id
    return repr(replace(rule, source="", id=name, risk=tuple(sorted(rule.risk))))
