"""Secrets out of what agents see: values that an upstream reflects, in the encodings they travel in (T27).

A search over the serialised bytes decides whether there is anything to do, because in nearly every result there is
not. Only then is the value walked and rewritten, string by string, so that the outcome stays valid JSON.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from functools import cached_property
from html.entities import html5
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, quote_plus

from integrations.base import JsonObject
from integrations.http.toolfile import file_bytes, is_tool_file
from integrations.json_text import read_json, write_json

REDACTED: Final = "[redacted]"
# Removing every "a" or "42" would destroy results and hide nothing.
SHORTEST_SECRET: Final = 4
# Inside other base64 (a Basic header's user:password) a very short secret leaves too few characters to go by.
_SHORTEST_INSIDE_BASE64: Final = 6
_SECRETS_REMEMBERED: Final = 512
# Keys and certificates are longer; they are found in the encodings that stand in a table.
_LONGEST_SPELLED: Final = 256
_BREAK: Final = r"(?:\r?\n[ \t]{0,8})?"
# As they stand in JSON, the following white space of folded lines included.
_LINE_BREAKS: Final = (rb"\r", rb"\n\t", rb"\n ", rb"\n")
_ENTITY: Final = re.compile(rb"&(?:#(?:0*\d{1,13}|[xX]0*[0-9a-fA-F]{1,12})|[A-Za-z][A-Za-z0-9]{1,31});?")
# Python refuses numbers of thousands of digits, and counts zeros too.
_ZEROS: Final = re.compile(rb"(?<=#)([xX]?)0+(?=[0-9a-fA-F])")
# Quoted-printable is percent-encoding with another sign, and is undone in C.
_AS_QUOTED_PRINTABLE: Final = bytes.maketrans(b"%=\r\n", b"=%  ")
_ONE_SIGN: Final = bytes.maketrans(b"%", b"=")


def _entities() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for name, text in html5.items():
        if len(text) == 1:
            found.setdefault(text, []).append(name)
    return {text: tuple(sorted(names, key=len, reverse=True)) for text, names in found.items()}


_ENTITIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(_entities())


class _Encodings:
    """Of one secret. `texts`: as they stand in a string, longest first; `found`: the bytes to look for in serialised
    JSON; `folded`: those whose case does not matter. `decoded` is what is left of the secret where percent-encodings,
    entities and backslashes are undone, `unbroken` the base64 forms, for lines of any length.

    The two patterns are made when they are first needed. Nothing in them repeats without a bound, so that the time is
    bounded by text and secret.
    """

    def __init__(self, secret: str) -> None:
        raws = (secret.encode(), secret.encode("utf-16-le"), secret.encode("utf-16-be"))
        self._secret = secret
        self._base64 = sorted(set().union(*map(_base64, raws)), key=len, reverse=True)
        folded = {raw.hex() for raw in raws} | _base32(raws[0])
        plain = {secret, *_percent(secret), html.escape(secret), *self._base64}
        plain |= {raw.decode("latin-1") for raw in raws[1:]}
        escaped = plain | {encoding for text in plain for encoding in _as_json_text(text)}
        texts = escaped | folded | {one.upper() for one in folded}
        self.texts = tuple(sorted(texts, key=len, reverse=True))
        self.found = _shortest(write_json(text)[1:-1] for text in escaped)
        self.folded = _shortest(one.encode() for one in folded)
        self.decoded = _comparable(secret.encode())
        self.unbroken = _shortest(one.encode() for one in self._base64)

    def taken_from(self, text: str) -> str:
        """Without the spellings that no table can hold."""
        if len(self._secret) <= _LONGEST_SPELLED and ("%" in text or "&" in text):
            text = self._spelled.sub(REDACTED, text)
        return self._broken.sub(REDACTED, text) if "\n" in text else text

    @cached_property
    def _spelled(self) -> re.Pattern[str]:
        """Each character as itself, percent-encoded or as an entity."""
        return re.compile("".join(map(_character, self._secret)))

    @cached_property
    def _broken(self) -> re.Pattern[str]:
        """Base64 in lines (RFC 2045)."""
        return re.compile("|".join(_BREAK.join(map(re.escape, one)) for one in self._base64))


class _Body:
    """Serialised JSON, and what it says when encodings are undone; each is made when it is first asked for."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def holds(self, secret: _Encodings) -> bool:
        return (
            any(one in self._body for one in secret.found)
            or any(one in self._lower for one in secret.folded)
            or any(secret.decoded in one for one in self._decoded)
            or any(one in self._joined for one in secret.unbroken)
        )

    @cached_property
    def _lower(self) -> bytes:
        return self._body.lower()

    @cached_property
    def _decoded(self) -> tuple[bytes, ...]:
        made = []
        if b"%" in self._body:
            made.append(_without_percent(self._body))
        if b"&" in self._body and (plain := _without_entities(self._body)) != self._body:
            made += [plain, _without_percent(plain)]
        return tuple(map(_comparable, made))

    @cached_property
    def _joined(self) -> bytes:
        """Without line breaks; nothing when there are none."""
        joined = self._body if b"\\n" in self._body else b""
        for one in _LINE_BREAKS:
            joined = joined.replace(one, b"")
        return joined


