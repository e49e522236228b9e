from __future__ import annotations

import json
from pathlib import Path

import pytest

from integrations.base import JsonObject
from tools.own_examples import examine, examples_of, kind_of

MEDIA = {
    "schema": {"type": "object", "additionalProperties": False, "properties": {"a": {"type": "string"}}},
    "examples": {"fits": {"$ref": "#/components/examples/A"}, "not": {"value": {"b": 1}}},
}
DOCUMENT: JsonObject = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "components": {"examples": {"A": {"value": {"a": "x"}}}},
    "paths": {"/x": {"post": {"requestBody": {"content": {"application/json": MEDIA}}}}},
}
SWAGGER: JsonObject = {
    "swagger": "2.0",
    "paths": {"/x": {"post": {"parameters": [{"in": "body", "schema": {"example": {"a": 1}}}]}}},
}


def test_examples_stand_beside_the_schema_or_in_it() -> None:
    assert list(examples_of(DOCUMENT, "/x", "POST", "application/json")) == [{"a": "x"}, {"b": 1}]
    assert list(examples_of(SWAGGER, "/x", "POST", "application/json")) == [{"a": 1}]
    assert list(examples_of(DOCUMENT, "/y", "POST", "application/json")) == []


@pytest.mark.parametrize(("validate", "refused"), [("lenient", ["closed"]), ("off", [])])
def test_refused_examples_are_counted_by_kind(tmp_path: Path, validate: str, refused: list[str]) -> None:
    file = tmp_path / "document.json"
    file.write_text(json.dumps(DOCUMENT))
    report = examine(file, validate)
    assert (report.examples, [kind for kind, _ in report.refused]) == (2, refused)


def test_kinds_follow_the_reason() -> None:
    assert kind_of("has to be a string, not null; leave it out if you do not need it") == "null"
    assert kind_of("something else") == "other"
