"""Real servers of the protocol's own project, from npm: everything, filesystem and memory."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from integrations.base import InvalidArguments
from integrations.conversation import Conversation, ElicitationAnswer, ElicitationRequest
from integrations.mcp import RemoteServer
from integrations.naming import unique_names
from tests.integrations.mcp.npm import everything_over, local
from tests.integrations.mcp.relay import relay
from tests.integrations.mcp.running import PATIENCE, Running, running

pytestmark = pytest.mark.specs

REMOTE = [
    ("streamableHttp", "/mcp", "auto"),
    ("streamableHttp", "/mcp", "streamable-http"),
    ("sse", "/sse", "auto"),
    ("sse", "/sse", "sse"),
]


def name_of(original: str) -> str:
    """A name with a hyphen is no address."""
    return unique_names([original])[0]


async def try_everything(one: Running) -> None:
    assert one.status == {"status": "connected"}
    assert await one.data("echo", message="hi") == "Echo: hi"
    assert await one.data(name_of("get-sum"), a=1, b=2) == "The sum of 1 and 2 is 3."
    with pytest.raises(InvalidArguments):
        one.upstream.prepare(name_of("get-sum"), {"a": 1, "b": "two"})
    words, image, _ = await one.data(name_of("get-tiny-image"))
    assert words["type"] == "text"
    assert (image["_tag"], image["mimeType"]) == ("ToolFile", "image/png")
    weather = await one.data(name_of("get-structured-content"), location="Chicago")
    assert set(weather) == {"temperature", "conditions", "humidity"}
    links = await one.data(name_of("get-resource-links"), count=2)
    assert [block["type"] for block in links[1:]] == ["resource_link", "resource_link"]
    resources = (await one.data("resources.list"))["resources"]
    text = await one.data("resources.read", uri=resources[0]["uri"])
    assert text["contents"][0]["text"]
    blob = await one.data("resources.read", uri="demo://resource/dynamic/blob/1")
    assert blob["contents"][0]["file"]["_tag"] == "ToolFile"
    prompts = (await one.data("prompts.list"))["prompts"]
    assert "args-prompt" in [prompt["name"] for prompt in prompts]
    prompt = await one.data("prompts.get", name="args-prompt", arguments={"city": "Rome"})
    assert "Rome" in prompt["messages"][0]["content"]["text"]
    await try_progress(one)


async def try_progress(one: Running) -> None:
    seen: list[float] = []
    heard = lambda step, total, words: seen.append(step)  # noqa: E731
    await one.talk(name_of("trigger-long-running-operation"), progress=heard, duration=0.1, steps=3)
    assert seen == [1.0, 2.0, 3.0]


async def test_everything_over_stdio() -> None:
    async with running(local("everything", "stdio")) as one:
        await try_everything(one)
        risks = {tool.name: tool.risk for tool in one.upstream.toolset.tools}
        assert (risks["echo"], risks[name_of("toggle-simulated-logging")]) == ("read", "write")
        environment = await one.data(name_of("get-env"))
        assert set(environment) <= {"PATH", "HOME", "LANG", "TMPDIR"}


@pytest.mark.parametrize(("mode", "path", "transport"), REMOTE)
async def test_everything_over_http(mode: str, path: str, transport: Any) -> None:
    async with (
        everything_over(mode) as origin,
        running(RemoteServer(origin + path, transport=transport)) as one,
    ):
        await try_everything(one)


async def test_everything_elicits() -> None:
    asked: list[ElicitationRequest] = []

    async def answer(question: ElicitationRequest) -> ElicitationAnswer:
        asked.append(question)
        return ElicitationAnswer("decline")

    async with running(local("everything", "stdio"), asks=True) as one:
        await one.changes.until(lambda: name_of("trigger-elicitation-request") in one.names)
        blocks = await one.talk(name_of("trigger-elicitation-request"), ask=answer)
        assert "declined" in json.dumps(blocks)
        assert asked[0].schema is not None


async def test_everything_is_cancelled() -> None:
    async with running(local("everything", "stdio")) as one:
        async with asyncio.TaskGroup() as tasks:
            step = asyncio.Event()
            call = one.upstream.prepare(
                name_of("trigger-long-running-operation"), {"duration": 60, "steps": 600}
            )
            task = tasks.create_task(
                one.upstream.converse(call, PATIENCE, Conversation("p", lambda *_: step.set()))
            )
            await step.wait()
            task.cancel()
        assert await one.data("echo", message="next") == "Echo: next"


async def test_a_server_over_http_that_restarts_is_found_again() -> None:
    """The second server knows nothing of the session of the first: that is repaired inside one call."""
    async with everything_over("streamableHttp") as first:
        async with everything_over("streamableHttp") as second:
            place = {"origin": first}
            async with relay(place) as origin, running(RemoteServer(origin + "/mcp")) as one:
                assert await one.data("echo", message="one") == "Echo: one"
                place["origin"] = second
                assert await one.data("echo", message="two") == "Echo: two"


async def test_filesystem(tmp_path: Path) -> None:
    async with running(local("filesystem", str(tmp_path))) as one:
        note = str(tmp_path / "note.txt")
        await one.data("write_file", path=note, content="remember")
        assert await one.data("read_text_file", path=note) == {"content": "remember"}
        assert await one.data("list_directory", path=str(tmp_path)) == {"content": "[FILE] note.txt"}
        failure = await one.failure("read_text_file", path="/etc/passwd")
        assert (failure.code, failure.message.split(" - ")[0]) == ("mcp_tool_error", "Access denied")
        risks = {tool.name: tool.risk for tool in one.upstream.toolset.tools}
        assert (risks["read_text_file"], risks["write_file"], risks["create_directory"]) == (
            "read", "destructive", "write",
        )  # fmt: skip


async def test_memory(tmp_path: Path) -> None:
    server = local("memory", MEMORY_FILE_PATH=str(tmp_path / "memory.jsonl"))
    entity = {"name": "Ada", "entityType": "person", "observations": ["wrote programs"]}
    async with running(server) as one:
        assert await one.data("create_entities", entities=[entity]) == {"entities": [entity]}
        with pytest.raises(InvalidArguments):
            one.upstream.prepare("create_entities", {"entities": [{"name": "Ada"}]})
    async with running(server) as one:
        assert (await one.data("read_graph"))["entities"] == [entity]
