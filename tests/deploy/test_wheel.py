"""What is uploaded: built, installed beside the package that also has a top-level `proxy`, and run from anywhere."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.deploy.tools import ROOT, run
from tests.e2e.running import Proxy

pytestmark = [
    pytest.mark.minutes,
    pytest.mark.deploy("pyproject-build", "twine", "uv"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run("pyproject-build", "--no-isolation", "--outdir", folder, ROOT)
    return folder


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment that has the wheel, and proxy.py."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    run("uv", "venv", "--quiet", "--python", sys.executable, venv)
    (wheel,) = dist.glob("*.whl")
    env = {
        **os.environ,
        "SSL_CERT_FILE": os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"),
    }
    constraint = ROOT / "requirements.lock"
    run(
        "uv", "pip", "install", "--quiet", "--python", venv / "bin/python", "--constraint", constraint, wheel,
        "proxy.py", env=env,
    )  # fmt: skip
    return venv / "bin"


def test_the_descriptions_are_in_order(dist: Path) -> None:
    run("twine", "check", "--strict", *dist.iterdir())


def test_only_one_name_is_taken(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {"executor_proxy", "executor_proxy-0.1.0.dist-info"}
    inside = {name.removeprefix("executor_proxy/_src/") for name in names}
    assert {
        "examples/quickstart/executor.yaml", "integrations/presets/github.yaml", "policies/packs/read-only.yaml",
        "schema/executor.schema.json",
    } <= inside  # fmt: skip


def test_both_packages_work(installed: Path, tmp_path: Path) -> None:
    for program in ("executor", "executor-proxy"):
        said = subprocess.run(
            [str(installed / program), "--version"], capture_output=True, text=True, timeout=60, check=True
        )
        assert said.stdout.startswith("executor ")
    other = subprocess.run(
        [str(installed / "proxy"), "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert other.stdout.strip()
    doctor = subprocess.run(
        [str(installed / "executor"), "doctor", "--json"], capture_output=True, text=True, timeout=120, check=False,
        cwd=tmp_path, env={**os.environ, "EXECUTOR_STATE_DIR": str(tmp_path / "state")},
    )  # fmt: skip
    levels = {one["name"]: one["level"] for one in json.loads(doctor.stdout)}
    assert (levels["sandbox"], levels["typescript"]) == ("ok", "ok")


def test_the_quickstart_is_served_anywhere(installed: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [str(installed / "executor"), "serve", "--demo", "--listen", "127.0.0.1:0"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "EXECUTOR_STATE_DIR": str(tmp_path / "state")}, start_new_session=True,
    )  # fmt: skip
    proxy = Proxy(process)
    try:
        proxy.ready()
        code = "const found: {data: {items: unknown[]}} = await tools.inventory.org.main.items.list({}); return found"
        found = asyncio.run(proxy.value(code))
        assert found["ok"]
        with urllib.request.urlopen(f"{proxy.url}/healthz", timeout=10) as health:
            assert health.status == 200
        proxy.signal(SIGTERM)
        assert proxy.wait() == 0
    finally:
        proxy.stop()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state"]


@pytest.mark.deploy("uvx", "pipx")
def test_it_runs_without_being_installed(dist: Path, tmp_path: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    env = {**os.environ, "PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    assert run("uvx", "--from", wheel, "executor", "--version", env=env).stdout.startswith("executor ")
    run("pipx", "install", "--quiet", wheel, env=env)
    assert (tmp_path / "bin" / "executor-proxy").exists()


def test_every_dependency_comes_as_a_wheel(tmp_path: Path) -> None:
    for platform in ("x86_64-manylinux2014", "aarch64-manylinux2014", "aarch64-unknown-linux-musl"):
        for version in ("3.11", "3.13"):
            run(
                "uv", "pip", "compile", "--quiet", "--only-binary", ":all:", "--python-platform", platform,
                "--python-version", version, "--constraint", ROOT / "requirements.lock", ROOT / "pyproject.toml",
                "-o", tmp_path / f"{platform}-{version}.txt",
            )  # fmt: skip
