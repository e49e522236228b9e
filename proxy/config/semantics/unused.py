"""What of a config nobody can use, and what nobody has thought of: connections that are reached by no caller (W615),
and integrations whose writes no rule mentions (W614)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from policies import KnownTools, Pattern, parse_pattern
from proxy.config.locations import Finding
from proxy.config.nodes import Path
from proxy.config.policy import RuleConfig
from proxy.config.semantics.view import ConfigView

_WRITES = frozenset({"write", "destructive"})
_ANY = "*"


def unused_connections(view: ConfigView) -> Iterator[Finding]:
    """Connections of integrations that every workspace leaves out."""
    config = view.config
    lists = [one.integrations for one in config.workspaces.values()]
    seen = None if not lists or None in lists else {name for names in lists for name in names or ()}
    for prefix in config.connections:
        path: Path = ("connections", prefix)
        name = prefix.partition(".")[0]
        if seen is not None and name not in seen:
            message = (
                f"connection `{prefix}` is used by nobody: no workspace has `{name}` in its `integrations`"
            )
            yield Finding("W615", path, message, "add it to a workspace, or remove the connection", "key")


def unmentioned_writes(
    view: ConfigView, tools: KnownTools, writes: Mapping[str, Collection[str]]
) -> Iterator[tuple[str, Finding]]:
    """Integrations whose tools that write no rule reaches, where there are rules, or where they run unasked. `writes`:
    by connection, as far as its tools are known."""
    rules = [rule for _, layer in view.layers() for _, rule in layer]
    reaching = _by_integration(rules)
    found: dict[str, dict[str, Collection[str]]] = {}
    for prefix, names in writes.items():
        found.setdefault(prefix.partition(".")[0], {})[prefix] = names
    for name, by_prefix in found.items():
        default = view.config.integrations[name].approve_by_default
        count = len({tool for names in by_prefix.values() for tool in names})
        if not count or not (rules or default == "all"):
            continue
        known = KnownTools(by_prefix, {})
        about = (*reaching.get(name, ()), *reaching.get(_ANY, ()))
        if any(known.reaches(pattern) or _is_dead(pattern, name, tools) for pattern in about):
            continue
        one = "1 tool that writes" if count == 1 else f"{count} tools that write"
        becomes = "they run unasked" if default == "all" else "they ask"
        message = f"no rule mentions the {one} of `{name}`: by `approve_by_default: {default}` {becomes}"
        help = f"say so in a rule, such as {{pattern: {name}.*, risk: [write, destructive], action: require_approval}}"
        yield name, Finding("W614", ("integrations", name), message, help, "key")


def _by_integration(rules: Sequence[RuleConfig]) -> dict[str, list[Pattern]]:
    """The patterns of rules that may be about writes: under the integration that they name, or under `_ANY`."""
    found: dict[str, list[Pattern]] = {}
    for pattern in (parse_pattern(rule.pattern) for rule in rules if _may_be_about_writes(rule)):
        name = pattern.integration or _ANY
        found.setdefault(_ANY if "*" in name else name, []).append(pattern)
    return found


def _is_dead(pattern: Pattern, integration: str, tools: KnownTools) -> bool:
    """A rule that was meant for this integration and is misspelt is told as such (W609)."""
    return pattern.integration == integration and not tools.reaches(pattern)


def _may_be_about_writes(rule: RuleConfig) -> bool:
    return rule.risk is None or bool(_WRITES & set(rule.risk))
