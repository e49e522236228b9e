from __future__ import annotations

import pytest
from mcp.server.request_state import InvalidRequestState

from integrations.base import Secret
from proxy.serving.sealing import Forged, Seals

NEW, OLD = Secret("n" * 16), Secret("o" * 16)


def test_what_is_closed_can_be_opened_for_the_same_purpose_only() -> None:
    seals = Seals()
    token = seals.close("one", b"text")
    assert seals.open("one", token) == b"text"
    with pytest.raises(Forged):
        seals.open("two", token)


def test_every_replica_with_the_key_opens_it_also_when_the_key_was_replaced() -> None:
    token = Seals((OLD,)).seal(b"text")
    assert Seals((NEW, OLD)).unseal(token) == b"text"
    with pytest.raises(InvalidRequestState):
        Seals((NEW,)).unseal(token)


def test_without_a_key_each_process_has_its_own() -> None:
    with pytest.raises(InvalidRequestState):
        Seals().unseal(Seals().seal(b"text"))


@pytest.mark.parametrize("token", ["", "x1.", "x1.AAAA", "x1.\u00e9", "v1.AAAA", "x1.%%%%", "x" * 10_000])
def test_anything_else_is_forged(token: str) -> None:
    with pytest.raises(Forged):
        Seals().open("one", token)
    with pytest.raises(InvalidRequestState):
        Seals().unseal(token)


def test_every_changed_character_is_noticed() -> None:
    seals = Seals()
    token = seals.close("one", b"text")
    for place in range(len(token) - 1):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(Forged):
            seals.open("one", changed)
