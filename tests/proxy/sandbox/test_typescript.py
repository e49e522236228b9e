from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from proxy.sandbox.typescript import TypeScript


async def test_it_answers_again_after_its_process_died() -> None:
    typescript = TypeScript()
    try:
        await typescript.prepare()
        assert json.loads(await typescript.transform("let a: number = 1"))["code"].startswith("let a")
        process = typescript._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        answer = json.loads(await typescript.transform("let a: number = 1"))
        assert answer == {"t": "source", "unavailable": typescript.status}
        assert typescript.status == "the process that compiles it ended; the server's log says more"
        assert json.loads(await typescript.transform("let b: number = 1"))["code"].startswith("let b")
        assert typescript.status == "ok"
    finally:
        typescript.close()


async def test_its_process_is_hardened() -> None:
    typescript = TypeScript()
    try:
        await typescript.transform("1")
        process = typescript._process
        assert process is not None
        status = read(f"/proc/{process.pid}/status")
        assert "NoNewPrivs:\t1\n" in status
        assert "Seccomp:\t2\n" in status
    finally:
        typescript.close()


async def test_a_request_without_end_is_cut_off() -> None:
    typescript = TypeScript(request_seconds=0.001)
    try:
        await typescript.transform("1")
        answer = json.loads(await typescript.transform("let a: A = 1;\n" * 20_000))
        assert answer == {"t": "source", "unavailable": "it took longer than 0.001 s"}
    finally:
        typescript.close()


async def test_a_check_leaves_no_process_behind() -> None:
    typescript = TypeScript()
    try:
        assert typescript.status == "not tried yet"
        assert await typescript.check() is None
        assert (typescript.status, typescript._process) == ("ok", None)
        await typescript.transform("1")
        kept = typescript._process
        assert await typescript.check() is None
        assert typescript._process is kept is not None
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


def read(path: str) -> str:
    return Path(path).read_text("ascii")
