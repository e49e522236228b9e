"""What a holding depends on, as one digest: equal digests may share it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from integrations.files import READER
from integrations.json_text import SORT_KEYS, write_json


def key_of(kind: str, files: Sequence[Path], *seen: object) -> str:
    """A digest of what a holding depends on: config by its words, files by their identity."""
    words = [kind, *map(_words, seen), *_identified(files)]
    return hashlib.sha256(write_json(words, default=str, option=SORT_KEYS)).hexdigest()


def _words(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, Mapping):
        return {str(name): _words(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [_words(one) for one in value]
    return value


def _identified(files: Sequence[Path]) -> list[list[object]]:
    found = READER.looks(files, os.stat)
    return [[str(file), *_identity(one)] for file, one in zip(files, found, strict=True)]


def _identity(found: os.stat_result | OSError) -> tuple[int, ...]:
    return () if isinstance(found, OSError) else (found.st_ino, found.st_mtime_ns, found.st_size)
