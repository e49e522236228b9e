from __future__ import annotations

import json
import os
import signal
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
        assert await typescript.transform("let a: number = 1") == b'{"t":"source"}'
        assert json.loads(await typescript.transform("let b: number = 1"))["code"].startswith("let b")
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
        assert await typescript.transform("let a: A = 1;\n" * 20_000) == b'{"t":"source"}'
    finally:
        typescript.close()


def read(path: str) -> str:
    return Path(path).read_text("ascii")
