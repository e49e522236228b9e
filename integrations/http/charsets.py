"""Bytes to text: which charset a body is in, and text that may be wrong but is never lost.

A byte order mark wins (RFC 7303 section 3.2), then the charset parameter, then what the content says of itself: the
declaration of XML, the `meta` of HTML, the zero bytes of UTF-16. Everything else is UTF-8.
"""

from __future__ import annotations

import codecs
import re

_PARAMETER = re.compile(r";\s*charset\s*=\s*[\"']?([A-Za-z0-9_.:+-]+)", re.IGNORECASE)
_DECLARATION = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_.-]{1,40})", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.-]{1,40})", re.IGNORECASE)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# HTML's `meta` counts in its first 1,024 bytes (WHATWG HTML 13.2.3.2); an XML declaration comes first of all.
_LOOKED_AT = 1_024


def decode_text(body: bytes, declared: str) -> str:
    """The text of a body with this Content-Type; what cannot be decoded is replaced by U+FFFD."""
    for mark, charset in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(charset, "replace")
    charset = _charset(body, declared)
    try:
        return body.decode(charset, "replace")
    except (LookupError, UnicodeError):
        return body.decode("utf-8", "replace")


def says_utf8(body: bytes, declared: str) -> bool:
    """Whether the body is meant to be UTF-8, without or with its mark."""
    if body.startswith(_MARKS[0][0]):
        return True
    return not body.startswith(tuple(mark for mark, _ in _MARKS)) and _is_utf8(_charset(body, declared))


def _is_utf8(charset: str) -> bool:
    return charset.lower() in ("utf-8", "utf8")


def _charset(body: bytes, declared: str) -> str:
    head = body[:_LOOKED_AT]
    if found := _PARAMETER.search(declared):
        charset = found.group(1)
        return _byte_order(head, charset) if charset.lower() in ("utf-16", "utf-32") else charset
    essence = declared.split(";")[0].strip().lower()
    if essence.endswith(("/xml", "+xml")) and (found_xml := _DECLARATION.match(head.lstrip())):
        return _unless_wide(found_xml.group(1).decode())
    if essence in ("text/html", "application/xhtml+xml") and (found_meta := _META.search(head)):
        return _unless_wide(found_meta.group(1).decode())
    return _byte_order(head, "utf-16") if _has_zeros(head) else "utf-8"


def _unless_wide(charset: str) -> str:
    """What could be read byte by byte is not UTF-16, whatever it says (WHATWG HTML 13.2.3.2)."""
    return "utf-8" if charset.lower().startswith(("utf-16", "utf-32", "ucs-")) else charset


def _has_zeros(head: bytes) -> bool:
    """UTF-16 without a mark: the first two characters of JSON, XML and HTML are ASCII (RFC 4627 section 3)."""
    return len(head) >= 4 and (head[0] == head[2] == 0 or head[1] == head[3] == 0) and any(head[:4])


def _byte_order(head: bytes, charset: str) -> str:
    """Big endian where the first byte of a character is the zero one, else what most machines write."""
    return f"{charset}-{'be' if head[:1] == bytes(1) else 'le'}"
