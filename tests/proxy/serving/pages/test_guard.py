"""Forms (size, encoding, shape), the cookie by itself (what it opens, and what it does not), and refusals."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from proxy.limits import open_storage
from proxy.serving.http.asgi import HttpRequest
from proxy.serving.mcp.elicitation import Seals
from proxy.serving.pages.guard import (
    FORM_BYTES,
    LONGEST_CREDENTIAL,
    PageProblem,
    PageRateLimit,
    SignInCookie,
    check_origin,
    first_value,
    read_form,
    too_many,
)
from tests.proxy.serving.pages.support import FORM, Clock


def request(**headers: str) -> HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest("POST", "/login", {"host": "h:1", **named}, frozenset(), {}, "127.0.0.1", "r")


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_a_form_keeps_all_values_of_a_name() -> None:
    form = await read_form(
        request(content_type=f"{FORM}; charset=utf-8"), chunks(b"a=1&b=%C3%A9&", b"a=2&c=")
    )
    assert form == {"a": ("1", "2"), "b": ("é",), "c": ("",)}
    assert (first_value(form, "a"), first_value(form, "none")) == ("1", "")


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data; boundary=x", "application/json"])
async def test_other_encodings_are_refused(kind: str) -> None:
    with pytest.raises(PageProblem) as refused:
        await read_form(request(content_type=kind), chunks(b"a=1"))
    assert refused.value.status == 415


@pytest.mark.parametrize("body", [b"a=%ff", b"a=\xff", b"&".join(b"a=1" for _ in range(500))])
async def test_what_is_no_text_or_too_much_is_refused(body: bytes) -> None:
    with pytest.raises(PageProblem) as refused:
        await read_form(request(content_type=FORM), chunks(body))
    assert refused.value.status == 400


async def test_a_large_form_is_refused_before_it_is_read_whole() -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x" * 8192

    with pytest.raises(PageProblem) as refused:
        await read_form(request(content_type=FORM), endless())
    assert refused.value.status == 413
    assert read * 8192 <= FORM_BYTES + 2 * 8192


def test_behind_https_a_plain_origin_of_the_same_host_is_foreign() -> None:
    check_origin(request(origin="https://h:1"), "https://h:1")
    with pytest.raises(PageProblem):
        check_origin(request(origin="http://h:1"), "https://h:1")


async def test_a_limit_counts_each_key_separately() -> None:
    limit = PageRateLimit(open_storage(), "x", 2)
    await limit.admit("a")
    await limit.admit("a")
    await limit.admit("b")
    with pytest.raises(PageProblem) as refused:
        await limit.admit("a")
    assert refused.value.status == 429


SEALS = Seals()


def with_cookie(cookie: str = "", host: str = "127.0.0.1:8080") -> HttpRequest:
    return HttpRequest("GET", "/", {"host": host, "cookie": cookie}, frozenset(), {}, "127.0.0.1", "r")


def jar(secure: bool = False) -> SignInCookie:
    return SignInCookie(SEALS, lambda request: secure, Clock())


def test_what_was_set_is_read_again() -> None:
    cookie = jar()
    sign_in = cookie.new_sign_in("secret-key", "ws")
    pair = cookie.set_header(with_cookie(), sign_in).partition(";")[0]
    assert cookie.read(with_cookie(f"other=1; {pair}; more=2")) == sign_in
    assert cookie.is_sent(with_cookie(pair))


def test_each_sign_in_has_a_token_of_its_own() -> None:
    assert jar().new_sign_in("k", None).csrf != jar().new_sign_in("k", None).csrf


@pytest.mark.parametrize("change", ["", "x", "x1.", "x1.AAAA", "x1.!!!!", "\u00e9"])
def test_a_forged_cookie_is_no_sign_in(change: str) -> None:
    assert jar().read(with_cookie(f"executor-8080={change}")) is None


def test_a_changed_cookie_does_not_open() -> None:
    cookie = jar()
    pair = cookie.set_header(with_cookie(), cookie.new_sign_in("secret-key", None)).partition(";")[0]
    changed = pair[:-2] + ("A" if pair[-2] != "A" else "B") + pair[-1]
    assert cookie.read(with_cookie(changed)) is None


def test_something_else_that_is_sealed_is_no_cookie() -> None:
    cookie = jar()
    good = cookie.set_header(with_cookie(), cookie.new_sign_in("k", None)).partition(";")[0].partition("=")[2]
    plain = SEALS.open("page sign-in", good)
    assert cookie.read(with_cookie(f"executor-8080={SEALS.close('request-state', plain)}")) is None
    assert cookie.read(with_cookie(f"executor-8080={SEALS.close('page sign-in', b'[1]')}")) is None


def test_a_planted_cookie_before_ours_does_not_shut_us_out() -> None:
    cookie = jar()
    pair = cookie.set_header(with_cookie(), cookie.new_sign_in("k", None)).partition(";")[0]
    assert cookie.read(with_cookie(f"executor-8080=planted; {pair}")) is not None


def test_servers_on_other_ports_have_other_cookies() -> None:
    cookie = jar()
    pair = cookie.set_header(with_cookie(), cookie.new_sign_in("k", None)).partition(";")[0]
    assert cookie.read(with_cookie(pair, host="127.0.0.1:9090")) is None


def test_the_longest_credential_fits_what_browsers_take() -> None:
    cookie = jar(secure=True)
    header = cookie.set_header(with_cookie(), cookie.new_sign_in("x" * LONGEST_CREDENTIAL, "w" * 200))
    assert len(header.partition(";")[0]) <= 4096


def test_waiting_is_told_in_whole_seconds() -> None:
    assert dict(too_many(0.2).headers) == {"retry-after": "1"}
