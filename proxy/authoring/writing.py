"""A config file is written whole or not at all, and only with entries that make no new error."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxy.authoring.draft import Draft
from proxy.authoring.insert import insert
from proxy.authoring.starter import sections_of, starter
from proxy.config import Diagnostic, load_config

_ENTRY = re.compile(r"(?:integrations|connections)\.([A-Za-z_]\w*)")


class Invalid(Exception):
    """The new text has errors that the old one had not."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        super().__init__("; ".join(one.message for one in diagnostics))
        self.diagnostics = diagnostics


def compose(draft: Draft, file: Path, text: str | None) -> str:
    """The text of `file` with the draft in it; without `text` it is a new file. What would be an error is taken out
    of the draft again, and said in `left`. Raises `Invalid`, `CannotInsert`."""
    known = set() if text is None else {_identity(one) for one in errors_of(file, text)}
    while True:
        new = starter(draft) if text is None else insert(text, sections_of(draft))
        wrong = [one for one in errors_of(file, new) if _identity(one) not in known]
        if not wrong:
            return new
        name = next((found[1] for one in wrong if (found := _ENTRY.match(one.path))), None)
        if name is None or name not in draft.integrations:
            raise Invalid(wrong)
        first = next(one for one in wrong if (found := _ENTRY.match(one.path)) and found[1] == name)
        help = f" ({first.help})" if first.help else ""
        draft.without(name, f"left out, {first.code}: {first.message}{help}")


def _identity(found: Diagnostic) -> tuple[str, str, str]:
    return found.code, found.path, found.message


def errors_of(file: Path, text: str) -> list[Diagnostic]:
    """Errors of the text as if it stood in `file`, without the environment."""
    with _beside(file, text) as place:
        loaded = load_config([place], env=None, advice=False)
    return [one for one in loaded.diagnostics if one.severity == "error"]


@contextmanager
def _beside(file: Path, text: str) -> Iterator[Path]:
    """A file in the folder of `file`: relative paths mean the same there."""
    handle, name = tempfile.mkstemp(prefix=".executor-", suffix=".yaml", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(text.encode())
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def create(file: Path, text: str) -> None:
    """Raises `FileExistsError`: what is there is never overwritten."""
    with file.open("xb") as out:
        out.write(text.encode())


def replace(file: Path, text: str) -> None:
    """The whole new content at once, with the mode of the old file, which may be a link."""
    target = Path(os.path.realpath(file))
    handle, name = tempfile.mkstemp(prefix=".executor-", suffix=".yaml", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(text.encode())
        Path(name).chmod(target.stat().st_mode & 0o7777)
        os.replace(name, target)
    finally:
        Path(name).unlink(missing_ok=True)
