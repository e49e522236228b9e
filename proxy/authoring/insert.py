"""New entries in a config file that somebody wrote: every byte that was there stays, comments and order too.

The new text is parsed again: it must say exactly what the old one said, and the new entries. Otherwise nothing is
changed, and the caller shows the lines instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.authoring.yaml_text import entry_lines, inline, scalar
from proxy.config.nodes import SourceNode
from proxy.config.parse import Parsed, parse
from proxy.config.source import read_text

Sections = Mapping[str, Mapping[str, Mapping[str, Any]]]


class CannotInsert(Exception):
    """The file is written in a way that new entries cannot be put into; the text says which."""


def insert(text: str, sections: Sections) -> str:
    """The text with the entries of `sections` at the end of theirs. Raises `CannotInsert`."""
    changed = text
    for section, entries in sections.items():
        if entries:
            changed = _add(changed, section, entries)
    before, after = _parsed(text), _parsed(changed)
    wanted = dict(before.data)
    for section, entries in sections.items():
        if entries:
            wanted[section] = {**(wanted.get(section) or {}), **entries}
    if after.data != wanted or after.flaws or after.duplicates:
        raise CannotInsert("the new entries would change what the file says")
    return changed


def _parsed(text: str) -> Parsed:
    parsed = parse(read_text("", text.encode())[0])
    if parsed.flaws or not isinstance(parsed.data, dict):
        raise CannotInsert("it is not valid")
    return parsed


def _add(text: str, section: str, entries: Mapping[str, Mapping[str, Any]]) -> str:
    root = _parsed(text).root
    node = root.child(section) if root is not None else None
    newline = "\r\n" if "\r\n" in text else "\n"
    if node is None:
        lines = [f"{section}:", *_lines(entries, 2)]
        ended = text if text.endswith("\n") else text + newline
        return ended + newline.join(["", *lines, ""])
    if node.target is not None or not isinstance(node.children, dict):
        raise CannotInsert(f"`{section}` is an alias, or no mapping")
    if _is_flow(text, node):
        return _into_flow(text, node, section, entries, newline)
    first = next(iter(node.children.values()))
    assert first.key is not None
    kept = text.splitlines(keepends=True)
    at = _last_line(node) + 1
    if kept and at == len(kept) and not kept[-1].endswith("\n"):
        kept[-1] += newline
    return "".join([*kept[:at], *(line + newline for line in _lines(entries, first.key[1])), *kept[at:]])


def _lines(entries: Mapping[str, Mapping[str, Any]], indent: int) -> list[str]:
    text = "\n".join(line for name, entry in entries.items() for line in entry_lines(name, entry, indent))
    return text.split("\n")


def _is_flow(text: str, node: SourceNode) -> bool:
    line, column = node.start
    return text.splitlines()[line][column : column + 1] == "{"


def _into_flow(
    text: str, node: SourceNode, section: str, entries: Mapping[str, Mapping[str, Any]], newline: str
) -> str:
    """Before the closing brace; an empty mapping becomes a block."""
    start, end = _offset(text, node.start), _offset(text, node.end)
    if not node.children:
        rest, _, after = text[end:].partition("\n")
        before = text[:start].rstrip(" ")
        return before + rest.rstrip() + newline + newline.join(_lines(entries, 2)) + newline + after
    inside = text[start : end - 1].rstrip()
    more = ", ".join(f"{scalar(name)}: {inline(entry)}" for name, entry in entries.items())
    return f"{text[:start]}{inside.rstrip(',')}, {more}}}{text[end:]}"


def _offset(text: str, place: tuple[int, int]) -> int:
    lines = text.splitlines(keepends=True)
    return sum(map(len, lines[: place[0]])) + place[1]


def _last_line(node: SourceNode) -> int:
    """The last line (0-based) with something of this value; what follows a block may be comments."""
    children = node.children
    if node.target is not None or not children:
        return _own_end(node)
    below = list(children.values()) if isinstance(children, dict) else children
    # Flow collections end behind their last entry; blocks end where their last entry does.
    own = node.end[0] if node.end[1] > 0 and _closes(node) else 0
    return max(own, *(_last_line(one) for one in below))


def _closes(node: SourceNode) -> bool:
    line, column = node.end
    return node.source.line(line + 1)[column - 1 : column] in ("}", "]")


def _own_end(node: SourceNode) -> int:
    """A text in block style ends at the beginning of the line after it, behind blank lines."""
    line, column = node.end
    if column > 0 or line == node.start[0]:
        return max(line, node.start[0])
    while line > node.start[0] and not node.source.line(line).strip():
        line -= 1
    return max(line - 1, node.start[0])
