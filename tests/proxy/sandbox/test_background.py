"""Turns of those that compute for long: as many as there is room for, of the account that has used least."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from proxy.sandbox.background import Background


@dataclass(eq=False)
class Burner:
    """A process that never ends, and what it has cost."""

    account: str
    pid: int
    used: Counter[str]

    def stand_still(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)
        os.waitid(os.P_PID, self.pid, os.WCONTINUED)

    def count(self) -> None:
        self.used[self.account] += 1

    @property
    def stands_still(self) -> bool:
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


class Burners:
    def __init__(self) -> None:
        self.used: Counter[str] = Counter()
        self.made: list[Burner] = []

    def start(self, account: str) -> Burner:
        pid = os.posix_spawnp("sleep", ["sleep", "60"], os.environ)
        self.made.append(Burner(account, pid, self.used))
        return self.made[-1]


@pytest.fixture
def burners() -> Iterator[Burners]:
    burners = Burners()
    yield burners
    for one in burners.made:
        os.kill(one.pid, signal.SIGKILL)
        os.waitpid(one.pid, 0)


def computing(burners: Burners) -> list[Burner]:
    return [one for one in burners.made if not one.stands_still]


async def test_as_many_compute_as_there_is_room_for(burners: Burners) -> None:
    background = Background(2, burners.used.__getitem__, 3600)
    for account in "abcd":
        background.enter(burners.start(account))
    assert [one.account for one in computing(burners)] == ["a", "b"]
    background.enter(burners.made[0])  # once more changes nothing
    background.enter(burners.made[3])
    assert [one.account for one in computing(burners)] == ["a", "b"]
    background.leave(burners.made[0])
    assert [one.account for one in computing(burners)] == ["a", "b", "c"]  # a goes on, without a turn
    background.leave(burners.made[3])
    assert not burners.made[3].stands_still
    for one in burners.made:
        background.leave(one)
    assert computing(burners) == burners.made


async def test_turns_go_round_and_to_who_has_used_least(burners: Burners) -> None:
    background = Background(1, burners.used.__getitem__, 3600)
    first, second, other = (burners.start(account) for account in ("a", "a", "b"))
    for one in (first, second, other):
        background.enter(one)
    turns: list[Burner] = []
    for _ in range(4):
        turns += computing(burners)
        background.end_turn()
    assert turns == [
        first,
        other,
        second,
        other,
    ]  # a and b in turn, and within a the one that waited for longest


async def test_a_turn_ends_by_itself_when_somebody_waits(burners: Burners) -> None:
    ended = asyncio.Event()

    def used(account: str) -> float:
        ended.set()
        return 0.0

    background = Background(1, used, 0.001)
    background.enter(burners.start("a"))
    background.enter(burners.start("b"))
    async with asyncio.timeout(10):
        await ended.wait()
    for one in burners.made:
        background.leave(one)
