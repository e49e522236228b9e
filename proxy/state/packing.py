"""Several records as one blob: a journal is stored append by append, not record by record.

The layout: for each record its length (4 bytes, big endian) and its bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final

_LENGTH: Final = struct.Struct(">I")


def pack(records: Iterable[bytes]) -> bytes:
    """One blob. A record has at most 4 GiB."""
    return b"".join(part for record in records for part in (_LENGTH.pack(len(record)), record))


def unpack(blob: bytes) -> Iterator[bytes]:
    """The records again. Raises `ValueError` for what `pack` did not make."""
    at = 0
    while at < len(blob):
        if len(blob) - at < _LENGTH.size:
            raise ValueError("a chunk ends inside a length")
        (size,) = _LENGTH.unpack_from(blob, at)
        at += _LENGTH.size
        if len(blob) - at < size:
            raise ValueError("a chunk ends inside a record")
        yield blob[at : at + size]
        at += size
