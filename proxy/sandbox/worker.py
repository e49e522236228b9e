"""The worker's side of the exchange: read a frame, run JavaScript, answer with one frame. Runs in the forked child.

The worker makes no sense of tool calls. It speaks once for each frame it was sent, and then waits.
"""

from __future__ import annotations

import json
import re
from _socket import AF_UNIX, SOCK_STREAM, socketpair
from signal import ITIMER_PROF, setitimer
from typing import Any

from proxy.sandbox.engine import EngineFailed, JsContext
from proxy.sandbox.frames import MAX_DEPTH, FrameTooLarge, read_frame, write_frame
from proxy.sandbox.moved import place_as_sent
from proxy.sandbox.places import locate, locate_call, locate_for_await, locate_unnoted, named
from proxy.sandbox.recovery import Recovered, place_at, recover, unshifted
from proxy.sandbox.redefinitions import SAID, SAID_OF_PARAMETERS, duplicate_parameter, redefinition
from proxy.sandbox.spreads import spread_promise
from proxy.sandbox.statements import SyntaxRefusal

EXIT_DONE = 0
EXIT_MEMORY = 78
EXIT_HARDENING = 79
EXIT_PROTOCOL = 80
# In place of a wait status, and none: the system did not let the zygote fork.
NO_FORK = 0x10000

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"')
_AS_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_AS_ZERO = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 16
_TWO_UNITS = re.compile("[\U00010000-\U0010ffff]")  # in JavaScript, which counts UTF-16
_SAFE_INTEGER = 2**53 - 1
_REHEARSALS = 24
_REHEARSED = (
    b'{"t":"start","code":"const r = await tools.a.b({x: 1, y: [`${2}`, /3/]});\\nif (r.ok) { return [...r.data] }",'
    b'"seed":"00","now":0,"limits":{"calls":9,"parallel":9,"logBytes":9}}'
)
_DONE = b'{"t":"done","ok":true}'
_DELIVERED = b'{"t":"deliver","events":[{"now":0,"seq":0,"result":{"ok":true,"data":[]}}]}'
_NOT_ITERABLE = "the value that `for await` or `yield*` reads is not iterable"
_MEMORY = "The code used more memory than the sandbox allows (its JavaScript heap ends at 128 MiB)."


class WorkerLoop:
    """Serves executions on the socket `fd`, each in a context of its own, until the other side closes it."""

    def __init__(self, fd: int, *, max_message_bytes: int, cpu_seconds: float) -> None:
        self._fd = fd
        self._max = max_message_bytes
        self._cpu_seconds = cpu_seconds
        self._sent = self._running = ""

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
            # A forked process pays for every page when it first writes to it; better now than when somebody waits.
            context.rehearse()
            frame = self._read()
            if frame is None:
                return EXIT_DONE
            # The timer counts CPU time and kills with SIGPROF, whose cause the zygote reports as "cpu".
            setitimer(ITIMER_PROF, self._cpu_seconds)
            if not self._execute(context, frame):
                return EXIT_DONE
            setitimer(ITIMER_PROF, 0.0)
            # To free what is small costs more than to leave it: every page of the context's would first become ours.
            if contexts and context.has_grown:
                context.close()
        return EXIT_DONE

    def _execute(self, context: JsContext, frame: bytes) -> bool:
        """One execution. False: the other side closed, or the context is broken; serve no further one."""
        start = json.loads(frame)
        self._sent = self._running = start["code"]
        events = start_events(start)
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
            if not following.startswith(b'{"t":"deliver"'):
                self._running = json.loads(following).get("code", "")

    def _answer(self, payload: bytes) -> bool:
        """Send the frame; False when it was the last one of this execution."""
        if payload.startswith(b'{"t":"done","ok":false'):
            payload = located(payload, self._sent, self._running)
        why = self._unsendable(payload)
        if why is not None:
            self._send(_failure("ResultLimitError", why))
            return False
        self._send(payload)
        return not payload.startswith(b'{"t":"done"')

    def _unsendable(self, payload: bytes) -> str | None:
        if len(payload) > self._max:
            return f"One message of the sandbox has {len(payload)} bytes; the limit is {self._max}."
        if is_deeper(payload, MAX_DEPTH) and _holds_deeper(payload):
            return f"A value is nested more than {MAX_DEPTH} levels deep."
        return None

    def _send(self, payload: bytes) -> None:
        write_frame(self._fd, payload)

    def _read(self) -> bytes | None:
        return read_frame(self._fd, self._max)


def rehearse(context: JsContext) -> None:
    """Do in the zygote what a worker will do, until caches are full and code is specialised: no worker then needs to
    write that into pages of its own. Has no effect on the context that a script could see."""
    ours, theirs = socketpair(AF_UNIX, SOCK_STREAM)
    worker = WorkerLoop(theirs.fileno(), max_message_bytes=1 << 20, cpu_seconds=10.0)
    for _ in range(_REHEARSALS):
        context.rehearse()
        write_frame(ours.fileno(), _REHEARSED)
        start_events(json.loads(worker._read() or b""))
        following_events(_DELIVERED)
        worker._answer(_DONE)
        read_frame(ours.fileno(), 1 << 20)
    ours.close()
    theirs.close()


def start_events(start: dict[str, Any]) -> bytes:
    """The Start message as events for the prelude."""
    language = start.get("language")
    recovered = recover(start["code"])
    typed = language == "ts" or (language is None and recovered.typed)
    event = _code(recovered) | {
        "syntax": _blamed(recovered, recovered.refusal),
        "mayTransform": language != "js",
        "mustTransform": typed,
        "callDefault": recovered.default,
        "lacking": None if recovered.refusal else _blamed(recovered, recovered.unknown),
        "shifts": recovered.shifts,
        "spread": spread_promise(recovered),
        "seed": start["seed"],
        "now": start["now"],
        "limits": start["limits"],
    }
    return json.dumps([event]).encode()


