"""Plain scalars by the YAML 1.2 core schema (section 10.3.2), not the YAML 1.1 that PyYAML implements."""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

# Booleans of YAML 1.1 that are strings in YAML 1.2.
LEGACY_TRUE = frozenset({"y", "Y", "yes", "Yes", "YES", "on", "On", "ON"})
LEGACY_FALSE = frozenset({"n", "N", "no", "No", "NO", "off", "Off", "OFF"})
_WORDS: dict[str, Scalar] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NUMBER_START = frozenset("+-.0123456789")
# Longer integers stay strings: they are identifiers, and JSON readers round them.
_MOST_DIGITS = 18


def resolve(text: str) -> Scalar:
    """The value of a plain scalar. What JSON cannot hold (`.inf`, `.nan`, `1e999`) stays a string."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return text
    if _INTEGER.fullmatch(text):
        return int(text) if len(text.lstrip("+-")) <= _MOST_DIGITS else text
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0) if len(text) <= _MOST_DIGITS else text
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text
