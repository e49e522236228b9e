"""From `endpoint`, `introspection` and `documents` of the configuration to a toolset."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from integrations.base import Credential, JsonObject, SourceError
from integrations.child import run_child
from integrations.files import DOCUMENT, READER
from integrations.graphql.introspection import ask_schema, schema_in_file
from integrations.graphql.operations import NamedOperation, operation_from
from integrations.graphql.pruning import pruned
from integrations.graphql.schema import GraphQlSchema, read_schema
from integrations.graphql.toolset import GraphQlToolset, make_toolset
from integrations.http import HttpClient
from integrations.json_text import read_json, write_json
from integrations.sources import gc_paused

_CONVERTER = "4"
_CHILD = "integrations.graphql.convert"


@dataclass(frozen=True, slots=True)
class SchemaSource:
    """Where the schema is: `file` (introspection JSON or SDL), else the endpoint is asked."""

    endpoint: str
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class GraphQlOptions:
    """`include`/`exclude`: tool patterns (`query.*`). `documents`: files with named operations, in order.

    `depth` and `fields` bound the default selection. `headers` and `egress_allow` are used for introspection.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    documents: tuple[Path, ...] = ()
    depth: int = 2
    fields: int = 40
    headers: tuple[tuple[str, str], ...] = ()
    egress_allow: tuple[str, ...] = ()


async def load_toolset(
    source: SchemaSource,
    options: GraphQlOptions,
    http: HttpClient,
    credential: Callable[[], Awaitable[Credential]] | None,
    cache_dir: Path | None,
) -> GraphQlToolset:
    """Read or ask for the schema, check the named operations, pick the tools. Raises `SourceError`.

    What `credential` raises passes through. With a schema from a file, an operation that does not fit it is an
    error; with a live one it is left out with a warning, since the upstream may change at any time.
    """
    name = source.file.name if source.file is not None else source.endpoint.split("?")[0]
    raw = await _schema_of(source, name, options, http, credential, cache_dir)
    files = [await asyncio.to_thread(_document, path) for path in options.documents]
    content, schema, left_out = await asyncio.to_thread(_read_schema, raw, name)
    del raw
    operations, warnings = await _operations(content, files, name, strict=source.file is not None)
    warnings = [*left_out, *warnings]
    digest = hashlib.sha256(content + write_json([_CONVERTER, files])).hexdigest()
    del content
    # The parser of `select` takes a tenth of a second to import: here, not in the first call.
    await asyncio.to_thread(import_module, "integrations.graphql.parsing")
    return _made(schema, digest, name, operations, warnings, options)


def _read_schema(raw: JsonObject, name: str) -> tuple[bytes, GraphQlSchema, list[str]]:
    """The schema, its text without the wrapping it came in (so that equal schemas have equal texts), and what was
    left out.
    """
    with gc_paused():
        whole, left_out = pruned(raw, name)
        try:
            schema = read_schema(whole, name)
        except SourceError as error:
            raise SourceError(f"{error} ({left_out[0]})" if left_out else str(error)) from None
    if not schema.query:
        raise SourceError(f"{name}: the schema has no query type")
    return write_json({"__schema": whole}), schema, left_out


def _made(
    schema: GraphQlSchema,
    digest: str,
    name: str,
    operations: list[NamedOperation],
    warnings: list[str],
    options: GraphQlOptions,
) -> GraphQlToolset:
    return make_toolset(
        schema, digest, name, operations,
        include=options.include, exclude=options.exclude,
        depth=options.depth, fields=options.fields, warnings=warnings,
    )  # fmt: skip


async def _schema_of(
    source: SchemaSource,
    name: str,
    options: GraphQlOptions,
    http: HttpClient,
    credential: Callable[[], Awaitable[Credential]] | None,
    cache_dir: Path | None,
) -> JsonObject:
    if source.file is None:
        resolved = await credential() if credential is not None else Credential()
        return await ask_schema(
            source.endpoint, http, resolved, headers=dict(options.headers), egress_allow=options.egress_allow
        )
    content = await asyncio.to_thread(_read, source.file)
    found = await asyncio.to_thread(schema_in_file, content, name)
    if found is None:
        found = schema_in_file(await _converted(content, name, cache_dir), name)
    assert found is not None, "the converter answers with JSON"
    return found


def _read(path: Path) -> bytes:
    try:
        return READER.read(path, DOCUMENT)
    except OSError as error:
        raise SourceError(f"{path.name}: {error.strerror or error}") from None


def _document(path: Path) -> tuple[str, str]:
    try:
        return path.name, _read(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError(f"{path.name}: is not UTF-8 text") from None


async def _converted(content: bytes, name: str, cache_dir: Path | None) -> bytes:
    """SDL as introspection JSON, converted once per content."""
    if cache_dir is None:
        return await run_child(_CHILD, {"work": "schema"}, content, name)
    target = cache_dir / f"{hashlib.sha256(_CONVERTER.encode() + content).hexdigest()}.graphql.json"
    try:
        return await asyncio.to_thread(target.read_bytes)
    except OSError:
        pass
    converted = await run_child(_CHILD, {"work": "schema"}, content, name)
    await asyncio.to_thread(_keep, target, converted)
    return converted


def _keep(target: Path, content: bytes) -> None:
    """Write to a temporary file and rename it, so that nobody reads half a file."""
    os.makedirs(target.parent, mode=0o700, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".convert-", delete=False) as file:
        file.write(content)
    os.replace(file.name, target)


async def _operations(
    content: bytes, files: list[tuple[str, str]], name: str, *, strict: bool
) -> tuple[list[NamedOperation], list[str]]:
    if not files:
        return [], []
    said = read_json(await run_child(_CHILD, {"work": "operations", "files": files}, content, name))
    if strict and said["refused"]:
        raise SourceError("; ".join(said["refused"][:3]))
    return list(map(operation_from, said["operations"])), [*said["refused"], *said["ignored"]]
