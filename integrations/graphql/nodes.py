"""Selections as plain values, and their text. Made by `default` and `parsing`, read by `outputs`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SelectedField:
    """`arguments` is GraphQL text with its parentheses, or "". `selections` is empty for leaves.

    `conditional`: a @skip or @include may leave the field out.
    """

    name: str
    selections: tuple[SelectionItem, ...] = ()
    arguments: str = ""
    alias: str = ""
    conditional: bool = False

    @property
    def key(self) -> str:
        """The name in the response (section 6.3.2)."""
        return self.alias or self.name


@dataclass(frozen=True, slots=True)
class InlineFragment:
    """An inline fragment; `on` is its type condition, "" for none."""

    on: str
    selections: tuple[SelectionItem, ...]
    conditional: bool = False


SelectionItem = SelectedField | InlineFragment
TYPENAME = SelectedField("__typename")


def print_nodes(nodes: Sequence[SelectionItem]) -> str:
    """One line, without outer braces."""
    return " ".join(map(_print, nodes))


def _print(node: SelectionItem) -> str:
    inner = f" {{ {print_nodes(node.selections)} }}" if node.selections else ""
    if isinstance(node, InlineFragment):
        return (f"... on {node.on}" if node.on else "...") + inner
    return (
        f"{node.alias}: {node.name}{node.arguments}{inner}"
        if node.alias
        else node.name + node.arguments + inner
    )
