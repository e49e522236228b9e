"""T6 (one tool, one decision), T7 (no way to fail open), T8 (values are what they are), T9 (no hints)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import (
    Action,
    Caller,
    Condition,
    Layer,
    PolicySet,
    Rule,
    RuleError,
    ToolFacts,
    compile_policies,
    stricter,
)
from proxy.config import load_config

DELETE = ToolFacts("github.org.main.repos.delete", "github", "destructive", "all", "executor.yaml:9")
EVA = Caller(user="eva", groups=frozenset({"dev"}))
NO_DELETES = Rule(
    "no-deletes", "github.*.*.repos.delete", "block", reason="by hand", source="executor.yaml:20"
)
SMALL = Rule("small", "pay.*.*.transfer", "approve", when={"amount": Condition(at_most=100)})
PAY = ToolFacts("pay.org.main.transfer", "pay", "write", "reads")


def policies(*rules: Rule) -> PolicySet:
    return compile_policies([Layer("policies", rules)])


# T6: code reaches a tool in many ways (alias, bracket, Reflect.get, search result), policies see one address.


@given(
    st.sampled_from(
        [
            "GitHub.org.main.repos.delete",
            "github.org.main.repos.Delete",
            "github.org.main.repos.dele\u0442e",
            "github.org.main.repos.delete ",
            "github.org.main.repos.delete.",
            "tools.github.org.main.repos.delete",
        ]
    )
)
def test_t6_only_the_resolved_address_is_judged(spelling: str) -> None:
    """Another spelling is another tool to the policies, and one that the catalog does not know."""
    set_ = policies(NO_DELETES)
    assert set_.decide(DELETE, EVA, {}).action == "block"
    assert set_.decide(replace(DELETE, address=spelling), EVA, {}).rule_id != "no-deletes"


def test_t6_the_same_call_gets_the_same_decision_however_often_and_in_whatever_order() -> None:
    set_ = policies(NO_DELETES, SMALL)
    expected = {
        tool.address: policies(NO_DELETES, SMALL).decide(tool, EVA, {"amount": 5}) for tool in (DELETE, PAY)
    }
    for tool in (PAY, DELETE, DELETE, PAY) * 50:
        assert set_.decide(tool, EVA, {"amount": 5}) == expected[tool.address]


def test_t6_the_decision_of_one_caller_is_not_the_one_of_another() -> None:
    set_ = policies(Rule("dev", "github.*", "approve", principals=("group:dev",)), Rule("rest", "*", "block"))
    for _ in range(3):
        assert set_.decide(DELETE, EVA, {}).action == "approve"
        assert set_.decide(DELETE, Caller(user="bob"), {}).action == "block"
        assert set_.visible(DELETE, EVA)
        assert not set_.visible(DELETE, Caller(user="bob"))


def test_t6_two_snapshots_give_the_stricter_decision() -> None:
    started, current = policies(), policies(NO_DELETES)
    before, now = started.decide(DELETE, EVA, {}), current.decide(DELETE, EVA, {})
    assert (before.action, now.action) == ("approve", "block")
    assert stricter(before, now) is now
    assert stricter(now, before) is now


# T7: whatever goes wrong, the answer is a block.


class Trap(Mapping[str, Any]):
    """Arguments that raise `error` when they are touched."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getitem__(self, key: str) -> Any:
        raise self._error

    def __contains__(self, key: object) -> bool:
        raise self._error

    def __iter__(self) -> Any:
        raise self._error

    def __len__(self) -> int:
        return 1


class Odd:
    """A value that cannot be compared."""

    def __eq__(self, other: object) -> bool:
        raise ArithmeticError("odd")

    __hash__ = None  # type: ignore[assignment]


CONDITIONS = [
    Condition(equals=1),
    Condition(in_=(1,)),
    Condition(not_in=(1,)),
    Condition(matches=".*"),
    Condition(at_most=1),
    Condition(at_least=1),
    Condition(exists=True),
    Condition(exists=False),
]


