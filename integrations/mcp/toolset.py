"""`McpToolset`: what a server listed, with names that are safe in an address. Immutable; replaced as a whole.

Risk: `readOnlyHint: true` is a read, `destructiveHint: true` is destructive, anything else is a write. So a tool
without annotations is a write, which needs approval unless the config says otherwise.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from integrations.base import JsonObject, Risk, ToolDefinition, ToolSchemas, UnknownTool
from integrations.json_text import SORT_KEYS, write_json
from integrations.naming import unique_names
from integrations.patterns import name_filter, none_left

Method = Literal["tools/call", "resources/list", "resources/read", "prompts/list", "prompts/get"]
_MAX_NAME = 200
_MAX_KEYWORDS = 40
_PROGRAMS = frozenset({"code", "script", "source", "program", "javascript", "typescript", "python"})
_RUNS_NAME = re.compile(
    r"(^|[^a-z])(exec|execute|eval|evaluate|run)([^a-z]|$)|^(exec|execute|eval|run)(?-i:[A-Z])", re.IGNORECASE
)
_RUNS_TEXT = re.compile(
    r"\b(execut|run|eval)\w*\b.{0,80}\b(code|script|javascript|typescript|python)\b",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class ListedTool:
    """One entry of `tools/list`, as plain JSON. `name` is the upstream's own; `needs_task`: it only runs as a task."""

    name: str
    title: str
    description: str
    input: JsonObject
    output: JsonObject | None
    annotations: Mapping[str, Any]
    needs_task: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """Everything a server offers: its tools and whether it has resources and prompts. `warnings`: what was wrong."""

    server: str
    tools: tuple[ListedTool, ...]
    resources: bool = False
    prompts: bool = False
    warnings: tuple[str, ...] = ()

    def as_json(self) -> JsonObject:
        return asdict(self)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Offer:
        """Raises `KeyError`, `TypeError` for what `as_json` does not write."""
        tools = tuple(ListedTool(**one) for one in kept["tools"])
        return cls(**{**kept, "tools": tools, "warnings": tuple(kept["warnings"])})


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """How a prepared call is sent: the method and, for tools, the upstream's own name of the tool."""

    method: Method
    name: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    definition: ToolDefinition
    plan: RequestPlan
    schemas: ToolSchemas
    annotations: Mapping[str, Any]


class McpToolset:
    """Implements `Toolset`."""

    def __init__(
        self,
        digest: str,
        entries: Sequence[_Entry],
        warnings: Sequence[str],
        offered: Sequence[str] = (),
        offer: Offer | None = None,
    ) -> None:
        self.offer = offer
        self._digest = digest
        self._entries = {entry.definition.name: entry for entry in entries}
        self._tools = tuple(entry.definition for entry in entries)
        self._warnings = tuple(warnings)
        self._offered = tuple(offered)

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

    def schemas(self, tool: str) -> ToolSchemas:
        return self._entry(tool).schemas

    def definition(self, tool: str) -> ToolDefinition:
        """Raises `UnknownTool`."""
        return self._entry(tool).definition

    def plan(self, tool: str) -> RequestPlan:
        """Raises `UnknownTool`."""
        return self._entry(tool).plan

    def annotations(self, tool: str) -> Mapping[str, Any]:
        """What the server says about the tool (`readOnlyHint` and so on). Raises `UnknownTool`."""
        return self._entry(tool).annotations

    def _entry(self, tool: str) -> _Entry:
        entry = self._entries.get(tool)
        if entry is None:
            raise UnknownTool(tool)
        return entry


EMPTY = McpToolset("", (), ())


