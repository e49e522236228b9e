"""`executor status` and `executor wait`, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.commands.status import is_fine, rows
from tests.e2e.running import Proxy, serving
from tests.proxy.commands.running import Run
from tests.proxy.support import config_text

NOW = 1_800_000_000.0
LAST = {"result": "applied", "trigger": "watch", "at": NOW - 65, "elapsed_ms": 12, "errors": 0, "error": None}
STATUS: dict[str, Any] = {
    "version": "1.2.3",
    "config": {
        "generation": 3,
        "sha256": "8d03be71" * 8,
        "applied_at": NOW - 90061,
        "in_sync": True,
        "restart_required": [],
        "last_reload": {**LAST, "diagnostics": []},
    },
    "connections": [{"connection": "shop.org.main", "tools": 4, "status": "connected"}],
    "approvals": {"pending": 0, "oldest_seconds": 0},
    "replicas": [],
}


def screen(**changes: Any) -> list[str]:
    return [
        f"{name}: {text}" if name else text for name, text in rows("http://h", {**STATUS, **changes}, NOW)
    ]


def test_one_screen() -> None:
    assert screen() == [
        "server: http://h, version 1.2.3",
        "config: generation 3, sha256 8d03be71, applied 1d 1h ago (2027-01-14 06:58:59Z)",
        "last reload: applied 1m 5s ago (2027-01-15 07:58:55Z) (watch, 12 ms)",
        "connections: 1 connected; 4 tools",
        "approvals: none pending",
    ]


def test_tools_that_are_not_as_they_were_reviewed() -> None:
    tools = [
        {"tool": "files.org.main.read", "kind": "changed", "parts": ["description", "annotations"]},
        {"tool": "files.org.main.move", "kind": "new", "parts": []},
    ]
    lock = {"file": "executor.lock", "mode": "enforce", "changed": 1, "new": 1, "gone": 0, "tools": tools}
    assert screen(lock=lock)[4:7] == [
        "lock: 1 changed, 1 new since the review, held back (enforce); review them: executor lock",
        "files.org.main.read: changed description, annotations",
        "files.org.main.move: new",
    ]
    assert screen(lock={**lock, "mode": "warn"})[4].endswith(
        "used all the same (warn); review them: executor lock"
    )
    assert screen(lock={**lock, "tools": tools * 10})[-2] == "and 8 more (executor status --json)"
    assert screen(lock={**lock, "changed": 0, "new": 0, "tools": []}) == screen(lock=None) == screen()


def test_what_is_wrong_comes_with_its_reason() -> None:
    wrong = {
        "severity": "error",
        "file": "e.yaml",
        "line": 4,
        "column": 2,
        "code": "E201",
        "message": "unknown key",
    }
    rejected = {**LAST, "result": "rejected", "diagnostics": [wrong, {**wrong, "severity": "warning"}]}
    config = {
        **STATUS["config"],
        "in_sync": False,
        "last_reload": rejected,
        "restart_required": ["server.listen"],
    }
    connections = [
        {"connection": "a.org.main", "tools": 0, "status": "failed", "error": "refused"},
        {
            "connection": "b.org.main",
            "tools": 2,
            "status": "connected",
            "health": {"healthy": False, "error": "401"},
        },
        {"connection": "c.org.main", "tools": 2, "status": "connected", "health": {"healthy": True}},
    ]
    replicas = [
        {
            "id": f"r{at}",
            "sha256": f"{at}" * 64,
            "generation": at,
            "in_sync": at == 1,
            "self": at == 1,
            "version": f"1.{at}",
            "started_at": NOW - 3600 * at,
            "rejected": "e.yaml:4:2 E201 unknown key" if at == 2 else None,
            "seen_at": NOW - 2,
        }
        for at in (1, 2)
    ]
    said = "\n".join(
        screen(
            config=config,
            connections=connections,
            approvals={"pending": 2, "oldest_seconds": 3661.0},
            replicas=replicas,
        )
    )
    for part in (
        "last reload: rejected 1m 5s ago",
        "generation 3 stays",
        "e.yaml:4:2 E201 unknown key",
        "restart: needed for server.listen",
        "connections: 2 connected, 1 failed; 4 tools",
        "a.org.main: failed refused",
        "b.org.main: unhealthy 401",
        "approvals: 2 pending, the oldest for 1h 1m",
        "replicas: 2 seen, DIFFERENT configs: 1 serve 11111111, 1 serve 22222222, DIFFERENT versions: 1.1, 1.2",
        "r1 (this one): generation 1, sha256 11111111, version 1.1, up for 1h, seen 2s ago",
        "r2: generation 2, sha256 22222222, version 1.2, up for 2h, seen 2s ago",
        "; its newest config was rejected: e.yaml:4:2 E201 unknown key",
    ):
        assert part in said
    assert said.count("E201") == 2, "this server's, and that of the other replica"
    assert not is_fine({**STATUS, "config": config})
    assert not is_fine({**STATUS, "connections": connections})
    assert is_fine(STATUS)
    alone = screen(replicas=replicas[:1], replicas_trouble="Redis does not answer.")
    assert alone[-2:] == [
        "replicas: 1 seen (this one)",
        "other replicas are not known: Redis does not answer.",
    ]
    assert "not known: the state store" in screen(approvals={"pending": None, "oldest_seconds": None})[-1]


@pytest.fixture
def server(run: Run, tmp_path: Path) -> Iterator[Proxy]:
    config = tmp_path / "executor.yaml"
    config.write_text(config_text(more="state: {backend: memory}\n"))
    with serving(config, tmp_path / "state") as proxy:
        assert proxy.token is not None
        run.set(EXECUTOR_SERVER=proxy.url, EXECUTOR_TOKEN=proxy.token)
        yield proxy


def test_a_running_server(run: Run, server: Proxy, tmp_path: Path) -> None:
    ran = run("status")
    assert (ran.code, ran.err) == (0, "")
    assert "generation 1" in ran.out
    assert "1 seen (this one)" in ran.out
    digest = run("status", "--json").json["config"]["sha256"]
    config = tmp_path / "executor.yaml"
    assert run("validate", str(config), "--json").json["summary"]["sha256"] == digest

    config.write_text("version: 1\ncolour: blue\n")
    server.logged("config rejected")
    ran = run("status")
    assert ran.code == 1
    assert "rejected" in ran.out
    assert "E201 unknown key `colour`" in ran.out
