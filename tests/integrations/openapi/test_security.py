from __future__ import annotations

from typing import Any

import pytest

from integrations.base import JsonObject
from integrations.openapi.security import bind_security
from tests.integrations.openapi.documents import compiled

SCHEMES: list[tuple[JsonObject, str, str]] = [
    ({"type": "apiKey", "in": "header", "name": "X-Key"}, "header", "X-Key"),
    ({"type": "apiKey", "in": "query", "name": "k"}, "query", "k"),
    ({"type": "apiKey", "in": "cookie", "name": "sid"}, "cookie", "sid"),
    ({"type": "apiKey", "in": "body", "name": "k"}, "unsupported", ""),
    ({"type": "http", "scheme": "BASIC"}, "basic", ""),
    ({"type": "http", "scheme": "Bearer"}, "bearer", ""),
    ({"type": "http", "scheme": "digest"}, "unsupported", ""),
    ({"type": "oauth2", "flows": {}}, "bearer", ""),
    ({"type": "openIdConnect"}, "bearer", ""),
    ({"type": "mutualTLS"}, "unsupported", ""),
]


def doc_with(schemes: JsonObject, security: Any = None) -> Any:
    document: JsonObject = {"openapi": "3.1.0", "info": {}, "paths": {}}
    document["components"] = {"securitySchemes": schemes}
    if security is not None:
        document["security"] = security
    return compiled(document)


@pytest.mark.parametrize(("scheme", "kind", "parameter"), SCHEMES)
def test_schemes(scheme: JsonObject, kind: str, parameter: str) -> None:
    bound = bind_security(doc_with({"s": scheme}), {"security": [{"s": []}]})
    assert bound is not None
    ((one,),) = bound
    assert (one.name, one.kind, one.parameter) == ("s", kind, parameter)


def test_alternatives_of_combinations() -> None:
    doc = doc_with({"a/b": {"type": "http", "scheme": "bearer"}})
    bound = bind_security(doc, {"security": [{"a/b": [], "gone": []}, {}]})
    assert bound is not None
    assert [[(s.name, s.kind) for s in group] for group in bound] == [
        [("a/b", "bearer"), ("gone", "unsupported")],
        [],
    ]


def test_the_operation_replaces_the_document() -> None:
    doc = doc_with({}, [{"a": []}])
    assert bind_security(doc, {"security": []}) == ()
    inherited = bind_security(doc, {})
    assert inherited is not None
    assert inherited[0][0].name == "a"
    assert bind_security(doc_with({}), {}) is None


def test_swagger_definitions() -> None:
    doc = compiled(
        {"swagger": "2.0", "info": {}, "paths": {}, "securityDefinitions": {"b": {"type": "basic"}}}
    )
    bound = bind_security(doc, {"security": [{"b": []}]})
    assert bound is not None
    assert bound[0][0].kind == "basic"
