"""Several files as one config.

Sections of named entries are united entry by entry (`auth.api_keys.keys` too), policies are concatenated, every other
section stands in one file only. `version` may stand in each of them where all say the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.config.locations import Finding
from proxy.config.nodes import Path, SourceNode, find
from proxy.config.parse import Parsed

UNITED = ("integrations", "connections", "workspaces", "rate_limits")
CONCATENATED = ("policies",)
# Mappings whose keys may come from several files, by their path; entries of the last one are united.
_PARTED: Mapping[Path, str] = {("auth",): "api_keys", ("auth", "api_keys"): "keys"}


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
        merged.data[key], merged.root.children[key] = _united(merged, (key,), present, value, node)
    elif (key,) in _PARTED and isinstance(present, dict) and isinstance(value, dict):
        merged.data[key], merged.root.children[key] = _parted(merged, (key,), present, value, node)
    elif key in CONCATENATED and isinstance(present, list) and isinstance(value, list):
        _concatenate(merged, key, value, node)
    elif key in (*UNITED, *CONCATENATED):
        # One of the two has the wrong type; let the schema say so.
        if isinstance(present, dict if key in UNITED else list):
            merged.data[key], merged.root.children[key] = value, node
    elif key != "version" or type(value) is not type(present) or value != present:
        said = "says another version" if key == "version" else "stands in two files"
        _stands_twice(merged, (key,), f"section `{key}` {said}", node)


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


def _united(
    merged: Merged, path: Path, present: dict[str, Any], value: dict[str, Any], node: SourceNode
) -> tuple[dict[str, Any], SourceNode]:
    """The entries of both; the same entry twice is an error at the second place."""
    united, data = _copy(find(merged.root, path).node), dict(present)
    assert isinstance(united.children, dict)
    for name, entry in value.items():
        below = node.child(name)
        assert below is not None
        if name in data:
            _stands_twice(merged, (*path, name), f"duplicate key `{name}`", below)
        else:
            data[name], united.children[name] = entry, below
    return data, united


def _parted(
    merged: Merged, path: Path, present: dict[str, Any], value: dict[str, Any], node: SourceNode
) -> tuple[dict[str, Any], SourceNode]:
    """The keys of both; what is united stands in both, every other key in one of them only."""
    parted, data = _copy(find(merged.root, path).node), dict(present)
    assert isinstance(parted.children, dict)
    for key, entry in value.items():
        below, known, where = node.child(key), data.get(key), (*path, key)
        assert below is not None
        if key not in data:
            data[key], parted.children[key] = entry, below
        elif key == _PARTED[path] and isinstance(known, dict) and isinstance(entry, dict):
            unite = _parted if where in _PARTED else _united
            data[key], parted.children[key] = unite(merged, where, known, entry, below)
        else:
            _stands_twice(merged, where, f"`{'.'.join(map(str, where))}` stands in two files", below)
    return data, parted


def _concatenate(merged: Merged, key: str, value: list[Any], node: SourceNode) -> None:
    assert isinstance(merged.root.children, dict)
    merged.data[key] = [*merged.data[key], *value]
    joined = merged.root.children[key] = _copy(merged.root.children[key])
    assert isinstance(joined.children, list)
    items = (node.target or node).children
    assert isinstance(items, list)
    joined.children += items
