"""Arguments as a person reads them before deciding (T10).

Rules:
- Everything is rendered from the canonical arguments that would be sent. JSON keeps line breaks of values on their
  line, so no value can draw another field.
- Every field keeps its place, however deep it stands: long values are folded to their beginning with size and sha256,
  the longest ones first, so padding in one field pushes no other off the screen.
- When even folded values are too many, each object shows its first fields and counts the others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

from integrations.json_text import SORT_KEYS, read_json, write_json
from integrations.schema_types.text import visible

SHOWN_CHARACTERS: Final = 4000
_DEEPEST: Final = 12
_NAME_CHARACTERS: Final = 40
# Tried in this order until the whole fits: characters of one value, and fields of one object or list.
_ROOMS: Final = (
    (500, 200),
    (300, 120),
    (160, 80),
    (100, 60),
    (64, 40),
    (40, 24),
    (24, 12),
    (24, 6),
    (24, 3),
)


def render(spelled: bytes) -> str:
    """Canonical JSON as inert text of at most 4,000 characters."""
    value = read_json(spelled)
    whole = _text(value, 2)
    if len(whole) <= SHOWN_CHARACTERS:
        return whole
    for room, fields in _ROOMS:
        shown = _fitting(_lines(value, room, fields, "", "", 0))
        if shown is not None:
            return shown
    return _folded(value, SHOWN_CHARACTERS - 200)


def _fitting(lines: Iterator[str]) -> str | None:
    """The lines as one text, or None as soon as they are too many."""
    kept: list[str] = []
    left = SHOWN_CHARACTERS
    for line in lines:
        left -= len(line) + 1
        if left < 0:
            return None
        kept.append(line)
    return "\n".join(kept)


def _lines(value: Any, room: int, fields: int, name: str, pad: str, depth: int) -> Iterator[str]:
    """`name` stands before the value: `"key": `, or nothing. Only the last line of a value lacks its comma."""
    parts = _parts(value) if depth < _DEEPEST else []
    if not parts:
        yield f"{pad}{name}{_folded(value, room)}"
        return
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    yield f"{pad}{name}{opening}"
    shown = parts[:fields]
    for number, (key, item) in enumerate(shown):
        label = f"{_folded(key, _NAME_CHARACTERS)}: " if key is not None else ""
        comma = "," if number < len(parts) - 1 else ""
        yield from _with_comma(_lines(item, room, fields, label, pad + "  ", depth + 1), comma)
    if len(parts) > len(shown):
        kind = "fields" if isinstance(value, dict) else "items"
        yield f"{pad}  [{len(parts) - len(shown)} more {kind}, {_mark(_rest(value, len(shown)))}]"
    yield f"{pad}{closing}"


def _with_comma(lines: Iterator[str], comma: str) -> Iterator[str]:
    before = next(lines)
    for line in lines:
        yield before
        before = line
    yield before + comma


def _parts(value: Any) -> list[tuple[str | None, Any]]:
    """What an object or a list is made of, in the order it is shown; nothing for anything else."""
    if isinstance(value, dict):
        return sorted(value.items())
    return [(None, item) for item in value] if isinstance(value, list) else []


def _rest(value: Any, shown: int) -> Any:
    return dict(sorted(value.items())[shown:]) if isinstance(value, dict) else value[shown:]


def _folded(value: Any, room: int) -> str:
    text = _text(value, None)
    return text if len(text) <= room else f"{text[:room]} ... [{_mark(value)}]"


def _mark(value: Any) -> str:
    body = write_json(value, option=SORT_KEYS)
    return f"{len(body):,} bytes, sha256 {hashlib.sha256(body).hexdigest()[:16]}"


def _text(value: Any, indent: int | None) -> str:
    """JSON in which nothing is invisible; its own line breaks, and no others, stay."""
    plain = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=indent)
    return "\n".join(visible(line) for line in plain.split("\n"))
