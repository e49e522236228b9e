"""What a tool is, as far as a reviewer cares: its digest, the parts of it, and what policies look at.

The digest is SHA-256 over the RFC 8785 text of `{name, title, description, inputSchema, outputSchema, annotations,
request, servers}`; members without a value are left out. `request` is what the name stands for upstream (`PATCH
/repos/{owner}/{repo}`), `servers` are there where the source names other ones for this tool than for all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from integrations.base import Addressing, Annotating, JsonObject, Risk, ToolDefinition, Toolset
from proxy.lock.arguments import argument_names
from proxy.lock.jcs import jcs

SUMMARY_CHARACTERS: Final = 240
RISKS: Final = get_args(Risk)
"""From the mildest to the worst."""
# Enough to tell that a part changed. Whether the tool did is for the whole digest to say.
_PART_DIGITS: Final = 8
_NO_PART: Final = "-"
_NO_ARGUMENTS: Final[JsonObject] = {"type": "object", "additionalProperties": False}
PARTS: Final = (
    "title",
    "description",
    "inputSchema",
    "outputSchema",
    "annotations",
    "request",
    "servers",
)


@dataclass(frozen=True, slots=True)
class ToolRecord:
    """One tool: what its line in the lock holds. `parts` are short digests of `PARTS`, in that order. `arguments` are
    the names of its arguments (`proxy.lock.arguments`); None: the lock was written before it had them."""

    sha256: str
    risk: Risk
    request: str
    summary: str
    parts: str
    runs_code: bool = False
    arguments: str | None = field(default=None, compare=False)

    def part(self, name: str) -> str:
        """The short digest of one of `PARTS`; empty for what is not there."""
        digests: dict[str, str] = dict(zip(PARTS, self.parts.split(" "), strict=False))
        digest = digests.get(name, "")
        return "" if digest == _NO_PART else digest

    def differing(self, other: ToolRecord) -> tuple[str, ...]:
        """The names of the parts that differ."""
        mine, others = self.parts.split(" "), other.parts.split(" ")
        if len(mine) != len(PARTS) or len(others) != len(PARTS):
            return ()
        return tuple(name for name, a, b in zip(PARTS, mine, others, strict=True) if a != b)


@dataclass(frozen=True, slots=True)
class Offered:
    """What one source offers now. `servers`: where its calls go, as it says."""

    kind: str
    title: str
    servers: tuple[str, ...]
    tools: Mapping[str, ToolRecord]


def definition_of(toolset: Toolset, tool: ToolDefinition) -> JsonObject:
    """The whole text that a reviewer reads: what the digest is over. Raises `UnknownTool`."""
    schemas = toolset.schemas(tool.name)
    body: dict[str, Any] = {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": schemas.input,
        "outputSchema": schemas.output,
        "request": tool.stands_for,
    }
    if isinstance(toolset, Annotating):
        body["annotations"] = dict(toolset.annotations(tool.name))
    if isinstance(toolset, Addressing):
        own = tuple(toolset.servers_of(tool.name))
        if own != tuple(toolset.servers):
            body["servers"] = list(own)
    return {key: value for key, value in body.items() if value not in (None, "", {})}


def record_of(toolset: Toolset, tool: ToolDefinition) -> ToolRecord:
    """Raises `UnknownTool`."""
    return recorded(definition_of(toolset, tool), tool.risk, tool.runs_code)


def recorded(body: JsonObject, risk: Risk, runs_code: bool = False) -> ToolRecord:
    """The record of a definition."""
    return ToolRecord(
        sha256=_digest(body),
        risk=risk,
        request=str(body.get("request", "")),
        summary=summary_of(str(body.get("description") or body.get("title") or "")),
        parts=" ".join(_digest(body[name])[:_PART_DIGITS] if name in body else _NO_PART for name in PARTS),
        runs_code=runs_code,
        arguments=argument_names(body.get("inputSchema", _NO_ARGUMENTS)),
    )


def offered(kind: str, toolset: Toolset) -> Offered:
    """Everything a source offers. Takes about 2 ms a tool for large schemas: call it in a thread.

    Of two tools with one name the first counts, as in the catalog.
    """
    tools: dict[str, ToolRecord] = {}
    for tool in toolset.tools:
        if tool.name not in tools:
            tools[tool.name] = record_of(toolset, tool)
    servers = tuple(toolset.servers) if isinstance(toolset, Addressing) else ()
    return Offered(kind, str(getattr(toolset, "title", "")), servers, tools)


def summary_of(text: str) -> str:
    """The beginning of a text in one line."""
    line = " ".join(text.split())
    return line if len(line) <= SUMMARY_CHARACTERS else line[: SUMMARY_CHARACTERS - 4].rstrip() + " ..."


def _digest(value: Any) -> str:
    return hashlib.sha256(jcs(value)).hexdigest()
