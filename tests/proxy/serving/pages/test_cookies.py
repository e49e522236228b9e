"""The cookie by itself: what it opens, and what it does not."""

from __future__ import annotations

import pytest

from proxy.serving.http import Request
from proxy.serving.pages.guard import LONGEST_CREDENTIAL, SignInCookie
from proxy.serving.sealing import Seals
from tests.proxy.serving.pages.support import Clock

SEALS = Seals()


def request(cookie: str = "", host: str = "127.0.0.1:8080") -> Request:
    return Request("GET", "/", {"host": host, "cookie": cookie}, frozenset(), {}, "127.0.0.1", "r")


def jar(secure: bool = False) -> SignInCookie:
    return SignInCookie(SEALS, lambda: secure, Clock())


def test_what_was_set_is_read_again() -> None:
    cookie = jar()
    sign_in = cookie.fresh("secret-key", "ws")
    pair = cookie.set(request(), sign_in).partition(";")[0]
    assert cookie.read(request(f"other=1; {pair}; more=2")) == sign_in
    assert cookie.given(request(pair))


def test_each_sign_in_has_a_token_of_its_own() -> None:
    assert jar().fresh("k", None).csrf != jar().fresh("k", None).csrf


@pytest.mark.parametrize("change", ["", "x", "x1.", "x1.AAAA", "x1.!!!!", "\u00e9"])
def test_handiwork_is_no_sign_in(change: str) -> None:
    assert jar().read(request(f"executor-8080={change}")) is None


def test_a_changed_cookie_does_not_open() -> None:
    cookie = jar()
    pair = cookie.set(request(), cookie.fresh("secret-key", None)).partition(";")[0]
    changed = pair[:-2] + ("A" if pair[-2] != "A" else "B") + pair[-1]
    assert cookie.read(request(changed)) is None


def test_something_else_that_is_sealed_is_no_cookie() -> None:
    cookie = jar()
    good = cookie.set(request(), cookie.fresh("k", None)).partition(";")[0].partition("=")[2]
    plain = SEALS.open("page sign-in", good)
    assert cookie.read(request(f"executor-8080={SEALS.close('request-state', plain)}")) is None
    assert cookie.read(request(f"executor-8080={SEALS.close('page sign-in', b'[1]')}")) is None


def test_a_planted_cookie_before_ours_does_not_shut_us_out() -> None:
    cookie = jar()
    pair = cookie.set(request(), cookie.fresh("k", None)).partition(";")[0]
    assert cookie.read(request(f"executor-8080=planted; {pair}")) is not None


def test_servers_on_other_ports_have_other_cookies() -> None:
    cookie = jar()
    pair = cookie.set(request(), cookie.fresh("k", None)).partition(";")[0]
    assert cookie.read(request(pair, host="127.0.0.1:9090")) is None


def test_the_longest_credential_fits_what_browsers_take() -> None:
    cookie = jar(secure=True)
    header = cookie.set(request(), cookie.fresh("x" * LONGEST_CREDENTIAL, "w" * 200))
    assert len(header.partition(";")[0]) <= 4096
