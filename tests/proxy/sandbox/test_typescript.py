from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.sandbox.transform_process import TransformProcess
from proxy.sandbox.typescript import KnownAnswers, TypeScript

ENDED = "the process that compiles it ended; the server's log says more"
TOO_MUCH = "it compiles other code, so this code is too much for it"


async def test_code_that_ends_the_compiler_makes_no_trouble_of_the_server() -> None:
    typescript = TypeScript()
    try:
        answer = json.loads(
            await typescript.transform("return " + "`${" * 3_000 + "1" + "}`" * 3_000 + " as string")
        )
        assert answer == {"t": "source", "unavailable": f"{ENDED}; {TOO_MUCH}"}
        assert typescript.status == "ok"
    finally:
        typescript.close()


async def test_it_answers_again_after_its_process_died() -> None:
    typescript = TypeScript()
    try:
        await typescript.prepare()
        assert json.loads(await typescript.transform("let a: number = 1"))["code"].startswith("let a")
        pid = typescript._first.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        answer = json.loads(await typescript.transform("let b: number = 1"))
        assert answer == {"t": "source", "unavailable": f"{ENDED}; {TOO_MUCH}"}
        assert typescript.status == "ok"
        assert json.loads(await typescript.transform("let b: number = 1"))["code"].startswith(
            "let b"
        )  # not kept
        assert typescript.status == "ok"
    finally:
        typescript.close()


async def test_its_process_is_hardened() -> None:
    typescript = TypeScript()
    try:
        await typescript.transform("1")
        status = read(f"/proc/{typescript._first.pid}/status")
        assert "NoNewPrivs:\t1\n" in status
        assert "Seccomp:\t2\n" in status
    finally:
        typescript.close()


async def test_a_request_without_end_is_cut_off() -> None:
    typescript = TypeScript(request_seconds=-0.839)  # what 28,000 characters may take is 0.84 s more
    try:
        await typescript.transform("1")
        answer = json.loads(await typescript.transform("let a: A = 1;\n" * 2_000))
        assert answer == {"t": "source", "unavailable": f"it took longer than 0.001 s; {TOO_MUCH}"}
        assert typescript.status == "ok"
    finally:
        typescript.close()


async def test_a_check_leaves_no_process_behind() -> None:
    typescript = TypeScript()
    try:
        assert typescript.status == "not tried yet"
        assert await typescript.check() is None
        assert (typescript.status, typescript._first.running) == ("ok", False)
        await typescript.transform("1")
        kept = typescript._first.pid
        assert await typescript.check() is None
        assert typescript._first.pid == kept is not None
    finally:
        typescript.close()


# PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN: what systemd's MemoryDenyWriteExecute does where the kernel can.
MDWE = "import ctypes; denied = ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0\n"
CHECK = """import asyncio
from proxy.sandbox.typescript import TypeScript
async def main():
    typescript = TypeScript()
    await typescript.prepare()
    print(denied, await typescript.check())
    typescript.close()
asyncio.run(main())"""


async def test_where_memory_may_not_become_executable_that_is_the_reason() -> None:
    ran = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", MDWE + CHECK], capture_output=True, text=True, check=True
    )
    denied, _, reason = ran.stdout.strip().partition(" ")
    assert reason.startswith("memory may not become executable here" if denied == "True" else "None")
    assert ran.stderr == ""


LONG = "x" * 9_000


@pytest.fixture
def typescript() -> Iterator[TypeScript]:
    made = TypeScript()
    yield made
    made.close()


async def waiting(typescript: TypeScript, *codes: tuple[str, str]) -> list[asyncio.Task[TransformProcess]]:
    """Who asks for a turn, in this order."""
    tasks = [asyncio.ensure_future(typescript._turn(code, account)) for account, code in codes]  # noqa: TID251
    await settled()
    return tasks


async def settled() -> None:
    """Whatever can go on has gone on."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_long_code_waits_for_long_code_and_short_code_does_not(typescript: TypeScript) -> None:
    """Eight callers with 262 kB enums made everybody wait 14 s."""
    first, second, short = await waiting(typescript, ("a", LONG), ("b", LONG), ("c", "short"))
    assert (first.result(), second.done()) == (typescript._first, False)
    assert short.result() is typescript._second
    typescript._free(typescript._first)
    assert await second is typescript._first
    typescript._free(typescript._second)


async def test_one_process_is_enough_while_code_is_short_and_few_wait(typescript: TypeScript) -> None:
    tasks = await waiting(typescript, *[("a", f"{number}") for number in range(4)])
    assert [task.done() for task in tasks] == [True, False, False, False]
    tasks += await waiting(typescript, ("a", "one more"))
    assert tasks[1].result() is typescript._second  # under load
    for process in (typescript._second, *[typescript._first] * 3):
        typescript._free(process)
        await settled()
    assert [task.done() for task in tasks] == [True] * 5


async def test_accounts_take_turns_by_what_their_code_took(typescript: TypeScript) -> None:
    order = [("g", LONG)] * 4 + [("m", LONG)]
    tasks = await waiting(typescript, *order)
    typescript._long.charge("g", 5.0)
    typescript._free(typescript._first)
    await settled()
    assert [task.done() for task in tasks] == [True, False, False, False, True]
    for task in tasks[1:4]:
        typescript._free(typescript._first)
        assert await task is typescript._first


async def test_who_stops_waiting_gives_the_turn_on(typescript: TypeScript) -> None:
    _, second, third = await waiting(typescript, ("a", LONG), ("a", LONG), ("a", LONG))
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    typescript._free(typescript._first)
    assert await third is typescript._first


async def test_the_same_code_of_an_account_is_compiled_once(typescript: TypeScript) -> None:
    answer = await typescript.transform("let a: number = 1", "ann")
    typescript._first.stop()
    assert await typescript.transform("let a: number = 1", "ann") is answer
    assert typescript._first.running is False
    assert (
        await typescript.transform("let a: number = 1", "bob") == answer
    )  # another account learns nothing of it
    assert typescript._first.running is True


def test_answers_are_kept_by_weight_those_used_last() -> None:
    known = KnownAnswers(10)
    known.put("a", "", b"12345")
    known.put("b", "", b"12345")
    assert known.get("a", "") == b"12345"
    known.put("c", "", b"1")
    assert (known.get("a", ""), known.get("b", ""), known.get("c", "")) == (b"12345", None, b"1")
    known.put("large", "", b"x" * 11)
    assert [known.get(code, "") for code in ("a", "c", "large")] == [None, None, None]
    assert known.get("", "a") is None


async def test_what_comes_of_code_is_bounded_by_its_length(typescript: TypeScript) -> None:
    enum = "enum E {" + ",".join(f"member{number} = {number}" for number in range(2_000)) + "}"
    assert len(await typescript.transform(enum)) <= 64 * 1024 + 16 * len(enum)


def read(path: str) -> str:
    return Path(path).read_text("ascii")
