"""Relative paths in a config are relative to the file they stand in: here they become absolute."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

from proxy.config.nodes import Node

_FILE_KEYS = frozenset({"file", "ca_bundle", "cert", "cwd", "last_good"})
_NAMES = frozenset({"headers", "environment"})
# Values that are not ours to read: documents, arguments, conditions, patches (whose `path` is a pointer).
_FOREIGN = frozenset({"inline", "arguments", "when", "overrides"})


def anchored(data: dict[str, Any], root: Node) -> dict[str, Any]:
    """A copy of the data with absolute paths."""
    out: dict[str, Any] = _walk(data, root)
    state = out.get("state")
    if isinstance(state, dict) and isinstance(state.get("path"), str):
        node = root.child("state")
        assert node is not None
        out["state"] = {**state, "path": _absolute(node, state["path"])}
    return out


def _walk(value: Any, node: Node) -> Any:
    if isinstance(value, dict):
        return {key: _entry(key, below, node.child(key) or node) for key, below in value.items()}
    if isinstance(value, list):
        return [_walk(below, node.child(index) or node) for index, below in enumerate(value)]
    return value


def _entry(key: str, value: Any, node: Node) -> Any:
    if key in _FOREIGN:
        return value
    if key in _NAMES and isinstance(value, dict):
        # Their keys are names of headers and variables, which may read like ours.
        return {
            name: below if isinstance(below, str) else _walk(below, node) for name, below in value.items()
        }
    if isinstance(value, str):
        return _absolute(node, value) if key in _FILE_KEYS else value
    if key == "documents" and isinstance(value, list):
        return [_absolute(node, item) for item in value]
    return _walk(value, node)


def _absolute(node: Node, name: str) -> str:
    return str(FilePath.cwd() / node.source.directory / name)
