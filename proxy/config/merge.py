"""Several files as one config.

Sections of named entries are united, policies are concatenated, every other section stands in one file only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.config.locations import Finding
from proxy.config.nodes import Path, SourceNode
from proxy.config.parse import Parsed

UNITED = ("integrations", "connections", "workspaces", "rate_limits")
CONCATENATED = ("policies",)


@dataclass(slots=True)
class Merged:
    """The data of all files, and the tree of its places."""

    data: dict[str, Any]
    root: SourceNode
    findings: list[Finding] = field(default_factory=list)
    broken: set[Path] = field(default_factory=set)


def merge(files: Sequence[Parsed]) -> Merged:
    """Unite files whose top level is a mapping. There is no overriding: the same thing twice is an error."""
    first = files[0].root
    assert first is not None
    root = SourceNode(first.source, first.start, first.end)
    root.children = {}
    merged = Merged({}, root)
    for file in files:
        _add_file(merged, file)
    return merged


def _add_file(merged: Merged, file: Parsed) -> None:
    assert file.root is not None
    assert isinstance(file.root.children, dict)
    offset = len(merged.data.get("policies", ())) if isinstance(merged.data.get("policies"), list) else 0
    for duplicate in file.duplicates:
        name = duplicate.path[-1]
        raw = (file.source, duplicate.second)
        path = _shift(duplicate.path, offset)
        merged.findings.append(
            Finding(
                "E103",
                path,
                f"duplicate key `{name}`",
                "remove one of them",
                "key",
                (("first here", path),),
                raw,
            )
        )
    merged.broken |= {_shift(path, offset) for path in file.broken}
    for key, node in file.root.children.items():
        if not key.startswith("x-"):
            _add_section(merged, key, file.data[key], node)


def _shift(path: Path, offset: int) -> Path:
    if offset and len(path) > 1 and path[0] in CONCATENATED and isinstance(path[1], int):
        return (path[0], path[1] + offset, *path[2:])
    return path


def _add_section(merged: Merged, key: str, value: Any, node: SourceNode) -> None:
    assert isinstance(merged.root.children, dict)
    present = merged.data.get(key)
    if key not in merged.data:
        merged.data[key], merged.root.children[key] = value, node
    elif key in UNITED and isinstance(present, dict) and isinstance(value, dict):
        _unite(merged, key, value, node)
    elif key in CONCATENATED and isinstance(present, list) and isinstance(value, list):
        _concatenate(merged, key, value, node)
    elif key in (*UNITED, *CONCATENATED):
        # One of the two has the wrong type; let the schema say so.
        if isinstance(present, dict if key in UNITED else list):
            merged.data[key], merged.root.children[key] = value, node
    else:
        _stands_twice(merged, (key,), f"section `{key}` stands in two files", node)


def _stands_twice(merged: Merged, path: Path, message: str, node: SourceNode) -> None:
    assert node.key is not None
    related = (("first here", path),)
    raw = (node.source, node.key)
    merged.findings.append(Finding("E103", path, message, "remove one of them", "key", related, raw))


def _copy(node: SourceNode) -> SourceNode:
    """A container of our own: the files' own trees stay as they are."""
    target = node.target or node
    copy = SourceNode(node.source, node.start, node.end)
    copy.key = node.key
    copy.children = (
        dict(target.children) if isinstance(target.children, dict) else list(target.children or ())
    )
    return copy


def _unite(merged: Merged, key: str, value: dict[str, Any], node: SourceNode) -> None:
    assert isinstance(merged.root.children, dict)
    merged.data[key] = dict(merged.data[key])
    united = merged.root.children[key] = _copy(merged.root.children[key])
    assert isinstance(united.children, dict)
    for name, entry in value.items():
        below = node.child(name)
        assert below is not None
        if name in merged.data[key]:
            _stands_twice(merged, (key, name), f"duplicate key `{name}`", below)
        else:
            merged.data[key][name], united.children[name] = entry, below


def _concatenate(merged: Merged, key: str, value: list[Any], node: SourceNode) -> None:
    assert isinstance(merged.root.children, dict)
    merged.data[key] = [*merged.data[key], *value]
    joined = merged.root.children[key] = _copy(merged.root.children[key])
    assert isinstance(joined.children, list)
    items = (node.target or node).children
    assert isinstance(items, list)
    joined.children += items
