"""From `spec:` of the configuration to a toolset: fetch, compile in a child process, cache by digest.

The cache directory can be removed at any time, and several processes may share it: files are only replaced whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrations.base import JsonObject, SourceError
from integrations.child import run_child
from integrations.files import DOCUMENT, READER
from integrations.http import HttpClient, origin_of
from integrations.json_text import NON_STR_KEYS, read_json, write_json
from integrations.openapi.doc import Doc
from integrations.openapi.fetch import Fetcher
from integrations.openapi.toolset import OpenApiToolset, make_toolset
from integrations.sources import MAX_SOURCE_BYTES

_MAX_ROUNDS = 10
_MAX_REMOTE_FILES = 500
_COMPILE = "integrations.openapi.compile"
_COMPILER = "9"
"""Part of every key, so that a file compiled by another version of the compiler is never opened."""


@dataclass(frozen=True, slots=True)
class SpecSource:
    """Where the document is: exactly one of the three."""

    url: str | None = None
    file: Path | None = None
    inline: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class OpenApiOptions:
    """`include`/`exclude`: tool patterns (`repos.*`). `hide_parameters`: names nobody is asked for.
    `overrides`: RFC 6902. `root`: relative `$ref` files lie below.

    `egress_allow` and `headers` are used when the document itself is fetched.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    overrides: tuple[JsonObject, ...] = ()
    root: Path | None = None
    egress_allow: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    hide_parameters: tuple[str, ...] = ()


def digest_of(*parts: Any) -> str:
    """A key over plain JSON values."""
    return hashlib.sha256(write_json([_COMPILER, *parts])).hexdigest()


@dataclass(frozen=True, slots=True)
class FetchRecord:
    """The last fetch of a URL: the sha256 of its content, where it was found, and headers for a conditional request."""

    sha256: str
    url: str
    validators: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Scratch:
    """A file for one compilation, and the descriptors that the compiler needs to open it."""

    path: Path
    descriptors: tuple[int, ...] = ()


@contextmanager
def _file_in(directory: Path | None) -> Iterator[Scratch]:
    """None: wherever temporary files go."""
    with tempfile.TemporaryDirectory(prefix=".compile-", dir=directory) as scratch:
        yield Scratch(Path(scratch) / "document")


@contextmanager
def _memory_file() -> Iterator[Scratch]:
    """Where no disk can be written, and nothing is kept anyway. What was mapped outlives the descriptor."""
    descriptor = os.memfd_create("document", os.MFD_CLOEXEC)
    try:
        yield Scratch(Path(f"/proc/self/fd/{descriptor}"), (descriptor,))
    finally:
        os.close(descriptor)


