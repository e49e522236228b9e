"""What the execution machine and a worker say to each other, as values.

A worker speaks exactly once for each message it is sent: `Blocked` when nothing can progress inside, `Done` at the
end. It is treated as hostile: everything it says is checked here, and a wrong word raises `ProtocolError`. What it was
told to keep (`SandboxLimits`) is counted here again: a worker that runs other code than ours keeps no limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from integrations.json_text import Fragment, read_json, write_json

ErrorKind = Literal["syntax", "error", "limit"]
_LEVELS = frozenset(("log", "info", "warn", "error", "debug"))
_KINDS = frozenset(("syntax", "error", "limit"))
# Characters. No address is longer, and journals, results and audit lines name the path of every call.
_LONGEST_PATH = 1000
MOST_CALLS = 10_000
"""Calls that one frame may hold, whatever the limits of its execution are."""
# A worker counts the text that JavaScript made; the same values written here may be a little longer.
_SLACK = 2
_SPARE_BYTES = 65_536


class ProtocolError(Exception):
    """A worker said something that no worker of ours says."""


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """Bounds enforced inside the worker; numbers of calls, and bytes of UTF-8."""

    calls: int = 1000
    parallel: int = 64
    log_bytes: int = 256 * 1024
    emit_bytes: int = 4 * 1024 * 1024
    argument_bytes: int = 1024 * 1024
    result_bytes: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StartMessage:
    """Begin an execution. `seed` is 32 bytes in hex; `now` is the virtual clock's start, milliseconds since 1970.

    `language` None: plain JavaScript runs as it is, anything that does not parse or that means something else
    in TypeScript goes through the transform first."""

    code: str
    seed: str
    now: float
    limits: SandboxLimits = SandboxLimits()
    language: Literal["js", "ts"] | None = None


@dataclass(frozen=True, slots=True)
class ResultDelivery:
    """The outcome of call `seq`: its envelope (an object, or its JSON as bytes), or {"throw": {name, message}}."""

    now: float
    seq: int
    result: dict[str, Any] | bytes


@dataclass(frozen=True, slots=True)
class TimerDelivery:
    """The clock reached `now`: every timer due by then fires, in order."""

    now: float


Delivery = ResultDelivery | TimerDelivery


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One inner call. Numbers are given in the order in which the code made the calls, from 0."""

    seq: int
    path: str
    args: dict[str, Any]


_MOST_FIELD_CHARACTERS: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class SandboxError:
    """Why the code failed; `line` and `column` count from 1 in the code as sent. `fields` is the JSON text of what the
    code put into the error beside that, or empty."""

    name: str
    message: str
    stack: str
    line: int | None
    column: int | None
    kind: ErrorKind
    fields: str = ""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Nothing can progress inside. `wake` is the virtual time of the earliest timer."""

    calls: tuple[ToolCall, ...]
    wake: float | None
    logs: tuple[tuple[str, str], ...]
    emits: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """The end. Exactly one of `error` and a value; `has_value` tells `return null` from no return.

    `calls` were made but never awaited by anything that finished: they have not been sent yet.
    """

    ok: bool
    value: Any
    has_value: bool
    error: SandboxError | None
    calls: tuple[ToolCall, ...]
    logs: tuple[tuple[str, str], ...]
    emits: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class NeedsTransform:
    """The code does not run as plain JavaScript. Answered by the pool, never seen by the machine."""


WorkerMessage = Blocked | Done


def encode_start(message: StartMessage) -> bytes:
    """The Start frame's payload."""
    limits = message.limits
    body: dict[str, Any] = {
        "t": "start",
        "code": message.code,
        "seed": message.seed,
        "now": message.now,
        "limits": {
            "calls": limits.calls,
            "parallel": limits.parallel,
            "logBytes": limits.log_bytes,
            "emitBytes": limits.emit_bytes,
            "argumentBytes": limits.argument_bytes,
            "resultBytes": limits.result_bytes,
        },
    }
    if message.language is not None:
        body["language"] = message.language
    return write_json(body)


def encode_deliver(deliveries: list[Delivery]) -> bytes:
    """The Deliver frame's payload. Envelopes given as bytes are passed through unread."""
    return write_json({"t": "deliver", "events": [_event(delivery) for delivery in deliveries]})


