"""A rule compiled for deciding: conditions and principals compiled, explanations written in advance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policies.conditions import ArgumentTest, ConditionError, Unjudgeable
from policies.decision import Considered, Decision
from policies.patterns import ADDRESS_SEGMENTS, parse_pattern
from policies.principals import Principals
from policies.rules import Caller, Rule, ToolFacts


class RuleError(ValueError):
    """A rule that cannot be compiled; the text names the rule and its place."""


class CompiledRule:
    """One compiled rule. Immutable after `__init__`, which raises `RuleError`."""

    __slots__ = (
        "_everyone",
        "_principals",
        "_risk",
        "_tests",
        "_unnamed",
        "_wrong_caller",
        "_wrong_values",
        "depends",
        "outcome",
        "pattern",
        "rule",
    )  # fmt: skip

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        try:
            self.pattern = parse_pattern(rule.pattern)
            self._tests = tuple(ArgumentTest(path, condition) for path, condition in rule.when.items())
            self._principals = Principals(rule.principals)
        except ValueError as error:
            raise RuleError(f"rule {rule.id} ({rule.source}): {error}") from error
        self._everyone = not rule.principals
        self._risk = frozenset(rule.risk)
        self._prepare_rows()

    def _prepare_rows(self) -> None:
        """What a decision says about this rule does not depend on the call, so it is written once."""
        rule = self.rule
        self.outcome = Decision(rule.action, rule.id, rule.source, rule.reason, rule.approver, rule.disclose)
        self._wrong_caller = self._skipped(f"only for {', '.join(rule.principals)}")
        self._wrong_values = {
            test.path: self._skipped(f"`{test.path}` does not hold") for test in self._tests
        }
        tool = self.pattern.segments[ADDRESS_SEGMENTS - 1 :]
        names_a_tool = not self.pattern.below and not any("*" in segment for segment in tool)
        self._unnamed = (
            self._skipped("the tool runs code: a rule approves it only by its full name")
            if rule.action == "approve" and not names_a_tool
            else None
        )
        self.depends = self._skipped(f"depends on {', '.join(f'`{test.path}`' for test in self._tests)}")

    def _skipped(self, note: str) -> Considered:
        return Considered(self.rule.id, self.rule.source, self.rule.action, "skipped", note)

    def skipped(
        self, tool: ToolFacts, caller: Caller, arguments: Mapping[str, Any] | None
    ) -> Considered | None:
        """Why this rule does not apply to a call of a tool its pattern matches; None when it applies.

        `arguments` None means not known yet: a rule with conditions answers its `depends`. May raise
        `ConditionError`.
        """
        if tool.runs_code and self._unnamed is not None:
            return self._unnamed
        if self._risk and tool.risk not in self._risk:
            return self._skipped(f"risk is {tool.risk}, the rule is for {', '.join(sorted(self._risk))}")
        if not (self._everyone or self._principals.admit(caller)):
            return self._wrong_caller
        if arguments is None:
            return self.depends if self._tests else None
        return self._wrong(arguments)

    def _wrong(self, arguments: Mapping[str, Any]) -> Considered | None:
        """The condition that does not hold. Raises `ConditionError` where a rule that is there to stop calls cannot
        judge the value; a rule that approves then does not hold.
        """
        unseen: Unjudgeable | None = None
        for test in self._tests:
            result = test.judge(arguments)
            if result is False:
                return self._wrong_values[test.path]
            if isinstance(result, Unjudgeable):
                unseen = unseen or result
        if unseen is None:
            return None
        if self.rule.action == "approve":
            return self._skipped(f"{unseen.reason}, which cannot be judged")
        raise ConditionError(f"{unseen.reason}, which cannot be judged")

    def row(self, decided: bool) -> Considered:
        """How a decision lists this rule when it applied."""
        rule = self.rule
        return Considered(
            rule.id, rule.source, rule.action, "decided" if decided else "applied", rule.reason or ""
        )

    def failed(self, error: Exception) -> Decision:
        """The block that stands for a rule which could not be evaluated. It repeats no argument's value."""
        rule = self.rule
        fault = str(error) if isinstance(error, ConditionError) else type(error).__name__
        reason = "a policy rule could not be evaluated for this call, so it is blocked"
        return Decision("block", rule.id, rule.source, reason, disclose=rule.disclose, error=fault)
