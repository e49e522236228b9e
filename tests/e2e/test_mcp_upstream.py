"""What an MCP server says during a call reaches the caller of `execute`. Both ends are real, in both eras."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import configs
from tests.e2e.running import MODERN, Proxy, serving

SERVERS = Path(__file__).parents[1] / "integrations" / "mcp"
ERAS = pytest.mark.parametrize("mode", ["legacy", MODERN])


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """In front of two local MCP servers: `new` speaks 2026-07-28, `old` the handshake era."""
    folder = tmp_path_factory.mktemp("mcp")
    local = {"kind": "mcp", "type": "local", "timeout": 20_000}
    config = {
        "version": 1,
        "integrations": {
            "new": {**local, "command": [sys.executable, str(SERVERS / "sdk_server.py"), "stdio"]},
            "old": {**local, "command": [sys.executable, "-I", "-S", str(SERVERS / "stdio_server.py"), "plain"]},
        },
        "connections": {"new.org.main": {}, "old.org.main": {}},
        "policies": [{"pattern": "*", "action": "approve"}],
        "state": {"backend": "memory"},
    }
    path = configs.write(folder / "executor.yaml", config)
    with serving(path, folder / "state", env={}) as running:
        yield running


@ERAS
@pytest.mark.parametrize(
    ("code", "first", "settled"),
    [
        (
            "await tools.new.org.main.steps({})",
            "new.org.main.steps: 1 of 2: step 1",
            "new.org.main.steps ok in ",
        ),
        (
            "await tools.old.org.main.progress({})",
            "old.org.main.progress: 1 of 3",
            "old.org.main.progress ok in ",
        ),
    ],
)
async def test_progress_of_an_upstream_reaches_the_caller(
    proxy: Proxy, mode: str, code: str, first: str, settled: str
) -> None:
    heard: list[tuple[float, str]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message or ""))

    async with proxy.sdk(mode) as client:
        result = await client.call_tool("execute", {"code": code}, progress_callback=on_progress)
        assert (result.structured_content or {})["status"] == "completed"
    numbers, texts = [number for number, _ in heard], [text for _, text in heard]
    assert numbers == sorted(set(numbers)), "progress only ever grows"
    assert texts[1] == first
    assert texts[-1].startswith(settled)
