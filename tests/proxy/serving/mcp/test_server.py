"""The handlers that the end-to-end tests in `test_app` do not pin down."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from mcp import Client
from mcp.server import Server

from proxy.principal import Principal
from proxy.serving.drain import Drain
from proxy.serving.mcp.client import ClientContext
from proxy.serving.mcp.elicitation import Seals
from proxy.serving.mcp.modern import ChangeStreams
from proxy.serving.mcp.pauses import Pauses
from proxy.serving.mcp.server import build_server, instructions
from proxy.serving.mcp.tool_calls import ServerOptions
from tests.proxy.serving.support import ALICE, MODERN, TOKENS, Board
from tests.proxy.support import logged


def built(
    board: Board, options: ServerOptions | None = None, client: ClientContext | None = None
) -> Server[Any]:
    pauses = Pauses(board, Seals(), Drain())
    return build_server(board, ChangeStreams(), pauses, options or ServerOptions(), client)


def test_instructions_name_the_workspace_and_the_revision() -> None:
    text = instructions(Board(revision=7), ClientContext(TOKENS["eve"]))
    assert "Workspace ws_two, catalog revision r7." in text


async def test_every_caller_gets_its_own_description() -> None:
    class PerCaller(Board):
        def description(self, principal: Principal, pause_rule: str = "") -> tuple[str, str]:
            return f"For {principal.account_id}.", "r1"

    for name in ("alice", "eve"):
        server = built(PerCaller(), client=ClientContext(TOKENS[name]))
        async with Client(server) as client:
            assert (await client.list_tools()).tools[0].description == f"For key:{name}."


async def test_the_runtimes_of_the_configuration_are_in_the_schema() -> None:
    options = ServerOptions(name="executor", version="1.2.3", runtimes=("quickjs", "big"))
    server = built(Board(), options, ClientContext(ALICE))
    async with Client(server) as client:
        tool = (await client.list_tools()).tools[0]
        assert tool.input_schema["properties"]["runtimeId"]["enum"] == ["quickjs", "big"]
        assert tool.annotations is not None
        assert tool.annotations.destructive_hint is True


def test_input_schemas_are_known_without_a_listing() -> None:
    server = built(Board())
    assert server.get_tool_input_schema is not None
    assert server.get_tool_input_schema("execute") is not None
    assert server.get_tool_input_schema("nothing") is None


async def test_a_failing_description_is_a_defect_with_digits(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Board):
        def description(self, principal: Principal, pause_rule: str = "") -> tuple[str, str]:
            raise RuntimeError("the secret cause")

    server = built(Broken(), client=ClientContext(ALICE))
    async with Client(server, mode=MODERN) as client:
        with pytest.raises(Exception, match=r"Internal error \[[0-9a-f]{8}\]"):
            await client.list_tools()
    assert "the secret cause" in logged(caplog)


def test_nothing_but_serving_needs_the_sdk() -> None:
    code = "import sys, proxy.principal, policies, integrations; sys.exit('mcp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
