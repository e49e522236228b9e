from __future__ import annotations

import pytest

from integrations.openapi.path_template import settle_template
from tests.integrations.openapi.documents import operation, problems_of, request_of, toolset_of

CASES: list[tuple[str, list[str], str, list[str]]] = [
    ("/a/{id}", ["id"], "/a/{id}", []),
    ("/a/{id}", [], "/a/{id}", ["id"]),
    ("/a/{userId}/{userId}", ["userid"], "/a/{userid}/{userid}", []),
    ("/a/{userId}", ["userid", "USERID"], "/a/{userId}", ["userId"]),
    ("/a/{id:[0-9]+}", ["id"], "/a/{id}", []),
    ("/a/{*path}/{+more}/{last*}", ["path", "more", "last"], "/a/{*path}/{+more}/{last*}", []),
    ("/a/{*Path}", ["path"], "/a/{*path}", []),
    ("/a/{id}?x={y}#{z}", ["id"], "/a/{id}?x={y}#{z}", []),
    ("/a", ["id"], "/a", []),
]


@pytest.mark.parametrize(("path", "declared", "settled", "undeclared"), CASES)
def test_variables_are_matched_with_parameters(
    path: str, declared: list[str], settled: str, undeclared: list[str]
) -> None:
    found = settle_template(path, declared)
    assert (found.path, list(found.undeclared)) == (settled, undeclared)


def test_what_is_not_declared_as_written_is_a_warning_of_the_document() -> None:
    parameter = {"name": "userid", "in": "path", "required": True, "schema": {"type": "string"}}
    document = operation("/a/{userId}/{tag}", parameters=[parameter])
    assert toolset_of(document).warnings == (
        "test#/paths/~1a~1{userId}~1{tag}/get: no parameter declares `{tag}` of the path: it is taken as text",
        "test#/paths/~1a~1{userId}~1{tag}/get: `{userId}` of the path is taken as the parameter `userid`",
    )
    assert request_of(document, {"userid": 7, "tag": "x y"}).url.endswith("/a/7/x%20y")
    assert "/tag" in problems_of(document, {"userid": 7})
    assert "/tag" in problems_of(document, {"userid": 7, "tag": ".."})
