"""What a config says of tools, once they are known: patterns and conditions that reach nothing (W609, W610).

A rule that reaches nothing was most likely misspelt, and does not protect what it was written for. Where the tools
of a connection are not known (`KnownTools.unknown`) nothing is claimed of patterns that may match them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Final

from integrations import GraphQl, Integration, McpLocal, McpRemote, OpenApi
from integrations.files import READER
from integrations.graphql.config import IntrospectionFile
from integrations.patterns import idle_patterns
from policies import KnownTools, Pattern, parse_pattern, split_path
from policies.declared import DeclaredArguments
from policies.known_tools import NameTree
from proxy.config.locations import Finding
from proxy.config.model import Config
from proxy.config.nodes import Path, find
from proxy.config.packs import PackUse, rules_of
from proxy.config.policy import RuleConfig
from proxy.config.semantics.unused import unmentioned_writes
from proxy.config.semantics.view import ConfigView

ToolFinding = tuple[str, Finding]
SchemaOf = Callable[[str, str], Mapping[str, Any] | None]
"""Input schema of a tool, by connection and name; None where a lock does not have it. Raises nothing for tools that are
known."""

MOST_SUGGESTIONS: Final = 50
"""Beyond so many patterns that reach nothing the rest get none: each costs a walk through the names."""

MOST_SCHEMAS: Final = 400
"""So many schemas are looked into for conditions; of what is then still open nothing is claimed, and that is said."""

_NAMED: Final = 4


@dataclass(frozen=True, slots=True)
class ToolsAsKnown:
    """The tools of a config's connections. `offered`: by integration, all names before `include` and `exclude`;
    `writes`: by connection, the tools that do not only read."""

    tools: KnownTools
    schema_of: SchemaOf
    offered: Mapping[str, Sequence[str]] = field(default_factory=dict)
    writes: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckedTools:
    """`findings`: by integration, in the order of the sections. `unchecked`: connections that patterns may match, of
    which nothing is claimed, and why."""

    findings: tuple[ToolFinding, ...]
    unchecked: Mapping[str, str]


def nothing_known(config: Config) -> ToolsAsKnown:
    """Where no document was read."""
    return ToolsAsKnown(KnownTools({}, reasons(config)), lambda prefix, name: {})


def reasons(config: Config) -> dict[str, str]:
    """By connection, why its tools are not known."""
    return {prefix: _reason(config.integrations[prefix.partition(".")[0]]) for prefix in config.connections}


def _reason(integration: Integration) -> str:
    if has_local_source(integration):
        return "its document could not be read"
    if isinstance(integration, McpLocal | McpRemote):
        return "an MCP server tells its tools when it is connected"
    return "its document is fetched at the start"


def check_tools(view: ConfigView, known: ToolsAsKnown) -> CheckedTools:
    """Filters and probes, then policies, then rate limits."""
    check = _Check(view, known)
    found = [*check.filters(), *check.probes()]
    for place, entries in view.entries():
        found += check.layer(place, entries)
    found += check.limits()
    found += unmentioned_writes(view, known.tools, known.writes)
    return CheckedTools(tuple(found), check.unchecked)


class _Check:
    """One check: counts what it spends."""

    def __init__(self, view: ConfigView, known: ToolsAsKnown) -> None:
        self._view, self._known = view, known
        self._suggestions, self._schemas = MOST_SUGGESTIONS, MOST_SCHEMAS
        self._read: dict[tuple[str, str], DeclaredArguments] = {}
        self.unchecked: dict[str, str] = {}

    # ---- integrations ----------------------------------------------------------------------------------------------
    def filters(self) -> Iterator[ToolFinding]:
        for name, integration in self._view.config.integrations.items():
            offered = self._known.offered.get(name, ())
            if not offered and (integration.include or integration.exclude):
                self._knows(parse_pattern(f"{name}.*"), self._known.tools)
            for key in ("include", "exclude") if offered else ():
                patterns: Sequence[str] = getattr(integration, key)
                dead = set(idle_patterns(patterns, offered))
                for index, pattern in enumerate(patterns):
                    if pattern in dead:
                        message = f"`{pattern}` matches no tool that `{name}` offers"
                        path: Path = ("integrations", name, key, index)
                        yield name, Finding("W609", path, message, self._offer(name, pattern))

    def _offer(self, name: str, pattern: str) -> str:
        """What was probably meant among all that a source offers, or some of that."""
        head, offered = f"{name}.org.offered.", self._known.offered[name]
        tools = KnownTools({head[:-1]: offered}, {})
        parts = pattern.split(".", 3)
        if parts[0] == name and len(parts) == 4 and tools.reaches(parse_pattern(head + parts[3])):
            return f"write only the tool's name: `{parts[3]}`"
        meant = tools.suggestion(parse_pattern(head + pattern)) if self._may_suggest() else None
        return f"did you mean `{meant.removeprefix(head)}`?" if meant else _named(offered)

    def probes(self) -> Iterator[ToolFinding]:
        """Probes of tools that are asked for over the network: those of local documents are E206."""
        for name, integration in self._view.config.integrations.items():
            path: Path = ("integrations", name, "health", "tool")
            if (
                integration.health is None
                or has_local_source(integration)
                or not self._stands_in_the_files(path)
            ):
                continue
            pattern = parse_pattern(f"{name}.*.*.{integration.health.tool}")
            if self._is_dead(pattern, self._known.tools):
                help = _tool_only(f"{name}.*.*.", self._help(pattern, self._known.tools))
                yield name, Finding("W609", path, f"`{name}` has no tool `{integration.health.tool}`", help)

    def _stands_in_the_files(self, path: Path) -> bool:
        """What a preset brought along is no mistake of the file."""
        return find(self._view.root, path).depth == len(path)

    # ---- rules -----------------------------------------------------------------------------------------------------
    def layer(
        self, place: Path, entries: Sequence[tuple[Path, RuleConfig | PackUse]]
    ) -> Iterator[ToolFinding]:
        tools = self._known.tools
        if place[0] == "workspaces":
            seen = self._view.config.workspaces[str(place[1])].integrations
            tools = tools if seen is None else tools.within(seen)
        where = f" of workspace `{place[1]}`" if place[0] == "workspaces" else ""
        for path, entry in entries:
            if isinstance(entry, PackUse):
                yield from self._pack(path, entry, tools, where)
            else:
                yield from self._rule(path, entry, tools, where)

    def _rule(self, path: Path, rule: RuleConfig, tools: KnownTools, where: str) -> Iterator[ToolFinding]:
        pattern = parse_pattern(rule.pattern)
        name = rule.id or f"policies[{path[-1]}]"
        if self._is_dead(pattern, tools):
            message = f"rule `{name}` matches no tool{where}"
            finding = Finding("W609", (*path, "pattern"), message, self._help(pattern, tools))
            yield str(pattern.integration), finding
        elif rule.when and self._knows(pattern, tools):
            yield from self._conditions(path, name, rule, pattern, tools)

    def _pack(self, path: Path, entry: PackUse, tools: KnownTools, where: str) -> Iterator[ToolFinding]:
        """A pack's rules name the tools of a product's whole document, so a filter makes some of them idle."""
        rules = [rule for _, rule in rules_of([entry])]
        dead = [rule for rule in rules if self._is_dead(parse_pattern(rule.pattern), tools)]
        integration = self._view.config.integrations.get(entry.integration or "")
        filtered = integration is not None and bool(integration.include or integration.exclude)
        if not dead or (filtered and len(dead) < len(rules)):
            return
        named = ", ".join(f"`{rule.id}`" for rule in dead[:_NAMED])
        more = f" and {len(dead) - _NAMED} more" if len(dead) > _NAMED else ""
        message = (
            f"{len(dead)} of {len(rules)} rules of pack `{entry.pack}` match no tool{where}: {named}{more}"
        )
        help = "the document names its tools otherwise than the pack does"
        yield entry.integration or "", Finding("W609", (*path, "pack"), message, help)

    def _conditions(
        self, path: Path, name: str, rule: RuleConfig, pattern: Pattern, tools: KnownTools
    ) -> Iterator[ToolFinding]:
        for argument in rule.when:
            parts = split_path(argument)
            without = self._without(parts, tools.matched(pattern))
            if not without:
                continue
            close = next((found for one in without if (found := one.nearest(parts))), None)
            known = ", ".join(list(dict.fromkeys(name for one in without for name in one.names()))[:8])
            help = f"did you mean `{close}`?" if close else f"known: {known}" if known else None
            message = f"no tool that rule `{name}` matches has an argument `{argument}`"
            yield pattern.integration or "", Finding("W610", (*path, "when", argument), message, help, "key")

    def _without(self, parts: tuple[str, ...], matched: Iterator[tuple[str, str]]) -> list[DeclaredArguments]:
        """The arguments of the matched tools if none of them has this one; nothing if one has, or may have."""
        found: list[DeclaredArguments] = []
        for tool in matched:
            arguments = self._arguments(tool)
            if arguments is None or arguments.has(parts):
                return []
            found.append(arguments)
        return found

    def _arguments(self, tool: tuple[str, str]) -> DeclaredArguments | None:
        """None when so many were looked into that no more are, or a lock does not have them."""
        known = self._read.get(tool)
        if known is None and self._schemas > 0:
            self._schemas -= 1
            schema = self._known.schema_of(*tool)
            if schema is None:
                self.unchecked[tool[0]] = (
                    "their conditions: the lock has no names of arguments, `executor lock` adds them"
                )
                return None
            known = self._read[tool] = DeclaredArguments(schema)
        if known is None:
            self.unchecked[tool[0]] = (
                f"conditions were compared with the arguments of {MOST_SCHEMAS} tools only"
            )
        return known

    # ---- rate limits -----------------------------------------------------------------------------------------------
    def limits(self) -> Iterator[ToolFinding]:
        for name, limit in self._view.config.rate_limits.items():
            pattern = parse_pattern(limit.pattern) if limit.pattern is not None else None
            if pattern is not None and self._is_dead(pattern, self._known.tools):
                help = self._help(pattern, self._known.tools)
                path: Path = ("rate_limits", name, "pattern")
                yield (
                    str(pattern.integration),
                    Finding("W609", path, f"rate limit `{name}` matches no tool", help),
                )

    # ---- patterns --------------------------------------------------------------------------------------------------
    def _is_dead(self, pattern: Pattern, tools: KnownTools) -> bool:
        if pattern.integration is None or tools.reaches(pattern):
            return False
        return self._knows(pattern, tools)

    def _knows(self, pattern: Pattern, tools: KnownTools) -> bool:
        """Whether the tools of every connection are known that the pattern may match."""
        unknown = tools.unknown(pattern)
        self.unchecked |= unknown
        return not unknown

    def _help(self, pattern: Pattern, tools: KnownTools) -> str:
        integration = str(pattern.integration)
        if not tools.has_connection(integration):
            return (
                f"`{integration}` has no connection"
                if tools is self._known.tools
                else f"it does not use `{integration}`"
            )
        suggest = self._may_suggest()
        if suggest and self._is_left_out(integration, pattern, tools):
            return f"`include` and `exclude` of `{integration}` leave it out"
        meant = tools.suggestion(pattern) if suggest else None
        names = [] if meant else self._known.tools.of(integration)
        return (
            f"did you mean `{meant}`?"
            if meant
            else _named(names)
            if names
            else f"`{integration}` has no tools"
        )

    def _is_left_out(self, integration: str, pattern: Pattern, tools: KnownTools) -> bool:
        """Whether the source offers it to a connection that the pattern names, and the config does not want it."""
        if not tools.has_connection_of(pattern):
            return False
        offered = NameTree(self._known.offered.get(integration, ()))
        return next(offered.matching(pattern.segments[3:], pattern.below), None) is not None

    def _may_suggest(self) -> bool:
        self._suggestions -= 1
        return self._suggestions >= 0


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"there are: {', '.join(names[:_NAMED])}{more}"


def has_local_source(integration: Integration) -> bool:
    """Whether its tools are known from the files alone."""
    if isinstance(integration, OpenApi):
        return integration.spec.url is None
    return local_file(integration) is not None


def is_readable(integration: Integration) -> bool:
    """Whether its document is here. A file that is missing is E304, but for `*.example` files, which are templates."""
    file = local_file(integration)
    return has_local_source(integration) and (file is None or _is_there(FilePath(file)))


def _is_there(file: FilePath) -> bool:
    try:
        READER.check(file)
    except OSError:
        return False
    return True


def local_file(integration: Integration) -> str | None:
    """The file that its document stands in, if it does."""
    if isinstance(integration, OpenApi):
        return integration.spec.file
    if isinstance(integration, GraphQl) and isinstance(integration.introspection, IntrospectionFile):
        return integration.introspection.file
    return None


def _tool_only(head: str, help: str) -> str:
    """Where only the tool's name is written, only that is suggested."""
    return help.replace(head, "")
