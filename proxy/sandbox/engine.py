"""The one module that touches dukpy's native QuickJS context.

Only the C extension is loaded: importing the package `dukpy` would bring its interpreter object, which hands
`require`, files and `process.env` to scripts. The extension's contract, proven by tests/proxy/sandbox/test_engine.py:

- `create_context()` gives a capsule with its own heap (128 MiB at most) and stack (1 MiB at most).
- `eval_string(holder, code, jsvars, as_module, name)` collects garbage, evaluates a global script, runs every pending
  job, and then turns the value of the script into JSON, so that its `toJSON` sees what the jobs did. Before that it
  raises `JSRuntimeError` for an uncaught error *and* for a promise that is rejected while nobody listens (one of them,
  where there are several); the second is no error of the execution but a log line.
- A job that throws (only memory exhaustion can, the prelude guards the rest) makes the context unusable.
- The code may call `holder._call_python(name, arguments)`, which is how the prelude fetches a frame.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from typing import Any

_NO_VARIABLES = b"{}"
_TRUE = (b"true", "true")


class EngineFailed(Exception):
    """The context cannot go on: out of memory where no script could catch it, or code that broke its globals.

    The message is the engine's.
    """


class Native:
    """The loaded C extension."""

    __slots__ = ("create_context", "error", "eval_string")

    def __init__(self, path: str) -> None:
        spec = ModuleSpec("_dukpy", ExtensionFileLoader("_dukpy", path), origin=path)
        loader = spec.loader
        assert isinstance(loader, ExtensionFileLoader)
        module: Any = loader.create_module(spec)
        loader.exec_module(module)
        self.create_context = module.create_context
        self.eval_string = module.eval_string
        self.error: type[Exception] = module.JSRuntimeError


def extension_path(package_directory: str) -> str:
    """The file of dukpy's C extension inside its package directory. Raises FileNotFoundError."""
    for suffix in EXTENSION_SUFFIXES:
        candidate = os.path.join(package_directory, "_dukpy" + suffix)
        if os.path.exists(candidate):
            return candidate
    raise FileNotFoundError(f"no dukpy extension for this Python in {package_directory}")


class JsContext:
    """One fresh JavaScript world with the prelude in it, for exactly one execution.

    `secret` names the prelude's entry point. It is a lexical binding of the global scope, which no script can
    list, and its name is random, so that agent code cannot find it."""

    __slots__ = ("_code", "_ctx", "_frame", "_funcs", "_native")

    def __init__(self, native: Native, prelude: str, secret: str) -> None:
        self._native = native
        self._ctx = native.create_context()
        self._funcs: dict[str, object] = {}
        self._frame = b"null"
        self._code = tuple(f"{secret}({what})".encode() for what in range(5))
        script = f"const {secret}=(function(io){{'use strict';{prelude}\n}})(call_python);0"
        native.eval_string(self, script.encode(), _NO_VARIABLES, False, "prelude")

    def rehearse(self) -> None:
        """Touch what an execution will touch. Has no effect that a script could see."""
        self._frame = b'[{"now":0}]'
        self._run(self._code[3])

    def feed(self, events: bytes) -> str:
        """Give a JSON array of events, run until nothing can progress, return the frame to send.

        Each event is followed by a full run of the micro-task queue. Raises EngineFailed.
        """
        self._frame = events
        step = self._code[0]
        while (answer := self._run(step)) is None:
            step = self._code[1]
        return answer

    def _run(self, code: bytes) -> str | None:
        """The frame to send, None while there is more to do."""
        # An evaluation is dear, so one does it all unless it raises.
        try:
            raw = self._native.eval_string(self, code, _NO_VARIABLES, False, "run")
        except self._native.error as error:
            raw = self._collect(str(error))
        return None if raw in _TRUE else json.loads(raw)

    def _collect(self, raised: str) -> bytes | str:
        # A floating promise's rejection or a broken context: a broken context refuses the second question too.
        self._frame = json.dumps(raised.rstrip()).encode()
        with suppress(self._native.error):
            self._native.eval_string(self, self._code[4], _NO_VARIABLES, False, "run")
        try:
            raw: bytes | str = self._native.eval_string(self, self._code[2], _NO_VARIABLES, False, "run")
        except self._native.error as error:
            raise EngineFailed(str(error)) from error
        return raw

    def _check_exported_function_exists(self, name: bytes) -> bool:
        return name == b"io"

    def _call_python(self, name: bytes, arguments: bytes) -> bytes:
        frame, self._frame = self._frame, b"null"
        return frame
