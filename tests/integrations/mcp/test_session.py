"""Both protocol eras over every transport, against a server made with the official SDK."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrations.conversation import ElicitationAnswer, ElicitationRequest
from integrations.mcp import LocalServer, RemoteServer
from integrations.mcp.servers import ChildSlots, McpServer
from integrations.mcp.session import Listeners, Negotiated, SessionOptions, Shared, open_session
from integrations.naming import unique_names
from tests.integrations.mcp.running import QUICK, raw_server, running

SDK = str(Path(__file__).with_name("sdk_server.py"))
ENDPOINTS = ("stdio", "/mcp", "/old/mcp", "/sse")
HTTP_ENDPOINTS = ("/mcp", "/old/mcp", "/sse")


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, SDK, "http"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


def server_at(origin: str, endpoint: str) -> McpServer:
    if endpoint == "stdio":
        return LocalServer((sys.executable, SDK, "stdio"))
    return RemoteServer(origin + endpoint)


async def opened(server: McpServer, negotiated: Negotiated) -> tuple[str, bool, str]:
    """Transport, era and server name of a session, opened and closed again."""
    listeners = Listeners(lambda _: None, lambda: None, lambda *_: None)
    options = SessionOptions(server, {}, listeners, Shared(ChildSlots()), QUICK)
    async with open_session(options, negotiated) as session:
        return session.transport, session.modern, session.server_name


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("stdio", ("stdio", True, "shop")),
        ("/mcp", ("streamable-http", True, "shop")),
        ("/old/mcp", ("streamable-http", False, "shop")),
        ("/sse", ("sse", False, "shop")),
    ],
)
async def test_transport_and_era_are_negotiated(
    origin: str, endpoint: str, expected: tuple[str, bool, str]
) -> None:
    negotiated = Negotiated()
    assert await opened(server_at(origin, endpoint), negotiated) == expected
    assert (negotiated.transport, negotiated.legacy) == (expected[0], not expected[1])
    assert await opened(server_at(origin, endpoint), negotiated) == expected


@pytest.mark.parametrize("behaviour", ["", "strict"])
async def test_a_local_server_of_the_old_era_is_spoken_to_as_it_expects(behaviour: str) -> None:
    """`strict` ends when the first message is not `initialize`, as some servers do."""
    negotiated = Negotiated()
    assert await opened(raw_server(behaviour), negotiated) == ("stdio", False, "raw")
    assert negotiated.legacy


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_tools_resources_and_prompts(origin: str, endpoint: str) -> None:
    async with running(server_at(origin, endpoint)) as one:
        assert one.status == {"status": "connected"}
        assert await one.data("add", a=1, b=2) == {"x": 3, "y": 0}
        picture = await one.data("picture")
        assert (picture["_tag"], picture["mimeType"], picture["byteLength"]) == ("ToolFile", "image/png", 8)
        assert (await one.failure("fail")).code == "mcp_tool_error"
        assert "shelf is empty" in (await one.failure("fail")).message
        listed = await one.data("resources.list")
        assert [resource["uri"] for resource in listed["resources"]] == ["shop://motto"]
        read = await one.data("resources.read", uri="shop://motto")
        assert read["contents"] == [{"uri": "shop://motto", "mimeType": "text/plain", "text": "always open"}]
        assert [prompt["name"] for prompt in (await one.data("prompts.list"))["prompts"]] == ["advertise"]
        messages = (await one.data("prompts.get", name="advertise", arguments={"product": "tea"}))["messages"]
        assert messages == [{"role": "user", "content": {"type": "text", "text": "Praise tea."}}]


async def test_names_titles_schemas_and_risks(origin: str) -> None:
    async with running(server_at(origin, "/mcp")) as one:
        toolset = one.upstream.toolset
        (odd,) = unique_names(["dotted.name-with space"])
        assert odd in one.names
        assert await one.data(odd) == {"result": "odd"}
        add = toolset.definition("add")
        assert (add.title, add.risk, add.idempotent) == ("Add two numbers", "read", True)
        assert toolset.definition("fail").risk == "destructive"
        assert toolset.definition("picture").risk == "write"
        schemas = toolset.schemas("add")
        assert set(schemas.input["properties"]) == {"a", "b"}
        assert schemas.output is not None
        assert set(schemas.output["properties"]) == {"x", "y"}
        assert toolset.annotations("add") == {"readOnlyHint": True}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_progress(origin: str, endpoint: str) -> None:
    seen: list[Any] = []
    async with running(server_at(origin, endpoint)) as one:
        await one.talk("steps", progress=lambda *step: seen.append(step))
        assert seen == [(1.0, 2.0, "step 1"), (2.0, 2.0, "step 2")]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_elicitation_in_both_eras(origin: str, endpoint: str) -> None:
    """Over stdio and `/mcp` the server answers with `input_required` and is asked again; elsewhere it asks back."""

    async def answer(question: ElicitationRequest) -> ElicitationAnswer:
        assert question.message == "who are you?"
        return ElicitationAnswer("accept", {"name": "Ada"})

    async with running(server_at(origin, endpoint), asks=True) as one:
        assert await one.talk("greet", ask=answer) == {"result": "hello Ada"}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_where_nobody_can_be_asked_elicitation_fails_politely(origin: str, endpoint: str) -> None:
    async with running(server_at(origin, endpoint), asks=True) as one:
        failure = await one.failure("greet")
        assert failure.code == "mcp_tool_error"
        assert await one.data("add", a=1, b=1) == {"x": 2, "y": 0}


@pytest.mark.parametrize("endpoint", ["stdio", "/mcp", "/old/mcp", "/sse"])
async def test_a_changed_list_is_noticed(origin: str, endpoint: str) -> None:
    async with running(server_at(origin, endpoint)) as one:
        if "fresh" in one.names:
            # The HTTP_ENDPOINTS server is shared by these tests; one of the others has been here.
            assert await one.data("fresh") == {"result": "odd"}
        else:
            await one.data("grow")
            await one.changes.until(lambda: "fresh" in one.names)


@pytest.mark.parametrize("endpoint", HTTP_ENDPOINTS)
async def test_headers_are_resolved_and_sent(origin: str, endpoint: str) -> None:
    server = RemoteServer(origin + endpoint, headers={"X-Plain": "a", "X-Both": "config"})
    async with running(server, resolve=lambda: {"X-Secret": "s3cret", "X-Both": "resolved"}) as one:
        seen = await one.data("headers")
        assert (seen["x-plain"], seen["x-secret"], seen["x-both"]) == ("a", "s3cret", "resolved")


async def test_a_401_is_a_need_for_signing_in(origin: str) -> None:
    async with running(RemoteServer(origin + "/closed/mcp")) as one:
        assert one.status == {"status": "needs_auth"}


async def test_a_fixed_credential_is_used_by_the_next_attempt(origin: str) -> None:
    tokens = iter(["wrong"])

    def resolve() -> dict[str, str]:
        return {"Authorization": f"Bearer {next(tokens, 'open-sesame')}"}

    async with running(RemoteServer(origin + "/closed/mcp"), resolve=resolve) as one:
        await one.changes.until(lambda: one.status == {"status": "connected"})
        assert await one.data("add", a=2, b=2) == {"x": 4, "y": 0}


@pytest.mark.parametrize("transport", ["auto", "streamable-http", "sse"])
async def test_a_place_without_a_server_is_failed(origin: str, transport: Any) -> None:
    async with running(RemoteServer(origin + "/nothing", transport=transport)) as one:
        assert one.status == {"status": "failed", "error": "the server answered 404"}
