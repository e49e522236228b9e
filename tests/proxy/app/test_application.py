"""The composition root: what it puts together, what it refuses, and what a swap moves. Everything here is real."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from proxy.app.application import Application, open_application
from proxy.app.options import CannotServe, InvalidConfig, StartOptions
from proxy.executions import SILENT, ExecutionRequest
from proxy.principal import Principal
from tests.integrations.echo import Reply, echo_server
from tests.proxy.app.started import MEMORY, application_of
from tests.proxy.support import LIMIT_SECONDS, Notice, config_text, inline, logged, shop, written

LOCAL = Principal("default", "local", "local")


async def run(application: Application, code: str) -> object:
    result = await application.gateway.execute(ExecutionRequest(code, 5000), LOCAL, SILENT)
    assert result.status == "completed", result.text()
    return result.result


async def refused(folder: Path, text: str, env: Mapping[str, str]) -> str:
    """What a start says about a config that cannot be served."""
    with pytest.raises(InvalidConfig) as caught:
        async with application_of(folder, text, env):
            raise AssertionError("it started")
    return str(caught.value)


async def test_it_serves_what_the_config_says(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        assert application.live.current.number == 1
        assert application.reloader.in_sync
        assert await run(application, "return (await tools.catalog.tools({})).total") == 4
        assert application.access.local_token is not None
    assert not application.live.serving


async def test_errors_inside_the_block_come_out_as_they_are(tmp_path: Path, env: Mapping[str, str]) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with application_of(tmp_path, config_text(), env):
            raise KeyError("mine")


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("version: 1\nintergrations: {}\n", "E201", 2),
        (config_text(inline({"swagger": "1.2"})), "E206", 6),
        (config_text("{file: absent.json}"), "E304", 6),
        (config_text(connection="{auth: {kind: bearer, token: {env: NOWHERE}}}"), "E402", 8),
    ],
)
async def test_an_invalid_config_is_refused_with_its_place(
    tmp_path: Path, env: Mapping[str, str], text: str, code: str, line: int
) -> None:
    said = await refused(tmp_path, text, env)
    assert f"error[{code}]" in said
    assert f"executor.yaml:{line}:" in said


async def test_without_a_place_for_files_a_config_with_callers_of_its_own_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A container's user has often neither HOME nor a home."""
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    keys = f"auth: {{api_keys: {{keys: {{bot: {{hash: 'sha256:{'0' * 64}'}}}}}}}}\n"
    with caplog.at_level(logging.WARNING):
        async with application_of(tmp_path, config_text(more=keys + MEMORY), {}) as one:
            assert one.live.current.number == 1
    assert "no state directory" in logged(caplog)
    with pytest.raises(CannotServe, match=r"set EXECUTOR_STATE_DIR .*, or write `auth`"):
        async with application_of(tmp_path, config_text(more=MEMORY), {}):
            raise AssertionError("it should not serve")


async def test_a_token_file_that_cannot_be_trusted_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "local-token").write_text("x" * 43)
    (state / "local-token").chmod(0o644)
    with pytest.raises(CannotServe, match="chmod 600"):
        async with application_of(tmp_path, config_text(), {"EXECUTOR_STATE_DIR": str(state)}):
            raise AssertionError("it started")


async def test_a_rejected_reload_leaves_everything_as_it_was(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        before = application.live.current, application.access
        written(tmp_path, config_text("{file: absent.json}"))
        assert (await application.reloader.reload("http")).result == "rejected"
        assert (application.live.current, application.access) == before
        assert await run(application, "return 1") == 1


async def test_a_swap_moves_callers_and_catalog_together(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        access = application.access
        written(tmp_path, config_text(more="  shop.org.second: {}\nauth: {anonymous: true}\n"))
        outcome = await application.reloader.reload("http")
        assert (outcome.result, outcome.effects.added, outcome.effects.removed) == ("applied", 4, 0)
        assert application.access is not access
        assert application.access.local_token is None
        assert await run(application, "return (await tools.catalog.tools({})).total") == 8


async def test_a_document_that_arrives_later_is_served_without_a_reload(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    rung = Notice()
    async with echo_server() as echo:
        echo.replies["/api.json"] = [Reply(503, [], b"not yet")]
        text = config_text(f"{{url: {echo.url}/api.json}}")
        async with application_of(tmp_path, text, env) as application:
            application.gateway.subscribe(lambda changed: rung())
            assert application.live.current.connections[0].status["status"] == "failed"
            body = json.dumps(shop(echo.url)).encode()
            echo.replies["/api.json"] = [Reply(200, [("Content-Type", "application/json")], body)]
            await rung.wait()
            assert application.live.current.connections[0].status["status"] == "connected"
            assert application.live.current.number == 1


async def test_a_document_that_arrives_leaves_a_prepared_sandbox_alone(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    """A reload has prepared another sandbox and is not done yet; the arriving document must not drop it."""
    rung = Notice()
    async with echo_server() as echo:
        echo.replies["/api.json"] = [Reply(503, [], b"not yet")]
        text = config_text(f"{{url: {echo.url}/api.json}}")
        async with application_of(tmp_path, text, env) as application:
            application.gateway.subscribe(lambda changed: rung())
            pool = application.gateway.status()["sandbox"]
            written(tmp_path, text + "sandbox: {workers: 3}\n")
            built = await application.build(application.load(), 2)
            body = json.dumps(shop(echo.url)).encode()
            echo.replies["/api.json"] = [Reply(200, [("Content-Type", "application/json")], body)]
            await rung.wait()
            application.swap(built)
            assert application.config.sandbox.workers == 3
            assert await run(application, "return 1") == 1
            async with asyncio.timeout(LIMIT_SECONDS):
                while application.gateway.status()["sandbox"]["warm"] != 3:
                    await asyncio.to_thread(application.metrics.render)
            assert pool["hardening"] == application.gateway.status()["sandbox"]["hardening"]


async def test_who_speaks_over_stdio(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        assert application.local_principal(None) == LOCAL
        assert application.local_principal("default") == LOCAL
        with pytest.raises(CannotServe, match="--workspace other: no such workspace; there are: default"):
            application.local_principal("other")
    several = config_text(more="workspaces: {ws_a: {}, ws_b: {}}\n")
    async with application_of(tmp_path, several, env) as application:
        assert application.local_principal("ws_b").workspace_id == "ws_b"
        with pytest.raises(CannotServe, match=r"name one with --workspace \(ws_a, ws_b\)"):
            application.local_principal(None)


async def test_the_command_line_says_where_to_listen_else_the_config(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    path = written(tmp_path, config_text(more="server: {listen: 127.0.0.1:8123}\n" + MEMORY))
    for given, port in ((None, 8123), ("127.0.0.1:0", 0)):
        async with open_application(StartOptions((path,), env, listen=given, watch=False)) as application:
            assert application.listen.port == port
