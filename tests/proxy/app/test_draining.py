"""Running executions at the end of the process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from proxy.app.draining import finish_executions
from proxy.executions import ExecutionRequest
from proxy.principal import Principal
from tests.proxy.app.started import MEMORY, Begun, application_of
from tests.proxy.support import LIMIT_SECONDS, config_text

LOCAL = Principal("default", "local", "local")


REQUEST = ExecutionRequest("await tools.search({}); await sleep(60000)", 60_000)


async def test_running_executions_get_their_time_and_are_then_left_to_others(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    async with application_of(tmp_path, config_text(), env) as application, asyncio.TaskGroup() as group:
        begun = Begun()
        running = group.create_task(application.gateway.execute(REQUEST, LOCAL, begun))
        await begun.event.wait()
        await finish_executions(application.executions, 0.05, asyncio.Event())
        assert (await running).status == "running"
        # Nothing runs: no waiting.
        await finish_executions(application.executions, LIMIT_SECONDS, asyncio.Event())


async def test_a_second_signal_ends_the_waiting(tmp_path: Path, env: Mapping[str, str]) -> None:
    text = config_text(more=MEMORY)
    async with application_of(tmp_path, text, env) as application, asyncio.TaskGroup() as group:
        begun = Begun()
        hurried = group.create_task(application.gateway.execute(REQUEST, LOCAL, begun))
        await begun.event.wait()
        at_once = asyncio.Event()
        at_once.set()
        await finish_executions(application.executions, 3600, at_once)
        assert (await hurried).status == "canceled"
