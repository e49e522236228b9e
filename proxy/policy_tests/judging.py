"""One test against one generation, judged as a server judges a call: the same catalog, arguments and rules.

A test that tests nothing fails: a tool, rule, workspace or key that does not exist, arguments that the tool does not
take, and a rule that depends on arguments which the test does not give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from integrations.base import InvalidArguments, UnknownTool
from policies import Decision, ToolFacts
from proxy.catalog import Ambiguous, CatalogTool, Missing
from proxy.config.callers import full_names
from proxy.config.model import Config
from proxy.config.packs import rules_of
from proxy.policy_tests.model import PolicyTest, TestCaller
from proxy.principal import Principal
from proxy.workspace import Generation, Workspace


@dataclass(frozen=True, slots=True)
class Verdict:
    """`problem` is empty when the test passed. `decision` is None where nothing could be decided."""

    problem: str
    decision: Decision | None = None

    @property
    def passed(self) -> bool:
        return not self.problem


class _Untestable(Exception):
    """Why nothing can be decided."""


@dataclass(frozen=True, slots=True)
class TestJudge:
    """`absent`: by connection, why its tools are not known. Those that `executor.lock` has are judged by it."""

    __test__ = False

    generation: Generation
    absent: Mapping[str, str]

    def judge(self, test: PolicyTest) -> Verdict:
        try:
            decision = self._decide(test)
        except _Untestable as why:
            return Verdict(str(why))
        return Verdict(self._difference(test, decision), decision)

    def _decide(self, test: PolicyTest) -> Decision:
        self._check_rule(test.expect.rule)
        principal, workspace = self._caller(test.as_)
        reviewed = self._reviewed(workspace, test.tool.removeprefix("tools."))
        if reviewed is not None:
            return _decided_by_lock(workspace, reviewed, principal, test)
        tool = self._tool(workspace, test)
        arguments = None if test.arguments is None else sent_arguments(workspace, tool, test.arguments)
        if isinstance(arguments, str):
            raise _Untestable(arguments)
        decision = workspace.decide(tool, principal.caller(), arguments)
        if arguments is None and decision.conditional:
            notes = [one.note for one in decision.considered if one.note.startswith("depends on")]
            raise _Untestable(f"this rule {notes[0]}: give `arguments`" if notes else "give `arguments`")
        return decision

    def _difference(self, test: PolicyTest, decision: Decision) -> str:
        want = test.expect
        decided = f"{decision.rule_id}, {decision.rule_source}"
        if decision.action != want.action:
            return f"want {want.action}, got {decision.action} ({decided})"
        if want.rule is not None and want.rule not in (decision.rule_id, decision.rule_id.partition(":")[0]):
            return f"want {want.action} by `{want.rule}`, but it never came to that rule: {decided} decides"
        return ""

    # ---- what a test names must exist ------------------------------------------------------------------------------
    def _check_rule(self, rule: str | None) -> None:
        known = [*rule_ids(self.generation.config), "approve_by_default"]
        if rule is not None and rule.partition(":")[0] not in known and rule not in known:
            raise _Untestable(f"there is no rule `{rule}`{_near(rule, known)}")

    def _caller(self, given: TestCaller) -> tuple[Principal, Workspace]:
        config = self.generation.config
        if given.key is not None and given.user is not None:
            raise _Untestable("a caller is one of `key` and `user`")
        groups, named = frozenset(given.groups), given.workspace
        if given.key is not None:
            groups, named = _key(config, given.key, groups, named)
            account, kind = f"key:{given.key}", "key"
        elif given.user is not None:
            account, kind = full_names(config.auth, [f"user:{given.user}"])[0], "user"
        else:
            account, kind = "local", "local"
        workspace = self._workspace(named)
        return Principal(workspace.id, account, kind, groups), workspace  # type: ignore[arg-type]

    def _workspace(self, named: str | None) -> Workspace:
        known = list(self.generation.workspaces)
        if named is None and len(known) > 1:
            raise _Untestable(f"there are several workspaces: as: {{workspace: ...}} ({', '.join(known)})")
        found = self.generation.workspace(named or known[0])
        if found is None:
            raise _Untestable(f"there is no workspace `{named}`{_near(str(named), known)}")
        return found

    def _tool(self, workspace: Workspace, test: PolicyTest) -> CatalogTool:
        found = workspace.catalog.find(test.tool)
        if isinstance(found, Ambiguous):
            raise _Untestable(f"`{test.tool}` is ambiguous: {', '.join(found.addresses)}")
        if isinstance(found, Missing):
            raise _Untestable(
                f"want {test.expect.action}, got unknown: {self._missing(workspace, test, found)}"
            )
        return found

    def _reviewed(self, workspace: Workspace, address: str) -> ToolFacts | None:
        """The tool as it was reviewed, where its connection cannot be asked here."""
        prefix = ".".join(address.split(".")[:3])
        used = self.generation.config.workspaces.get(workspace.id)
        seen = used is None or used.integrations is None or prefix.partition(".")[0] in used.integrations
        return workspace.reviewed(address) if seen and prefix in self.absent else None

    def _missing(self, workspace: Workspace, test: PolicyTest, missing: Missing) -> str:
        prefix = ".".join(test.tool.removeprefix("tools.").split(".")[:3])
        why = self.absent.get(prefix)
        if why is not None:
            return f"the tools of `{prefix}` are not known here ({why}); use --online"
        hint = f"; did you mean `{missing.suggestions[0]}`?" if missing.suggestions else ""
        seen = "" if prefix in workspace.connections else f" in workspace `{workspace.id}`"
        return f"no tool `{test.tool}`{seen}{hint}"


def _decided_by_lock(
    workspace: Workspace, facts: ToolFacts, principal: Principal, test: PolicyTest
) -> Decision:
    """The lock has no schemas, so arguments cannot be what makes a test pass."""
    decision = workspace.decide_on(facts, principal.caller(), None)
    if test.arguments is not None or decision.conditional:
        needs = (
            "its arguments cannot be checked" if test.arguments is not None else "a rule asks for arguments"
        )
        raise _Untestable(
            f"`{facts.address}` is known from executor.lock only, and {needs}: use --online, or "
            "`executor lock --vendor`"
        )
    return decision


def _key(
    config: Config, name: str, groups: frozenset[str], workspace: str | None
) -> tuple[frozenset[str], str | None]:
    """The groups and the workspace of a key. Signed keys carry what they may; the test says it."""
    auth = config.auth
    keys = auth.api_keys.keys if auth is not None and auth.api_keys is not None else {}
    found = keys.get(name)
    if found is None:
        if auth is not None and auth.api_keys is not None and auth.api_keys.signing is not None:
            return groups, workspace
        raise _Untestable(f"there is no key `{name}` in auth.api_keys.keys{_near(name, list(keys))}")
    if groups and groups != frozenset(found.groups):
        raise _Untestable(f"key `{name}` has other groups: {', '.join(found.groups) or 'none'}")
    if workspace is not None and found.workspace is not None and workspace != found.workspace:
        raise _Untestable(f"key `{name}` works in workspace `{found.workspace}` only")
    return frozenset(found.groups), found.workspace or workspace


def sent_arguments(
    workspace: Workspace, tool: CatalogTool, arguments: Mapping[str, Any]
) -> Mapping[str, Any] | str:
    """The arguments exactly as they would be sent, which is what rules judge; or why they would not be."""
    upstream = workspace.connections[tool.prefix].upstream
    assert upstream is not None, "a tool of the catalog has an upstream"
    try:
        return upstream.prepare(tool.name, dict(arguments)).arguments
    except InvalidArguments as wrong:
        return f"the arguments do not fit the tool: {wrong}"
    except UnknownTool:
        return f"the upstream has no tool `{tool.name}`"


def _near(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean `{close[0]}`?" if close else f"; there are: {', '.join(known[:8]) or 'none'}"


def rule_ids(config: Config) -> list[str]:
    """Every rule as reports call it: its id, or its place."""
    layers = [("policies", config.policies)]
    layers += [(f"workspaces.{name}.policies", one.policies) for name, one in config.workspaces.items()]
    return list(
        dict.fromkeys(
            rule.id or f"{path}[{index}]" for path, entries in layers for index, rule in rules_of(entries)
        )
    )
