"""Compiled documents on disk, by what they were made from, and how to ask whether a URL has changed.

The directory can be removed at any time, and several processes may share it: files are only ever replaced
whole.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from integrations.base import SourceError
from integrations.openapi.doc import Doc

_COMPILER = "5"
"""Part of every key: a compiled file of another version of the compiler is never opened."""


def digest_of(*parts: Any) -> str:
    """A key over plain JSON values."""
    return hashlib.sha256(orjson.dumps([_COMPILER, *parts])).hexdigest()


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a URL from the last time: the sha256 of its content, and how to ask for news."""

    sha256: str
    url: str
    validators: Mapping[str, str]


class CompiledCache:
    """One directory, or none: then everything is made anew and nothing is kept."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def find(self, key: str) -> Doc | None:
        if self._directory is None:
            return None
        try:
            return Doc.open(self._directory / f"{key}.openapi")
        except (OSError, ValueError, KeyError, SourceError):
            return None

    @contextmanager
    def place(self) -> Iterator[Path]:
        """A file to compile into; `keep` has to be called before the context ends."""
        if self._directory is None:
            with tempfile.TemporaryDirectory(prefix="executor-openapi-") as scratch:
                yield Path(scratch) / "document"
            return
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".compile-", dir=self._directory) as scratch:
            yield Path(scratch) / "document"

    def keep(self, fresh: Path, key: str) -> Doc:
        """Open what was compiled, after moving it to its place."""
        if self._directory is None:
            return Doc.open(fresh)
        target = self._directory / f"{key}.openapi"
        fresh.replace(target)
        return Doc.open(target)

    def seen(self, key: str) -> Seen | None:
        if self._directory is None:
            return None
        try:
            known = orjson.loads((self._directory / f"{key}.fetched").read_bytes())
            return Seen(
                known["sha256"], known["url"], {str(k): str(v) for k, v in known["validators"].items()}
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def remember(self, key: str, seen: Seen) -> None:
        if self._directory is None or not seen.validators:
            return
        with self.place() as fresh:
            fresh.write_bytes(
                orjson.dumps({"sha256": seen.sha256, "url": seen.url, "validators": dict(seen.validators)})
            )
            fresh.replace(self._directory / f"{key}.fetched")
