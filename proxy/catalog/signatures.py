"""Signatures: one line for each tool, `items.get(args: { id: string; }) -> { name?: string; }`, and which come first.

References are written out to a small depth, so that a body is seen and not only named. The only upstream text in a
signature is member names, escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import unquote

from integrations.base import ToolDefinition, outline_of
from integrations.schema_types import render_inline_type
from proxy.catalog.branch import Branch
from proxy.catalog.entries import CatalogTool

ASKS: Final = " [asks]"
"""The mark of a call that waits for somebody's approval."""

# Bytes for the arguments and for the result of one signature, from generous to terse.
SIZES: Final = ((400, 200), (240, 100), (160, 60), (160, 0), (80, 0))
_LEVELS: Final = 5
_FOLDED: Final = "Record<string, unknown> /* ... */"
_BY_VALUE: Final = ("by value", 0)
_MEMBERS: Final = 16
_CHOICES: Final = 6
_KEPT: Final = ("type", "required", "enum", "nullable", "patternProperties")


def signature(branch: Branch, tool: CatalogTool, size: tuple[int, int]) -> str:
    """The line of one tool. Connections of one toolset share what was rendered before."""
    kept = branch.index.lines if branch.index is not None else None
    key = (tool.name, *size, tool.toolset.digest)
    known = kept.get(key) if kept is not None else None
    if isinstance(known, str):
        return known
    text = _rendered(tool, *size)
    if kept is not None:
        kept.put(key, text)
    return text


def _rendered(tool: CatalogTool, input_bytes: int, output_bytes: int) -> str:
    schemas = outline_of(tool.toolset, tool.name)
    arguments = _inline(schemas.input, input_bytes)
    optional = "" if schemas.input.get("required") else "?"
    text = f"{tool.name}()" if arguments == "{}" else f"{tool.name}(args{optional}: {arguments})"
    if output_bytes and schemas.output is not None:
        result = _inline(schemas.output, output_bytes)
        text += f" -> {result}" if result != "unknown" else ""
    return text


def _inline(schema: Mapping[str, Any], size: int) -> str:
    """What was folded for lack of room is an `object`: nothing more is known of it here."""
    text = render_inline_type(_written_out(schema, schema, _LEVELS), size)
    text = text.replace(_FOLDED, "object").replace("Array<object>", "object[]")
    return text.replace("unknown /* ... */", "unknown")


def _written_out(root: Mapping[str, Any], schema: Any, levels: int) -> Any:
    """The schema with its references replaced by what they mean, no deeper and no wider than a line can show."""
    if not isinstance(schema, Mapping):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        target = _target(root, reference)
        if levels <= 0:
            return {"type": target["type"]} if isinstance(target, Mapping) and "type" in target else {}
        return _written_out(root, target, levels - 1)
    out: dict[str, Any] = {name: schema[name] for name in _KEPT if name in schema}
    if "const" in schema:
        # Values of enums are shown by their type; this one is upstream text as well.
        out["enum"] = [schema["const"]]
    for name in ("items", "additionalProperties"):
        if name in schema:
            out[name] = _written_out(root, schema[name], levels - 1)
    for name, parts in schema.items():
        # allOf, anyOf, oneOf.
        if name.endswith("Of") and isinstance(parts, list):
            out[name] = [_written_out(root, one, levels - 1) for one in parts[:_CHOICES]]
    if isinstance(members := schema.get("properties"), Mapping):
        out["properties"] = {
            name: _written_out(root, member, levels - 1) if index < _MEMBERS else {}
            for index, (name, member) in enumerate(members.items())
        }
    return out


def _target(root: Mapping[str, Any], reference: str) -> Any:
    here: Any = root
    for token in reference.removeprefix("#").split("/")[1:]:
        name = unquote(token).replace("~1", "/").replace("~0", "~")
        try:
            here = here[int(name)] if isinstance(here, list) else here[name]
        except (LookupError, TypeError, ValueError):
            return {}
    return here


def by_value(branch: Branch) -> Iterator[CatalogTool]:
    """The tools of a connection, those first that most work begins with.

    Resources with many tools are what an API is about: they take turns, and each gives its shortest paths first.
    Known only as a sequence of positions: connections of one toolset share it.
    """
    index = branch.index
    if index is None:
        return iter(())
    known = index.lines.get(_BY_VALUE)
    order: tuple[int, ...] = known if isinstance(known, tuple) else tuple(_by_value(branch))
    index.lines.put(_BY_VALUE, order)
    return (branch.tools[number] for number in order)


def _by_value(branch: Branch) -> Iterator[int]:
    groups: dict[str, list[int]] = {}
    for number, tool in enumerate(branch.tools):
        groups.setdefault(tool.name.partition(".")[0], []).append(number)
    largest = sorted(groups.values(), key=len, reverse=True)
    turns = [
        iter(sorted(group, key=lambda number: _depth(branch.tools[number].definition))) for group in largest
    ]
    while turns:
        going = [(turn, number) for turn in turns for number in islice(turn, 1)]
        yield from (number for _, number in going)
        turns = [turn for turn, _ in going]


def _depth(tool: ToolDefinition) -> tuple[bool, int]:
    return tool.deprecated, tool.path.count("/") or tool.name.count(".")
