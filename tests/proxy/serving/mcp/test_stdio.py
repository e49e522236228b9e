"""A real process on both ends of a pipe."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import mcp_types as types
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.subscriptions import ToolsListChanged

from tests.proxy.serving.support import MODERN, call, initialize

MAIN = ["-m", "tests.proxy.serving.mcp.stdio_main"]
ERAS = pytest.mark.parametrize("mode", ["legacy", MODERN])


def client(mode: str, **options: Any) -> Client:
    transport = stdio_client(StdioServerParameters(command=sys.executable, args=MAIN, env=dict(os.environ)))
    return Client(transport, mode=mode, cache=None, **options)


@ERAS
async def test_lists_calls_and_keeps_stdout_clean(mode: str) -> None:
    async with client(mode) as connected:
        listed = await connected.list_tools()
        assert [tool.name for tool in listed.tools] == ["execute", "resume"]
        for _ in range(3):
            result = await connected.call_tool("execute", {"code": "return 42"})
            assert (result.structured_content or {})["result"] == "42"
        wrong = await connected.call_tool("execute", {"code": ""})
        assert wrong.is_error


async def test_a_handshake_client_hears_of_changed_tools() -> None:
    heard = asyncio.Event()

    async def message(incoming: Any) -> None:
        if isinstance(incoming, types.ToolListChangedNotification):
            heard.set()

    async with client("legacy", message_handler=message) as connected:
        capabilities = connected.server_capabilities
        assert capabilities is not None
        assert capabilities.tools is not None
        assert capabilities.tools.list_changed is True
        await connected.call_tool("execute", {"code": "change"})
        await asyncio.wait_for(heard.wait(), 60)


async def test_a_modern_client_hears_of_changed_tools() -> None:
    async with client(MODERN) as connected, connected.listen(tools_list_changed=True) as events:
        await connected.call_tool("execute", {"code": "change"})
        assert isinstance(await asyncio.wait_for(anext(events), 60), ToolsListChanged)


async def run(*messages: dict[str, Any], args: tuple[str, ...] = ()) -> tuple[int, list[str], str]:
    """Write the messages, close stdin once all requests are answered; exit code, lines on stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *MAIN,
        *args,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    lines = []
    for message in messages:
        process.stdin.write(json.dumps(message).encode() + b"\n")
        await process.stdin.drain()
        if "id" in message:
            lines.append((await asyncio.wait_for(process.stdout.readline(), 30)).decode())
    rest, errors = await asyncio.wait_for(process.communicate(b""), 30)
    assert process.returncode is not None
    return process.returncode, [*lines, *rest.decode().splitlines()], errors.decode()


async def test_end_of_input_is_a_clean_exit_and_noise_goes_to_stderr() -> None:
    code, lines, errors = await run(initialize(), call("return 1"))
    assert code == 0
    assert [json.loads(line)["id"] for line in lines] == [0, 1]
    assert "noise from Python" in errors
    assert "noise from below" in errors
    assert "Traceback" not in errors


async def test_end_of_input_before_anything_is_a_clean_exit() -> None:
    assert (await run())[:2] == (0, [])


async def test_a_broken_line_does_not_end_the_server() -> None:
    code, lines, _ = await run(initialize(), {"broken": True}, call("boom"), call("return 1", 2))
    assert code == 0
    answers = [json.loads(line) for line in lines]
    assert "Internal error [" in answers[1]["error"]["message"]
    assert answers[2]["id"] == 2


async def test_sigterm_ends_a_server_whose_client_says_nothing() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *MAIN, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(initialize()).encode() + b"\n")
    assert await asyncio.wait_for(process.stdout.readline(), 30)
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 60) == 0
    process.stdin.close()
    await process.stdin.wait_closed()
