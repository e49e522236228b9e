"""The unit as systemd runs it: started, asked, reloaded, stopped, refused, and started by its sockets."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.deploy.container import Builder
from tests.deploy.machine import Machine, booted, installed
from tests.deploy.tools import KIT, free_port
from tests.e2e.running import message, post

KEY = "exk_a-key-of-the-kit-000000000000"
pytestmark = [
    pytest.mark.minutes,
    pytest.mark.deploy("buildah", "mmdebstrap", "unshare", "nsenter"),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def machine(builder: Builder, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    root = installed(folder, builder)
    secrets, configs = root / "etc/executor/secrets", root / "etc/executor/config"
    secrets.mkdir(parents=True, mode=0o700)
    (secrets / "key").write_text(KEY)
    configs.mkdir()
    kit = (KIT / "config" / "executor.yaml").read_text()
    kit = kit.replace("0.0.0.0:8080", f"127.0.0.1:{port}").replace("0.0.0.0:9464", f"127.0.0.1:{free_port()}")
    (configs / "executor.yaml").write_text(kit)
    with booted(root) as running:
        yield running
    subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.fixture
def config(machine: Machine) -> Iterator[Path]:
    """Its config, which is as before afterwards; the service does not run then."""
    file = machine.root / "etc/executor/config/executor.yaml"
    before = file.read_text()
    yield file
    file.write_text(before)
    machine.run("systemctl", "stop", "executor.socket", "executor-metrics.socket", "executor.service")
    machine.run("systemctl", "reset-failed")


def changed(config: Path, more: str) -> None:
    config.write_text(config.read_text() + more)


async def value(code: str, base: str, socket: Path | None = None) -> Any:
    transport = httpx2.AsyncHTTPTransport(uds=str(socket) if socket is not None else None)
    async with httpx2.AsyncClient(
        base_url=base, transport=transport, headers={"authorization": f"Bearer {KEY}"}, timeout=120
    ) as client:
        answer = await post(client, "execute", {"code": code})
    return json.loads(message(answer))["result"]["structuredContent"]["result"]


async def test_it_starts_and_reloads_and_stops(machine: Machine, port: int, config: Path) -> None:
    """`start` returns when it serves (Type=notify), so nothing is asked twice."""
    machine.done("systemctl", "start", "executor.service")
    assert machine.shown("StatusText") == f"serving http://127.0.0.1:{port}"
    base = f"http://127.0.0.1:{port}"
    assert await value("return 6 * 7", base) == 42
    assert await value("const n: number = 6; return n * 8", base) == 48
    changed(config, "sandbox: {timeout: 61s}\n")
    machine.done("systemctl", "reload", "executor.service")
    assert machine.shown("ActiveState") == "active"
    assert await value("return 1", base) == 1
    machine.done("systemctl", "stop", "executor.service")
    assert '"trigger": "sighup"' in machine.log() or '"generation": 2' in machine.log()
    assert (machine.shown("Result"), machine.shown("ExecMainStatus")) == ("success", "0")
    state = machine.root / "var/lib/private/executor"
    assert {path.name for path in state.iterdir()} >= {"state.db", "state.key"}


def test_an_invalid_config_is_not_started_again(machine: Machine, config: Path) -> None:
    changed(config, "serverr: {}\n")
    assert machine.run("systemctl", "start", "executor.service").returncode != 0
    assert (machine.shown("ExecMainStatus"), machine.shown("NRestarts")) == ("78", "0")
    assert "did you mean `server`?" in machine.log()


async def test_its_sockets_start_it(machine: Machine, config: Path) -> None:
    """The request that starts it waits and is answered; the sockets stay when the service stops."""
    machine.done("systemctl", "start", "executor.socket", "executor-metrics.socket")
    assert machine.shown("ActiveState") == "inactive"
    http, metrics = machine.inside("/run/executor.sock"), machine.inside("/run/executor-metrics.sock")
    assert await value("return 43", "http://localhost", http) == 43
    assert machine.shown("StatusText") == "serving unix:/run/executor.sock"
    async with httpx2.AsyncClient(
        base_url="http://localhost", transport=httpx2.AsyncHTTPTransport(uds=str(metrics)), timeout=60
    ) as client:
        assert "executor_build_info" in (await client.get("/metrics")).text
        assert (await client.get("/readyz")).json() == {"status": "ready"}
        assert (await client.get("/mcp")).status_code == 404
    machine.done("systemctl", "restart", "executor.service")
    assert await value("return 44", "http://localhost", http) == 44
    machine.done("systemctl", "stop", "executor.service")
    assert await value("return 45", "http://localhost", http) == 45
