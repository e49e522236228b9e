"""The pool with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from proxy.sandbox import (
    Blocked,
    Done,
    HardeningMissing,
    Pool,
    PoolBusy,
    PoolOptions,
    ResultDelivery,
    StartMessage,
    Worker,
    WorkerGone,
)
from proxy.sandbox.foreground import most_at_once

SEED = "00" * 32


def start(code: str) -> StartMessage:
    return StartMessage(code, SEED, 1000.0)


async def run(pool: Pool, code: str, workspace: str = "ws", account: str = "") -> Done:
    async with pool.worker(workspace, 30, account) as worker:
        await worker.start(start(code))
        message = await worker.receive()
        assert isinstance(message, Done)
        return message


async def test_an_execution_with_a_call() -> None:
    async with Pool(PoolOptions()) as pool, pool.worker("ws", 30) as worker:
        await worker.start(start("return (await tools.a.b({x: 1})).data"))
        blocked = await worker.receive()
        assert isinstance(blocked, Blocked)
        assert blocked.calls[0].path == "a.b"
        await worker.deliver([ResultDelivery(1001.0, 0, b'{"ok":true,"data":[1]}')])
        done = await worker.receive()
        assert isinstance(done, Done)
        assert done.value == [1]


async def test_typescript_runs_and_keeps_lines() -> None:
    async with Pool(PoolOptions(prepare_typescript_seconds=None)) as pool:
        assert (await run(pool, "enum E { A = 3 }\nconst a: number = E.A; return a")).value == 3
        failed = await run(
            pool, "interface A { x: number }\n\nconst a: A = {x: 1};\nthrow new Error(`${a.x!}`)"
        )
        assert failed.error is not None
        assert (failed.error.line, failed.error.message) == (4, "1")
        broken = await run(pool, "const a: string = ;")
        assert broken.error is not None
        assert (broken.error.kind, broken.error.line, broken.error.column) == ("syntax", 1, 19)


async def test_every_execution_has_its_own_process() -> None:
    async with Pool(PoolOptions()) as pool:
        pids = []
        for _ in range(3):
            async with pool.worker("ws", 30) as worker:
                await worker.start(start("1"))
                await worker.receive()
                pids.append(worker.pid)
        assert len(set(pids)) == 3
        assert pool.stats().reused == 0


async def test_reuse_stays_inside_the_workspace_and_ends() -> None:
    async with Pool(PoolOptions(reuse="workspace", runs=2)) as pool:
        for _ in range(2):
            assert (await run(pool, "globalThis.left = 1; return typeof left")).value == "number"
        assert pool.stats().reused == 1
        assert (await run(pool, "return typeof left")).value == "undefined"  # a third process: runs=2
        assert pool.stats().reused == 1
        assert (await run(pool, "return typeof left", workspace="other")).value == "undefined"
        assert pool.stats().reused == 1
        await run(pool, "throw 1")  # takes the first workspace's; an error retires it
        before = pool.stats().reused
        await run(pool, "1")
        assert pool.stats().reused == before


async def test_as_many_are_kept_as_were_at_work_at_once() -> None:
    async with Pool(PoolOptions(reuse="workspace", workers=1)) as pool:

        async def crowd() -> None:
            together = asyncio.Barrier(6)

            async def one() -> None:
                async with pool.worker("ws", 30) as worker:
                    await worker.start(start("1"))
                    await together.wait()
                    await worker.receive()

            await asyncio.gather(*(one() for _ in range(6)))

        await crowd()
        spawned = pool.stats().spawned
        await crowd()
        assert pool.stats().reused == 6
        assert pool.stats().spawned == spawned


def resident_bytes(pid: int | None) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * 4096


async def test_memory_of_a_large_execution_is_given_back() -> None:
    large = (
        "let s = 'x'; for (let i = 0; i < 25; i++) s += s; const a = new Array(1e6).fill(1); return a.length"
    )
    async with Pool(PoolOptions(reuse="workspace", workers=1)) as pool:
        resident = []
        for code in ("1", large, "1", large, "1", large, "1"):
            async with pool.worker("ws", 30) as worker:
                await worker.start(start(code))
                await worker.receive()
                resident.append(resident_bytes(worker.pid))
        assert resident[-1] < resident[0] + 24e6


async def test_retire_ends_warm_and_working_processes_after_their_run() -> None:
    async with Pool(PoolOptions(reuse="workspace")) as pool:
        async with pool.worker("ws", 30) as worker:
            await worker.start(start("1"))
            pool.retire()
            await worker.receive()
        await run(pool, "1")
        assert pool.stats().reused == 0


async def test_the_deadline_kills() -> None:
    async with Pool(PoolOptions()) as pool, pool.worker("ws", 0.2) as worker:
        await worker.start(start("for (;;);"))
        with pytest.raises(WorkerGone) as gone:
            await worker.receive()
        assert gone.value.reason == "killed"
        assert "deadline" in gone.value.detail


async def test_kill_wakes_who_waits() -> None:
    async with Pool(PoolOptions()) as pool, pool.worker("ws", 30) as worker:
        await worker.start(start("for (;;);"))
        asyncio.get_running_loop().call_later(0.05, worker.kill, "enough")
        with pytest.raises(WorkerGone, match="enough"):
            await worker.receive()


async def test_a_cancelled_lease_frees_its_place() -> None:
    async with Pool(PoolOptions(running=1)) as pool:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(run(pool, "for (;;);"), 0.1)
        assert (await run(pool, "1")).value == 1


async def test_the_queue_is_bounded_in_length_and_time() -> None:
    async with Pool(PoolOptions(running=1, queue=1, wait_seconds=0.05)) as pool, pool.worker("ws", 30):
        with pytest.raises(PoolBusy, match="came free"):
            await run(pool, "1")
    async with Pool(PoolOptions(running=1, queue=0)) as pool, pool.worker("ws", 30):
        with pytest.raises(PoolBusy, match="waiting"):
            await run(pool, "1")


async def test_waiters_are_served_in_turn() -> None:
    async with Pool(PoolOptions(running=2)) as pool:
        results = await asyncio.gather(*[run(pool, f"return {n}") for n in range(20)])
        assert [done.value for done in results] == list(range(20))
        assert pool.stats().busy == 0


async def test_a_dead_zygote_is_replaced_and_costs_only_its_workers() -> None:
    async with Pool(PoolOptions()) as pool:
        async with pool.worker("ws", 30) as worker:
            await worker.start(start("for (;;);"))
            assert pool._supervisor is not None
            os.kill(pool._supervisor.pid, signal.SIGKILL)
            with pytest.raises(WorkerGone) as gone:
                await worker.receive()
            assert gone.value.reason == "crash"
        assert (await run(pool, "return 5")).value == 5
        assert pool.stats().zygote_restarts == 1


async def test_a_warm_worker_that_dies_is_not_handed_out() -> None:
    async with Pool(PoolOptions(workers=1)) as pool:
        await run(pool, "1")
        await asyncio.sleep(0)
        for worker in list(pool._warm):
            worker.kill()
        assert (await run(pool, "return 6")).value == 6


async def test_what_is_required_must_exist() -> None:
    with pytest.raises(HardeningMissing, match="unknown mechanism"):
        Pool(PoolOptions(require=frozenset({"moat"})))
    async with Pool(PoolOptions(require=frozenset({"no_new_privs", "rlimits"}))) as pool:
        assert pool.hardening.level["no_new_privs"] == "on"


async def test_nothing_is_left_behind() -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    async with Pool(PoolOptions()) as pool:
        for _ in range(5):
            await run(pool, "1")
        assert pool._supervisor is not None
        zygote = pool._supervisor.pid
    with pytest.raises(ProcessLookupError):
        os.kill(zygote, 0)
    assert len(os.listdir("/proc/self/fd")) == descriptors


async def test_a_place_given_to_someone_who_left_is_passed_on() -> None:
    async with Pool(PoolOptions(running=1)) as pool:
        async with pool.worker("ws", 30), asyncio.TaskGroup() as tasks:
            first = tasks.create_task(run(pool, "return 1"))
            second = tasks.create_task(run(pool, "return 2"))
            await asyncio.sleep(0)
            pool._seats.leave("")  # the first waiter holds the place now, but is cancelled before it knows
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            assert (await second).value == 2
            pool._seats.take("")  # what the lease around this will give back
        assert pool.stats().busy == 0


async def test_an_account_that_takes_all_it_can_get_leaves_room_for_others() -> None:
    """Half of the places are the most for one account; it is told which key says so."""
    async with Pool(PoolOptions(running=4, wait_seconds=0.05)) as pool, AsyncExitStack() as held:
        for _ in range(2):
            await held.enter_async_context(pool.worker("ws", 30, "ws/greedy"))
        with pytest.raises(PoolBusy, match=r"2 executions of this account.*sandbox\.max_running_per_account"):
            await run(pool, "1", account="ws/greedy")
        assert (await run(pool, "return 1", account="ws/modest")).value == 1
    async with Pool(PoolOptions(running=4, running_per_account=1, wait_seconds=0.05)) as pool:
        async with pool.worker("ws", 30, "ws/greedy"):
            with pytest.raises(PoolBusy, match="1 executions of this account"):
                await run(pool, "1", account="ws/greedy")


async def test_code_that_computes_leaves_room_for_others_before_it_has_ended() -> None:
    """More programs compute than may at once, and one that begins is not kept waiting for their end."""
    async with Pool(PoolOptions(running=64, running_per_account=32)) as pool, asyncio.TaskGroup() as tasks:
        spinning = [
            tasks.create_task(run(pool, "while (true) {}", account=f"ws/greedy{number % 3}"))
            for number in range(3 * most_at_once())
        ]
        assert (await run(pool, "return 1", account="ws/modest")).value == 1
        assert (await run(pool, "return 1", account="ws/greedy1")).value == 1
        assert not any(task.done() for task in spinning)
        for task in spinning:
            task.cancel()


async def test_workers_of_who_has_computed_much_are_lowered_while_others_want_to_run() -> None:
    async with Pool(PoolOptions(running=64, workers=1, reuse="workspace")) as pool, AsyncExitStack() as held:

        async def leased(account: str) -> tuple[Worker, AsyncExitStack]:
            """One that waits for a call, so that it has left the foreground."""
            lease = await held.enter_async_context(AsyncExitStack())
            worker = await lease.enter_async_context(pool.worker("ws", 30, account))
            await worker.start(start("return (await tools.a.b({})).data"))
            await worker.receive()
            return worker, lease

        assert (await run(pool, "let n = 0; while (n < 1e7) n++; return n", account="ws/greedy")).ok
        modest, _ = await leased("ws/modest")
        first, _ = await leased("ws/greedy")
        second, lease = await leased("ws/greedy")
        # The first came when it was the only one of its account.
        assert [one.lowered for one in (modest, first, second)] == [False, False, True]
        assert first.pid is not None
        assert second.pid is not None
        assert os.getpriority(os.PRIO_PROCESS, second.pid) > os.getpriority(os.PRIO_PROCESS, first.pid)
        await second.deliver([ResultDelivery(1001.0, 0, b'{"ok":true,"data":[1]}')])
        await second.receive()
        await lease.aclose()
        # What is lowered serves on, but only those who are behind.
        other, _ = await leased("ws/modest")
        again, _ = await leased("ws/greedy")
        assert other is not second
        assert again is second


async def test_a_worker_that_computes_for_long_is_served_after_others_and_not_used_again() -> None:
    """By the CPU time that an answer took; waiting for calls is none."""
    async with Pool(PoolOptions(reuse="workspace")) as pool:
        async with pool.worker("ws", 60) as worker:
            await worker.start(start("let n = 0; while (n < 6e7) n++; return n"))
            await worker.receive()
            assert worker.background
            assert worker.pid is not None
            lowered = os.getpriority(os.PRIO_PROCESS, worker.pid)
        async with pool.worker("ws", 30) as worker:
            await worker.start(start("return (await tools.a.b({})).data"))
            await worker.receive()
            assert worker.pid is not None
            began = os.getpriority(os.PRIO_PROCESS, worker.pid)
            assert os.getpriority(os.PRIO_PROCESS, 0) < began < lowered
            await worker.deliver([ResultDelivery(1001.0, 0, b'{"ok":true,"data":[1]}')])
            await worker.receive()
            assert not worker.background
        assert pool.stats().reused == 0
