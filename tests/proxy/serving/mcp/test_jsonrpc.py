from __future__ import annotations

import json

import pytest

from proxy.serving.http.errors import RequestRefusal
from proxy.serving.mcp.jsonrpc import JsonRpcOutcome, encode, event, parse


def test_the_three_kinds() -> None:
    request = parse(b'{"jsonrpc":"2.0","id":"1","method":"ping","params":{"a":1}}')
    assert (request.kind, request.id, request.method, request.params) == ("request", "1", "ping", {"a": 1})
    note = parse(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
    assert (note.kind, note.id, note.params) == ("notification", None, None)
    assert parse(b'{"jsonrpc":"2.0","id":1,"result":{}}').kind == "response"
    assert parse(b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}}').kind == "response"


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"", -32700, "JSON"),
        (b"\xff", -32700, "JSON"),
        (b"[" * 2000, -32700, "JSON"),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, "batches"),
        (b"null", -32600, "one JSON-RPC object"),
        (b'{"id":1,"method":"ping"}', -32600, "jsonrpc"),
        (b'{"jsonrpc":"2.0","id":1}', -32600, "method"),
        (b'{"jsonrpc":"2.0","id":1,"method":""}', -32600, "method"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32600, "params"),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, "id"),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600, "id"),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600, "id"),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600, "id"),
    ],
)
def test_what_is_refused(body: bytes, code: int, words: str) -> None:
    with pytest.raises(RequestRefusal) as caught:
        parse(body)
    assert caught.value.fault.code == code
    assert words in caught.value.message


def test_outcomes_become_answers() -> None:
    assert json.loads(JsonRpcOutcome({"a": 1}).encode("x")) == {
        "jsonrpc": "2.0",
        "id": "x",
        "result": {"a": 1},
    }
    assert json.loads(JsonRpcOutcome(None, -1, "no").encode(3))["error"] == {"code": -1, "message": "no"}


def test_lone_surrogates_and_large_integers_are_written() -> None:
    assert json.loads(encode({"text": "\ud800"})) == {"text": "\ud800"}
    assert json.loads(encode({"n": 2**70})) == {"n": 2**70}


def test_an_event_is_one_data_line() -> None:
    lines = event({"text": "a\nb\u2028"}).decode().split("\n")
    assert lines[0] == "event: message"
    assert lines[1].startswith("data: {")
    assert lines[2:] == ["", ""]


def test_a_body_that_is_nested_too_deep_says_so() -> None:
    with pytest.raises(RequestRefusal, match="The JSON of the body is nested more than 180 levels deep"):
        parse(b'{"jsonrpc":"2.0","method":"x","params":' + b"[" * 5_000 + b"]" * 5_000 + b"}")
