from __future__ import annotations

from typing import Any

import orjson
import pytest

from proxy.sandbox.messages import (
    MOST_CALLS,
    Blocked,
    Done,
    NeedsTransform,
    ProtocolError,
    ResultDelivery,
    SandboxLimits,
    StartMessage,
    TimerDelivery,
    ToolCall,
    decode_message,
    encode_deliver,
    encode_start,
)

ERROR = {"name": "E", "message": "m", "stack": "", "line": 1, "column": None, "kind": "error"}
TAIL: dict[str, Any] = {"calls": [], "logs": [], "emits": []}


def decode(**body: Any) -> Any:
    return decode_message(orjson.dumps(body))


def test_what_is_sent() -> None:
    start = orjson.loads(encode_start(StartMessage("1", "00" * 32, 5.0, language="ts")))
    assert (start["t"], start["code"], start["now"], start["language"]) == ("start", "1", 5.0, "ts")
    assert start["limits"]["parallel"] == 64
    assert "language" not in orjson.loads(encode_start(StartMessage("1", "", 0.0)))
    frame = encode_deliver(
        [ResultDelivery(1.0, 3, b'{"ok":true}'), ResultDelivery(1.0, 4, {"ok": False}), TimerDelivery(9.0)]
    )
    assert orjson.loads(frame)["events"] == [
        {"now": 1.0, "seq": 3, "result": {"ok": True}},
        {"now": 1.0, "seq": 4, "result": {"ok": False}},
        {"now": 9.0, "timer": True},
    ]
    assert frame.startswith(b'{"t":"deliver","events":')  # the worker's fast path reads exactly this


def test_what_is_understood() -> None:
    call = {"seq": 0, "path": "a.b", "args": {"x": 1}}
    assert decode(
        t="blocked", wake=5, **TAIL | {"calls": [call], "logs": [["log", "hi"]], "emits": [None]}
    ) == Blocked((ToolCall(0, "a.b", {"x": 1}),), 5, (("log", "hi"),), (None,))
    done = decode(t="done", ok=True, value=None, **TAIL)
    assert isinstance(done, Done)
    assert done.has_value
    assert done.value is None
    assert not decode(t="done", ok=True, **TAIL).has_value
    assert decode(t="done", ok=False, error=ERROR, **TAIL).error.name == "E"
    assert decode(t="transform") == NeedsTransform()


@pytest.mark.parametrize(
    "body",
    [
        {"t": "other"},
        {},
        {"t": "blocked", **TAIL},
        {"t": "blocked", "wake": "5", **TAIL},
        {"t": "blocked", "wake": None, **TAIL, "calls": [{"seq": -1, "path": "a", "args": {}}]},
        {"t": "blocked", "wake": None, **TAIL, "calls": [{"seq": True, "path": "a", "args": {}}]},
        {"t": "blocked", "wake": None, **TAIL, "calls": [{"seq": 0, "path": 1, "args": {}}]},
        {"t": "blocked", "wake": None, **TAIL, "calls": [{"seq": 0, "path": "a", "args": []}]},
        {"t": "blocked", "wake": None, **TAIL, "calls": 5},
        {"t": "blocked", "wake": None, **TAIL, "logs": [["fatal", "x"]]},
        {"t": "blocked", "wake": None, **TAIL, "logs": [["log", 1]]},
        {"t": "blocked", "wake": None, **TAIL, "logs": [[]]},
        {"t": "blocked", "wake": None, **TAIL, "emits": {}},
        {"t": "done", "ok": 1, **TAIL},
        {"t": "done", "ok": False, "error": {**ERROR, "kind": "other"}, **TAIL},
        {"t": "done", "ok": False, "error": {**ERROR, "fields": {"code": 5}}, **TAIL},
        {"t": "done", "ok": False, "error": {**ERROR, "fields": "x" * 20_000}, **TAIL},
        {"t": "done", "ok": False, "error": {**ERROR, "line": "1"}, **TAIL},
        {"t": "done", "ok": False, **TAIL},
    ],
)
def test_a_wrong_word_is_a_protocol_error(body: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        decode_message(orjson.dumps(body))


@pytest.mark.parametrize("payload", [b"", b"[]", b"1", b"{", b"[" * 2000, b"\xff"])
def test_garbage_is_a_protocol_error(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_message(payload)


def test_t22_the_path_of_a_call_is_cut_to_what_an_address_may_be() -> None:
    understood = decode(
        t="blocked", wake=None, **{**TAIL, "calls": [{"seq": 0, "path": "x" * 9999, "args": {}}]}
    )
    assert understood.calls == (ToolCall(0, "x" * 1000 + "...", {}),)


SMALL = SandboxLimits(calls=5, log_bytes=100, emit_bytes=100, argument_bytes=100, result_bytes=100)
WIDE = "x" * 300_000


@pytest.mark.parametrize(
    ("what", "body", "made"),
    [
        ("calls", {"calls": [{"seq": n, "path": "a", "args": {}} for n in range(6)]}, 0),
        ("calls", {"calls": [{"seq": n, "path": "a", "args": {}} for n in range(3)]}, 3),
        ("arguments", {"calls": [{"seq": 0, "path": "a", "args": {"x": WIDE}}]}, 0),
        ("arguments", {"calls": [{"seq": 0, "path": "a", "args": {str(n): n for n in range(30_000)}}]}, 0),
        ("emitted", {"emits": [WIDE]}, 0),
        ("emitted", {"emits": [[] for _ in range(90_000)]}, 0),
        ("lines", {"logs": [["log", ""]] * 90_000}, 0),
        ("result", {"t": "done", "ok": True, "value": WIDE}, 0),
    ],
)
def test_a_worker_that_keeps_no_limit_is_found_out(what: str, body: dict[str, Any], made: int) -> None:
    """Only other code than ours sends these: the worker refuses them first."""
    with pytest.raises(ProtocolError, match=what):
        decode_message(orjson.dumps({"t": "blocked", "wake": None, **TAIL, **body}), SMALL, made)


def test_a_frame_holds_no_more_calls_than_a_frame_may_whatever_the_execution_may_make() -> None:
    generous = SandboxLimits(calls=1_000_000)
    for count, fine in ((MOST_CALLS, True), (200_000, False)):
        calls = [{"seq": n, "path": "a", "args": {}} for n in range(count)]
        payload = orjson.dumps({"t": "blocked", "wake": None, **TAIL, "calls": calls})
        if fine:
            decode_message(payload, generous)
        else:
            with pytest.raises(ProtocolError, match="200000 calls"):
                decode_message(payload, generous)


def test_what_an_honest_worker_sends_at_its_limits_is_understood() -> None:
    calls = [{"seq": n, "path": "a", "args": {"x": "y" * 80}} for n in range(5)]
    body = {
        "t": "done",
        "ok": True,
        "value": "v" * 98,
        "calls": calls,
        "logs": [["log", "l" * 100]],
        "emits": ["e" * 98],
    }
    understood = decode_message(orjson.dumps(body), SMALL)
    assert isinstance(understood, Done)
    assert len(understood.calls) == 5
