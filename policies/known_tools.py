"""The tools that there are, as far as they are known, and which of them a pattern reaches.

A pattern that reaches none is most likely misspelt, and a rule with it fails open. What is suggested for it
is a pattern that reaches tools, and differs from it by little: a segment that is spelt alike (`FLOOR`),
another case, one segment more or less, another owner or connection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from policies.patterns import Pattern, is_pattern, parse_pattern, segment_matches

FLOOR: Final = 0.65
"""How alike a segment and the one that replaces it must be: the ratio of `difflib`, case and `_` ignored."""

HEAD: Final = 3
_CORRECTIONS: Final = 2
_ALTERNATIVES: Final = 3
_END: Final = ""
Node = dict[str, Any]


class NameTree:
    """The tool names of one source, by segment. Immutable after `__init__`."""

    __slots__ = ("_root", "names")

    def __init__(self, names: Collection[str]) -> None:
        self.names = tuple(names)
        self._root: Node = {}
        for name in names:
            node = self._root
            for segment in name.split("."):
                node = node.setdefault(segment, {})
            node[_END] = name

    def matching(self, segments: Sequence[str], below: bool) -> Iterator[str]:
        """The names that these segments of a pattern match."""
        level = [self._root]
        for segment in segments:
            level = [child for node in level for _, child in _children(node, segment)]
        for node in level:
            if below:
                yield from _names(node)
            elif _END in node:
                yield node[_END]

    def corrected(self, segments: Sequence[str], below: bool) -> tuple[str, ...] | None:
        """Segments of a pattern that match something, and are as few corrections away as can be."""
        for allowed in range(1, _CORRECTIONS + 1):
            found = next(_corrections(self._root, tuple(segments), below, allowed), None)
            if found is not None:
                return found
        return None


class KnownTools:
    """By connection (`github.org.main`): the names of its tools, or why they are not known."""

    def __init__(self, names: Mapping[str, Collection[str]], unknown: Mapping[str, str]) -> None:
        trees: dict[int, NameTree] = {}
        self._trees = {
            tuple(prefix.split(".")): trees.setdefault(id(some), NameTree(some))
            for prefix, some in names.items()
        }
        self._unknown = {tuple(prefix.split(".")): why for prefix, why in unknown.items()}
        self._by_integration = _by_integration(self._trees)

    def within(self, integrations: Collection[str]) -> KnownTools:
        """Those of some integrations only."""
        part = KnownTools({}, {})
        part._trees = {head: tree for head, tree in self._trees.items() if head[0] in integrations}
        part._unknown = {head: why for head, why in self._unknown.items() if head[0] in integrations}
        part._by_integration = _by_integration(part._trees)
        return part

    def matched(self, pattern: Pattern) -> Iterator[tuple[str, str]]:
        """Every tool that the pattern matches: its connection and its name."""
        own = pattern.integration
        heads = self._trees if own is None or "*" in own else self._by_integration.get(own, ())
        for head in heads:
            tree = self._trees[head]
            if pattern.reaches_below(head):
                prefix = ".".join(head)
                for name in tree.matching(pattern.segments[HEAD:], pattern.below):
                    yield prefix, name

    def reaches(self, pattern: Pattern) -> bool:
        return next(self.matched(pattern), None) is not None

    def unknown(self, pattern: Pattern) -> dict[str, str]:
        """The connections whose tools the pattern may match, and why nobody knows them."""
        return {".".join(head): why for head, why in self._unknown.items() if pattern.reaches_below(head)}

    def of(self, integration: str) -> list[str]:
        """The known names of an integration's tools, each once, in order."""
        trees = {id(tree): tree for head, tree in self._trees.items() if head[0] == integration}
        return list(dict.fromkeys(name for tree in trees.values() for name in tree.names))

    def has_connection(self, integration: str) -> bool:
        return any(head[0] == integration for head in (*self._trees, *self._unknown))

    def has_connection_of(self, pattern: Pattern) -> bool:
        """Whether there is a connection that the pattern may match, whatever its tools are."""
        return any(pattern.reaches_below(head) for head in (*self._trees, *self._unknown))

    def suggestion(self, pattern: Pattern) -> str | None:
        """A pattern that reaches tools and was probably meant, or None."""
        if pattern.integration is None:
            return None
        head = (*pattern.segments[:HEAD], *("*",) * (HEAD - len(pattern.segments)))
        return self._beside(head, pattern) or self._below(head, pattern)

    def _beside(self, head: tuple[str, ...], pattern: Pattern) -> str | None:
        """The same tool of another owner or connection."""
        for other in ((head[0], "*", head[2]), (head[0], "*", "*")):
            wanted = _text(other, pattern.segments[HEAD:], pattern.below)
            if self.reaches(parse_pattern(wanted)):
                return wanted
        return None

    def _below(self, head: tuple[str, ...], pattern: Pattern) -> str | None:
        """Another tool of the same connections, else of any connection of the integration."""
        for wide in (head, (head[0], "*", "*")):
            trees = {
                id(tree): tree for own, tree in self._trees.items() if all(map(segment_matches, wide, own))
            }
            for tree in trees.values():
                found = tree.corrected(pattern.segments[HEAD:], pattern.below)
                wanted = _text(wide, found, pattern.below) if found is not None else ""
                if is_pattern(wanted):
                    return wanted
        return None


