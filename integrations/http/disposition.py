"""The file name in a Content-Disposition header (RFC 6266), as a name and never as a path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

# One parameter: a name, and a quoted string (which may be left open) or everything up to the next semicolon.
_PARAMETER = re.compile(r"([^\s;=\"]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"?|([^;]*))")
_LONGEST = 255
_LOOKED_AT = 8_192
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def file_name(header: str) -> str | None:
    """`filename*` (RFC 8187) before `filename`; None where there is none that names a file.

    Of a path only the last segment is kept (RFC 6266 section 4.3), by either separator.
    """
    given = dict(_parameters(header))
    for name in (_extended(given.get("filename*", "")), given.get("filename", "")):
        if safe := _safe(name):
            return safe
    return None


def _parameters(header: str) -> Iterator[tuple[str, str]]:
    """The first of a name counts."""
    seen: set[str] = set()
    for name, quoted, token in _PARAMETER.findall(header[:_LOOKED_AT]):
        if name.lower() not in seen:
            seen.add(name.lower())
            yield name.lower(), _unescaped(quoted) if quoted else token.strip()


def _unescaped(quoted: str) -> str:
    """A backslash escapes quote and backslash; before anything else it is a separator that was not escaped."""
    return re.sub(r'\\(["\\])', r"\1", quoted)


def _extended(value: str) -> str:
    """`UTF-8'en'na%C3%AFve.pdf`; "" where it is no such value."""
    charset, _, rest = value.strip('"').partition("'")
    _, mark, encoded = rest.partition("'")
    if not mark:
        return ""
    try:
        return unquote_to_bytes(encoded).decode(charset or "utf-8")
    except (LookupError, UnicodeError):
        return ""


def _safe(name: str) -> str:
    last = re.split(r"[/\\]", name.strip())[-1]
    safe = _UNSAFE.sub("", last).strip()[:_LONGEST]
    return "" if safe in (".", "..") else safe
