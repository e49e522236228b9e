"""From `spec:` of the configuration to a toolset: fetch, compile in a child process, cache by digest."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from integrations.base import JsonObject, SourceError
from integrations.child import run_child
from integrations.http import EgressRules, HttpClient, HttpError, origin_of
from integrations.openapi.doc import Doc
from integrations.openapi.load import MAX_SOURCE_BYTES
from integrations.openapi.redirects import redirected
from integrations.openapi.toolset import OpenApiToolset, make_toolset

_COMPILER = "2"
_FETCH_SECONDS = 30.0
_MAX_REDIRECTS = 5
_ACCEPT = "application/json, application/yaml;q=0.9, text/yaml;q=0.9, */*;q=0.5"


@dataclass(frozen=True, slots=True)
class SpecSource:
    """Where the document is: exactly one of the three."""

    url: str | None = None
    file: Path | None = None
    inline: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class OpenApiOptions:
    """`include`/`exclude`: tool patterns (`repos.*`). `overrides`: RFC 6902. `root`: relative `$ref` files
    lie below.

    `egress_allow` and `headers` are used when the document itself is fetched.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    overrides: tuple[JsonObject, ...] = ()
    root: Path | None = None
    egress_allow: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


async def load_toolset(
    source: SpecSource, options: OpenApiOptions, http: HttpClient, cache_dir: Path | None
) -> OpenApiToolset:
    """Fetch or read the document, compile it (or find it compiled) and pick the tools. Raises
    `SourceError`.
    """
    root = options.root.resolve() if options.root and source.file else None
    if source.file is not None and cache_dir is not None:
        known = await asyncio.to_thread(_cached_file, source.file, options, root, cache_dir)
        if known is not None:
            return make_toolset(*known, None, source.file.name, options.include, options.exclude)
    content, name = await _read(source, options, http)
    key = _digest(hashlib.sha256(content), options, source.file, root)
    doc = await _compiled(content, name, key, source, options, root, cache_dir)
    return make_toolset(doc, key, source.url, name, options.include, options.exclude)


def _cached_file(
    file: Path, options: OpenApiOptions, root: Path | None, cache_dir: Path
) -> tuple[Doc, str] | None:
    """The compiled form of an unchanged file, without ever holding the file in memory."""
    try:
        with file.open("rb") as stream:
            key = _digest(hashlib.file_digest(stream, "sha256"), options, file, root)
    except OSError:
        return None
    doc = _open_cached(cache_dir / f"{key}.openapi", root)
    return None if doc is None else (doc, key)


async def _read(source: SpecSource, options: OpenApiOptions, http: HttpClient) -> tuple[bytes, str]:
    if source.inline is not None:
        return orjson.dumps(source.inline, option=orjson.OPT_NON_STR_KEYS), "inline document"
    if source.file is not None:
        try:
            return await asyncio.to_thread(source.file.read_bytes), source.file.name
        except OSError as error:
            raise SourceError(f"{source.file.name}: {error.strerror or error}") from None
    if source.url is None:
        raise SourceError("`spec` names neither a url, a file nor an inline document")
    return await _fetch(source.url, options, http), source.url.split("?")[0]


async def _fetch(url: str, options: OpenApiOptions, http: HttpClient) -> bytes:
    rules = EgressRules(allow=options.egress_allow, origins=frozenset({origin_of(url)}))
    headers = [("Accept", _ACCEPT), *options.headers]
    here = url
    try:
        for _ in range(_MAX_REDIRECTS + 1):
            response = await http.request(
                "GET", here, headers, None,
                timeout_seconds=_FETCH_SECONDS, max_bytes=MAX_SOURCE_BYTES, allow=rules,
            )  # fmt: skip
            target = redirected(response)
            if target is None:
                break
            if origin_of(target) != origin_of(here):
                headers = headers[:1]
            here = target
    except HttpError as error:
        raise SourceError(f"{url.split('?')[0]}: {error}") from None
    if response.status != 200:
        raise SourceError(f"{url.split('?')[0]}: answered {response.status} instead of a document")
    return response.body


def _digest(content: Any, options: OpenApiOptions, file: Path | None, root: Path | None) -> str:
    """Identifies what is compiled: the bytes, the overrides, the place relative references start from."""
    parts: list[Any] = [_COMPILER, content.hexdigest(), options.overrides]
    if root is not None and file is not None:
        parts.append(os.path.relpath(file.resolve(), root))
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()


async def _compiled(
    content: bytes,
    name: str,
    key: str,
    source: SpecSource,
    options: OpenApiOptions,
    root: Path | None,
    cache_dir: Path | None,
) -> Doc:
    if cache_dir is None:
        with tempfile.TemporaryDirectory(prefix="executor-openapi-") as place:
            target = Path(place) / "document"
            await _compile(content, name, source, options, root, target)
            return Doc.open(target)
    target = cache_dir / f"{key}.openapi"
    cached = _open_cached(target, root)
    if cached is not None:
        return cached
    os.makedirs(cache_dir, mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".compile-", dir=cache_dir) as place:
        fresh = Path(place) / "document"
        await _compile(content, name, source, options, root, fresh)
        fresh.replace(target)
    return Doc.open(target)


def _open_cached(target: Path, root: Path | None) -> Doc | None:
    """A cached document whose external files are still the ones it was made from."""
    try:
        doc = Doc.open(target)
        for name, sha256 in doc.dependencies:
            if root is None or hashlib.sha256((root / name).read_bytes()).hexdigest() != sha256:
                return None
    except (OSError, ValueError, SourceError):
        return None
    return doc


async def _compile(
    content: bytes, name: str, source: SpecSource, options: OpenApiOptions, root: Path | None, output: Path
) -> None:
    request = {
        "overrides": options.overrides,
        "root": str(root) if root else None,
        "base": str(source.file.resolve()) if root and source.file else None,
        "output": str(output),
    }
    await run_child("integrations.openapi.compile", request, content, name)
