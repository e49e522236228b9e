"""The files themselves: which ones, their bytes, and what can be said before any YAML is parsed."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

STDIN = "<stdin>"
LARGEST_FILE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file: its name as the user wrote it, the digest of its bytes, and its text when it is UTF-8."""

    path: str
    digest: str
    text: str = field(default="", repr=False, compare=False)
    lines: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def directory(self) -> Path:
        """What relative paths in this file are relative to."""
        return Path() if self.path == STDIN else Path(self.path).parent

    def line(self, number: int) -> str:
        """The text of a 1-based line without its end; empty beyond the last one."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong with a text as a whole: a code, words, and a 0-based place."""

    code: str
    message: str
    help: str | None = None
    line: int = 0
    column: int = 0
    width: int = 1


# Line breaks for PyYAML but not for editors (U+0085, U+2028, U+2029) would make line numbers lie.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_LINE_END = re.compile("\r\n|\r|\n")
_CONFLICT = re.compile(r"^(<{7}|>{7}|\|{7})( .*)?$", re.MULTILINE)
_ENCRYPTED = (
    (re.compile(r"^\$ANSIBLE_VAULT;", re.MULTILINE), "ansible-vault"),
    (re.compile(r"\Aage-encryption\.org/"), "age"),
    (re.compile(r"\A-----BEGIN (?:AGE ENCRYPTED FILE|PGP MESSAGE)-----"), "age or PGP"),
    (re.compile(r"\bENC\[AES256_GCM,"), "sops"),
)


def shown_path(path: Path) -> str:
    """As messages name it: from the working directory where it is below, so that code hosts find it; else whole."""
    return os.path.relpath(path) if path.is_absolute() and path.is_relative_to(Path.cwd()) else str(path)


def read_text(path: str, data: bytes) -> tuple[SourceFile, Flaw | None]:
    """Decode and look for what makes parsing pointless. The lines are there even when the text is not."""
    digest = hashlib.sha256(data).hexdigest()
    if len(data) > LARGEST_FILE_BYTES:
        return SourceFile(path, digest), Flaw("E101", "file is larger than 4 MiB")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return SourceFile(path, digest), Flaw("E110", "file is UTF-16, not UTF-8", "save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _undecodable(path, digest, data, error)
    source = SourceFile(path, digest, text, tuple(_LINE_END.split(text)))
    return source, _look(source)


def _undecodable(path: str, digest: str, data: bytes, error: UnicodeDecodeError) -> tuple[SourceFile, Flaw]:
    text = data.decode("utf-8-sig", errors="replace")
    before = data[: error.start].decode("utf-8-sig", errors="replace")
    source = SourceFile(path, digest, "", tuple(_LINE_END.split(text)))
    line, column = _place(before, len(before))
    message = f"file is not valid UTF-8 (byte 0x{data[error.start]:02x})"
    return source, Flaw("E110", message, "save it as UTF-8", line, column)


def _place(text: str, offset: int) -> tuple[int, int]:
    """0-based line and column of an offset."""
    before = _LINE_END.split(text[:offset])
    return len(before) - 1, len(before[-1])


def _look(source: SourceFile) -> Flaw | None:
    text = source.text
    if found := _FORBIDDEN.search(text):
        message = f"control character U+{ord(found[0]):04X} is not allowed"
        return Flaw("E110", message, "remove it", *_place(text, found.start()))
    for pattern, tool in _ENCRYPTED:
        if found := pattern.search(text):
            line, column = _place(text, found.start())
            return Flaw(
                "E111", f"file is encrypted ({tool})", "decrypt it first", line, column, len(found[0])
            )
    if found := _CONFLICT.search(text):
        line, column = _place(text, found.start())
        return Flaw("E115", "merge conflict marker", "resolve the conflict", line, column, 7)
    return None
