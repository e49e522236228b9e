"""The policy language once more, as simply as it can be written: what the real one is compared with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from policies import Action, Caller, Condition, Layer, Rule, ToolFacts

ORDER: dict[Action, int] = {"approve": 0, "require_approval": 1, "block": 2}


def matches(pattern: str, address: str) -> bool:
    """By regular expression, which the product does not use."""
    pattern = pattern.removeprefix("tools.")
    if pattern == "*":
        return True
    below = pattern.endswith(".*")
    body = re.escape(pattern.removesuffix(".*") if below else pattern).replace(r"\*", "[^.]*")
    return re.fullmatch(body + (r"(\..*)?" if below else ""), address) is not None


def applies(rule: Rule, tool: ToolFacts, caller: Caller, arguments: Mapping[str, Any]) -> bool:
    words = {f"group:{group}" for group in caller.groups}
    words |= {f"key:{caller.key}"} if caller.key else set()
    words |= {f"user:{caller.user}"} if caller.user else set()
    words |= {"anonymous"} if caller.anonymous else set()
    return (
        matches(rule.pattern, tool.address)
        and (not rule.risk or tool.risk in rule.risk)
        and (not rule.principals or bool(words & set(rule.principals)))
        and all(name in arguments and arguments[name] == test.equals for name, test in rule.when.items())
    )


def decide(layers: Sequence[Layer], tool: ToolFacts, caller: Caller, arguments: Mapping[str, Any]) -> Action:
    """Every rule of every layer is tried, in order."""
    winners: list[Action] = []
    for number, layer in enumerate(layers or [Layer("policies", ())]):
        found: list[Action] = [rule.action for rule in layer.rules if applies(rule, tool, caller, arguments)]
        if found:
            winners.append(found[0])
        elif number == 0:
            runs = tool.approve_by_default == "all" or (
                tool.approve_by_default == "reads" and tool.risk == "read"
            )
            default: Action = "approve" if runs else "require_approval"
            winners.append(default)
    return max(winners, key=lambda action: ORDER[action])


NAMES = st.sampled_from(["api", "crm", "files"])
OWNERS = st.sampled_from(["org", "user"])
CONNECTIONS = st.sampled_from(["main", "other"])
WORDS = st.sampled_from(["repos", "issues", "create", "created", "create_all", "get"])
GLOBS = st.sampled_from(["create*", "*s", "c*e*", "*", "re*os", "*ate*"])

ADDRESSES = st.builds(
    lambda head, tail: ".".join((*head, *tail)),
    st.tuples(NAMES, OWNERS, CONNECTIONS),
    st.lists(WORDS, min_size=1, max_size=3),
)


@st.composite
def _patterns(draw: st.DrawFn) -> str:
    """Only patterns that are allowed."""
    head = [draw(NAMES), draw(OWNERS | st.just("*")), draw(CONNECTIONS | st.just("*"))]
    tail = draw(st.lists(WORDS | GLOBS, max_size=3))
    parts = head + tail if tail else head[: draw(st.integers(1, 3))]
    below = draw(st.booleans()) or len(parts) < 4
    return draw(st.sampled_from(["", "tools."])) + ".".join(parts) + (".*" if below else "")


PATTERNS = st.just("*") | _patterns()
PRINCIPALS = st.lists(
    st.sampled_from(["key:bot", "user:eva", "group:ci", "group:ops", "anonymous"]), max_size=2
)
ARGUMENTS = st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 2), max_size=2)
CONDITIONS = st.dictionaries(
    st.sampled_from(["a", "b"]), st.integers(0, 2).map(lambda n: Condition(equals=n)), max_size=1
)
ACTIONS: st.SearchStrategy[Action] = st.sampled_from(["block", "require_approval", "approve"])
CALLERS = st.builds(
    Caller,
    key=st.none() | st.just("bot"),
    user=st.none() | st.just("eva"),
    groups=st.frozensets(st.sampled_from(["ci", "ops"])),
    anonymous=st.booleans(),
)
RULES = st.builds(
    Rule,
    id=st.uuids().map(str),
    pattern=PATTERNS,
    action=ACTIONS,
    principals=PRINCIPALS.map(tuple),
    when=CONDITIONS,
    risk=st.frozensets(st.sampled_from(["read", "write", "destructive"]), max_size=2),
)
TOOLS = st.builds(
    ToolFacts,
    address=ADDRESSES,
    integration=st.just("api"),
    risk=st.sampled_from(["read", "write", "destructive"]),
    approve_by_default=st.sampled_from(["reads", "all", "none"]),
)


def layer(name: str) -> st.SearchStrategy[Layer]:
    return st.lists(RULES, max_size=6).map(lambda rules: Layer(name, tuple(rules)))
