"""May this call proceed? Decided from values alone, once per inner call.

Rules:
- In a layer the first rule that applies wins; over the layers the stricter winner wins.
- When no rule of the first layer applies, the integration's `approve_by_default` stands in for it. Later
  layers have no default: they can tighten what the first one says, and loosen neither its rules nor its
  defaults.
- A tool that runs code is approved only by a rule that names it in full, and by no default.
- A name that came to stand for another tool is approved by no rule.
- Whatever goes wrong while deciding is a block that names the rule.
- A decision explains itself: in it is every rule that matches the address, up to the one that won its layer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from policies.compiled_rule import CompiledRule
from policies.decision import Considered, Decision, stricter
from policies.index import PatternIndex
from policies.rules import Action, ApproveByDefault, Caller, Layer, Rule, ToolFacts

ADDRESSES_REMEMBERED: Final = 32_768
"""How many addresses a set remembers the matching rules of; a little over three of the largest catalogs."""

_READS: Final[dict[ApproveByDefault, Action]] = {
    "reads": "approve",
    "all": "approve",
    "none": "require_approval",
}
_OTHERS: Final[dict[ApproveByDefault, Action]] = {
    "reads": "require_approval",
    "all": "approve",
    "none": "require_approval",
}

_Matching = tuple[tuple[CompiledRule, ...], ...]


@dataclass(slots=True)
class _Verdict:
    """What one layer says. `open` are rules passed over only because the arguments are not known."""

    skipped: list[Considered]
    outcome: Decision | None
    row: CompiledRule | Considered | None
    open: list[CompiledRule]

    def surely_blocks(self) -> bool:
        """Whether it blocks whatever the arguments will be."""
        if self.outcome is None or self.outcome.action != "block":
            return False
        return all(compiled.rule.action == "block" for compiled in self.open)

    def rows(self, decided: bool) -> list[Considered]:
        if self.row is None:
            return self.skipped
        if isinstance(self.row, CompiledRule):
            return [*self.skipped, self.row.row(decided)]
        row = self.row
        last = Considered(row.rule_id, row.source, row.action, "decided" if decided else "applied", row.note)
        return [*self.skipped, last]


class PolicySet:
    """Compiled layers. Immutable but for a bounded memo of which rules match which address."""

    __slots__ = ("_compiled", "_indexes", "_memo", "layers")

    def __init__(self, layers: Sequence[Layer]) -> None:
        """Raises `RuleError` for a rule that cannot be compiled."""
        self.layers = tuple(layers)
        self._compiled = tuple(tuple(map(CompiledRule, layer.rules)) for layer in self.layers)
        self._indexes = tuple(map(_index, self._compiled))
        self._memo: OrderedDict[str, _Matching] = OrderedDict()

    def rules(self) -> tuple[Rule, ...]:
        """All rules, layer after layer."""
        return tuple(rule for layer in self.layers for rule in layer.rules)

    def decide(self, tool: ToolFacts, caller: Caller, arguments: Mapping[str, Any] | None) -> Decision:
        """Judge a call. Never raises. `arguments` None: not known yet, see `Decision.conditional`."""
        try:
            return _for_this_tool(tool, _combined(self._verdicts(tool, caller, arguments)))
        except Exception as error:
            # The last resort of "whatever goes wrong is a block": malformed facts, or a bug in this package.
            return _broken(error)

    def visible(self, tool: ToolFacts, caller: Caller) -> bool:
        """False only when every call of the tool by this caller is blocked, or nobody can tell."""
        try:
            return not any(verdict.surely_blocks() for verdict in self._verdicts(tool, caller, None))
        except Exception:
            # What cannot be judged is not shown, for the same reason as in `decide`.
            return False

    def _verdicts(
        self, tool: ToolFacts, caller: Caller, arguments: Mapping[str, Any] | None
    ) -> list[_Verdict]:
        matching = self._matching(tool.address)
        verdicts = [_judge(rules, tool, caller, arguments) for rules in matching] or [
            _Verdict([], None, None, [])
        ]
        if verdicts[0].outcome is None:
            _fall_back(verdicts[0], tool)
        return verdicts

    def _matching(self, address: str) -> _Matching:
        """For each layer the rules whose pattern matches, in order."""
        known = self._memo.get(address)
        if known is not None:
            with suppress(KeyError):  # another thread may have let go of it just now
                self._memo.move_to_end(address)
            return known
        segments = address.split(".")
        found = tuple(
            tuple(compiled[number] for number in index.matching(segments))
            for compiled, index in zip(self._compiled, self._indexes, strict=True)
        )
        self._memo[address] = found
        if len(self._memo) > ADDRESSES_REMEMBERED:
            self._memo.popitem(last=False)
        return found


def compile_policies(layers: Sequence[Layer]) -> PolicySet:
    """Layers, top level first, ready to decide. Raises `RuleError`."""
    return PolicySet(layers)


def _index(rules: Sequence[CompiledRule]) -> PatternIndex:
    index = PatternIndex()
    for number, compiled in enumerate(rules):
        index.add(compiled.pattern, number)
    return index


def _judge(
    rules: Sequence[CompiledRule], tool: ToolFacts, caller: Caller, arguments: Mapping[str, Any] | None
) -> _Verdict:
    verdict = _Verdict([], None, None, [])
    for compiled in rules:
        try:
            skipped = compiled.skipped(tool, caller, arguments)
        except Exception as error:
            # Whatever a rule stumbles over, skipping it could let a call through that it was written to stop.
            return _failed(verdict, compiled, error)
        if skipped is None:
            verdict.outcome, verdict.row = compiled.outcome, compiled
            break
        verdict.skipped.append(skipped)
        if skipped is compiled.depends:
            verdict.open.append(compiled)
    return verdict


def _failed(verdict: _Verdict, compiled: CompiledRule, error: Exception) -> _Verdict:
    outcome = compiled.failed(error)
    note = f"could not be evaluated: {outcome.error}"
    verdict.outcome = outcome
    verdict.row = Considered(outcome.rule_id, outcome.rule_source, "block", "decided", note)
    verdict.open.clear()
    return verdict


def _fall_back(verdict: _Verdict, tool: ToolFacts) -> None:
    """Let the integration's default speak for the first layer. Raises KeyError for an unknown default."""
    default = tool.approve_by_default
    action = (_READS if tool.risk == "read" else _OTHERS)[default]
    if tool.runs_code:
        action = "require_approval"
    name = f"approve_by_default: {default}"
    verdict.outcome = Decision(action, name, tool.default_source, default=default)
    verdict.row = Considered(name, tool.default_source, action, "decided", tool.origin)


