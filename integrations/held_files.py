"""Small files whose content is held: looked at again at every use, and read again when they were replaced.

Who asks may be the event loop, so it waits only for a moment. A file that does not answer in it keeps the content that
was read last, until it does; what was never read is an error then.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from integrations.files import (
    CERTIFICATES,
    READER,
    FileKind,
    FileReader,
    Reading,
    UnreadableFile,
    read_chunks,
)

# The longest that the event loop waits: once for a file, and then not before the file has answered again.
_LOOP_SECONDS: Final = 0.05
# The same for a file that was never read: without it there is nothing to go on with.
_FIRST_SECONDS: Final = 1.0

Stamp = tuple[int, int, int]
"""Inode, size and modification time."""


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file's content and what it looked like when it was read."""

    stamp: Stamp
    content: bytes


class HeldFiles:
    """One for each owner. `get` may be called in any thread: what two find out at once is the same."""

    def __init__(self, kind: FileKind, reader: FileReader = READER) -> None:
        self._kind = kind
        self._reader = reader
        self._held: dict[Path, HeldFile] = {}
        self._late: dict[Path, Reading[HeldFile]] = {}

    def get(self, path: Path) -> HeldFile:
        """The file as it is now, or as it was when it answered last. Raises `OSError`."""
        late = self._late.get(path)
        if late is not None and not late.finished.is_set():
            self._reader.overdue(late)
            return self._last(path)
        self._late.pop(path, None)
        (result,) = (late.results if late is not None else []) or self._look(path)
        if isinstance(result, OSError):
            self._held.pop(path, None)
            raise result
        self._held[path] = result
        return result

    def _look(self, path: Path) -> list[HeldFile | OSError]:
        held = self._held.get(path)

        def look(file: Path, reading: Reading[HeldFile]) -> HeldFile:
            found = os.stat(file)
            stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
            if held is not None and held.stamp == stamp:
                return held
            return HeldFile(stamp, read_chunks(file, self._kind, reading))

        if path in self._reader.stuck:
            return [self._last(path)]
        reading = self._reader.begin([path], look)
        if not in_event_loop():
            return self._reader.outcome(reading)
        if reading.finished.wait(_FIRST_SECONDS if held is None else _LOOP_SECONDS):
            return self._reader.outcome(reading)
        self._late[path] = reading
        return [self._last(path)]

    def _last(self, path: Path) -> HeldFile:
        held = self._held.get(path)
        if held is None:
            raise UnreadableFile("stuck", "does not answer")
        return held


PEM_FILES: Final = HeldFiles(CERTIFICATES)
"""The certificates of every connection of the process."""


@contextmanager
def pem_file(content: bytes) -> Iterator[str]:
    """OpenSSL wants a path: one into memory, which only this process can open and which ends with the block."""
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def in_event_loop() -> bool:
    """Whether an event loop runs in this thread, which must not be held up."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
