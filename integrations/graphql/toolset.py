"""`GraphQlToolset`: the tools of one schema, immutable and shared by connections."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

from integrations.base import JsonObject, ToolDefinition, ToolSchemas, UnknownTool
from integrations.graphql.default import default_selection
from integrations.graphql.inputs import input_schema
from integrations.graphql.nodes import SelectedField, SelectionItem, print_nodes
from integrations.graphql.operations import NamedOperation
from integrations.graphql.outputs import output_schema
from integrations.graphql.schema import GraphQlSchema, named_type
from integrations.graphql.tools import GraphQlTool, list_entries
from integrations.patterns import name_filter, none_left

_MAX_CACHED = 256
_MAX_SHOWN_SELECTION = 400
_MAX_CACHED_CHARACTERS = 2_000


class GraphQlToolset:
    """Implements `Toolset`. Selections and schemas are made on demand; the selections of 256 tools are kept."""

    def __init__(
        self,
        schema: GraphQlSchema,
        digest: str,
        entries: Sequence[GraphQlTool],
        depth: int,
        fields: int,
        warnings: tuple[str, ...],
        offered: tuple[str, ...],
    ) -> None:
        self._schema = schema
        self._digest = digest
        self._entries = {entry.definition.name: entry for entry in entries}
        self._tools = tuple(entry.definition for entry in entries)
        self._depth = depth
        self._fields = fields
        self._warnings = warnings
        self._offered = offered
        self._selections: OrderedDict[str, tuple[SelectionItem, ...]] = OrderedDict()
        self._select_cache: OrderedDict[tuple[str, str], str] = OrderedDict()

    @property
    def digest(self) -> str:
        return self._digest

    @property
    def tools(self) -> Sequence[ToolDefinition]:
        return self._tools

    @property
    def offered(self) -> Sequence[str]:
        return self._offered

    @property
    def warnings(self) -> Sequence[str]:
        return self._warnings

    @property
    def schema(self) -> GraphQlSchema:
        return self._schema

    def entry(self, tool: str) -> GraphQlTool:
        """Raises `UnknownTool`."""
        found = self._entries.get(tool)
        if found is None:
            raise UnknownTool(tool)
        return found

    def selection(self, tool: str) -> tuple[SelectionItem, ...]:
        """The default selection of a root field; empty for a leaf. Raises `UnknownTool`."""
        kept = self._selections.get(tool)
        if kept is None:
            entry = self.entry(tool)
            assert entry.field is not None, "a named operation selects for itself"
            kept = default_selection(self._schema, entry.field, entry.kind, self._depth, self._fields)
            self._selections[tool] = kept
            if len(self._selections) > _MAX_CACHED:
                self._selections.popitem(last=False)
        return kept

    def takes_select(self, entry: GraphQlTool) -> bool:
        """Root fields with a composite result do, unless `select` is an argument of their own."""
        if entry.field is None or self._schema.is_leaf(entry.field.type):
            return False
        return all(argument.name != "select" for argument in entry.field.arguments)

    def read_select(self, parent: str, text: str) -> str:
        """A caller's selection in canonical text. Agents send the same one in loops, so a few are kept.

        Raises `InvalidArguments`.
        """
        kept = self._select_cache.get((parent, text))
        if kept is None:
            # graphql-core is imported only where text has to be parsed.
            from integrations.graphql.parsing import read_select

            kept = read_select(self._schema, parent, text)
            if len(text) <= _MAX_CACHED_CHARACTERS:
                self._select_cache[parent, text] = kept
                if len(self._select_cache) > _MAX_CACHED:
                    self._select_cache.popitem(last=False)
        return kept

    def schemas(self, tool: str) -> ToolSchemas:
        entry = self.entry(tool)
        select = self._select_schema(tool, entry) if self.takes_select(entry) else None
        given = input_schema(self._schema, entry.arguments, select)
        return ToolSchemas(given, output_schema(self._schema, entry.kind, self._root_nodes(tool, entry)))

    def _root_nodes(self, tool: str, entry: GraphQlTool) -> tuple[SelectionItem, ...]:
        if entry.field is not None:
            return (SelectedField(entry.field.name, self.selection(tool)),)
        # graphql-core is imported only where text has to be parsed.
        from integrations.graphql.parsing import operation_nodes

        assert entry.operation is not None
        return operation_nodes(entry.operation.text)

    def _select_schema(self, tool: str, entry: GraphQlTool) -> JsonObject:
        assert entry.field is not None
        default = print_nodes(self.selection(tool))
        shown = default if len(default) <= _MAX_SHOWN_SELECTION else default[:_MAX_SHOWN_SELECTION] + " ..."
        text = f"Selection set of {named_type(entry.field.type)} without outer braces, in place of: {shown}"
        return {"type": "string", "description": text}


def make_toolset(
    schema: GraphQlSchema,
    key: str,
    name: str,
    operations: Sequence[NamedOperation],
    *,
    include: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    depth: int = 2,
    fields: int = 40,
    warnings: Sequence[str] = (),
) -> GraphQlToolset:
    """Pick the tools that `include` names (all when empty) less those that `exclude` names."""
    entries = list_entries(schema, operations)
    stays = name_filter(include, exclude)
    digest = hashlib.sha256(repr((key, include, exclude, depth, fields)).encode()).hexdigest()
    kept = [entry for entry in entries if stays(entry.definition.name)]
    offered = tuple(entry.definition.name for entry in entries)
    said = (*warnings, *none_left(name, len(entries), len(kept)))
    return GraphQlToolset(schema, digest, kept, depth, fields, said, offered)
