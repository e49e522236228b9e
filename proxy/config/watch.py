"""Notices that config files have changed, whatever way they were changed.

The content digest is the truth and file events are only a hint to look at it: single-file mounts, git-sync,
NFS and renames all lose events, so the contents are also compared every `poll_interval_seconds`. Watching a
*file* goes blind after a rename and polling modification times misses changes within one second; hence
directories, the parents of links and the files are watched together (`footprint.watched_places`), and the
watches are set up again whenever one of them became another inode, and every `REARM_SECONDS` in any case.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import anyio
from watchfiles import awatch

from proxy.config.footprint import (
    Identity,
    content_digest,
    read_mounts,
    replaced_behind_us,
    single_file_mounts,
    watched_places,
)
from proxy.tasks import TaskSupervisor
from proxy.telemetry import Logger

REARM_SECONDS: Final = 30
_DEBOUNCE_MS: Final = 200
_STEP_MS: Final = 50

log = Logger("config")


@dataclass(frozen=True, slots=True)
class Observation:
    """`changed`: read it now. Else ask again in `wait_seconds`; None: no hurry."""

    changed: bool
    wait_seconds: float | None = None


class Settling:
    """When a changed config is quiet enough to be read: a decision without I/O and without a clock of its own.

    Remembers the digest that was tried last and the one that is still moving.

    A digest is due once it has stood still for `settle_seconds`. It is compared with what was *tried*,
    not with what runs: a rejected content is not tried again and again, but going back to the running
    content is a change (the reload that follows clears the alarm).
    """

    def __init__(self, tried: str, settle_seconds: float) -> None:
        self.tried = tried
        self._settle_seconds = settle_seconds
        self._moving: tuple[str, float] | None = None

    def observe(self, digest: str, now: float) -> Observation:
        """`now` is monotonic seconds."""
        if digest == self.tried:
            self._moving = None
            return Observation(changed=False)
        since = self._since(digest, now)
        left = since + self._settle_seconds - now
        if left > 0:
            return Observation(changed=False, wait_seconds=left)
        self.tried = digest
        self._moving = None
        return Observation(changed=True)

    def _since(self, digest: str, now: float) -> float:
        if self._moving is None or self._moving[0] != digest:
            self._moving = (digest, now)
        return self._moving[1]


class Watcher:
    """`async with Watcher(...) as watcher: async for digest in watcher.changes(): ...`

    Make it before the config is read for the first time, so that no edit falls between. With `watch=False`
    no change is ever reported. One task hears of events, from enter to exit; `changes` has one reader.
    """

    def __init__(
        self,
        paths: Iterable[Path | str],
        *,
        poll_interval_seconds: float,
        settle_seconds: float,
        watch: bool = True,
        tasks: TaskSupervisor | None = None,
    ) -> None:
        self._tasks = tasks or TaskSupervisor()
        self._paths = tuple(Path(path) for path in paths)
        self._references: tuple[Path, ...] = ()
        self._poll_interval_seconds = poll_interval_seconds
        self._watch = watch
        self._settle_seconds = settle_seconds
        self._settling = Settling(_joined(content_digest(self._paths), content_digest(())), settle_seconds)
        self._hint = asyncio.Event()
        self._stale = anyio.Event()
        self._lost: tuple[Path, ...] = ()
        self._listener: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._watch:
            self._warn_of_mounts()
            self._listener = self._tasks.keep("file events", self._listen)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tasks.stop(self._listener)

    async def refer(self, paths: Iterable[Path]) -> None:
        """Also watch these files, which the config names (specs). Their present content counts as known."""
        references = tuple(paths)
        if references == self._references:
            return
        self._references = references
        known = await asyncio.to_thread(content_digest, references)
        config = self._settling.tried.partition("+")[0]
        self._settling = Settling(_joined(config, known), self._settle_seconds)
        self._stale.set()

    def digest(self) -> str:
        """Of everything watched, as it is now. Blocks for as long as reading takes; call it in a thread."""
        return _joined(content_digest(self._paths), content_digest(self._references))

    async def changes(self) -> AsyncIterator[str]:
        """Yields the digest each time the content has changed and stood still for the settle time."""
        wait_seconds = self._poll_interval_seconds
        while True:
            await self._next_look(wait_seconds)
            if not self._watch:
                continue
            settling = self._settling
            digest = await asyncio.to_thread(self.digest)
            if settling is not self._settling:
                # The references changed while they were read: look again.
                self._hint.set()
                continue
            await self._report_lost()
            observed = settling.observe(digest, asyncio.get_running_loop().time())
            wait_seconds = min(
                observed.wait_seconds or self._poll_interval_seconds, self._poll_interval_seconds
            )
            if observed.changed:
                yield digest

    async def _next_look(self, seconds: float) -> None:
        """Waits for a hint, at most `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hint.wait()
        self._hint.clear()

    async def _listen(self) -> None:
        """Turns file events into hints for as long as the task lives."""
        while True:
            self._stale = anyio.Event()
            places = await self._places()
            try:
                await self._read_events(places)
            except (OSError, RuntimeError) as problem:
                log.warning(
                    "no_file_events",
                    poll_seconds=self._poll_interval_seconds,
                    detail=f"contents are compared instead: {problem}",
                )
                await asyncio.sleep(REARM_SECONDS)

    async def _places(self) -> Mapping[Path, Identity]:
        return await asyncio.to_thread(watched_places, (*self._paths, *self._references))

    async def _read_events(self, places: Mapping[Path, Identity]) -> None:
        """Returns when the watches no longer fit the files, or are due to be set up again."""
        loop = asyncio.get_running_loop()
        expires = loop.time() + REARM_SECONDS
        events = awatch(
            *places,
            watch_filter=None,
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            stop_event=self._stale,
            rust_timeout=REARM_SECONDS * 1000,
            yield_on_timeout=True,
            recursive=False,
            force_polling=False,
            ignore_permission_denied=True,
        )
        # The callback runs when this task first waits, and by then the watches are set up: it makes sure that
        # changes from the time without watches are looked at.
        loop.call_soon(self._hint.set)
        async with aclosing(events):
            async for _ in events:
                self._hint.set()
                if loop.time() >= expires or await self._places() != places:
                    return

    def _warn_of_mounts(self) -> None:
        for file in single_file_mounts(self._paths, read_mounts()):
            log.warning(
                "single_file_mount",
                file=file,
                detail="edits that replace the file will not be seen; mount the directory",
            )

    async def _report_lost(self) -> None:
        """A file without a name is an old one: the host replaced it below a single-file mount."""
        lost = tuple(await asyncio.to_thread(replaced_behind_us, self._paths))
        if lost != self._lost:
            for file in lost:
                log.error(
                    "file_replaced_below_mount", file=file, detail="this process still reads the old file"
                )
        self._lost = lost


def _joined(config: str, references: str) -> str:
    return f"{config}+{references}"
