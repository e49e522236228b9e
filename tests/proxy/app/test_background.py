"""The tasks beside a running application. Each of them fails in turn: the server goes on and runs it again."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path

import httpx2
import pytest

from proxy.app.application import Application, open_application
from proxy.app.latest_end import LATEST_SECONDS, LatestEnd
from proxy.app.options import StartOptions
from proxy.app.serve import Bound, StopSignals, run_http, run_stdio
from proxy.executions import SILENT, ExecutionRequest
from proxy.principal import Principal
from proxy.tasks import ESSENTIAL, TASKS, EssentialTaskFailed
from tests.integrations.echo import echo_server
from tests.proxy.app.started import MEMORY, application_of
from tests.proxy.failing import REASON, FailingSupervisor
from tests.proxy.support import DOWN_URL, LIMIT_SECONDS, Notice, config_text, inline, shop, written
from tests.proxy.webhooks.test_signature import SECRET, verified

LOCAL = Principal("default", "local", "local")
# Begun by a reload, or by a person's page: each has a test of its own below. Those elsewhere: in their own files.
LATER = {"sandbox pool", "closing", "approval page"}
ELSEWHERE = {"state messages", "demo", "token", "garbage", "pauses", "issuer"}
SERVED = sorted(TASKS.keys() - ESSENTIAL - LATER - ELSEWHERE)
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
            result = await application.gateway.execute(ExecutionRequest(code, 5000), LOCAL, SILENT)
            assert result.status == "waiting_for_interaction"
            async with asyncio.timeout(LIMIT_SECONDS):
                await echo.arrived.wait()
        seen = echo.log[0]
        assert verified(SECRET, {name.lower(): value for name, value in seen.headers}, seen.body)
        data = json.loads(seen.body)["data"]
        assert data["interactions"] == [one.as_json() for one in result.interactions]
        assert data["approvalUrl"] == f"http://127.0.0.1:4788/resume/{result.execution_id}"


def config(port: int, *, crm: bool = True, workers: int = 1) -> str:
    """Everything that has a task: a probe, a document that is down, an MCP server that ends, a metrics listener."""
    spec = (
        f"{inline(shop())}\n    health: {{tool: items.list}}\n"
        f"  crm: {{kind: openapi, spec: {{url: {DOWN_URL}}}}}\n"
        f"  local: {{kind: mcp, type: local, command: [{sys.executable}, -c, 'exit(1)']}}"
    )
    connections = ("  crm.org.main: {}\n" if crm else "") + "  local.org.main: {}\n"
    more = (
        f"{connections}{MEMORY}sandbox: {{workers: {workers}}}\n"
        f"telemetry: {{metrics: {{listen: 127.0.0.1:{port}}}}}\n"
    )
    return config_text(spec, more=more)


def free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@asynccontextmanager
async def served(
    folder: Path, env: Mapping[str, str], tasks: FailingSupervisor
) -> AsyncIterator[tuple[Application, httpx2.AsyncClient]]:
    options = StartOptions((written(folder, config(free_port())),), env, listen="127.0.0.1:0")
    bound: asyncio.Future[Bound] = asyncio.get_running_loop().create_future()
    stopping = StopSignals()
    async with asyncio.timeout(LIMIT_SECONDS), open_application(options, tasks) as application:
        async with asyncio.TaskGroup() as group:
            group.create_task(run_http(application, bound.set_result, stopping))
            async with httpx2.AsyncClient(base_url=(await bound).url, verify=False) as client:
                try:
                    yield application, client
                finally:
                    stopping.stop.set()


async def works(application: Application, client: httpx2.AsyncClient) -> None:
    assert (await client.get("/healthz")).status_code == 200
    result = await application.gateway.execute(ExecutionRequest("return 1 + 1", 5000), LOCAL, SILENT)
    assert result.result == 2


@pytest.mark.parametrize("name", SERVED)
async def test_the_server_goes_on_and_the_task_runs_again(
    name: str, tmp_path: Path, env: Mapping[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    tasks = FailingSupervisor(name)
    async with served(tmp_path, env, tasks) as (application, client):
        await tasks.again.wait()
        await works(application, client)
    assert (tasks.failures, tasks.failure) == (1.0, None)
    said = [record for record in caplog.records if record.getMessage() == "task failed"]
    assert [REASON in one.event_fields["reason"] for one in said] == [True]  # type: ignore[attr-defined]


async def test_a_sandbox_that_cannot_start_rejects_the_reload(tmp_path: Path, env: Mapping[str, str]) -> None:
    tasks = FailingSupervisor("sandbox pool", skip=1)
    async with served(tmp_path, env, tasks) as (application, client):
        written(tmp_path, config(free_port(), workers=2))
        outcome = await application.reloader.reload("http")
        assert (outcome.result, outcome.diagnostics[0].message) == (
            "rejected",
            "the sandbox did not start; the server's log says why",
        )
        await works(application, client)
    assert tasks.failures == 1.0


async def test_what_cannot_be_closed_does_not_hold_the_rest(tmp_path: Path, env: Mapping[str, str]) -> None:
    tasks = FailingSupervisor("closing")
    async with served(tmp_path, env, tasks) as (application, client):
        written(tmp_path, config(free_port(), crm=False))
        assert (await application.reloader.reload("http")).result == "applied"
        await works(application, client)
    assert tasks.failures == 1.0


async def test_without_its_listener_the_process_ends_with_the_reason(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    tasks = FailingSupervisor("http")
    with pytest.raises(ExceptionGroup) as caught:
        async with served(tmp_path, env, tasks):
            pytest.fail("it does not serve")
    error = caught.value.exceptions[0]
    assert isinstance(error, EssentialTaskFailed)
    assert str(error) == (
        f"the task `http` failed, without which nothing is served: OSError: [Errno 24] {REASON}"
    )


class ToldLatestEnd(LatestEnd):
    """Keeps what it was told, and ends nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def begin(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def test_without_its_client_a_stdio_server_ends_with_the_reason(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    tasks, latest = FailingSupervisor("stdio"), ToldLatestEnd()
    options = StartOptions((written(tmp_path, config_text(more=MEMORY)),), env, watch=False)
    async with open_application(options, tasks) as application:
        with pytest.raises(EssentialTaskFailed, match="`stdio` failed"):
            await run_stdio(application, LOCAL, None, latest)
    assert latest.seconds == [LATEST_SECONDS]


def test_every_task_is_made_to_fail() -> None:
    """Here, in test_pages.py, commands/test_serve.py, state/redis/test_listener.py, connections/oauth or auth."""
    assert {*SERVED, *ESSENTIAL, *LATER, *ELSEWHERE} == TASKS.keys()
