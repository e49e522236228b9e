"""Content-Encoding with a bound on what comes out, so that a small body cannot become a large one (T28)."""

from __future__ import annotations

import zlib
from typing import Protocol

from integrations.http.errors import TooLarge, Unreachable


class Decoder(Protocol):
    """Takes the body piecewise; `room` is how many bytes may still come out."""

    def feed(self, data: bytes, room: int) -> bytes: ...


class Plain:
    """No encoding."""

    def feed(self, data: bytes, room: int) -> bytes:
        if len(data) > room:
            raise TooLarge("the response body is larger than allowed", sent=True)
        return data


class Inflate:
    """gzip (RFC 1952, several members too) and deflate (RFC 1950, or RFC 1951 as some servers send it)."""

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._engine = zlib.decompressobj(wbits)
        self._started = False

    def feed(self, data: bytes, room: int) -> bytes:
        out = bytearray()
        while data:
            out += self._step(data, room - len(out) + 1)
            if len(out) > room:
                raise TooLarge("the decompressed response body is larger than allowed", sent=True)
            data = self._engine.unconsumed_tail or self._next_member()
        return bytes(out)

    def _step(self, data: bytes, limit: int) -> bytes:
        try:
            piece = self._engine.decompress(data, limit)
        except zlib.error as error:
            if self._started or self._wbits != zlib.MAX_WBITS:
                raise Unreachable(f"the compressed response is damaged: {error}", sent=True) from None
            self._wbits = -zlib.MAX_WBITS
            self._engine = zlib.decompressobj(self._wbits)
            return self._step(data, limit)
        self._started = True
        return piece

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
        return Inflate(zlib.MAX_WBITS | 16)
    if coding == "deflate":
        return Inflate(zlib.MAX_WBITS)
    if coding in ("", "identity"):
        return Plain()
    raise Unreachable(f"the response is encoded as {coding[:40]!r}, which was not asked for", sent=True)