@pytest.mark.parametrize("action", ["approve", "require_approval", "block"])
@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize(
    "error", [RuntimeError, KeyError, RecursionError, MemoryError, UnicodeError, OverflowError]
)
def test_t7_every_exception_in_evaluation_is_a_block(
    action: Action, condition: Condition, error: type[Exception]
) -> None:
    rule = Rule("fragile", "*", action, when={"a.b": condition}, source="executor.yaml:3")
    decision = policies(rule, Rule("later", "*", "approve")).decide(PAY, EVA, Trap(error("canary")))
    assert (decision.action, decision.rule_id, decision.rule_source) == (
        "block",
        "fragile",
        "executor.yaml:3",
    )
    assert decision.error == error.__name__
    assert "canary" not in repr(decision)


@pytest.mark.parametrize(
    "condition", [Condition(equals=Odd()), Condition(in_=(Odd(),)), Condition(not_in=(Odd(),))]
)
def test_t7_comparisons_that_raise_are_blocks(condition: Condition) -> None:
    rule = Rule("fragile", "*", "approve", when={"a": condition})
    assert policies(rule).decide(PAY, EVA, {"a": Odd()}).action == "block"


def test_t7_arguments_nested_without_end_are_a_block() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    rule = Rule("fragile", "*", "approve", when={"a": Condition(equals=deep)})
    assert policies(rule).decide(PAY, EVA, {"a": list(deep)}).action == "block"


def test_t7_a_rule_that_cannot_work_never_becomes_part_of_a_set() -> None:
    for broken in (
        Rule("r", "github.repos.delete", "block"),
        Rule("r", "*", "block", principals=("everyone",)),
        Rule("r", "*", "block", when={"a": Condition(matches="(")}),
        Rule("r", "*", "block", when={"": Condition(equals=1)}),
    ):
        with pytest.raises(RuleError):
            policies(broken)


@pytest.mark.parametrize(
    "rule",
    [
        "{pattern: api.*, action: block, reasons: x}",
        "{pattern: api.*, action: block, principal: [anonymous]}",
        "{pattern: api.*, action: blocked}",
        "{pattern: api.*, action: true}",
        "{pattern: api.*}",
        "{pattern: api.*, action: block, when: {a: {equal: 1}}}",
        "{pattern: api.*, action: block, when: {a: {}}}",
        "{pattern: api.*, action: block, when: {a: 1}}",
        '{pattern: api.*, action: block, when: {a: {exists: "true"}}}',
        '{pattern: api.*, action: block, when: {a: {at_most: "1"}}}',
        "{pattern: api.*, action: block, disclose: 1}",
        "{pattern: api.*, action: block, risk: []}",
        "{pattern: api.*, action: block, risk: [writes]}",
        "{pattern: api.*, action: block, principals: []}",
        "{pattern: api.*, action: block, approver: person}",
        '{pattern: api.*, action: block, when: {a: {matches: "(?=x)y"}}}',
    ],
)
def test_t7_a_misspelled_rule_is_an_invalid_config(rule: str) -> None:
    text = (
        "version: 1\n"
        "integrations: {api: {kind: openapi, spec: {url: https://api.example.com/o.json}}}\n"
        "connections: {api.org.main: {}}\n"
        f"policies: [{rule}]\n"
    )
    assert load_config(["-"], env=None, stdin=text.encode()).config is None


# T8: a condition sees exactly what is sent, and believes nothing it does not see.


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"Amount": 1},
        {"amount\u200b": 1},
        {"\uff41mount": 1},
        {"amount": None},
        {"amount": "1"},
        {"amount": "1e1"},
        {"amount": True},
        {"amount": False},
        {"amount": [1]},
        {"amount": {"value": 1}},
        {"amount": 100.00001},
        {"amount": 10**400},
        {"transfer": {"amount": 1}},
        {"amount": math.nan},
        {"amount": -math.inf},
    ],
)
def test_t8_nothing_but_a_small_number_satisfies_the_allow(arguments: dict[str, Any]) -> None:
    assert policies(SMALL).decide(PAY, EVA, {"amount": 100}).action == "approve"
    assert policies(SMALL).decide(PAY, EVA, arguments).action != "approve"


@pytest.mark.parametrize("condition", [c for c in CONDITIONS if c.exists is not False])
def test_t8_a_missing_argument_never_satisfies_an_allow(condition: Condition) -> None:
    rule = Rule("free", "*", "approve", when={"a.b": condition})
    without: list[dict[str, Any]] = [{}, {"a": {}}, {"a": []}, {"a": None}, {"a": "b"}, {"b": 1}]
    for arguments in without:
        assert policies(rule).decide(PAY, EVA, arguments).action == "require_approval"


