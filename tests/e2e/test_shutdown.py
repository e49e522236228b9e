"""How a server ends, and why it does not start."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e import configs
from tests.e2e.running import LIMIT_SECONDS, Proxy, post, serving, spawn
from tests.e2e.upstream import Upstream

Stop = signal.Signals
UNSET = {"auth": {"kind": "bearer", "token": {"env": "NOT_SET"}}}


@contextmanager
def started(api: Upstream, folder: Path, **sections: Any) -> Iterator[Proxy]:
    file = configs.write(folder / "executor.yaml", configs.base(api, **sections))
    with serving(file, folder / "state", env=configs.ENV) as proxy:
        yield proxy


async def held(proxy: Proxy, api: Upstream, gate: str) -> asyncio.Task[Any]:
    """An execution that waits for the upstream."""
    code = f"const r = await tools.shop.org.main.hold.wait({{gate: '{gate}'}}); return r.ok"
    running = asyncio.create_task(proxy.execute(code))  # noqa: TID251 - awaited by every caller
    await asyncio.to_thread(api.arrived, gate)
    return running


@pytest.mark.parametrize(
    ("number", "whole_group"), [(signal.SIGTERM, False), (signal.SIGTERM, True), (signal.SIGINT, True)]
)
async def test_the_first_signal_lets_running_executions_finish(
    api: Upstream, tmp_path: Path, number: Stop, whole_group: bool
) -> None:
    gate = f"drain-{number}-{whole_group}"
    with started(api, tmp_path) as proxy:
        assert (
            await proxy.value("const n: number = 1; return n") == 1
        )  # so that the TypeScript process runs too
        running = await held(proxy, api, gate)
        (proxy.signal_group if whole_group else proxy.signal)(number)
        await asyncio.to_thread(proxy.logged, "draining", executions=1)
        async with proxy.client() as client:
            ready = await client.get("/-/ready")
            refused = await post(client, "execute", {"code": "return 1"})
            alive = await client.get("/-/healthy")
        assert (ready.status_code, ready.json()["reason"]) == (503, "draining")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, -32001)
        assert int(refused.headers["retry-after"]) >= 1
        assert alive.status_code == 200
        api.open(gate)
        assert (await running).value is True
        assert await asyncio.to_thread(proxy.wait) == 0
    assert "Traceback" not in proxy.err.text
    assert '"level": "error"' not in proxy.err.text


async def test_the_second_signal_ends_them_at_once_with_a_clear_result(api: Upstream, tmp_path: Path) -> None:
    with started(api, tmp_path) as proxy:
        running = await held(proxy, api, "at-once")
        proxy.signal(signal.SIGTERM)
        await asyncio.to_thread(proxy.logged, "draining")
        proxy.signal(signal.SIGTERM)
        answer = await running
        assert (answer.status, answer.structured["exitCode"]) == ("canceled", 130)
        assert "shutting down" in answer.text
        assert answer.structured["calls"][0]["code"] == "outcome_unknown"
        assert await asyncio.to_thread(proxy.wait) == 0
    api.open("at-once")
    assert "Traceback" not in proxy.err.text


async def test_the_drain_ends_after_its_limit(api: Upstream, tmp_path: Path) -> None:
    with started(api, tmp_path, server={"reload": {"drain_timeout": "300ms"}}) as proxy:
        running = await held(proxy, api, "over-limit")
        proxy.signal(signal.SIGTERM)
        assert (await running).status == "canceled"
        assert await asyncio.to_thread(proxy.wait) == 0
    api.open("over-limit")


async def test_open_streams_end_by_themselves(api: Upstream, tmp_path: Path) -> None:
    """A handshake client's GET stream and a stateless listener do not hold up the end."""
    with started(api, tmp_path) as proxy:
        async with proxy.client() as client:
            info = {"name": "test", "version": "1"}
            opening = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info}
            hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": opening}
            session = (await client.post("/mcp", json=hello)).headers["mcp-session-id"]
            headers = {"mcp-session-id": session, "accept": "text/event-stream"}
            async with client.stream("GET", "/mcp", headers=headers) as stream:
                chunks = stream.aiter_raw()
                assert b"open" in await anext(chunks)
                proxy.signal(signal.SIGTERM)
                assert b"error" not in b"".join([chunk async for chunk in chunks])
        assert await asyncio.to_thread(proxy.wait) == 0
    assert "Traceback" not in proxy.err.text


