"""Files that a config names, read by one reader: secrets, documents, schemas, certificates, the config itself.

Rules
- Regular files only: a FIFO, a device or a socket may never end, and opening one may have an effect. They are looked
  at before they are opened, and opened with O_NONBLOCK all the same.
- Every kind has a largest size. What grows while it is read is refused at that size.
- Nothing is read in the thread that asks. It waits for as long as the read goes on, but never longer than
  `stall_seconds` without progress, and `longest_seconds` for one file.
- A thread that hangs in a read (a mount whose server is gone) cannot be ended. It is given up: logged, counted, and
  no obstacle to the end of the process. The file is not read again before the thread has come back, and when
  `max_stuck` threads hang all reads are refused at once, until one of them does.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar

from integrations.logs import with_fields
from integrations.sources import MAX_SOURCE_BYTES

log = logging.getLogger("executor.files")
T = TypeVar("T")
_MIB: Final = 1024 * 1024
# So much is made room for before each read.
_CHUNK: Final = 1 << 17
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
FileTrouble = Literal["irregular", "too_large", "stuck", "busy"]
_ERRNO: Final[dict[FileTrouble, int]] = {
    "irregular": errno.EINVAL,
    "too_large": errno.EFBIG,
    "stuck": errno.ETIMEDOUT,
    "busy": errno.EAGAIN,
}
_KINDS: Final = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a file is read for, and how large it may be."""

    name: str
    max_bytes: int


SECRET: Final = FileKind("a secret", _MIB)
CONFIG: Final = FileKind("a config file", 16 * _MIB)
CERTIFICATES: Final = FileKind("certificates", 16 * _MIB)
DOCUMENT: Final = FileKind("a document", MAX_SOURCE_BYTES)


class UnreadableFile(OSError):
    """A file that is not read, though it may be there. `strerror` is a half sentence: "is a FIFO, ..."."""

    def __init__(self, trouble: FileTrouble, text: str) -> None:
        super().__init__(_ERRNO[trouble], text)
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class FileLimits:
    """See the module text. `threads` is how many read at the same time, those that hang not counted."""

    stall_seconds: float = 2.0
    longest_seconds: float = 30.0
    threads: int = 4
    max_stuck: int = 16


class Reading(Generic[T]):
    """Work on files, one after the other, in a thread of the reader. `results` grow; an `OSError` is one too."""

    def __init__(self, paths: Sequence[Path], work: Callable[[Path, Reading[T]], T]) -> None:
        self.paths = paths
        self.results: list[T | OSError] = []
        self.defect: Exception | None = None
        self.finished = threading.Event()
        self.asked_at = self.item_at = self.moved_at = time.monotonic()
        self.begun = False
        self.given_up = False
        self._work = work

    @property
    def path(self) -> Path:
        """The file that is being read."""
        return self.paths[min(len(self.results), len(self.paths) - 1)]

    def moved(self) -> None:
        self.moved_at = time.monotonic()

    def do(self, path: Path) -> T | OSError:
        """The work on one file. What is neither a result nor an `OSError` is raised."""
        self.begun = True
        self.item_at = self.moved_at = time.monotonic()
        try:
            return self._work(path, self)
        except OSError as error:
            # Without its traceback, which would hold this reading, and that its results.
            return error.with_traceback(None)
        except ValueError as error:
            # A name that no file can have, such as one with a NUL in it.
            return OSError(errno.EINVAL, str(error))

    def overdue(self, limits: FileLimits, now: float) -> float:
        """How many seconds are left until it is; 0 and less: it is."""
        if not self.begun:
            return self.asked_at + limits.longest_seconds - now
        return min(self.moved_at + limits.stall_seconds, self.item_at + limits.longest_seconds) - now


OnTrouble = Callable[[FileTrouble | None, int], None]
"""Gets why a file was not read (None: a read that hung has ended) and how many reads hang now."""


