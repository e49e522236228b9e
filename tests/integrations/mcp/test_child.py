"""T29: a local server gets a clean environment and no shell, and is killed with its whole group."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from integrations.mcp.child import StderrTail, child_environment, child_process
from integrations.mcp.errors import McpError
from integrations.mcp.servers import ChildSlots, LocalServer
from tests.integrations.mcp.running import QUICK, fifo, raw_server, running


def test_t29_only_four_variables_are_inherited() -> None:
    own = {
        "PATH": "/bin",
        "HOME": "/h",
        "LANG": "C",
        "TMPDIR": "/t",
        "AWS_SECRET_ACCESS_KEY": "x",
        "EXECUTOR_KEY": "y",
    }
    seen = child_environment({"API_KEY": "declared", "PATH": "/opt/bin"}, own)
    assert seen == {"PATH": "/opt/bin", "HOME": "/h", "LANG": "C", "TMPDIR": "/t", "API_KEY": "declared"}


async def test_t29_a_child_sees_nothing_of_this_process() -> None:
    os.environ["MCP_CANARY"] = "leaked"
    try:
        async with running(raw_server("", {"DECLARED": "yes"})) as one:
            seen = await one.data("environment")
    finally:
        del os.environ["MCP_CANARY"]
    assert seen["DECLARED"] == "yes"
    assert set(seen) - {"LC_CTYPE", "cwd"} <= {"PATH", "HOME", "LANG", "TMPDIR", "DECLARED"}


async def test_t29_there_is_no_shell() -> None:
    server = raw_server()
    server = replace(server, command=(*server.command[:-1], "$(touch /tmp/never); echo `id`"))
    async with running(server) as one:
        assert await one.data("echo", text="$HOME; `id`") == "$HOME; `id`"


async def test_the_working_directory_is_the_configured_one(tmp_path: Path) -> None:
    async with running(replace(raw_server(), cwd=str(tmp_path))) as one:
        assert (await one.data("environment"))["cwd"] == str(tmp_path)


async def test_a_child_leads_its_own_group() -> None:
    async with running(raw_server()) as one:
        seen = await one.data("pid")
        assert seen["group"] == seen["pid"]


@pytest.mark.parametrize("behaviour", ["", "stubborn"])
async def test_t29_the_whole_group_is_killed(behaviour: str, tmp_path: Path) -> None:
    """The grandchild ignores SIGTERM and holds the FIFO open: it can be read to its end only once it is dead."""
    hold = fifo(tmp_path / "hold")
    reader = os.open(hold, os.O_RDONLY | os.O_NONBLOCK)
    try:
        async with running(raw_server(behaviour, {"HOLD": str(hold)})) as one:
            await one.data("grandchild")
        os.set_blocking(reader, True)
        assert os.read(reader, 1) == b""
    finally:
        os.close(reader)


async def test_a_grandchild_goes_even_if_its_parent_died(tmp_path: Path) -> None:
    hold = fifo(tmp_path / "hold")
    reader = os.open(hold, os.O_RDONLY | os.O_NONBLOCK)
    try:
        async with running(raw_server("", {"HOLD": str(hold)})) as one:
            await one.data("grandchild")
            await one.failure("die")
        os.set_blocking(reader, True)
        assert os.read(reader, 1) == b""
    finally:
        os.close(reader)


@pytest.mark.parametrize("command", [("no-such-program-anywhere",), (str(Path(__file__).parent),), ("a\0b",)])
async def test_what_cannot_be_started_is_an_error(command: tuple[str, ...]) -> None:
    slots = ChildSlots(1)
    with pytest.raises(McpError) as caught:
        async with child_process(LocalServer(command), {}, slots, QUICK.grace_seconds):
            pass
    assert (caught.value.kind, caught.value.sent) == ("start", False)
    assert slots.taken == 0


async def test_a_child_that_is_blocked_in_a_write_is_ended() -> None:
    server = LocalServer((sys.executable, "-I", "-S", "-c", "while True: print('x' * 65536)"))
    async with child_process(server, {}, ChildSlots(1), QUICK.grace_seconds) as child:
        pass
    assert child.process.returncode is not None


async def test_the_exit_reason_has_the_exit_code_and_the_last_line_of_stderr() -> None:
    code = "import sys; sys.stderr.write('the key abcdefgh is wrong'); sys.exit(4)"
    server = LocalServer((sys.executable, "-I", "-S", "-c", code))
    async with child_process(server, {"KEY": "abcdefgh"}, ChildSlots(1), 1.0) as child:
        await child.log_stderr()
        assert await child.ended(10.0)
        assert child.exit_reason().endswith("exited with code 4: the key [redacted] is wrong")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((), ""),
        (("starting", "ready"), "starting | ready"),
        ([f"line {n}" for n in range(30)], " | ".join(f"line {n}" for n in range(20, 30))),
        (("npm warn x", "npm error code E404", "npm error 404 Not Found", "bye"), "npm error code E404"),
        (
            (
                "Traceback (most recent call last):",
                '  File "server.py", line 1',
                "ImportError: no module 'x'",
            ),
            "ImportError: no module 'x'",
        ),
        (
            ("    at Object.<anonymous> (/x/error.js:1:1)", "TypeError: no function"),
            "TypeError: no function",
        ),
        (("Error: connect ECONNREFUSED 127.0.0.1:5432",), "Error: connect ECONNREFUSED 127.0.0.1:5432"),
    ],
)
def test_what_is_told_of_stderr_is_the_first_error_or_else_the_last_ten_lines(
    lines: Sequence[str], said: str
) -> None:
    tail = StderrTail()
    for line in lines:
        tail.add(line)
    assert str(tail) == said
