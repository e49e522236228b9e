"""`EXECUTOR_MCP_DEBUG=1` against real clients of both eras: capabilities, questions, answers, and nothing typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest

from tests.e2e import configs
from tests.e2e.running import Proxy, serving
from tests.e2e.upstream import Upstream

CREATE = 'return (await tools.shop.org.main.things.create({body: {name: "typed-4711"}})).ok'


@contextmanager
def debugging(api: Upstream, folder: Path, mode: str = "native", **env: str) -> Iterator[Proxy]:
    config = configs.base(api, elicitation={"mode": mode, "client_may_choose": True})
    file = configs.write(folder / "executor.yaml", config)
    with serving(file, folder / "state", env={**configs.ENV, **env}) as proxy:
        yield proxy


def events(proxy: Proxy, name: str) -> list[dict[str, Any]]:
    return [one for one in map(json.loads, proxy.err.text.splitlines()) if one.get("event") == name]


async def accept(context: Any, params: Any) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"decision": "accept", "note": "typed-secret-99"})


@pytest.mark.parametrize(("era", "how"), [("legacy", "elicitation/create"), ("auto", "input_required")])
async def test_a_question_and_its_answer_are_logged(
    api: Upstream, tmp_path: Path, era: str, how: str
) -> None:
    with debugging(api, tmp_path, EXECUTOR_MCP_DEBUG="1") as proxy:
        async with proxy.sdk(era, elicitation_callback=accept) as client:
            result = await client.call_tool("execute", {"code": CREATE})
            assert result.structured_content["status"] == "completed"
        proxy.stop()
        (seen,) = events(proxy, "client_capabilities")
        assert '"elicitation"' in seen["capabilities"]
        (asked,) = events(proxy, "elicitation_asked")
        (answered,) = events(proxy, "elicitation_answered")
        assert (asked["how"], asked["tool"]) == (how, "shop.org.main.things.create")
        assert (answered["how"], answered["action"]) == (how, "accept")
        assert json.loads(answered["content"]) == {"decision": "accept", "note": "[string of 15]"}
        assert (asked["execution"], asked["interaction"]) == (answered["execution"], answered["interaction"])
        assert "typed-secret-99" not in proxy.err.text
        assert "typed-4711" not in proxy.err.text


async def test_in_mode_model_the_answer_comes_by_resume(api: Upstream, tmp_path: Path) -> None:
    with debugging(api, tmp_path, "model", EXECUTOR_MCP_DEBUG="true") as proxy:
        async with proxy.sdk("legacy") as client:
            paused = (await client.call_tool("execute", {"code": CREATE})).structured_content
            await client.call_tool("resume", {"executionId": paused["executionId"], "action": "decline"})
        proxy.stop()
        (asked,) = events(proxy, "elicitation_asked")
        (answered,) = events(proxy, "elicitation_answered")
    assert asked["how"] == "result, mode model"
    assert (answered["how"], answered["action"]) == ("resume", "decline")


async def test_without_it_nothing_of_this_is_logged(api: Upstream, tmp_path: Path) -> None:
    with debugging(api, tmp_path) as proxy:
        async with proxy.sdk("legacy", elicitation_callback=accept) as client:
            await client.call_tool("execute", {"code": CREATE})
        proxy.stop()
        assert not events(proxy, "elicitation_asked")
        assert not events(proxy, "client_capabilities")
