"""YAML events to data and positions, in one pass.

This is the one place where duplicate keys, tags, merge keys, alias expansion and the place of an alias are
visible: composed nodes share the anchor's node, and loaded data has forgotten all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from proxy.config.nodes import Path, SourceNode
from proxy.config.source import Flaw, SourceFile
from proxy.config.syntax import explain
from proxy.config.yaml_scalars import resolve

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MOST_NODES = 200_000
DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The same key twice in one mapping."""

    path: Path
    first: SourceNode
    second: tuple[int, int, int, int]


@dataclass(slots=True)
class Parsed:
    """What one file says. `broken` are paths whose value is not known: nothing more is said about them.

    Without `complete` the parser gave up: there are flaws, and the rest of the file is not known.
    """

    source: SourceFile
    data: Any = None
    root: SourceNode | None = None
    flaws: list[Flaw] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)
    broken: set[Path] = field(default_factory=set)
    complete: bool = True


class _Stop(Exception):
    """Going on would only repeat the same error."""


class _Level:
    """A container that is being filled. `key` is the key that waits for its value."""

    __slots__ = ("anchor", "data", "is_map", "key", "key_place", "node", "path_key", "skip")

    def __init__(self, node: SourceNode, data: Any, anchor: str | None, path_key: str | int | None) -> None:
        self.node = node
        self.data = data
        self.is_map = isinstance(data, dict)
        self.anchor = anchor
        self.path_key = path_key
        self.key: str | None = None
        self.key_place: tuple[int, int, int, int] | None = None
        self.skip = False


def parse(source: SourceFile) -> Parsed:
    """Never raises for what a file holds."""
    return _Builder(source).run()


