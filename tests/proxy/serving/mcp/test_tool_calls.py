"""The three modes, as the real client of each era meets them. Native questions have a file of their own."""

from __future__ import annotations

import asyncio

import pytest

from proxy.config import ELICITATION_MODES, ElicitationMode
from proxy.executions import InteractionDecision
from proxy.serving.app import AppOptions
from proxy.serving.mcp.tool_calls import ServerOptions, with_lines
from proxy.serving.mcp.tools import PAUSE_RULES
from proxy.serving.modes import ModeRules
from tests.proxy.serving.mcp.elicitation_client import ERAS, Person, connected, structured, text
from tests.proxy.serving.support import TOKENS, Board, envelope, initialize, modern_headers, serving

BOTH = pytest.mark.parametrize("era", ERAS)


def test_lines_go_to_the_end_of_the_results_text() -> None:
    image = {"type": "image", "data": "", "mimeType": "image/png"}
    content = [{"type": "text", "text": "42"}, image, {"type": "text", "text": "emitted"}]
    assert with_lines(content, []) is content
    assert with_lines(content, ["a", "b"]) == [{"type": "text", "text": "42\n\na\nb"}, *content[1:]]
    assert with_lines([image], ["a"]) == [{"type": "text", "text": "a"}, image]
    assert content[0] == {"type": "text", "text": "42"}


@BOTH
async def test_model_mode_pauses_and_resume_decides(era: str) -> None:
    async with serving() as server, connected(server, era) as client:
        paused = await client.call_tool("execute", {"code": "ask one"})
        assert structured(paused)["status"] == "waiting_for_interaction"
        done = await client.call_tool("resume", {"executionId": "exec_1", "action": "accept"})
        assert text(done) == "approved"
        assert server.board.requests[0].mode == "model"


@BOTH
@pytest.mark.parametrize("mode", ELICITATION_MODES)
async def test_the_description_says_how_its_mode_asks(era: str, mode: ElicitationMode) -> None:
    async with (
        serving() as server,
        connected(server, era, f"/mcp?elicitation_mode={mode}", Person()) as client,
    ):
        listed = (await client.list_tools()).tools[0].description or ""
    assert [one for one, rule in PAUSE_RULES.items() if rule in listed] == [mode]


@BOTH
async def test_browser_mode_offers_a_resume_that_only_waits(era: str) -> None:
    async with serving() as server, connected(server, era, "/mcp?elicitation_mode=browser") as client:
        execute, resume = (await client.list_tools()).tools
        assert list(resume.input_schema["properties"]) == ["executionId"]
        assert "cannot decide" in (resume.description or "")
        assert execute.name == "execute"
        paused = await client.call_tool("execute", {"code": "ask one"})
        assert structured(paused)["status"] == "user_approval_required"
        assert structured(paused)["approvalUrl"] in text(paused)


@BOTH
async def test_t12_in_browser_mode_the_model_decides_nothing(era: str) -> None:
    async with serving() as server, connected(server, era, "/mcp?elicitation_mode=browser") as client:
        await client.call_tool("execute", {"code": "ask one"})
        for action in ("accept", "decline", "cancel"):
            told = await client.call_tool("resume", {"executionId": "exec_1", "action": action})
            assert "A person decides about this" in text(told)
            assert structured(told)["status"] == "user_approval_required"
        assert server.board.paused["exec_1"].decided == {}


@BOTH
async def test_t12_another_session_in_model_mode_does_not_loosen_it(era: str) -> None:
    async with serving() as server:
        async with connected(server, era, "/mcp?elicitation_mode=browser") as client:
            await client.call_tool("execute", {"code": "ask one"})
        async with connected(server, era, "/mcp?allow_model_resume=true") as client:
            told = await client.call_tool("resume", {"executionId": "exec_1", "action": "accept"})
            assert "A person decides about this" in text(told)
        assert server.board.paused["exec_1"].decided == {}


