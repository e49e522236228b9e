"""One pydantic error, found again in the file it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from proxy.config.nodes import Node, Path, find
from proxy.config.wording import shown


@dataclass(frozen=True, slots=True)
class SchemaError:
    """One pydantic error with the path it is about and the value there."""

    detail: ErrorDetails
    path: Path
    value: Any
    data: Any
    node: Node | None
    at_key: bool

    @property
    def context(self) -> Mapping[str, Any]:
        return self.detail.get("ctx") or {}

    @property
    def name(self) -> str:
        """The nearest key: list items are called by their list."""
        return next((step for step in reversed(self.path) if isinstance(step, str)), "config")

    @property
    def raw(self) -> str:
        """The text in the file: `1.10` must not become `1.1` in a suggestion."""
        return self.node.text if self.node is not None and self.node.text else shown(self.value)


def locate(detail: ErrorDetails, data: Any, root: Node) -> SchemaError:
    """`loc` holds union tags and class names besides keys: it is walked against the data, and what is not there is
    skipped."""
    loc = detail["loc"]
    at_key = bool(loc) and loc[-1] == "[key]"
    path: list[str | int] = []
    value = data
    for step in loc[:-1] if at_key else loc:
        if (isinstance(value, dict) and step in value) or _indexes(value, step):
            value = value[step]
            path.append(step)
    found = find(root, path)
    return SchemaError(
        detail, tuple(path), value, data, found.node if found.depth == len(path) else None, at_key
    )


def _indexes(value: Any, step: str | int) -> bool:
    return isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value)
