"""TypeScript to JavaScript, positions kept. Runs in a process of its own.

The transform is OXC, compiled to WebAssembly, from the package quickjs-rs. Its compiled form is kept in a
sealed memory file that the proxy holds, so that only the first process of a server pays for compiling it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from signal import SIG_IGN, SIGHUP, SIGINT, SIGTERM, signal
from typing import Any

from proxy.sandbox.compiled_transform import complete, is_complete
from proxy.sandbox.frames import read_frame, write_frame
from proxy.sandbox.hardening import SOCKET_FD, Hardener
from proxy.sandbox.recovery import recover
from proxy.sandbox.relayout import place, relayout
from proxy.sandbox.tokens import Token, Tokens

Oxc = Callable[[str], str]

_WRAPS = (("(", ")"), ("{", "}"))
_OPENING = "async()=>"
_PROBE = "\x01"
_PROBE_SEEN = (f"Invalid Character `{_PROBE}`", "but found `Unknown`")
_CLOSERS = (")", "]", "}")
_MEMORY_BYTES = 512 * 1024 * 1024
_CPU_SECONDS = 3600.0
_MAX_REQUEST_BYTES = 16 * 1024 * 1024
_NAMES_KEYWORD = re.compile(r"^(?:A '|`|Unexpected )(yield|await|new)\b")
_PREFIX = "source parse error in agent.ts: "


class TransformFailed(Exception):
    """The code is not TypeScript; the message is the parser's."""


def answer(code: str, oxc: Oxc) -> dict[str, Any]:
    """The `source` message for a worker: {"code"} or {"error": {message, line, column}}."""
    recovered = recover(code)
    failures: list[tuple[str, str]] = []
    for opening, closing in _WRAPS:
        source = recovered.expression if opening == "(" else recovered.source
        lifted, namespaces = _lift_namespaces(source)
        try:
            output = oxc(f"{_OPENING}{opening}{lifted}\n{closing}")
            for index, text in enumerate(namespaces):
                output = output.replace(_stand_in(index) + ";", oxc(text), 1)
        except TransformFailed as error:
            failures.append((opening, str(error)))
        else:
            return {"t": "source", "code": _restore(source, output, opening)}
    return {"t": "source", "error": _furthest(recovered.source, failures, oxc)}


def _restore(source: str, output: str, opening: str) -> str:
    """Take the wrapper off the output, and put what is left where it stood."""
    items = Tokens(output).items
    # async ( ) => { ... } ;   or   async ( ) => ... ;
    inner = items[5:-2] if opening == "{" else items[4:-1]
    return relayout(source, Tokens(source).items, output, inner)


def _furthest(source: str, failures: list[tuple[str, str]], oxc: Oxc) -> dict[str, Any]:
    """The error of the attempt that got further, with its place."""
    tokens = Tokens(source)
    items = tokens.items
    starts = [start for _, _, start in items]
    ends = starts[-1] + len(items[-1][1]) if items else 0
    strays = (k for k, item in enumerate(items) if item[1] in _CLOSERS and k not in tokens.match)
    stray = next(strays, len(items))
    best = (-1, "")
    for opening, message in failures:
        # A bracket that closes nothing would close the wrapper, and the parser would complain later.
        reached = min(_last_reached(source, starts, opening, oxc), stray)
        if reached >= best[0]:
            best = (reached, message)
    message = best[1].removeprefix(_PREFIX)
    at = _named(items, message, best[0])
    if at >= len(starts):
        # The parser's brace is the one of the function that the code is put into.
        message = message.replace("but found `}`", "but found the end of the code")
    line, column = place(source, starts[at] if at < len(starts) else ends)
    return {"message": message, "line": line, "column": column}


def _named(items: list[Token], message: str, reached: int) -> int:
    """The token that a complaint is about: the last keyword that it names, where it names one, which is complained of
    when its operand has been read."""
    found = _NAMES_KEYWORD.match(message)
    named = [k for k in range(min(reached + 1, len(items))) if found is not None and items[k][1] == found[1]]
    return named[-1] if named else reached


