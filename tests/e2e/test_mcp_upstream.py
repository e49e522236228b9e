"""What an MCP server says during a call reaches the caller of `execute`. Both ends are real, in both eras."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import configs
from tests.e2e.running import MODERN, Answer, Proxy, post, serving

SERVERS = Path(__file__).parents[1] / "integrations" / "mcp"
ERAS = pytest.mark.parametrize("mode", ["legacy", MODERN])


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("mcp")
    with serving(config_in(folder), folder / "state", env={}) as running:
        yield running


def config_in(folder: Path) -> Path:
    """Two local MCP servers: `new` speaks 2026-07-28, `old` the handshake era."""
    local = {"kind": "mcp", "type": "local", "timeout": 20_000}
    config = {
        "version": 1,
        "integrations": {
            "new": {**local, "command": [sys.executable, str(SERVERS / "sdk_server.py"), "stdio"]},
            "old": {
                **local,
                "command": [sys.executable, "-I", "-S", str(SERVERS / "stdio_server.py"), "plain"],
            },
        },
        "connections": {"new.org.main": {}, "old.org.main": {}},
        "policies": [{"pattern": "*", "action": "approve"}],
    }
    return configs.write(folder / "executor.yaml", config)


@ERAS
@pytest.mark.parametrize(
    ("code", "first", "settled"),
    [
        (
            "await tools.new.org.main.steps({})",
            "new.org.main.steps: 1 of 2: step 1",
            "new.org.main.steps ok in ",
        ),
        (
            "await tools.old.org.main.progress({})",
            "old.org.main.progress: 1 of 3",
            "old.org.main.progress ok in ",
        ),
    ],
)
async def test_progress_of_an_upstream_reaches_the_caller(
    proxy: Proxy, mode: str, code: str, first: str, settled: str
) -> None:
    heard: list[tuple[float, str]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message or ""))

    async with proxy.sdk(mode) as client:
        result = await client.call_tool("execute", {"code": code}, progress_callback=on_progress)
        assert (result.structured_content or {})["status"] == "completed"
    numbers, texts = [number for number, _ in heard], [text for _, text in heard]
    assert numbers == sorted(set(numbers)), "progress only ever grows"
    assert texts[1] == first
    assert texts[-1].startswith(settled)


async def test_a_question_of_a_server_of_the_new_era_pauses_and_its_answer_goes_back(proxy: Proxy) -> None:
    """The call ends with the question, so nothing waits for the answer, and any process may go on."""
    async with proxy.sdk(MODERN) as client:
        first = await client.call_tool(
            "execute", {"code": "return (await tools.new.org.main.greet({})).data.result"}
        )
        paused = first.structured_content or {}
        assert paused["status"] == "waiting_for_interaction"
        (question,) = paused["interactions"]
        assert (question["kind"], question["address"]) == ("form", "new.org.main.greet")
        assert "| who are you?" in question["message"]
        assert question["requestedSchema"]["required"] == ["name"]
        given = {"executionId": paused["executionId"], "action": "accept"}
        wrong = await client.call_tool("resume", {**given, "content": {"name": 7}})
        assert "does not fit the form" in (wrong.structured_content or {})["note"]
        done = await client.call_tool("resume", {**given, "content": {"name": "Ada"}})
        assert (done.structured_content or {})["result"] == "hello Ada"


ASK_OLD = "return (await tools.old.org.main.ask({})).data"


@ERAS
async def test_a_question_in_the_middle_of_a_call_pauses_and_its_answer_reaches_the_call(
    proxy: Proxy, mode: str
) -> None:
    """The server of the handshake era waits with its call; it also asks for sampling and roots, which are refused."""
    async with proxy.sdk(mode) as client:
        first = await client.call_tool("execute", {"code": ASK_OLD})
        paused = first.structured_content or {}
        assert paused["status"] == "waiting_for_interaction", paused
        (question,) = paused["interactions"]
        assert (question["kind"], question["address"]) == ("form", "old.org.main.ask")
        assert "| who?" in question["message"]
        given = {"executionId": paused["executionId"], "action": "accept", "content": {"name": "Ada"}}
        done = await client.call_tool("resume", given)
        answers = (done.structured_content or {})["result"]
        assert {"action": "accept", "content": {"name": "Ada"}} in answers
        assert len(answers) == 3


async def test_declining_reaches_the_call_too(proxy: Proxy) -> None:
    answer = await proxy.execute(ASK_OLD)
    given = {"executionId": answer.structured["executionId"], "action": "decline"}
    async with proxy.client() as client:
        done = Answer((await post(client, "resume", given)).json()["result"])
    assert {"action": "decline"} in done.value
