"""Security requirements of an operation: which schemes, in which combinations."""

from __future__ import annotations

from typing import Any

from integrations.base import JsonObject
from integrations.openapi.binding import Scheme
from integrations.openapi.doc import BrokenReference, Doc
from integrations.openapi.raw import mapping


def bind_security(doc: Doc, operation: JsonObject) -> tuple[tuple[Scheme, ...], ...] | None:
    """The operation's `security` replaces the document's; an unknown scheme cannot be satisfied."""
    declared = operation.get("security", doc.root.get("security"))
    if not isinstance(declared, list):
        return None
    alternatives = [entry for entry in declared if isinstance(entry, dict)]
    return tuple(tuple(_scheme(doc, name) for name in entry) for entry in alternatives)


def _scheme(doc: Doc, name: str) -> Scheme:
    raw: Any
    try:
        if doc.version == "2.0":
            raw = mapping(doc.root.get("securityDefinitions")).get(name)
        else:
            raw = doc.deref(
                {"$ref": f"#/components/securitySchemes/{name.replace('~', '~0').replace('/', '~1')}"}
            )
    except BrokenReference:
        raw = None
    return _presented(name, mapping(raw))


def _presented(name: str, raw: JsonObject) -> Scheme:
    kind = raw.get("type")
    if (
        kind == "apiKey"
        and raw.get("in") in ("header", "query", "cookie")
        and isinstance(raw.get("name"), str)
    ):
        return Scheme(name, raw["in"], raw["name"])
    if kind == "basic" or (kind == "http" and str(raw.get("scheme", "")).lower() == "basic"):
        return Scheme(name, "basic")
    if kind in ("oauth2", "openIdConnect") or (kind == "http" and str(raw.get("scheme")).lower() == "bearer"):
        return Scheme(name, "bearer")
    return Scheme(name, "unsupported")
