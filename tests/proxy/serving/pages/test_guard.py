"""Forms: size, encoding, shape."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from proxy.limits import open_storage
from proxy.serving.http import Request
from proxy.serving.pages.guard import FORM_BYTES, Throttle, check_origin, one, read_form
from proxy.serving.pages.guard import Problem
from tests.proxy.serving.pages.support import FORM


def request(**headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "/login", {"host": "h:1", **named}, frozenset(), {}, "127.0.0.1", "r")


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_a_form_keeps_all_values_of_a_name() -> None:
    form = await read_form(
        request(content_type=f"{FORM}; charset=utf-8"), chunks(b"a=1&b=%C3%A9&", b"a=2&c=")
    )
    assert form == {"a": ("1", "2"), "b": ("é",), "c": ("",)}
    assert (one(form, "a"), one(form, "none")) == ("1", "")


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data; boundary=x", "application/json"])
async def test_other_encodings_are_refused(kind: str) -> None:
    with pytest.raises(Problem) as refused:
        await read_form(request(content_type=kind), chunks(b"a=1"))
    assert refused.value.status == 415


@pytest.mark.parametrize("body", [b"a=%ff", b"a=\xff", b"&".join(b"a=1" for _ in range(500))])
async def test_what_is_no_text_or_too_much_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        await read_form(request(content_type=FORM), chunks(body))
    assert refused.value.status == 400


async def test_a_large_form_is_refused_before_it_is_read_whole() -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x" * 8192

    with pytest.raises(Problem) as refused:
        await read_form(request(content_type=FORM), endless())
    assert refused.value.status == 413
    assert read * 8192 <= FORM_BYTES + 2 * 8192


def test_behind_https_a_plain_origin_of_the_same_host_is_foreign() -> None:
    check_origin(request(origin="https://h:1"), "https://h:1")
    with pytest.raises(Problem):
        check_origin(request(origin="http://h:1"), "https://h:1")


async def test_a_throttle_counts_each_key_alone() -> None:
    throttle = Throttle(open_storage(), "x", 2)
    await throttle.admit("a")
    await throttle.admit("a")
    await throttle.admit("b")
    with pytest.raises(Problem) as refused:
        await throttle.admit("a")
    assert refused.value.status == 429
