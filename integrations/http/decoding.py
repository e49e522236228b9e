"""Content-Encoding with a bound on what comes out, so that a small body cannot become a large one (T28)."""

from __future__ import annotations

import zlib
from typing import Protocol

from integrations.http.errors import TooLarge, Unreachable


class Decoder(Protocol):
    """Takes the body piecewise; `room` is how many bytes may still come out."""

    def feed(self, data: bytes, room: int) -> bytes: ...

    def finish(self) -> None:
        """The body has ended. Raises `Unreachable` when something of it is missing."""
        ...


class IdentityDecoder:
    """No encoding."""

    def feed(self, data: bytes, room: int) -> bytes:
        if len(data) > room:
            raise TooLarge("the response body is larger than allowed", sent=True)
        return data

    def finish(self) -> None:
        """Anything may be all."""


class InflateDecoder:
    """gzip (RFC 1952, several members too) and deflate (RFC 1950, or RFC 1951 as some servers send it)."""

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._begun = False
        self._engine = zlib.decompressobj(wbits)
        self._head: bytes | None = b"" if wbits == zlib.MAX_WBITS else None

    def feed(self, data: bytes, room: int) -> bytes:
        self._begun = self._begun or bool(data)
        data = self._after_head(data)
        out = bytearray()
        while data:
            try:
                out += self._engine.decompress(data, room - len(out) + 1)
            except zlib.error as error:
                raise Unreachable(f"the compressed response is damaged: {error}", sent=True) from None
            if len(out) > room:
                raise TooLarge("the decompressed response body is larger than allowed", sent=True)
            data = self._engine.unconsumed_tail or self._next_member()
        return bytes(out)

    def finish(self) -> None:
        if self._begun and not self._engine.eof:
            raise Unreachable("the compressed response was cut off", sent=True)

    def _after_head(self, data: bytes) -> bytes:
        """Hold back the first two bytes of a deflate body: they tell whether it has a zlib header (RFC 1950)."""
        if self._head is None:
            return data
        self._head += data
        if len(self._head) < 2:
            return b""
        data, self._head = self._head, None
        if data[0] & 0x0F != 8 or int.from_bytes(data[:2], "big") % 31:
            self._engine = zlib.decompressobj(-zlib.MAX_WBITS)
        return data

    def _next_member(self) -> bytes:
        rest = self._engine.unused_data
        if self._engine.eof and rest and self._wbits > zlib.MAX_WBITS:
            self._engine = zlib.decompressobj(self._wbits)
            return rest
        return b""


def decoder_for(encoding: str) -> Decoder:
    """The decoder of a Content-Encoding value; unknown codings are refused, since we never ask for them."""
    coding = encoding.strip().lower()
    if coding in ("gzip", "x-gzip"):
        return InflateDecoder(zlib.MAX_WBITS | 16)
    if coding == "deflate":
        return InflateDecoder(zlib.MAX_WBITS)
    if coding in ("", "identity"):
        return IdentityDecoder()
    raise Unreachable(f"the response is encoded as {coding[:40]!r}, which was not asked for", sent=True)
