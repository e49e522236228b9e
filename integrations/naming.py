"""Address-safe names, equal to the ones Executor gives, so that code written for it keeps working.

A name is identifiers joined by dots. Two deliberate differences: a segment that starts with a digit gets a leading
underscore, and a segment that JavaScript treats specially (`then`, `constructor`, ...) gets a trailing one (T4).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_LOWER_UPPER = re.compile(r"([a-z0-9])([A-Z])")
_ACRONYM = re.compile(r"([A-Z]+)([A-Z][a-z0-9]+)")
_OTHER = re.compile(r"[^a-zA-Z0-9]+")
_VERSION = re.compile(r"v[0-9]+(?:[._-][0-9]+)?", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9_$]+")
_SPECIAL = frozenset({"then", "constructor", "prototype", "__proto__", "toJSON", "catch", "finally"})
_DIGITS36 = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Named:
    """What a name is made from. `override` is the document's own `x-executor-toolPath`."""

    method: str
    path: str
    operation_id: str | None
    tag: str | None
    override: str | None = None


def split_words(text: str) -> list[str]:
    """Words of an identifier or phrase: case changes and everything outside ASCII letters and digits separate."""
    text = _ACRONYM.sub(r"\1 \2", _LOWER_UPPER.sub(r"\1 \2", text))
    return _OTHER.sub(" ", text).split()


def camel_case(text: str) -> str:
    """`Get user-ID` -> `getUserId`; "tool" when no letter or digit is left."""
    words = [word.lower() for word in split_words(text)]
    if not words:
        return "tool"
    return words[0] + "".join(word[0].upper() + word[1:] for word in words[1:])


def pascal_case(text: str) -> str:
    camel = camel_case(text)
    return camel[0].upper() + camel[1:]


def safe_segment(segment: str) -> str:
    """One address segment as an identifier that neither starts with a digit nor means something to JavaScript."""
    segment = _UNSAFE.sub("_", segment) or "_"
    if segment[0].isdigit():
        segment = "_" + segment
    return segment + "_" if segment in _SPECIAL else segment


def safe_name(name: str) -> str:
    """A dotted name with every segment made safe; empty segments vanish."""
    return ".".join(safe_segment(part) for part in name.split(".") if part) or "tool"


def _segments(path: str) -> list[str]:
    return [part for part in (piece.strip() for piece in path.split("/")) if part]


def _literal_segments(path: str) -> list[str]:
    """Path segments that say something: no version, no `api`, no parameter."""
    return [
        part
        for part in _segments(path)
        if not _VERSION.fullmatch(part)
        and part.lower() != "api"
        and not (part.startswith("{") and part.endswith("}"))
    ]


def group_of(item: Named) -> str:
    if item.tag and item.tag.strip():
        return camel_case(item.tag)
    literal = _literal_segments(item.path)
    return camel_case(literal[0]) if literal else "root"


def identifier_of(item: Named) -> str:
    """The operationId, or what stands for it: method and path in snake case."""
    return item.operation_id or f"{item.method}_{_OTHER.sub('_', item.path)}".strip("_")


def leaf_of(item: Named, group: str) -> str:
    identifier = identifier_of(item)
    seed, pieces = identifier, [p.strip() for p in re.split(r"[/.]+", identifier) if p.strip()]
    if len(pieces) > 1 and camel_case(pieces[0]) == group:
        seed = " ".join(pieces[1:])
    leaf = camel_case(seed)
    if leaf != group:
        return leaf
    rest = [part for part in map(camel_case, _literal_segments(item.path)) if part != group]
    return camel_case(item.method + ("".join(map(pascal_case, rest)) or "Operation"))


def version_of(path: str) -> str | None:
    return next((part.lower() for part in _segments(path) if _VERSION.fullmatch(part)), None)


def short_hash(item: Named) -> str:
    """Executor's 8 characters for method, path and operationId: the 32 bit `h*31 + c` hash in base 36."""
    parts = {"method": item.method, "operationId": identifier_of(item), "path": item.path}
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
    units = text.encode("utf-16-le", "surrogatepass")
    value = 0
    for low, high in zip(units[::2], units[1::2], strict=True):
        value = (value * 31 + (low | high << 8)) & 0xFFFFFFFF
    value = abs(value - (1 << 32) if value >> 31 else value)
    digits = ""
    while value:
        value, digit = divmod(value, 36)
        digits = _DIGITS36[digit] + digits
    return digits.rjust(8, "0")[:8]


def plan_names(items: Sequence[Named]) -> list[str]:
    """One unique, address-safe name per operation, in the same order.

    Names that collide are refined together: first by the version segment, then by the method, then by a
    hash. What still collides after that (equal method, path and operationId cannot be) gets a number.
    """
    groups, leaves = zip(*map(_halves, items), strict=True) if items else ((), ())
    names = [i.override or f"{g}.{leaf}" for i, g, leaf in zip(items, groups, leaves, strict=True)]

    def versioned(index: int) -> str:
        version = version_of(items[index].path)
        return f"{groups[index]}.{version}" if version else groups[index]

    stages: list[Callable[[int], str]] = [
        lambda i: f"{versioned(i)}.{leaves[i]}" if version_of(items[i].path) else names[i],
        lambda i: f"{versioned(i)}.{leaves[i]}{pascal_case(items[i].method)}",
        lambda i: f"{versioned(i)}.{leaves[i]}{pascal_case(items[i].method)}{short_hash(items[i])}",
    ]
    for stage in stages:
        _refine(names, stage)
    return _numbered([_safe_planned(name) for name in names])


def _halves(item: Named) -> tuple[str, str]:
    """Group and leaf. An explicit name is cut at its first dot; one of a single part is both."""
    if item.override:
        first, *rest = [part for part in item.override.split(".") if part] or ["root"]
        return first, ".".join(rest) or first
    group = group_of(item)
    return group, leaf_of(item, group)


def _safe_planned(name: str) -> str:
    return safe_name(name.replace(" ", "_"))


def _refine(names: list[str], stage: Callable[[int], str]) -> None:
    buckets: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        buckets[name].append(index)
    for members in buckets.values():
        if len(members) > 1:
            for index in members:
                names[index] = stage(index)


def _numbered(names: list[str]) -> list[str]:
    taken: set[str] = set()
    out: list[str] = []
    for name in names:
        candidate, number = name, 2
        while candidate in taken:
            candidate, number = f"{name}_{number}", number + 1
        taken.add(candidate)
        out.append(candidate)
    return out