@BOTH
async def test_a_waiting_resume_shows_signs_of_life_and_gets_the_decision(era: str) -> None:
    alive = asyncio.Event()

    async def progressed(progress: float, total: float | None, message: str | None) -> None:
        if message == "waiting for a decision about demo.org.main.write":
            alive.set()

    options = AppOptions(server=ServerOptions(keepalive_seconds=0.01))
    async with (
        serving(options) as server,
        connected(server, era, "/mcp?elicitation_mode=browser") as client,
        asyncio.TaskGroup() as group,
    ):
        await client.call_tool("execute", {"code": "ask one"})
        arguments = {"executionId": "exec_1"}
        waiting = group.create_task(client.call_tool("resume", arguments, progress_callback=progressed))
        await asyncio.wait_for(alive.wait(), 30)
        await server.board.decide("exec_1", {"*": InteractionDecision("accept")}, TOKENS["boss"], "browser")
        assert text(await waiting) == "approved"


@BOTH
async def test_a_wait_ends_with_the_pause_as_it_is(era: str) -> None:
    async with (
        serving(AppOptions(wait_seconds=0.01)) as server,
        connected(server, era, "/mcp?elicitation_mode=browser") as client,
    ):
        await client.call_tool("execute", {"code": "ask one"})
        again = await client.call_tool("resume", {"executionId": "exec_1"})
        assert structured(again)["status"] == "user_approval_required"


@BOTH
async def test_what_needs_another_person_says_where_and_can_be_waited_for(era: str) -> None:
    async with serving() as server, connected(server, era) as client, asyncio.TaskGroup() as group:
        paused = await client.call_tool("execute", {"code": "human one"})
        assert "`executor approvals`" in text(paused)
        refused = await client.call_tool("resume", {"executionId": "exec_1", "action": "accept"})
        assert "another person can approve" in text(refused)
        assert '"accept"' not in text(paused)
        waiting = group.create_task(client.call_tool("resume", {"executionId": "exec_1"}))
        await server.board.decide("exec_1", {"*": InteractionDecision("accept")}, TOKENS["boss"], "cli")
        assert text(await waiting) == "approved"


@BOTH
async def test_draining_ends_a_wait_and_the_pause_stands(era: str) -> None:
    alive = asyncio.Event()

    async def progressed(progress: float, total: float | None, message: str | None) -> None:
        alive.set()

    options = AppOptions(server=ServerOptions(keepalive_seconds=0.01))
    async with (
        serving(options) as server,
        connected(server, era, "/mcp?elicitation_mode=browser") as client,
        asyncio.TaskGroup() as group,
    ):
        await client.call_tool("execute", {"code": "ask one"})
        arguments = {"executionId": "exec_1"}
        waiting = group.create_task(client.call_tool("resume", arguments, progress_callback=progressed))
        await asyncio.wait_for(alive.wait(), 30)
        server.drain.begin()
        ended = await waiting
        assert "shutting down" in text(ended)
        assert structured(ended)["status"] == "user_approval_required"


@BOTH
async def test_the_config_decides_where_the_client_says_nothing(era: str) -> None:
    board = Board(modes=ModeRules("browser"))
    async with serving(board=board) as server, connected(server, era) as client:
        paused = await client.call_tool("execute", {"code": "ask one"})
        assert structured(paused)["status"] == "user_approval_required"


@BOTH
async def test_a_client_that_may_not_choose_is_told_and_gets_the_configs_mode(era: str) -> None:
    board = Board(modes=ModeRules("browser", client_may_choose=False))
    async with (
        serving(board=board) as server,
        connected(server, era, "/mcp?elicitation_mode=model") as client,
    ):
        result = await client.call_tool("execute", {"code": "return 1"})
        assert "`model` was asked for, but this server decides that itself" in text(result)
        assert board.requests[0].mode == "browser"


