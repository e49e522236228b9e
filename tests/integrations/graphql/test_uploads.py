from __future__ import annotations

from typing import Any

import pytest
from graphql import build_schema, introspection_from_schema

from integrations.base import JsonObject
from integrations.graphql.schema import InputValue, read_schema
from integrations.graphql.uploads import files_in, multipart, without_files
from integrations.graphql.values import coerce_arguments

SDL = """
scalar Upload scalar JSON
input Post { title: String files: [Upload!] cover: Upload }
type Query { a: Int }
type Mutation { up(file: Upload, files: [Upload], post: Post, json: JSON): Int }
"""
INTROSPECTION: Any = introspection_from_schema(build_schema(SDL))
SCHEMA = read_schema(INTROSPECTION["__schema"], "x")
ARGUMENTS: tuple[InputValue, ...] = SCHEMA.types["Mutation"].fields["up"].arguments
FILE = {"_tag": "ToolFile", "mimeType": "text/plain", "encoding": "base64", "data": "YQ=="}

PLACES: list[tuple[JsonObject, list[str], JsonObject]] = [
    ({"file": FILE}, ["variables.file"], {"file": None}),
    ({"files": [FILE, None, FILE]}, ["variables.files.0", "variables.files.2"], {"files": [None, None, None]}),
    ({"post": {"title": "t", "files": [FILE], "cover": FILE}},
     ["variables.post.files.0", "variables.post.cover"], {"post": {"title": "t", "files": [None], "cover": None}}),
    ({"json": FILE}, [], {"json": FILE}),
    ({"file": None}, [], {"file": None}),
]  # fmt: skip


@pytest.mark.parametrize(("variables", "paths", "left"), PLACES)
def test_files_are_where_the_schema_has_them(
    variables: JsonObject, paths: list[str], left: JsonObject
) -> None:
    found = [path for path, _ in files_in(SCHEMA, ARGUMENTS, variables)]
    assert sorted(found) == sorted(paths)
    assert without_files(variables, found) == left


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (
            "text",
            'has to be a file, {_tag: "ToolFile", mimeType: "...", encoding: "base64", data: "..."}, not "text"',
        ),
        ({**FILE, "data": "?"}, "is not base64"),
        ({**FILE, "encoding": "hex"}, "a ToolFile needs `encoding: base64` and `data`"),
    ],
)
def test_what_is_no_file_is_refused(value: Any, reason: str) -> None:
    _, problems = coerce_arguments(SCHEMA, ARGUMENTS, {"file": value})
    assert problems[0].pointer == "/file"
    assert problems[0].reason.startswith(reason)


def test_equal_requests_have_equal_bytes() -> None:
    assert multipart(b"{}", b"{}", [FILE]) == multipart(b"{}", b"{}", [FILE])
    with pytest.raises(ValueError, match="control characters"):
        multipart(b"{}", b"{}", [{**FILE, "mimeType": "a\r\nb"}])
