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
