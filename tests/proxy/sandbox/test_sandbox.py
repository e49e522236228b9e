"""The prelude as agent code meets it, through real workers."""

from __future__ import annotations

from proxy.sandbox import Pool, PoolOptions
from tests.proxy.sandbox.tables import BIG, ENGLISH, MIXED, UNAWAITED, Table, check, run

NUMBERS: Table = [
    # field/04
    (f"return {BIG}", BIG),
    (f"return -{BIG}", -BIG),
    ("return [9007199254740991, 9007199254740992].map(x => typeof x)", ["number", "bigint"]),
    ("return 0xFFFFFFFFFFFFFFFF", 2**64 - 1),
    ("return 1_000_000_000_000_000_000", 10**18),
    ("return [1e21, 1234567890123456.5, 0.12345678901234567]", [1e21, 1234567890123456.5, 0.12345678901234567]),
    ("return 123456789012345678901234567890", 123456789012345678901234567890),
    ("return 2n ** 70n", 2**70),
    (f"return {{a: '{BIG}', [`${{1}}`]: [{BIG}]}}", {"a": str(BIG), "1": [BIG]}),
    (f"let id: number = {BIG}; return id", BIG),
    (f"enum E {{ A = {BIG} }} return E.A", BIG),
    (f"return JSON.parse('{{\"id\":{BIG},\"s\":\"{BIG}\",\"f\":0.1234567890123456789}}')",
     {"id": BIG, "s": str(BIG), "f": 0.12345678901234568}),
    (f"return JSON.parse('[{BIG},1]', (k, v) => typeof v === 'bigint' ? v + 1n : v)", [BIG + 1, 1]),
    ("JSON.parse('[1234567890123456789,]')", "SyntaxError: unexpected token: ']' @1:6"),
    (f"return JSON.stringify({{id: {BIG}}})", f'{{"id":"{BIG}"}}'),
    (f"return [5, {BIG}, 2.5, 3n].sort((a, b) => a - b)", [2.5, 3, 5, BIG]),
    (f"return [{BIG}, {BIG - 1}].sort((a, b) => b - a)", [BIG, BIG - 1]),
    (f"return [{{id: {BIG}}}, {{id: 4.5}}, {{id: 4}}].toSorted((a, b) => a.id - b.id).map(x => x.id)", [4, 4.5, BIG]),
    ("return [1, 2].sort(() => { throw new TypeError('mine') })", "TypeError: mine @1:38"),
    (f"const a = {BIG};\nreturn a + 1", f"TypeError: cannot convert BigInt to number. {MIXED} @2:12"),
    (f"const a = {BIG}; throw new Error('x')", "Error: x @1:41"),
    ("return BigInt('9'.repeat(5000))", "TypeError: The returned value cannot be written as JSON: "
     "an integer of more than 4300 digits cannot be sent"),
    ("return '\\ud83d!'", "\ud83d!"),
]  # fmt: skip

DAY = "const d = new Date(Date.UTC(2024, 1, 5, 15, 4, 9)); "
INTL: Table = [
    ("return (1234567.891).toLocaleString()", "1,234,567.891"),
    ("return (0.256).toLocaleString('en-US', {style: 'percent'})", "26%"),
    ("return new Intl.NumberFormat('en-US', {style: 'currency', currency: 'USD'}).format(-1234.5)", "-$1,234.50"),
    ("return [1, 2.5].map(new Intl.NumberFormat('en', {minimumFractionDigits: 2}).format)", ["1.00", "2.50"]),
    (f"return ({BIG}).toLocaleString()", "725,653,563,933,458,433"),
    (DAY + "return d.toLocaleString()", "2/5/2024, 3:04:09 PM"),
    (DAY + "return d.toLocaleDateString('en-US', {weekday: 'long', year: 'numeric', month: 'long', day: 'numeric'})",
     "Monday, February 5, 2024"),
    (DAY + "return d.toLocaleTimeString('en-US', {hour: '2-digit', minute: '2-digit', hour12: false})", "15:04"),
    (DAY + "return new Intl.DateTimeFormat('en', {dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC'}).format(d)",
     "Feb 5, 2024, 3:04 PM"),
    ("return Intl.DateTimeFormat().resolvedOptions().timeZone", "UTC"),
    ("return new Date(0).toLocaleDateString('en-US', {month: 'short'})", "Jan"),
    ("new Date().toLocaleString('en-US', {timeZone: 'Asia/Tokyo'})",
     f"RangeError: Intl.DateTimeFormat with timeZone: Asia/Tokyo {ENGLISH} @1:12"),
    ("(5).toLocaleString('de-DE')", f"RangeError: The locale de-DE {ENGLISH} @1:5"),
    ("(5).toLocaleString('en', {notation: 'compact'})",
     f"RangeError: Intl.NumberFormat with notation: compact {ENGLISH} @1:5"),
    ("new Intl.NumberFormat('en').formatToParts(1)",
     f"RangeError: formatToParts of Intl.NumberFormat {ENGLISH} @1:29"),
    ("new Intl.DateTimeFormat().formatRange(0, 1)",
     f"RangeError: formatRange of Intl.DateTimeFormat {ENGLISH} @1:27"),
    ("new Intl.PluralRules('en')", f"RangeError: Intl.PluralRules {ENGLISH} @1:5"),
    ("return ['b', 'a', 'B', 'ä', 'z', '_', '10', '2'].sort((a, b) => a.localeCompare(b))",
     ["_", "10", "2", "a", "ä", "b", "B", "z"]),
    ("return ['a10', 'a2'].sort((a, b) => a.localeCompare(b, undefined, {numeric: true}))", ["a2", "a10"]),
    ("return 'I'.toLocaleLowerCase('tr')", f"RangeError: The locale tr {ENGLISH} @1:12"),
    ("return [new Date(0).getHours(), new Date(0).getTimezoneOffset()]", [0, 0]),
]  # fmt: skip

