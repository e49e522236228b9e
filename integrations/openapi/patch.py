"""JSON Patch (RFC 6902), for `overrides`. Errors name the index of the operation in the list."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from integrations.base import JsonObject, SourceError
from integrations.openapi.pointer import walk


def apply_patch(document: JsonObject, operations: Sequence[JsonObject]) -> JsonObject:
    """The document with all operations applied in order; it is changed in place. Raises `SourceError`."""
    holder: JsonObject = {"": document}
    for index, operation in enumerate(operations):
        try:
            _apply(holder, operation)
        except (LookupError, ValueError) as error:
            kind, path = operation.get("op"), operation.get("path")
            raise SourceError(f"overrides[{index}] ({kind} {path}): {error}") from None
    result = holder[""]
    if not isinstance(result, dict):
        raise SourceError("overrides leave something that is no OpenAPI document")
    return result


def _apply(holder: JsonObject, operation: JsonObject) -> None:
    kind = operation.get("op")
    path = _tokens(operation.get("path"))
    if kind == "remove":
        _remove(holder, path)
    elif kind in ("add", "replace", "test"):
        if "value" not in operation:
            raise ValueError("`value` is missing")
        _write(holder, path, str(kind), operation["value"])
    elif kind in ("move", "copy"):
        source = _tokens(operation.get("from"))
        if kind == "move" and path[: len(source)] == source and path != source:
            raise ValueError("a value cannot move into itself")
        value = copy.deepcopy(_find(holder, source))
        if kind == "move":
            _remove(holder, source)
        _write(holder, path, "add", value)
    else:
        raise ValueError("`op` must be add, remove, replace, move, copy or test")


def _write(holder: JsonObject, path: list[str], kind: str, value: Any) -> None:
    if kind != "add":
        found = _find(holder, path)
        if kind == "test":
            if not _same(found, value):
                raise ValueError("the value there is another one")
            return
    parent, key = _find(holder, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[key] = copy.deepcopy(value)
    elif isinstance(parent, list):
        _write_item(parent, key, kind, value)
    else:
        raise LookupError("the parent is neither a mapping nor a list")


def _write_item(parent: list[Any], key: str, kind: str, value: Any) -> None:
    if kind == "replace":
        parent[int(key)] = copy.deepcopy(value)
        return
    index = len(parent) if key == "-" else _index(key)
    if index > len(parent):
        raise LookupError(f"the list has only {len(parent)} items")
    parent.insert(index, copy.deepcopy(value))


def _remove(holder: JsonObject, path: list[str]) -> None:
    _find(holder, path)
    parent, key = _find(holder, path[:-1]), path[-1]
    if isinstance(parent, list):
        del parent[_index(key)]
    else:
        del parent[key]


def _find(holder: JsonObject, path: list[str]) -> Any:
    try:
        return walk(holder, path)
    except LookupError as error:
        raise LookupError(f"there is no {error.args[0]!r}{_near(holder, path)}") from None


def _near(holder: JsonObject, path: list[str]) -> str:
    """What the first token that leads nowhere was probably meant to be."""
    value: Any = holder
    for token in path:
        if not isinstance(value, dict) or token not in value:
            break
        value = value[token]
    else:
        return ""
    close = get_close_matches(token, list(value), n=1, cutoff=0.6) if isinstance(value, dict) else []
    return f" (did you mean `{close[0]}`?)" if close else ""


def _index(key: str) -> int:
    if not key.isdecimal() or (len(key) > 1 and key[0] == "0"):
        raise ValueError(f"{key!r} is no list index")
    return int(key)


def _tokens(pointer: Any) -> list[str]:
    """Tokens below the holder, whose only key is the empty string: the whole document is `[""]`."""
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise ValueError("`path` and `from` are JSON Pointers: empty or starting with /")
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")]


def _same(left: Any, right: Any) -> bool:
    """Equality as RFC 6902 section 4.6 has it: numbers by value, but true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)