def _event(delivery: Delivery) -> dict[str, Any]:
    if isinstance(delivery, TimerDelivery):
        return {"now": delivery.now, "timer": True}
    result = delivery.result
    body = Fragment(result) if isinstance(result, bytes) else result
    return {"now": delivery.now, "seq": delivery.seq, "result": body}


def decode_message(
    payload: bytes, limits: SandboxLimits = SandboxLimits(), made: int = 0
) -> WorkerMessage | NeedsTransform:
    """Check a worker's frame, after `made` calls in earlier ones. Raises ProtocolError."""
    try:
        body = read_json(payload)
        _require(type(body) is dict, "an object")
        if b"\\ud" in payload:
            _print_safely(body)
        kind = body["t"]
        if kind != "transform":
            _keeps(payload, body, limits, made)
        if kind == "transform":
            return NeedsTransform()
        if kind == "blocked":
            return _blocked(body)
        if kind == "done":
            return _done(body)
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"a malformed message: {error}") from error
    raise ProtocolError("an unknown message")


def _keeps(payload: bytes, body: dict[str, Any], limits: SandboxLimits, made: int) -> None:
    """Raises ValueError when there is more in the frame than the worker was told to send."""
    calls: list[Any] = body["calls"]
    logs, emits = body["logs"], body["emits"]
    _require(type(calls) is list and type(logs) is list and type(emits) is list, "lists")
    _require(len(calls) <= min(limits.calls - made, MOST_CALLS), f"{len(calls)} calls after {made}")
    _require(len(logs) <= limits.log_bytes + _SPARE_BYTES, f"{len(logs)} lines of the console")
    # Nothing in a small frame is too large: nearly all of them end here.
    if len(payload) > limits.argument_bytes:
        for call in calls:
            _require(_fits(call["args"], limits.argument_bytes), "arguments of a call")
    if len(payload) > limits.emit_bytes:
        _require(_fits(emits, limits.emit_bytes), "emitted values")
    if len(payload) > limits.result_bytes and "value" in body:
        _require(_fits(body["value"], limits.result_bytes), "result")


def _fits(value: Any, limit: int) -> bool:
    return len(write_json(value)) <= _SLACK * limit + _SPARE_BYTES


def _print_safely(body: dict[str, Any]) -> None:
    """Half surrogate pairs stay in values; what is shown to people and written to logs gets U+FFFD instead."""
    for name in ("logs", "error"):
        if name in body:
            body[name] = _printable(body[name])
    for call in body.get("calls", ()):
        call["path"] = _printable(call["path"])


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list) else value


def _blocked(body: dict[str, Any]) -> Blocked:
    wake = body["wake"]
    _require(wake is None or type(wake) in (int, float), "wake")
    return Blocked(_calls(body), wake, _logs(body), _emits(body))


def _done(body: dict[str, Any]) -> Done:
    ok = body["ok"]
    _require(type(ok) is bool, "ok")
    error = None if ok else _error(body["error"])
    return Done(ok, body.get("value"), "value" in body, error, _calls(body), _logs(body), _emits(body))


def _error(body: dict[str, Any]) -> SandboxError:
    name, message, stack, kind = body["name"], body["message"], body["stack"], body["kind"]
    _require(type(name) is str and type(message) is str and type(stack) is str and kind in _KINDS, "error")
    line, column = body["line"], body["column"]
    _require((line is None or type(line) is int) and (column is None or type(column) is int), "place")
    fields = body.get("fields", "")
    _require(type(fields) is str and len(fields) <= _MOST_FIELD_CHARACTERS, "fields")
    return SandboxError(name, message, stack, line, column, kind, fields)


def _calls(body: dict[str, Any]) -> tuple[ToolCall, ...]:
    return tuple([_call(call) for call in body["calls"]])


def _call(body: dict[str, Any]) -> ToolCall:
    seq, path, args = body["seq"], body["path"], body["args"]
    _require(type(seq) is int and seq >= 0 and type(path) is str and type(args) is dict, "call")
    # No tool has `...` in its address, so what was cut off never makes it another one.
    return ToolCall(seq, path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}...", args)


def _logs(body: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple([_log(level, text) for level, text in body["logs"]])


def _log(level: Any, text: Any) -> tuple[str, str]:
    _require(level in _LEVELS and type(text) is str, "log")
    return level, text


def _emits(body: dict[str, Any]) -> tuple[Any, ...]:
    _require(type(body["emits"]) is list, "emits")
    return tuple(body["emits"])


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)
