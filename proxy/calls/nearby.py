"""System tools that a path without a tool may have meant: `describe`, `paginate`, `listTools`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import Final

_FLOOR: Final = 0.75
_LONGEST: Final = 64
_MOST: Final = 5
# What else models call the lists.
_OTHER_NAMES: Final = {
    "list": "catalog.tools",
    "listtools": "catalog.tools",
    "gettools": "catalog.tools",
    "find": "search",
    "findtools": "search",
    "searchtools": "search",
    "schema": "describe.tool",
    "getschema": "describe.tool",
    "namespaces": "catalog.namespaces",
    "connections": "catalog.namespaces",
}


def nearby_tools(path: str, addresses: Sequence[str], system: Iterable[str]) -> tuple[str, ...]:
    """Up to five: of `system` tools first, where the path is one word or two, then the addresses that are alike."""
    if len(path) > _LONGEST or path.count(".") > 2:
        return tuple(addresses[:_MOST])
    letters = _letters(path)
    known = _OTHER_NAMES.get(letters)
    own = [name for name in system if name == known or _is_meant(path.lower(), letters, name)]
    return (*own, *addresses)[:_MOST]


def _is_meant(path: str, letters: str, name: str) -> bool:
    if name.startswith(f"{path}.") or name.endswith(f".{path}"):
        return True
    return SequenceMatcher(None, letters, _letters(name), autojunk=False).ratio() >= _FLOOR


def _letters(text: str) -> str:
    return "".join(one for one in text.lower() if one.isalnum())
