"""A bundle of a real server: what is in it, and who can read it. tests/security/test_canary.py proves what is not."""

from __future__ import annotations

import json
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running import Proxy, serving
from tests.proxy.commands.running import Run
from tests.proxy.support import config_text, written


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("bundle")
    config = written(folder, config_text(more="state: {backend: memory}\n"))
    with serving(config, folder / "state") as running:
        yield running


@pytest.fixture
def there(proxy: Proxy, run: Run) -> tuple[str, str]:
    assert proxy.token is not None
    run.set(EXECUTOR_TOKEN=proxy.token)
    return "--server", proxy.url


def contents(file: Path) -> dict[str, str]:
    with tarfile.open(file) as bundle:
        return {
            Path(one.name).name: (bundle.extractfile(one) or file.open("rb")).read().decode()
            for one in bundle
        }


def test_a_bundle_has_what_whoever_helps_needs(
    run: Run, there: tuple[str, str], proxy: Proxy, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_text(f"one\ntwo\nthree {proxy.token}\n")
    out = tmp_path / "x.tar.gz"
    ran = run("support-bundle", *there, "--output", str(out), "--log", str(log), "--lines", "2", "--json")
    assert ran.json["file"] == str(out)
    parts = contents(out)
    assert sorted(parts) == ran.json["contents"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert parts["log.txt"] == "two\nthree [redacted]\n"
    assert "shop" in json.loads(parts["config.json"])["integrations"]
    assert json.loads(parts["versions.json"])["sqlite"]
    assert "connections" in json.loads(parts["status.json"])
    assert "executor_state_available" in parts["metrics.txt"]
    assert {one["level"] for one in json.loads(parts["doctor.json"])} == {"ok"}


def test_another_file_is_not_written_over(run: Run, there: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "x.tar.gz"
    out.write_text("mine")
    ran = run("support-bundle", *there, "--output", str(out))
    assert (ran.code, "--output" in ran.err, out.read_text()) == (2, True, "mine")


def test_doctor_asks_a_server(run: Run, there: tuple[str, str]) -> None:
    ran = run("doctor", *there)
    assert ran.code == 0, ran.out
    shown = [line.split()[:2] for line in ran.out.splitlines()]
    assert ["ok", "ready"] in shown
    assert ["ok", "shop.org.main"] in shown


def test_a_server_that_is_not_there(run: Run) -> None:
    run.set(EXECUTOR_TOKEN="t" * 43)
    ran = run("doctor", "--server", "http://127.0.0.1:9")
    assert (ran.code, "no answer from" in ran.out) == (1, True)
    assert run("support-bundle", "--server", "http://127.0.0.1:9").code == 2
