"""Another process on the same file: `append` until it is killed, `count` to a number together with others, or `lock`.

Prints a line for each thing that the store has acknowledged.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from proxy.state import Conflict, Entry, State, open_state
from tests.proxy.state.stores import ALICE, OLD_KEY


async def append(state: State) -> None:
    number = 0
    while True:
        await state.append_journal("e1", ALICE, [str(number).encode(), bytes(1000)])
        say(number)
        number += 1


async def count(state: State, times: int) -> None:
    for _ in range(times):
        while True:
            entry = await state.read_entry("count", "one", "n") or Entry("count", "one", "n", b"0")
            try:
                await state.write_entry(replace(entry, value=str(int(entry.value) + 1).encode()))
                break
            except Conflict:
                continue
        say("counted")


def lock(path: Path) -> None:
    """Hold the file as another program would, until the end of standard input."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        say("locked")
        sys.stdin.read()


def say(what: object) -> None:
    print(what, flush=True)


async def run(path: Path, what: str) -> None:
    async with open_state("sqlite", path=path, keys=[OLD_KEY]) as state:
        await (append(state) if what == "append" else count(state, 50))


if __name__ == "__main__":
    file, task = Path(sys.argv[1]), sys.argv[2]
    if task == "lock":
        lock(file)
    else:
        asyncio.run(run(file, task))