async def test_nothing_is_left_behind(api: Upstream, tmp_path: Path) -> None:
    with started(api, tmp_path) as proxy:
        running = await held(proxy, api, "orphans")
        group = proxy.process.pid
        proxy.process.kill()
        with pytest.raises(httpx2.HTTPError):
            await running
        await asyncio.to_thread(proxy.wait)
        api.open("orphans")
        async with asyncio.timeout(LIMIT_SECONDS):
            while await asyncio.to_thread(_members, group):
                pass


def _members(group: int) -> list[str]:
    """Processes of a process group that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(entry.name)
    return found


# ---- why it does not start -----------------------------------------------------------------------------------------
def test_a_taken_port_is_exit_2_and_named(api: Upstream, tmp_path: Path) -> None:
    file = configs.write(tmp_path / "executor.yaml", configs.base(api))
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        proxy = spawn(
            "serve", "--config", str(file), "--listen", address, state=tmp_path / "state", env=configs.ENV
        )
        assert proxy.wait() == 2
    last = proxy.err.text.splitlines()[-1]
    assert last.startswith(f"executor: cannot listen on {address}: ")
    assert last.endswith("; use another one: --listen 127.0.0.1:0")
    assert "Traceback" not in proxy.err.text
    assert proxy.out.text == ""


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"intergrations": {}}, "E201", "intergrations"),
        (
            {"connections": {"shop.org.main": {"auth": {"kind": "bearer", "token": {"env": "NOT_SET"}}}}},
            "E402",
            "NOT_SET",
        ),
        ({"server": {"listen": "0.0.0.0:8080"}}, "E501", "auth"),
        ({"policies": [{"pattern": "shop.*.*.x", "action": "ask"}]}, "E204", "require_approval"),
    ],
)
def test_an_invalid_config_is_exit_78_with_its_diagnostics(
    api: Upstream, tmp_path: Path, change: dict[str, Any], code: str, says: str
) -> None:
    file = configs.write(tmp_path / "executor.yaml", configs.base(api, **change))
    proxy = spawn(
        "serve", "--config", str(file), "--listen", "127.0.0.1:0", state=tmp_path / "state", env=configs.ENV
    )
    assert proxy.wait() == 78
    assert f"error[{code}]" in proxy.err.text
    assert says in proxy.err.text
    assert f"--> {file}:" in proxy.err.text
    assert "= help: " in proxy.err.text
    assert (proxy.out.text, "Traceback" in proxy.err.text) == ("", False)


def test_stdio_refuses_an_invalid_config_the_same_way(tmp_path: Path) -> None:
    file = tmp_path / "executor.yaml"
    file.write_text("version: 1\nintergrations: {}\n")
    proxy = spawn("mcp", "--config", str(file), state=tmp_path / "state")
    assert proxy.wait() == 78
    assert "error[E201]" in proxy.err.text
    assert proxy.out.text == ""


def test_stdio_with_several_workspaces_asks_for_one(api: Upstream, tmp_path: Path) -> None:
    auth = {"anonymous": True}
    config = configs.base(api, auth=auth, workspaces={"ws_a": {}, "ws_b": {}})
    file = configs.write(tmp_path / "executor.yaml", config)
    for arguments, says in (
        ((), "name one with --workspace"),
        (("--workspace", "ws_c"), "no such workspace"),
    ):
        proxy = spawn("mcp", "--config", str(file), *arguments, state=tmp_path / "state", env=configs.ENV)
        assert proxy.wait() == 2
        last = proxy.err.text.splitlines()[-1]
        assert says in last
        assert "ws_a, ws_b" in last
        assert "Traceback" not in proxy.err.text


@pytest.mark.parametrize("command", ["serve", "mcp"])
def test_a_missing_config_is_exit_2_and_says_what_to_name(tmp_path: Path, command: str) -> None:
    for arguments in ((), ("--config", str(tmp_path / "nowhere.yaml")), ("--config", "-")):
        proxy = spawn(command, *arguments, state=tmp_path / "state")
        assert proxy.wait() == 2
        assert proxy.err.text.startswith("executor: ")
        assert "Traceback" not in proxy.err.text


async def test_an_open_token_file_is_refused(api: Upstream, tmp_path: Path) -> None:
    """Somebody else may have read it: better no start than a start that looks safe."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "local-token").write_text("x" * 43 + "\n")
    os.chmod(state / "local-token", 0o644)
    file = configs.write(tmp_path / "executor.yaml", configs.base(api))
    proxy = spawn("serve", "--config", str(file), "--listen", "127.0.0.1:0", state=state, env=configs.ENV)
    assert await asyncio.to_thread(proxy.wait) == 2
    assert "local-token" in proxy.err.text
    assert "chmod 600" in proxy.err.text
