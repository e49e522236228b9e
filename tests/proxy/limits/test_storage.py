from hypothesis import given
from hypothesis import strategies as st

from proxy.limits import MemoryWindows, open_storage
from tests.proxy.limits.clock import Clock


async def test_no_window_ever_holds_more_than_the_limit() -> None:
    clock = Clock()
    storage = MemoryWindows(clock)
    assert [await storage.acquire_entry("k", 2, 10) for _ in range(3)] == [True, True, False]
    assert await storage.get_moving_window("k", 2, 10) == (clock.now, 2)
    clock.now += 9.5
    assert not await storage.acquire_entry("k", 2, 10)
    clock.now += 0.5
    assert await storage.acquire_entry("k", 2, 10)
    assert await storage.get_moving_window("other", 2, 10) == (clock.now, 0)


@given(st.lists(st.floats(0, 3), max_size=40), st.integers(1, 4), st.integers(1, 5))
async def test_any_window_of_any_traffic_is_within_the_limit(
    pauses: list[float], limit: int, seconds: int
) -> None:
    clock = Clock()
    storage = MemoryWindows(clock)
    admitted: list[float] = []
    for pause in pauses:
        clock.now += pause
        if await storage.acquire_entry("k", limit, seconds):
            admitted.append(clock.now)
    for start in admitted:
        assert sum(1 for moment in admitted if start <= moment < start + seconds) <= limit


async def test_a_smaller_limit_after_a_reload_sees_the_old_hits() -> None:
    storage = MemoryWindows(Clock())
    for _ in range(5):
        assert await storage.acquire_entry("k", 5, 60)
    assert not await storage.acquire_entry("k", 2, 60)
    assert await storage.acquire_entry("k", 6, 60)


async def test_idle_buckets_are_dropped() -> None:
    clock = Clock()
    storage = MemoryWindows(clock)
    for number in range(50):
        await storage.acquire_entry(f"k{number}", 5, 10)
    assert len(storage) == 50
    clock.now += 11
    for number in range(30):
        await storage.acquire_entry("busy", 100, 10 + number % 2)
    assert len(storage) == 1


async def test_the_number_of_buckets_is_bounded() -> None:
    storage = MemoryWindows(Clock(), max_buckets=10)
    for number in range(100):
        await storage.acquire_entry(f"ip{number}", 5, 3600)
    assert len(storage) == 10


async def test_the_rest_of_the_interface() -> None:
    clock = Clock()
    storage = MemoryWindows(clock)
    assert await storage.check()
    assert await storage.get("k") == 0
    assert await storage.get_expiry("k") == clock.now
    assert await storage.incr("k", 10, amount=3) == 3
    assert await storage.get("k") == 3
    assert await storage.get_expiry("k") == clock.now + 10
    await storage.clear("k")
    assert await storage.get("k") == 0
    await storage.incr("a", 10)
    assert await storage.reset() == 1
    assert len(open_storage()) == 0
