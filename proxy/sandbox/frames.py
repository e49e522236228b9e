"""Frames on a worker's socket: a length of 4 bytes, big endian, then that many bytes of UTF-8 JSON.

Shared by both sides, so it imports next to nothing: the zygote pays for every module that a worker needs.
"""

from __future__ import annotations

import os

HEADER_BYTES = 4
# The one depth limit for JSON (integrations/json_text.py says why), repeated because a worker imports nothing of that.
MAX_DEPTH = 180


class FrameTooLarge(Exception):
    """A frame announces more bytes than the reader accepts."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a frame of {size} bytes; the limit is {limit}")
        self.size = size
        self.limit = limit


def pack(payload: bytes) -> bytes:
    """One frame around `payload`."""
    return len(payload).to_bytes(HEADER_BYTES, "big") + payload


class FrameRate:
    """How fast one worker may speak: `burst` frames at once, after that `per_second`."""

    __slots__ = ("_burst", "_last", "_left", "_per_second")

    def __init__(self, burst: int, per_second: float) -> None:
        self._burst = self._left = float(burst)
        self._per_second = per_second
        self._last: float | None = None

    def wait_seconds(self, now: float) -> float:
        """Count a frame that came at `now`; how long to wait before it is looked at."""
        passed = 0.0 if self._last is None else max(0.0, now - self._last)
        self._last = now
        self._left = min(self._burst, self._left + passed * self._per_second) - 1
        return max(0.0, -self._left / self._per_second)


class FrameReader:
    """Bytes in, whole payloads out. Raises `FrameTooLarge` as soon as a header announces too much."""

    __slots__ = ("_buffer", "_limit")

    def __init__(self, limit: int) -> None:
        self._buffer = bytearray()
        self._limit = limit

    def feed(self, data: bytes) -> list[bytes]:
        """Add what was read; return the payloads it completes, in order."""
        buffer = self._buffer
        buffer += data
        payloads: list[bytes] = []
        while len(buffer) >= HEADER_BYTES:
            size = int.from_bytes(buffer[:HEADER_BYTES], "big")
            if size > self._limit:
                raise FrameTooLarge(size, self._limit)
            end = HEADER_BYTES + size
            if len(buffer) < end:
                break
            payloads.append(bytes(buffer[HEADER_BYTES:end]))
            del buffer[:end]
        return payloads


def write_frame(fd: int, payload: bytes) -> None:
    """Blocking. Raises OSError."""
    data = memoryview(pack(payload))
    while data:
        data = data[os.write(fd, data) :]


def read_frame(fd: int, limit: int) -> bytes | None:
    """Blocking; None when the other side closed. Raises FrameTooLarge, OSError."""
    header = _read_exactly(fd, HEADER_BYTES)
    if header is None:
        return None
    size = int.from_bytes(header, "big")
    if size > limit:
        raise FrameTooLarge(size, limit)
    return _read_exactly(fd, size)


def _read_exactly(fd: int, size: int) -> bytes | None:
    parts: list[bytes] = []
    missing = size
    while missing:
        data = os.read(fd, min(missing, 1 << 20))
        if not data:
            return None
        if len(data) == size:
            return data
        parts.append(data)
        missing -= len(data)
    return b"".join(parts)
