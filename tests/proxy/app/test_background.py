"""The tasks beside a running application, and whose error comes out of a task group beside a block."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest

from proxy.app.application import open_application
from proxy.app.background import companions
from proxy.app.options import StartOptions
from proxy.executions import SILENT, ExecutionRequest
from proxy.principal import Principal
from tests.integrations.echo import echo_server
from tests.proxy.app.started import MEMORY, application_of
from tests.proxy.support import LIMIT_SECONDS, Notice, config_text, written
from tests.proxy.webhooks.test_signature import SECRET, verified

QUICK = MEMORY + "server: {reload: {poll_interval: 100ms, settle: 10ms}}\n"


async def test_a_changed_file_is_served(tmp_path: Path, env: Mapping[str, str]) -> None:
    path = written(tmp_path, config_text(more=QUICK))
    rung = Notice()
    async with open_application(StartOptions((path,), env)) as application:
        application.gateway.subscribe(lambda changed: rung())
        written(tmp_path, config_text(more="  shop.org.second: {}\n" + QUICK))
        await rung.wait()
        assert application.live.current.number == 2


async def test_a_webhook_is_told_of_a_pause(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with echo_server() as echo:
        more = f"""{MEMORY}policies: [{{pattern: "*", action: require_approval}}]
approvals: {{webhook: {{url: "{echo.url}/hook", secret: {{env: HOOK}}}}}}
server: {{public_url: "http://127.0.0.1:4788"}}
"""
        async with application_of(tmp_path, config_text(more=more), env, {"HOOK": SECRET}) as application:
            code = "return await tools.shop.org.main.items.delete({id: '7'})"
            who = Principal("default", "local", "local")
            result = await application.gateway.execute(ExecutionRequest(code, 5000), who, SILENT)
            assert result.status == "waiting_for_interaction"
            async with asyncio.timeout(LIMIT_SECONDS):
                await echo.arrived.wait()
        seen = echo.log[0]
        assert verified(SECRET, {name.lower(): value for name, value in seen.headers}, seen.body)
        data = json.loads(seen.body)["data"]
        assert data["interactions"] == [one.as_json() for one in result.interactions]
        assert data["approvalUrl"] == f"http://127.0.0.1:4788/resume/{result.execution_id}"


async def waiting(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("ended")


async def failing_block(ended: list[str]) -> None:
    async with companions() as group:
        task = group.create_task(waiting(ended))
        await asyncio.sleep(0)
        try:
            raise KeyError("mine")
        finally:
            task.cancel()


async def test_the_error_of_the_block_comes_out_as_it_is() -> None:
    ended: list[str] = []
    with pytest.raises(KeyError, match="mine"):
        await failing_block(ended)
    assert ended == ["ended"]


async def broken() -> None:
    raise OSError("theirs")


async def block_beside(work: Coroutine[Any, Any, None]) -> None:
    async with companions() as group:
        group.create_task(work)
        await asyncio.Event().wait()


async def test_the_error_of_a_task_ends_the_block_and_comes_out_in_a_group() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await block_beside(broken())
    assert [str(one) for one in caught.value.exceptions] == ["theirs"]


async def cancelled_block(ended: list[str], inside: asyncio.Event) -> None:
    async with companions() as group:
        group.create_task(waiting(ended))
        inside.set()
        await asyncio.Event().wait()


async def test_a_cancelled_block_cancels_its_tasks() -> None:
    ended: list[str] = []
    inside = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(cancelled_block(ended, inside))
        await inside.wait()
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()
    assert ended == ["ended"]
