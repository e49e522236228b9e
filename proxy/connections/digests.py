"""What a holding depends on, as one digest: equal digests may share it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson
from pydantic import BaseModel


def key_of(kind: str, files: Sequence[Path], *seen: object) -> str:
    """A digest of what a holding depends on: config by its words, files by their identity."""
    words = [kind, *map(_words, seen), *([str(file), *_identity(file)] for file in files)]
    return hashlib.sha256(orjson.dumps(words, default=str, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _words(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, Mapping):
        return {str(name): _words(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [_words(one) for one in value]
    return value


def _identity(path: Path) -> tuple[int, ...]:
    try:
        stat = path.stat()
    except OSError:
        return ()
    return (stat.st_ino, stat.st_mtime_ns, stat.st_size)