def _by_integration(trees: Mapping[tuple[str, ...], NameTree]) -> dict[str, list[tuple[str, ...]]]:
    """Most patterns name one integration of many: the others need not be looked at."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for head in trees:
        found.setdefault(head[0], []).append(head)
    return found


def _text(head: Sequence[str], tool: Sequence[str], below: bool) -> str:
    end = () if not below or tuple(tool[-1:]) == ("*",) else ("*",)
    return ".".join((*head, *tool, *end))


def _children(node: Node, segment: str) -> Iterator[tuple[str, Node]]:
    """The children that a segment of a pattern matches."""
    if "*" not in segment:
        if segment in node and segment != _END:
            yield segment, node[segment]
        return
    for name, child in node.items():
        if name != _END and segment_matches(segment, name):
            yield name, child


def _names(node: Node) -> Iterator[str]:
    for key, child in node.items():
        if key == _END:
            yield child
        else:
            yield from _names(child)


def _corrections(
    node: Node, segments: tuple[str, ...], below: bool, allowed: int
) -> Iterator[tuple[str, ...]]:
    """Segments that match something below the node, with at most so many corrections."""
    if not segments:
        if below or _END in node:
            yield ()
        elif allowed:
            # The pattern ends where the tools begin: it was a prefix.
            yield ("*",)
        return
    first, rest = segments[0], segments[1:]
    exact = list(_children(node, first))
    for _, child in exact:
        for tail in _corrections(child, rest, below, allowed):
            yield (first, *tail)
    if not allowed:
        return
    if not exact:
        for instead, child in _alike(node, first):
            for tail in _corrections(child, rest, below, allowed - 1):
                yield (instead, *tail)
    yield from _one_more(node, segments, below, allowed - 1)
    if rest:
        yield from _corrections(node, rest, below, allowed - 1)


def _one_more(node: Node, segments: tuple[str, ...], below: bool, allowed: int) -> Iterator[tuple[str, ...]]:
    """The same behind one more segment: its name where there is one, else `*`."""
    first = _folded(segments[0])
    inside = [
        (name, child, key)
        for name, child in node.items()
        if name != _END
        for key in child
        if key != _END and _folded(key) == first
    ]
    for name, child, key in inside[:_ALTERNATIVES]:
        for tail in _corrections(child[key], segments[1:], below, allowed):
            yield (name if len(inside) == 1 else "*", key, *tail)


def _alike(node: Node, segment: str) -> Iterator[tuple[str, Node]]:
    """Children whose names are spelt like the segment, most alike first."""
    stem = segment.removesuffix("*")
    if "*" in stem or not stem:
        return
    begins = stem != segment
    likeness = SequenceMatcher(b=_folded(stem), autojunk=False)
    found: list[tuple[float, str, Node]] = []
    for name, child in node.items():
        if name == _END:
            continue
        text = name[: len(stem)] if begins else name
        likeness.set_seq1(_folded(text))
        if likeness.real_quick_ratio() >= FLOOR and likeness.quick_ratio() >= FLOOR:
            found.append((likeness.ratio(), f"{text}*" if begins else name, child))
    found.sort(key=lambda one: (-one[0], one[1]))
    for ratio, name, child in found[:_ALTERNATIVES]:
        if ratio >= FLOOR:
            yield name, child


def _folded(text: str) -> str:
    return text.lower().replace("_", "").replace("-", "")
