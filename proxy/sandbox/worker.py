"""The worker's side of the exchange: read a frame, run JavaScript, answer with one frame. Runs in the forked child.

The worker makes no sense of tool calls. It speaks once for each frame it was sent, and then waits.
"""

from __future__ import annotations

import json
import re
from signal import ITIMER_PROF, setitimer
from typing import Any

from proxy.sandbox.engine import EngineFailed, JsContext
from proxy.sandbox.frames import MAX_DEPTH, FrameTooLarge, read_frame, write_frame
from proxy.sandbox.recovery import Recovered, recover

EXIT_DONE = 0
EXIT_MEMORY = 78
EXIT_HARDENING = 79
EXIT_PROTOCOL = 80

_LONG_NUMBER = re.compile(r"\d{16}")
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]')
_SURROGATE = re.compile(r"\\\\|\\ud[89a-f][0-9a-f]{2}")
_SAFE_INTEGER = 2**53 - 1
_MEMORY = "The code used more memory than the sandbox allows (its JavaScript heap ends at 128 MiB)."


class WorkerLoop:
    """Serves executions on the socket `fd`, each in a context of its own, until the other side closes it."""

    def __init__(self, fd: int, *, max_message_bytes: int, cpu_seconds: float) -> None:
        self._fd = fd
        self._max = max_message_bytes
        self._cpu_seconds = cpu_seconds

    def serve(self, contexts: list[JsContext]) -> int:
        """Run one execution in each of these unused contexts. Returns the exit status."""
        try:
            return self._serve(contexts)
        except FrameTooLarge:
            return EXIT_PROTOCOL
        except MemoryError:
            return EXIT_MEMORY

    def _serve(self, contexts: list[JsContext]) -> int:
        while contexts:
            context = contexts.pop()
            _rehearse(context)
            frame = self._read()
            if frame is None:
                return EXIT_DONE
            # The timer counts CPU time and kills with SIGPROF, whose cause the zygote reports as "cpu".
            setitimer(ITIMER_PROF, self._cpu_seconds)
            if not self._execute(context, frame):
                return EXIT_DONE
            setitimer(ITIMER_PROF, 0.0)
        return EXIT_DONE

    def _execute(self, context: JsContext, frame: bytes) -> bool:
        """One execution. False: the other side closed, or the context is broken; serve no further one."""
        events = start_events(json.loads(frame))
        while True:
            try:
                answer = context.feed(events)
            except EngineFailed as error:
                self._send(_broken(str(error)))
                return False
            if not self._answer(answer):
                return True
            following = self._read()
            if following is None:
                return False
            events = following_events(following)

    def _answer(self, text: str) -> bool:
        """Send the frame; False when it was the last one of this execution."""
        if "\\ud" in text:  # half a surrogate pair, which strict readers of JSON refuse
            text = _SURROGATE.sub(lambda found: "\\ufffd" if found[0] != "\\\\" else found[0], text)
        payload = text.encode("utf-8", "replace")
        why = self._unsendable(text, len(payload))
        if why is not None:
            self._send(_failure("ResultLimitError", why))
            return False
        self._send(payload)
        return not text.startswith('{"t":"done"')

    def _unsendable(self, text: str, size: int) -> str | None:
        if size > self._max:
            return f"One message of the sandbox has {size} bytes; the limit is {self._max}."
        if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
            return f"A value is nested more than {MAX_DEPTH} levels deep."
        return None

    def _send(self, payload: bytes) -> None:
        write_frame(self._fd, payload)

    def _read(self) -> bytes | None:
        return read_frame(self._fd, self._max)


def _rehearse(context: JsContext) -> None:
    # A forked process pays for every page when it first writes to it; better now than when somebody waits.
    start_events({"code": "return 1", "seed": "", "now": 0, "limits": {}})
    context.rehearse()


def start_events(start: dict[str, Any]) -> bytes:
    """The Start message as events for the prelude."""
    language = start.get("language")
    recovered = recover(start["code"])
    typed = language == "ts" or (language is None and recovered.typed)
    event = _code(recovered) | {
        "mayTransform": language != "js",
        "mustTransform": typed,
        "seed": start["seed"],
        "now": start["now"],
        "limits": start["limits"],
    }
    return json.dumps([event]).encode()


def following_events(frame: bytes) -> bytes:
    """A later message as events for the prelude."""
    text = frame.decode()
    # Fast paths: nearly every frame is a delivery without large integers, and goes to the engine unread.
    if text.startswith('{"t":"deliver","events":') and not _LONG_NUMBER.search(text):
        return frame[len('{"t":"deliver","events":') : -1]
    message = json.loads(text)
    if message["t"] == "source":
        return _source_events(message)
    for event in message["events"]:
        found: list[tuple[list[str | int], str]] = []
        _find_big(event, [], found)
        if found:
            event["big"] = found
    return json.dumps(message["events"]).encode()


def _code(recovered: Recovered) -> dict[str, Any]:
    source, expression, call, _, first = recovered
    return {
        "source": source,
        "expression": None if expression == source else expression,
        "call": call,
        "first": first,
    }


def _source_events(message: dict[str, Any]) -> bytes:
    """The transform's answer: code, or an error, or nothing where it is not available."""
    if "code" in message:
        recovered = recover(message["code"])
        return json.dumps([_code(recovered)]).encode()
    told = {"syntax": message.get("error"), "unavailable": message.get("unavailable")}
    return json.dumps([{"source": None, **told}]).encode()


def _find_big(value: Any, path: list[str | int], found: list[tuple[list[str | int], str]]) -> None:
    if isinstance(value, int) and not -_SAFE_INTEGER <= value <= _SAFE_INTEGER:
        found.append((path, str(value)))
    elif isinstance(value, dict):
        for key, item in value.items():
            _find_big(item, [*path, key], found)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _find_big(item, [*path, index], found)


def _depth(text: str) -> int:
    depth = deepest = 0
    for found in _BRACKET.finditer(text):
        char = found.group()
        if char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
    return deepest


def _broken(why: str) -> bytes:
    if why == "null" or "out of memory" in why or "aborted pending jobs" in why:
        return _failure("MemoryLimitError", _MEMORY)
    return _failure("Error", f"The code broke its own JavaScript environment: {why[:500]}", kind="error")


def _failure(name: str, message: str, kind: str = "limit") -> bytes:
    error = {"name": name, "message": message, "stack": "", "line": None, "column": None, "kind": kind}
    done = {"t": "done", "ok": False, "error": error, "calls": [], "logs": [], "emits": []}
    return json.dumps(done, separators=(",", ":")).encode()
