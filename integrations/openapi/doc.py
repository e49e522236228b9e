"""A compiled document: an index in memory, everything else as JSON slices that are parsed when asked for.

Layout of the file: 8 bytes of magic, 8 bytes of little-endian header length, the header as JSON, the slices.
A slice is one path item, one component or one external file; its key is the JSON Pointer of its place. The header
holds the catalog rows, the slice table and small parts, such as all lists of servers (`schemes` in 2.0) below the root.
"""

from __future__ import annotations

import mmap
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

from integrations.base import JsonObject, SourceError
from integrations.json_text import read_json
from integrations.openapi.inheritance import descendants
from integrations.openapi.pointer import join_pointer, split_fragment, walk

MAGIC = b"EXOAPI01"
_CACHED_SLICES = 256
_CACHED_BYTES = 4 * 1024 * 1024
_MAX_CHAIN = 32
_SCHEMAS = ("/components/schemas/", "/definitions/")
_ALL_OF = b'"allOf"'


class BrokenReference(LookupError):
    """A `$ref` that leads nowhere, or in a circle of nothing but references."""


class Doc:
    """Read access to one compiled document. Values it hands out are shared and must not be changed."""

    def __init__(self, blob: bytes | mmap.mmap) -> None:
        if blob[:8] != MAGIC:
            raise SourceError("not a compiled document of this version")
        size = int.from_bytes(blob[8:16], "little")
        header = read_json(blob[16 : 16 + size])
        self._blob = blob
        self._start = 16 + size
        self._slices: dict[str, list[int]] = header.pop("slices")
        self._cache: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._held = 0
        self._lock = Lock()
        self.rows: list[list[Any]] = header.pop("rows")
        self.root: JsonObject = header["root"]
        self.version: str = header["version"]
        self.servers: list[JsonObject] = header["servers"]
        self.warnings: tuple[str, ...] = tuple(header["warnings"])
        self.dependencies: list[list[str]] = header["dependencies"]

    @classmethod
    def open(cls, path: Path) -> Doc:
        """Map a compiled file. It may be replaced or removed afterwards. Raises OSError, `SourceError`."""
        with path.open("rb") as file:
            return cls(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    @property
    def schema_dialect(self) -> str:
        """`2.0`, `3.0` (their own schema dialects) or `2020-12`."""
        return self.version if self.version in ("2.0", "3.0") else "2020-12"

    def path_item(self, key: str) -> JsonObject:
        """A path item with its `$ref` followed; keys next to the reference are kept and replace those of its target."""
        item = self._slice(f"/paths{join_pointer(key)}")
        for _ in range(_MAX_CHAIN):
            if not isinstance(item, dict):
                raise BrokenReference(f"#/paths{join_pointer(key)} is no path item")
            reference = item.get("$ref")
            if not isinstance(reference, str):
                return item
            beside = {name: value for name, value in item.items() if name != "$ref"}
            target = self.get(reference)
            item = {**target, **beside} if isinstance(target, dict) else target
        raise BrokenReference(f"#/paths{join_pointer(key)}: too many references in a row")

    def get(self, reference: str) -> Any:
        """What `#/...` names; chains of references are not followed. Raises `BrokenReference`."""
        if not reference.startswith("#"):
            raise BrokenReference(f"{reference}: not part of this document")
        tokens = split_fragment(reference[1:])
        for length in (3, 2):
            key = join_pointer(*tokens[:length])
            if len(tokens) >= length and key in self._slices:
                return self._walk(self._slice(key), tokens[length:], reference)
        return self._walk(self.root, tokens, reference)

    @cached_property
    def descendants(self) -> Mapping[str, Mapping[str, str]]:
        """By reference of a component: what `inheritance` finds."""
        return descendants(self._schemas_with(_ALL_OF))

    def _schemas_with(self, word: bytes) -> Iterator[tuple[str, JsonObject]]:
        """References to the components whose JSON text holds `word`, and their schemas."""
        for key, (offset, size) in self._slices.items():
            if key.startswith(_SCHEMAS):
                content = self._blob[self._start + offset : self._start + offset + size]
                if word in content and isinstance(value := read_json(content), dict):
                    yield "#" + key, value

    def deref(self, value: Any) -> Any:
        """The object behind any chain of references. Siblings of a reference are dropped, as 3.0 asks for."""
        for _ in range(_MAX_CHAIN):
            if not isinstance(value, dict):
                return value
            reference = value.get("$ref")
            if not isinstance(reference, str):
                return value
            value = self.get(reference)
        raise BrokenReference("too many references in a row")

    def _walk(self, value: Any, tokens: list[str], reference: str) -> Any:
        try:
            return walk(value, tokens)
        except LookupError as error:
            raise BrokenReference(f"{reference}: there is no {error.args[0]!r}") from None

    def _slice(self, key: str) -> Any:
        with self._lock:
            hit = self._cache.get(key)
            if hit is not None:
                self._cache.move_to_end(key)
                return hit[0]
        place = self._slices.get(key)
        if place is None:
            raise BrokenReference(f"#{key} does not exist")
        offset, size = place
        value = read_json(self._blob[self._start + offset : self._start + offset + size])
        with self._lock:
            if key not in self._cache:
                self._cache[key] = (value, size)
                self._held += size
            while len(self._cache) > _CACHED_SLICES or (self._held > _CACHED_BYTES and len(self._cache) > 1):
                _, (_, freed) = self._cache.popitem(last=False)
                self._held -= freed
        return value
