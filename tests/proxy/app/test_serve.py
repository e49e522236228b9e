"""Running over HTTP: bind, say so, serve, stop, drain. Signals and stdio need a process of their own: tests/e2e."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path

import httpx2
import pytest

from integrations.fields import Listen
from proxy.app.application import Application, open_application
from proxy.app.options import StartOptions
from proxy.app.serve import Bound, StopSignals, finish_executions, run_http
from proxy.app.tls import ServedTls
from proxy.executions import ExecutionRequest
from proxy.principal import Principal
from proxy.telemetry import MetricsRegistry
from tests.proxy.app.started import MEMORY, Begun, application_of
from tests.proxy.support import LIMIT_SECONDS, config_text, written

LOCAL = Principal("default", "local", "local")
REQUEST = ExecutionRequest("await tools.search({}); await sleep(60000)", 60_000)


@asynccontextmanager
async def running(
    folder: Path, text: str, env: Mapping[str, str], stopping: StopSignals
) -> AsyncIterator[tuple[Application, httpx2.AsyncClient]]:
    options = StartOptions((written(folder, text),), env, listen="127.0.0.1:0", watch=False)
    bound: asyncio.Future[Bound] = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(LIMIT_SECONDS), open_application(options) as application:
        async with asyncio.TaskGroup() as group:
            group.create_task(run_http(application, bound.set_result, stopping))
            async with httpx2.AsyncClient(base_url=(await bound).url, verify=False) as client:
                try:
                    yield application, client
                finally:
                    stopping.stop.set()


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        (Listen("127.0.0.1", 0), "http://127.0.0.1:80"),
        (Listen("::1", 0), "http://[::1]:80"),
        (Listen("a.b", 0), "http://a.b:80"),
        (Listen.unix("/run/s"), "unix:/run/s"),
    ],
)
def test_where_it_listens_is_a_url(listen: Listen, url: str) -> None:
    assert Bound(listen, 80, ServedTls(MetricsRegistry())).url == url


def test_the_first_signal_stops_and_the_second_hurries() -> None:
    stopping = StopSignals()
    stopping.asked()
    assert (stopping.stop.is_set(), stopping.at_once.is_set()) == (True, False)
    stopping.asked()
    assert stopping.at_once.is_set()


async def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, env: Mapping[str, str]) -> None:
    stopping = StopSignals()
    async with running(tmp_path, config_text(), env, stopping) as (_, client):
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.post("/mcp", json={})).status_code == 401
        assert (await client.get("/-/status")).json()["config"]["generation"] == 1
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{client.base_url}/healthz")


async def test_signals_are_handled_while_it_runs_and_given_back(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    stopping = StopSignals()
    async with running(tmp_path, config_text(), env, stopping) as (application, client):
        written(tmp_path, config_text(more="  shop.org.second: {}\n"))
        os.kill(os.getpid(), signal.SIGHUP)
        while application.live.current.number == 1:
            assert (await client.get("/healthz")).status_code == 200
        os.kill(os.getpid(), signal.SIGTERM)
        await stopping.stop.wait()
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before


async def test_a_taken_address_is_an_error_with_the_address(tmp_path: Path, env: Mapping[str, str]) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        options = StartOptions((written(tmp_path, config_text()),), env, listen=listen, watch=False)
        with pytest.raises(OSError, match=f"cannot listen on {listen}"):
            async with open_application(options) as application:
                await run_http(application, lambda bound: None, StopSignals())


async def test_metrics_on_a_listener_of_their_own(tmp_path: Path, env: Mapping[str, str]) -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = config_text(more=f"telemetry: {{metrics: {{listen: 127.0.0.1:{port}}}}}\n")
    async with running(tmp_path, text, env, StopSignals()):
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", verify=False) as operators:
            answer = await operators.get("/metrics")
            assert (await operators.get("/readyz")).status_code == 200
            others = [
                await operators.get(path) for path in ("/-/config", "/-/status", "/mcp", "/api/health/x")
            ]
            others.append(await operators.post("/-/reload"))
    assert "executor_config_last_reload_successful 1.0" in answer.text
    assert {one.status_code for one in others} == {404}


@pytest.mark.parametrize(
    "more",
    [
        "server: {public_url: https://executor.example.com}\n",
        "auth: {api_keys: {keys: {ops: {value: {env: OPS}, groups: [ops]}}}, roles: {admin: [ops]}}\n",
    ],
)
async def test_admin_routes_close_with_the_reload_that_brings_callers(
    more: str, tmp_path: Path, env: Mapping[str, str]
) -> None:
    env = {**env, "OPS": "the-key-of-operators"}
    async with running(tmp_path, config_text(), env, StopSignals()) as (application, client):
        assert (await client.get("/-/config")).status_code == 200
        written(tmp_path, config_text(more=more))
        assert (await application.reloader.reload("http")).result == "applied"
        for path in ("/-/config", "/-/status", "/metrics"):
            assert (await client.get(path)).status_code == 401
        assert (await client.post("/-/reload")).status_code == 401
        assert (await client.get("/healthz")).status_code == 200
        minted = application.access.local_token
        bearer = {"authorization": f"Bearer {minted.reveal() if minted else 'the-key-of-operators'}"}
        assert (await client.get("/-/config", headers=bearer)).status_code == 200


async def test_a_reload_switches_the_console_off_and_leaves_the_approval_page(  # recipe 23
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    kept = ("/approvals", "/resume/exec_1", "/connections")
    async with running(tmp_path, config_text(), env, StopSignals()) as (application, client):
        assert [(await client.get(path)).status_code for path in ("/console", *kept)] == [200] * 4
        front = await client.get("/", headers={"accept": "text/html"})
        assert (front.status_code, front.headers["location"]) == (303, "/console")
        written(tmp_path, config_text(more="console: {enabled: false}\n"))
        assert (await application.reloader.reload("http")).restart_required == ()
        off = await client.get("/console")
        assert (off.status_code, "console.enabled" in off.text) == (404, True)
        assert [(await client.get(path)).status_code for path in kept] == [200] * 3
        assert (await client.get("/", headers={"accept": "text/html"})).headers["location"] == "/approvals"
        assert application.approval_url("exec_1", None) is not None


async def test_a_changed_origin_list_is_live(tmp_path: Path, env: Mapping[str, str]) -> None:
    origin = {"origin": "https://app.example.com"}
    async with running(tmp_path, config_text(), env, StopSignals()) as (application, client):
        assert (await client.options("/mcp", headers=origin)).status_code == 403
        cors = "server: {cors: {allow_origins: [https://app.example.com]}}\n"
        written(tmp_path, config_text(more=cors))
        assert (await application.reloader.reload("http")).result == "applied"
        assert (await client.options("/mcp", headers=origin)).status_code == 204


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
