"""The image as somebody runs it: hardened, with its config mounted as a directory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.deploy.container import Builder, owned
from tests.deploy.tools import KIT, free_port, run

KEY = "exk_a-key-of-the-kit-000000000000"
pytestmark = [
    pytest.mark.minutes,
    pytest.mark.deploy("buildah", "podman", "crun", "mmdebstrap", "unshare"),
    pytest.mark.timeout(900),
]


class Mounted:
    """A config map as kubelet writes it: files behind two symbolic links, of which one is swapped."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self._version = folder, free_port(), 0
        folder.mkdir()
        self.write(self.text())
        (folder / "executor.yaml").symlink_to("..data/executor.yaml")

    def text(self, more: str = "") -> str:
        kit = (KIT / "config" / "executor.yaml").read_text()
        kit = kit.replace("0.0.0.0:8080", f"127.0.0.1:{self.port}").replace(
            "0.0.0.0:9464", f"127.0.0.1:{free_port()}"
        )
        return kit.replace(
            "integrations: {}\nconnections: {}\n", more or "integrations: {}\nconnections: {}\n"
        )

    def write(self, text: str) -> None:
        self._version += 1
        version = self.folder / f"..{self._version}"
        version.mkdir()
        (version / "executor.yaml").write_text(text)
        new = self.folder / "..data_new"
        new.symlink_to(version.name)
        new.rename(self.folder / "..data")


@pytest.fixture
def config(tmp_path: Path) -> Mounted:
    return Mounted(tmp_path / "config")


@pytest.fixture
def options(tmp_path: Path, config: Mounted) -> tuple[str, ...]:
    secret, state = tmp_path / "key", tmp_path / "state"
    secret.write_text(KEY)
    state.mkdir()
    os.chown(secret, 10001, 10001)
    return (
        "-v", f"{config.folder}:/etc/executor:ro", "-v", f"{secret}:/run/secrets/key:ro",
        "-v", f"{owned(state)}:/var/lib/executor", "-e", "EXECUTOR_KEY_FILE=/run/secrets/key",
    )  # fmt: skip


def test_what_the_image_says_of_itself(builder: Builder) -> None:
    said = builder.image()
    assert said["User"] == "10001:10001"
    assert (said["Entrypoint"], said["Cmd"]) == (["executor"], ["serve", "--config", "/etc/executor"])
    assert said["Healthcheck"]["Test"] == ["CMD", "executor", "doctor", "--live"]
    assert said["Labels"]["org.opencontainers.image.licenses"] == "MIT"
    assert builder.megabytes() < 400


def test_nothing_installs_more_into_it(builder: Builder) -> None:
    shell = "command -v pip pip3; python3 -m pip --version; touch /opt/executor/x; id -u"
    done = builder.once("-c", shell, options=("--entrypoint", "/bin/sh"))
    assert done.stdout.split() == ["10001"], done.stderr


async def test_it_serves_and_reloads_and_drains(
    builder: Builder, config: Mounted, options: tuple[str, ...], tmp_path: Path
) -> None:
    with builder.serving(*options) as proxy:
        assert await proxy.value("const n: number = 6; return n * 7", token=KEY) == 42
        health = builder.once("doctor", "--live", f"http://127.0.0.1:{config.port}")
        assert health.returncode == 0, health.stdout
        for more in (
            "integrations: {}\nconnections: {}\nsandbox: {timeout: 60s}\n",
            "sandbox: {timeout: 61s}\n",
        ):
            mark = proxy.err.mark()
            config.write(config.text(more))
            proxy.logged("config applied", mark)
        mark = proxy.err.mark()
        config.write("version: 1\nserverr: {}\n")
        proxy.logged("config rejected", mark)
        assert await proxy.value("return 1", token=KEY) == 1
        proxy.signal(SIGTERM)
        assert proxy.wait() == 0
    written = {path.name for path in (tmp_path / "state").iterdir()}
    assert "state.db" in written
    assert {path.stat().st_uid for path in (tmp_path / "state").iterdir()} == {10001}


def test_stdio_and_validate(builder: Builder, config: Mounted, options: tuple[str, ...]) -> None:
    client = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    said = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": client}) + "\n"
    done = builder.once("mcp", "--config", "/etc/executor", options=options, said=said)
    assert json.loads(done.stdout)["result"]["serverInfo"]["name"], done.stderr
    assert builder.once("validate", "--config", "/etc/executor", options=options).returncode == 0
    config.write("version: 1\nserverr: {}\n")
    bad = builder.once("validate", "--config", "/etc/executor", options=options)
    assert (bad.returncode, "did you mean `server`" in bad.stdout + bad.stderr) == (1, True)
    assert builder.once(options=options).returncode == 78


@pytest.mark.deploy("hadolint")
def test_the_dockerfile_has_no_lint() -> None:
    run("hadolint", KIT / "Dockerfile")
