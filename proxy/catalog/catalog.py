"""Catalog: everything that one workspace offers, in one generation. Immutable; what is visible is the caller's part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import sha256 as digest_of

from integrations.base import JsonObject
from integrations.schema_types import one_line
from proxy.catalog import lookup
from proxy.catalog.branch import Branch
from proxy.catalog.describe import describe, types_of
from proxy.catalog.description import (
    PAUSE_RULE,
    Asks,
    DescriptionLimits,
    continue_description,
    describe_execute,
)
from proxy.catalog.entries import (
    CONNECTED,
    Ambiguous,
    CatalogConnection,
    CatalogTool,
    Found,
    Missing,
    SearchPage,
    Visible,
    everything,
)
from proxy.catalog.index import ToolIndex
from proxy.catalog.no_results import search_note
from proxy.catalog.prose import SUMMARY_CHARACTERS, summary
from proxy.catalog.search import listed, page, search
from proxy.catalog.steps import SEARCH_UNITS, TYPES_UNITS, CatalogSteps

# Types in listings are a help, not the whole story: `describe` has a budget of its own.
_LISTED_TYPES_BYTES = 1_024
# How many results are looked at for connections that offer the same tool.
_TWINS = 10
# `discover` names a best path only if its score is this much above the next one.
_CLEARLY = 1.15
_NOT_READY_SHOWN = 8
_ENOUGH = 0.6


class Catalog:
    """Made once per workspace and generation; making it is cheap, because tools come to life when looked at.

    `sha256` is the digest of the generation's config. Raises ValueError if two connections share a prefix.
    """

    def __init__(self, connections: Sequence[CatalogConnection], *, sha256: str) -> None:
        self.connections = tuple(sorted(connections, key=lambda connection: connection.prefix))
        self._branches = {connection.prefix: Branch(connection) for connection in self.connections}
        if len(self._branches) != len(self.connections):
            raise ValueError("two connections of one workspace have the same integration, owner and name")
        self._by_integration: dict[str, list[Branch]] = {}
        for branch in self._branches.values():
            self._by_integration.setdefault(branch.connection.integration, []).append(branch)
        self._sha256 = sha256

    @cached_property
    def revision(self) -> str:
        """Changes if and only if what is offered may have: config, connections, their state, their tools."""
        seen = digest_of(self._sha256.encode())
        for here in self.connections:
            tools = here.toolset.digest if here.toolset is not None else ""
            seen.update(
                "\0".join(("", here.prefix, here.kind, here.status, here.title, tools)).encode(
                    "utf-8", "replace"
                )
            )
        return f"r_{seen.hexdigest()[:16]}"

    def __len__(self) -> int:
        return sum(len(branch.tools) for branch in self._branches.values())

    def all(self) -> Iterable[CatalogTool]:
        """Every tool, by connection prefix, then in source order."""
        return listed((branch, "") for branch in self._branches.values())

    def find(
        self, path: str, visible: Visible = everything, *, suggest: bool = True
    ) -> CatalogTool | Ambiguous | Missing:
        """The tool of a path, with or without `tools.`, in full or in short form.

        `visible` limits which connections a short form may mean and what is suggested; a full address is
        found in any case, and whether to admit that is the caller's decision. Without `suggest` nothing is suggested,
        which takes as long as a search.
        """
        return lookup.find(self._branches, self._by_integration, path, visible, suggest)

    def suggestions(self, path: str, visible: Visible) -> tuple[str, ...]:
        """At most five visible addresses close to `path`, for a tool that must be reported as missing."""
        return lookup.suggest(self._branches, lookup.normalise(path), visible)

    def search(self, query: str, namespace: str, limit: int, offset: int, visible: Visible) -> SearchPage:
        """Best matches first, ties by address; an empty query lists in order."""
        namespace = lookup.normalise(namespace).rstrip(".")
        return search(
            tuple(self._branches.values()), query, namespace, max(limit, 0), max(offset, 0), visible
        )

    def search_json(
        self, query: str, namespace: str, limit: int, offset: int, visible: Visible
    ) -> JsonObject:
        """What `tools.search` answers."""
        found = self.search(query, namespace, limit, offset, visible)
        noted = self._noted(query, namespace, found, visible)
        return (
            found.as_json(lambda each: _search_item(each.tool, found.share(each)))
            | noted
            | self._not_ready(namespace, offset)
        )

    def tools(
        self,
        namespace: str,
        query: str,
        limit: int,
        offset: int,
        visible: Visible,
        *,
        include_schemas: bool = False,
    ) -> CatalogSteps[JsonObject]:
        """What `tools.catalog.tools` answers: a page of tools in order, or of matches if there is a query."""
        yield SEARCH_UNITS
        if query.strip():
            found = self.search(query, namespace, limit, offset, visible)
        else:
            under = lookup.normalise(namespace).rstrip(".")
            chosen = [(b, start) for b in self._branches.values() if (start := b.under(under)) is not None]
            found = page(
                (Found(tool, 0.0) for tool in listed(chosen)), max(limit, 0), max(offset, 0), visible
            )
        if include_schemas:
            yield from self._rendered(found.items)
        listing = found.as_json(lambda each: self._listed(each.tool, include_schemas))
        noted = {} if found.items else self._noted(query, namespace, found, visible)
        return listing | noted | self._not_ready(namespace, offset)

    def namespaces(self, visible: Visible) -> list[JsonObject]:
        """What `tools.catalog.namespaces` answers. `toolCount` counts visible tools; a connection whose tools
        are all hidden is left out, one that has no tools yet is shown with its status.
        """
        out: list[JsonObject] = []
        for branch in self._branches.values():
            count = sum(map(visible, branch.tools))
            if count or not branch.tools:
                out.append(_namespace(branch, count))
        return out

    def describe(self, tool: CatalogTool, policy: JsonObject, budget: int) -> JsonObject:
        """What `tools.describe.tool` answers. Raises `UnknownTool` only if the tool is not of this catalog."""
        return describe(tool, self._index(tool), policy, budget)

    def discover(
        self, query: str, limit: int, visible: Visible, *, compact: bool = True, include_schemas: bool = False
    ) -> CatalogSteps[JsonObject]:
        """What `tools.discover` answers: `{bestPath, results, total}`; `bestPath` is null unless one clearly wins.

        The same tool of another connection of one integration is no rival: it is named in `alternatives`.
        """
        yield SEARCH_UNITS
        found = self.search(query, "", max(limit, _TWINS), 0, visible)
        if include_schemas:
            yield from self._rendered(found.items[: max(limit, 0)])
        results: list[JsonObject] = []
        for each in found.items[: max(limit, 0)]:
            full = _search_item(each.tool, found.share(each)) | _facts(each.tool)
            item = _compact_item(each) if compact else full
            results.append(item | self._types(each.tool) if include_schemas else item)
        noted = self._noted(query, "", found, visible)
        return _best(found) | {"results": results, "total": found.total} | noted | self._not_ready("", 0)

    def description(
        self,
        visible: Visible,
        *,
        max_bytes: int = 2_048,
        inline_tools: int = 1_000,
        pause_rule: str = PAUSE_RULE,
        asks: Asks = lambda tool: False,
    ) -> str:
        """The description of the `execute` tool for a caller: under `max_bytes` of UTF-8, same catalog, same bytes."""
        limits = DescriptionLimits(max_bytes, inline_tools, pause_rule)
        return describe_execute(tuple(self._branches.values()), visible, asks, limits)[0]

    def continuation(
        self,
        visible: Visible,
        *,
        max_bytes: int = 2_048,
        inline_tools: int = 1_000,
        pause_rule: str = PAUSE_RULE,
        asks: Asks = lambda tool: False,
    ) -> str:
        """What `description` with these arguments had no room for, under `max_bytes` again; empty if there is none."""
        limits = DescriptionLimits(max_bytes, inline_tools, pause_rule)
        branches = tuple(self._branches.values())
        _, told = describe_execute(branches, visible, asks, limits)
        return continue_description(branches, visible, asks, limits, told)

    def _noted(self, query: str, namespace: str, found: SearchPage, visible: Visible) -> JsonObject:
        under = lookup.normalise(namespace).rstrip(".")
        note = search_note(tuple(self._branches.values()), query, under, found, visible)
        return {"note": note} if note is not None else {}

    def _not_ready(self, namespace: str, offset: int) -> JsonObject:
        """With the first page: connections whose tools would be among the results, and why there are none."""
        under = lookup.normalise(namespace).rstrip(".")
        absent = [
            _not_ready(branch.connection)
            for branch in self._branches.values()
            if branch.connection.toolset is None and branch.under(under) is not None
        ]
        return {"notReady": absent[:_NOT_READY_SHOWN]} if absent and offset == 0 else {}

    def _index(self, tool: CatalogTool) -> ToolIndex:
        index = self._branches[tool.prefix].index
        assert index is not None, "a tool exists only where there is an index"
        return index

    def _rendered(self, found: Iterable[Found]) -> CatalogSteps[None]:
        """Types are remembered once they are rendered, so that the answer is then put together at once."""
        for each in found:
            yield TYPES_UNITS
            self._types(each.tool)

    def _listed(self, tool: CatalogTool, include_schemas: bool) -> JsonObject:
        item = _search_item(tool, 0.0) | _facts(tool)
        del item["score"]
        return item | self._types(tool) if include_schemas else item

    def _types(self, tool: CatalogTool) -> JsonObject:
        types = types_of(tool, self._index(tool), _LISTED_TYPES_BYTES)
        return {
            "inputTypeScript": types.input,
            "outputTypeScript": types.output,
            "typeScriptDefinitions": types.definitions,
        }


def _search_item(tool: CatalogTool, score: float) -> JsonObject:
    return {
        "path": tool.address,
        "name": tool.name,
        "description": summary(tool.definition),
        "integration": tool.integration,
        "score": score,
    }


def _compact_item(found: Found) -> JsonObject:
    return {"path": found.tool.address, "description": summary(found.tool.definition)}


def _facts(tool: CatalogTool) -> JsonObject:
    facts: JsonObject = {"risk": tool.definition.risk}
    return facts | {"deprecated": True} if tool.definition.deprecated else facts


def _best(found: SearchPage) -> JsonObject:
    if not found.items or found.items[0].score < _ENOUGH:
        return {"bestPath": None}
    first = found.items[0]
    twins = [each for each in found.items[1:] if _is_same_tool(each.tool, first.tool)]
    rivals = [each for each in found.items[1:] if not _is_same_tool(each.tool, first.tool)]
    if rivals and first.score < _CLEARLY * rivals[0].score:
        return {"bestPath": None}
    best: JsonObject = {"bestPath": first.tool.address}
    return best | {"alternatives": [each.tool.address for each in twins]} if twins else best


def _is_same_tool(one: CatalogTool, other: CatalogTool) -> bool:
    return one.integration == other.integration and one.name == other.name


def _not_ready(here: CatalogConnection) -> JsonObject:
    said = {"error": one_line(here.error, SUMMARY_CHARACTERS)} if here.error else {}
    return {"namespace": here.prefix, "status": here.status, **said}


def _namespace(branch: Branch, count: int) -> JsonObject:
    here = branch.connection
    out: JsonObject = {
        "namespace": branch.prefix,
        "integration": here.integration,
        "owner": here.owner,
        "connection": here.connection,
        "title": one_line(here.title, SUMMARY_CHARACTERS),
        "kind": here.kind,
        "toolCount": count,
        "status": here.status,
    }
    if here.error and here.status != CONNECTED:
        out["error"] = one_line(here.error, SUMMARY_CHARACTERS)
    return out
