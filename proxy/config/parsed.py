"""What the parser hands on: the data of one file, its places, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from proxy.config.nodes import Node, Path
from proxy.config.source import Flaw, SourceFile


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The same key twice in one mapping."""

    path: Path
    first: Node
    second: tuple[int, int, int, int]


@dataclass(slots=True)
class Parsed:
    """What one file says. `broken` are paths whose value is not known: nothing more is said about them.

    Without `complete` the parser gave up: there are flaws, and the rest of the file is not known.
    """

    source: SourceFile
    data: Any = None
    root: Node | None = None
    flaws: list[Flaw] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)
    broken: set[Path] = field(default_factory=set)
    complete: bool = True
