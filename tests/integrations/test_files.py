"""One reader for every file that a config names: what it refuses, and what a read that hangs costs."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from integrations.files import SECRET, FileKind, FileLimits, FileReader, Reading, UnreadableFile
from integrations.held_files import HeldFiles
from tests.proxy.support import logged

QUICK = FileLimits(stall_seconds=0.05, longest_seconds=5.0, threads=2, max_stuck=2)
SMALL = FileKind("a test", 1024 * 1024)


def unreadable(reader: FileReader, path: Path, kind: FileKind = SMALL) -> str:
    with pytest.raises(UnreadableFile) as caught:
        reader.read(path, kind)
    return f"{caught.value.trouble}: {caught.value.strerror}"


@contextmanager
def odd_files(folder: Path) -> Iterator[dict[str, Path]]:
    os.mkfifo(folder / "fifo")
    (folder / "directory").mkdir()
    (folder / "large").write_bytes(b"x" * (SMALL.max_bytes + 1))
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(folder / "socket"))
        yield {
            **{name: folder / name for name in ("fifo", "directory", "socket", "large")},
            "zero": Path("/dev/zero"),
            "tty": Path("/dev/tty"),
        }


def test_only_regular_files_of_a_size_are_read(tmp_path: Path) -> None:
    reader = FileReader()
    only = "and only regular files are read"
    with odd_files(tmp_path) as odd:
        assert {name: unreadable(reader, path) for name, path in odd.items()} == {
            "fifo": f"irregular: is a FIFO, {only}",
            "directory": f"irregular: is a directory, {only}",
            "socket": f"irregular: is a socket, {only}",
            "zero": f"irregular: is a character device, {only}",
            "tty": f"irregular: is a character device, {only}",
            "large": "too_large: is larger than 1 MiB, the most for a test",
        }


def test_what_is_small_enough_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"", b"x", b"x" * SMALL.max_bytes):
        path.write_bytes(content)
        assert FileReader().read(path, SMALL) == content
    assert FileReader().read(Path("/proc/self/status"), SECRET).startswith(b"Name:")
    with pytest.raises(FileNotFoundError):
        FileReader().read(tmp_path / "none", SMALL)
    with pytest.raises(OSError, match="null byte"):
        FileReader().read(Path("a\0b"), SMALL)


def test_a_file_that_has_no_end_is_refused_at_its_size() -> None:
    """It says that it is empty, and has more than that."""
    assert "is larger than 0 MiB" in unreadable(
        FileReader(), Path("/proc/self/maps"), FileKind("a test", 100)
    )


class Hanging:
    """A FIFO whose writer was stopped, opened like a file of a mount that does not answer: a read of it hangs."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        command = [
            sys.executable,
            "-c",
            f"f = open({str(path)!r}, 'w'); f.flush(); import time; time.sleep(600)",
        ]
        self.writer = subprocess.Popen(command)

    def read(self, path: Path, reading: Reading[bytes]) -> bytes:
        if path != self.path:
            return path.read_bytes()
        with open(path, "rb") as file:
            self.writer.send_signal(signal.SIGSTOP)
            return file.read()

    def end(self) -> None:
        self.writer.kill()
        self.writer.wait()


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[Callable[[str], Hanging]]:
    made: list[Hanging] = []

    def make(name: str) -> Hanging:
        made.append(Hanging(tmp_path / name))
        return made[-1]

    yield make
    for one in made:
        one.end()


class Told:
    def __init__(self) -> None:
        self.heard: list[tuple[str | None, int]] = []
        self.changed = threading.Event()

    def __call__(self, trouble: str | None, stuck: int) -> None:
        self.heard.append((trouble, stuck))
        self.changed.set()

    def wait_for(self, trouble: str | None) -> None:
        while not any(one == trouble for one, _ in self.heard):
            assert self.changed.wait(60)
            self.changed.clear()


# The writer has to start before the read can hang, and nothing is lost by waiting for it.
PATIENT = FileLimits(stall_seconds=2.0, longest_seconds=60.0, threads=2, max_stuck=2)


