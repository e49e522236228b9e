"""`OpenApiToolset`: the tools of one compiled document, immutable and shared by connections."""

from __future__ import annotations

import copy
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, TypeVar

from integrations.base import Risk, ToolDefinition, ToolSchemas, UnknownTool
from integrations.openapi.binding import OperationBinding, bind_operation, key_places, sent_method
from integrations.openapi.doc import Doc
from integrations.openapi.paths import PathTable
from integrations.openapi.schema import Closure, close_binding, whole
from integrations.openapi.servers import all_origins, bind_servers
from integrations.openapi.wire_names import SuppliedNames
from integrations.patterns import name_filter, none_left

_READS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "QUERY"})
_IDEMPOTENT = _READS | {"PUT", "DELETE"}
_CACHED = 128
T = TypeVar("T")


class OpenApiToolset:
    """Implements `Toolset`. Bindings and schemas are made on demand and a few are kept."""

    def __init__(
        self,
        doc: Doc,
        digest: str,
        source_url: str | None,
        rows: Sequence[list[Any]],
        warnings: tuple[str, ...],
        hidden: frozenset[str] = frozenset(),
    ) -> None:
        self._doc = doc
        self._digest = digest
        self._source_url = source_url
        self._tools = tuple(map(_definition, rows))
        self._places = {str(row[0]): (str(row[1]), str(row[2]), index) for index, row in enumerate(rows)}
        self._warnings = warnings
        self._hidden = hidden
        self._supplied: Callable[[OperationBinding], SuppliedNames] = _nothing
        self._bindings: OrderedDict[str, OperationBinding] = OrderedDict()
        self._closures: OrderedDict[str, Closure] = OrderedDict()

    @property
    def digest(self) -> str:
        return self._digest

    @property
    def tools(self) -> Sequence[ToolDefinition]:
        return self._tools

    @property
    def title(self) -> str:
        """`info.title` of the document."""
        info = self._doc.root.get("info")
        return str(info.get("title", "")) if isinstance(info, dict) else ""

    @property
    def offered(self) -> Sequence[str]:
        return [row[0] for row in self._doc.rows]

    @property
    def warnings(self) -> Sequence[str]:
        return self._warnings

    @property
    def source_url(self) -> str | None:
        """The URL the document came from; None for a file or an inline document."""
        return self._source_url

    @cached_property
    def origins(self) -> frozenset[str]:
        """Every origin that calls go to where the config names no `base_url`."""
        return all_origins(self._doc, self._source_url)

    @property
    def servers(self) -> Sequence[str]:
        return tuple(one.as_text() for one in bind_servers(self._doc.root, {}, {}, self._source_url))

    def servers_of(self, tool: str) -> Sequence[str]:
        """Raises `UnknownTool`."""
        return tuple(one.as_text() for one in self.binding(tool).servers)

    @cached_property
    def paths(self) -> PathTable:
        """Every operation of the document, also those that are not offered as tools."""
        return PathTable((str(row[2]), str(row[1]), str(row[0])) for row in self._doc.rows)

    def offers(self, tool: str) -> bool:
        return tool in self._places

    @property
    def doc(self) -> Doc:
        return self._doc

    def definition(self, tool: str) -> ToolDefinition:
        """Raises `UnknownTool`."""
        place = self._places.get(tool)
        if place is None:
            raise UnknownTool(tool)
        return self._tools[place[2]]

    def binding(self, tool: str) -> OperationBinding:
        """How the operation is called. Raises `UnknownTool`."""
        place = self._places.get(tool)
        if place is None:
            raise UnknownTool(tool)
        return _remember(
            self._bindings,
            tool,
            lambda: bind_operation(self._doc, *place[:2], self._source_url, self._hidden),
        )

    def closure(self, tool: str) -> Closure:
        """The input schemas of the operation, self-contained. Raises `UnknownTool`."""
        binding = self.binding(tool)
        return _remember(self._closures, tool, lambda: close_binding(self._doc, binding))

    def schemas(self, tool: str) -> ToolSchemas:
        outline = self.outline(tool)
        output, errors = (whole(one) if one is not None else None for one in (outline.output, outline.errors))
        return ToolSchemas(whole(outline.input), output, errors)

    def outline(self, tool: str) -> ToolSchemas:
        """Like `schemas`; what `$defs` holds is converted when it is looked up. Raises `UnknownTool`."""
        closure = self.closure(tool)
        supplied = self._supplied(closure.binding) | key_places(closure.binding)
        return ToolSchemas(closure.input_schema(supplied), closure.output_schema(), closure.error_schema())

    def without(
        self, supplied: Callable[[OperationBinding], SuppliedNames], words: Sequence[str]
    ) -> OpenApiToolset:
        """The same tools, where nobody is asked for what a connection supplies. `words` tell whose it is: equal ones
        make equal digests. Bindings and schemas are shared.
        """
        seen = copy.copy(self)
        seen._supplied = supplied
        if words:
            seen._digest = hashlib.sha256(repr((self._digest, *words)).encode()).hexdigest()
        return seen


def _nothing(binding: OperationBinding) -> SuppliedNames:
    return frozenset()


def _remember(kept: OrderedDict[str, T], key: str, make: Callable[[], T]) -> T:
    value = kept.get(key)
    if value is None:
        value = kept[key] = make()
        if len(kept) > _CACHED:
            kept.popitem(last=False)
    else:
        with suppress(KeyError):  # the catalog's thread may have let go of it just now
            kept.move_to_end(key)
    return value


def _definition(row: list[Any]) -> ToolDefinition:
    name, method, path, title, description, identifier, deprecated, keywords = row
    sent = sent_method(method)
    return ToolDefinition(
        name=name,
        title=title,
        description=description,
        risk=_risk(sent),
        idempotent=sent in _IDEMPOTENT,
        deprecated=deprecated,
        keywords=keywords,
        method=sent,
        path=path,
        operation_id=identifier,
    )


def _risk(method: str) -> Risk:
    if method in _READS:
        return "read"
    return "destructive" if method == "DELETE" else "write"


def make_toolset(
    doc: Doc,
    key: str,
    source_url: str | None,
    name: str,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    hidden: tuple[str, ...] = (),
) -> OpenApiToolset:
    """Pick the tools that `include` names (all when empty) less those that `exclude` names. Parameters called as in
    `hidden` do not exist.
    """
    stays = name_filter(include, exclude)
    rows = [row for row in doc.rows if stays(row[0])]
    warnings = list(doc.warnings)
    warnings += none_left(name, len(doc.rows), len(rows))
    known = {word for row in rows for word in row[-1].split()} if hidden else set()
    warnings += [f"{name}: `hide_parameters`: no tool has `{one}`" for one in hidden if one not in known]
    parts = (key, doc.dependencies, source_url, include, exclude, hidden)
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()
    return OpenApiToolset(doc, digest, source_url, rows, tuple(warnings), frozenset(hidden))
