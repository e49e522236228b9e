"""Which patterns match an address, without trying them all: a trie over segments.

A lookup visits only the nodes that the address can reach: the literal child, the `*` child and the few
children with a `*` inside a segment. Its cost depends on the address, not on how many rules there are: where many
segments hold a `*`, only those are tried whose longest literal part stands in the address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from policies.patterns import Pattern, segment_matches

# So few are tried one by one faster than they are looked up.
_FEW = 8


class _Globs:
    """Children whose segment holds a `*` among letters, filed under the longest literal part of it."""

    __slots__ = ("_by_part", "_lengths", "_nodes")

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._by_part: dict[str, list[str]] = {}
        self._lengths: list[int] = []

    def child(self, segment: str) -> _Node:
        """The node of this segment, made when it is not there."""
        node = self._nodes.get(segment)
        if node is None:
            node = self._nodes[segment] = _Node()
            part = max(segment.split("*"), key=len)
            self._by_part.setdefault(part, []).append(segment)
            if len(part) not in self._lengths:
                self._lengths.append(len(part))
        return node

    def reached_by(self, text: str) -> Iterator[_Node]:
        for glob in self._nodes if len(self._nodes) <= _FEW else self._candidates(text):
            if segment_matches(glob, text):
                yield self._nodes[glob]

    def _candidates(self, text: str) -> Iterator[str]:
        parts = {text[at : at + size] for size in self._lengths for at in range(len(text) - size + 1)}
        for part in parts:
            yield from self._by_part.get(part, ())


@dataclass(slots=True)
class _Node:
    literal: dict[str, _Node] = field(default_factory=dict)
    globs: _Globs | None = None
    star: _Node | None = None
    here: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)

    def child(self, segment: str) -> _Node:
        """The node for one more segment, made when it is not there."""
        if segment == "*":
            self.star = self.star or _Node()
            return self.star
        if "*" in segment:
            self.globs = self.globs or _Globs()
            return self.globs.child(segment)
        return self.literal.setdefault(segment, _Node())

    def reached_by(self, segment: str) -> Iterable[_Node]:
        exact = self.literal.get(segment)
        if exact is not None:
            yield exact
        if self.star is not None:
            yield self.star
        if self.globs is not None:
            yield from self.globs.reached_by(segment)


class PatternIndex:
    """Numbers filed under patterns. Filled by whoever builds it, then only read."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, pattern: Pattern, number: int) -> None:
        """File `number` under `pattern`."""
        node = self._root
        for segment in pattern.segments:
            node = node.child(segment)
        (node.below if pattern.below else node.here).append(number)

    def matching(self, address: Sequence[str]) -> list[int]:
        """Numbers of all patterns that match these segments, in ascending order."""
        found: list[int] = []
        for node in self._walk(address, found):
            found += node.here
        return sorted(found)

    def covering(self, pattern: Pattern) -> list[int]:
        """Numbers of all patterns that match every tool which `pattern` matches, in ascending order."""
        found: list[int] = []
        for node in self._walk(pattern.padded(), found):
            if not pattern.below:
                found += node.here
        return sorted(found)

    def _walk(self, segments: Sequence[str], below: list[int]) -> list[_Node]:
        """The nodes at the end of the segments. What those on the way hold for all below goes to `below`."""
        level = [self._root]
        below += self._root.below
        for segment in segments:
            level = [child for node in level for child in node.reached_by(segment)]
            for node in level:
                below += node.below
        return level
