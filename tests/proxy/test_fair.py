"""Whose work is next: only orders."""

from __future__ import annotations

from proxy.fair import FairQueue


def served(queue: FairQueue[str], costs: dict[str, float], most: int = 99) -> list[str]:
    out: list[str] = []
    while len(out) < most and (following := queue.pop()) is not None:
        account, item = following
        queue.charge(account, costs[account])
        out.append(item)
    return out


def test_within_an_account_in_order_between_accounts_by_what_they_cost() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("g1", "g2", "g3", "g4"):
        queue.push("greedy", item)
    for item in ("m1", "m2"):
        queue.push("modest", item)
    assert (len(queue), queue.waiting("greedy")) == (6, 4)
    # What is three times as dear is a third as often next.
    assert served(queue, {"greedy": 3.0, "modest": 1.0}) == ["g1", "m1", "m2", "g2", "g3", "g4"]
    assert (len(queue), queue.pop()) == (0, None)


def test_who_comes_late_is_next_but_has_no_credit_for_having_been_away() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(8):
        queue.push("greedy", f"g{number}")
    assert served(queue, {"greedy": 1.0}, 5) == ["g0", "g1", "g2", "g3", "g4"]
    for number in range(3):
        queue.push("late", f"l{number}")
    assert served(queue, {"greedy": 1.0, "late": 1.0}) == ["l0", "g5", "l1", "g6", "l2", "g7"]


def test_leaving_the_queue_forgives_nothing_while_others_wait() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.push("greedy", "g0")
    for number in range(4):
        queue.push("modest", f"m{number}")
    assert served(queue, {"greedy": 100.0, "modest": 1.0}, 2) == ["g0", "m0"]
    queue.push("greedy", "g1")
    assert served(queue, {"greedy": 100.0, "modest": 1.0}) == ["m1", "m2", "m3", "g1"]


def test_what_is_not_finished_keeps_its_place_within_the_account() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2"):
        queue.push("a", item)
    account, item = queue.pop() or ("", "")
    queue.put_back(account, item)
    assert served(queue, {"a": 1.0}) == ["a1", "a2"]


def test_accounts_that_owe_nothing_are_forgotten() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(1000):
        queue.push(f"account {number}", "one")
        served(queue, {f"account {number}": 1.0})
    assert len(queue._cost) < 5