class CompiledCache:
    """Compiled documents in one directory, and the last fetches of URLs. Without a directory nothing is kept."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def find(self, key: str) -> Doc | None:
        if self._directory is None:
            return None
        try:
            return Doc.open(self._directory / f"{key}.openapi")
        except (OSError, ValueError, KeyError, SourceError):
            return None

    @contextmanager
    def scratch_file(self) -> Iterator[Scratch]:
        """A file to compile into; `keep` has to be called before the context ends. Raises OSError."""
        if self._directory is None:
            with _memory_file() if hasattr(os, "memfd_create") else _file_in(None) as scratch:
                yield scratch
            return
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        with _file_in(self._directory) as scratch:
            yield scratch

    def keep(self, fresh: Path, key: str) -> Doc:
        """Open what was compiled, after moving it to its place."""
        if self._directory is None:
            return Doc.open(fresh)
        target = self._directory / f"{key}.openapi"
        fresh.replace(target)
        return Doc.open(target)

    def last_fetch(self, key: str) -> FetchRecord | None:
        if self._directory is None:
            return None
        try:
            known = read_json((self._directory / f"{key}.fetched").read_bytes())
            return FetchRecord(
                known["sha256"], known["url"], {str(k): str(v) for k, v in known["validators"].items()}
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def keep_fetch(self, key: str, last: FetchRecord) -> None:
        if self._directory is None or not last.validators:
            return
        with self.scratch_file() as fresh:
            fresh.path.write_bytes(
                write_json({"sha256": last.sha256, "url": last.url, "validators": dict(last.validators)})
            )
            fresh.path.replace(self._directory / f"{key}.fetched")


async def load_toolset(
    source: SpecSource, options: OpenApiOptions, http: HttpClient, cache_dir: Path | None
) -> OpenApiToolset:
    """Fetch or read the document, compile it (or find it compiled) and pick the tools. Raises `SourceError`."""
    cache = CompiledCache(cache_dir)
    found_at: str | None = None
    if source.inline is not None:
        name, (doc, key) = "inline document", await _load_inline(source.inline, options, cache)
    elif source.file is not None:
        name, (doc, key) = source.file.name, await _load_file(source.file, options, cache)
    elif source.url is not None:
        name = source.url.split("?")[0]
        doc, key, found_at = await _Remote(source.url, options, http, cache).load()
    else:
        raise SourceError("`spec` names neither a url, a file nor an inline document")
    return make_toolset(doc, key, found_at, name, options.include, options.exclude, options.hide_parameters)


async def _load_inline(
    document: JsonObject, options: OpenApiOptions, cache: CompiledCache
) -> tuple[Doc, str]:
    content = write_json(document, option=NON_STR_KEYS)
    key = digest_of(hashlib.sha256(content).hexdigest(), options.overrides)
    doc = cache.find(key)
    return doc or await _compile(content, "inline document", key, options, cache, {}), key


async def _load_file(file: Path, options: OpenApiOptions, cache: CompiledCache) -> tuple[Doc, str]:
    try:
        place, root, doc, key = await asyncio.to_thread(_find_file, file, options, cache)
        if doc is not None:
            return doc, key
        content = await asyncio.to_thread(READER.read, file, DOCUMENT)
    except OSError as error:
        raise SourceError(f"{file.name}: {error.strerror or error}") from None
    key = _file_key(hashlib.sha256(content).hexdigest(), place, options, root)
    return await _compile(content, file.name, key, options, cache, _beside(place, root)), key


def _find_file(
    file: Path, options: OpenApiOptions, cache: CompiledCache
) -> tuple[Path, Path | None, Doc | None, str]:
    """File and root without links, the compiled form if the file has not changed, and its key; the file itself is not
    read into memory. Blocks. Raises `OSError` when the file system does not answer."""
    place, *roots = _resolved([file, options.root] if options.root else [file])
    root = roots[0] if roots else None
    key = _file_key(READER.digest(place, DOCUMENT), place, options, root)
    doc = cache.find(key)
    return place, root, doc if doc is not None and _files_are_current(doc, root) else None, key


def _resolved(paths: list[Path]) -> list[Path]:
    found: list[Path] = []
    for one in READER.looks(paths, Path.resolve):
        if isinstance(one, OSError):
            raise one
        found.append(one)
    return found


def _files_are_current(doc: Doc, root: Path | None) -> bool:
    """Are the external files that went into a compiled document the ones that are there now?"""
    if root is None:
        return not doc.dependencies
    now = READER.digests([root / name for name, _ in doc.dependencies], DOCUMENT)
    return now == [sha256 for _, sha256 in doc.dependencies]


def _file_key(sha256: str, file: Path, options: OpenApiOptions, root: Path | None) -> str:
    """The bytes, the overrides, and the place that relative references start from."""
    return digest_of(sha256, options.overrides, os.path.relpath(file, root) if root else None)


def _beside(file: Path, root: Path | None) -> JsonObject:
    """What the compiler has to know to read the files that this one refers to."""
    return {"root": str(root), "base": str(file)} if root else {}


class _Remote:
    """One load of a document from a URL: a conditional request, the files it refers to, compilation."""

    def __init__(self, url: str, options: OpenApiOptions, http: HttpClient, cache: CompiledCache) -> None:
        self._url = url
        self._name = url.split("?")[0]
        self._options = options
        self._cache = cache
        self._fetcher = Fetcher(http, options.egress_allow, options.headers)
        self._files: dict[str, bytes | str] = {}

    async def load(self) -> tuple[Doc, str, str]:
        """The document, its key, and the URL that what is relative in it starts from."""
        place = digest_of(self._url, self._options.headers)
        last = self._cache.last_fetch(place)
        known = self._cache.find(self._key(last)) if last else None
        found = await self._fetcher.document(self._url, last.validators if last and known else {})
        if found.content is None and last and known:
            if await self._files_are_current(known):
                return known, self._key(last), last.url
            found = await self._fetcher.document(self._url, {})
        content = found.content or b""
        last = FetchRecord(hashlib.sha256(content).hexdigest(), self._base(found.url), found.validators)
        self._cache.keep_fetch(place, last)
        key = self._key(last)
        doc = self._cache.find(key)
        if doc is None or not await self._files_are_current(doc):
            request: JsonObject = {"url": last.url, "size": len(content)}
            doc = await _compile(content, self._name, key, self._options, self._cache, request, self)
        return doc, key, last.url

    async def _files_are_current(self, doc: Doc) -> bool:
        await self._fetch([url for url, _ in doc.dependencies])
        return all(_sha256(self._files[url]) == sha256 for url, sha256 in doc.dependencies)

    async def gather(self, wanted: list[str]) -> tuple[list[tuple[str, Any]], bytes]:
        """Fetch what the compiler asks for: the table and the bytes of all files fetched so far."""
        await self._fetch(wanted)
        if sum(map(len, self._files.values())) > MAX_SOURCE_BYTES or len(self._files) > _MAX_REMOTE_FILES:
            raise SourceError(f"{self._name}: refers to too many or too large other documents")
        table = [(url, body if isinstance(body, str) else len(body)) for url, body in self._files.items()]
        return table, b"".join(body for body in self._files.values() if isinstance(body, bytes))

    async def _fetch(self, urls: list[str]) -> None:
        for url in urls[:_MAX_REMOTE_FILES]:
            if url not in self._files:
                try:
                    self._files[url] = await self._fetcher.part(url)
                except SourceError as error:
                    self._files[url] = str(error).removeprefix(f"{url}: ")

    def _key(self, last: FetchRecord) -> str:
        return digest_of(last.sha256, self._options.overrides, last.url)

    def _base(self, found: str) -> str:
        """References are relative to where the document was found (RFC 3986 section 5.1.3), on its own origin."""
        return found if origin_of(found) == origin_of(self._url) else self._url


def _sha256(content: bytes | str) -> str:
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else ""


async def _compile(
    content: bytes,
    name: str,
    key: str,
    options: OpenApiOptions,
    cache: CompiledCache,
    request: JsonObject,
    remote: _Remote | None = None,
) -> Doc:
    table: list[tuple[str, Any]] = []
    parts = b""
    with cache.scratch_file() as fresh:
        for _ in range(_MAX_ROUNDS):
            asked = {**request, "overrides": options.overrides, "output": str(fresh.path), "files": table}
            answer = await run_child(_COMPILE, asked, content + parts, name, fresh.descriptors)
            if not answer:
                return cache.keep(fresh.path, key)
            said = read_json(answer)
            if "unwritable" in said:
                raise OSError(*said["unwritable"])
            if remote is not None:
                table, parts = await remote.gather(said["wanted"])
    raise SourceError(f"{name}: other documents are referred to over more than {_MAX_ROUNDS} levels")
