"""What happens next to an execution."""

from __future__ import annotations

from proxy.executions.clock import wall_clock
from proxy.executions.inbox import Inbox
from proxy.executions.protocol import CancelRequested, DeadlineReached, TimerDue


class Hands:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_what_came_is_before_timers_and_the_deadline_before_everything() -> None:
    clock = Hands()
    inbox = Inbox(4, clock)
    inbox.wake = 1000.0
    inbox.put(CancelRequested(1000.0, "no"))
    assert await inbox.next(2000.0) == CancelRequested(1000.0, "no")
    assert await inbox.next(2000.0) == TimerDue(1000.0)
    inbox.put(CancelRequested(1000.0, "late"))
    assert await inbox.next(1000.0) == DeadlineReached(1000.0)


async def test_it_waits_for_time_to_pass() -> None:
    clock = wall_clock()
    assert isinstance(await Inbox(4, clock).next(clock() + 5), DeadlineReached)
