"""The native contract that engine.py states, and everything the prelude offers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.sandbox.engine import JsContext, Native, extension_path
from proxy.sandbox.worker import start_events

Value = Callable[..., Any]
World = Callable[..., list[dict[str, Any]]]


def call(seq: int, data: Any, now: float = 1000.0) -> dict[str, Any]:
    return {"now": now, "seq": seq, "result": {"ok": True, "data": data}}


def timer(now: float) -> dict[str, Any]:
    return {"now": now, "timer": True}


def test_missing_extension_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="no dukpy extension"):
        extension_path("/nowhere")


def test_native_module_is_only_the_extension(native: Native) -> None:
    import sys

    assert native.NewRuntime() is not None
    assert "dukpy" not in sys.modules


def test_context_survives_floating_rejections(value: Value) -> None:
    assert value("Promise.reject(new Error('nobody listens')); return 1") == 1


def test_rehearsal_leaves_no_trace(new_context: Callable[[], JsContext], world: World) -> None:
    code = "return [Math.random(), crypto.randomUUID(), Date.now(), Object.getOwnPropertyNames(globalThis)]"
    plain = world(code)[0]
    context = new_context()
    context.rehearse()
    start = {"code": code, "seed": "0123456789abcdef" * 4, "now": 1000.0, "limits": {"logBytes": 10, "emitBytes": 1,
             "calls": 1, "parallel": 1, "argumentBytes": 1, "resultBytes": 10000}}  # fmt: skip
    assert json.loads(context.feed(start_events(start))) == plain


# ---- shapes of code ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "code",
    [
        "2",
        "2;",
        "return 2",
        "async () => 2",
        "() => { return 2 }",
        "(async () => { return 2 })",
        "((() => 2));",
        "async x => 2",
        "function () { return 2 }",
        "async function main() { return 2 }",
        "export default async () => 2",
        "export default function main() { return 2 }",
        "(async () => 2)()",
        "const a = 1;\nreturn a + 1",
        "await Promise.resolve(2)",
        "```js\nreturn 2\n```",
        "Here it is:\n```typescript\nasync () => 2\n```\nand more",
        "```return 2```",
        "  \n\n return 2 \n",
        "function f() { return 2 }\nreturn f()",
        "2 // done;",
        "/* why */ 2 /* not */ ;",
        "let n = 0; for (;;) { if (++n > 1) return n }",
        "var n = 2; if (n) ; else return 1; return n;",
    ],
)
def test_every_shape_of_code_gives_its_value(value: Value, code: str) -> None:
    assert value(code) == 2


def test_values_that_look_like_functions_are_not_called(value: Value) -> None:
    assert value("const f = () => 2; f") is None
    assert value("(() => 1, 5)") == 5
    assert value("{a: 1, b: [2]}") == {"a": 1, "b": [2]}
    assert value("class A { constructor() { throw new Error('called') } }") is None


def test_code_is_strict(value: Value) -> None:
    assert value("undeclared = 1").startswith("ReferenceError")
    assert value("return (function () { return this === undefined })()") is True


# ---- errors ------------------------------------------------------------------------------------------------
def test_stack_shows_the_agents_lines_and_nothing_of_ours(world: World) -> None:
    error = world("function a() {\n  throw new RangeError('q')\n}\nconst b = () => a();\nb()")[0]["error"]
    assert (error["name"], error["line"]) == ("RangeError", 2)
    assert [line.strip().split(" (")[0] for line in error["stack"].splitlines()[:2]] == ["at a", "at b"]
    assert "dukpy" not in error["stack"]
    assert "<input>" not in error["stack"]


def test_columns_of_the_first_line_and_of_wide_characters(world: World) -> None:
    plain = world("const a = 1; null.x")[0]["error"]
    assert (plain["line"], plain["column"]) == (1, 19)
    ascii_ = world("/*ab*/ throw new Error('c')")[0]["error"]
    wide = world("/*é😀*/ throw new Error('c')")[0]["error"]
    assert wide["column"] == ascii_["column"]


def test_lines_survive_a_fence(world: World) -> None:
    assert world("Text\n```js\n\nnull.x\n```")[0]["error"]["line"] == 4


def test_agent_code_cannot_read_our_frames(value: Value) -> None:
    assert value("Error.prepareStackTrace = (e, sites) => sites").startswith("TypeError")
    assert value("Object.defineProperty(Error, 'prepareStackTrace', {value: 1})").startswith("TypeError")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("throw 'text'", "Error: text"),
        ("throw {a: 1}", 'Error: {"a":1}'),
        ("throw undefined", "Error: undefined"),
        ("const e = new Error('m'); e.name = 'Mine'; throw e", "Mine: m"),
        ("throw {get name() { throw 1 }}", "Error: [Object that cannot be written as JSON]"),
        ("const o = {}; o.o = o; return o", "TypeError: The returned value cannot be written as JSON: circular reference"),  # noqa: E501
        ("await new Promise(() => {})", "Error: The code waits for something that can never happen: "
         "no call and no timer is pending."),
    ],
)  # fmt: skip
def test_whatever_is_thrown_is_told(value: Value, code: str, message: str) -> None:
    assert value(code).startswith(message[:60])


def test_unparsable_code_asks_for_the_transform(world: World) -> None:
    assert world("const a: string = 'x'") == [{"t": "transform"}]
    assert world("let x = ;") == [{"t": "transform"}]
    assert world("f<string>(x)") == [{"t": "transform"}]


# ---- clock, timers, randomness -----------------------------------------------------------------------------
def test_the_clock_moves_only_with_deliveries(world: World) -> None:
    code = """const t = []; t.push(Date.now(), performance.now());
      for (let i = 0; i < 1e5; i++); t.push(Date.now()); await tools.a({});
      t.push(Date.now(), performance.now(), new Date().getTime(), new Date(5).getTime()); return t"""
    blocked, done = world(code, [call(0, 1, now=1500.5)])
    assert blocked["wake"] is None
    assert done["value"] == [1000, 0, 1000, 1500, 500.5, 1500, 5]


def test_date_is_complete(value: Value) -> None:
    code = """class D extends Date {}
      return [new Date().toISOString(), typeof Date(), new Date(2020, 0, 1).toISOString(), Date.UTC(2020, 0),
        Date.parse('2020-01-01T00:00:00Z'), new D(7).getTime(), new D() instanceof D, Date.length,
        new Date(1).constructor === Date]"""
    assert value(code) == ["1970-01-01T00:00:01.000Z", "string", "2020-01-01T00:00:00.000Z", 1577836800000,
                           1577836800000, 7, True, 7, True]  # fmt: skip


def test_timers_fire_in_order_of_time_then_creation(world: World) -> None:
    code = """const seen = [];
      setTimeout(() => seen.push('c'), 20); setTimeout((x) => { seen.push(x); Promise.resolve().then(() => seen.push('m')) }, 10, 'a');
      setTimeout(() => seen.push('b'), 10); const no = setTimeout(() => seen.push('no'), 5); clearTimeout(no);
      await sleep(30); return seen"""  # noqa: E501
    first, second, third = world(code, [timer(1010)], [timer(1030)])
    assert [first["wake"], second["wake"]] == [1010, 1020]
    assert third["value"] == ["a", "m", "b", "c"]


def test_a_timer_set_by_a_timer_waits_for_the_next_tick(world: World) -> None:
    code = "let n = 0; function again() { n++; setTimeout(again, 0) } again(); await sleep(0); await sleep(0); return n"
    _, second, third = world(code, [timer(1000)], [timer(1000)])
    assert second["t"] == "blocked"
    assert second["wake"] == 1000
    assert third["value"] == 3


def test_an_error_in_a_callback_is_logged_and_stops_nothing(world: World) -> None:
    code = "setTimeout(() => { throw new Error('t') }, 1); queueMicrotask(() => { throw new Error('q') }); await sleep(2); return 1"  # noqa: E501
    first, second = world(code, [timer(1002)])
    assert first["logs"][0][1].startswith("Uncaught in a microtask: Error: q")
    assert second["logs"][0][1].startswith("Uncaught in a timer: Error: t")
    assert second["value"] == 1


def test_randomness_comes_from_the_seed(value: Value) -> None:
    code = "return [Math.random(), Math.random(), crypto.randomUUID(), [...crypto.getRandomValues(new Uint8Array(4))]]"
    assert value(code) == value(code)
    assert value(code) != value(code, seed="f" * 64)
    first, second, uuid, data = value(code)
    assert 0 <= first < 1
    assert first != second
    assert uuid[14] == "4"
    assert len(data) == 4


def test_chacha_matches_rfc_8439(value: Value) -> None:
    # RFC 8439, appendix A.1, test vector 1: zero key, zero nonce, counter 0. Math.random uses the first two words.
    first, second = 0xADE0B876, 0x903DF1A0
    expected = ((first >> 5) * 67108864 + (second >> 6)) / 2**53
    assert value("return Math.random()", seed="0" * 64) == expected


# ---- tools -------------------------------------------------------------------------------------------------
def test_every_spelling_of_a_path_is_the_same_call(world: World) -> None:
    code = """const {a} = tools; const f = tools.a.b; const {b: {c}} = a;
      await Promise.all([tools.a.b.c({}), tools['a.b.c']({}), tools.a['b.c'](), f.c(undefined), c({}, 'ignored')])"""
    calls = world(code)[0]["calls"]
    assert [item["path"] for item in calls] == ["a.b.c"] * 5
    assert [item["seq"] for item in calls] == list(range(5))
    assert all(item["args"] == {} for item in calls)


def test_names_of_objects_are_ordinary_names(world: World) -> None:
    calls = world("await tools.__proto__.constructor.prototype.hasOwnProperty({a: 1})")[0]["calls"]
    assert calls == [{"seq": 0, "path": "__proto__.constructor.prototype.hasOwnProperty", "args": {"a": 1}}]


def test_tools_is_no_thenable_and_has_no_text(value: Value) -> None:
    assert (
        value("return [typeof tools.then, typeof tools.a.toJSON, typeof tools.a[Symbol.iterator]]")
        == ["undefined"] * 3
    )
    assert value("return (await tools) === tools") is True
    assert value("return JSON.stringify({t: tools})") == "{}"
    assert value("return `${tools.a}`").startswith("TypeError")


@pytest.mark.parametrize(
    "code",
    ["Object.keys(tools)", "for (const k in tools.a) {}", "return {...tools}", "'a' in tools", "Object.hasOwn(tools, 'a')",  # noqa: E501
     "const {a, ...rest} = tools"],
)  # fmt: skip
def test_enumeration_gives_guidance(value: Value, code: str) -> None:
    assert "tools.search" in value(code)


@pytest.mark.parametrize(
    "code", ["tools.a = 1", "delete tools.a", "Object.setPrototypeOf(tools, null)", "new tools.a()"]
)
def test_tools_cannot_be_changed(value: Value, code: str) -> None:
    assert value(code).startswith("TypeError")


@pytest.mark.parametrize("argument", ["'x'", "null", "[1]", "5", "() => 1", "true"])
def test_arguments_must_be_one_object(world: World, argument: str) -> None:
    """Of a tool that there is: whether it is there is asked first."""
    asked, done = world(f"await tools.a.b({argument})", [call(0, 0)])
    assert [(one["path"], one["args"]) for one in asked["calls"]] == [("describe.tool", {"path": "a.b"})]
    assert done["error"]["name"] == "TypeError"
    assert done["error"]["message"].startswith("tools.a.b: the argument must be one object")


def test_wrong_use_is_a_rejection_with_the_agents_line(world: World) -> None:
    caught = "const p = tools.a('x');\nreturn await p.catch(e => e.name)"
    assert world(caught, [call(0, 0)])[1]["value"] == "TypeError"
    assert world("\n\nawait tools.a('x')", [call(0, 0)])[1]["error"]["line"] == 3


def test_results_settle_one_at_a_time_in_the_order_given(world: World) -> None:
    code = """const seen = [];
      const go = async (n) => { await tools.x({n}); seen.push(n); await null; seen.push(n + 'm') };
      await Promise.all([go('a'), go('b'), go('c')]); return seen"""
    _, done = world(code, [call(2, 0), call(0, 0), call(1, 0)])
    assert done["value"] == ["c", "cm", "a", "am", "b", "bm"]


def test_a_thrown_result_is_catchable(world: World) -> None:
    thrown = {"now": 1, "seq": 0, "result": {"throw": {"name": "ToolApprovalDeclinedError", "message": "no"}}}
    _, caught = world("try { await tools.x() } catch (e) { return [e.name, e instanceof Error] }", [thrown])
    assert caught["value"] == ["ToolApprovalDeclinedError", True]
    _, uncaught = world("await tools.x()", [thrown])
    assert uncaught["error"]["name"] == "ToolApprovalDeclinedError"


def test_unknown_and_repeated_numbers_are_ignored(world: World) -> None:
    _, blocked, done = world("const a = await tools.x(); return [a.data, (await tools.y()).data]",
                             [call(7, 0), call(0, 1), call(0, 2)], [call(1, 3)])  # fmt: skip
    assert blocked["calls"][0]["seq"] == 1
    assert done["value"] == [1, 3]


def test_large_integers_are_exact_both_ways(world: World) -> None:
    big = 9007199254740993
    code = """const r = await tools.x({}); const {id} = r.data.list[1];
      emit({text: `${id}`, json: JSON.stringify({id}), kind: typeof id, small: typeof r.data.n});
      await tools.y({id, huge: 2n ** 70n}); return id"""
    _, second, done = world(code, [call(0, {"list": [0, {"id": big}], "n": 7})], [call(1, 0)])
    assert second["calls"][0]["args"] == {"id": big, "huge": 2**70}
    assert second["emits"] == [
        {"text": str(big), "json": f'{{"id":"{big}"}}', "kind": "bigint", "small": "number"}
    ]
    assert done["value"] == big


def test_unawaited_calls_are_reported_with_the_end(world: World) -> None:
    done = world("tools.a({n: 1}); return 1")[0]
    assert done["value"] == 1
    assert [item["path"] for item in done["calls"]] == ["a"]


# ---- limits ------------------------------------------------------------------------------------------------
def test_calls_beyond_the_limit_are_typed_errors(world: World) -> None:
    code = "const r = await Promise.all([1, 2, 3].map(n => tools.x({n}))); return r.map(x => x.error?.code ?? 'ok')"
    _, done = world(code, [call(0, 1), call(1, 1)], limits={"calls": 2})
    assert done["value"] == ["ok", "ok", "call_limit_exceeded"]


def test_parallel_calls_beyond_the_limit_wait_inside(world: World) -> None:
    code = "const r = await Promise.all([0, 1, 2].map(n => tools.x({n}))); return r.map(x => x.data)"
    first, second, done = world(code, [call(1, "b")], [call(0, "a"), call(2, "c")], limits={"parallel": 2})
    assert [item["seq"] for item in first["calls"]] == [0, 1]
    assert [item["seq"] for item in second["calls"]] == [2]
    assert done["value"] == ["a", "b", "c"]


def test_large_arguments_are_a_typed_error(value: Value) -> None:
    assert value("return (await tools.x({a: 'é'.repeat(1500)})).error.code") == "invalid_tool_arguments"


def test_logs_are_cut_once_with_a_mark(world: World) -> None:
    done = world("for (let i = 0; i < 100; i++) console.log('x'.repeat(100)); return 1")[0]
    assert "logs end here" in done["logs"][-1][1]
    assert sum(len(text) for _, text in done["logs"]) < 2600


def test_emit_is_bounded_and_catchable(value: Value) -> None:
    assert value("try { for (;;) emit('x'.repeat(100)) } catch (e) { return e.name }") == "RangeError"
    assert value("emit(() => 1)").startswith("TypeError")


def test_a_large_result_is_refused_with_advice(value: Value) -> None:
    assert "Return less" in value("return 'x'.repeat(30000)")


# ---- console and globals -----------------------------------------------------------------------------------
def test_console_shows_what_people_expect(world: World) -> None:
    code = """const o = {}; o.o = o;
      console.log('a', 1, {b: [2]}, null, undefined, 5n, new Map([[1, 2]]), new Set([3]), tools.x.y, function f() {});
      console.error(new TypeError('bad')); console.warn(o); console.debug(Symbol('s')); console.info()"""
    logs = world(code)[0]["logs"]
    assert logs[0] == ["log", 'a 1 {"b":[2]} null undefined 5n [[1,2]] [3] [tool x.y] [Function f]']
    assert logs[1][0] == "error"
    assert logs[1][1].startswith("TypeError: bad\n    at agent.ts:3:")
    assert [level for level, _ in logs[2:]] == ["warn", "debug", "info"]


@pytest.mark.parametrize(
    ("code", "word"),
    [("fetch('x')", "tools"), ("require('fs')", "tools"), ("await import('fs')", "tools"), ("process.env", "tools"),
     ("Buffer.from('x')", "atob"), ("new XMLHttpRequest()", "tools"), ("setInterval(() => 1, 5)", "sleep"),
     ("process.exit()", "tools")],
)  # fmt: skip
def test_what_is_missing_says_what_to_use(value: Value, code: str, word: str) -> None:
    assert "not available" in value(code)
    assert word in value(code)


def test_what_would_share_memory_or_break_replay_is_absent(value: Value) -> None:
    names = "WeakRef FinalizationRegistry SharedArrayBuffer Atomics dukpy call_python std os print gc _entry"
    assert value(f"return '{names}'.split(' ').filter(n => n in globalThis)") == []


def test_the_web_helpers(value: Value) -> None:
    assert value("return [btoa('hello'), atob('aGVsbG8='), atob(' aGk '), new TextDecoder().decode(new TextEncoder().encode('é😀'))]") == [  # noqa: E501
        "aGVsbG8=", "hello", "hi", "é😀"]  # fmt: skip
    assert value("atob('a')").startswith("InvalidCharacterError")
    assert value("btoa('€')").startswith("InvalidCharacterError")
    assert value("return new TextDecoder().decode(new Uint8Array([255, 65, 226, 130]))") == "\ufffdA\ufffd"
    assert value("new TextDecoder('utf-8', {fatal: true}).decode(new Uint8Array([255]))").startswith(
        "TypeError"
    )


def test_structured_clone(value: Value) -> None:
    code = """const o = {d: new Date(5), m: new Map([[1, {a: 2}]]), s: new Set([1]), r: /x/g, u: new Uint8Array([1, 2])};
      o.self = o; const c = structuredClone(o);
      return [c.self === c, c !== o, c.d.getTime(), c.m.get(1).a, [...c.s], String(c.r), c.u[1]]"""  # noqa: E501
    assert value(code) == [True, True, 5, 2, [1], "/x/g", 2]
    assert value("structuredClone(() => 1)").startswith("DataCloneError")


@pytest.mark.parametrize(
    ("input_", "base", "href"),
    [
        ("https://EXAMPLE.com:443/a/../b?x=1 2#y", None, "https://example.com/b?x=1%202#y"),
        ("../c?d", "http://h/a/b/c", "http://h/a/c?d"),
        ("//x/y", "https://q", "https://x/y"),
        ("mailto:a@b", None, "mailto:a@b"),
        ("http://u:p@h:8080", None, "http://u:p@h:8080/"),
        ("?q=2", "http://h/p?z#h", "http://h/p?q=2"),
        ("#f", "http://h/p?z#h", "http://h/p?z#f"),
        ("http://h/é?é", None, "http://h/%C3%A9?%C3%A9"),
        ("http://[::1]:80/x", None, "http://[::1]/x"),
        ("file:///etc/../x", None, "file:///x"),
        ("nope", None, "Invalid URL: nope"),
        ("http://256.1.1.1", None, "Invalid URL: http://256.1.1.1"),
        ("http://a b/", None, "Invalid URL: http://a b/"),
        ("http://h:99999/", None, "Invalid URL: http://h:99999/"),
    ],
)
def test_url(value: Value, input_: str, base: str | None, href: str) -> None:
    arguments = json.dumps(input_) + (f", {json.dumps(base)}" if base else "")
    assert value(f"try {{ return new URL({arguments}).href }} catch (e) {{ return e.message }}") == href


def test_url_parts_and_parameters(value: Value) -> None:
    code = """const u = new URL('https://h:1/p?z=1'); u.searchParams.append('q', 'x y'); u.hash = 'k'; u.pathname = '/a b';
      const s = new URLSearchParams({a: '1 2', b: 'é&'}); s.append('a', '3');
      return [u.href, u.origin, u.host, s.toString(), s.getAll('a'), s.has('c'), [...s.keys()], JSON.stringify({u})]"""  # noqa: E501
    assert value(code) == ["https://h:1/a%20b?z=1&q=x+y#k", "https://h:1", "h:1", "a=1+2&b=%C3%A9%26&a=3", ["1 2", "3"],
                           False, ["a", "b", "a"], '{"u":"https://h:1/a%20b?z=1&q=x+y#k"}']  # fmt: skip


# ---- determinism (T15): equal code, seed and deliveries give equal messages --------------------------------
STATEMENTS = st.sampled_from(
    [
        "out.push(Math.random());",
        "out.push(Date.now());",
        "out.push((await tools.a.b({n: out.length})).data);",
        "await sleep(3);",
        "work.push(tools.x({r: Math.random()}).then(r => out.push(r.data)));",
        "work.push(sleep(5).then(() => out.push(performance.now())));",
        "setTimeout(() => out.push(crypto.randomUUID()), 2);",
        "try { await tools.bad('x') } catch (e) { out.push(e.message) }",
        "out.push(await Promise.race([tools.p({}), tools.q({}), sleep(1)]) ? 1 : 0);",
        "console.log(out.length, new Date().toISOString());",
        "emit({at: Date.now()});",
        "out.push(Object.keys({b: 1, a: 2, 1: 3}).join());",
    ]
)


@settings(max_examples=40, deadline=None)
@given(lines=st.lists(STATEMENTS, min_size=1, max_size=8), order=st.randoms(use_true_random=False))
def test_t15_equal_inputs_give_equal_messages(world_of: Any, lines: list[str], order: Any) -> None:
    code = "const out = [], work = [];\n" + "\n".join(lines) + "\nawait Promise.all(work); return out"
    messages, batches = _play(world_of, code, order)
    again = [json.loads(text) for text in world_of(code, batches, split=True)]
    # What is said meanwhile comes with the next message, and split batches have more of them.
    said = ("logs", "emits")
    assert {k: v for k, v in again[-1].items() if k not in said} == {
        k: v for k, v in messages[-1].items() if k not in said
    }
    for kind in said:
        assert [one for m in again for one in m[kind]] == [one for m in messages for one in m[kind]]
    assert [call for message in again for call in message["calls"]] == [
        call for m in messages for call in m["calls"]
    ]


def _play(world_of: Any, code: str, order: Any) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """Run with a random but recorded schedule of deliveries."""
    batches: list[list[dict[str, Any]]] = []
    now, waiting = 1000.0, []
    while True:
        messages = [json.loads(text) for text in world_of(code, batches)]
        last = messages[-1]
        if last["t"] == "done":
            return messages, batches
        waiting += [item["seq"] for item in last["calls"]]
        if waiting and (last["wake"] is None or order.random() < 0.7):
            now += order.randint(0, 3)
            chosen = [
                waiting.pop(order.randrange(len(waiting))) for _ in range(order.randint(1, len(waiting)))
            ]
            batches.append([call(seq, seq * 10, now) for seq in chosen])
        else:
            now = max(now, last["wake"])
            batches.append([timer(now)])


@pytest.fixture(scope="session")
def world_of(new_context: Callable[[], JsContext]) -> Any:
    from proxy.sandbox.worker import following_events
    from tests.proxy.sandbox.conftest import LIMITS, SEED

    def run(code: str, batches: list[list[dict[str, Any]]], split: bool = False) -> list[bytes]:
        context = new_context()
        answers = [context.feed(start_events({"code": code, "seed": SEED, "now": 1000.0, "limits": LIMITS}))]
        for batch in batches:
            for part in [[event] for event in batch] if split else [batch]:
                if b'"t":"done"' in answers[-1]:
                    break
                frame = json.dumps({"t": "deliver", "events": part}, separators=(",", ":")).encode()
                answers.append(context.feed(following_events(frame)))
        return answers

    return run
