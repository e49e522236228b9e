"""Regular expressions of documents we did not write, matched in time linear in the text.

JSON Schema's `pattern` is ECMA-262. Python's `re` backtracks, so an upstream's pattern and a caller's value could
together stop the event loop. The Rust engine inside pydantic-core runs in linear time and does not support
look-around and back-references; a pattern that uses them is not checked here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from pydantic_core import SchemaError, SchemaValidator, core_schema

_MAX_PATTERN: Final = 4_096
_MAX_TEXT: Final = 1 << 20
# ECMA-262 without the `u` flag: these classes are ASCII. Rust's are Unicode.
_ASCII_CLASSES: Final = {"d": "0-9", "w": "A-Za-z0-9_"}
_NEGATED_CLASSES: Final = {"D": "[^0-9]", "W": "[^A-Za-z0-9_]"}


def searches(pattern: str, text: str) -> bool | None:
    """Does the pattern occur in the text? None when this engine cannot decide it."""
    if len(pattern) > _MAX_PATTERN or len(text) > _MAX_TEXT:
        return None
    if not (_is_unicode(pattern) and _is_unicode(text)):
        return None
    engine = _compiled(pattern)
    return None if engine is None else engine.isinstance_python(text)


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> SchemaValidator | None:
    translated = translate(pattern)
    if translated is None:
        return None
    try:
        return SchemaValidator(core_schema.str_schema(pattern=translated, regex_engine="rust-regex"))
    except SchemaError:
        return None


def translate(pattern: str) -> str | None:
    """The pattern in Rust's syntax; None where the same text would mean something else in Rust."""
    out: list[str] = []
    inside = False
    position = 0
    while position < len(pattern):
        char = pattern[position]
        following = pattern[position + 1 : position + 2]
        position += 1
        if char == "\\":
            position += 1
            out.append(_escape(following, inside))
        elif inside and char + following in ("&&", "--", "~~"):
            return None  # Set operations in Rust, plain characters or a range in ECMA-262.
        elif inside and char == "[":
            out.append(r"\[")
        else:
            if char == "[":
                inside = True
                if following == "]" or pattern.startswith("^]", position):
                    return None  # The empty class and its opposite; Rust reads a literal bracket.
            elif char == "]":
                inside = False
            out.append(char)
    return "".join(out)


def _escape(char: str, inside: bool) -> str:
    if char in _ASCII_CLASSES:
        return _ASCII_CLASSES[char] if inside else f"[{_ASCII_CLASSES[char]}]"
    if char in _NEGATED_CLASSES and not inside:
        return _NEGATED_CLASSES[char]
    return "\\" + char
