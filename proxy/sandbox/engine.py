"""The one module that touches the JavaScript engine: QuickJS-ng, through its own C interface (quickjs.h).

The engine comes inside dukpy's extension, which exports that interface. Nothing of dukpy runs: its package would bring
an interpreter object that hands `require`, files and `process.env` to scripts, and its `eval_string` collects garbage
over the whole heap twice an evaluation, which in a forked worker copies every page of it. What this module relies
on, proven by tests/proxy/sandbox/test_engine_contract.py:

- A context has its own heap (128 MiB at most) and stack (1 MiB at most) and no way to anything outside: the prelude is
  called with JSON, and it returns text. There is no function of ours that a script could call.
- Garbage in cycles is collected when the heap has grown by as much as it holds, from 8 MiB on.
- Jobs run one by one, and only here. One that throws (only memory exhaustion can, the prelude guards the rest) ends the
  execution.
- The engine says which promise was rejected while nobody listened, and takes it back when somebody does.
"""

from __future__ import annotations

import os
from ctypes import (
    CFUNCTYPE,
    POINTER,
    PyDLL,
    Structure,
    byref,
    c_bool,
    c_char_p,
    c_int,
    c_int64,
    c_size_t,
    c_uint64,
    c_void_p,
    string_at,
)
from importlib.machinery import EXTENSION_SUFFIXES
from typing import Any

_HEAP_BYTES = 128 * 1024 * 1024
_STACK_BYTES = 1024 * 1024
_COLLECT_BYTES = 8 * 1024 * 1024
_MOST_REJECTIONS = 100  # held until the jobs have run; the log has no room for more anyway


class EngineFailed(Exception):
    """The context cannot go on: out of memory where no script could catch it, or code that broke its globals.

    The message is the engine's.
    """


class _Value(Structure):
    # JSValue where a pointer has 64 bits (quickjs.h, JSValueUnion and tag).
    _fields_ = (("u", c_uint64), ("tag", c_int64))


_TAG_BOOL, _TAG_UNDEFINED, _TAG_EXCEPTION = 1, 3, 6
_UNDEFINED = _Value(0, _TAG_UNDEFINED)
_NUMBERS = tuple(_Value(number, 0) for number in range(5))
_Rejected = CFUNCTYPE(None, c_void_p, _Value, _Value, c_bool, c_void_p)
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    # name: result, arguments
    "JS_NewRuntime": (c_void_p,),
    "JS_FreeRuntime": (None, c_void_p),
    "JS_SetMemoryLimit": (None, c_void_p, c_size_t),
    "JS_SetMaxStackSize": (None, c_void_p, c_size_t),
    "JS_SetGCThreshold": (None, c_void_p, c_size_t),
    "JS_GetGCThreshold": (c_size_t, c_void_p),
    "JS_SetCanBlock": (None, c_void_p, c_bool),
    "JS_SetHostPromiseRejectionTracker": (None, c_void_p, _Rejected, c_void_p),
    "JS_UpdateStackTop": (None, c_void_p),
    "JS_NewContext": (c_void_p, c_void_p),
    "JS_FreeContext": (None, c_void_p),
    "JS_Eval": (_Value, c_void_p, c_char_p, c_size_t, c_char_p, c_int),
    "JS_ParseJSON": (_Value, c_void_p, c_char_p, c_size_t, c_char_p),
    "JS_Call": (_Value, c_void_p, _Value, _Value, c_int, POINTER(_Value)),
    "JS_ExecutePendingJob": (c_int, c_void_p, POINTER(c_void_p)),
    "JS_IsJobPending": (c_bool, c_void_p),
    "JS_GetException": (_Value, c_void_p),
    "JS_ToCStringLen2": (c_void_p, c_void_p, POINTER(c_size_t), _Value, c_bool),
    "JS_FreeCString": (None, c_void_p, c_void_p),
    "JS_DupValue": (_Value, c_void_p, _Value),
    "JS_FreeValue": (None, c_void_p, _Value),
}