def _last_reached(source: str, starts: list[int], opening: str, oxc: Oxc) -> int:
    """The index of the token at which the parser gives up.

    The parser tells no places, but it reads from left to right: with an impossible character put before token
    k it complains of that character exactly if it got there. So the place is found by bisection."""
    low, high = 0, len(starts)
    while low < high:
        middle = (low + high + 1) // 2
        end = starts[middle] if middle < len(starts) else len(source)
        try:
            oxc(f"{_OPENING}{opening}{source[:end]}{_PROBE}")
            reached = True
        except TransformFailed as error:
            reached = any(said in str(error) for said in _PROBE_SEEN)
        low, high = (middle, high) if reached else (low, middle - 1)
    return low


def _lift_namespaces(source: str) -> tuple[str, list[str]]:
    """OXC transforms namespaces only at the top level: cut them out, leave a stand-in of the same shape."""
    if "namespace" not in source and "module" not in source:
        return source, []
    tokens = Tokens(source)
    found: list[str] = []
    parts: list[str] = []
    end = 0
    for start, stop in _namespaces(tokens):
        text = source[start:stop]
        parts += (source[end:start], f"{_stand_in(len(found))};", "\n" * text.count("\n"))
        found.append(text)
        end = stop
    return "".join(parts) + source[end:], found


def _stand_in(index: int) -> str:
    return f"__namespace{index}__"


def _namespaces(tokens: Tokens) -> list[tuple[int, int]]:
    """Spans of `namespace a.b {...}` that begin a statement, outside of one another."""
    items, spans, end = tokens.items, [], 0
    for index, (_, text, start) in enumerate(items):
        begins = index == 0 or items[index - 1][1] in (";", "}", "{")
        if text not in ("namespace", "module") or start < end or not begins:
            continue
        at = index + 1
        while at < len(items) and (items[at][0] == "name" or items[at][1] == "."):
            at += 1
        if at > index + 1 and at in tokens.match and items[at][1] == "{":
            end = items[tokens.match[at]][2] + 1
            spans.append((start, end))
    return spans


# ---- the process -------------------------------------------------------------------------------------------
def load(artifact_fd: int) -> Oxc:
    """The transform, from the memory file; compiles it first, in a child, when the file is not complete."""
    if not is_complete(artifact_fd):
        pid = os.fork()
        if pid == 0:
            complete(artifact_fd, _compiled)
            os._exit(0)
        os.waitpid(pid, 0)
    import wasmtime
    from quickjs_rs._transform import (
        FLAG_SOURCE_TS,
        FLAG_STRIP_TYPESCRIPT,
        TransformError,
        _TransformInstance,
    )
    from quickjs_rs._wasmtime import SharedWasmArtifact, default_wasi_linker, shared_wasmtime_engine

    engine = shared_wasmtime_engine()
    module = wasmtime.Module.deserialize_file(engine, f"/proc/self/fd/{artifact_fd}")
    instance = _TransformInstance(SharedWasmArtifact(module, default_wasi_linker(engine), b""))

    def oxc(text: str) -> str:
        try:
            flags = FLAG_SOURCE_TS | FLAG_STRIP_TYPESCRIPT
            return str(instance.transform("agent.ts", text.encode("utf-8", "replace"), flags=flags))
        except TransformError as error:
            raise TransformFailed(str(error)) from error

    return oxc


def _compiled() -> bytes:
    from quickjs_rs._transform import _transform_artifact

    return bytes(_transform_artifact().module.serialize())


def serve(fd: int, oxc: Oxc) -> None:
    """Answer requests ({"code": ...}, framed) until the other side closes."""
    while (request := read_frame(fd, _MAX_REQUEST_BYTES)) is not None:
        write_frame(fd, json.dumps(answer(json.loads(request)["code"], oxc)).encode())


def main(arguments: list[str]) -> None:
    """`arguments`: the socket's descriptor, the memory file's, and the directory of installed packages."""
    parent = os.getppid()
    fd, artifact_fd = int(arguments[0]), int(arguments[1])
    # A stop reaches the whole process group, but what runs may still need its code compiled while the server drains.
    for number in (SIGINT, SIGTERM, SIGHUP):
        signal(number, SIG_IGN)
    sys.path.extend(arguments[2:])
    # Best effort: where it is refused (a scheduling class, a seccomp profile), code compiles all the same.
    with suppress(OSError):
        os.nice(10)
    if fd < 0:
        complete(artifact_fd, _compiled)
        return
    oxc = load(artifact_fd)
    answer("let a: number = 1; a <", oxc)  # whatever is imported late is imported now
    Hardener(_MEMORY_BYTES, _CPU_SECONDS, parent=parent).harden(fd)
    serve(SOCKET_FD, oxc)
