"""What engine.py says of the extension's order: jobs first, then the value of the script as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from proxy.sandbox.engine import EngineFailed, Native

World = Callable[..., list[dict[str, Any]]]


class _Holder:
    """What the extension needs of the object that it evaluates for, and which calls the script made."""

    def __init__(self, native: Native) -> None:
        self._ctx = native.create_context()
        self._funcs: dict[str, object] = {}
        self.called = 0

    def _check_exported_function_exists(self, name: bytes) -> bool:
        return name == b"io"

    def _call_python(self, name: bytes, arguments: bytes) -> bytes:
        self.called += 1
        return b"null"


def test_a_value_becomes_json_after_the_jobs(native: Native) -> None:
    code = (
        b"let x = 0; Promise.resolve().then(() => { x = 1 }).then(() => { x = 2 }); ({toJSON: () => `x${x}`})"
    )
    assert native.eval_string(_Holder(native), code, b"{}", False, "t") == b'"x2"'


@pytest.mark.parametrize("job", ["Promise.reject(5)", "Promise.resolve().then(() => { throw 5 })"])
def test_a_value_is_not_made_json_when_a_rejection_is_raised(native: Native, job: str) -> None:
    holder = _Holder(native)
    with pytest.raises(native.error, match="5"):
        native.eval_string(
            holder, f"{job}; ({{toJSON: () => call_python('io')}})".encode(), b"{}", False, "t"
        )
    assert holder.called == 0


@pytest.mark.parametrize(
    "code",
    [
        "Object.defineProperty(globalThis, 'call_python', {value: 1})",
        "Object.defineProperty(globalThis, 'dukpy', {set() { throw 7 }})",
        "Object.freeze(globalThis)",
        "Object.preventExtensions(globalThis)",
    ],
)
def test_a_context_that_cannot_go_on_sends_nothing_first(world: World, code: str) -> None:
    with pytest.raises(EngineFailed):
        world(f"{code}; await tools.x()")


def test_globals_named_as_the_bridge_are_the_engines(world: World) -> None:
    setter = "{set(it) { seen = it }, configurable: true}"
    code = f"let seen = 0; Object.defineProperty(globalThis, 'call_python', {setter}); await tools.x(); "
    answers = world(f"{code}return [seen, typeof call_python]", [{"now": 1, "seq": 0, "result": 1}])
    assert answers[-1]["value"] == [0, "undefined"]
