from __future__ import annotations

import base64
from typing import Any

import pytest

from integrations.base import Failure, Success
from integrations.http import HttpResponse
from integrations.http.responses import error_message, interpret


def answer(status: int, content_type: str, body: bytes, *more: tuple[str, str]) -> HttpResponse:
    headers = [("Content-Type", content_type)] if content_type else []
    return HttpResponse(status, headers + list(more), body, "https://api.example.com/")


READ: list[tuple[str, bytes, Any]] = [
    ("application/json", b'{"a":1,"b":[true,null]}', {"a": 1, "b": [True, None]}),
    ("application/json; charset=utf-8", '["é",2]'.encode(), ["é", 2]),
    ("application/vnd.acme.v2+json", b'{"vendor":true}', {"vendor": True}),
    ("application/json", b"42", 42),
    ("application/json", b"<html>not json</html>", "<html>not json</html>"),
    ("application/json", b'{"id":9007199254740993123456789}', {"id": 9007199254740993123456789}),
    ("application/json; charset=iso-8859-1", '"é"'.encode("latin-1"), "é"),
    ("text/plain; charset=iso-8859-1", "héllo".encode("latin-1"), "héllo"),
    ("text/plain; charset=nonsense", "é".encode(), "é"),
    ("text/html", b"<p>login</p>", "<p>login</p>"),
    ("application/xml", b"<a><b>1</b></a>", "<a><b>1</b></a>"),
    ("application/x-ndjson", b'{"n":1}\n\n{"n":2}\nnot json\n', [{"n": 1}, {"n": 2}, "not json"]),
    (
        "text/event-stream",
        b'event: a\nid: 7\ndata: {"n":1}\n\n: ping\n\ndata: x\ndata: y\n\n',
        [{"event": "a", "id": "7", "data": {"n": 1}}, {"data": "x\ny"}],
    ),
    ("application/json-seq", b'\x1e{"n":1}\n\x1e\n\x1enot json\n', [{"n": 1}, "not json"]),
    ("application/geo+json-seq", b'\x1e{"n":1}\n', [{"n": 1}]),
    ("application/json; charset=utf-16", '{"a":"é"}'.encode("utf-16"), {"a": "é"}),
    ("application/json", '{"a":"é"}'.encode("utf-16-le"), {"a": "é"}),
    ("application/json", b'\xef\xbb\xbf{"a":1}', {"a": 1}),
    (
        "application/json",
        b"[1e400,-1e999,1e308,12345678901234567890123]",
        ["1e400", "-1e999", 1e308, 12345678901234567890123],
    ),
    ("application/x-www-form-urlencoded", b"a=1&b=2", "a=1&b=2"),
    ("application/json", b"", None),
    ("", b'{"a":1}', {"a": 1}),
    ("", b"plain", "plain"),
]


@pytest.mark.parametrize(("content_type", "body", "data"), READ)
def test_bodies(content_type: str, body: bytes, data: Any) -> None:
    result = interpret(answer(200, content_type, body), "GET")
    assert isinstance(result, Success)
    assert result.data == data


@pytest.mark.parametrize("content_type", ["image/png", "application/octet-stream", ""])
def test_bytes_become_a_tool_file(content_type: str) -> None:
    name = ("Content-Disposition", 'attachment; filename="a.bin"')
    result = interpret(answer(200, content_type, b"\x00\xff", name), "GET")
    assert isinstance(result, Success)
    assert base64.b64decode(result.data["data"]) == b"\x00\xff"
    assert result.data["mimeType"] == (content_type or "application/octet-stream")
    assert result.data["byteLength"] == 2
    assert result.data["name"] == "a.bin"


@pytest.mark.parametrize(
    ("content_type", "body", "data"),
    [
        ("application/vnd.acme.v3", b'{"a":1}', {"a": 1}),
        ("application/octet-stream", b" [1]", [1]),
        ("text/plain", b'{"a":1}', {"a": 1}),
        ("text/plain", b"42", "42"),
        ("text/plain", b"{not json", "{not json"),
        ("application/xml", b"<a/>", "<a/>"),
    ],
)
def test_what_is_declared_as_data_is_data_where_it_is_json(content_type: str, body: bytes, data: Any) -> None:
    result = interpret(answer(200, content_type, body), "GET", structured=True)
    assert isinstance(result, Success)
    assert result.data == data


