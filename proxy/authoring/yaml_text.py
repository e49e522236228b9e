"""Entries as YAML text: block style for an entry's keys, flow style below, quotes only where they are needed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from proxy.config.yaml_scalars import LEGACY_FALSE, LEGACY_TRUE, resolve

_PLAIN: Final = re.compile(r"[A-Za-z_./-][\w./@-]*(?: [\w./@()-]+)*")
# Readers of YAML 1.1 take them for something else.
_WORDS: Final = LEGACY_TRUE | LEGACY_FALSE
WIDEST: Final = 110


def inline(value: Any) -> str:
    """A value in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {inline(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(inline, value)) + "]"
    return scalar(value)


def scalar(value: Any) -> str:
    """Everything but a plain word is quoted: as a JSON string, which YAML reads the same way, or singly."""
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text not in _WORDS and resolve(text) == text and not _is_marker(text):
        return text
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    return "".join(map(_escaped, json.dumps(text, ensure_ascii=False)))


def _escaped(character: str) -> str:
    """JSON leaves some characters as they are that a config must not hold."""
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _is_marker(text: str) -> bool:
    """A lone dash, or what ends a document."""
    return text.strip("-") == "" or text.startswith(("- ", "---", "..."))


def entry_lines(name: str, entry: Mapping[str, Any], indent: int) -> list[str]:
    """The lines of one entry. Short ones are one line."""
    margin = " " * indent
    whole = f"{margin}{scalar(name)}: {inline(entry)}"
    if len(whole) <= WIDEST and len(entry) <= 2:
        return [whole]
    return [f"{margin}{scalar(name)}:", *(_key_line(key, value, indent + 2) for key, value in entry.items())]


def _key_line(key: str, value: Any, indent: int) -> str:
    """A mapping that is too wide for a line is a block."""
    line = f"{' ' * indent}{scalar(key)}: {inline(value)}"
    if len(line) <= WIDEST or not isinstance(value, Mapping):
        return line
    return "\n".join(
        [f"{' ' * indent}{scalar(key)}:", *(_key_line(k, v, indent + 2) for k, v in value.items())]
    )
