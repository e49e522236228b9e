"""May this call proceed? Pure: no async, no clock, no I/O."""

from policies.compiled_rule import RuleError
from policies.conditions import NOT_GIVEN, Condition, ConditionError, WholeMatch, split_path
from policies.decide import PolicySet, compile_policies
from policies.decision import Considered, Decision, stricter
from policies.explain import explain_json, explain_rows, explain_text, split_source
from policies.known_tools import KnownTools
from policies.lint import shadowed
from policies.patterns import Pattern, PatternError, covers, is_pattern, parse_pattern
from policies.principals import PrincipalError, Principals
from policies.rules import Action, ApproveByDefault, Approver, Caller, Layer, Risk, Rule, ToolFacts

__all__ = [
    "NOT_GIVEN",
    "Action",
    "ApproveByDefault",
    "Approver",
    "Caller",
    "Condition",
    "ConditionError",
    "Considered",
    "Decision",
    "KnownTools",
    "Layer",
    "Pattern",
    "PatternError",
    "PolicySet",
    "PrincipalError",
    "Principals",
    "Risk",
    "Rule",
    "RuleError",
    "ToolFacts",
    "WholeMatch",
    "compile_policies",
    "covers",
    "explain_json",
    "explain_rows",
    "explain_text",
    "is_pattern",
    "parse_pattern",
    "shadowed",
    "split_path",
    "split_source",
    "stricter",
]
