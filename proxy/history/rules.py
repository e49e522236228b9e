"""The rules of one workspace as people read them: in order, with their hits and what is wrong with them; and what each
says to one call."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from policies import (
    NOT_GIVEN,
    Action,
    Approver,
    Caller,
    Condition,
    Considered,
    Decision,
    KnownTools,
    Layer,
    Rule,
    parse_pattern,
    shadowed,
)
from proxy.catalog import CatalogTool
from proxy.history.rule_hits import NO_HITS, RuleHits, RuleKey
from proxy.workspace import Workspace

Answer = Literal["decided", "applied", "skipped", "not reached", "other tools"]
"""What a rule says to a call. `applied`: it won its layer, and a stricter layer decided. `not reached`: an earlier rule
of its layer applied. `other tools`: its pattern does not match."""
_WORDS: Final[Mapping[str, str]] = {
    "equals": "is",
    "in_": "is one of",
    "not_in": "is none of",
    "matches": "matches",
    "at_most": "is at most",
    "at_least": "is at least",
    "exists": "exists:",
}


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule. `number` counts from 1 in its layer; `shadowed_by` is the earlier rule that hides it, `unmatched` says
    that it matches no tool although the tools of every connection it could match are known. `default`: no rule, but
    what an integration says about tools that no rule matches; such rows have no number."""

    number: int
    id: str
    pattern: str
    action: Action | None
    source: str
    hits: RuleHits
    conditions: tuple[str, ...] = ()
    approver: Approver = "model"
    reason: str = ""
    shadowed_by: str = ""
    unmatched: bool = False
    default: bool = False

    @property
    def unused(self) -> bool:
        """Whether no call met it since the process started."""
        return not self.hits.count


@dataclass(frozen=True, slots=True)
class RuleLayer:
    """Rules of one place in the config; the first that applies wins its layer."""

    name: str
    rows: tuple[RuleRow, ...]


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """What one rule or default says to a call, and why."""

    layer: str
    id: str
    source: str
    pattern: str
    action: Action
    answer: Answer
    note: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with the answer of every rule. `lock`: what the lock says of the tool; empty without a lock."""

    address: str
    risk: str
    decision: Decision
    answers: tuple[RuleAnswer, ...]
    lock: str = ""


def rule_layers(workspace: Workspace, hits: Mapping[RuleKey, RuleHits]) -> tuple[RuleLayer, ...]:
    """Every rule of the workspace in the order of judging, then the defaults of its integrations."""
    known = _known_tools(workspace)
    layers = [_layer(layer, hits, known) for layer in workspace.policies.layers]
    return (*layers, RuleLayer("defaults", _defaults(workspace, hits)))


def _layer(layer: Layer, hits: Mapping[RuleKey, RuleHits], known: KnownTools) -> RuleLayer:
    hidden = {id(rule): earlier for rule, earlier in shadowed(layer.rules)}
    rows = (
        RuleRow(
            number=number,
            id=rule.id,
            pattern=rule.pattern,
            action=rule.action,
            source=rule.source,
            hits=hits.get((rule.id, rule.source), NO_HITS),
            conditions=conditions_of(rule),
            approver=rule.approver,
            reason=rule.reason or "",
            shadowed_by=hidden[id(rule)].id if id(rule) in hidden else "",
            unmatched=_is_unmatched(rule, known),
        )
        for number, rule in enumerate(layer.rules, start=1)
    )
    return RuleLayer(layer.name, tuple(rows))


def _defaults(workspace: Workspace, hits: Mapping[RuleKey, RuleHits]) -> tuple[RuleRow, ...]:
    used = {one.integration for one in workspace.connections.values()}
    rows: list[RuleRow] = []
    for name, default in workspace.defaults.items():
        rule_id = f"approve_by_default: {default.approve_by_default}"
        if name in used:
            found = hits.get((rule_id, default.source), NO_HITS)
            rows.append(RuleRow(0, rule_id, f"{name}.*", None, default.source, found, default=True))
    return tuple(rows)


def _known_tools(workspace: Workspace) -> KnownTools:
    names: dict[str, list[str]] = {}
    for tool in workspace.catalog.all():
        names.setdefault(tool.prefix, []).append(tool.name)
    unknown = {
        prefix: str(one.status["status"])
        for prefix, one in workspace.connections.items()
        if one.upstream is None
    }
    return KnownTools(names, unknown)


def _is_unmatched(rule: Rule, known: KnownTools) -> bool:
    pattern = parse_pattern(rule.pattern)
    return not known.reaches(pattern) and not known.unknown(pattern)


def conditions_of(rule: Rule) -> tuple[str, ...]:
    """What must hold for the rule to apply, beside its pattern: a phrase each."""
    said = [f"risk is {' or '.join(sorted(rule.risk))}"] if rule.risk else []
    said += [f"caller is {' or '.join(rule.principals)}"] if rule.principals else []
    return (*said, *(f"`{path}` {_tests(one)}" for path, one in rule.when.items()))


def _tests(condition: Condition) -> str:
    given = ((one.name, getattr(condition, one.name)) for one in fields(condition))
    return " and ".join(f"{_WORDS[name]} {_value(value)}" for name, value in given if value is not NOT_GIVEN)


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_value, value))
    return json.dumps(value, ensure_ascii=False, default=str)


# ---- one call ------------------------------------------------------------------------------------------------------
def explained(
    workspace: Workspace, tool: CatalogTool, caller: Caller, arguments: Mapping[str, Any] | None
) -> Explanation:
    """How a call would be judged now, by the gate's own decision. `arguments` None: not known yet."""
    facts, decision = workspace.facts(tool), workspace.decide(tool, caller, arguments)
    return Explanation(
        tool.address,
        facts.risk,
        decision,
        _answers(workspace.policies.layers, tool.address, decision),
        lock_state(workspace, tool),
    )


def _answers(layers: Sequence[Layer], address: str, decision: Decision) -> tuple[RuleAnswer, ...]:
    considered = {(row.rule_id, row.source): row for row in decision.considered}
    answers: list[RuleAnswer] = []
    for layer in layers:
        for rule in layer.rules:
            row = considered.pop((rule.id, rule.source), None)
            answers.append(_answer(layer.name, rule, address, row))
    # What is left is no rule: a default of an integration, the lock, or a failure to judge.
    rest = (
        RuleAnswer("", row.rule_id, row.source, "", row.action, row.outcome, row.note)
        for row in considered.values()
    )
    return (*answers, *rest)


def _answer(layer: str, rule: Rule, address: str, row: Considered | None) -> RuleAnswer:
    if row is not None:
        return RuleAnswer(layer, rule.id, rule.source, rule.pattern, rule.action, row.outcome, row.note)
    matches = parse_pattern(rule.pattern).matches(address)
    answer: Answer = "not reached" if matches else "other tools"
    return RuleAnswer(layer, rule.id, rule.source, rule.pattern, rule.action, answer)


def lock_state(workspace: Workspace, tool: CatalogTool) -> str:
    """Whether the tool is as it was reviewed, in a word or a sentence; empty where nothing is locked."""
    lock = workspace.lock
    if lock is None:
        return ""
    drift = lock.drift(tool.prefix, tool.name)
    if drift is None:
        return f"as reviewed ({lock.path.name}:{lock.file.line_of(tool.prefix, tool.name)})"
    return f"{drift}{', held back' if lock.enforced else ', used all the same (mode: warn)'}"
