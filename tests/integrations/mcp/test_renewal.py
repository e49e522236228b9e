from __future__ import annotations

from collections.abc import Mapping

import httpx2

from integrations.base import SourceError
from integrations.mcp.renewal import Renewal


def request(**headers: str) -> httpx2.Request:
    return httpx2.Request(
        "POST", "https://mcp.example/", headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def test_a_replaced_value_replaces_what_was_configured() -> None:
    renewal = Renewal(
        {"Authorization": "old", "X-Plain": "a"}, lambda: {"Authorization": "new", "X-More": "m"}
    )
    one = request(Authorization="old", X_Plain="a")
    renewal.apply(one)
    assert one.headers["authorization"] == "old"
    assert renewal.differs()
    renewal.apply(one)
    assert (one.headers["authorization"], one.headers["x-plain"], one.headers["x-more"]) == ("new", "a", "m")


def test_the_same_value_is_nothing_new_to_try() -> None:
    renewal = Renewal({"Authorization": "old"}, lambda: {"Authorization": "old"})
    assert not renewal.differs()


def test_what_the_sdk_set_is_left() -> None:
    renewal = Renewal({"Accept": "text/html"}, lambda: {"Accept": "text/plain"})
    assert renewal.differs()
    one = request(Accept="application/json")
    renewal.apply(one)
    assert one.headers["accept"] == "application/json"


def test_a_value_that_is_missing_now_is_nothing_new() -> None:
    def renew() -> Mapping[str, str]:
        raise SourceError("TOKEN is not set")

    assert not Renewal({"Authorization": "old"}, renew).differs()
