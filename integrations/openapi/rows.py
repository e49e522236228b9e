"""Catalog rows: what search and lists need of every operation, without its schemas.

A row is [name, method, path, title, description, operationId or None, deprecated, keywords].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from integrations.base import JsonObject
from integrations.naming import Named, plan_names
from integrations.openapi.operations import Operation, resolve
from integrations.openapi.raw import strings

_MAX_TEXT = 2_000
_MAX_TITLE = 300


def make_rows(document: JsonObject, operations: Sequence[Operation]) -> list[list[Any]]:
    names = plan_names([_named(operation) for operation in operations])
    return [_row(document, name, operation) for name, operation in zip(names, operations, strict=True)]


def _row(document: JsonObject, name: str, operation: Operation) -> list[Any]:
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
        " ".join(_keywords(document, operation)),
    ]


def _keywords(document: JsonObject, operation: Operation) -> Iterator[str]:
    yield from strings(operation.body.get("tags"))
    for holder in (operation.item, operation.body):
        parameters = holder.get("parameters")
        for raw in parameters if isinstance(parameters, list) else []:
            parameter = resolve(document, raw)
            if parameter is not None and isinstance(parameter.get("name"), str):
                yield parameter["name"]


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
