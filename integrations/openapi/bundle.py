"""External files named by `$ref`, read into the document under `/x-files/<n>`, so that one file holds everything.

A document from a file may refer to files below the root directory (symbolic links may not lead out of it), a
document from a URL to URLs of its own origin. Any other reference is left as it is, and the operations that
need it are disabled with a warning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from integrations.base import JsonObject, SourceError
from integrations.files import DOCUMENT, READER
from integrations.openapi.load import parse_source

_MAX_FILES = 2_000


class NotFetched(Exception):
    """The file is allowed but was not fetched yet, which the parent process has to do."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place


class Library(Protocol):
    """Where the other files of one document are. A place is what `locate` returns: a text unique to a file."""

    main: str

    def locate(self, name: str, place: str) -> str:
        """The place of a reference without its fragment, seen from another place. Raises `SourceError`."""
        ...

    def read(self, place: str) -> bytes:
        """Raises `SourceError`, `NotFetched`."""
        ...

    def shown(self, place: str) -> str:
        """The place as it is shown to people."""
        ...


class Files:
    """Files below a directory; places are resolved paths."""

    def __init__(self, root: Path, base: Path) -> None:
        self._root = root.resolve()
        self.main = str(base.resolve())

    def locate(self, name: str, place: str) -> str:
        if "://" in name or name.startswith("//"):
            raise SourceError("is another host's, and only files are read for a document from a file")
        try:
            path = READER.look(Path(place).parent / unquote(name), Path.resolve)
        except OSError as error:
            raise SourceError(f"cannot be read: {error.strerror or error}") from None
        if not path.is_relative_to(self._root):
            raise SourceError("is outside the configuration directory and is not read")
        return str(path)

    def read(self, place: str) -> bytes:
        try:
            return READER.read(Path(place), DOCUMENT)
        except OSError as error:
            raise SourceError(error.strerror or type(error).__name__) from None

    def shown(self, place: str) -> str:
        return str(Path(place).relative_to(self._root))


class Fetched:
    """URLs of one origin, as far as they were fetched: their bytes, or a text that says why there are none."""

    def __init__(self, url: str, contents: Mapping[str, bytes | str]) -> None:
        self.main = urldefrag(url).url
        self._contents = contents

    def locate(self, name: str, place: str) -> str:
        url = urldefrag(urljoin(place, name)).url
        here, there = urlsplit(self.main), urlsplit(url)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise SourceError("is of another origin than the document and is not fetched")
        return url

    def read(self, place: str) -> bytes:
        content = self._contents.get(place)
        if content is None:
            raise NotFetched(place)
        if isinstance(content, str):
            raise SourceError(content)
        return content

    def shown(self, place: str) -> str:
        return place


class Bundle:
    """Collects external files. `files` are their trees in order, `dependencies` their (shown place, sha256).

    `reasons` tells why a reference was left as it is; `wanted` are the places that have to be fetched.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._numbers: dict[str, int] = {}
        self.files: list[Any] = []
        self.dependencies: list[list[str]] = []
        self.reasons: dict[str, str] = {}
        self.wanted: list[str] = []

    def include(self, document: JsonObject) -> None:
        """Rewrite every reference to another file, reading files as they are met."""
        pending: list[tuple[Any, str]] = [(document, self._library.main)]
        while pending:
            tree, place = pending.pop()
            known = len(self.files)
            self._rewrite(tree, place)
            places = {number: path for path, number in self._numbers.items()}
            pending += [(self.files[n], places[n]) for n in range(known, len(self.files))]

    def shown(self, reference: str) -> str:
        """A rewritten reference as the document has it: `#/x-files/0/Pet` is `pets.yaml#/Pet`."""
        head, _, rest = reference.removeprefix("#/x-files/").partition("/")
        if not reference.startswith("#/x-files/") or not head.isdecimal():
            return reference
        return f"{self.dependencies[int(head)][0]}#/{rest}" if int(head) < len(self.files) else reference

    def _rewrite(self, node: Any, place: str) -> None:
        stack = [node]
        while stack:
            current = stack.pop()
            children = current.values() if isinstance(current, dict) else current
            stack += [child for child in children if isinstance(child, dict | list)]
            if isinstance(current, dict) and isinstance(current.get("$ref"), str):
                current["$ref"] = self._target(current["$ref"], place)

    def _target(self, reference: str, place: str) -> str:
        name, _, fragment = reference.partition("#")
        if not name:
            number = self._numbers.get(place)
            return reference if number is None else f"#/x-files/{number}{fragment}"
        try:
            there = self._library.locate(name, place)
            if there == self._library.main:
                return f"#{fragment}"
            return f"#/x-files/{self._number(there)}{fragment}"
        except NotFetched as missing:
            self.wanted.append(missing.place)
        except (SourceError, ValueError) as error:
            self.reasons[reference] = str(error)
        return reference

    def _number(self, place: str) -> int:
        if place in self._numbers:
            return self._numbers[place]
        if len(self.files) >= _MAX_FILES:
            raise SourceError(f"is one of more than {_MAX_FILES} files")
        shown = self._library.shown(place)
        try:
            source = self._library.read(place)
        except SourceError as error:
            raise SourceError(f"cannot be read: {error}") from None
        tree = parse_source(source, shown)
        number = self._numbers[place] = len(self.files)
        self.files.append(tree)
        self.dependencies.append([shown, hashlib.sha256(source).hexdigest()])
        return number