class Scrubber:
    """Remembers the encodings of secrets it has seen; forgets the oldest."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Encodings] = OrderedDict()

    def clean(self, body: bytes, secrets: Iterable[str]) -> bytes:
        """A JSON document without these secrets. The same object when none is in it."""
        encodings, read = self._all(secrets), _Body(body)
        if not any(read.holds(each) for each in encodings):
            return body
        return write_json(_Rewriting(encodings).value(read_json(body)))

    def clean_text(self, text: str, secrets: Iterable[str]) -> str:
        """The same for plain text, such as a traceback."""
        return _Rewriting(self._all(secrets)).text(text)

    def _all(self, secrets: Iterable[str]) -> list[_Encodings]:
        return [self._encodings(one) for one in set(secrets) if len(one) >= SHORTEST_SECRET]

    def _encodings(self, secret: str) -> _Encodings:
        known = self._known.get(secret)
        if known is None:
            known = self._known[secret] = _Encodings(secret)
            if len(self._known) > _SECRETS_REMEMBERED:
                self._known.popitem(last=False)
        return known


class _Rewriting:
    """Goes through a value and takes the secrets out."""

    def __init__(self, encodings: Iterable[_Encodings]) -> None:
        self._known = list(encodings)
        self._texts = sorted({text for each in self._known for text in each.texts}, key=len, reverse=True)

    def value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            rest = {self.text(key): self.value(item) for key, item in value.items()}
            return self._file(value, rest) if is_tool_file(value) else rest
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return REDACTED if any(text in str(value) for text in self._texts) else value
        return value

    def text(self, text: str) -> str:
        for encoding in self._texts:
            if encoding in text:
                text = text.replace(encoding, REDACTED)
        for each in self._known:
            text = each.taken_from(text)
        return text

    def _file(self, value: JsonObject, rest: JsonObject) -> JsonObject:
        """A file whose bytes hold a secret stays a file: it is taken out of the bytes, not out of their base64."""
        try:
            content = file_bytes(value)
        except ValueError:
            return rest
        text = content.decode("utf-8", "surrogateescape")
        kept = self.text(text).encode("utf-8", "surrogateescape")
        return {**rest, **_data(kept)} if kept != content else {**rest, "data": value["data"]}


def _comparable(text: bytes) -> bytes:
    """Without backslashes, and without the difference between `%` and `=`, which `_without_percent` does not keep."""
    return text.replace(b"\\", b"").replace(b"\0", b"").translate(_ONE_SIGN)


def _without_percent(body: bytes) -> bytes:
    """Percent-encodings undone; what stands for itself, `%` and `=`, may have become the other."""
    text = body.translate(_AS_QUOTED_PRINTABLE)
    # Two signs in a row would be read as one, and one at the end as none.
    for _ in range(2):
        text = text.replace(b"==", b"=\0=")
    return binascii.a2b_qp(text + b"\0")


def _without_entities(body: bytes) -> bytes:
    """HTML entities undone; each that occurs is looked up once."""
    known: dict[bytes, bytes] = {}

    def plain(found: re.Match[bytes]) -> bytes:
        entity = found[0]
        text = known.get(entity)
        if text is None:
            text = known[entity] = html.unescape(_ZEROS.sub(rb"\1", entity).decode()).encode()
        return text

    return _ENTITY.sub(plain, body)


def _shortest(texts: Iterable[bytes]) -> tuple[bytes, ...]:
    """Where a longer one stands, the shorter one inside of it does too, so there is no need to look for both."""
    kept: list[bytes] = []
    for text in sorted(set(texts), key=len):
        if not any(one in text for one in kept):
            kept.append(text)
    return tuple(kept)


def _data(content: bytes) -> JsonObject:
    return {"data": base64.b64encode(content).decode(), "byteLength": len(content)}


def _character(one: str) -> str:
    number = ord(one)
    percent = "".join(f"%(?i:{byte:02x})" for byte in one.encode())
    entities = [f"&#0*{number};?", f"&#[xX]0*(?i:{number:x});?"]
    entities += [re.escape(f"&{name}") for name in _ENTITIES.get(one, ())]
    return f"(?:{'|'.join((re.escape(one), percent, *entities))})"


def _percent(secret: str) -> set[str]:
    """RFC 3986 leaves the case of the hex digits open, and forms write a blank as `+`."""
    encoded = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    lower = {_lower_hex(text) for text in encoded}
    return encoded | lower


def _lower_hex(text: str) -> str:
    head, *parts = text.split("%")
    return head + "".join(f"%{part[:2].lower()}{part[2:]}" for part in parts)


def _base64(raw: bytes) -> set[str]:
    """Alone, and inside a longer text at each of the three alignments (RFC 4648), in both alphabets."""
    whole = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    found = whole | {text.rstrip("=") for text in whole}
    if len(raw) < _SHORTEST_INSIDE_BASE64:
        return found
    for before in range(3):
        padded = b"\0" * before + raw
        sure = slice((before * 8 + 5) // 6, len(padded) * 8 // 6)
        found |= {base64.b64encode(padded).decode()[sure], base64.urlsafe_b64encode(padded).decode()[sure]}
    return found


def _base32(raw: bytes) -> set[str]:
    """Like base64, at each of its five alignments; in lower case."""
    found = {base64.b32encode(raw).decode().rstrip("=").lower()}
    if len(raw) < _SHORTEST_INSIDE_BASE64:
        return found
    for before in range(5):
        padded = b"\0" * before + raw
        sure = slice((before * 8 + 4) // 5, len(padded) * 8 // 5)
        found.add(base64.b32encode(padded).decode()[sure].lower())
    return found


def _as_json_text(text: str) -> set[str]:
    """As it stands in JSON that an upstream returned as a string: escaped, in ASCII or not, `/` escaped or not."""
    escaped = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    return escaped | {one.replace("/", "\\/") for one in escaped}
