from __future__ import annotations

import pytest

from proxy.serving.http.held import (
    BODY_SECONDS,
    HEAD_SECONDS,
    RESERVED,
    ConnectionLimits,
    ConnectionPhase,
    EndReason,
    HeldConnection,
    HeldConnections,
)

MIB = 1024 * 1024


class Desk:
    """Connections under a clock that tests move; `ended` and `told` are what happened."""

    def __init__(self, most: int | None = None, **limits: float) -> None:
        self.now = 100.0
        self.ended: list[HeldConnection] = []
        self.told: list[EndReason] = []
        self.limits = ConnectionLimits(**limits)  # type: ignore[arg-type]
        self.all = HeldConnections(
            lambda: self.limits,
            is_proxy=lambda address: address.startswith("10."),
            essential=lambda path: path == "/healthz",
            most=lambda: most,
            told=self.told.append,
            clock=lambda: self.now,
        )

    def admit(
        self, address: str = "192.0.2.1", phase: ConnectionPhase = "request", scarce: bool = False
    ) -> HeldConnection | None:
        """One more connection, a second after the one before."""
        self.now += 1
        made: list[HeldConnection] = []
        held = self.all.admit(address, lambda: self.ended.extend(made), scarce=scarce)
        if held is not None:
            made.append(held)
            held.enter(phase, self.now)
        return held

    def taken(self, address: str = "192.0.2.1", phase: ConnectionPhase = "request") -> HeldConnection:
        held = self.admit(address, phase)
        assert held is not None
        return held

    def waits(self, held: HeldConnection, unread: int) -> None:
        held.unread, held.waiting_since = unread, self.now


@pytest.mark.parametrize("phase", ["idle", "head", "body", "left", "closing"])
def test_the_oldest_that_does_nothing_makes_room(phase: ConnectionPhase) -> None:
    desk = Desk(connections=3)
    desk.taken()
    oldest = desk.taken(phase=phase)
    desk.taken(phase=phase)
    newest = desk.taken()
    assert desk.ended == [oldest]
    assert desk.told == ["displaced"]
    assert not newest.reserved
    assert len(desk.all) == 3


def test_an_answer_that_is_not_read_makes_room_too() -> None:
    desk = Desk(connections=2)
    stalled = desk.taken()
    desk.waits(stalled, MIB)
    desk.taken()
    desk.now += 2
    desk.taken()
    assert desk.ended == [stalled]


def test_requests_that_run_are_not_ended_and_reserved_connections_serve_the_essential() -> None:
    desk = Desk(connections=2)
    running = [desk.taken(), desk.taken()]
    extra = desk.taken()
    assert extra.reserved
    assert (extra.serves("/healthz"), extra.serves("/mcp")) == (True, False)
    assert desk.ended == []
    desk.all.gone(running[0])
    assert extra.serves("/mcp")
    assert desk.all.use()["reserved"] == 0


def test_beyond_the_reserve_the_newest_is_refused() -> None:
    desk = Desk(connections=1)
    for _ in range(1 + RESERVED):
        desk.taken()
    assert desk.admit() is None
    assert desk.told == ["refused"]


def test_the_oldest_of_the_reserve_makes_room_when_it_is_slow() -> None:
    desk = Desk(connections=1)
    desk.taken()
    slow = [desk.taken(phase="head") for _ in range(RESERVED)]
    assert desk.admit(phase="idle") is not None
    assert desk.ended == slow[:1]


def test_an_address_has_its_share() -> None:
    desk = Desk(connections=10, per_address=2)
    other = desk.taken("192.0.2.9", "idle")
    mine = [desk.taken(phase="idle"), desk.taken()]
    assert not desk.taken().reserved
    assert desk.ended == mine[:1]
    assert desk.taken().reserved
    assert other not in desk.ended


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "", True),
    ],
)
def test_what_one_address_is(first: str, second: str, one: bool) -> None:
    desk = Desk(connections=10, per_address=1)
    desk.taken(first)
    assert desk.taken(second).reserved is one


def test_behind_a_trusted_proxy_the_addresses_count_that_it_names() -> None:
    desk = Desk(connections=10, per_address=1)
    first, second, third = [desk.taken("10.0.0.1") for _ in range(3)]
    assert not third.reserved
    assert first.comes_from("192.0.2.1") is None
    assert second.comes_from("192.0.2.2") is None
    refused = third.comes_from("192.0.2.1")
    assert refused == "This address has 1 requests under way, as many as one may have"
    desk.all.answered(first)
    assert third.comes_from("192.0.2.1") is None


def test_an_account_has_its_share_of_requests() -> None:
    desk = Desk(connections=10, per_account=2)
    first, second, third = [desk.taken(f"192.0.2.{n}") for n in range(3)]
    assert first.belongs_to("ws/a") is None
    assert first.belongs_to("ws/a") is None
    assert second.belongs_to("ws/a") is None
    refused = third.belongs_to("ws/a")
    assert refused == "This account has 2 requests under way, as many as one may have"
    assert third.belongs_to("ws/b") is None
    desk.all.gone(first)
    desk.all.answered(third)
    assert third.belongs_to("ws/a") is None