def test_t8_a_decoy_beside_the_real_argument_is_a_block() -> None:
    rule = Rule("free", "*", "approve", when={"to.owner": Condition(equals="acme")})
    for arguments in (
        {"to": {"owner": "mallory"}, "to.owner": "acme"},
        {"to": {"owner": "acme"}, "to.owner": "mallory"},
    ):
        decision = policies(rule).decide(PAY, EVA, arguments)
        assert (decision.action, decision.error) == ("block", "`to.owner` can be read in 2 ways")


@pytest.mark.parametrize(
    "arguments",
    [{"body": "<pay><amount>5000</amount></pay>"}, {"bodyBase64": "NTAwMA=="}, {"body": '{"amount":5000}'}],
)
def test_t8_a_value_inside_of_text_does_not_slip_past_a_block(arguments: dict[str, Any]) -> None:
    large = Rule("large", "pay.*.*.transfer", "block", when={"body.amount": Condition(at_least=1000)})
    everything = Rule("all", "pay.*", "approve")
    assert policies(large, everything).decide(PAY, EVA, {"body": {"amount": 1}}).action == "approve"
    decision = policies(large, everything).decide(PAY, EVA, arguments)
    assert (decision.action, decision.rule_id) == ("block", "large")
    assert decision.error == "`body.amount` leads into text or bytes, which cannot be judged"
    small = Rule("small", "pay.*.*.transfer", "approve", when={"body.amount": Condition(exists=False)})
    assert policies(small).decide(PAY, EVA, arguments).action == "require_approval"
    of_others = {"body.amount": Condition(at_least=1000), "currency": Condition(equals="EUR")}
    narrow = Rule("narrow", "pay.*.*.transfer", "block", when=of_others)
    assert policies(narrow, everything).decide(PAY, EVA, arguments).action == "approve"


@pytest.mark.parametrize(
    "name", ["acme\n", "ACME", "acme ", "\u0430cme", "acme\u200b", "acme\x00", "not-acme"]
)
def test_t8_text_matches_whole_and_code_point_by_code_point(name: str) -> None:
    for condition in (Condition(equals="acme"), Condition(in_=("acme",)), Condition(matches="acme|other")):
        rule = Rule("free", "*", "approve", when={"owner": condition})
        assert policies(rule).decide(PAY, EVA, {"owner": "acme"}).action == "approve"
        assert policies(rule).decide(PAY, EVA, {"owner": name}).action == "require_approval"


def test_t8_hostile_values_cannot_stall_a_rule() -> None:
    """Hangs (and fails by the test's time limit) with an engine that backtracks."""
    rule = Rule("r", "*", "approve", when={"a": Condition(matches="([a-z]+)*[0-9]")})
    assert policies(rule).decide(PAY, EVA, {"a": "a" * 60_000}).action == "require_approval"
    assert policies(rule).decide(PAY, EVA, {"a": "a" * 70_000}).action == "block"


# T9: who may not see a tool learns nothing of it.


def test_t9_hidden_is_hidden_whatever_the_rule_says_about_disclosure() -> None:
    for rule in (NO_DELETES, replace(NO_DELETES, disclose=False), replace(NO_DELETES, reason=None)):
        assert not policies(rule).visible(DELETE, EVA)
        assert policies(rule).decide(DELETE, EVA, {}).disclose is rule.disclose


def test_t9_a_rule_that_fails_keeps_its_silence() -> None:
    rule = Rule("quiet", "*", "block", when={"a": Condition(equals=1)}, disclose=False)
    decision = policies(rule).decide(DELETE, EVA, Trap(RuntimeError("canary")))
    assert (decision.action, decision.disclose) == ("block", False)


@given(st.sampled_from(["write", "read", "destructive"]), st.booleans())
def test_t9_visibility_does_not_depend_on_arguments(risk: Any, conditional: bool) -> None:
    when = {"a": Condition(equals=1)} if conditional else {}
    tool = replace(DELETE, risk=risk)
    assert policies(Rule("r", "*", "block", when=when)).visible(tool, EVA) is conditional
