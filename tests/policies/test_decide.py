from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given

from policies import Action, Caller, Condition, Layer, PolicySet, Rule, RuleError, ToolFacts, compile_policies
from policies.decide import ADDRESSES_REMEMBERED
from policies.rules import ApproveByDefault
from tests.policies import reference

READ = ToolFacts("api.org.main.get", "api", "read", "reads", "e.yaml:9", "GET /x")
WRITE = ToolFacts("api.org.main.put", "api", "write", "reads", "e.yaml:9", "PUT /x")
EVA = Caller(user="eva")


def rules(*made: Rule) -> Layer:
    return Layer("policies", made)


def policies(*layers: Layer) -> PolicySet:
    return compile_policies(layers)


class Broken(Mapping[str, Any]):
    """Arguments that cannot be read."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("secret value")

    def __contains__(self, key: object) -> bool:
        raise RuntimeError("secret value")

    def __iter__(self) -> Any:
        raise RuntimeError("secret value")

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize(
    ("default", "risk", "action"),
    [
        ("reads", "read", "approve"),
        ("reads", "write", "require_approval"),
        ("reads", "destructive", "require_approval"),
        ("all", "destructive", "approve"),
        ("none", "read", "require_approval"),
    ],
)
def test_without_a_rule_the_default_decides(default: Any, risk: Any, action: Action) -> None:
    tool = ToolFacts("api.org.main.x", "api", risk, default, "e.yaml:9", "GET /x")
    for empty in (policies(), policies(rules()), policies(rules(), rules())):
        decision = empty.decide(tool, EVA, {})
        assert (decision.action, decision.default) == (action, default)
        assert (decision.rule_id, decision.rule_source) == (f"approve_by_default: {default}", "e.yaml:9")
        (row,) = decision.considered
        assert (row.outcome, row.note) == ("decided", "GET /x")


def test_the_first_rule_that_applies_wins_its_layer() -> None:
    decision = policies(
        rules(
            Rule("other-tool", "api.org.main.get", "block"),
            Rule("other-caller", "api.*", "block", principals=("key:x",)),
            Rule("other-risk", "api.*", "block", risk=("destructive",)),
            Rule("other-values", "api.*", "block", when={"a": Condition(equals=2)}),
            Rule("fits", "api.*", "approve", source="e.yaml:5", reason="why"),
            Rule("too-late", "*", "block"),
        )
    ).decide(WRITE, EVA, {"a": 1})
    assert (decision.action, decision.rule_id, decision.rule_source) == ("approve", "fits", "e.yaml:5")
    assert (decision.reason, decision.default, decision.conditional) == ("why", None, False)
    assert [(row.rule_id, row.outcome, row.note) for row in decision.considered] == [
        ("other-caller", "skipped", "only for key:x"),
        ("other-risk", "skipped", "risk is write, the rule is for destructive"),
        ("other-values", "skipped", "`a` does not hold"),
        ("fits", "decided", "why"),
    ]


def test_over_the_layers_the_stricter_winner_wins() -> None:
    both = policies(
        rules(Rule("top", "*", "approve")),
        Layer("workspaces.w.policies", (Rule("ws", "*", "block", reason="no"),)),
    )
    decision = both.decide(READ, EVA, {})
    assert (decision.action, decision.rule_id, decision.reason) == ("block", "ws", "no")
    assert [(row.rule_id, row.outcome) for row in decision.considered] == [
        ("top", "applied"),
        ("ws", "decided"),
    ]


def test_a_workspace_loosens_neither_rules_nor_defaults() -> None:
    workspace = Layer("workspaces.w.policies", (Rule("ws", "*", "approve"),))
    assert policies(rules(Rule("top", "*", "block")), workspace).decide(READ, EVA, {}).rule_id == "top"
    decision = policies(rules(), workspace).decide(WRITE, EVA, {})
    assert (decision.action, decision.default) == ("require_approval", "reads")
    assert [row.outcome for row in decision.considered] == ["decided", "applied"]


def test_a_person_is_stricter_than_the_model() -> None:
    decision = policies(
        rules(Rule("top", "*", "require_approval")),
        rules(Rule("ws", "*", "require_approval", approver="human")),
    ).decide(READ, EVA, {})
    assert (decision.rule_id, decision.approver) == ("ws", "human")


def test_a_failing_rule_blocks_and_is_named() -> None:
    layer = rules(
        Rule("fragile", "*", "approve", when={"a": Condition(equals=1)}, source="e.yaml:7"),
        Rule("later", "*", "approve"),
    )
    decision = policies(layer).decide(READ, EVA, Broken())
    assert (decision.action, decision.rule_id, decision.rule_source) == ("block", "fragile", "e.yaml:7")
    assert decision.error == "RuntimeError"
    assert decision.considered[-1].note == "could not be evaluated: RuntimeError"
    assert "secret" not in repr(decision)


def test_a_failing_workspace_rule_blocks_too() -> None:
    workspace = rules(Rule("fragile", "*", "approve", when={"a": Condition(equals=1)}))
    decision = policies(rules(Rule("top", "*", "approve")), workspace).decide(READ, EVA, Broken())
    assert (decision.action, decision.rule_id) == ("block", "fragile")
    assert [row.outcome for row in decision.considered] == ["applied", "decided"]


@pytest.mark.parametrize(
    "tool",
    [
        ToolFacts("api.org.main.x", "api", "write", "sometimes"),  # type: ignore[arg-type]
        ToolFacts(None, "api", "write", "reads"),  # type: ignore[arg-type]
    ],
)
def test_facts_that_are_none_block_and_hide(tool: ToolFacts) -> None:
    decision = policies(rules()).decide(tool, EVA, {})
    assert (decision.action, decision.rule_id) == ("block", "policies")
    assert decision.error
    assert not policies(rules()).visible(tool, EVA)


def test_rules_that_cannot_be_compiled_never_become_a_set() -> None:
    with pytest.raises(RuleError):
        policies(rules(Rule("r", "api.main.delete", "block")))


def test_unknown_arguments_leave_conditional_rules_open() -> None:
    layer = rules(
        Rule("small", "*", "approve", when={"amount": Condition(at_most=1)}),
        Rule("rest", "*", "require_approval"),
    )
    decision = policies(layer).decide(READ, EVA, None)
    assert (decision.action, decision.rule_id, decision.conditional) == ("require_approval", "rest", True)
    assert decision.considered[0].note == "depends on `amount`"
    same = rules(Rule("a", "*", "block", when={"x": Condition(exists=True)}), Rule("b", "*", "block"))
    assert policies(same).decide(READ, EVA, None).conditional is False


@pytest.mark.parametrize(
    ("layers", "visible"),
    [
        ([rules()], True),
        ([rules(Rule("r", "*", "require_approval"))], True),
        ([rules(Rule("r", "*", "block"))], False),
        ([rules(Rule("r", "*", "block", principals=("user:eva",)))], False),
        ([rules(Rule("r", "*", "block", principals=("user:bob",)))], True),
        ([rules(Rule("r", "*", "block", when={"a": Condition(equals=1)}))], True),
        ([rules(Rule("c", "*", "approve", when={"a": Condition(equals=1)}), Rule("r", "*", "block"))], True),
        ([rules(Rule("c", "*", "block", when={"a": Condition(equals=1)}), Rule("r", "*", "block"))], False),
        ([rules(Rule("a", "*", "approve")), rules(Rule("r", "*", "block"))], False),
        (
            [
                rules(Rule("r", "*", "block")),
                rules(Rule("a", "*", "approve", when={"a": Condition(equals=1)})),
            ],
            False,
        ),
    ],
)
def test_only_what_is_surely_blocked_is_hidden(layers: list[Layer], visible: bool) -> None:
    assert policies(*layers).visible(READ, EVA) is visible


def test_what_it_remembers_is_bounded() -> None:
    set_ = policies(rules(Rule("r", "api.*", "block")))
    for number in range(ADDRESSES_REMEMBERED + 10):
        set_.decide(ToolFacts(f"api.org.main.t{number}", "api", "read", "reads"), EVA, {})
    assert len(set_._memo) == ADDRESSES_REMEMBERED
    assert set_.decide(ToolFacts("api.org.main.t0", "api", "read", "reads"), EVA, {}).action == "block"


@given(reference.layer("top"), reference.layer("ws"), reference.TOOLS, reference.CALLERS, reference.ARGUMENTS)
def test_it_decides_like_the_reference(
    top: Layer, workspace: Layer, tool: ToolFacts, caller: Caller, arguments: dict[str, int]
) -> None:
    compiled = policies(top, workspace)
    expected = reference.decide([top, workspace], tool, caller, arguments)
    decision = compiled.decide(tool, caller, arguments)
    assert decision.action == expected
    assert compiled.decide(tool, caller, arguments) == decision
    assert [row.outcome for row in decision.considered].count("decided") == 1


@given(reference.layer("top"), reference.layer("ws"), reference.TOOLS, reference.CALLERS, reference.ARGUMENTS)
def test_a_workspace_never_loosens(
    top: Layer, workspace: Layer, tool: ToolFacts, caller: Caller, arguments: dict[str, int]
) -> None:
    alone = policies(top).decide(tool, caller, arguments)
    together = policies(top, workspace).decide(tool, caller, arguments)
    assert together.strictness >= alone.strictness


@given(reference.layer("top"), reference.layer("ws"), reference.TOOLS, reference.CALLERS, reference.ARGUMENTS)
def test_what_is_hidden_is_always_blocked(
    top: Layer, workspace: Layer, tool: ToolFacts, caller: Caller, arguments: dict[str, int]
) -> None:
    compiled = policies(top, workspace)
    if not compiled.visible(tool, caller):
        assert compiled.decide(tool, caller, arguments).action == "block"


@given(reference.layer("top"), reference.TOOLS, reference.CALLERS, reference.ARGUMENTS)
def test_what_does_not_depend_on_arguments_is_known_before(
    top: Layer, tool: ToolFacts, caller: Caller, arguments: dict[str, int]
) -> None:
    compiled = policies(top)
    before = compiled.decide(tool, caller, None)
    if not before.conditional:
        assert compiled.decide(tool, caller, arguments).action == before.action


@pytest.mark.parametrize(
    ("rules", "default", "action"),
    [
        ((Rule("a", "api.*", "approve"),), "none", "require_approval"),
        ((Rule("a", "api.*", "block"),), "none", "block"),
        ((), "reads", "approve"),
    ],
)
def test_a_name_that_stood_for_another_tool_is_approved_by_no_rule(
    rules: tuple[Rule, ...], default: ApproveByDefault, action: str
) -> None:
    tool = ToolFacts("api.org.main.x", "api", "read", default, "e.yaml:9", "GET /new", "DELETE /old")
    decision = compile_policies([Layer("policies", rules)]).decide(tool, Caller(), {})
    assert decision.action == action
    assert ("stood for `DELETE /old`" in (decision.reason or "")) == (action == "require_approval")


@pytest.mark.parametrize(
    ("pattern", "default", "action"),
    [
        ("*", "none", "require_approval"),
        ("api.*", "none", "require_approval"),
        ("api.*.*.exec*", "none", "require_approval"),
        ("api.*.*.execute", "none", "approve"),
        ("api.org.main.execute", "none", "approve"),
        ("other.*", "all", "require_approval"),
        ("other.*", "reads", "require_approval"),
    ],
)
def test_a_tool_that_runs_code_is_approved_only_by_its_full_name(
    pattern: str, default: ApproveByDefault, action: str
) -> None:
    tool = ToolFacts("api.org.main.execute", "api", "read", default, runs_code=True)
    assert policies(rules(Rule("a", pattern, "approve"))).decide(tool, Caller(), {}).action == action
    assert policies(rules(Rule("a", pattern, "block"))).decide(tool, Caller(), {}).action == (
        "block" if pattern[0] != "o" else "require_approval"
    )
