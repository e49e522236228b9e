"""The worker's loop over a real socket, in a thread of the test."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from proxy.sandbox.engine import JsContext
from proxy.sandbox.frames import read_frame, write_frame
from proxy.sandbox.worker import EXIT_DONE, EXIT_PROTOCOL, WorkerLoop

LIMITS = {
    "calls": 10,
    "parallel": 4,
    "logBytes": 1000,
    "emitBytes": 1000,
    "argumentBytes": 10**6,
    "resultBytes": 10**6,
}
NewContext = Callable[[], JsContext]
CLOSED: Any = None


def start(code: str, **more: Any) -> dict[str, Any]:
    return {"t": "start", "code": code, "seed": "00" * 32, "now": 0, "limits": LIMITS} | more


def converse(
    new_context: NewContext, messages: list[Any], runs: int = 1, limit: int = 100_000
) -> tuple[int, list[Any]]:
    """Send each message, read each answer; then close. Gives the exit status and the answers."""
    ours, theirs = socket.socketpair()

    def serve() -> int:
        contexts = [new_context() for _ in range(runs)]
        return WorkerLoop(theirs.fileno(), max_message_bytes=limit, cpu_seconds=1000.0).serve(contexts)

    answers = []
    with ThreadPoolExecutor(1) as threads, theirs:
        with ours:
            status = threads.submit(serve)
            for message in messages:
                payload = (
                    message
                    if isinstance(message, bytes)
                    else json.dumps(message, separators=(",", ":")).encode()
                )
                write_frame(ours.fileno(), payload)
                if len(payload) <= limit:
                    frame = read_frame(ours.fileno(), 10**9)
                    answers.append(json.loads(frame) if frame else None)
        return status.result(10), answers


def test_several_runs_in_fresh_contexts(new_context: NewContext) -> None:
    status, answers = converse(
        new_context, [start("globalThis.x = 1; return 1"), start("return typeof x")], runs=2
    )
    assert status == EXIT_DONE
    assert [answer["value"] for answer in answers] == [1, "undefined"]


def test_a_transform_is_asked_for_once(new_context: NewContext) -> None:
    source = {"t": "source", "code": "\nreturn 7"}
    _, answers = converse(new_context, [start("const a: number = 7; return a"), source])
    assert answers[0] == {"t": "transform"}
    assert answers[1]["value"] == 7


def test_without_a_transform_the_engines_word_stands(new_context: NewContext) -> None:
    for code, word in (("let x = ;", "unexpected token"), ("f<string>(x)", "TypeScript")):
        _, answers = converse(new_context, [start(code), {"t": "source"}])
        assert answers[1]["error"]["kind"] == "syntax"
        assert word in answers[1]["error"]["message"]
    error = {"message": "Unexpected token", "line": 3, "column": 4}
    _, answers = converse(new_context, [start("let x: = 1"), {"t": "source", "error": error}])
    assert (answers[1]["error"]["line"], answers[1]["error"]["column"]) == (3, 4)
    _, answers = converse(new_context, [start("let x: = 1", language="js")])
    assert answers[0]["error"]["kind"] == "syntax"


def test_who_cannot_compile_typescript_says_so(new_context: NewContext) -> None:
    source = {"t": "source", "unavailable": "no memory for it"}
    begins = "This server cannot compile TypeScript: no memory for it. Send plain JavaScript, without types. "
    for code, ends in (
        ("f<string>(x)", "Nothing is wrong with the code."),
        ("const a: number = 7; return a", "Read as JavaScript: "),
        ("let x = ;", "Read as JavaScript: unexpected token"),
    ):
        _, answers = converse(new_context, [start(code), source])
        error = answers[1]["error"]
        assert (error["name"], error["kind"]) == ("TypeScriptUnavailableError", "error")
        assert error["message"].startswith(begins + ends), error
    # What is JavaScript needs no transform.
    _, answers = converse(new_context, [start("return 1")])
    assert answers[0]["value"] == 1


def test_typescript_can_be_demanded(new_context: NewContext) -> None:
    _, answers = converse(
        new_context, [start("return 1", language="ts"), {"t": "source", "code": "return 2"}]
    )
    assert answers[1]["value"] == 2


def test_frames_beyond_the_limit_end_it(new_context: NewContext) -> None:
    assert converse(new_context, [b"x" * 200], limit=100)[0] == EXIT_PROTOCOL


def test_answers_beyond_the_limit_are_failures(new_context: NewContext) -> None:
    _, answers = converse(new_context, [start("return 'x'.repeat(50000)")], limit=10_000)
    assert answers[0]["error"]["kind"] == "limit"
    assert "10000" in answers[0]["error"]["message"]


def test_deep_answers_are_failures(new_context: NewContext) -> None:
    _, answers = converse(new_context, [start("let o = []; for (let i = 0; i < 900; i++) o = [o]; return o")])
    assert "nested" in answers[0]["error"]["message"]
    _, answers = converse(new_context, [start("return Array(900).fill([])")])
    assert answers[0]["ok"]


def test_a_broken_environment_is_told_and_ends_it(new_context: NewContext) -> None:
    code = "Object.defineProperty(globalThis, 'dukpy', {value: 1}); await tools.x()"
    status, answers = converse(new_context, [start(code)], runs=3)
    assert status == EXIT_DONE
    assert "broke its own" in answers[0]["error"]["message"]


def test_closing_in_the_middle_is_a_quiet_end(new_context: NewContext) -> None:
    assert converse(new_context, [start("await tools.x()")])[0] == EXIT_DONE
