"""File uploads: the multipart request of the GraphQL community (github.com/jaydenseric/graphql-multipart-request-spec).

A value of the scalar `Upload` is a `ToolFile`. The request then has the parts `operations` (with null where a file
goes), `map` (which part goes where) and one part for each file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from integrations.base import JsonObject
from integrations.graphql.schema import GraphQlSchema, InputValue
from integrations.http.toolfile import file_bytes, is_tool_file

UPLOAD = "Upload"
# Servers that fear cross-site requests take a multipart request only with such a header (Apollo Server 4).
PREFLIGHT = ("Apollo-Require-Preflight", "true")


def files_in(
    schema: GraphQlSchema, declared: Iterable[InputValue], values: JsonObject, path: str = "variables"
) -> Iterator[tuple[str, JsonObject]]:
    """Every file that stands where the schema has an `Upload`, with its path as the map has it."""
    for value in declared:
        if value.name in values:
            yield from _files_of(schema, value.type, values[value.name], f"{path}.{value.name}")


def _files_of(
    schema: GraphQlSchema, reference: str, value: Any, path: str
) -> Iterator[tuple[str, JsonObject]]:
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _files_of(schema, reference, inner, f"{path}.{index}")
        return
    found = schema.named(reference)
    if found.name == UPLOAD and is_tool_file(value):
        yield path, value
    elif found.kind == "INPUT_OBJECT" and isinstance(value, dict):
        yield from files_in(schema, found.inputs.values(), value, path)


def without_files(variables: JsonObject, paths: Iterable[str]) -> JsonObject:
    """The same with null in place of the files."""
    taken = frozenset(paths)

    def copied(value: Any, path: str) -> Any:
        if path in taken:
            return None
        if isinstance(value, dict):
            return {name: copied(inner, f"{path}.{name}") for name, inner in value.items()}
        if isinstance(value, list):
            return [copied(inner, f"{path}.{index}") for index, inner in enumerate(value)]
        return value

    out: JsonObject = copied(variables, "variables")
    return out


def multipart(operations: bytes, mapping: bytes, files: list[JsonObject]) -> tuple[str, bytes]:
    """Content-Type and body. Raises ValueError for a file whose data is no base64."""
    parts = [_part("operations", operations, "application/json"), _part("map", mapping, "application/json")]
    for index, file in enumerate(files):
        kind = str(file.get("mimeType") or "application/octet-stream")
        parts.append(_part(str(index), file_bytes(file), kind, str(file.get("name") or "file")))
    digest = hashlib.sha256(b"".join(parts)).hexdigest()[:32]
    boundary = f"executor-{digest}"
    mark = f"--{boundary}\r\n".encode()
    body = b"".join(mark + part for part in parts) + f"--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


def _part(name: str, content: bytes, kind: str, filename: str = "") -> bytes:
    if any(ord(character) < 32 or ord(character) == 127 for character in kind):
        raise ValueError("a media type cannot hold control characters")
    safe = "".join(c if c >= " " and c != '"' else "_" for c in filename)
    disposition = f'form-data; name="{name}"' + (f'; filename="{safe}"' if safe else "")
    return f"Content-Disposition: {disposition}\r\nContent-Type: {kind}\r\n\r\n".encode() + content + b"\r\n"
