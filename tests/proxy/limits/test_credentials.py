"""Bad credentials, counted by address; through a whole server in tests/e2e/test_callers.py."""

from __future__ import annotations

from proxy.limits import BadCredentials, LimitRule, RateWindow
from proxy.limits.credentials import BUILT_IN, MAX_ADDRESSES, MAX_KNOWN, guessing_rule
from tests.proxy.limits.clock import Clock

IP = LimitRule("by-ip", "ip", "requests", RateWindow(3, 60))


def test_over_the_limit_nothing_of_the_address_is_looked_at() -> None:
    clock = Clock()
    bad = BadCredentials(clock)
    for number in range(3):
        assert bad.refuses("10.0.0.1", b"%d" % number, [IP]) is None
        bad.bad("10.0.0.1", b"%d" % number, [IP])
        clock.now += 10
    refused = bad.refuses("10.0.0.1", b"right", [IP])
    assert refused is not None
    assert (refused.name, refused.retry_after_ms) == ("by-ip", 30_001)
    assert bad.refuses("10.0.0.2", b"right", [IP]) is None
    clock.now += 30.1
    assert bad.refuses("10.0.0.1", b"right", [IP]) is None


def test_what_was_good_before_is_looked_at_until_it_is_bad() -> None:
    bad = BadCredentials(Clock())
    bad.good(b"mine")
    for _ in range(3):
        bad.bad("10.0.0.1", b"guess", [IP])
    assert bad.refuses("10.0.0.1", b"mine", [IP]) is None
    bad.bad("10.0.0.1", b"mine", [IP])
    assert bad.refuses("10.0.0.1", b"mine", [IP]) is not None


def test_the_tightest_limit_by_address_counts_else_the_built_in_one() -> None:
    hourly = LimitRule("hourly", "ip", "requests", RateWindow(60, 3600))
    others = LimitRule("users", "user", "requests", RateWindow(1, 3600))
    assert guessing_rule([IP, hourly, others]) == hourly
    assert guessing_rule([others]) == BUILT_IN


def test_memory_is_bounded() -> None:
    bad = BadCredentials(Clock())
    for number in range(max(MAX_ADDRESSES, MAX_KNOWN) + 5):
        bad.bad(f"ip {number}", b"guess", [IP])
        bad.good(b"%d" % number)
    assert bad.refuses("ip 0", b"x", [IP]) is None
    assert len(bad._times) == MAX_ADDRESSES  # pyright: ignore[reportPrivateUsage]
    assert len(bad._good) == MAX_KNOWN  # pyright: ignore[reportPrivateUsage]
