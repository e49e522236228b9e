"""Who runs and who waits, by account: only counts and orders."""

from __future__ import annotations

from asyncio import Future

import pytest

from proxy.sandbox import PoolBusy
from proxy.sandbox.seats import Seats


def taken(seats: Seats, *accounts: str) -> list[Future[None]]:
    return [seats.take(account) for account in accounts]


async def test_one_account_has_at_most_its_share() -> None:
    seats = Seats(total=4, per_account=2, queue=8)
    first, second, third = taken(seats, "greedy", "greedy", "greedy")
    assert (first.done(), second.done(), third.done()) == (True, True, False)
    (other,) = taken(seats, "modest")
    assert other.done()
    assert (seats.busy, seats.waiting, seats.taken("greedy")) == (3, 1, 2)
    seats.leave("modest")
    assert not third.done()
    seats.leave("greedy")
    assert third.done()


@pytest.mark.parametrize(
    ("per_account", "accounts", "each"),
    [
        (32, 1, 32),
        (32, 2, 21),
        (32, 3, 16),
        (32, 8, 7),
        (32, 40, 1),
        (48, 1, 48),
        (48, 2, 27),
        (64, 1, 64),
        (1, 9, 1),
    ],
)
async def test_what_accounts_may_have_is_in_proportion_to_what_is_free(
    per_account: int, accounts: int, each: int
) -> None:
    """However many take all they can get, the next one gets a seat, unless one alone may have them all."""
    seats = Seats(total=64, per_account=per_account, queue=10_000)
    for _ in range(64):
        taken(seats, *(f"greedy{number}" for number in range(accounts)))
    assert {seats.taken(f"greedy{number}") for number in range(accounts)} <= {each, each + 1}
    (modest,) = taken(seats, "modest")
    assert modest.done() == (per_account < 64)


async def test_the_next_seat_goes_to_the_account_that_has_fewest() -> None:
    seats = Seats(total=4, per_account=3, queue=8)
    taken(seats, "a", "a", "a", "b")
    late_a, late_b, late_c = taken(seats, "a", "b", "c")
    seats.leave("a")
    assert (late_a.done(), late_b.done(), late_c.done()) == (False, False, True)
    seats.leave("c")
    assert (late_a.done(), late_b.done()) == (False, True)


async def test_equals_are_served_in_turn_and_within_an_account_in_order() -> None:
    seats = Seats(total=1, per_account=1, queue=8)
    seats.take("z")
    places = {"a1": seats.take("a"), "a2": seats.take("a"), "b1": seats.take("b"), "b2": seats.take("b")}
    served: list[str] = []
    running = "z"
    while len(served) < 4:
        seats.leave(running)
        name = next(name for name, place in places.items() if place.done() and name not in served)
        served.append(name)
        running = name[0]
    assert served == ["a1", "b1", "a2", "b2"]


async def test_who_fills_the_line_gives_way_to_others_the_last_one_first() -> None:
    seats = Seats(total=1, per_account=1, queue=3)
    seats.take("greedy")
    waiting = taken(seats, "greedy", "greedy", "greedy")
    with pytest.raises(PoolBusy, match="too many executions are waiting"):
        seats.take("greedy")
    seats.take("modest")
    assert [place.done() for place in waiting] == [False, False, True]
    assert isinstance(waiting[2].exception(), PoolBusy)
    assert seats.waiting == 3
    seats.take("third")
    assert [place.done() for place in waiting] == [False, True, True]
    assert isinstance(waiting[1].exception(), PoolBusy)
    with pytest.raises(PoolBusy):
        seats.take("fourth")  # every line is as short as its own would be


async def test_who_leaves_the_line_or_never_takes_the_seat_costs_nothing() -> None:
    seats = Seats(total=1, per_account=1, queue=8)
    (first,) = taken(seats, "a")
    second, third = taken(seats, "a", "b")
    seats.withdraw("a", second)
    assert seats.waiting == 1
    seats.leave("a")
    assert third.done()
    seats.withdraw("b", third)  # it stopped waiting just as the seat came
    assert (seats.busy, seats.waiting, seats.taken("a"), seats.taken("b")) == (0, 0, 0, 0)
    assert first.done()
