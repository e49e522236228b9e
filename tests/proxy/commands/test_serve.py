"""`executor serve`: what it refuses before it serves. How it serves is in tests/e2e."""

from __future__ import annotations

import argparse
import socket
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from proxy.commands.serve import add_parser, demo_beside, run_loop, serve
from tests.proxy.commands.running import Run
from tests.proxy.failing import FailingSupervisor
from tests.proxy.support import config_text, written


def test_without_a_config_it_says_what_to_name(run: Run, tmp_path: Path) -> None:
    ran = run("serve", "--config", str(tmp_path / "absent.yaml"))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"executor: {tmp_path / 'absent.yaml'}: no such file or directory\n"


def test_standard_input_cannot_be_reloaded(run: Run) -> None:
    ran = run("serve", "--config", "-")
    assert ran.code == 2
    assert "cannot be reloaded" in ran.err


def test_an_invalid_config_is_78_with_every_error(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path, "version: 1\nserver: {listen: 8080}\nintergrations: {}\n")
    ran = run("serve", "--config", str(path))
    assert (ran.code, ran.out) == (78, "")
    assert ran.err.count("error[E2") == 2


def test_what_only_the_start_finds_is_78_as_well(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path, config_text('{inline: {"swagger": "1.2"}}'))
    ran = run("serve", "--config", str(path), "--listen", "127.0.0.1:0")
    assert (ran.code, ran.out) == (78, "")
    assert "executor.yaml:6:" in ran.err
    assert "Traceback" not in ran.err


def test_the_port_of_the_metrics_is_looked_at_too(run: Run, tmp_path: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        more = f"telemetry: {{metrics: {{listen: '{address}'}}}}\n"
        ran = run(
            "serve", "--config", str(written(tmp_path, config_text(more=more))), "--listen", "127.0.0.1:0"
        )
    said = f"telemetry.metrics.listen: cannot listen on {address}: Address already in use; name another address there"
    # Nothing was opened before: no line of the log.
    assert (ran.code, ran.out, ran.err) == (2, "", f"executor: {said}\n")


def test_an_address_of_another_machine_is_2_and_says_what_to_do(run: Run, tmp_path: Path) -> None:
    more = f"auth: {{api_keys: {{keys: {{bot: {{hash: 'sha256:{'0' * 64}'}}}}}}}}\n"
    path = written(tmp_path, config_text(more=more))
    ran = run("serve", "--config", str(path), "--listen", "192.0.2.1:8080")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith(
        "no interface of this machine has it: --listen 127.0.0.1:8080, or 0.0.0.0:8080 for all\n"
    )


@pytest.mark.parametrize("more", [[], ["--demo"]])
def test_a_taken_port_is_2_and_says_what_to_do(run: Run, tmp_path: Path, more: list[str]) -> None:
    path = written(tmp_path, config_text())
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = run("serve", "--config", str(path), "--listen", address, *more)
    assert (ran.code, ran.out) == (2, "")
    said = (
        f"executor: cannot listen on {address}: Address already in use; use another one: --listen 127.0.0.1:0"
    )
    # `make run` is what people type for the demo, and it takes no options.
    by_make = " (with make: EXECUTOR_LISTEN=127.0.0.1:0 make run)" if more else ""
    assert ran.err.splitlines()[-1] == said + by_make
    assert "config applied" not in ran.err


@pytest.mark.parametrize(
    ("given", "example"),
    [("nonsense", "127.0.0.1:8080"), ("8081", "127.0.0.1:8081"), ("a:99999", "127.0.0.1:8080")],
)
def test_a_wrong_address_is_told_before_anything_starts(
    run: Run, capsys: pytest.CaptureFixture[str], given: str, example: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        run("serve", "--listen", given)
    assert ended.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.endswith(f"argument --listen: {given!r}: expected HOST:PORT, such as {example}")


@pytest.mark.parametrize("auth", ["", "auth: {anonymous: true}\n"])
def test_an_open_address_needs_callers_with_keys(run: Run, tmp_path: Path, auth: str) -> None:
    """The config's own address is a loopback one: only the command line opens this."""
    path = written(tmp_path, config_text(more=auth))
    ran = run("serve", "--config", str(path), "--listen", "0.0.0.0:0")
    assert (ran.code, ran.out) == (78, "")
    assert "error[E501]: listening on 0.0.0.0:0 with" in ran.err
    assert "= help: add `auth`" in ran.err


def test_without_the_demo_the_quickstart_says_how_to_get_it(run: Run) -> None:
    quickstart = Path(__file__).parents[3] / "examples/quickstart"
    ran = run("serve", "--config", str(quickstart), "--listen", "127.0.0.1:0")
    assert (ran.code, ran.out) == (78, "")
    assert "environment variable INVENTORY_TOKEN is not set" in ran.err
    assert "= help: add --demo, which runs the demo API and sets it; or set it yourself" in ran.err


async def _answer() -> int:
    return 42


def test_the_loop_returns_the_exit_code() -> None:
    assert run_loop(_answer()) == 42


async def test_what_serves_has_failed_is_70_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EXECUTOR_STATE_DIR", str(tmp_path / "state"))
    path = written(tmp_path, config_text())
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    args = parser.parse_args(["serve", "--config", str(path), "--listen", "127.0.0.1:0"])
    assert await serve(args, [path], FailingSupervisor("http")) == 70
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: the task `http` failed, without which nothing is served: OSError: [Errno 24] Too many open files"
    )


async def test_a_demo_that_fails_is_started_again() -> None:
    environment: dict[str, str] = {}
    tasks = FailingSupervisor("demo")
    async with demo_beside(True, environment, tasks), httpx2.AsyncClient() as client:
        assert (await client.get(f"{environment['INVENTORY_URL']}/health")).status_code == 200
    assert tasks.failures == 1.0
