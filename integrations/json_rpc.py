"""The id of a JSON-RPC message that cannot be read as a whole, because it is too large or nested too deep."""

from __future__ import annotations

import re
from typing import Final

from integrations.json_text import read_json

_ID: Final = rb'("(?:[^"\\]|\\.){0,256}"|-?\d{1,18})\s*'
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_MEMBER: Final = re.compile(rb"\s*:\s*" + _ID + rb"[,}]")
# The closing brace right behind it is that of the message, because it is the last one.
_LAST_MEMBER: Final = re.compile(rb'[,{]\s*"id"\s*:\s*' + _ID + rb'(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*\Z')


def id_at(start: bytes, end: bytes) -> str | int | None:
    """The id of a message, from its first and last bytes; None where it stands in between. Clients write it at one of
    the two ends."""
    depth = 0
    for token in _TOKEN.finditer(start):
        if token[0] in (b"{", b"["):
            depth += 1
        elif token[0] in (b"}", b"]"):
            depth -= 1
        elif depth == 1 and token[0] == b'"id"':
            found = _MEMBER.match(start, token.end())
            if found is not None:
                return _read_id(found[1])
    last = _LAST_MEMBER.search(end)
    return _read_id(last[1]) if last is not None else None


def _read_id(text: bytes) -> str | int | None:
    try:
        found: str | int = read_json(text)
    except ValueError:
        return None
    return found
