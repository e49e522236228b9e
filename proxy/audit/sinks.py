"""Where lines go: a file that one process appends to, or a stream. Called from one thread.

A failed write must leave the file as if it had not been tried, because the next line names the digest of the last one
that is there.
"""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from typing import IO, Any, Final, Protocol

from integrations.json_text import read_json
from proxy.audit.chain import Chain, digest_of

_BLOCK: Final = 65_536


class AuditError(Exception):
    """The sink cannot be used; the text says why, and what to do."""


class Sink(Protocol):
    """Takes whole lines."""

    def chain(self) -> Chain:
        """The chain to go on with."""
        ...

    def write(self, lines: bytes) -> None:
        """All or nothing. Raises `OSError`."""
        ...

    def close(self) -> None: ...


class StreamSink:
    """A binary stream such as stdout. A chain of its own begins with each start."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def chain(self) -> Chain:
        return Chain()

    def write(self, lines: bytes) -> None:
        self._stream.write(lines)
        self._stream.flush()

    def close(self) -> None:
        """The stream is not ours."""


class FileSink:
    """A file, made with mode 0600 if there is none. Its chain goes on over restarts, and over rotation by renaming.

    Raises `AuditError` when it cannot be opened, or another process writes to it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _opened(path)
        try:
            self._chain = _continued(self._file, path)
        except BaseException:
            os.close(self._file)
            raise

    def chain(self) -> Chain:
        return self._chain

    def write(self, lines: bytes) -> None:
        if self._rotated():
            file = _opened(self._path)
            os.close(self._file)
            self._file = file
        size = os.fstat(self._file).st_size
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.ftruncate(self._file, size)
            raise

    def close(self) -> None:
        os.fsync(self._file)
        os.close(self._file)

    def _rotated(self) -> bool:
        ours = os.fstat(self._file)
        try:
            theirs = self._path.stat()
        except FileNotFoundError:
            return True
        return (ours.st_dev, ours.st_ino) != (theirs.st_dev, theirs.st_ino)


def _opened(path: Path) -> int:
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise AuditError(
            f"The audit file {path} cannot be opened: {error.strerror}. Its directory must exist and be writable."
        ) from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise AuditError(
            f"The audit file {path} is no regular file: a pipe or device can hold up everything written."
        )
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        raise AuditError(
            f"The audit file {path} is written by another process. Give each server a file of its own."
        ) from error
    return file


def _continued(file: int, path: Path) -> Chain:
    """The chain as the end of the file says. A line that a crash cut short is ended and stays in the chain."""
    tail = _last_lines(file)
    if not tail:
        return Chain()
    whole, last = [_number(line) for line in tail], tail[-1]
    if not _ends_whole(file):
        os.write(file, b"\n")
    numbers = [number for number in whole if number is not None]
    if not numbers:
        raise AuditError(
            f"The audit file {path} does not end with lines of an audit trail. Name another file, or move it away."
        )
    return Chain(digest_of(last), numbers[-1] + 1)


def _number(line: bytes) -> int | None:
    try:
        record: Any = read_json(line)
    except ValueError:
        return None
    number = record.get("seq") if isinstance(record, dict) else None
    return number if type(number) is int else None


def _ends_whole(file: int) -> bool:
    return os.pread(file, 1, os.fstat(file).st_size - 1) == b"\n"


def _last_lines(file: int) -> list[bytes]:
    """The last two lines, whether or not the last one has its newline; none of an empty file."""
    size = os.fstat(file).st_size
    tail = b""
    while size > 0 and tail.rstrip(b"\n").count(b"\n") < 2:
        step = min(_BLOCK, size)
        size -= step
        tail = os.pread(file, step, size) + tail
    return [line for line in tail.split(b"\n") if line][-2:]