class FileReader:
    """See the module text. One per process (`READER`): threads are the process's, and so is their limit."""

    def __init__(self, limits: FileLimits | None = None) -> None:
        self.limits = limits or FileLimits()
        self._lock = threading.Condition()
        self._queue: deque[Reading[Any]] = deque()
        self._free = 0
        self._alive = 0
        self._stuck: dict[Path, Reading[Any]] = {}
        self._listeners: list[OnTrouble] = []

    @property
    def stuck(self) -> tuple[Path, ...]:
        """The files that threads hang in."""
        with self._lock:
            return tuple(self._stuck)

    @contextmanager
    def reports_to(self, listener: OnTrouble) -> Iterator[None]:
        """`listener` hears of reads that hang or were refused for it; it may be called in any thread."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    # ---- what callers want ------------------------------------------------------------------------------------------
    def read(self, path: Path, kind: FileKind) -> bytes:
        """The content. Raises `OSError`; blocks, within the limits."""
        return self.run(path, lambda one, reading: read_chunks(one, kind, reading))

    def digest(self, path: Path, kind: FileKind) -> str:
        """SHA-256 of the content, hexadecimal, without holding all of it. Raises `OSError`."""
        return self.run(path, lambda one, reading: _digest(one, kind, reading))

    def digests(self, paths: Iterable[Path], kind: FileKind) -> list[str | OSError]:
        """The same for several."""
        return self.each(paths, lambda one, reading: _digest(one, kind, reading))

    def check(self, path: Path) -> None:
        """Raises `OSError` unless it is a regular file that is there."""
        self.look(path, check_regular)

    def look(self, path: Path, work: Callable[[Path], T]) -> T:
        """What `work` finds out about the path without reading a file. Raises `OSError`."""
        return self.run(path, lambda one, _: work(one))

    def looks(self, paths: Iterable[Path], work: Callable[[Path], T]) -> list[T | OSError]:
        """The same for several."""
        return self.each(paths, lambda one, _: work(one))

    def run(self, path: Path, work: Callable[[Path, Reading[T]], T]) -> T:
        (result,) = self.each([path], work)
        if isinstance(result, OSError):
            try:
                raise result
            finally:
                del result  # its traceback holds this frame
        return result

    def each(self, paths: Iterable[Path], work: Callable[[Path, Reading[T]], T]) -> list[T | OSError]:
        """One result a path. One that hangs costs its stall once, and no other path its result."""
        left, found = list(paths), list[T | OSError]()
        while left:
            error = self._refusal(left[0])
            if error is not None:
                found.append(error)
                left.pop(0)
                continue
            reading = self.begin(self._first_free(left), work)
            results = self.outcome(reading)
            found += results
            del left[: len(results)]
        return found

    def _first_free(self, paths: list[Path]) -> list[Path]:
        """Up to the next path that a thread hangs in."""
        with self._lock:
            return paths[: next((n for n, path in enumerate(paths) if path in self._stuck), len(paths))]

    # ---- a reading --------------------------------------------------------------------------------------------------
    def begin(self, paths: Sequence[Path], work: Callable[[Path, Reading[T]], T]) -> Reading[T]:
        """Start without waiting. Raises `UnreadableFile` when no thread can be had."""
        reading = Reading(paths, work)
        with self._lock:
            self._queue.append(reading)
            if self._free:
                self._free -= 1
                self._lock.notify()
            elif self._alive < self.limits.threads:
                self._start_thread(reading)
        return reading

    def outcome(self, reading: Reading[T]) -> list[T | OSError]:
        """Wait for it; what hangs is given up and has an error as its last result. Raises a defect of the work."""
        # Looked at again after a stall at the latest: what has not begun may hang when it has.
        stall = self.limits.stall_seconds
        while not reading.finished.wait(
            min(max(reading.overdue(self.limits, time.monotonic()), 0.001), stall)
        ):
            if self.overdue(reading):
                return [*reading.results, UnreadableFile("stuck", _hangs(stall))]
        if reading.defect is not None:
            raise reading.defect
        return reading.results

    def overdue(self, reading: Reading[Any]) -> bool:
        """Whether it hangs; then it is given up now, if it was not before."""
        with self._lock:
            if reading.finished.is_set() or reading.overdue(self.limits, time.monotonic()) > 0:
                return reading.given_up and not reading.finished.is_set()
            if reading.given_up:
                return True
            reading.given_up = True
            path = reading.path
            if reading in self._queue:
                self._queue.remove(reading)
                reading.finished.set()
                return True
            self._stuck[path] = reading
            self._alive -= 1
            if self._queue and self._alive < self.limits.threads:
                self._start_thread(None)
            count = len(self._stuck)
        most = self.limits.max_stuck
        detail = "it does not answer: its thread is given up"
        log.error("file_stuck", extra=with_fields(path=str(path), stuck=count, most=most, detail=detail))
        self._tell("stuck", count)
        return True

    def _refusal(self, path: Path) -> UnreadableFile | None:
        with self._lock:
            hanging, count = self._stuck.get(path), len(self._stuck)
        if hanging is not None:
            return UnreadableFile("stuck", _hangs(time.monotonic() - hanging.item_at))
        if count < self.limits.max_stuck:
            return None
        self._tell("busy", count)
        return UnreadableFile("busy", f"is not read, because {count} reads of other files hang")

    def _tell(self, trouble: FileTrouble | None, stuck: int) -> None:
        for listener in self._listeners:
            listener(trouble, stuck)

    # ---- threads ----------------------------------------------------------------------------------------------------
    def _start_thread(self, reading: Reading[Any] | None) -> None:
        """With the lock. Raises `UnreadableFile` when the system gives no thread, unless others will take it."""
        try:
            threading.Thread(target=self._serve, name="files", daemon=True).start()
        except RuntimeError as error:
            if self._alive or reading is None:
                return
            self._queue.remove(reading)
            raise UnreadableFile("busy", f"is not read: {error}") from None
        self._alive += 1

    def _serve(self) -> None:
        while True:
            with self._lock:
                while not self._queue:
                    self._free += 1
                    self._lock.wait()
                reading = self._queue.popleft()
                # Under the lock, so that nobody finds it neither queued nor begun.
                reading.begun, reading.item_at = True, time.monotonic()
                reading.moved()
            self._do(reading)
            if reading.given_up:
                self._came_back(reading)
                return

    def _do(self, reading: Reading[Any]) -> None:
        for path in reading.paths:
            try:
                result = reading.do(path)
            except Exception as error:
                reading.defect = error
                break
            with self._lock:
                # Whoever gave it up has counted the results: there are no more.
                if reading.given_up:
                    return
                reading.results.append(result)
        with self._lock:
            if not reading.given_up:
                reading.finished.set()

    def _came_back(self, reading: Reading[Any]) -> None:
        with self._lock:
            path = next(path for path, one in self._stuck.items() if one is reading)
            del self._stuck[path]
            count = len(self._stuck)
            reading.finished.set()
        log.info("file_answers_again", extra=with_fields(path=str(path), stuck=count))
        self._tell(None, count)


READER: Final = FileReader()


def check_regular(path: Path) -> None:
    """Raises `OSError` unless it is a regular file that is there. Blocks for as long as the file system likes."""
    _check(os.stat(path))


def _check(found: os.stat_result) -> None:
    if stat.S_ISREG(found.st_mode):
        return
    kind = next((words for fits, words in _KINDS if fits(found.st_mode)), "no regular file")
    raise UnreadableFile("irregular", f"is {kind}, and only regular files are read")


def _chunks(path: Path, kind: FileKind, reading: Reading[Any]) -> Iterator[bytes]:
    check_regular(path)
    descriptor = os.open(path, _FLAGS)
    try:
        found = os.fstat(descriptor)
        _check(found)
        size = found.st_size
        while size <= kind.max_bytes:
            reading.moved()
            chunk = os.read(descriptor, _CHUNK)
            if not chunk:
                return
            yield chunk
            # A file of /proc says 0 and has content all the same.
            size = max(size, os.lseek(descriptor, 0, os.SEEK_CUR))
        raise UnreadableFile(
            "too_large", f"is larger than {kind.max_bytes // _MIB} MiB, the most for {kind.name}"
        )
    finally:
        os.close(descriptor)


def read_chunks(path: Path, kind: FileKind, reading: Reading[Any]) -> bytes:
    """The content of a regular file, for work of a reading. Raises `OSError`."""
    return b"".join(_chunks(path, kind, reading))


def _digest(path: Path, kind: FileKind, reading: Reading[Any]) -> str:
    total = hashlib.sha256()
    for chunk in _chunks(path, kind, reading):
        total.update(chunk)
    return total.hexdigest()


def _hangs(seconds: float) -> str:
    return f"does not answer (for {seconds:.0f} s)"