BEHIND = (
    "it is sent, but no code behind it runs. Await it, as in await Promise.all(list.map(async (x) => ...)), "
    "and not in forEach."
)
SLEEP = "sleep takes milliseconds and perhaps {signal: an AbortSignal}, as in sleep(500, {signal})"
ABORT: Table = [
    ("const c = new AbortController(); let s = ''; c.signal.addEventListener('abort', () => s += 'x'); c.abort(); "
     "c.abort(); return [s, c.signal.aborted, c.signal.reason.name]", ["x", True, "AbortError"]),
    ("try { AbortSignal.abort(5).throwIfAborted() } catch (e) { return e }", 5),
    ("const s = AbortSignal.timeout(5); await sleep(6); return s.reason.name", "TimeoutError"),
    ("const c = new AbortController(); const s = AbortSignal.any([c.signal]); c.abort('why'); return s.reason", "why"),
    ("const c = new AbortController(); const p = tools.a.b({}, {signal: c.signal}); c.abort(); "
     "try { await p } catch (e) { return e.name }", "AbortError"),
    ("return (await tools.a.b({}, {signal: new AbortController().signal})).ok", True),
    ("const c = new AbortController(); setTimeout(() => c.abort('why'), 5); const began = Date.now(); "
     "try { await sleep(50, {signal: c.signal}) } catch (e) { return [e, Date.now() - began] }", ["why", 5]),
    ("try { await sleep(50, {signal: AbortSignal.abort()}) } catch (e) { return e.name }", "AbortError"),
    ("const began = Date.now(); const {signal} = new AbortController(); await sleep(5, {signal}); await sleep(5, {}); "
     "return Date.now() - began", 10),
    ("await sleep(5, {signal: 1})", f"TypeError: {SLEEP} @1:7"),
    ("await sleep(5, {sginal: AbortSignal.abort()})", f"TypeError: {SLEEP} @1:7"),
    ("new AbortSignal()", "TypeError: Illegal constructor @1:5"),
]  # fmt: skip

