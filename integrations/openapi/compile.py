"""Turn a document into a compiled file (see `doc`). Runs as a child process: `python -m integrations.openapi.compile`.

The parse tree of a large document takes a hundred times the memory that is needed afterwards, and the allocator does
not return it to the system, so the work is done in a process of its own (see `integrations.child`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from integrations.base import JsonObject, SourceError
from integrations.child import serve_child
from integrations.json_text import NON_STR_KEYS, JsonTooDeep, write_json
from integrations.openapi.anchors import may_have_anchors, settle_references
from integrations.openapi.bundle import Bundle, Fetched, Files, Library
from integrations.openapi.doc import MAGIC
from integrations.openapi.load import parse_source, version_of
from integrations.openapi.operations import (
    References,
    find_operations,
    make_rows,
    sound_operations,
    warn_of_paths,
)
from integrations.openapi.patch import apply_patch
from integrations.openapi.pointer import join_pointer, mapping
from integrations.openapi.trim import trim, trim_map
from integrations.openapi.vocabulary import Vocabulary
from integrations.sources import gc_paused

_SECTIONS_2 = ("definitions", "parameters", "responses")
_ROOT = (
    "swagger",
    "servers",
    "security",
    "securityDefinitions",
    "host",
    "basePath",
    "schemes",
    "consumes",
    "produces",
    "$self",
)


class FilesWanted(Exception):
    """Other files have to be fetched before this document can be compiled; `places` are their URLs."""

    def __init__(self, places: Sequence[str]) -> None:
        super().__init__(", ".join(places))
        self.places = tuple(dict.fromkeys(places))


def compile_document(
    source: bytes, name: str, *, overrides: Sequence[JsonObject] = (), library: Library | None = None
) -> bytes:
    """The compiled file of one source. `library` holds the files that relative references may name.

    Raises `SourceError`, `FilesWanted`.
    """
    document = parse_source(source, name)
    if overrides:
        document = apply_patch(document, overrides)
    version = version_of(document, name)
    with gc_paused():
        compilation = _Compilation(document, version, name, Bundle(library) if library else None)
        return compilation.emit(may_have_anchors(source))


class _Compilation:
    """The walk over one document."""

    def __init__(self, document: JsonObject, version: str, name: str, bundle: Bundle | None) -> None:
        self._document = document
        self._version = version
        self._name = name
        self._bundle = bundle
        self._warnings: list[str] = []
        self._references: dict[str, set[str]] = {}
        self._servers: dict[bytes, JsonObject] = {}

    def emit(self, has_anchors: bool) -> bytes:
        is_modern = self._version not in ("2.0", "3.0")
        self._trim()
        if has_anchors and is_modern:
            self._settle()
        if self._bundle is not None and self._names_other_files():
            self._include(self._bundle)
            if is_modern:
                self._settle()
        rows = self._rows()
        slices, blob = self._slices()
        header = {
            "version": self._version,
            "root": self._root(),
            "rows": rows,
            "slices": slices,
            "warnings": self._warnings,
            "dependencies": self._bundle.dependencies if self._bundle else [],
            "servers": list(self._servers.values()),
        }
        encoded = _json(header)
        return b"".join((MAGIC, len(encoded).to_bytes(8, "little"), encoded, *blob))

    def _parts(self) -> Iterator[tuple[str, Any]]:
        """Everything that becomes a slice, with its pointer."""
        for section in ("paths", "x-files", *(_SECTIONS_2 if self._version == "2.0" else ())):
            for name, value in mapping(self._document.get(section)).items():
                yield join_pointer(section, name), value
        for kind, entries in mapping(self._document.get("components")).items():
            for name, value in mapping(entries).items():
                yield join_pointer("components", kind, name), value

    def _trim(self) -> None:
        mapping(self._document.get("components")).pop("examples", None)
        for key, value in self._parts():
            references: set[str] = set()
            if key.startswith("/x-files/") and isinstance(value, dict):
                trim_map({"file": value}, references)
            elif isinstance(value, dict | list):
                trim(value, references)
            self._references[key] = references

    def _names_other_files(self) -> bool:
        return any(not one.startswith("#") for part in self._references.values() for one in part)

    def _include(self, bundle: Bundle) -> None:
        bundle.include(self._document)
        if bundle.wanted:
            raise FilesWanted(bundle.wanted)
        self._document["x-files"] = {str(number): tree for number, tree in enumerate(bundle.files)}
        self._trim()

    def _settle(self) -> None:
        settle_references(self._document)
        self._trim()

    def _rows(self) -> list[list[Any]]:
        references = References(self._document, self._references, self._reason_of, self._shown)
        try:
            found = find_operations(self._document, self._warn)
        except SourceError as error:
            raise SourceError(f"{self._name}: {error}") from None
        sound = list(sound_operations(found, references, self._warn))
        warn_of_paths(self._document, sound, self._warn)
        for operation in sound:
            self._note_servers(operation.item)
            self._note_servers(operation.body)
        return make_rows(sound, Vocabulary(self._document).keywords)

    def _note_servers(self, holder: JsonObject) -> None:
        """Keep each distinct list of servers once, so that all origins are known without reading every path."""
        key = "schemes" if self._version == "2.0" else "servers"
        if holder.get(key):
            noted = {key: holder[key]}
            self._servers[_json(noted)] = noted

    def _reason_of(self, reference: str) -> str | None:
        return self._bundle.reasons.get(reference) if self._bundle else None

    def _shown(self, reference: str) -> str:
        return self._bundle.shown(reference) if self._bundle else reference

    def _warn(self, text: str) -> None:
        self._warnings.append(f"{self._name}{text}")

    def _root(self) -> JsonObject:
        root = {key: self._document[key] for key in _ROOT if key in self._document}
        info = mapping(self._document.get("info"))
        return {
            **root,
            "info": {"title": str(info.get("title", "")), "version": str(info.get("version", ""))},
        }

    def _slices(self) -> tuple[dict[str, list[int]], list[bytes]]:
        table: dict[str, list[int]] = {}
        blob: list[bytes] = []
        offset = 0
        for key, value in self._parts():
            data = _json(value)
            table[key] = [offset, len(data)]
            blob.append(data)
            offset += len(data)
        return table, blob


def _json(value: Any) -> bytes:
    """JSON text, as deep as documents are."""
    try:
        return write_json(value, option=NON_STR_KEYS)
    except JsonTooDeep:
        return json.dumps(value).encode()


def work(request: JsonObject, content: bytes) -> bytes:
    """What the child process does: the result goes into the file `output`.

    The answer is empty, or a JSON object: `wanted` are URLs to fetch and to hand over in another try (`files` then
    holds [URL, size] pairs whose bytes follow the document, or [URL, reason] where there are none), `unwritable` the
    number and the words of the system's error.
    """
    source, library = _library(request, content)
    try:
        compiled = compile_document(source, request["name"], overrides=request["overrides"], library=library)
    except FilesWanted as wanted:
        return write_json({"wanted": wanted.places})
    try:
        Path(request["output"]).write_bytes(compiled)
    except OSError as error:
        return write_json({"unwritable": [error.errno, error.strerror]})
    return b""


def _library(request: JsonObject, content: bytes) -> tuple[bytes, Library | None]:
    if request.get("root"):
        return content, Files(Path(request["root"]), Path(request["base"]))
    if not request.get("url"):
        return content, None
    files: dict[str, bytes | str] = {}
    end = position = request["size"]
    for url, size in request["files"]:
        files[url] = size if isinstance(size, str) else content[position : position + size]
        position += 0 if isinstance(size, str) else size
    return content[:end], Fetched(request["url"], files)


if __name__ == "__main__":
    sys.exit(serve_child(work))
