"""Vendored catalogs: what a source answered when it was reviewed, beside the lock that names its digest.

    .executor/catalog/<key>.json    {"version": 1, "kind": "openapi", "answers": {...}} or {..., "offer": {...}}

Whoever changes such a file has to change the lock, which is reviewed: a file with another digest is refused.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from integrations.files import DOCUMENT, READER
from integrations.json_text import INDENT, SORT_KEYS, read_json, write_json

FOLDER: Final = Path(".executor") / "catalog"
VENDOR: Final = "run `executor lock --vendor` and commit what it writes"
_VERSION: Final = 1


class VendoredError(Exception):
    """A catalog that is missing, or is not the one that was reviewed."""


@dataclass(frozen=True, slots=True)
class VendoredCatalog:
    """Where the catalog of a key is, and what it has to be."""

    path: Path
    sha256: str

    def read(self) -> Mapping[str, Any]:
        """Its content. Blocks. Raises `VendoredError`."""
        name = self.path.name
        try:
            content = READER.read(self.path, DOCUMENT)
        except OSError as error:
            raise VendoredError(
                f"the vendored catalog {FOLDER / name} cannot be read: {error.strerror or error}; {VENDOR}"
            ) from None
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise VendoredError(
                f"the vendored catalog {FOLDER / name} is not the one that the lock names; {VENDOR}"
            )
        data = read_json(content)
        if not isinstance(data, dict) or data.get("version") != _VERSION:
            raise VendoredError(f"the vendored catalog {FOLDER / name} is of another version; {VENDOR}")
        return data


def catalog_path(lock: Path, key: str) -> Path:
    """Where the catalog of a key of this lock is."""
    return lock.parent / FOLDER / f"{key}.json"


def catalog_text(kind: str, content: Mapping[str, Any]) -> bytes:
    """The bytes of a catalog: equal content has equal bytes."""
    return write_json({"version": _VERSION, "kind": kind, **content}, option=INDENT | SORT_KEYS) + b"\n"


def write_catalog(path: Path, content: bytes) -> str:
    """All of it or nothing; its digest. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as fresh:
        fresh.write(content)
        os.fchmod(fresh.fileno(), 0o644)
    os.replace(fresh.name, path)
    return hashlib.sha256(content).hexdigest()