LOST: Table = [
    ("return {a: tools.x({}), b: [Promise.resolve(5)]}", {"a": {"ok": True, "data": "hi"}, "b": [5]}),
    ("return [1, 2].map(async (n) => (await tools.x({n})).data + n)", ["hi1", "hi2"]),
    ("return {a: Promise.reject(new Error('in it'))}", "Error: in it @1:31"),
    ("return new Map([['a', tools.x({})]])", {"a": {"ok": True, "data": "hi"}}),
    ("return [new Map([['a', 1]]), new Map([[1, 2]]), new Set([1, 'b'])]", [{"a": 1}, [[1, 2]], [1, "b"]]),
    ("return [new Date(5), /x/g, new TypeError('bad')]",
     ["1970-01-01T00:00:00.005Z", "/x/g", {"name": "TypeError", "message": "bad"}]),
    ("return [new Uint8Array([1, 255]), new Float64Array([1.5]), new Uint8Array([3]).buffer, new BigInt64Array([5n])]",
     [[1, 255], [1.5], [3], [5]]),
    ("return tools.a.b({}).ok", f"TypeError: {UNAWAITED}.ok @1:22"),
    ("const r = tools.a.b({});\nconst q = 1;\nif (r.ok) {\n  return 1;\n}", f"TypeError: {UNAWAITED}.ok @3:7"),

    ("return tools.a.b({}).length", f"TypeError: {UNAWAITED}.length @1:22"),
    ("await tools.describe.tool('a.b').inputTypeScript",
     f"TypeError: {UNAWAITED.replace('a.b', 'describe.tool')}.inputTypeScript @1:34"),
    ("const {data} = tools.a.b({}); return data", f"TypeError: {UNAWAITED}.data @1:8"),
    ("return `${tools.a.b({})}`", f"TypeError: {UNAWAITED} (in or after line 1)"),
    ("await tools.a.b({cb: () => 1})",
     'TypeError: tools.a.b: the argument holds a function as "cb", which JSON has no value for: leave it out @1:15'),
    ("await tools.a.b({x: [tools.shop]})",
     "TypeError: tools.a.b: the argument holds a function, which JSON has no value for: "
     "leave it out, or give null @1:15"),
    ("await tools.a.b({x: {s: Symbol('q')}, t: () => 1})",
     'TypeError: tools.a.b: the argument holds a symbol as "s", which JSON has no value for: leave it out @1:15'),
    ("return JSON.stringify({a: 1, f() {}})", '{"a":1}'),
    ("return {...{a: 1}, toJSON: () => 5}", 5),
    ("await tools.a.b({x: tools.c()})", "TypeError: tools.a.b: the argument contains a promise: await it first @1:15"),
    ("emit({x: tools.c()})", "TypeError: emit: the value contains a promise: await it first @1:1"),
]  # fmt: skip


async def test_numbers() -> None:
    await check(NUMBERS)


async def test_intl_works_or_throws() -> None:
    await check(INTL)


async def test_memory_that_is_out_has_its_name_where_code_catches_it() -> None:
    caught = "try { const a = []; for (;;) a.push('x'.repeat(1e6) + a.length) } catch (e) { return [e.name, `${e}`] }"
    async with Pool(PoolOptions()) as pool:
        ran = await run(pool, caught)
    assert ran.value == ["MemoryLimitError", "MemoryLimitError: out of memory"]


async def test_abort() -> None:
    await check(ABORT)


async def test_nothing_is_lost_in_silence() -> None:
    await check(LOST, "hi")


async def test_numbers_of_calls_are_exact() -> None:
    async with Pool(PoolOptions()) as pool:
        ran = await run(pool, f"const r = await tools.x({{id: {BIG}, huge: 2n ** 70n, s: '\\ud83d'}}); return r.data",
                        {"a": [2**70, BIG, 5], "s": "\ud83d"})  # fmt: skip
        assert ran.calls == [{"id": BIG, "huge": 2**70, "s": "\ud83d"}]
        assert ran.value == {"a": [2**70, BIG, 5], "s": "\ud83d"}
        bytes_ = await run(pool, "await tools.x({body: new Uint8Array([0, 1, 255]), n: new Int16Array([1])})")
        file = {"_tag": "ToolFile", "mimeType": "application/octet-stream", "encoding": "base64"}
        assert bytes_.calls == [{"body": file | {"data": "AAH/", "byteLength": 3}, "n": [1]}]


