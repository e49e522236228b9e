import pytest

from policies import Caller, Condition, ConditionError, Rule, RuleError, ToolFacts
from policies.compiled_rule import CompiledRule

TOOL = ToolFacts("api.org.main.x", "api", "write", "reads")


def note(rule: Rule, caller: Caller = Caller(), arguments: dict[str, object] | None = None) -> str | None:  # noqa: B008
    skipped = CompiledRule(rule).skipped(TOOL, caller, arguments)
    return skipped.note if skipped is not None else None


@pytest.mark.parametrize(
    ("principals", "caller", "fits"),
    [
        ((), Caller(), True),
        (("key:bot",), Caller(key="bot"), True),
        (("key:bot",), Caller(user="bot"), False),
        (("user:eva",), Caller(user="eva"), True),
        (("user:eva",), Caller(groups=frozenset({"eva"})), False),
        (("group:ci",), Caller(key="k", groups=frozenset({"ci", "ops"})), True),
        (("group:ci",), Caller(key="ci"), False),
        (("anonymous",), Caller(anonymous=True), True),
        (("anonymous",), Caller(), False),
        (("key:a", "group:ci"), Caller(key="b", groups=frozenset({"ci"})), True),
        (("user:a:b",), Caller(user="a:b"), True),
    ],
)
def test_principals(principals: tuple[str, ...], caller: Caller, fits: bool) -> None:
    said = note(Rule("r", "api.*", "block", principals=principals), caller)
    assert said == (None if fits else f"only for {', '.join(principals)}")


def test_the_risk_filter_says_what_the_tool_is() -> None:
    assert note(Rule("r", "*", "block", risk=("write", "read"))) is None
    assert (
        note(Rule("r", "*", "block", risk=("destructive",))) == "risk is write, the rule is for destructive"
    )


def test_the_first_condition_that_fails_is_named() -> None:
    rule = Rule("r", "*", "approve", when={"owner": Condition(equals="a"), "repo": Condition(equals="b")})
    assert note(rule, arguments={"owner": "a", "repo": "b"}) is None
    assert note(rule, arguments={"owner": "a", "repo": "c"}) == "`repo` does not hold"
    assert note(rule, arguments={"owner": "x", "repo": "c"}) == "`owner` does not hold"
    assert note(rule, arguments=None) == "depends on `owner`, `repo`"


@pytest.mark.parametrize(
    "rule",
    [
        Rule("r", "api.x.y", "block", source="e.yaml:3"),
        Rule("r", "*", "block", when={"a": Condition(matches="(")}, source="e.yaml:3"),
        Rule("r", "*", "block", when={"a..b": Condition(equals=1)}, source="e.yaml:3"),
        Rule("r", "*", "block", principals=("ci",), source="e.yaml:3"),
        Rule("r", "*", "block", principals=("team:ci",), source="e.yaml:3"),
    ],
)
def test_a_rule_that_cannot_be_compiled_names_its_place(rule: Rule) -> None:
    with pytest.raises(RuleError, match=r"rule r \(e.yaml:3\): "):
        CompiledRule(rule)


def test_failures_repeat_no_values() -> None:
    compiled = CompiledRule(Rule("r", "*", "approve", disclose=False))
    failed = compiled.failed(TypeError("the value was hunter2"))
    assert (failed.action, failed.error, failed.disclose) == ("block", "TypeError", False)
    assert (
        compiled.failed(ConditionError("`a.b` can be read in 2 ways")).error == "`a.b` can be read in 2 ways"
    )


@pytest.mark.parametrize(
    ("condition", "value", "why"),
    [
        (Condition(equals=42), "42", "`a` is text, and the condition names another type"),
        (Condition(at_most=100), "1", "`a` is text, and the condition compares a number"),
        (
            Condition(not_in=("x",)),
            {"_tag": "ToolFile"},
            "`a` is a file, and the condition names another type",
        ),
        (Condition(matches="x"), 1, "`a` is a number, and the condition compares text"),
    ],
)
def test_what_cannot_be_judged_holds_for_no_rule_that_approves_and_stops_the_others(
    condition: Condition, value: object, why: str
) -> None:
    said = note(Rule("r", "*", "approve", when={"a": condition}), arguments={"a": value})
    assert said == f"{why}, which cannot be judged"
    for action in ("block", "require_approval"):
        rule = Rule("r", "*", action, when={"a": condition, "b": Condition(equals=1)})
        with pytest.raises(ConditionError, match="cannot be judged"):
            note(rule, arguments={"a": value, "b": 1})
        assert note(rule, arguments={"a": value, "b": 2}) == "`b` does not hold"
