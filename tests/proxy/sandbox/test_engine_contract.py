"""What engine.py says of the engine: order of jobs, rejections, collection of garbage, limits, and nothing to reach."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from typing import Any

import pytest

from proxy.sandbox.engine import EngineFailed, JsContext, Native
from proxy.sandbox.worker import start_events
from tests.proxy.sandbox.conftest import LIMITS, SEED

NewContext = Callable[[], JsContext]
World = Callable[..., list[dict[str, Any]]]
LISTENER_LATER = "const p = Promise.reject(new Error('late')); await null; await p.catch(() => 1); return 1"


def bare(native: Native, step: str) -> JsContext:
    """A context with `step` in place of the prelude's."""
    return JsContext(native, f"return {step}")


def test_the_answer_is_asked_for_after_the_jobs(native: Native) -> None:
    step = """(what) => { if (what === 2) return `x${x}`; x = 1;
      Promise.resolve().then(() => { x = 2 }).then(() => { x = 3 }) }"""
    assert bare(native, f"(() => {{ let x = 0; return {step} }})()").feed(b"[]") == b"x3"


def test_every_event_has_its_jobs_before_the_next(native: Native) -> None:
    step = """(() => { let seen = '', left = 2;
      return (what) => { if (what === 2) return left ? true : seen;
        seen += 's'; if (what === 1) left--; Promise.resolve().then(() => { seen += 'j' }) } })()"""
    assert bare(native, step).feed(b"[]") == b"sjsjsj"


def test_text_comes_over_as_it_is(native: Native) -> None:
    context = bare(
        native, "(() => { let got; return (what, given) => what === 2 ? got : void (got = given[0]) })()"
    )
    assert context.feed(json.dumps(["a\0b é 😀"]).encode()).decode() == "a\0b é 😀"


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("() => { throw new TypeError('in the step') }", "in the step"),
        ("(what) => { if (what === 2) throw new TypeError('in the answer') }", "in the answer"),
        ("() => { throw null }", "null"),
        ("() => { throw {toString() { throw 1 }} }", "out of memory"),
        ("(what) => { if (what === 4) throw 1; if (what === 0) Promise.reject(1); return 'x' }", "1"),
    ],
)
def test_what_throws_outside_of_code_ends_the_context(native: Native, step: str, message: str) -> None:
    with pytest.raises(EngineFailed, match=message):
        bare(native, step).feed(b"[]")


def test_events_that_are_no_json_end_the_context(native: Native) -> None:
    with pytest.raises(EngineFailed, match="JSON"):
        bare(native, "() => 'x'").feed(b"{")


# ---- rejections ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("Promise.reject(new Error('one')); return 1", ["Error: one\n    at agent.ts:1:20"]),
        ("Promise.reject(1); Promise.reject({a: 2}); return 1", ["1", '{"a":2}']),
        ("(async () => { null.x })(); return 1", ["TypeError: cannot read property 'x' of null"]),
        (LISTENER_LATER, []),
        ("await Promise.reject(1).catch(() => 2); return 1", []),
        ("Promise.reject({toJSON() { throw 1 }}); return 1", ["[Object that cannot be written as JSON]"]),
        ("Promise.reject({get constructor() { throw 1 }, toJSON() { throw 1 }}); return 1", ["[object]"]),
        ("Promise.reject({toJSON() { Promise.reject('again') }}); return 1", ["[object]", "again"]),
    ],
)  # fmt: skip
def test_rejections_that_nobody_handles_are_logged_each(world: World, code: str, said: list[str]) -> None:
    done = world(code)[-1]
    assert done["value"] == 1
    prefix = "A promise was rejected and nothing handled it: "
    texts = [text for level, text in done["logs"] if level == "error"]
    assert len(texts) == len(said)
    assert all(text.startswith(prefix + one) for text, one in zip(texts, said, strict=True)), texts


def test_a_flood_of_rejections_costs_only_itself(world: World) -> None:
    done = world("for (let i = 0; i < 1e5; i++) Promise.reject(i); return 1", limits={"logBytes": 20_000})[0]
    assert done["value"] == 1
    assert len(done["logs"]) == 100


# ---- memory --------------------------------------------------------------------------------------------------------
def test_garbage_in_cycles_is_collected(world: World) -> None:
    code = "for (let i = 0; i < 3e5; i++) { const a = {text: `${i}`.repeat(50)}; a.a = a } return 1"
    assert world(code)[0]["value"] == 1  # 150 MB and more in all


def test_contexts_give_their_memory_back(new_context: NewContext) -> None:
    def run_one() -> None:
        context = new_context()
        start = {"code": "Promise.reject(1); await tools.x()", "seed": SEED, "now": 0, "limits": LIMITS}
        context.feed(start_events(start))
        context.close()
        context.close()

    for _ in range(10):
        run_one()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(30):
        run_one()
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000
    )  # KiB; one context holds over 1,000


# ---- nothing to reach ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("code", ["dukpy", "call_python"])
def test_taking_the_extensions_names_ends_it(world: World, code: str) -> None:
    with pytest.raises(EngineFailed, match="are taken"):
        world(f"Object.defineProperty(globalThis, '{code}', {{value: 1}}); await tools.x()")


@pytest.mark.parametrize("code", ["Object.freeze(globalThis)", "Object.preventExtensions(globalThis)"])
def test_code_may_close_its_own_global_object(world: World, code: str) -> None:
    answers = world(
        f"{code}; return (await tools.x()).data", [{"now": 1, "seq": 0, "result": {"ok": True, "data": 7}}]
    )
    assert answers[-1]["value"] == 7


def test_nothing_is_global_that_an_engine_alone_does_not_have(native: Native, world: World) -> None:
    plain = bare(native, "(what) => what === 2 ? JSON.stringify(Object.getOwnPropertyNames(globalThis)) : 0")
    names = world("return Object.getOwnPropertyNames(globalThis)")[0]["value"]
    added = {
        "sleep", "setTimeout", "clearTimeout", "crypto", "btoa", "atob", "TextEncoder", "TextDecoder",
        "structuredClone", "URL", "URLSearchParams", "AbortSignal", "AbortController", "Intl", "console",
        "emit", "tools",
    }  # fmt: skip
    assert set(names) - set(json.loads(plain.feed(b"[]"))) == added