class _Builder:
    def __init__(self, source: SourceFile) -> None:
        self.out = Parsed(source)
        self.source = source
        self.levels: list[_Level] = []
        self.anchors: dict[str, tuple[Any, SourceNode]] = {}
        self.documents = 0
        self.last: Event | None = None

    def run(self) -> Parsed:
        try:
            for event in self._events():
                self._take(event)
        except _Stop:
            self.out.complete = False
        except yaml.YAMLError as error:
            self.out.complete = False
            self.out.flaws.append(explain(self.source, error))
        except (ValueError, RecursionError):
            self.out.complete = False
            place = self.last.end_mark if self.last else None
            line, column = (place.line, place.column) if place else (0, 0)
            self.out.flaws.append(Flaw("E101", "this cannot be read as YAML", None, line, column))
        return self.out

    def _events(self) -> Iterator[Event]:
        events: Iterator[Event] = yaml.parse(self.source.text, Loader)
        return events

    def _flaw(self, event: Any, code: str, message: str, help: str | None = None, width: int = 0) -> None:
        start, end = event.start_mark, event.end_mark
        if not width:
            same_line = end.line == start.line and end.column > start.column
            width = end.column - start.column if same_line else 1
        self.out.flaws.append(Flaw(code, message, help, start.line, start.column, width))

    def _stop(self, event: Any, code: str, message: str, help: str | None = None) -> None:
        self._flaw(event, code, message, help)
        raise _Stop

    # --- events

    def _take(self, event: Any) -> None:
        self.last = event
        kind = type(event)
        if kind is ScalarEvent:
            self._scalar(event)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            self._open(event, {} if kind is MappingStartEvent else [])
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            self._close(event)
        elif kind is AliasEvent:
            self._alias(event)
        elif kind is DocumentStartEvent:
            self.documents += 1
            if self.documents > 1:
                help = "one file holds one document; put the rest into a file of its own"
                self._stop(event, "E104", "a second YAML document starts here", help)

    def _node(self, event: Any) -> SourceNode:
        start, end = event.start_mark, event.end_mark
        return SourceNode(self.source, (start.line, start.column), (end.line, end.column))

    def _path(self) -> Path:
        """The path of the value that comes next."""
        steps = [level.path_key for level in self.levels[1:]]
        if self.levels:
            steps.append(self._next_step())
        return tuple(step for step in steps if step is not None)

    def _next_step(self) -> str | int | None:
        top = self.levels[-1]
        return top.key if top.is_map else len(top.data)

    def _expects_key(self) -> bool:
        return bool(self.levels) and self.levels[-1].is_map and self.levels[-1].key_place is None

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is None:
            return
        shown = event.tag.replace("tag:yaml.org,2002:", "!!")
        self.out.broken.add(self._path())
        help = (
            "write {env: NAME} or {file: PATH}"
            if "secret" in shown or "env" in shown.lower()
            else "remove the tag"
        )
        self._flaw(event, "E106", f"YAML tag {shown} is not supported", help)

    def _scalar(self, event: Any) -> None:
        self._refuse_tag(event)
        # The style of a plain scalar is None in the Python parser and '' in the C parser.
        plain = not event.style
        value = resolve(event.value) if plain else event.value
        if self._expects_key():
            self._key(event, value, plain)
            return
        node = self._node(event)
        node.text, node.plain = event.value, plain
        self._add(event, value, node)
        if event.anchor:
            self.anchors[event.anchor] = (value, node)

    def _key(self, event: Any, value: Any, plain: bool) -> None:
        level = self.levels[-1]
        start, end = event.start_mark, event.end_mark
        level.key_place = (start.line, start.column, end.line, end.column)
        level.key = event.value
        if plain and event.value == "<<":
            self._flaw(
                event, "E106", "merge keys are not supported", "use an alias for a whole value, or repeat it"
            )
            self._lose_key(level)
        elif not isinstance(value, str) and not self._in_document():
            words = f"mapping key {event.value} is not a string" if event.value else "a mapping key is empty"
            self._flaw(event, "E112", words, f'quote it: "{event.value}"' if event.value else None)
            self._lose_key(level)
        elif level.key in level.data:
            first = level.node.children[level.key]  # type: ignore[index]
            self.out.duplicates.append(Duplicate(self._path(), first, level.key_place))
            level.skip = True

    def _in_document(self) -> bool:
        """Inside `integrations.<name>.spec.inline`: OpenAPI documents have status codes for keys."""
        path = self._path()
        return len(path) > 4 and path[0] == "integrations" and path[2:4] == ("spec", "inline")

    def _lose_key(self, level: _Level) -> None:
        """The value that follows is read and dropped, and its mapping is not judged as a whole."""
        self.out.broken.add(self._path()[:-1])
        level.skip = True

    def _open(self, event: Any, data: Any) -> None:
        self._refuse_tag(event)
        if self._expects_key():
            self._refuse_container_key(event)
        node = self._node(event)
        node.children = {} if isinstance(data, dict) else []
        step = self._next_step() if self.levels else None
        self._add(event, data, node)
        if len(self.levels) >= DEEPEST:
            self._stop(event, "E109", f"nested deeper than {DEEPEST} levels")
        self.levels.append(_Level(node, data, event.anchor, step))
        if event.anchor:
            self.anchors[event.anchor] = (data, node)

    def _refuse_container_key(self, event: Any) -> None:
        line = self.source.line(event.start_mark.line + 1)
        if "{{" in line or "{%" in line:
            help = "template braces: render the file first, or quote the value"
            self._stop(event, "E112", "a template is not YAML", help)
        self._stop(event, "E112", "a mapping key must be a plain string, not a list or mapping")

    def _close(self, event: Any) -> None:
        level = self.levels.pop()
        node = level.node
        node.end = (event.end_mark.line, event.end_mark.column)
        if self.levels:
            self._count(event, self.levels[-1].node, node)

    def _count(self, event: Any, above: SourceNode, below: SourceNode) -> None:
        """Sizes as if aliases were copies: a few hundred bytes of aliases can stand for millions of nodes."""
        above.weight += below.weight
        above.height = max(above.height, below.height + 1)
        if above.weight > MOST_NODES:
            self._stop(event, "E108", f"aliases expand to more than {MOST_NODES:,} nodes".replace(",", " "))
        if above.height + len(self.levels) > DEEPEST + 1:
            self._stop(event, "E109", f"nested deeper than {DEEPEST} levels")

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            self._undefined(event)
            return
        if any(level.anchor == event.anchor for level in self.levels):
            self._stop(event, "E114", f"alias *{event.anchor} refers to itself")
        value, target = self.anchors[event.anchor]
        if self._expects_key():
            self._key_from_alias(event, value)
            return
        node = self._node(event)
        node.target = target
        node.text, node.plain = target.text, target.plain
        node.weight, node.height = target.weight, target.height
        self._add(event, value, node)

    def _key_from_alias(self, event: Any, value: Any) -> None:
        if not isinstance(value, str):
            self._stop(event, "E112", "a mapping key must be a plain string, not a list or mapping")
        start, end = event.start_mark, event.end_mark
        self.levels[-1].key = value
        self.levels[-1].key_place = (start.line, start.column, end.line, end.column)

    def _undefined(self, event: Any) -> None:
        help = f'quote it: "*{event.anchor}"' if not self.anchors else _known(self.anchors)
        self._flaw(event, "E107", f"alias *{event.anchor} is not defined above", help)
        self.out.broken.add(self._path())
        if self._expects_key():
            raise _Stop
        self._add(event, None, self._node(event))

    def _add(self, event: Any, value: Any, node: SourceNode) -> None:
        if not self.levels:
            self.out.data, self.out.root = value, node
            return
        level = self.levels[-1]
        if node.children is None:
            self._count(event, level.node, node)
        if not level.is_map:
            level.data.append(value)
            level.node.children.append(node)  # type: ignore[union-attr]
            return
        node.key = level.key_place
        if not level.skip:
            level.data[level.key] = value
            level.node.children[level.key] = node  # type: ignore[index, call-overload]
        level.key = level.key_place = None
        level.skip = False


def _known(anchors: dict[str, tuple[Any, SourceNode]]) -> str:
    names = ", ".join(f"*{name}" for name in list(anchors)[:8])
    return f"defined above: {names}"