def following_events(frame: bytes) -> bytes:
    """A later message as events for the prelude."""
    # Fast path: nearly every frame is a delivery without large integers, and goes to the engine unread.
    if frame.startswith(b'{"t":"deliver","events":') and _LONG_NUMBER not in frame.translate(_AS_ZERO):
        return frame[len(b'{"t":"deliver","events":') : -1]
    message = json.loads(frame)
    if message["t"] == "source":
        return _source_events(message)
    for event in message["events"]:
        found: list[tuple[list[str | int], str]] = []
        _find_big(event, [], found)
        if found:
            event["big"] = found
    return json.dumps(message["events"]).encode()


def _code(recovered: Recovered) -> dict[str, Any]:
    source, expression, at = recovered.source, recovered.expression, recovered.tail
    tail = None
    if at is not None:
        line, column = place_at(source, at)
        tail = {"at": at + len(_TWO_UNITS.findall(source, 0, at)), "line": line, "column": column}
    return {
        "source": source,
        "expression": None if expression == source else expression,
        "call": recovered.call,
        "first": recovered.first,
        "tail": tail,
        "declares": recovered.declares,
    }


def _blamed(recovered: Recovered, found: SyntaxRefusal | None) -> dict[str, Any] | None:
    if found is None:
        return None
    line, column = unshifted(place_at(recovered.source, found.offset), recovered.shifts)
    return {"message": found.message, "line": line, "column": column}


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


def _holds_deeper(payload: bytes) -> bool:
    """Whether a value in a message, taken for itself, is nested too deep."""
    try:
        message = json.loads(payload)
    except RecursionError:
        return True
    values = [message.get("value"), *message["emits"], *(call["args"] for call in message["calls"])]
    return any(is_deeper(json.dumps(value).encode(), MAX_DEPTH) for value in values)


def located(payload: bytes, sent: str, running: str) -> bytes:
    """A failure with its exact place, or the line from which on to look for it."""
    message = json.loads(payload)
    error = message["error"]
    near, thrower = error.pop("near", None), error.pop("by", None)
    if error["message"].startswith(SAID):
        found = redefinition(recover(sent))
        if found is not None:
            name, (error["line"], error["column"]) = found
            error["message"] = f"{SAID} of {name}: it is declared before in the same block"
    elif error["message"].startswith(SAID_OF_PARAMETERS):
        found = duplicate_parameter(recover(sent))
        if found is not None:
            name, (error["line"], error["column"]) = found
            error["message"] = f"two parameters of one function are called {name}"
    if thrower is None:
        return json.dumps(message, separators=(",", ":")).encode()
    original = recover(sent)
    code = recover(running)._replace(shifts=original.shifts)
    if near is None and error["line"] is None:
        _locate_unnoted(error, original, code)
        return json.dumps(message, separators=(",", ":")).encode()
    noted = (near[0], near[1]) if near else (error["line"], error["column"])
    loop = locate_for_await(code, noted) if error["message"] == "not a function" else None
    if loop is not None:
        place, line = loop
        error["message"] = _NOT_ITERABLE if place else f"{error['message']}, or {_NOT_ITERABLE}"
    elif near:
        place, line = locate(code, error["message"], noted)
    else:
        place, line = locate_call(code, error["message"], thrower, noted)
    if place is not None and running != sent:
        place, line = place_as_sent(original, code, place)
    _tell(error, place, line)
    if place is not None and thrower == "TypeError" and error["message"] == "not a function":
        error["message"] = named(original, place)
    where = f"agent.ts:{place[0]}:{place[1]}" if place else f"agent.ts, in or after line {line}"
    said = f"agent.ts, near line {noted[0]}" if near else f"agent.ts:{noted[0]}:{noted[1]}"
    error["stack"] = error["stack"].replace(said, where, 1)
    return json.dumps(message, separators=(",", ":")).encode()


def _locate_unnoted(error: dict[str, Any], sent: Recovered, running: Recovered) -> None:
    found = locate_unnoted(running, error["message"])
    if found is not None:
        place, line = found
        if place is not None and running.source != sent.source:
            place, line = place_as_sent(sent, running, place)
        _tell(error, place, line)


def _tell(error: dict[str, Any], place: tuple[int, int] | None, line: int) -> None:
    if place is None:
        error["message"] += f" (in or after line {line})"
    error["line"], error["column"] = place or (None, None)


def is_deeper(payload: bytes, depth: int) -> bool:
    """Whether JSON text is nested more than `depth` levels deep."""
    if payload.count(b"[") + payload.count(b"{") <= depth:
        return False
    brackets = _STRINGS.sub(b"", payload).translate(_AS_SQUARE, _NO_BRACKET)
    for _ in range(depth):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")  # takes away the innermost level
    return bool(brackets)


def _broken(why: str) -> bytes:
    if why == "null" or "out of memory" in why or "aborted pending jobs" in why:
        return _failure("MemoryLimitError", _MEMORY)
    return _failure("Error", f"The code broke its own JavaScript environment: {why[:500]}", kind="error")


def _failure(name: str, message: str, kind: str = "limit") -> bytes:
    error = {"name": name, "message": message, "stack": "", "line": None, "column": None, "kind": kind}
    done = {"t": "done", "ok": False, "error": error, "calls": [], "logs": [], "emits": []}
    return json.dumps(done, separators=(",", ":")).encode()