def test_a_read_that_hangs_costs_its_own_result_only(
    tmp_path: Path, hanging: Callable[[str], Hanging], caplog: pytest.LogCaptureFixture
) -> None:
    reader, told, stuck = FileReader(PATIENT), Told(), hanging("b")
    for name in ("a", "c"):
        (tmp_path / name).write_bytes(name.encode())
    paths = [tmp_path / name for name in ("a", "b", "c")]
    caplog.set_level("INFO", "executor.files")
    with reader.reports_to(told):
        for _ in range(2):
            first, second, third = reader.each(paths, stuck.read)
            assert (first, third) == (b"a", b"c")
            assert isinstance(second, UnreadableFile)
            assert (second.trouble, second.errno) == ("stuck", errno.ETIMEDOUT)
        assert list(reader.stuck) == [stuck.path]
        assert told.heard == [("stuck", 1)]
        stuck.end()
        told.wait_for(None)
    assert not reader.stuck
    assert reader.each(paths[:1], stuck.read) == [b"a"]
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert f"file_stuck      path={stuck.path} stuck=1 most=2 it does not answer" in logged(caplog)


def test_when_too_many_hang_the_others_are_refused_at_once(
    tmp_path: Path, hanging: Callable[[str], Hanging]
) -> None:
    reader, told = FileReader(PATIENT), Told()
    fine = tmp_path / "fine"
    fine.write_bytes(b"fine")
    stuck = [hanging(name) for name in ("one", "two")]
    with reader.reports_to(told):
        for one in stuck:
            assert isinstance(reader.each([one.path], one.read)[0], UnreadableFile)
        assert unreadable(reader, fine) == "busy: is not read, because 2 reads of other files hang"
        stuck[0].end()
        told.wait_for(None)
        assert reader.read(fine, SMALL) == b"fine"
    assert [trouble for trouble, _ in told.heard] == ["stuck", "stuck", "busy", None]


def test_the_process_ends_while_a_read_hangs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    code = f"""
from pathlib import Path
from integrations.files import FileReader, FileLimits
reader = FileReader(FileLimits(stall_seconds=0.05))
print(reader.each([Path({str(tmp_path / "fifo")!r})], lambda path, _: path.read_bytes()))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "does not answer" in ran.stdout


def test_many_threads_read_at_once(tmp_path: Path) -> None:
    reader, results = FileReader(FileLimits(threads=2)), list[bytes]()
    path = tmp_path / "file"
    path.write_bytes(b"x")

    def read() -> None:
        results.extend(reader.read(path, SMALL) for _ in range(50))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [b"x"] * 400
    assert sum(thread.name == "files" for thread in threading.enumerate()) >= 1


def test_a_defect_of_the_work_is_raised(tmp_path: Path) -> None:
    def broken(path: Path) -> Any:
        raise KeyError("defect")

    with pytest.raises(KeyError, match="defect"):
        FileReader().look(tmp_path, broken)


def test_a_failed_read_leaves_no_garbage(tmp_path: Path) -> None:
    """The watcher looks for files every half second; what lies in cycles stays until somebody looks for it."""
    reader = FileReader()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            with suppress(FileNotFoundError):
                reader.look(tmp_path / "nothing", Path.stat)
        found = (one for one in gc.get_objects() if isinstance(one, Reading))
        kept = sum(one.paths == [tmp_path / "nothing"] for one in found)
    finally:
        gc.enable()
    assert kept <= 1  # the thread may hold the last


# ---- held files


def test_a_held_file_is_read_again_when_it_was_replaced(tmp_path: Path) -> None:
    path, held = tmp_path / "secret", HeldFiles(SECRET)
    path.write_bytes(b"one")
    first = held.get(path)
    assert (first.content, held.get(path) is first) == (b"one", True)
    path.with_name("new").write_bytes(b"two")
    path.with_name("new").rename(path)
    assert held.get(path).content == b"two"
    path.unlink()
    with pytest.raises(FileNotFoundError):
        held.get(path)


async def test_the_event_loop_keeps_what_was_read_last(tmp_path: Path) -> None:
    """The looks are held up by another use of the only thread; the loop is not."""
    reader, path = FileReader(FileLimits(threads=1)), tmp_path / "secret"
    path.write_bytes(b"one")
    held = HeldFiles(SECRET, reader)
    assert held.get(path).content == b"one"
    go_on = threading.Event()
    reading = reader.begin([path], lambda one, _: go_on.wait(60))
    path.write_bytes(b"two, longer")
    assert held.get(path).content == b"one"
    with pytest.raises(UnreadableFile, match="does not answer"):
        held.get(tmp_path / "other")
    go_on.set()
    await asyncio.to_thread(reader.outcome, reading)
    # The only thread takes one after the other: behind this one the late look is over.
    await asyncio.to_thread(reader.digest, path, SECRET)
    assert (await asyncio.to_thread(held.get, path)).content == b"two, longer"
