"""YAML 1.2 core schema to plain data, from PyYAML's event stream.

PyYAML's own constructors follow YAML 1.1 and turn `no`, `012` and `2024-10-01` into something else; here
only the core schema of YAML 1.2.2 section 10.3 is applied, tags beyond it are strings, and keys are strings.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from integrations.json_text import MAX_DEPTH, JsonTooDeep

_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_FIRST = frozenset("0123456789-+.")
_MAX_NODES = 2_000_000
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlProblem(Exception):
    """`line:column: reason`, or only a reason when there is no place."""


class YamlLimit(YamlProblem):
    """It is YAML, but not what can be used: too deep, too large, no plain data."""


def parse_yaml(source: bytes) -> Any:
    """The first document of a YAML stream. Raises `YamlProblem`."""
    try:
        loader = _Loader(source)
    except (yaml.YAMLError, UnicodeError) as error:
        raise YamlProblem(f" {error}") from None
    try:
        return _Builder(loader).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{mark.line + 1}:{mark.column + 1}: " if mark else " "
        raise YamlProblem(f"{place}{error.problem}") from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise YamlProblem(f" {error}") from None
    finally:
        loader.dispose()


class _Builder:
    """Pulls events and builds values; sizes are counted with aliases expanded."""

    def __init__(self, loader: Any) -> None:
        self._next = loader.get_event
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0

    def document(self) -> Any:
        self._next()  # stream start
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        return self._value(self._next(), 0)

    def _value(self, event: Any, depth: int) -> Any:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._nodes += 1
            value: Any = _scalar(event)
            if event.anchor:
                self._anchors[event.anchor] = (value, 1)
            return value
        if kind is yaml.AliasEvent:
            return self._alias(event)
        if depth >= MAX_DEPTH:
            raise _problem(event, str(JsonTooDeep()))
        before = self._nodes
        value = self._mapping(depth + 1) if kind is yaml.MappingStartEvent else self._sequence(depth + 1)
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise _problem(event, f"more than {_MAX_NODES} values (aliases counted)")
        if event.anchor:
            self._anchors[event.anchor] = (value, self._nodes - before)
        return value

    def _alias(self, event: Any) -> Any:
        found = self._anchors.get(event.anchor)
        if found is None:
            raise _problem(event, f"alias *{event.anchor} names nothing before it")
        self._nodes += found[1]
        if self._nodes > _MAX_NODES:
            raise _problem(event, f"more than {_MAX_NODES} values (aliases counted)")
        return found[0]

    def _mapping(self, depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        merged: list[Any] = []
        while True:
            event = self._next()
            if type(event) is yaml.MappingEndEvent:
                break
            if type(event) is yaml.AliasEvent:
                key: Any = self._alias(event)
            elif type(event) is yaml.ScalarEvent:
                key = event.value
                if event.anchor:
                    self._anchors[event.anchor] = (key, 1)
            else:
                raise _problem(event, "a key has to be a scalar")
            value = self._value(self._next(), depth)
            if key == "<<" and type(event) is yaml.ScalarEvent and event.implicit[0]:
                merged += value if isinstance(value, list) else [value]
            else:
                out[str(key)] = value
        for base in merged:
            if isinstance(base, dict):
                out = {**base, **out}
        return out

    def _sequence(self, depth: int) -> list[Any]:
        out: list[Any] = []
        while True:
            event = self._next()
            if type(event) is yaml.SequenceEndEvent:
                return out
            out.append(self._value(event, depth))


def _problem(event: Any, reason: str) -> YamlLimit:
    mark = event.start_mark
    return YamlLimit(f"{mark.line + 1}:{mark.column + 1}: {reason}" if mark else f" {reason}")


def _scalar(event: Any) -> Any:
    text: str = event.value
    if not event.implicit[0]:
        return text  # Quoted, or tagged as something.
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _FIRST:
        return text
    if _INT.fullmatch(text):
        return int(text) if len(text) < 4000 else text
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    return float(text) if _FLOAT.fullmatch(text) else text
