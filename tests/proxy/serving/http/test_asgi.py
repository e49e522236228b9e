from __future__ import annotations

from typing import Any

import pytest

from proxy.serving.http.asgi import HttpReceiver, HttpReply, HttpRequest, read_body, read_object
from proxy.serving.http.errors import RequestRefusal


def scope(*headers: tuple[str, str], query: bytes = b"") -> dict[str, Any]:
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return {
        "method": "POST",
        "path": "/mcp",
        "headers": raw,
        "query_string": query,
        "client": ("10.0.0.1", 5),
    }


def messages(*bodies: bytes, end: bool = True) -> HttpReceiver:
    waiting = [{"type": "http.request", "body": body, "more_body": True} for body in bodies]
    if end:
        waiting.append({"type": "http.request", "body": b"", "more_body": False})
    waiting.append({"type": "http.disconnect"})

    async def receive() -> Any:
        return waiting.pop(0)

    return HttpReceiver(receive)


def test_request_folds_headers_and_query() -> None:
    request = HttpRequest.of(scope(("Host", "a"), ("X-A", " 1 "), ("x-a", "2"), query=b"a=1&a=1&b="))
    assert request.headers == {"host": "a", "x-a": "2"}
    assert request.repeated == {"x-a"}
    assert request.query == {"a": "1", "b": ""}
    assert request.peer_ip == "10.0.0.1"
    request.refuse_repeated()


def test_a_query_parameter_with_two_values_is_ambiguous() -> None:
    request = HttpRequest.of(scope(query=b"a=1&b=1&a=2&%62=2&c=&c="))
    assert request.ambiguous == {"a", "b"}
    with pytest.raises(RequestRefusal, match="`a` is given more than once") as caught:
        request.refuse_repeated()
    assert caught.value.fault.status == 400


def test_a_list_in_a_query_may_have_several_values() -> None:
    HttpRequest.of(scope(query=b"name%5B%5D=a&name[]=b")).refuse_repeated()


def test_too_many_query_fields_are_not_read() -> None:
    request = HttpRequest.of(scope(query=b"&".join(b"a%d=1" % number for number in range(65))))
    assert len(request.query) == 64


@pytest.mark.parametrize("name", ["authorization", "mcp-session-id", "x-api-key", "host", "content-type"])
def test_a_header_that_may_occur_once_is_refused_twice(name: str) -> None:
    with pytest.raises(RequestRefusal) as caught:
        HttpRequest.of(scope((name, "a"), (name, "a"))).refuse_repeated()
    assert caught.value.fault.status == 400


async def test_body_is_joined_and_the_inbox_knows_when_it_is_complete() -> None:
    inbox = messages(b"ab", b"c")
    assert await read_body(HttpRequest.of(scope()), inbox, 3) == b"abc"
    assert inbox.complete


async def test_body_limit_by_header_and_by_count() -> None:
    inbox = messages(b"abcd")
    with pytest.raises(RequestRefusal) as caught:
        await read_body(HttpRequest.of(scope(("content-length", "4"))), inbox, 3)
    assert caught.value.fault.status == 413
    assert not inbox.complete
    with pytest.raises(RequestRefusal):
        await read_body(HttpRequest.of(scope(("content-length", "junk"))), inbox, 3)


async def test_a_client_that_leaves_early_is_refused() -> None:
    with pytest.raises(RequestRefusal):
        await read_body(HttpRequest.of(scope()), messages(b"a", end=False), 3)


async def test_reply_writes_once_and_nothing_to_who_left() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    reply = HttpReply(send)
    reply.always("x-request-id", "r")
    await reply.json(200, b"{}")
    await reply.body(b"late")
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert (b"x-request-id", b"r") in sent[0]["headers"]
    odd = HttpReply(send)
    await odd.json(401, b"{}", {"www-authenticate": "a\r\nb: \u20ac"})
    assert (b"www-authenticate", b"a??b: ?") in sent.pop(-2)["headers"]
    sent.pop()
    gone = HttpReply(send)
    gone.gone = True
    await gone.json(200, b"{}")
    assert len(sent) == 2


def test_a_body_is_an_object_or_nothing() -> None:
    assert read_object(b" \n") == {}
    assert read_object(b'{"a": 1}') == {"a": 1}
    for raw in (b"[]", b"1", b"nope", b'{"a": NaN}', b"\xff"):
        with pytest.raises(RequestRefusal) as caught:
            read_object(raw)
        assert (caught.value.fault.status, caught.value.kind) == (400, "bad_request")
