"""Lint: what is valid and probably not meant (W6xx). Only asked for when there are no errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from integrations import McpLocal
from policies.lint import hidden
from proxy.config.callers import AuthConfig
from proxy.config.locations import Finding
from proxy.config.nodes import Path, SourceNode
from proxy.config.packs import PackRule, PackUse
from proxy.config.policy import RuleConfig
from proxy.config.semantics.callers import absent
from proxy.config.semantics.overrides import idle_overrides
from proxy.config.semantics.safety import authenticates
from proxy.config.semantics.unused import unused_connections
from proxy.config.semantics.view import ConfigView


def advise(view: ConfigView) -> Iterator[Finding]:
    yield from _rules(view)
    for _, entries in view.entries():
        for path, entry in entries:
            yield from _dead_principals(view, path, entry)
    yield from _roles(view)
    yield from idle_overrides(view)
    yield from _unconnected(view)
    yield from unused_connections(view)
    yield from _idle_limits(view)
    yield from _templates(view.root, ())
    yield from _anonymous(view)
    yield from _expired(view)


def _rules(view: ConfigView) -> Iterator[Finding]:
    for _, rules in view.layers():
        for path, rule in rules:
            yield from _approves_everything(path, rule)
        for later, earlier in hidden([rule for _, rule in rules]):
            path, rule = rules[later]
            if not isinstance(rule, PackRule):
                related = (("the rule that always wins", (*rules[earlier][0], "pattern")),)
                message = f"rule `{_name(path, rule)}` can never apply: an earlier rule matches all of it"
                yield Finding(
                    "W601", (*path, "pattern"), message, "move it up, or remove it", related=related
                )


def _name(path: Path, rule: RuleConfig | PackUse) -> str:
    return rule.id or f"policies[{path[-1]}]"


def _approves_everything(path: Path, rule: RuleConfig) -> Iterator[Finding]:
    limited = rule.when or rule.principals is not None or rule.risk is not None
    if rule.action == "approve" and rule.pattern.removeprefix("tools.") == "*" and not limited:
        help = "name the integrations, or add `risk: [read]`"
        yield Finding("W604", (*path, "pattern"), "this rule approves every tool, deletions too", help)


def _dead_principals(view: ConfigView, path: Path, rule: RuleConfig | PackUse) -> Iterator[Finding]:
    """A principal that nobody can be: the rule does not apply to those it was written for."""
    for index, principal in enumerate(rule.principals or ()):
        why = absent(view.config.auth, principal)
        if why is not None:
            message = f"rule `{_name(path, rule)}` can never apply to `{principal}`: {why[0]}"
            yield Finding("W601", (*path, "principals", index), message, why[1])


def _roles(view: ConfigView) -> Iterator[Finding]:
    """Entries of roles that nobody can be. Without an `auth` section the approver's token is minted. Approvers of whom
    none can be anybody are the worse case, whether a rule wants a person already or not."""
    auth = view.config.auth
    if auth is None:
        return
    dead = {role: list(_dead_entries(auth, role)) for role in ("admin", "approver")}
    nobody = len(dead["approver"]) == len(auth.roles.approver)
    asking = list(_asking(view)) if nobody else []
    if nobody and not asking and dead["approver"]:
        first, *others = dead.pop("approver")
        related = tuple(("and here", one.path) for one in others)
        yield Finding(
            "W607", first.path, f"nobody has the approver role: {first.message}", first.help, related=related
        )
    elif asking:
        why = f": {dead['approver'][0].message}" if dead["approver"] else ""
        related = tuple(("named here", one.path) for one in dead.pop("approver"))
        for path, rule in asking:
            message = f"rule `{_name(path, rule)}` wants another person's approval, and nobody has the approver role"
            help = "name who may in auth.roles.approver"
            yield Finding("W607", path, message + why, help, related=related)
    for findings in dead.values():
        yield from findings


def _dead_entries(auth: AuthConfig, role: str) -> Iterator[Finding]:
    for index, principal in enumerate(getattr(auth.roles, role)):
        why = absent(auth, principal)
        if why is not None:
            yield Finding(
                "W608", ("auth", "roles", role, index), f"`{principal}` is nobody: {why[0]}", why[1]
            )


def _asking(view: ConfigView) -> Iterator[tuple[Path, RuleConfig]]:
    """Rules that want a person. A pack's share the place that names the pack, which is reported once."""
    found = {path: rule for _, rules in view.layers() for path, rule in rules if rule.approver == "human"}
    yield from found.items()


def _unconnected(view: ConfigView) -> Iterator[Finding]:
    """Agents reach an integration through its connections, also where it needs no credential."""
    connected = {key.partition(".")[0] for key in view.config.connections}
    for name, integration in view.config.integrations.items():
        if name in connected or not getattr(integration, "enabled", True):
            continue
        local = isinstance(integration, McpLocal)
        auth = "" if local else f"auth: {{kind: bearer, token: {{env: {_variable(name)}}}}}"
        help = f"add one under `connections`, such as `{name}.org.main: {{{auth}}}`"
        if not local:
            help += f", or `{name}.org.main: {{}}` when it needs no credential"
        message = f"integration `{name}` has no connection, so agents get none of its tools"
        yield Finding("W611", ("integrations", name), message, help, "key")


def _idle_limits(view: ConfigView) -> Iterator[Finding]:
    """Who comes with the local token, or signs in, has no key to be counted by."""
    auth = view.config.auth
    keys = auth.api_keys if auth is not None else None
    if keys is not None and (keys.keys or keys.signing):
        return
    for name, limit in view.config.rate_limits.items():
        if limit.per == "key":
            message = f"rate limit `{name}` counts nobody: nobody calls with an API key"
            help = "write `per: user`, which counts every caller, or add keys under auth.api_keys.keys"
            yield Finding("W612", ("rate_limits", name, "per"), message, help)


def _variable(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper()) + "_TOKEN"


_TEMPLATE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*[^}]*\}|\{\{.*?\}\}")
# Prose, and documents that are not part of the config language.
_PROSE = frozenset({"description", "reason", "inline", "overrides", "source_url", "matches", "documents"})


def _templates(node: SourceNode, path: Path) -> Iterator[Finding]:
    children = node.children
    if isinstance(children, dict):
        for name, below in children.items():
            if name not in _PROSE and not (not path and name.startswith("x-")):
                yield from _templates(below, (*path, name))
    elif children is not None:
        for index, below in enumerate(children):
            yield from _templates(below, (*path, index))
    elif ("${" in node.text or "{{" in node.text) and (found := _TEMPLATE.search(node.text)):
        help = "there are no templates in this file; where a value may come from outside, write {env: NAME}"
        yield Finding("W603", path, f"`{found[0]}` looks like a template, but is taken literally", help)


def _anonymous(view: ConfigView) -> Iterator[Finding]:
    auth = view.config.auth
    if auth is not None and auth.anonymous and authenticates(auth):
        message = "`anonymous: true` makes the other ways to sign in pointless"
        yield Finding("W605", ("auth", "anonymous"), message, "whoever sends no credential is let in anyway")


def _expired(view: ConfigView) -> Iterator[Finding]:
    keys: dict[str, Any] = (
        dict(view.config.auth.api_keys.keys) if view.config.auth and view.config.auth.api_keys else {}
    )
    for name, key in keys.items():
        if key.expires is not None and key.expires <= view.now:
            path: Path = ("auth", "api_keys", "keys", name, "expires")
            yield Finding("W606", path, f"key `{name}` has expired", "remove it, or give it a later date")
