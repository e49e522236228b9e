"""What tools say and take, compared between two configs without asking anybody.

Known are the whole definitions of tools whose documents or vendored catalogs are here. Of those that only a lock names
it has the digests of the parts, and the beginning of the description.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from integrations.base import Toolset
from proxy.app.offline import OfflineView
from proxy.lock.compare import SourceDrift, compare
from proxy.lock.definition import Offered, definition_of
from proxy.lock.file import LockedSource
from proxy.lock.records import Records
from proxy.lock.review import Definition, ToolReview, review
from proxy.lock.words import one_line, word_diff

ELSEWHERE = "calls go elsewhere, with the credential"


@dataclass(frozen=True, slots=True)
class ChangedDefinition:
    """A tool that says or takes something else, or a connection whose source as a whole does. `before` and `after`: the
    SHA-256 of the definition, or the texts themselves; `lines` say what changed, `warnings` what to look at twice."""

    address: str
    before: str
    after: str
    parts: tuple[str, ...]
    lines: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Source:
    """The tools of one connection. Where the digests of two toolsets are equal, their tools are."""

    offered: Callable[[], Offered]
    toolset: Toolset | None = None
    locked: LockedSource | None = None

    def surely_says(self, other: _Source) -> bool:
        if self.toolset is not None and other.toolset is not None:
            return self.toolset.digest == other.toolset.digest
        return self.locked is not None and self.locked == other.locked

    def definition(self) -> Definition:
        toolset = self.toolset
        if toolset is None:
            return lambda name: None
        tools = {tool.name: tool for tool in reversed(toolset.tools)}
        return lambda name: definition_of(toolset, tools[name]) if name in tools else None


def changed_definitions(old: OfflineView, new: OfflineView, records: Records) -> Iterator[ChangedDefinition]:
    """Of connections that are in both. Blocks: definitions that `records` do not know are hashed."""
    before, after = _sources(old, records), _sources(new, records)
    for prefix in sorted(before.keys() & after.keys()):
        was, now = before[prefix], after[prefix]
        if not was.surely_says(now):
            yield from _changed(prefix, was, now)


def _sources(view: OfflineView, records: Records) -> dict[str, _Source]:
    found: dict[str, _Source] = {}
    for prefix, source in view.opened.sources.items():
        if source.toolset is not None:
            kind = view.opened.connections[prefix].kind
            found[prefix] = _Source(partial(records.of, kind, source.toolset), source.toolset)
    lock = view.generation.lock
    for prefix in view.absent if lock is not None else ():
        assert lock is not None
        locked = lock.file.of(prefix)
        if locked is not None and prefix not in found:
            found[prefix] = _Source(partial(_as_locked, locked), locked=locked)
    return found


def _as_locked(source: LockedSource) -> Offered:
    return Offered(source.kind, source.title, source.servers, source.tools)


def _changed(prefix: str, was: _Source, now: _Source) -> Iterator[ChangedDefinition]:
    before = was.offered()
    locked = LockedSource(before.kind, before.title, before.servers, before.tools)
    drift = compare(locked, now.offered())
    changed = {name: one for name, one in drift.tools.items() if one.kind == "changed"}
    yield from _of_the_source(prefix, drift)
    for one in review(prefix, replace(drift, tools=changed), now.definition(), was.definition()).tools:
        yield _of_a_tool(prefix, one)


def _of_the_source(prefix: str, drift: SourceDrift) -> Iterator[ChangedDefinition]:
    if drift.title is not None:
        yield ChangedDefinition(
            prefix, *drift.title, ("title",), (f'title: "{word_diff(*drift.title)}"',), ()
        )
    if drift.servers is not None:
        before, after = (one_line(", ".join(one)) or "none" for one in drift.servers)
        yield ChangedDefinition(
            prefix, before, after, ("servers",), (f"servers: {before} → {after}",), (ELSEWHERE,)
        )


def _of_a_tool(prefix: str, one: ToolReview) -> ChangedDefinition:
    was, now = one.drift.was, one.drift.now
    assert was is not None
    assert now is not None
    return ChangedDefinition(
        f"{prefix}.{one.name}", was.sha256, now.sha256, one.drift.parts, one.lines, one.warnings
    )
