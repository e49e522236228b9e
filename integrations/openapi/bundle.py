"""External files named by `$ref`, read into the document under `/x-files/<n>`, so that one file holds
everything.

Only relative references to files below the root directory are followed; symbolic links may not lead out of
it. References to other hosts are left as they are, and the operations that need them are disabled with a
warning.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from integrations.base import JsonObject, SourceError
from integrations.openapi.load import parse_source

_MAX_FILES = 2_000


class Bundle:
    """Collects external files. `files` are their trees in order, `dependencies` their (relative path,
    sha256).
    """

    def __init__(self, root: Path, base: Path) -> None:
        self._root = root.resolve()
        self._main = base.resolve()
        self._numbers: dict[Path, int] = {}
        self.files: list[Any] = []
        self.dependencies: list[list[str]] = []
        self.warnings: list[str] = []

    def include(self, document: JsonObject) -> None:
        """Rewrite every relative file reference of the document, reading files as they are met."""
        pending: list[tuple[Any, Path]] = [(document, self._main)]
        while pending:
            tree, place = pending.pop()
            known = len(self.files)
            self._rewrite(tree, place)
            places = {number: path for path, number in self._numbers.items()}
            pending += [(self.files[n], places[n]) for n in range(known, len(self.files))]

    def _rewrite(self, node: Any, place: Path) -> None:
        stack = [node]
        while stack:
            current = stack.pop()
            children = current.values() if isinstance(current, dict) else current
            stack += [child for child in children if isinstance(child, dict | list)]
            if isinstance(current, dict) and isinstance(current.get("$ref"), str):
                current["$ref"] = self._target(current["$ref"], place)

    def _target(self, reference: str, place: Path) -> str:
        name, _, fragment = reference.partition("#")
        if not name:
            number = self._numbers.get(place)
            return reference if number is None else f"#/x-files/{number}{fragment}"
        if "://" in name or name.startswith("//"):
            return reference
        path = (place.parent / unquote(name)).resolve()
        if path == self._main:
            return f"#{fragment}"
        number = self._read(path, reference)
        return reference if number is None else f"#/x-files/{number}{fragment}"

    def _read(self, path: Path, reference: str) -> int | None:
        if path in self._numbers:
            return self._numbers[path]
        try:
            shown = path.relative_to(self._root)
            if len(self.files) >= _MAX_FILES:
                raise SourceError(f"more than {_MAX_FILES} files are referred to")
            source = path.read_bytes()
            tree = parse_source(source, str(shown))
        except ValueError:
            self.warnings.append(f"{reference} is outside the configuration directory and is not read")
            return None
        except (OSError, SourceError) as error:
            self.warnings.append(f"{reference} cannot be read: {error}")
            return None
        number = self._numbers[path] = len(self.files)
        self.files.append(tree)
        self.dependencies.append([str(shown), hashlib.sha256(source).hexdigest()])
        return number
