"""Leases and swaps: a generation is released once, and only when nobody needs it."""

from __future__ import annotations

from typing import cast

import pytest

from proxy.config import Config
from proxy.live import Live, NotServing
from proxy.workspace import Generation


def generation(number: int) -> Generation:
    return Generation(number, f"sha-{number}", cast(Config, None), {}, ())


def test_before_the_first_swap_nothing_is_served() -> None:
    live = Live(lambda _: None)
    assert not live.serving
    with pytest.raises(NotServing):
        _ = live.current


def test_an_unleased_generation_is_released_at_the_swap() -> None:
    released: list[int] = []
    live = Live(lambda g: released.append(g.number))
    live.swap(generation(1))
    live.swap(generation(2))
    assert live.current.number == 2
    assert released == [1]


def test_a_leased_generation_outlives_the_swap_until_its_last_lease_ends() -> None:
    released: list[int] = []
    live = Live(lambda g: released.append(g.number))
    live.swap(generation(1))
    with live.lease() as first, live.lease() as second:
        live.swap(generation(2))
        assert first is second
        assert live.leases() == 2
        assert released == []
        with live.lease() as third:
            assert third.number == 2
    assert released == [1]
    assert live.leases() == 0


def test_closing_releases_the_last_generation_after_its_leases() -> None:
    released: list[int] = []
    live = Live(lambda g: released.append(g.number))
    live.swap(generation(1))
    with live.lease():
        live.close()
        assert released == []
    assert released == [1]
    assert not live.serving


def test_listeners_hear_of_swaps_until_they_leave() -> None:
    heard: list[int] = []
    live = Live(lambda _: None)
    leave = live.subscribe(lambda g: heard.append(g.number))
    live.swap(generation(1))
    leave()
    live.swap(generation(2))
    assert heard == [1]
