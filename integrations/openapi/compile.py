"""Turn a document into a compiled file (see `doc`). Runs as a child process: `python -m
integrations.openapi.compile`.

The parse tree of a large document takes a hundred times the memory that is needed afterwards and does not go
back to the system when freed, so the work is done by a process that ends (see `integrations.child`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from integrations.base import JsonObject, SourceError
from integrations.child import serve_child
from integrations.naming import Named, plan_names
from integrations.openapi.bundle import Bundle
from integrations.openapi.doc import MAGIC
from integrations.openapi.load import gc_paused, parse_source, version_of
from integrations.openapi.patch import apply_patch
from integrations.openapi.pointer import join_pointer, split_fragment, walk
from integrations.openapi.trim import trim, trim_map

COMPILER_VERSION = "1"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
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
)
_MAX_TEXT = 2_000
_MAX_OPERATIONS = 50_000


@dataclass(slots=True)
class Operation:
    """One operation as found: where it is and what the catalog needs of it."""

    path: str
    method: str
    body: JsonObject
    item: JsonObject


def compile_document(
    source: bytes, name: str, *, overrides: list[JsonObject], root: Path | None, base: Path | None
) -> bytes:
    """The compiled file of one source. `base` is the document's own path, for relative references below
    `root`.
    """
    document = parse_source(source, name)
    if overrides:
        document = apply_patch(document, overrides)
    version = version_of(document, name)
    bundle = Bundle(root, base) if root is not None and base is not None else None
    if bundle is not None:
        bundle.include(document)
    with gc_paused():
        return _Compilation(document, version, name, bundle).emit()


class _Compilation:
    """The walk over one document."""

    def __init__(self, document: JsonObject, version: str, name: str, bundle: Bundle | None) -> None:
        self._document = document
        self._version = version
        self._name = name
        self._bundle = bundle
        self._warnings: list[str] = list(bundle.warnings) if bundle else []
        self._references: dict[str, set[str]] = {}
        if bundle is not None and bundle.files:
            document["x-files"] = {str(number): tree for number, tree in enumerate(bundle.files)}

    def emit(self) -> bytes:
        self._trim()
        sound = self._sound_operations()
        rows = self._rows(sound)
        slices, blob = self._slices()
        header = {
            "version": self._version,
            "root": self._root(),
            "rows": rows,
            "slices": slices,
            "warnings": self._warnings,
            "dependencies": self._bundle.dependencies if self._bundle else [],
        }
        encoded = orjson.dumps(header, option=orjson.OPT_NON_STR_KEYS)
        return b"".join((MAGIC, len(encoded).to_bytes(8, "little"), encoded, *blob))

    def _parts(self) -> Iterator[tuple[str, Any]]:
        """Everything that becomes a slice, with its pointer."""
        for section in ("paths", "x-files", *(_SECTIONS_2 if self._version == "2.0" else ())):
            for name, value in _mapping(self._document.get(section)).items():
                yield join_pointer(section, name), value
        for kind, entries in _mapping(self._document.get("components")).items():
            for name, value in _mapping(entries).items():
                yield join_pointer("components", kind, name), value

    def _trim(self) -> None:
        _mapping(self._document.get("components")).pop("examples", None)
        for key, value in self._parts():
            references: set[str] = set()
            if key.startswith("/x-files/") and isinstance(value, dict):
                trim_map({"file": value}, references)
            elif isinstance(value, dict | list):
                trim(value, references)
            self._references[key] = references

    def _root(self) -> JsonObject:
        root = {key: self._document[key] for key in _ROOT if key in self._document}
        info = _mapping(self._document.get("info"))
        return {
            **root,
            "info": {"title": str(info.get("title", "")), "version": str(info.get("version", ""))},
        }

    def _slices(self) -> tuple[dict[str, list[int]], list[bytes]]:
        table: dict[str, list[int]] = {}
        blob: list[bytes] = []
        offset = 0
        for key, value in self._parts():
            data = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
            table[key] = [offset, len(data)]
            blob.append(data)
            offset += len(data)
        return table, blob

    def _operations(self) -> Iterator[Operation]:
        for path, raw in _mapping(self._document.get("paths")).items():
            if not path.startswith("/") and path.startswith("x-"):
                continue
            item = self._resolve(raw)
            if item is None:
                self._warn(f"paths{join_pointer(path)}", "the path item cannot be read")
                continue
            for method in METHODS:
                if isinstance(item.get(method), dict):
                    yield Operation(path, method, item[method], item)
            for method, body in _mapping(item.get("additionalOperations")).items():
                if isinstance(body, dict):
                    yield Operation(path, method, body, item)

    def _sound_operations(self) -> list[Operation]:
        found = list(self._operations())
        if len(found) > _MAX_OPERATIONS:
            raise SourceError(f"{self._name}: more than {_MAX_OPERATIONS} operations")
        broken = self._broken_parts()
        if not broken:
            return found
        return [operation for operation in found if self._is_sound(operation, broken)]

    def _broken_parts(self) -> dict[str, str]:
        """Reference -> why it leads nowhere. Each distinct reference is looked up once."""
        every = set().union(*self._references.values()) if self._references else set()
        return {reference: "does not exist" for reference in every if not self._exists(reference)}

    def _exists(self, reference: str) -> bool:
        if not reference.startswith("#"):
            return False
        try:
            walk(self._document, split_fragment(reference[1:]))
        except LookupError:
            return False
        return True

    def _is_sound(self, operation: Operation, broken: dict[str, str]) -> bool:
        """Does the operation reach a broken reference, directly or through components?"""
        references: set[str] = set()
        trim(operation.body, references)
        trim([operation.item.get("parameters") or []], references)
        pending, seen = list(references), set(references)
        while pending:
            reference = pending.pop()
            if reference in broken:
                where = f"paths{join_pointer(operation.path, operation.method)}"
                self._warn(where, f"left out: {reference} {broken[reference]}")
                return False
            new = self._references.get(_part_of(reference), set()) - seen
            seen |= new
            pending += new
        return True

    def _warn(self, where: str, text: str) -> None:
        self._warnings.append(f"{self._name}#/{where}: {text}")

    def _resolve(self, value: Any) -> JsonObject | None:
        for _ in range(32):
            if not isinstance(value, dict):
                return None
            reference = value.get("$ref")
            if not isinstance(reference, str):
                return value
            try:
                target = walk(self._document, split_fragment(reference[1:])) if reference[:1] == "#" else None
            except LookupError:
                return None
            beside = {key: item for key, item in value.items() if key != "$ref"}
            value = {**target, **beside} if isinstance(target, dict) and beside else target
        return None

    def _rows(self, operations: list[Operation]) -> list[list[Any]]:
        names = plan_names([_named(operation) for operation in operations])
        return [self._row(name, operation) for name, operation in zip(names, operations, strict=True)]

    def _row(self, name: str, operation: Operation) -> list[Any]:
        body = operation.body
        summary = str(body.get("summary") or "").strip()
        description = str(body.get("description") or operation.item.get("description") or "").strip()
        if not summary:
            summary = description.split("\n", 1)[0][:120] or f"{operation.method.upper()} {operation.path}"
        identifier = body.get("operationId")
        return [
            name,
            operation.method,
            operation.path,
            summary[:300],
            description[:_MAX_TEXT],
            identifier if isinstance(identifier, str) else None,
            body.get("deprecated") is True,
            " ".join(self._keywords(operation)),
        ]

    def _keywords(self, operation: Operation) -> Iterator[str]:
        yield from _strings(operation.body.get("tags"))
        for holder in (operation.item, operation.body):
            parameters = holder.get("parameters")
            for raw in parameters if isinstance(parameters, list) else []:
                parameter = self._resolve(raw)
                if parameter is not None and isinstance(parameter.get("name"), str):
                    yield parameter["name"]


def _part_of(reference: str) -> str:
    """The pointer of the slice that a local reference lies in."""
    tokens = split_fragment(reference[1:])
    return join_pointer(*tokens[: 3 if tokens[:1] == ["components"] else 2])


def _named(operation: Operation) -> Named:
    body = operation.body
    identifier, override = body.get("operationId"), body.get("x-executor-toolPath")
    return Named(
        method=operation.method.lower(),
        path=operation.path,
        operation_id=identifier if isinstance(identifier, str) and identifier else None,
        tag=next(iter(_strings(body.get("tags"))), None),
        override=override.strip() if isinstance(override, str) and override.strip() else None,
    )


def _strings(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _mapping(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


def work(request: JsonObject, content: bytes) -> bytes:
    """What the child process does. The result goes into the file `output`; there is no other answer."""
    root, base = request["root"], request["base"]
    compiled = compile_document(
        content,
        request["name"],
        overrides=request["overrides"],
        root=Path(root) if root else None,
        base=Path(base) if base else None,
    )
    Path(request["output"]).write_bytes(compiled)
    return b""


if __name__ == "__main__":
    sys.exit(serve_child(work))