def test_an_account_has_its_share_of_idle_connections() -> None:
    """From many addresses, so that no other bound ends them."""
    desk = Desk(connections=100, per_account=2)
    taken = [desk.taken(f"192.0.{n}.1") for n in range(4)]
    for held in taken:
        assert held.belongs_to("ws/a") is None
        desk.all.answered(held)
        held.enter("idle", desk.now)
        desk.now += 1
    assert desk.ended == taken[:2]
    assert set(desk.told) == {"displaced"}
    other, proxied = desk.taken("198.51.100.1"), desk.taken("10.0.0.1")
    assert other.belongs_to("ws/b") is None
    assert proxied.belongs_to("ws/a") is None  # it carries many accounts
    desk.all.answered(other)
    desk.all.answered(proxied)
    assert taken[3].belongs_to("ws/b") is None  # signed in as somebody else: it is theirs from now on
    assert desk.ended == taken[:2]
    desk.all.gone(taken[2])
    desk.all.gone(taken[3])
    again = [desk.taken(f"192.0.{n}.2") for n in range(2)]
    assert [one.belongs_to("ws/a") for one in again] == [None, None]
    assert desk.ended == taken[:2]


def test_a_request_that_is_admitted_after_its_connection_has_gone_takes_nothing() -> None:
    desk = Desk(per_account=1)
    late = desk.taken()
    desk.all.gone(late)
    assert desk.all.claim(late, "ann") is None
    assert desk.all.claim_client(late, "198.51.100.1") is None
    # Nobody would ever give it back.
    assert desk.all.claim(desk.taken(), "ann") is None


def test_descriptors_bound_them_whatever_the_config_says() -> None:
    desk = Desk(most=1, connections=1000)
    desk.taken()
    assert desk.taken().reserved
    assert desk.all.use()["most"] == 1


def test_a_descriptor_among_the_last_takes_the_place_of_an_idle_one() -> None:
    desk = Desk()
    idle = desk.taken(phase="idle")
    assert desk.admit(scarce=True) is not None
    assert desk.ended == [idle]
    reserved = desk.admit(scarce=True)
    assert reserved is not None
    assert reserved.reserved


@pytest.mark.parametrize(
    ("phase", "seconds", "reason"),
    [
        ("head", HEAD_SECONDS, "slow_head"),
        ("body", BODY_SECONDS, "slow_body"),
        ("closing", 30.0, "lingering"),
        ("idle", 1000.0, None),
        ("request", 1000.0, None),
        ("left", 1000.0, None),
    ],
)
def test_how_long_each_phase_may_last(
    phase: ConnectionPhase, seconds: float, reason: EndReason | None
) -> None:
    desk = Desk()
    held = desk.taken(phase=phase)
    desk.now += seconds - 0.5
    desk.all.sweep()
    assert desk.ended == []
    desk.now += 0.5
    desk.all.sweep()
    assert desk.ended == ([held] if reason else [])
    assert held.ended == reason


def test_an_answer_without_progress_ends() -> None:
    desk = Desk(write_seconds=5)
    held = desk.taken()
    desk.waits(held, 1000)
    desk.now += 4
    desk.waits(held, 900)
    desk.now += 4
    desk.all.sweep()
    assert desk.ended == []
    desk.now += 1
    desk.all.sweep()
    assert desk.ended == [held]
    assert desk.told == ["unread"]


def test_a_connection_holds_so_many_bytes() -> None:
    desk = Desk(unread_bytes=8 * MIB)
    small, large = desk.taken(), desk.taken()
    desk.waits(small, 8 * MIB)
    desk.waits(large, 8 * MIB + 1)
    desk.all.sweep()
    assert desk.ended == []
    desk.now += 2
    desk.all.sweep()
    assert desk.ended == [large]


def test_an_account_holds_so_many_bytes_on_all_its_connections() -> None:
    desk = Desk(unread_account_bytes=16 * MIB)
    mine = [desk.taken(f"192.0.2.{n}") for n in range(8)]
    other = desk.taken("192.0.2.99")
    for held in mine:
        held.belongs_to("ws/a")
    other.belongs_to("ws/b")
    for held in (other, *mine):
        desk.now += 0.1
        desk.waits(held, 4 * MIB)
    desk.now += 2
    desk.all.sweep()
    assert desk.ended == mine[:4]
    assert desk.all.use()["unread_bytes"] == 20 * MIB


def test_all_accounts_together_hold_four_times_as_much() -> None:
    desk = Desk(unread_account_bytes=4 * MIB)
    all_of_them = [desk.taken(f"192.0.2.{n}") for n in range(6)]
    for number, held in enumerate(all_of_them):
        held.belongs_to(f"ws/{number}")
        desk.now += 0.1
        desk.waits(held, 4 * MIB)
    desk.now += 2
    desk.all.sweep()
    assert desk.ended == all_of_them[:2]


def test_what_is_gone_is_not_counted() -> None:
    desk = Desk(connections=4, per_address=1)
    held = desk.taken()
    desk.all.gone(held)
    desk.all.gone(held)
    assert not desk.taken().reserved
    use = desk.all.use()
    assert (use["open"], use["addresses"], use["requests"]) == (1, 1, 1)


def test_idle_ones_end_when_descriptors_run_out() -> None:
    desk = Desk()
    idle = [desk.taken(phase="idle") for _ in range(3)]
    desk.taken()
    assert desk.all.relieve(2) == 2
    assert desk.ended == idle[:2]
    assert desk.all.relieve(9) == 1


def test_a_connection_that_nobody_counts_serves_everything() -> None:
    held = HeldConnection("192.0.2.1", True, lambda: None, 0.0)
    assert held.serves("/mcp")
    assert held.belongs_to("ws/a") is None
    assert held.comes_from("192.0.2.2") is None
