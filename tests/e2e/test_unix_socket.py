"""A server on a unix socket, one on a socket of systemd's, and one that leaves slowly: by the real program."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

import httpx2
import pytest

from tests import processes
from tests.e2e.running import ROOT, Proxy, environment, post, spawn
from tests.proxy.support import config_text

# What a service manager does before it starts a service: descriptor 3 is the socket, and the pid is the service's own.
LAUNCH = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, "-m", "proxy", *sys.argv[2:]])
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """The path of a socket is short, so it is not pytest's."""
    with tempfile.TemporaryDirectory(prefix="exu-") as made:
        yield Path(made)


def written(folder: Path, server: dict[str, Any]) -> Path:
    file = folder / "executor.yaml"
    file.write_text(config_text(more=f"state: {{backend: memory}}\nserver: {json.dumps(server)}\n"))
    return file


def started(*words: str, folder: Path) -> Proxy:
    proxy = spawn("serve", *words, state=folder / "state")
    proxy.ready()
    return proxy


def launched(opened: socket.socket, config: Path, folder: Path) -> Proxy:
    """The server, with this as its descriptor 3."""
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCH, str(opened.fileno()), "serve", "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(folder / "state"),
        cwd=ROOT,
        pass_fds=[opened.fileno()],
        start_new_session=True,
    )
    return Proxy(process)


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return processes.run(*words, env=environment(folder / "state"))


def client(path: Path, proxy: Proxy, **headers: str) -> httpx2.AsyncClient:
    own = {"authorization": f"Bearer {proxy.token}", **headers}
    return httpx2.AsyncClient(
        base_url="http://localhost",
        transport=httpx2.AsyncHTTPTransport(uds=str(path)),
        headers=own,
        timeout=60,
    )


async def test_a_unix_socket(folder: Path) -> None:
    path = folder / "executor.sock"
    proxies = ["127.0.0.1/32"]
    config = written(folder, {"listen": f"unix:{path}", "socket_mode": "0660", "trusted_proxies": proxies})
    first = started("--config", str(config), folder=folder)
    assert first.url == f"unix:{path}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    for server in (("--server", f"unix:{path}"), ("--config", str(config))):
        ran = command(folder, "status", *server)
        assert (ran.returncode, f"unix:{path}" in ran.stdout) == (0, True), ran.stderr
    assert command(folder, "doctor", "--live", f"unix:{path}").returncode == 0
    second = command(folder, "serve", "--config", str(config))
    assert (second.returncode, "another process listens there" in second.stderr) == (2, True)
    assert "--listen 127.0.0.1:0" not in second.stderr
    async with client(path, first) as http:
        answer = await post(http, "execute", {"code": "return 6 * 7"})
        assert answer.json()["result"]["structuredContent"]["result"] == 42
        # Whoever may open the socket is trusted like 127.0.0.1; what it forwards counts if that is a trusted proxy.
        forged = await http.get(
            "/api/executions", headers={"authorization": "x", "x-forwarded-for": "192.0.2.7"}
        )
        assert forged.status_code == 401
        assert first.logged("caller_refused", ip="192.0.2.7")
        wrong = await http.get("/mcp", headers={"host": "evil.example.com"})
        assert wrong.status_code == 421
    first.signal_group(SIGKILL)
    first.wait()
    assert path.exists(), "what a killed server leaves behind"
    again = started("--config", str(config), folder=folder)
    again.stop()
    assert not path.exists()


async def test_a_socket_of_the_service_manager(folder: Path) -> None:
    """It is used instead of `server.listen`, and stays when the server has stopped."""
    path = folder / "activated.sock"
    config = written(folder, {"listen": "127.0.0.1:1"})
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(path))
        opened.listen()
        proxy = launched(opened, config, folder)
        try:
            # A client that comes before the server listens waits in the socket.
            async with client(path, proxy) as http:
                assert (await http.get("/healthz")).status_code == 200
            proxy.ready()
            assert proxy.url == f"unix:{path}"
        finally:
            proxy.stop()
        assert path.exists()


def test_a_socket_that_does_not_listen_is_refused(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened:
        proxy = launched(opened, written(folder, {}), folder)
        assert proxy.wait() == 2
    assert "descriptor 3 of LISTEN_FDS is no listening stream socket: write ListenStream=" in proxy.err.text


async def test_readiness_goes_down_before_anything_is_refused(folder: Path) -> None:
    path = folder / "executor.sock"
    config = written(folder, {"listen": f"unix:{path}", "shutdown_delay": "60s"})
    proxy = started("--config", str(config), folder=folder)
    async with client(path, proxy) as http:
        assert (await http.get("/readyz")).status_code == 200
        os.kill(proxy.process.pid, SIGTERM)
        proxy.logged("leaving", for_seconds=60.0)
        unready = await http.get("/readyz")
        assert (unready.status_code, unready.json()["reason"]) == (503, "draining")
        assert (await http.get("/healthz")).status_code == 200
        answer = await post(http, "execute", {"code": "return 1"})
        assert answer.json()["result"]["structuredContent"]["result"] == 1
    os.kill(proxy.process.pid, SIGTERM)
    assert proxy.wait() == 0
