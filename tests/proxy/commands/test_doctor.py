"""`executor doctor`: what it looks at, and when it says that something is bad."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.echo import Reply, echo_server
from tests.proxy.commands.running import Run
from tests.proxy.support import DOWN_ERROR, config_text, with_a_connection_down, written


def checks(run: Run, *words: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """Exit code, and level and detail by name."""
    ran = run("doctor", "--json", *words)
    rows: list[dict[str, Any]] = json.loads(ran.out)
    assert all(list(row) == ["name", "level", "detail"] for row in rows)
    return ran.code, {row["name"]: (row["level"], row["detail"]) for row in rows}


def test_a_machine_that_can_serve(run: Run, tmp_path: Path) -> None:
    config = written(tmp_path, config_text(more="state: {backend: memory}\n"))
    ran = run("doctor", "--config", str(config))
    assert ran.code == 0
    header, *lines = ran.out.splitlines()
    assert header.split() == ["LEVEL", "CHECK", "DETAIL"]
    levels = [line.split()[:2] for line in lines]
    places = ["/tmp", "state", "cache"]
    parts = ["zygote", "sandbox", "typescript"]
    names = ["python", "clock", *places, *parts, "config", "shop.org.main", "rules"]
    assert [name for _, name in levels] == names
    assert "bad" not in {level for level, _ in levels}
    assert ran.out.splitlines()[-2].endswith("4 tools")
    assert ran.out.splitlines()[-1].endswith("every pattern matches a tool")


def test_rules_that_match_nothing_are_warnings(run: Run, tmp_path: Path) -> None:  # recipe 13
    more = "policies:\n  - {pattern: shop.*.*.items.delet, action: block}\n  - {pattern: crm.*.*.x, action: block}\n"
    config = str(written(tmp_path, with_a_connection_down() + more))
    ran = run("doctor", "--config", config)
    assert ran.code == 0
    rule, unchecked = ran.out.splitlines()[-2:]
    assert rule.split()[:2] == unchecked.split()[:2] == ["warn", "rules"]
    assert rule.endswith("rule `policies[0]` matches no tool (did you mean `shop.*.*.items.delete`?)")
    assert "not checked: patterns that may match crm.org.main (failed: " in unchecked
    assert run("doctor", "--strict", "--config", config).code == 1


def test_an_invalid_config_is_bad(run: Run, tmp_path: Path) -> None:
    code, found = checks(run, "--config", str(written(tmp_path, "version: 2\nserver: 1\n")))
    assert code == 1
    assert found["config"] == ("bad", "2 errors; run `executor validate`")
    assert list(found)[-1] == "config"


def test_no_config_is_bad(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, found = checks(run)
    assert code == 1
    level, detail = found["config"]
    assert level == "bad"
    assert "name one with --config PATH" in detail


def test_warnings_are_no_failure(run: Run, tmp_path: Path) -> None:
    config = written(
        tmp_path,
        with_a_connection_down() + 'policies: [{pattern: "*", action: approve, principals: ["key:x"]}]\n',
    )
    code, found = checks(run, "--config", str(config))
    assert code == 0
    assert found["config"][0] == "warn"
    level, detail = found["crm.org.main"]
    assert level == "warn"
    assert detail.startswith(f"failed: {DOWN_ERROR}")
    assert found["shop.org.main"] == ("ok", "4 tools")


def test_a_wrong_document_is_bad(run: Run, tmp_path: Path) -> None:
    code, found = checks(run, "--config", str(written(tmp_path, config_text('{inline: {openapi: "9.0"}}'))))
    assert code == 1
    assert found["shop"][0] == "bad"
    assert "OpenAPI version '9.0' is not supported" in found["shop"][1]


def test_directories_are_those_of_the_environment(run: Run, tmp_path: Path) -> None:
    run.set(EXECUTOR_STATE_DIR=str(tmp_path / "not" / "yet"))
    _, found = checks(run, "--config", str(written(tmp_path, config_text())))
    assert found["state"] == ("ok", str(tmp_path / "not" / "yet"))
    assert found["cache"] == ("ok", str(tmp_path / "not" / "yet" / "cache"))


def test_a_state_directory_below_a_file_is_bad(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    run.set(EXECUTOR_STATE_DIR=str(file / "state"))
    code, found = checks(run, "--config", str(written(tmp_path, config_text())))
    assert code == 1
    assert found["state"][0] == "bad"
    assert "EXECUTOR_STATE_DIR" in found["state"][1]


async def asked(run: Run, status: int) -> tuple[int, dict[str, tuple[str, str]]]:
    """The command runs in a thread: it brings an event loop of its own."""
    async with echo_server() as echo:
        echo.replies["/healthz"] = [Reply(status)]
        answer = await asyncio.to_thread(checks, run, "--live", f"{echo.url}/")
        assert [seen.path for seen in echo.log] == ["/healthz"]
        return answer


@pytest.mark.parametrize(("status", "code", "level"), [(200, 0, "ok"), (503, 1, "bad")])
async def test_a_running_server_is_asked_for_its_health(run: Run, status: int, code: int, level: str) -> None:
    found_code, found = await asked(run, status)
    assert (found_code, list(found)) == (code, ["server"])
    assert found["server"][0] == level
    assert found["server"][1].endswith(f"HTTP {status}")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://[::", "nonsense", "ftp://x"])
def test_a_server_that_cannot_be_asked_is_bad(run: Run, url: str) -> None:
    code, found = checks(run, "--live", url)
    assert code == 1
    assert found["server"][0] == "bad"
    assert found["server"][1].startswith(f"{url}: ")


def test_without_threads_the_lines_are_printed_all_the_same(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under a limit of processes, where not even the event loop can be closed."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    code, found = checks(run, "--config", str(written(tmp_path, config_text())))
    assert (code, found["python"][0]) == (1, "ok")
    assert found["threads"][0] == "bad"
    assert "ulimit -u" in found["threads"][1]
