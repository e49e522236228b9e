"""`executor wait`: until a server serves a certain config, or why it does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running import Proxy, serving
from tests.proxy.commands.running import Run
from tests.proxy.support import config_text


@pytest.fixture
def server(run: Run, tmp_path: Path) -> Iterator[Proxy]:
    config = tmp_path / "executor.yaml"
    config.write_text(config_text(more="state: {backend: memory}\n"))
    with serving(config, tmp_path / "state") as proxy:
        assert proxy.token is not None
        run.set(EXECUTOR_SERVER=proxy.url, EXECUTOR_TOKEN=proxy.token)
        yield proxy


def test_a_digest_and_a_generation(run: Run, server: Proxy, tmp_path: Path) -> None:
    digest = run("status", "--json").json["config"]["sha256"]
    config = tmp_path / "executor.yaml"
    assert run("wait", "--digest", digest[:8]).out == f"serves generation 1, sha256 {digest}\n"
    assert run("wait", "--digest", "-", "--config", str(config)).code == 0
    assert run("wait", "--generation", "1", "--all", "--json").json["replicas"] == 1
    late = run("wait", "--generation", "2", "--timeout", "100ms")
    assert (late.code, late.out) == (1, "")
    assert f"not within 100ms: the server serves generation 1, sha256 {digest[:8]}" in late.err

    config.write_text(config_text(more="state: {backend: memory}\nconsole: {enabled: false}\n"))
    assert run("wait", "--generation", "2", "--timeout", "60s").code == 0
    config.write_text("version: 1\ncolour: blue\n")
    server.logged("config rejected")
    late = run("wait", "--generation", "3", "--timeout", "100ms")
    assert "its newest config was rejected: " in late.err
    assert "E201 unknown key `colour`" in late.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say what to wait for: --digest SHA256 or --generation N"),
        (("--digest", "8d03be71", "--generation", "1"), "--digest and --generation: one of them"),
        (("--generation", "0"), "--generation 0: the first generation is 1"),
        (("--generation", "-1"), "--generation -1: the first generation is 1"),
        (("--digest", "8d03"), "expected 8 to 64 hexadecimal digits"),
        (("--digest", "nothexadecimal"), "expected 8 to 64 hexadecimal digits"),
        (("--generation", "1", "--timeout", "60"), "--timeout 60: expected a duration with a unit"),
    ],
)
def test_what_cannot_be_waited_for(run: Run, words: tuple[str, ...], said: str) -> None:
    run.set(EXECUTOR_SERVER="http://127.0.0.1:9", EXECUTOR_TOKEN="x")
    ran = run("wait", *words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_a_server_that_is_not_there_yet_is_waited_for(run: Run) -> None:
    run.set(EXECUTOR_SERVER="http://127.0.0.1:9", EXECUTOR_TOKEN="x")
    ran = run("wait", "--generation", "1", "--timeout", "100ms")
    assert (ran.code, ran.out) == (1, "")
    assert "not within 100ms: no answer from http://127.0.0.1:9" in ran.err
