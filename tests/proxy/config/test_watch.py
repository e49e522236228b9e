"""Every way in which a config file is known to change. Events do the work: the poll is far away."""

import asyncio
import logging
import mmap
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from proxy.config.footprint import content_digest
from proxy.config.watch import Observation, Settling, Watcher
from tests.proxy.support import logged

LIMIT_SECONDS = 60
FAR_AWAY = 600.0


class Changes:
    """Reads a watcher with a limit on every wait."""

    def __init__(self, watcher: Watcher, stream: AsyncIterator[str]) -> None:
        self.watcher = watcher
        self._stream = stream

    async def next(self) -> str:
        async with asyncio.timeout(LIMIT_SECONDS):
            return await anext(self._stream)

    async def settled(self) -> None:
        """The next change must be the present content: nothing partial, nothing twice."""
        assert await self.next() == await asyncio.to_thread(self.watcher.digest)


@asynccontextmanager
async def watching(*paths: Path, settle: float = 0.2, poll: float = FAR_AWAY) -> AsyncIterator[Changes]:
    watcher = Watcher(paths, poll_interval_seconds=poll, settle_seconds=settle)
    async with watcher, aclosing(watcher.changes()) as stream:  # type: ignore[type-var]
        yield Changes(watcher, stream)


def write(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def rename_over(file: Path, text: str) -> None:
    fresh = write(file.with_name(f".{file.name}.tmp"), text)
    fresh.replace(file)


async def test_write_in_place(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", "one")
    async with watching(file) as changes:
        for text in ("two", "three", "four"):
            write(file, text)
            await changes.settled()


@pytest.mark.parametrize("root", ["file", "directory"])
async def test_rename_over_again_and_again(tmp_path: Path, root: str) -> None:
    file = write(tmp_path / "a.yaml", "one")
    async with watching(file if root == "file" else tmp_path) as changes:
        for text in ("two", "three", "four"):
            rename_over(file, text)
            await changes.settled()


async def test_vim_moves_the_old_file_away_and_writes_a_new_one(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", "one")
    async with watching(file) as changes:
        for text in ("two", "three"):
            backup = file.rename(tmp_path / "a.yaml~")
            write(file, text)
            backup.unlink()
            await changes.settled()


def mount_config_map(root: Path, generation: str) -> None:
    """What the kubelet does: a new directory, a new link renamed over `..data`, the old one removed."""
    fresh = root / f"..{generation}"
    fresh.mkdir()
    write(fresh / "a.yaml", f"version: {generation}")
    old = os.readlink(root / "..data") if (root / "..data").is_symlink() else None
    (root / "..data_tmp").symlink_to(fresh.name)
    (root / "..data_tmp").replace(root / "..data")
    if not (root / "a.yaml").is_symlink():
        (root / "a.yaml").symlink_to("..data/a.yaml")
    if old is not None:
        (root / old / "a.yaml").unlink()
        (root / old).rmdir()


@pytest.mark.parametrize("root", ["file", "directory"])
async def test_config_map_swaps_three_in_a_row(tmp_path: Path, root: str) -> None:
    mount_config_map(tmp_path, "1")
    async with watching(tmp_path / "a.yaml" if root == "file" else tmp_path) as changes:
        for generation in ("2", "3", "4"):
            mount_config_map(tmp_path, generation)
            await changes.settled()


async def test_git_sync_swaps_the_link_above_the_config(tmp_path: Path) -> None:
    current = tmp_path / "current"
    for revision in ("aaa", "bbb", "ccc", "ddd"):
        (tmp_path / "worktrees" / revision / "cfg").mkdir(parents=True)
        write(tmp_path / "worktrees" / revision / "cfg" / "a.yaml", revision)
    current.symlink_to("worktrees/aaa")
    async with watching(current / "cfg") as changes:
        for revision in ("bbb", "ccc", "ddd"):
            (tmp_path / "next").symlink_to(f"worktrees/{revision}")
            (tmp_path / "next").replace(current)
            await changes.settled()


async def test_a_slow_writer_is_seen_once_with_the_final_content(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", "one")

    def write_slowly() -> None:
        with file.open("wb", buffering=0) as out:
            for _ in range(40):
                out.write(b"x" * 100)
                os.fsync(out.fileno())

    async with watching(file, settle=1.0) as changes:
        await asyncio.to_thread(write_slowly)
        await changes.settled()
        assert file.stat().st_size == 4000


async def test_deleted_emptied_and_back_again(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", "one")
    async with watching(file) as changes:
        file.unlink()
        await changes.settled()
        write(file, "")
        await changes.settled()
        write(file, "one")
        await changes.settled()


async def test_the_whole_directory_goes_and_comes_back(tmp_path: Path) -> None:
    root = tmp_path / "etc"
    root.mkdir()
    write(root / "a.yaml", "one")
    async with watching(root) as changes:
        (root / "a.yaml").unlink()
        root.rmdir()
        await changes.settled()
        root.mkdir()
        write(root / "a.yaml", "two")
        await changes.settled()
        write(root / "a.yaml", "three")
        await changes.settled()


async def test_files_that_join_and_leave_a_directory(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "one")
    async with watching(tmp_path) as changes:
        write(tmp_path / "b.yaml", "two")
        await changes.settled()
        (tmp_path / "b.yaml").unlink()
        await changes.settled()
        write(tmp_path / "notes.txt", "not config")
        write(tmp_path / "a.yaml", "three")
        await changes.settled()


async def test_the_poll_finds_what_sends_no_event(tmp_path: Path) -> None:
    """Writes through a memory map are invisible to inotify (inotify(7), limitations)."""
    file = write(tmp_path / "a.yaml", "one")
    async with watching(file, poll=0.1, settle=0.1) as changes:
        with file.open("r+b") as held, mmap.mmap(held.fileno(), 0) as view:
            view[:3] = b"two"
            view.flush()
        await changes.settled()


async def test_references_are_watched_and_their_present_content_is_known(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", "one")
    (tmp_path / "specs").mkdir()
    spec = write(tmp_path / "specs" / "api.json", "{}")
    async with watching(file) as changes:
        await changes.watcher.refer([spec])
        await changes.watcher.refer([spec])
        write(spec, '{"openapi": "3.1.0"}')
        await changes.settled()
        rename_over(spec, '{"openapi": "3.1.1"}')
        await changes.settled()


async def test_a_config_edit_before_the_references_are_named_is_not_forgotten(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", "one")
    spec = write(tmp_path / "api.json", "{}")
    async with watching(file) as changes:
        write(file, "two")
        await changes.watcher.refer([spec])
        await changes.settled()


async def test_an_edit_between_making_and_entering_is_seen(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", "one")
    watcher = Watcher([file], poll_interval_seconds=FAR_AWAY, settle_seconds=0.1)
    write(file, "two")
    async with watcher, aclosing(watcher.changes()) as stream:  # type: ignore[type-var]
        await Changes(watcher, stream).settled()


async def test_without_watching_no_change_is_reported(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", "one")
    watcher = Watcher([file], poll_interval_seconds=0.01, settle_seconds=0.0, watch=False)
    async with watcher, aclosing(watcher.changes()) as stream:  # type: ignore[type-var]
        write(file, "two")
        assert content_digest([file]) in await asyncio.to_thread(watcher.digest)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await anext(stream)


async def test_a_crash_of_the_body_leaves_as_it_is(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", "one")
    with pytest.raises(ZeroDivisionError):
        async with watching(file):
            raise ZeroDivisionError


async def test_a_file_without_a_name_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = write(tmp_path / "a.yaml", "one")
    other = write(tmp_path / "b.yaml", "one")
    with file.open() as held, caplog.at_level(logging.ERROR, "executor.config"):
        file.unlink()
        nameless = Path(f"/proc/self/fd/{held.fileno()}")
        async with watching(other, nameless) as changes:
            write(other, "two")
            await changes.settled()
    assert "file_replaced_below_mount" in logged(caplog)


QUIET = Observation(changed=False)


def test_unchanged_content_is_never_due() -> None:
    settling = Settling("a", 0.5)
    assert [settling.observe("a", now) for now in (0.0, 10.0)] == [QUIET, QUIET]


def test_a_change_is_due_after_it_stood_still() -> None:
    settling = Settling("a", 0.5)
    assert settling.observe("b", 10.0) == Observation(changed=False, wait_seconds=0.5)
    assert settling.observe("b", 10.4).wait_seconds is not None
    assert settling.observe("b", 10.5) == Observation(changed=True)
    assert settling.observe("b", 10.6) == QUIET


def test_every_partial_state_of_a_slow_writer_starts_the_wait_again() -> None:
    settling = Settling("a", 0.5)
    states = [settling.observe(f"partial {number}", number * 0.4) for number in range(5)]
    assert all(state == Observation(changed=False, wait_seconds=0.5) for state in states)
    assert settling.observe("final", 2.0).changed is False
    assert settling.observe("final", 2.5).changed is True


def test_a_change_taken_back_in_time_is_no_change() -> None:
    settling = Settling("a", 0.5)
    settling.observe("b", 0.0)
    assert settling.observe("a", 0.25) == QUIET
    assert settling.observe("b", 0.75) == Observation(changed=False, wait_seconds=0.5)


def test_going_back_to_older_content_is_a_change() -> None:
    settling = Settling("good", 0.0)
    assert settling.observe("bad", 1.0).changed is True
    assert settling.observe("good", 2.0).changed is True
