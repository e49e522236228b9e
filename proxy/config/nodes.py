"""Where everything stands: a tree beside the data that holds the position of each key and value.

Positions are 0-based (line, column) in code points while parsing; `SourceSpan` is 1-based, as diagnostics are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from proxy.config.source import SourceFile

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class SourceSpan:
    """A marked stretch of one line. 1-based; `end_column` is the column after the last one."""

    line: int
    column: int
    end_column: int


class SourceNode:
    """One value: its place, its key's place, its text if it is a scalar, its children if it is not.

    `target` is set where an alias stands: the node that the anchor names. Children of an alias are those of
    its target, but their place is reported as the alias, because that is the line to look at.
    """

    __slots__ = ("children", "end", "height", "key", "plain", "source", "start", "target", "text", "weight")

    def __init__(self, source: SourceFile, start: tuple[int, int], end: tuple[int, int]) -> None:
        self.source = source
        self.start = start
        self.end = end
        self.key: tuple[int, int, int, int] | None = None
        self.children: dict[str, SourceNode] | list[SourceNode] | None = None
        self.text = ""
        self.plain = False
        self.target: SourceNode | None = None
        self.weight = 1
        self.height = 1

    def child(self, name: str | int) -> SourceNode | None:
        children = self.target.children if self.target is not None else self.children
        if isinstance(children, dict):
            return children.get(name) if isinstance(name, str) else None
        if children is not None and isinstance(name, int) and 0 <= name < len(children):
            return children[name]
        return None

    def value_span(self) -> SourceSpan:
        (line, column), (end_line, end_column) = self.start, self.end
        if end_line != line or end_column <= column:
            end_column = max(len(self.source.line(line + 1).rstrip()), column + 1)
        return SourceSpan(line + 1, column + 1, end_column + 1)

    def key_span(self) -> SourceSpan:
        """The key, or the value's start where there is no key (list items, the top level)."""
        if self.key is None:
            return self.value_span()
        line, column, end_line, end_column = self.key
        if end_line != line:
            end_column = len(self.source.line(line + 1).rstrip())
        return SourceSpan(line + 1, column + 1, max(end_column, column + 1) + 1)


@dataclass(frozen=True, slots=True)
class PathMatch:
    """The deepest node that a path leads to. `through` is the alias it was reached through, if any."""

    node: SourceNode
    through: SourceNode | None
    depth: int


def find(root: SourceNode, path: Sequence[str | int]) -> PathMatch:
    """Follow `path` as far as it leads."""
    node, through = root, None
    for depth, name in enumerate(path):
        below = node.child(name)
        if below is None:
            return PathMatch(node, through, depth)
        if node.target is not None and through is None:
            through = node
        node = below
    return PathMatch(node, through, len(path))


def show_path(path: Sequence[str | int]) -> str:
    """`integrations.api.spec`, `policies[3].when`."""
    text = ""
    for name in path:
        text += f"[{name}]" if isinstance(name, int) else f".{name}" if text else name
    return text


def parse_path(root: SourceNode, path: str) -> Path:
    """The inverse of `show_path`. Keys may contain dots (`github.org.main`): the longest key wins."""
    return tuple(_steps(root, path))


def _steps(node: SourceNode | None, path: str) -> Iterator[str | int]:
    while path and node is not None:
        if path.startswith("["):
            number, _, path = path[1:].partition("]")
            step: str | int = int(number) if number.isdigit() else number
        else:
            step, path = _longest_key(node, path.removeprefix("."))
        yield step
        node = node.child(step)


def _longest_key(node: SourceNode, path: str) -> tuple[str, str]:
    cuts = [i for i, c in enumerate(path) if c in ".["] + [len(path)]
    for cut in reversed(cuts):
        if node.child(path[:cut]) is not None:
            return path[:cut], path[cut:]
    return path[: cuts[0]], path[cuts[0] :]
