from __future__ import annotations

import gzip
import zlib

import pytest

from integrations.http.decoding import decoder_for
from integrations.http.errors import TooLarge, Unreachable

TEXT = b"hello " * 500


def gzipped(data: bytes) -> bytes:
    """Without the time in its header: the data is in the names of tests, which all workers must agree on."""
    return gzip.compress(data, mtime=0)


def raw_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return engine.compress(data) + engine.flush()


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzipped(TEXT)),
        ("X-GZIP", gzipped(TEXT[:600]) + gzipped(TEXT[600:])),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_codings(encoding: str, data: bytes, step: int) -> None:
    decoder = decoder_for(encoding)
    out = b""
    for start in range(0, len(data), step):
        out += decoder.feed(data[start : start + step], len(TEXT) - len(out))
    assert out == TEXT


@pytest.mark.parametrize(
    ("encoding", "data"), [("", TEXT), ("gzip", gzipped(TEXT)), ("deflate", zlib.compress(TEXT))]
)
def test_room_is_kept(encoding: str, data: bytes) -> None:
    with pytest.raises(TooLarge):
        decoder_for(encoding).feed(data, len(TEXT) - 1)


def test_damage_and_unknown_codings() -> None:
    with pytest.raises(Unreachable):
        decoder_for("gzip").feed(b"no gzip at all", 100)
    with pytest.raises(Unreachable):
        decoder_for("zstd")
