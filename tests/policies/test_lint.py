from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import (
    Caller,
    Condition,
    Layer,
    Rule,
    ToolFacts,
    compile_policies,
    index,
    lint,
    parse_pattern,
    shadowed,
)
from policies.patterns import segment_matches
from tests.policies import reference

SOME = {"a": Condition(equals=1)}


def pairs(*rules: Rule) -> list[tuple[str, str]]:
    return [(later.id, earlier.id) for later, earlier in shadowed(rules)]


@pytest.mark.parametrize(
    ("earlier", "later", "hidden"),
    [
        (Rule("a", "api.*", "approve"), Rule("b", "api.org.main.x", "block"), True),
        (Rule("a", "*", "approve"), Rule("b", "*", "block", when=SOME, principals=("key:x",)), True),
        (Rule("a", "api.org.*", "approve"), Rule("b", "api.*", "block"), False),
        (Rule("a", "api.*", "approve", when=SOME), Rule("b", "api.*", "block"), False),
        (Rule("a", "api.*", "approve", principals=("key:x",)), Rule("b", "api.*", "block"), False),
        (
            Rule("a", "*", "approve", principals=("key:x", "key:y")),
            Rule("b", "*", "block", principals=("key:x",)),
            True,
        ),
        (
            Rule("a", "*", "approve", principals=("key:x",)),
            Rule("b", "*", "block", principals=("key:x", "key:y")),
            False,
        ),
        (Rule("a", "*", "approve", risk=("read",)), Rule("b", "*", "block"), False),
        (Rule("a", "*", "approve", risk=("read", "write")), Rule("b", "*", "block", risk=("write",)), True),
    ],
)
def test_shadowed(earlier: Rule, later: Rule, hidden: bool) -> None:
    assert pairs(earlier, later) == ([("b", "a")] if hidden else [])
    assert pairs(later, later) == ([] if later.when else [("b", "b")])


def test_each_hidden_rule_names_the_first_that_hides_it() -> None:
    rules = [Rule("a", "api.*", "approve"), Rule("b", "*", "approve"), Rule("c", "api.org.main.x", "block")]
    assert pairs(*rules) == [("c", "a")]


@given(st.lists(reference.RULES, max_size=8), reference.TOOLS, reference.CALLERS, reference.ARGUMENTS)
def test_a_hidden_rule_never_decides(
    rules: list[Rule], tool: ToolFacts, caller: Caller, arguments: dict[str, int]
) -> None:
    decision = compile_policies([Layer("policies", tuple(rules))]).decide(tool, caller, arguments)
    assert decision.rule_id not in {later.id for later, _ in shadowed(rules)}


SHAPES = {
    "one tool each": lambda n: Rule(f"r{n}", f"api.org.main.tool{n}", "block"),
    "one glob each": lambda n: Rule(f"r{n}", f"api.*.*.g{10_000 + n}*", "block"),
    "one principal each": lambda n: Rule(f"r{n}", "api.*", "block", principals=(f"key:k{n}",)),
    "one integration each": lambda n: Rule(f"r{n}", f"api{n}.*", "block"),
    "conditions": lambda n: Rule(f"r{n}", "api.*", "block", when=SOME),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_work_grows_with_the_rules_and_not_with_their_pairs(
    shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {"parsed": 0, "compared": 0, "tried": 0}

    def counting(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            counts[name] += 1
            return real(*arguments)

        return call

    monkeypatch.setattr(lint, "parse_pattern", counting("parsed", parse_pattern))
    monkeypatch.setattr(lint, "_admits_all_of", counting("compared", lint._admits_all_of))
    monkeypatch.setattr(index, "segment_matches", counting("tried", segment_matches))
    rules = [SHAPES[shape](n) for n in range(2000)]
    assert shadowed(rules) == []
    assert counts["parsed"] == len(rules)
    assert counts["compared"] + counts["tried"] <= len(rules)
