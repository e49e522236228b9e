"""What a config says of tools, once they are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from policies import KnownTools
from proxy.config.locations import Finding
from proxy.config.semantics.tools import MOST_SCHEMAS, MOST_SUGGESTIONS, ToolsAsKnown, check_tools
from tests.proxy.config.texts import valid

HEAD = """version: 1
integrations:
  t:
    kind: openapi
    spec: {url: https://t.example.com/openapi.json}%s
  m: {kind: mcp, type: local, command: [m]}
connections:
  t.org.main: {}
  t.user.me: {}
  m.org.main: {}
"""
TOOLS = ("t.hello", "t.write", "repos.get", "repos.delete", "repos.deleteFile", "transfers.create")
TRANSFER = {
    "type": "object",
    "properties": {
        "amount": {"type": "number"},
        "body": {"type": "object", "properties": {"id": {}}, "additionalProperties": False},
    },
    "additionalProperties": False,
}
NONE: Mapping[str, Any] = {"type": "object", "properties": {}}


def schema(prefix: str, name: str) -> Mapping[str, Any]:
    return TRANSFER if name == "transfers.create" else NONE


def known(names: Sequence[str] = TOOLS, why: str | None = None) -> ToolsAsKnown:
    """`why` the tools of `m` are not known."""
    tools = {"t.org.main": names, "t.user.me": names} | ({} if why else {"m.org.main": ("delete_file",)})
    return ToolsAsKnown(KnownTools(tools, {"m.org.main": why} if why else {}), schema, {"t": names})


def found(text: str, tools: ToolsAsKnown | None = None) -> list[Finding]:
    view = valid(text).view
    assert view is not None
    return [finding for _, finding in check_tools(view, tools or known()).findings]


def rule(text: str, filters: str = "") -> str:
    return HEAD % filters + f"policies:\n  - {{{text}}}\n"


def test_another_owner_is_not_called_left_out() -> None:
    """The source offers the tool; what is wrong is the owner, not `include`."""
    only = ToolsAsKnown(KnownTools({"t.org.main": TOOLS}, {}), schema, {"t": TOOLS})
    (one,) = found(rule("id: r, pattern: t.user.*.repos.delete, action: block"), only)
    assert (one.code, one.help) == ("W609", "did you mean `t.*.*.repos.delete`?")


@pytest.mark.parametrize(
    ("pattern", "help"),
    [
        # Recipe 13 and its kind.
        ("t.org.main.hello", "did you mean `t.org.main.t.hello`?"),
        ("t.*.*.t.get*", "there are: t.hello, t.write, repos.get, repos.delete and 2 more"),
        ("t.*.*.t.nope", "there are: t.hello, t.write, repos.get, repos.delete and 2 more"),
        ("t.*.*.repos.delet", "did you mean `t.*.*.repos.delete`?"),
        ("t.*.*.REPOS.delete", "did you mean `t.*.*.repos.delete`?"),
        ("tools.t.*.*.repo.*", "did you mean `t.*.*.repos.*`?"),
        ("m.*.*.deleteFile", "did you mean `m.*.*.delete_file`?"),
        ("m.user.*", "did you mean `m.*.*.*`?"),
    ],
)
def test_a_rule_that_matches_no_tool(pattern: str, help: str) -> None:
    (one,) = found(rule(f"id: r, pattern: {pattern}, action: block"))
    assert (one.code, one.path, one.message, one.help) == (
        "W609", ("policies", 0, "pattern"), "rule `r` matches no tool", help,
    )  # fmt: skip


@pytest.mark.parametrize(
    "pattern", ["'*'", "t.*", "t.org.main.t.hello", "t.*.*.repos.delete*", "m.*.*.delete_file"]
)
def test_a_rule_that_matches_one(pattern: str) -> None:
    assert found(rule(f"pattern: {pattern}, action: block")) == []


def test_nothing_is_claimed_of_tools_that_are_not_known() -> None:
    text = rule("pattern: m.*.*.nope, action: block")
    assert len(found(text)) == 1
    assert found(text, known(why="not started")) == []
    assert len(found(rule("pattern: t.*.*.nope, action: block"), known(why="not started"))) == 1


def test_what_was_not_checked_is_told() -> None:
    def unchecked(text: str) -> Mapping[str, str]:
        view = valid(text).view
        assert view is not None
        return check_tools(view, known(why="not started")).unchecked

    assert unchecked(rule("pattern: t.*.*.nope, action: block")) == {}
    for text in ("pattern: m.*.*.nope, action: block", "pattern: m.*, action: block, when: {a: {equals: 1}}"):
        assert unchecked(rule(text)) == {"m.org.main": "not started"}
    filters = HEAD.replace("command: [m]", "command: [m], include: [x]") % ""
    assert unchecked(filters) == {"m.org.main": "not started"}


def test_conditions_over_more_tools_than_are_looked_into_are_told() -> None:
    view = valid(rule("pattern: 't.*', action: block, when: {zzz: {equals: 5}}")).view
    assert view is not None
    many = [f"t.n{number}" for number in range(MOST_SCHEMAS + 1)]
    told = check_tools(view, known(many)).unchecked
    assert set(told) <= {"t.org.main", "t.user.me"}
    assert told["t.org.main"] == "conditions were compared with the arguments of 400 tools only"


def test_rules_of_a_workspace_see_its_tools() -> None:
    text = (
        HEAD % ""
        + "workspaces:\n  a: {integrations: [m], policies: [{pattern: %s, action: block}]}\n  b: {}\n"
    )
    assert found(text % "m.*") == []
    (one,) = found(text % "t.*.*.repos.delete")
    assert one.message == "rule `policies[0]` matches no tool of workspace `a`"
    assert (one.path, one.help) == (("workspaces", "a", "policies", 0, "pattern"), "it does not use `t`")


def test_an_integration_without_connections_has_no_tools() -> None:
    text = rule("pattern: t.*, action: block").replace("  t.org.main: {}\n  t.user.me: {}\n", "")
    (one,) = found(text, ToolsAsKnown(KnownTools({}, {}), schema))
    assert one.help == "`t` has no connection"


@pytest.mark.parametrize(
    ("when", "help"),
    [
        ("amount: {at_most: 5}", None),
        ("body.id: {equals: 5}", None),
        ("amout: {at_most: 5}", "did you mean `amount`?"),
        ("Amount: {exists: false}", "did you mean `amount`?"),
        ("body.ids: {equals: 5}", "did you mean `body.id`?"),
        ("zzz: {equals: 5}", "known: amount, body"),
    ],
)
def test_a_condition_on_an_argument_that_no_matched_tool_has(when: str, help: str | None) -> None:
    findings = found(rule(f"id: r, pattern: 't.*', action: block, when: {{{when}}}"))
    assert [(one.code, one.help) for one in findings] == ([("W610", help)] if help else [])
    if help and "did" in help:
        name = when.partition(":")[0]
        assert findings[0].message == f"no tool that rule `r` matches has an argument `{name}`"
        assert (findings[0].path, findings[0].at) == (("policies", 0, "when", name), "key")


def test_filters_are_compared_with_all_that_is_offered() -> None:
    text = (
        HEAD
        % "\n    include: [repos.*, repo.get, transfers.*]\n    exclude: [t.*, t.org.main.repos.get, nope]"
    )
    findings = found(text, known(("repos.get", "repos.delete")))
    assert [(one.path[2:], one.help) for one in findings] == [
        (("include", 1), "did you mean `repos.get`?"),
        (("include", 2), "there are: repos.get, repos.delete"),
        (("exclude", 0), "there are: repos.get, repos.delete"),
        (("exclude", 1), "write only the tool's name: `repos.get`"),
        (("exclude", 2), "there are: repos.get, repos.delete"),
    ]
    assert found(text, ToolsAsKnown(KnownTools({}, {"t.org.main": "down"}), schema)) == []


def test_rate_limits_and_probes() -> None:
    limits = (
        "rate_limits:\n  w: {per: tool, applies_to: tool_calls, limit: 1/minute, pattern: t.*.*.writes}\n"
    )
    (limit,) = found(HEAD % "" + limits)
    assert (limit.path, limit.message) == (("rate_limits", "w", "pattern"), "rate limit `w` matches no tool")
    (probe,) = found(HEAD % "\n    health: {tool: repos.gett}")
    assert (probe.path, probe.help) == (("integrations", "t", "health", "tool"), "did you mean `repos.get`?")


def test_packs_are_checked_as_a_whole() -> None:
    pack = "pack: github-guardrails, integration: t"
    (one,) = found(rule(pack))
    assert one.code == "W609"
    assert one.path == ("policies", 0, "pack")
    assert "rules of pack `github-guardrails` match no tool: " in one.message
    assert found(rule(pack, "\n    include: ['*']")) == []
    (none,) = found(rule(pack, "\n    include: ['*']"), known(("a.b",)))
    assert none.message.partition(" rules")[0] == "16 of 16"
    assert found(rule("pack: read-only, integration: t")) == []


def many(pattern: str, count: int = 1000) -> str:
    rules = "".join(f"  - {{pattern: {pattern % number}, action: block}}\n" for number in range(count))
    return HEAD % "" + "policies:\n" + rules


NAMES = tuple(f"group{n % 60}.verb{n}Thing" for n in range(5_000))


def test_a_thousand_rules_over_five_thousand_tools_are_checked_with_bounded_work() -> None:
    assert found(many("t.*.*.*.verb%dThing"), known(NAMES)) == []
    dead = found(many("t.*.*.*.verb%dThong"), known(NAMES))
    assert len(dead) == 1000
    suggested = [one for one in dead if one.help and one.help.startswith("did you mean")]
    assert len(suggested) == MOST_SUGGESTIONS