def test_declared_data_that_is_none_stays_a_file() -> None:
    result = interpret(answer(200, "application/vnd.acme.v3", b"{\xff"), "GET", structured=True)
    assert isinstance(result, Success)
    assert result.data["mimeType"] == "application/vnd.acme.v3"


def test_a_sequence_that_was_cut_ends_with_its_last_whole_text() -> None:
    response = HttpResponse(
        200, [("Content-Type", "application/json-seq")], b"\x1e1\n\x1e2", "https://x/", truncated=True
    )
    assert interpret(response, "GET").as_json()["data"] == [1]


def test_head_and_204_are_null() -> None:
    assert interpret(answer(204, "", b""), "DELETE").as_json()["data"] is None
    assert interpret(answer(200, "application/json", b""), "HEAD").as_json()["data"] is None


def test_only_headers_that_matter_are_shown() -> None:
    link = ("Link", '<http://x/?page=2>; rel="next"')
    limits = (("X-RateLimit-Left", "1"), ("x-ratelimit-left", "2"))
    noise = (("Set-Cookie", "s=1"), ("Server", "x"), ("Authorization", "secret"), ("Vary", "Accept"))
    result = interpret(answer(200, "text/plain", b"", link, *limits, *noise), "GET")
    assert isinstance(result, Success)
    assert result.http is not None
    assert result.http.headers == {"link": link[1], "x-ratelimit-left": "1, 2"}


FAILURES: list[tuple[int, str, bytes, str, str, bool]] = [
    (
        404,
        "application/json",
        b'{"message":"Not Found","code":17}',
        "upstream_http_error",
        "Not Found",
        False,
    ),
    (
        422,
        "application/problem+json",
        b'{"title":"Invalid","detail":"name is required"}',
        "upstream_http_error",
        "name is required",
        False,
    ),
    (500, "text/html", b"<h1>oops</h1>", "upstream_http_error", "oops", False),
    (503, "text/plain", b"down", "upstream_http_error", "down", True),
    (408, "", b"", "upstream_http_error", "no further explanation", True),
    (
        401,
        "application/json",
        b'{"error":{"message":"bad credentials"}}',
        "connection_rejected",
        "bad credentials",
        False,
    ),
    (403, "application/json", b'{"errors":[{"message":"no"}]}', "connection_rejected", "no", False),
]


@pytest.mark.parametrize(("status", "content_type", "body", "code", "message", "retryable"), FAILURES)
def test_failures(
    status: int, content_type: str, body: bytes, code: str, message: str, retryable: bool
) -> None:
    result = interpret(answer(status, content_type, body), "GET")
    assert isinstance(result, Failure)
    assert (result.code, result.status, result.retryable) == (code, status, retryable)
    assert result.message == f"HTTP {status}: {message}"


def test_large_error_bodies_are_cut() -> None:
    result = interpret(answer(500, "application/json", b'{"x":"' + b"y" * 50_000 + b'"}'), "GET")
    assert isinstance(result, Failure)
    assert len(result.details["body"]) < 20_000


def test_error_message_gives_up_on_nonsense() -> None:
    assert error_message({"error": {"error": {"error": {"error": {"error": {"error": "deep"}}}}}}) == ""
    assert error_message(7) == ""


@pytest.mark.parametrize(
    ("status", "remaining", "code", "retryable", "wait"),
    [
        (403, "0", "upstream_http_error", True, 7000),
        (403, "5", "connection_rejected", False, None),
        (401, "0", "connection_rejected", False, 7000),
        (429, "5", "upstream_http_error", True, 7000),
        (500, "5", "upstream_http_error", False, None),
    ],
)
def test_a_used_up_limit_says_when_to_come_back(
    status: int, remaining: str, code: str, retryable: bool, wait: int | None
) -> None:
    limits = (("X-RateLimit-Remaining", remaining), ("X-RateLimit-Reset", "7"))
    result = interpret(answer(status, "application/json", b"{}", *limits), "GET")
    assert isinstance(result, Failure)
    assert result.details is not None
    assert (result.code, result.retryable, result.details.get("retryAfterMs")) == (code, retryable, wait)
