"""T18 to T23: what hostile programs do to a real pool, and to their neighbours."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy.sandbox import (
    Blocked,
    Done,
    Pool,
    PoolOptions,
    ResultDelivery,
    SandboxLimits,
    StartMessage,
    WorkerGone,
)

OPTIONS = PoolOptions(cpu_seconds=0.5, prepare_typescript_seconds=None)
LIMITS = SandboxLimits(calls=100, parallel=8, log_bytes=10_000, emit_bytes=10_000, result_bytes=1_000_000)


async def outcome(pool: Pool, code: str, limits: SandboxLimits = LIMITS) -> Done | Blocked | WorkerGone:
    async with pool.worker("ws", 20) as worker:
        await worker.start(StartMessage(code, "ab" * 32, 1000.0, limits))
        try:
            return await worker.receive()
        except WorkerGone as gone:
            return gone


async def value(pool: Pool, code: str) -> Any:
    done = await outcome(pool, code)
    assert isinstance(done, Done), done
    assert done.error is None, done
    return done.value


# ---- T18: nothing to reach ---------------------------------------------------------------------------------
async def test_t18_eval_and_function_reach_no_host() -> None:
    code = """const names = ['process', 'require', 'module', 'std', 'os', 'print', 'load', 'dukpy', 'call_python', 'scriptArgs',
        'Deno', 'Bun', 'WebAssembly', 'Worker', 'SharedArrayBuffer', 'Atomics', 'WeakRef', 'FinalizationRegistry', 'gc'];
      const makers = [Function, (async () => {}).constructor, (function* () {}).constructor, eval];
      const seen = names.filter(n => makers.some(m => { try { return m === eval ? m(`typeof ${n}`) !== 'undefined'
        : m(`return typeof ${n}`)() === 'object' } catch { return false } }));
      let via = ''; try { via = this.constructor.constructor('return process')().env } catch (e) { via = e.message }
      return [seen, via]"""  # noqa: E501
    async with Pool(OPTIONS) as pool:
        seen, via = await value(pool, code)
        assert seen == []
        assert "not available" in via


async def test_t18_no_file_module_or_bytecode_can_be_loaded() -> None:
    code = """const tries = [() => import('os'), () => import('/etc/passwd'), () => import('data:text/javascript,1'),
        () => eval("import('std')")];
      const seen = []; for (const t of tries) { try { await t(); seen.push('loaded') } catch (e) { seen.push(e.name) } }
      return seen"""
    async with Pool(OPTIONS) as pool:
        assert await value(pool, code) == ["TypeError"] * 4


async def test_t18_nothing_of_ours_leaks_through_errors_or_functions() -> None:
    code = """const texts = []; const see = (f) => { try { f() } catch (e) { texts.push(e.stack + e.message) } };
      see(() => tools.a = 1); see(() => Object.keys(tools)); see(() => new tools.x()); see(() => emit(() => 1));
      see(() => structuredClone(() => 1)); see(() => null.x); see(() => setTimeout(5));
      const e = {}; Error.captureStackTrace(e); texts.push(e.stack);
      return texts.join('\\n')"""
    async with Pool(OPTIONS) as pool:
        text = await value(pool, code)
        assert "agent.ts" in text
        for word in ("dukpy", "<input>", "step", "readOnly", "prelude", "/proxy/"):
            assert word not in text


# ---- T19: what would hang, crash or fill -------------------------------------------------------------------
HOSTILE = {
    "endless loop": ("while (true) {}", "cpu"),
    "endless loop in a microtask": ("await null; for (;;) await null", "cpu"),
    "catastrophic regex": ("return /^(a+)+$/.test('a'.repeat(40) + 'b')", "cpu"),
    "deep recursion": ("const f = () => f() + 1; return f()", "RangeError"),
    "recursion in JSON": (
        "let o = []; for (let i = 0; i < 1e5; i++) o = [o]; return JSON.stringify(o).length",
        "RangeError",
    ),
    "recursion in the parser": ("return eval('['.repeat(1e5))", "RangeError"),
    "recursion through a proxy": (
        "const p = new Proxy({}, {get: (t, k, r) => r[k]}); return p.x",
        "RangeError",
    ),
    "a huge array": ("return new Array(1e9).fill(0).length", "MemoryLimitError"),
    "string doubling": ("let s = 'x'; for (;;) s += s", "MemoryLimitError"),
    "buffers": ("const all = []; for (;;) all.push(new ArrayBuffer(1 << 20))", "MemoryLimitError"),
    "a million promises": (
        "const all = []; for (let i = 0; i < 1e6; i++) all.push(new Promise(r => r(i)).then(x => x)); await Promise.all(all)",  # noqa: E501
        "MemoryLimitError",
    ),
    "a huge return": ("return 'x'.repeat(5e6)", "ResultLimitError"),
    "a deep return": ("let o = []; for (let i = 0; i < 900; i++) o = [o]; return o", "ResultLimitError"),
    "a log flood": ("for (;;) console.log('x'.repeat(1000))", "cpu"),
    "an emit flood": ("for (;;) emit('x'.repeat(1000))", "RangeError"),
    "a broken environment": (
        "Object.defineProperty(globalThis, 'dukpy', {value: 1}); await tools.x()",
        "Error",
    ),
    "a sort that never agrees": (
        "for (;;) Array.from({length: 1e4}, Math.random).sort(() => Math.random() - 0.5)",
        "cpu",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_t19_a_hostile_program_costs_only_itself(name: str) -> None:
    code, expected = HOSTILE[name]
    async with Pool(OPTIONS) as pool:
        hostile = asyncio.gather(outcome(pool, code))
        neighbours = [await value(pool, f"return {n}") for n in range(5)]
        (result,) = await hostile
        if isinstance(result, WorkerGone):
            # Where CPU time runs out first, on a slow machine, that is as good an end; and an engine that runs out of
            # memory in C code may abort, which costs its process and nothing else.
            ends = (expected, "cpu", "crash") if expected == "MemoryLimitError" else (expected, "cpu")
            assert result.reason in ends, result
        else:
            assert isinstance(result, Done)
            assert result.error is not None
            assert result.error.name == expected
            assert result.error.message
        assert neighbours == list(range(5))
        assert await value(pool, "return 'still here'") == "still here"


async def test_t19_logs_of_a_flood_are_bounded() -> None:
    async with Pool(OPTIONS) as pool:
        done = await outcome(pool, "for (let i = 0; i < 1e4; i++) console.log('é'.repeat(1000)); return 1")
        assert isinstance(done, Done)
        assert sum(len(text.encode()) for _, text in done.logs) < 15_000


async def test_t19_many_hostile_programs_at_once() -> None:
    async with Pool(PoolOptions(cpu_seconds=0.3, running=6, prepare_typescript_seconds=None)) as pool:
        results = await asyncio.gather(
            *[
                outcome(pool, code)
                for code in ("for (;;);", "let s = 'x'; for (;;) s += s", "const f = () => f(); f()") * 3
            ],
            *[outcome(pool, "return 1") for _ in range(6)],
        )
        assert all(isinstance(done, Done) and done.value == 1 for done in results[9:])


# ---- T20: nothing stays ------------------------------------------------------------------------------------
@pytest.mark.parametrize("reuse", ["never", "workspace"])
async def test_t20_pollution_does_not_reach_the_next_run(reuse: Any) -> None:
    async with Pool(PoolOptions(reuse=reuse, prepare_typescript_seconds=None)) as pool:
        await value(pool, """Object.prototype.polluted = 1; Array.prototype.map = () => 'bad'; globalThis.left = 1;
          Promise.prototype.mark = 1; JSON.stringify.mark = 1; Math.random = () => 0; return 1""")  # fmt: skip
        seen = (
            "return [typeof {}.polluted, [1].map(x => x + 1), typeof left, "
            "Promise.prototype.mark, Math.random() > 0]"
        )
        assert await value(pool, seen) == ["undefined", [2], "undefined", None, True]


async def test_t20_pollution_cannot_forge_events_or_settle_calls() -> None:
    code = """for (const k of ['timer', 'source', 'throw', 'big', 'limits', 'syntax'])
        Object.prototype[k] = {name: 'Forged', message: 'forged'};
      const r = await tools.x({}); return r.data"""
    async with Pool(OPTIONS) as pool, pool.worker("ws", 20) as worker:
        await worker.start(StartMessage(code, "ab" * 32, 1000.0))
        await worker.receive()
        await worker.deliver([ResultDelivery(1001.0, 0, {"ok": True, "data": 5})])
        done = await worker.receive()
        assert isinstance(done, Done)
        assert done.value == 5, done


# ---- T21: clocks -------------------------------------------------------------------------------------------
async def test_t21_cpu_time_is_limited_and_waiting_costs_none() -> None:
    async with Pool(OPTIONS) as pool:
        gone = await outcome(pool, "for (;;);")
        assert isinstance(gone, WorkerGone)
        assert gone.reason == "cpu"
        assert "CPU" in gone.detail
        async with pool.worker("ws", 20) as worker:
            await worker.start(StartMessage("await tools.x(); return 1", "ab" * 32, 1000.0))
            await worker.receive()
            await asyncio.gather(*[outcome(pool, "for (;;);")])  # longer than the CPU limit in wall time
            await worker.deliver([ResultDelivery(1.0, 0, {"ok": True})])
            done = await worker.receive()
            assert isinstance(done, Done)
            assert done.value == 1


async def test_t21_the_total_life_is_limited() -> None:
    async with Pool(OPTIONS) as pool, pool.worker("ws", 0.1) as worker:
        await worker.start(StartMessage("await tools.x()", "ab" * 32, 1000.0))
        await worker.receive()
        with pytest.raises(WorkerGone, match="deadline"):
            await worker.receive()


# ---- T22: amplification ------------------------------------------------------------------------------------
async def test_t22_ten_thousand_calls_are_a_hundred() -> None:
    code = """const all = await Promise.all(Array.from({length: 10000}, (_, i) => tools.x({i})));
      return all.filter(r => r.error?.code === 'call_limit_exceeded').length"""
    async with Pool(OPTIONS) as pool, pool.worker("ws", 20) as worker:
        await worker.start(StartMessage(code, "ab" * 32, 1000.0, LIMITS))
        sent = 0
        message = await worker.receive()
        while isinstance(message, Blocked):
            assert len(message.calls) <= LIMITS.parallel
            sent += len(message.calls)
            await worker.deliver([ResultDelivery(1.0, call.seq, {"ok": True}) for call in message.calls])
            message = await worker.receive()
        assert isinstance(message, Done)
        assert sent == 100
        assert message.value == 9900


async def test_t22_arguments_are_bounded() -> None:
    code = "return (await tools.x({a: 'x'.repeat(2e6)})).error.code"
    async with Pool(OPTIONS) as pool:
        assert await value(pool, code) == "invalid_tool_arguments"


# ---- T23: results ------------------------------------------------------------------------------------------
async def test_t23_errors_of_calls_are_catchable_and_unawaited_calls_are_told() -> None:
    async with Pool(OPTIONS) as pool, pool.worker("ws", 20) as worker:
        code = "let got; try { await tools.a() } catch (e) { got = e.name } tools.b({late: 1}); return got"
        await worker.start(StartMessage(code, "ab" * 32, 1000.0))
        await worker.receive()
        await worker.deliver(
            [ResultDelivery(1.0, 0, {"throw": {"name": "ToolApprovalDeclinedError", "message": "no"}})]
        )
        done = await worker.receive()
        assert isinstance(done, Done)
        assert done.value == "ToolApprovalDeclinedError"
        assert [call.path for call in done.calls] == ["b"]


async def test_t23_lone_surrogates_and_odd_keys_stay_valid_json() -> None:
    code = "return {['__proto__']: 1, '\\ud800': '\\udc00', 'a\\u2028': '\\u0000', n: [NaN, -0, 1e308 * 10]}"
    async with Pool(OPTIONS) as pool:
        assert isinstance(await value(pool, code), dict)
