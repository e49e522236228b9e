"""Secrets out of what agents see: values that an upstream reflects, in the encodings they travel in (T27).

A search over the serialised bytes decides whether there is anything to do, because in nearly every result there is
not. Only then is the value walked and rewritten, string by string, so that the outcome stays valid JSON.
"""

from __future__ import annotations

import base64
import html
import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, quote_plus

from integrations.json_text import read_json, write_json

REDACTED: Final = "[redacted]"
# Removing every "a" or "42" would destroy results and hide nothing.
SHORTEST_SECRET: Final = 4
# Inside other base64 (a Basic header's user:password) a very short secret leaves too few characters to go by.
_SHORTEST_INSIDE_BASE64: Final = 6
_SECRETS_REMEMBERED: Final = 512


@dataclass(frozen=True, slots=True)
class _Encodings:
    """`texts`: as they stand in a string, longest first; `found`: the bytes to look for in serialised JSON."""

    texts: tuple[str, ...]
    found: tuple[bytes, ...]


class Scrubber:
    """Remembers the encodings of secrets it has seen; forgets the oldest."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Encodings] = OrderedDict()

    def clean(self, body: bytes, secrets: Iterable[str]) -> bytes:
        """A JSON document without these secrets. The same object when none is in it."""
        encodings = [self._encodings(one) for one in set(secrets) if len(one) >= SHORTEST_SECRET]
        if not any(encoding in body for each in encodings for encoding in each.found):
            return body
        texts = sorted({text for each in encodings for text in each.texts}, key=len, reverse=True)
        return write_json(_rewritten(read_json(body), texts))

    def clean_text(self, text: str, secrets: Iterable[str]) -> str:
        """The same for plain text, such as a traceback."""
        encodings = [self._encodings(one) for one in set(secrets) if len(one) >= SHORTEST_SECRET]
        return _replaced(text, sorted({t for each in encodings for t in each.texts}, key=len, reverse=True))

    def _encodings(self, secret: str) -> _Encodings:
        known = self._known.get(secret)
        if known is None:
            known = self._known[secret] = _encodings_of(secret)
            if len(self._known) > _SECRETS_REMEMBERED:
                self._known.popitem(last=False)
        return known


def _encodings_of(secret: str) -> _Encodings:
    plain = {secret, *_percent(secret), html.escape(secret), secret.encode().hex(), *_base64(secret)}
    plain.add(secret.encode().hex().upper())
    escaped = {encoding for text in plain for encoding in _as_json_text(text)}
    texts = tuple(sorted(plain | escaped, key=len, reverse=True))
    found = {write_json(text)[1:-1] for text in texts}
    return _Encodings(texts, tuple(found))


def _percent(secret: str) -> set[str]:
    """RFC 3986 leaves the case of the hex digits open, and forms write a blank as `+`."""
    encoded = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    lower = {_lower_hex(text) for text in encoded}
    return encoded | lower


def _lower_hex(text: str) -> str:
    head, *parts = text.split("%")
    return head + "".join(f"%{part[:2].lower()}{part[2:]}" for part in parts)


def _base64(secret: str) -> set[str]:
    """Alone, and inside a longer text at each of the three alignments (RFC 4648), in both alphabets."""
    raw = secret.encode()
    whole = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    found = whole | {text.rstrip("=") for text in whole}
    if len(raw) < _SHORTEST_INSIDE_BASE64:
        return found
    for before in range(3):
        padded = b"\0" * before + raw
        sure = slice((before * 8 + 5) // 6, len(padded) * 8 // 6)
        found |= {base64.b64encode(padded).decode()[sure], base64.urlsafe_b64encode(padded).decode()[sure]}
    return found


def _as_json_text(text: str) -> set[str]:
    """As it stands in JSON that an upstream returned as a string: escaped, in ASCII or not, `/` escaped or not."""
    escaped = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    return escaped | {one.replace("/", "\\/") for one in escaped}


def _rewritten(value: Any, texts: list[str]) -> Any:
    if isinstance(value, str):
        return _replaced(value, texts)
    if isinstance(value, dict):
        return {_replaced(key, texts): _rewritten(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [_rewritten(item, texts) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return REDACTED if any(text in str(value) for text in texts) else value
    return value


def _replaced(text: str, encodings: Iterable[str]) -> str:
    for encoding in encodings:
        if encoding in text:
            text = text.replace(encoding, REDACTED)
    return text