@BOTH
async def test_a_reload_that_takes_the_choice_away_reaches_open_sessions(era: str) -> None:
    board = Board()
    async with (
        serving(board=board) as server,
        connected(server, era, "/mcp?elicitation_mode=model") as client,
    ):
        await client.call_tool("execute", {"code": "return 1"})
        board.modes = ModeRules("browser", client_may_choose=False)
        await client.call_tool("execute", {"code": "return 1"})
        assert [one.mode for one in board.requests] == ["model", "browser"]


@pytest.mark.parametrize(
    ("query", "rules", "words"),
    [
        ("elicitation_mode=telepathy", ModeRules(), "one of model, browser, native"),
        ("elicitation_mode=browser", ModeRules(client_may_choose=False), "decides that itself"),
    ],
)
async def test_a_mode_that_cannot_be_granted_is_400(query: str, rules: ModeRules, words: str) -> None:
    async with serving(board=Board(modes=rules)) as server, server.client() as client:
        legacy = await client.post(f"/mcp?{query}", json=initialize())
        body = envelope("tools/call", {"name": "execute", "arguments": {"code": "return 1"}})
        headers = modern_headers("tools/call", "execute")
        modern = await client.post(f"/mcp?{query}", json=body, headers=headers)
        for answer in (legacy, modern):
            assert answer.status_code == 400
            assert words in answer.json()["error"]["message"]
        assert server.board.requests == []


@BOTH
async def test_native_mode_without_the_capability_asks_a_person_on_the_page_with_a_note(era: str) -> None:
    async with serving() as server, connected(server, era, "/mcp?elicitation_mode=native") as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["execute", "resume"]
        paused = await client.call_tool("execute", {"code": "ask one"})
        assert structured(paused)["status"] == "user_approval_required"
        assert "no elicitation capability" in text(paused)
        once = await client.call_tool("execute", {"code": "return 1"})
        assert text(once) == "1"
        told = await client.call_tool("resume", {"executionId": "exec_1", "action": "accept"})
        assert "A person decides about this" in text(told)
        assert server.board.paused["exec_1"].decided == {}


@BOTH
async def test_in_native_mode_resume_is_not_offered_and_decides_nothing(era: str) -> None:
    person = Person("accept", decision="accept")
    async with serving() as server, connected(server, era, "/mcp?elicitation_mode=native", person) as client:
        listed = await client.list_tools()
        assert [tool.name for tool in listed.tools] == ["execute"]
        await client.call_tool("execute", {"code": "human one"})
        told = await client.call_tool("resume", {"executionId": "exec_1", "action": "accept"})
        assert "A person decides about this" in text(told)
        assert person.shown == []


@BOTH
async def test_a_page_is_made_only_for_pauses_that_a_person_decides(era: str) -> None:
    asked: list[str] = []

    async def page(execution_id: str, session_id: str | None) -> str | None:
        asked.append(execution_id)
        return f"http://127.0.0.1:1/resume/{execution_id}"

    options = AppOptions(server=ServerOptions(page=page))
    async with serving(options) as server, connected(server, era) as client:
        await client.call_tool("execute", {"code": "ask one"})
        assert asked == []
        human = await client.call_tool("execute", {"code": "human two"})
        assert "http://127.0.0.1:1/resume/exec_2" in text(human)
        assert structured(human)["approvalUrl"] == "http://127.0.0.1:1/resume/exec_2"


async def test_answers_without_state_never_run_the_code() -> None:
    async with serving() as server, server.client() as client:
        answers = {"int_1": {"action": "accept", "content": {"decision": "accept"}}}
        params = {"name": "execute", "arguments": {"code": "return 1"}, "inputResponses": answers}
        answer = await client.post(
            "/mcp", json=envelope("tools/call", params), headers=modern_headers("tools/call", "execute")
        )
        assert answer.json()["error"]["code"] == -32602
        assert "nothing was run" in answer.json()["error"]["message"]
        assert server.board.requests == []
