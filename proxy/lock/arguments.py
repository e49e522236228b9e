"""The names of a tool's arguments as a line of the lock has them: `owner repo body body.title body.labels`.

They are for judging conditions of rules where only the lock knows a tool (W610). A name is a path of at most two parts.
Below a path without others nothing is claimed, as behind a `*`: `body.*` may hold anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from policies.declared import DeclaredArguments

MOST_NAMES: Final = 80
"""Of what has more at one place nothing is claimed: a line stays readable."""

_OPEN: Final = "*"
# No name: whoever has it has what no schema names.
_UNNAMED: Final = "\0"
_PLAIN: Final = re.compile(r"[^\s.*]+")


def argument_names(schema: Any) -> str:
    """Of an input schema, in its order."""
    if not isinstance(schema, Mapping):
        return _OPEN
    return " ".join(_names(DeclaredArguments(schema)))


def named_arguments(text: str) -> dict[str, Any]:
    """An input schema that has no more than these names."""
    top: dict[str, Any] = {}
    for path in text.split():
        name, _, below = path.partition(".")
        if not below:
            top.setdefault(name, {})
        elif below == _OPEN:
            top[name] = {}
        else:
            top.setdefault(name, {}).setdefault("properties", {})[below] = {}
    is_open = top.pop(_OPEN, None) is not None
    return {"type": "object", "properties": top, "additionalProperties": is_open}


def _names(declared: DeclaredArguments) -> Iterator[str]:
    names = _at(declared, ())
    if names is None:
        yield _OPEN
        return
    for name in names:
        yield name
        for below in _at(declared, (name,)) or ():
            yield f"{name}.{below}"


def _at(declared: DeclaredArguments, path: tuple[str, ...]) -> list[str] | None:
    """All names at a place; None where there may be others."""
    names = declared.names(path)
    if len(names) > MOST_NAMES or not all(map(_PLAIN.fullmatch, names)):
        return None
    return None if declared.has((*path, _UNNAMED)) else names
