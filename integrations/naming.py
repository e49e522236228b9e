"""Address-safe names: identifiers joined by dots. A name depends on what it is made from, never on its place in a list.

Letters and digits of every script stay (ECMA-262, IdentifierName); what is invisible does not. Two ways to name:

- `unique_names` for upstreams that name their tools themselves (MCP, GraphQL). A name that is an address already is
  kept; any other one gets a hash of the original name, so that it can never be taken for, or taken over by, another.
- `plan_names` for OpenAPI, equal to the names Executor gives, so that code written for it keeps working. Deliberate
  differences: a segment that starts with a digit gets a leading underscore, one that JavaScript treats specially
  (`then`, `constructor`, ...) a trailing one (T4), and letters outside ASCII are kept.

Names that collide all get a hash, each of its own original, so none of them keeps a name that meant another tool.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

_LOWER_UPPER = re.compile(r"([a-z0-9])([A-Z])")
_ACRONYM = re.compile(r"([A-Z]+)([A-Z][a-z0-9]+)")
_OTHER = re.compile(r"[^a-zA-Z0-9]+")
_ASCII_OTHER = re.compile(r"[\x00-/:-@\[-`{-\x7f]+")
_PLAIN_SEGMENT = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
# What identifiers may hold although it shows nothing (Unicode Default_Ignorable_Code_Point).
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_HASH_CHARACTERS = 8
_VERSION = re.compile(r"v[0-9]+(?:[._-][0-9]+)?", re.IGNORECASE)
_SPECIAL = frozenset({
    "then", "constructor", "prototype", "__proto__", "toJSON", "toString", "valueOf", "catch", "finally",
})  # fmt: skip
_DIGITS36 = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Named:
    """What a name is made from. `override` is the document's own `x-executor-toolPath`."""

    method: str
    path: str
    operation_id: str | None
    tag: str | None
    override: str | None = None


def is_letter(character: str) -> bool:
    """Whether an identifier may hold this character: a visible letter, mark, digit or connector, or `$`."""
    if character < "\x80":
        return character.isalnum() or character in "_$"
    return f"a{character}".isidentifier() and not _INVISIBLE.match(character)


def _cut(text: str) -> str:
    """`text` with a space at every case change, and in place of all that no word is made of."""
    if text.isascii():
        return _OTHER.sub(" ", _ACRONYM.sub(r"\1 \2", _LOWER_UPPER.sub(r"\1 \2", text)))
    out: list[str] = []
    before = " "
    for character in unicodedata.normalize("NFC", text):
        kept = character if is_letter(character) and character not in "_$" else " "
        if kept.isupper() and (before.islower() or before.isdigit()):
            out.append(" ")
        out.append(kept)
        before = kept
    return "".join(out)


def split_words(text: str) -> list[str]:
    """Words of an identifier or phrase: case changes and everything that is no letter or digit separate."""
    return _cut(text).split()


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
    """One address segment as an identifier that neither starts with a digit nor means something to
    JavaScript.
    """
    if not _PLAIN_SEGMENT.fullmatch(segment):
        segment = _replaced(unicodedata.normalize("NFC", segment)) or "_"
        if not segment[0].isidentifier() and segment[0] != "$":
            segment = "_" + segment
    return segment + "_" if segment in _SPECIAL else segment


def _replaced(text: str) -> str:
    """Every run of characters that no identifier holds becomes one underscore."""
    kept = (character if is_letter(character) else " " for character in text)
    return re.sub(" +", "_", "".join(kept))


def safe_name(name: str) -> str:
    """A dotted name with every segment made safe; empty segments vanish."""
    return ".".join(safe_segment(part) for part in name.split(".") if part) or "tool"


def name_hash(origin: str, characters: int = _HASH_CHARACTERS) -> str:
    """Characters that tell one origin from another."""
    return hashlib.sha256(origin.encode("utf-8", "surrogatepass")).hexdigest()[:characters]


def unique_names(
    wanted: Sequence[str], origins: Sequence[str] | None = None, reserved: Collection[str] = ()
) -> list[str]:
    """One address-safe name for each, in the same order; none of them is in `reserved`.

    `origins` are the distinct things that the names stand for, by default the wanted names themselves. A name depends
    on what it stands for alone, and if it collides on which others collide with it: never on their order.
    """
    origins = wanted if origins is None else origins
    names = [
        safe if (safe := safe_name(name)) == name and safe not in reserved else f"{safe}_{name_hash(origin)}"
        for name, origin in zip(wanted, origins, strict=True)
    ]
    return _told_apart(names, origins)


def _told_apart(names: list[str], origins: Sequence[str]) -> list[str]:
    """Equal names all get the hash of their origins, of growing length. What has one origin gets a number first."""
    met: Counter[str] = Counter()
    salts: list[str] = []
    for origin in origins:
        met[origin] += 1
        salts.append(origin if met[origin] == 1 else f"{origin}\0{met[origin]}")
    length = _HASH_CHARACTERS
    while len(set(names)) < len(names):
        hashes = [name_hash(salt, length) for salt in salts]
        _refine(names, lambda at, hashes=hashes: f"{names[at]}_{hashes[at]}")  # type: ignore[misc]
        length += _HASH_CHARACTERS
    return names


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
    """The operationId, or what stands for it: method and path in snake case, as Executor hashes it."""
    return item.operation_id or f"{item.method}_{_OTHER.sub('_', item.path)}".strip("_")


def _spelled(item: Named) -> str:
    """Like `identifier_of`, with the letters of every script."""
    return item.operation_id or f"{item.method}_{_ASCII_OTHER.sub('_', item.path)}".strip("_")


def leaf_of(item: Named, group: str) -> str:
    identifier = _spelled(item)
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
    hash. So is a name that lost characters outside ASCII, which others may have lost as well.
    """
    groups, leaves = zip(*map(_halves, items), strict=True) if items else ((), ())
    names = [i.override or f"{g}.{leaf}" for i, g, leaf in zip(items, groups, leaves, strict=True)]

    def hashed(index: int) -> str:
        return (
            f"{versioned(index)}.{leaves[index]}{pascal_case(items[index].method)}{short_hash(items[index])}"
        )

    def versioned(index: int) -> str:
        version = version_of(items[index].path)
        return f"{groups[index]}.{version}" if version else groups[index]

    stages: list[Callable[[int], str]] = [
        lambda i: f"{versioned(i)}.{leaves[i]}" if version_of(items[i].path) else names[i],
        lambda i: f"{versioned(i)}.{leaves[i]}{pascal_case(items[i].method)}",
        hashed,
    ]
    names = [hashed(at) if _lossy(items[at]) else name for at, name in enumerate(names)]
    for stage in stages:
        _refine(names, stage)
    origins = [f"{one.method} {one.path} {one.operation_id} {one.override}" for one in items]
    return _told_apart([_safe_planned(name) for name in names], origins)


def _lossy(item: Named) -> bool:
    """Whether the name lacks characters that could tell it from another: neither letters nor separators."""
    text = item.override or f"{item.tag or ''}{item.operation_id or item.path}"
    return not text.isascii() and any(map(_is_lost, unicodedata.normalize("NFC", text)))


def _is_lost(character: str) -> bool:
    return not is_letter(character) and character > "\x7f" and unicodedata.category(character)[0] not in "PZ"


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