async def test_log_lines() -> None:
    table: list[tuple[str, list[str]]] = [
        ("Promise.reject(new Error('nobody')); return 1",
         ["A promise was rejected and nothing handled it: Error: nobody\n    at agent.ts:1:20"]),
        ("Promise.reject(new Error('handled')).catch(() => 1); return 1", []),
        ("const f = () => 2; f", ["The result is lost: [Function f] is no JSON. Call it, and return what it gives."]),
        ("await tools.x({}, {retries: 2}); return 1",
         ["tools.x: only the first argument is sent, a second one has no effect"]),
        ("tools.a.b({}).then(() => console.log('after')); return 1",
         ["The code returned while 1 call was under way, tools.a.b: " + BEHIND]),
        ("[1, 2].forEach(async (x) => { await tools.a.b({x}); console.log('after') })",
         ["The code returned while 2 calls were under way, the first of them tools.a.b: " + BEHIND]),
        ("const calls = [1, 2].map((x) => tools.a.b({x})); await Promise.all(calls); return calls.length", []),
        ("return {a: tools.a.b({})}", []),
        ("return {a: 1, f: () => 2}",
         ['The result holds a function as "f", which JSON has no value for: it is left out.']),
        ("emit({f() {}}); return {a: [{g() {}}], h: class A {}, i: tools.x}",
         ['What was emitted holds a function as "f", which JSON has no value for: it is left out.',
          'The result holds a function as "g", which JSON has no value for: it is left out. So are 2 more.']),
        ("return {a: new WeakMap(), b: [new WeakSet()]}",
         ["The result holds a WeakSet, which is {} there: nothing can list it. Use a Map or a Set."]),
        ("return {s: Symbol('x'), n: 1}",
         ['The result holds a symbol as "s", which JSON has no value for: it is left out.']),
        ("return {a: new (class Foo { #x = 1; get y() { return 1 } })()}",
         ["The result holds an instance of Foo, which is {} there: it has no fields of its own. "
          "Return what it holds."]),
        ("return {a: {}, b: new (class Foo { x = 1 })(), c: Object.create(null), d: new Map(), e: null}", []),
        ("return [() => 1, 2]", ["The result holds a function, which JSON has no value for: it is null there."]),
        ("console.log('%s is %d, %o %j %% %i %f%c', 'Bob', 42, {a: 1}, [2], '3.7', '3.5x', 'css', 'rest')",
         ['Bob is 42, {"a":1} [2] % 3 3.5 rest']),
        ("console.log('%s'); console.log('100%', 1); console.log('%s and %s', 1); console.log({}, '%s', 1)",
         ["%s", "100% 1", "1 and %s", "{} %s 1"]),
        ("console.warn('%d', 5n, 'x'); console.log('%i|%x', Symbol('s'), 1); console.group('g %s', 1); console.log(2)",
         ["5n x", "NaN|%x 1", "g 1", "  2"]),
        ("console.assert(false, '%s!', 'no'); console.assert(0); console.assert(null, {a: 1})",
         ["Assertion failed: no!", "Assertion failed", 'Assertion failed: {"a":1}']),
        ("console.log(tools.a.b({}), [Promise.resolve(1)], '\\ud83d')",
         ['[Promise of tools.a.b: await it] ["[Promise: await it]"] \ufffd',
          "The code returned while 1 call was under way, tools.a.b: " + BEHIND]),
        ("console.table([{a: 1, b: 'x'}, {a: 2}])", ["(index) | a | b\n0       | 1 | x\n1       | 2 |"]),
        ("console.table(['p', 'q'])", ["(index) | Value\n0       | p\n1       | q"]),
        ("console.dir({a: 1n}); console.assert(true, 'no'); console.assert(false, 'yes')",
         ['{"a":"1n"}', "Assertion failed: yes"]),
        ("console.time('t'); await sleep(5); console.timeEnd('t'); console.timeEnd('t')",
         ["t: 5 ms", 'console.time: there is no timer "t"']),
        ("console.trace('here')", ["Trace: here \n    at agent.ts:1:9"]),
        ("console.count(); console.count(); console.group('g');"
         " console.log('in'); console.groupEnd(); console.log('out')",
         ["default: 1", "default: 2", "g", "  in", "out"]),
        ("try { const u = undefined; u.x } catch (e) { console.log(e) }",
         ["TypeError: cannot read property 'x' of undefined\n    at agent.ts, near line 1"]),
    ]  # fmt: skip
    async with Pool(PoolOptions()) as pool:
        found = [(code, (await run(pool, code)).logs) for code, _ in table]
    assert found == table


async def test_a_heap_blow_up_says_so() -> None:
    codes = ["const a = []; for (;;) a.push({})", "let s = 'x'; const a = []; for (;;) { s += s; a.push(s) }",
             "const m = new Map(); let i = 0; for (;;) m.set(i++, 'x'.repeat(100) + i)",
             "let a = []; for (;;) a = [a, a.slice(), 'k' + a.length]",
             "async function f(n) { return [n, await f(n + 1)] } await f(0)"]  # fmt: skip
    async with Pool(PoolOptions()) as pool:
        for code in codes:
            value = str((await run(pool, code)).value)
            assert value.startswith(
                "MemoryLimitError: The code used more memory than the sandbox allows"
            ) or ("call stack" in value), value


async def test_one_depth_limit_for_all_that_leaves() -> None:
    deep = "let v = 1; for (let i = 0; i < {n}; i++) v = [v]; {rest}"
    async with Pool(PoolOptions()) as pool:
        for rest in ("return v", "emit(v); return 1", "return (await tools.x({v: v[0]})).ok"):
            fits = await run(pool, deep.replace("{n}", "180").replace("{rest}", rest))
            assert "nested" not in str(fits.value)
            over = await run(pool, deep.replace("{n}", "182").replace("{rest}", rest))
            assert over.value == "ResultLimitError: A value is nested more than 180 levels deep."
