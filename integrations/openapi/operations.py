"""The operations of a document tree, without those that reach a broken reference, and their catalog rows.

A broken reference disables the operations that need it, never the document. Catalog rows hold what search and lists
need of an operation, without its schemas: [name, method, path, title, description, operationId or None, deprecated,
keywords].
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.base import JsonObject, SourceError
from integrations.naming import Named, plan_names
from integrations.openapi.path_template import settle_template
from integrations.openapi.pointer import join_pointer, mapping, split_fragment, strings, walk
from integrations.openapi.trim import trim

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_MAX_OPERATIONS = 50_000
_MAX_CHAIN = 32
# RFC 9110 section 5.6.2: a token.
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(slots=True)
class Operation:
    """One operation as found: where it is and what the catalog needs of it."""

    path: str
    method: str
    body: JsonObject
    item: JsonObject

    @property
    def place(self) -> str:
        return f"#/paths{join_pointer(self.path, self.method)}"


@dataclass(slots=True)
class References:
    """Every `$ref` of a document: `of_part` by the pointer of the slice it stands in.

    `reason_of` tells why a reference to another file was not followed (None: unknown), `shown` how the document spells
    a reference.
    """

    document: JsonObject
    of_part: Mapping[str, set[str]]
    reason_of: Callable[[str], str | None]
    shown: Callable[[str], str]

    def broken(self) -> dict[str, str]:
        """Reference -> why it leads nowhere. Each distinct reference is looked up once."""
        every = set().union(*self.of_part.values()) if self.of_part else set()
        return {one: reason for one in every if (reason := self._reason(one)) is not None}

    def _reason(self, reference: str) -> str | None:
        if not reference.startswith("#"):
            return self.reason_of(reference) or "is outside of the document"
        try:
            walk(self.document, split_fragment(reference[1:]))
        except LookupError:
            return "does not exist"
        return None

    def why_not(self, operation: Operation, broken: Mapping[str, str]) -> str | None:
        """A sentence about a broken reference that the operation reaches, directly or through components, or None."""
        direct: set[str] = set()
        trim(operation.body, direct)
        trim([operation.item.get("parameters") or []], direct)
        origin = dict.fromkeys(direct, "")
        pending = list(direct)
        while pending:
            reference = pending.pop()
            if reference in broken:
                by = origin[reference]
                through = f" (referred to by {self.shown('#' + by)})" if by else ""
                return f"left out: {self.shown(reference)} {broken[reference]}{through}"
            part = _part_of(reference)
            new = self.of_part.get(part, set()) - origin.keys()
            origin.update(dict.fromkeys(new, part))
            pending += new
        return None


def _part_of(reference: str) -> str:
    """The pointer of the slice that a local reference lies in."""
    tokens = split_fragment(reference[1:])
    return join_pointer(*tokens[: 3 if tokens[:1] == ["components"] else 2])


def find_operations(document: JsonObject, warn: Callable[[str], None]) -> list[Operation]:
    """All operations in document order. Raises `SourceError` when there are too many."""
    found = list(_operations(document, warn))
    if len(found) > _MAX_OPERATIONS:
        raise SourceError(f"more than {_MAX_OPERATIONS} operations")
    return found


def _operations(document: JsonObject, warn: Callable[[str], None]) -> Iterator[Operation]:
    for path, raw in mapping(document.get("paths")).items():
        if not path.startswith("/") and path.startswith("x-"):
            continue
        item = resolve(document, raw)
        if item is None:
            warn(f"#/paths{join_pointer(path)}: the path item cannot be read")
            continue
        for method in METHODS:
            if isinstance(item.get(method), dict):
                yield Operation(path, method, item[method], item)
        for method, body in mapping(item.get("additionalOperations")).items():
            if not isinstance(body, dict):
                continue
            if _METHOD.fullmatch(method):
                yield Operation(path, method, body, item)
            else:
                warn(f"#/paths{join_pointer(path)}: left out: {method!r} is no HTTP method")


def sound_operations(
    found: list[Operation], references: References, warn: Callable[[str], None]
) -> list[Operation]:
    """The operations without those that reach a broken reference; each of these is a warning."""
    broken = references.broken()
    if not broken:
        return found
    sound: list[Operation] = []
    for operation in found:
        reason = references.why_not(operation, broken)
        if reason is None:
            sound.append(operation)
        else:
            warn(f"{operation.place}: {reason}")
    return sound


def warn_of_paths(document: JsonObject, operations: Sequence[Operation], warn: Callable[[str], None]) -> None:
    """Variables and parameters of paths that do not fit each other."""
    for operation in operations:
        declared = [one["name"] for one in _parameters(document, operation) if one.get("in") == "path"]
        if declared or "{" in operation.path:
            for sentence in settle_template(operation.path, declared).warnings():
                warn(f"{operation.place}: {sentence}")


def _parameters(document: JsonObject, operation: Operation) -> Iterator[JsonObject]:
    """Those of the path item and of the operation that have a name."""
    for holder in (operation.item, operation.body):
        listed = holder.get("parameters")
        for raw in listed if isinstance(listed, list) else []:
            parameter = resolve(document, raw)
            if parameter is not None and isinstance(parameter.get("name"), str):
                yield parameter


def resolve(document: JsonObject, value: Any) -> JsonObject | None:
    """The mapping behind any chain of local references, siblings kept; None when there is none."""
    for _ in range(_MAX_CHAIN):
        if not isinstance(value, dict):
            return None
        reference = value.get("$ref")
        if not isinstance(reference, str):
            return value
        try:
            target = walk(document, split_fragment(reference[1:])) if reference[:1] == "#" else None
        except LookupError:
            return None
        beside = {key: item for key, item in value.items() if key != "$ref"}
        value = {**target, **beside} if isinstance(target, dict) and beside else target
    return None


_MAX_TEXT = 2_000
_MAX_TITLE = 300


def make_rows(operations: Sequence[Operation], keywords: Callable[[Operation], str]) -> list[list[Any]]:
    names = plan_names([_named(operation) for operation in operations])
    return [
        _row(name, operation, keywords(operation)) for name, operation in zip(names, operations, strict=True)
    ]


def _row(name: str, operation: Operation, keywords: str) -> list[Any]:
    body = operation.body
    title = str(body.get("summary") or "").strip()
    description = str(body.get("description") or operation.item.get("description") or "").strip()
    if not title:
        title = description.split("\n", 1)[0][:120] or f"{operation.method.upper()} {operation.path}"
    identifier = body.get("operationId")
    return [
        name,
        operation.method,
        operation.path,
        title[:_MAX_TITLE],
        description[:_MAX_TEXT],
        identifier if isinstance(identifier, str) else None,
        body.get("deprecated") is True,
        keywords,
    ]


def _named(operation: Operation) -> Named:
    body = operation.body
    identifier, override = body.get("operationId"), body.get("x-executor-toolPath")
    return Named(
        method=operation.method.lower(),
        path=operation.path,
        operation_id=identifier if isinstance(identifier, str) and identifier else None,
        tag=next(iter(strings(body.get("tags"))), None),
        override=override.strip() if isinstance(override, str) and override.strip() else None,
    )
