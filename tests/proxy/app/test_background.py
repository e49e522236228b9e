"""The tasks beside a running application: a changed file is followed, a webhook tells of pauses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

from proxy.app.application import open_application
from proxy.app.options import StartOptions
from proxy.executions import ExecutionRequest
from proxy.principal import Principal
from proxy.serving.observer import Silence
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
            result = await application.gateway.execute(ExecutionRequest(code, 5000), who, Silence())
            assert result.status == "waiting_for_interaction"
            async with asyncio.timeout(LIMIT_SECONDS):
                await echo.arrived.wait()
        seen = echo.log[0]
        assert verified(SECRET, {name.lower(): value for name, value in seen.headers}, seen.body)
        data = json.loads(seen.body)["data"]
        assert data["interactions"] == [one.as_json() for one in result.interactions]
        assert data["approvalUrl"] == f"http://127.0.0.1:4788/resume/{result.execution_id}"