class Native:
    """The engine's functions, by their names without `JS_`. Raises OSError or AttributeError where they are not."""

    __slots__ = tuple(name.removeprefix("JS_") for name in _FUNCTIONS)

    def __init__(self, path: str) -> None:
        library = PyDLL(path)
        for name, (result, *arguments) in _FUNCTIONS.items():
            function = library[name]
            function.restype, function.argtypes = result, arguments
            setattr(self, name.removeprefix("JS_"), function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def extension_path(package_directory: str) -> str:
    """The file of dukpy's C extension inside its package directory. Raises FileNotFoundError."""
    for suffix in EXTENSION_SUFFIXES:
        candidate = os.path.join(package_directory, "_dukpy" + suffix)
        if os.path.exists(candidate):
            return candidate
    raise FileNotFoundError(f"no dukpy extension for this Python in {package_directory}")


class JsContext:
    """One fresh JavaScript world with the prelude in it, for exactly one execution."""

    __slots__ = ("_arguments", "_context", "_native", "_rejected", "_runtime", "_step", "_tracker")

    def __init__(self, native: Native, prelude: str) -> None:
        self._native = native
        self._runtime = runtime = native.NewRuntime()
        native.SetMemoryLimit(runtime, _HEAP_BYTES)
        native.SetMaxStackSize(runtime, _STACK_BYTES)
        native.SetGCThreshold(runtime, _COLLECT_BYTES)
        native.SetCanBlock(runtime, False)
        self._context = native.NewContext(runtime)
        self._rejected: dict[int, tuple[_Value, _Value]] = {}
        self._tracker = _Rejected(self._on_rejection)
        native.SetHostPromiseRejectionTracker(runtime, self._tracker, None)
        self._arguments = (_Value * 2)()
        script = f"(function(){{'use strict';{prelude}\n}})()".encode()
        self._step = self._checked(native.Eval(self._context, script, len(script), b"prelude", 0))

    def close(self) -> None:
        """Free its memory. Safe to repeat."""
        if self._runtime:
            self._free(self._rejected)
            self._rejected = {}
            self._native.FreeValue(self._context, self._step)
            self._native.FreeContext(self._context)
            self._native.FreeRuntime(self._runtime)
            self._runtime = None

    @property
    def has_grown(self) -> bool:
        """Whether its heap ever held 8 MiB: the engine then moves the size at which it collects garbage."""
        return int(self._native.GetGCThreshold(self._runtime)) != _COLLECT_BYTES

    def rehearse(self) -> None:
        """Touch what an execution will touch. Has no effect that a script could see."""
        self._tell(3, b'[{"now":0}]')
        self._run_jobs()

    def feed(self, events: bytes) -> bytes:
        """Give a JSON array of events, run until nothing can progress, return the frame to send.

        Each event is followed by a full run of the micro-task queue. Raises EngineFailed.
        """
        self._native.UpdateStackTop(self._runtime)
        self._tell(0, events)
        while True:
            self._run_jobs()
            answer = self._checked(self._call(2, _UNDEFINED))
            if answer.tag != _TAG_BOOL:
                return self._text(answer)
            self._checked(self._call(1, _UNDEFINED))

    # ---- the engine -------------------------------------------------------------------------------------------------
    def _tell(self, what: int, events: bytes) -> None:
        native, context = self._native, self._context
        parsed = self._checked(native.ParseJSON(context, events, len(events), b"<input>"))
        answer = self._call(what, parsed)
        native.FreeValue(context, parsed)
        native.FreeValue(context, self._checked(answer))

    def _call(self, what: int, argument: _Value) -> _Value:
        arguments = self._arguments
        arguments[0], arguments[1] = _NUMBERS[what], argument
        answer: _Value = self._native.Call(self._context, self._step, _UNDEFINED, 2, arguments)
        return answer

    def _run_jobs(self) -> None:
        native, runtime, context = self._native, self._runtime, c_void_p()
        while True:
            while native.IsJobPending(runtime):
                if native.ExecutePendingJob(runtime, byref(context)) < 0:
                    raise EngineFailed(self._thrown())
            if not self._rejected:
                return
            self._log_rejections()

    def _checked(self, value: _Value) -> _Value:
        if value.tag == _TAG_EXCEPTION:
            raise EngineFailed(self._thrown())
        return value

    def _thrown(self) -> str:
        return self._text(self._native.GetException(self._context)).decode("utf-8", "replace")

    def _text(self, value: _Value) -> bytes:
        """The value as UTF-8. Frees it."""
        native, context, size = self._native, self._context, c_size_t()
        place = native.ToCStringLen2(context, byref(size), value, False)
        native.FreeValue(context, value)
        if not place:
            raise EngineFailed("out of memory")
        text = string_at(place, size.value)
        native.FreeCString(context, place)
        return text

    # ---- promises that were rejected while nobody listened ----------------------------------------------------------
    def _on_rejection(
        self, context: int, promise: _Value, reason: _Value, is_handled: bool, opaque: object
    ) -> None:
        native = self._native
        if is_handled:
            for value in self._rejected.pop(promise.u, ()):
                native.FreeValue(context, value)
        elif len(self._rejected) < _MOST_REJECTIONS:
            kept = native.DupValue(context, promise), native.DupValue(context, reason)
            self._rejected[promise.u] = kept

    def _log_rejections(self) -> None:
        rejected, self._rejected = (
            self._rejected,
            {},
        )  # logging may run code of the agent's, which may reject again
        try:
            for _, reason in rejected.values():
                self._native.FreeValue(self._context, self._checked(self._call(4, reason)))
        finally:
            self._free(rejected)

    def _free(self, rejected: dict[int, tuple[_Value, _Value]]) -> None:
        for values in rejected.values():
            for value in values:
                self._native.FreeValue(self._context, value)

    def __del__(self) -> None:
        self.close()
