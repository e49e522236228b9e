"""Policies: duplicate ids, conditions that cannot be judged, patterns that can never match or name nothing
(E103, E206, E301, E303)."""

from __future__ import annotations

from collections.abc import Iterator

from policies import ConditionError, Pattern, PatternError, WholeMatch, parse_pattern, split_path
from proxy.config.locations import Finding
from proxy.config.nodes import Path
from proxy.config.packs import PackRule, PackUse
from proxy.config.semantics.references import unknown
from proxy.config.semantics.view import ConfigView
from proxy.config.suggestions import nearest_name


def check_rule_ids(view: ConfigView) -> Iterator[Finding]:
    """Ids are unique in their layer (E103). The same pack may stand there for several integrations."""
    for _, rules in view.layers():
        seen: dict[str, Path] = {}
        for path, rule in rules:
            if rule.id is None or isinstance(rule, PackRule):
                continue
            if rule.id in seen:
                first = (("first here", (*seen[rule.id], "id")),)
                message = f"duplicate policy id `{rule.id}`"
                yield Finding("E103", (*path, "id"), message, "ids name the rule that decided", related=first)
            else:
                seen[rule.id] = path


def check_conditions(view: ConfigView) -> Iterator[Finding]:
    """Argument paths, and expressions that the linear-time engine does not know: no look-around, no
    back-references (E206)."""
    for _, rules in view.layers():
        for path, rule in rules:
            for name, condition in rule.when.items():
                place = (*path, "when", name)
                try:
                    split_path(name)
                except ConditionError as error:
                    yield Finding("E206", place, str(error), "write names joined by dots", at="key")
                try:
                    WholeMatch(condition.matches or "")
                except ConditionError as error:
                    help = "the syntax is that of the Rust crate `regex`: no look-around, no back-references"
                    yield Finding("E206", (*place, "matches"), str(error), help)


def check_patterns(view: ConfigView) -> Iterator[Finding]:
    """The patterns of rules and of rate limits (E303, E301)."""
    for _, entries in view.entries():
        for path, entry in entries:
            if isinstance(entry, PackUse):
                yield from _pack_integration(view, path, entry)
            else:
                yield from _pattern(view, (*path, "pattern"), entry.pattern)
    for name, limit in view.config.rate_limits.items():
        if limit.pattern is not None:
            yield from _pattern(view, ("rate_limits", name, "pattern"), limit.pattern)


def _pack_integration(view: ConfigView, path: Path, entry: PackUse) -> Iterator[Finding]:
    known = view.names("integrations")
    if entry.integration is not None and entry.integration not in known:
        yield unknown((*path, "integration"), "pack names unknown integration", entry.integration, known)


def check_tool_patterns(view: ConfigView) -> Iterator[Finding]:
    """`include`, `exclude` and `health.tool`: over the tool names of one integration (E303)."""
    for name, integration in view.config.integrations.items():
        for key in ("include", "exclude"):
            for index, pattern in enumerate(getattr(integration, key)):
                yield from _tool_pattern(("integrations", name, key, index), pattern, integration.kind)
        if integration.health is not None:
            yield from _probed(
                ("integrations", name, "health", "tool"), integration.health.tool, integration.kind
            )


def _probed(path: Path, tool: str, kind: str) -> Iterator[Finding]:
    if "*" in tool:
        yield Finding("E206", path, "`tool`: a probe asks one tool", "write its whole name")
    else:
        yield from _tool_pattern(path, tool, kind)


def _tool_pattern(path: Path, pattern: str, kind: str) -> Iterator[Finding]:
    head = "tool.*.*."
    try:
        parse_pattern(head + pattern)
    except PatternError as error:
        guesses = _in_order_of(kind, error)
        help = f"did you mean `{guesses[0].removeprefix(head)}`?" if guesses else error.help
        yield Finding("E303", path, error.message.replace(head, ""), help)


def _pattern(view: ConfigView, path: Path, pattern: str) -> Iterator[Finding]:
    if pattern.startswith("tools.") and "tools" in view.names("integrations"):
        return  # no integration can be called so, and what this pattern means depends on its new name
    try:
        parsed = parse_pattern(pattern)
    except PatternError as error:
        yield Finding("E303", path, error.message, _remedy(view, pattern, error))
        return
    yield from _names(view, path, parsed)


def _remedy(view: ConfigView, pattern: str, error: PatternError) -> str | None:
    """The likeliest guess whose integration and connection exist; where that is not the fault, what else is wrong."""
    name = pattern.removeprefix("tools.").partition(".")[0]
    integration = view.config.integrations.get(name)
    guesses = _in_order_of(integration.kind if integration is not None else "", error)
    valid = [one for one in guesses if not any(_names(view, (), parse_pattern(one)))]
    if valid:
        # A segment that is the name of a connection was meant to be one.
        named = next((one for one in valid if parse_pattern(one).connection is not None), valid[0])
        return f"did you mean `{named}`?"
    if not error.guesses:
        return error.help
    faults = (fault for one in guesses for fault in _names(view, (), parse_pattern(one)))
    first = next(faults)
    return f"{first.message}: {first.help}" if first.help else first.message


def _in_order_of(kind: str, error: PatternError) -> tuple[str, ...]:
    """Guesses at a hyphen: operations of OpenAPI documents are called in camelCase, other tools with underscores."""
    swapped = error.kind == "hyphen" and kind == "openapi"
    return error.guesses[::-1] if swapped else error.guesses


def _names(view: ConfigView, path: Path, pattern: Pattern) -> Iterator[Finding]:
    """The integration and the connection that a pattern names must be declared (E301)."""
    if pattern.integration is None:
        return
    integrations = view.names("integrations")
    if pattern.integration not in integrations:
        yield unknown(path, "pattern names unknown integration", pattern.integration, integrations)
    elif pattern.connection is not None:
        yield from _connection(view, path, pattern, pattern.connection)


def _connection(view: ConfigView, path: Path, pattern: Pattern, name: str) -> Iterator[Finding]:
    keys = view.connection_names(pattern.integration or "")
    known = [connection for owner, connection in keys if pattern.owner in (None, owner)]
    if name in known:
        return
    owner = pattern.owner or "*"
    elsewhere = next((other for other, connection in keys if connection == name), None)
    finding = unknown(path, "pattern names unknown connection", f"{pattern.integration}.{owner}.{name}", [])
    likely = f"{pattern.integration}.{elsewhere}.{name}" if elsewhere else _near(pattern, owner, name, known)
    help = (
        f"did you mean `{likely}`?" if likely else f"known: {', '.join(known[:8])}" if known else finding.help
    )
    yield Finding("E301", path, finding.message, help)


def _near(pattern: Pattern, owner: str, name: str, known: list[str]) -> str | None:
    likely = nearest_name(name, known)
    return f"{pattern.integration}.{owner}.{likely}" if likely else None