def make_toolset(offer: Offer, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> McpToolset:
    """Name, select and describe what a server offers. `include` and `exclude` are tool patterns."""
    entries, warnings = _entries(offer)
    stays = name_filter(include, exclude)
    kept = [entry for entry in entries if stays(entry.definition.name)]
    warnings += none_left(offer.server or "mcp", len(entries), len(kept))
    offered = tuple(entry.definition.name for entry in entries)
    return McpToolset(_digest(offer, include, exclude), kept, warnings, offered, offer)


def _entries(offer: Offer) -> tuple[list[_Entry], list[str]]:
    kept: list[ListedTool] = []
    warnings = [f"{offer.server or 'mcp'}: {warning}" for warning in offer.warnings]
    seen: set[str] = set()
    for tool in offer.tools:
        reason = _unusable(tool, seen)
        if reason:
            warnings.append(f"{offer.server or 'mcp'}: tool {tool.name[:60]!r} left out: {reason}")
            continue
        seen.add(tool.name)
        kept.append(tool)
    # The names of our own tools are never a server's, so that what a rule says of them cannot come to mean another.
    names = unique_names([tool.name for tool in kept], reserved=_METHODS)
    entries = [_tool(tool, name) for tool, name in zip(kept, names, strict=True)]
    warnings += [
        f"{offer.server or 'mcp'}: `{one.definition.name}` runs code upstream: rules for single operations cannot hold"
        " there, so it asks unless a rule names it in full"
        for one in entries
        if one.definition.runs_code
    ]
    entries += [_entry(own.name, own, RequestPlan(_METHODS[own.name])) for own in _own_tools(offer)]
    return entries, warnings


def _unusable(tool: ListedTool, seen: set[str]) -> str:
    if tool.name in seen:
        return "listed twice"
    if not tool.name.strip() or len(tool.name) > _MAX_NAME:
        return "not a usable name"
    return "it can only be run as a task, which is not supported" if tool.needs_task else ""


def _tool(tool: ListedTool, name: str) -> _Entry:
    return _entry(name, tool, RequestPlan("tools/call", tool.name))


def _entry(name: str, tool: ListedTool, plan: RequestPlan) -> _Entry:
    risk = risk_of(tool.annotations)
    definition = ToolDefinition(
        name=name,
        title=tool.title,
        description=tool.description,
        risk=risk,
        idempotent=risk == "read" or tool.annotations.get("idempotentHint") is True,
        keywords=_keywords(tool, name),
        origin=f"{plan.method} {plan.name}".rstrip(),
        runs_code=runs_code(tool),
    )
    return _Entry(definition, plan, ToolSchemas(tool.input, tool.output), tool.annotations)


def risk_of(annotations: Mapping[str, Any]) -> Risk:
    """See the module docstring. Beside `readOnlyHint: true`, `destructiveHint` has no meaning (ToolAnnotations)."""
    if annotations.get("readOnlyHint") is True:
        return "read"
    return "destructive" if annotations.get("destructiveHint") is True else "write"


def runs_code(tool: ListedTool) -> bool:
    """Whether the tool takes a program, and its name or description says that it is run. Where arguments are required,
    the program has to be one of them."""
    required, properties = tool.input.get("required"), tool.input.get("properties")
    if not isinstance(properties, dict):
        return False
    names = required if required and isinstance(required, list) else properties
    programs = [
        name for name in names if isinstance(name, str) and name.lower() in _PROGRAMS and name in properties
    ]
    return bool(programs) and bool(_RUNS_NAME.search(tool.name) or _RUNS_TEXT.search(tool.description))


def _keywords(tool: ListedTool, name: str) -> str:
    properties = tool.input.get("properties")
    words = list(properties)[:_MAX_KEYWORDS] if isinstance(properties, dict) else []
    if tool.name != name:
        words.append(tool.name)
    return " ".join(words)


def _digest(offer: Offer, include: tuple[str, ...], exclude: tuple[str, ...]) -> str:
    tools = [[t.name, t.title, t.description, t.input, t.output, dict(t.annotations)] for t in offer.tools]
    seen = [offer.server, offer.resources, offer.prompts, offer.warnings, include, exclude, tools]
    return hashlib.sha256(write_json(seen, option=SORT_KEYS)).hexdigest()


_READ = {"readOnlyHint": True}
_CURSOR = {"cursor": {"type": "string", "description": "`nextCursor` of the page before."}}
_METHODS: dict[str, Method] = {
    "resources.list": "resources/list",
    "resources.read": "resources/read",
    "prompts.list": "prompts/list",
    "prompts.get": "prompts/get",
}
_TEXT = {"type": "string"}


def _object(properties: JsonObject, *required: str) -> JsonObject:
    out: JsonObject = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**out, "required": list(required)} if required else out


def _open(properties: JsonObject, *required: str) -> JsonObject:
    return {"type": "object", "properties": properties, "required": list(required)}


_RESOURCE = _open(
    {
        "uri": _TEXT,
        "name": _TEXT,
        "title": _TEXT,
        "description": _TEXT,
        "mimeType": _TEXT,
        "size": {"type": "number"},
    },
    "uri",
    "name",
)
_ARGUMENT = _open({"name": _TEXT, "description": _TEXT, "required": {"type": "boolean"}}, "name")
_PROMPT = _open(
    {"name": _TEXT, "title": _TEXT, "description": _TEXT, "arguments": {"type": "array", "items": _ARGUMENT}},
    "name",
)
_CONTENT = _open({"uri": _TEXT, "mimeType": _TEXT, "text": _TEXT, "file": {"type": "object"}}, "uri")
_MESSAGE = _open({"role": {"enum": ["user", "assistant"]}, "content": {}}, "role", "content")
_VALUES = {"type": "object", "additionalProperties": _TEXT}


def _own(name: str, title: str, description: str, given: JsonObject, output: JsonObject) -> ListedTool:
    return ListedTool(name, title, description, given, output, _READ)


def _list_of(key: str, item: JsonObject) -> JsonObject:
    return _open({key: {"type": "array", "items": item}, "nextCursor": _TEXT}, key)


_RESOURCE_TOOLS = (
    _own(
        "resources.list", "List resources", "Resources of this MCP server, one page at a time.",
        _object(_CURSOR), _list_of("resources", _RESOURCE),
    ),
    _own(
        "resources.read", "Read a resource",
        "Contents of one resource by its URI: `text`, or `file` (a ToolFile) for binary contents.",
        _object({"uri": _TEXT}, "uri"), _list_of("contents", _CONTENT),
    ),
)  # fmt: skip
_PROMPT_TOOLS = (
    _own(
        "prompts.list", "List prompts", "Prompt templates of this MCP server, one page at a time.",
        _object(_CURSOR), _list_of("prompts", _PROMPT),
    ),
    _own(
        "prompts.get", "Get a prompt", "The messages of one prompt, filled in with `arguments` (all of them strings).",
        _object({"name": _TEXT, "arguments": _VALUES}, "name"), _list_of("messages", _MESSAGE),
    ),
)  # fmt: skip


def _own_tools(offer: Offer) -> Iterable[ListedTool]:
    if offer.resources:
        yield from _RESOURCE_TOOLS
    if offer.prompts:
        yield from _PROMPT_TOOLS