def _combined(verdicts: Sequence[_Verdict]) -> Decision:
    """The stricter of the layers' outcomes, with the explanation of all of them."""
    outcomes = [verdict.outcome for verdict in verdicts if verdict.outcome is not None]
    best = outcomes[0]
    for outcome in outcomes[1:]:
        best = stricter(best, outcome)
    rows = [row for verdict in verdicts for row in verdict.rows(verdict.outcome is best)]
    could_differ = any(
        compiled.outcome.strictness != best.strictness for v in verdicts for compiled in v.open
    )
    return Decision(
        action=best.action,
        rule_id=best.rule_id,
        rule_source=best.rule_source,
        reason=best.reason,
        approver=best.approver,
        disclose=best.disclose,
        considered=tuple(rows),
        default=best.default,
        conditional=could_differ,
        error=best.error,
    )


def _for_this_tool(tool: ToolFacts, decision: Decision) -> Decision:
    """A rule that approves was written for the tool that had the name; a default is for any tool."""
    if not tool.moved_from or decision.action != "approve" or decision.default is not None:
        return decision
    reason = (
        f"the name stood for `{tool.moved_from}` when rule {decision.rule_id} was written, and stands for"
        f" `{tool.origin}` now: review the rule, and change the config to confirm it"
    )
    return replace(decision, action="require_approval", reason=reason)


def _broken(error: Exception) -> Decision:
    reason = "the policies could not be evaluated for this call, so it is blocked"
    fault = type(error).__name__
    row = Considered("policies", "", "block", "decided", f"could not be evaluated: {fault}")
    return Decision("block", "policies", "", reason, considered=(row,), error=fault)
