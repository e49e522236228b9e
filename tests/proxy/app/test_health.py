"""Probes that the files themselves get wrong are errors of the config, with their line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from proxy.app.health import health_problems
from tests.integrations.echo import echo_server
from tests.proxy.connections.test_sources import SPEC, serving_document
from tests.proxy.support import config_text, connections_in, inline, load, shop, written


async def problems(
    tmp_path: Path, env: Mapping[str, str], spec: str, extra: str
) -> list[tuple[str, int, str]]:
    loaded = load(written(tmp_path, config_text(f"{spec}\n    {extra}")))
    assert loaded.config is not None
    async with connections_in(env) as connections:
        found = health_problems(loaded, await connections.open(loaded.config))
    return [(one.code, one.line, one.message) for one in found]


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("items.delete", "`tool`: a probe must only read, and `items.delete` does not"),
        ("items.gone", "`tool`: `shop` has no tool `items.gone`"),
    ],
)
async def test_a_wrong_tool_of_a_local_document(
    tmp_path: Path, env: Mapping[str, str], tool: str, words: str
) -> None:
    found = await problems(tmp_path, env, inline(shop()), f"health: {{tool: {tool}}}")
    assert found == [("E206", 7, words)]


async def test_reads_are_right(tmp_path: Path, env: Mapping[str, str]) -> None:
    assert await problems(tmp_path, env, inline(shop()), "health: {tool: items.list}") == []
    assert await problems(tmp_path, env, inline(shop()), "timeout: 5s") == []


async def test_the_verdict_never_depends_on_the_network(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with echo_server() as echo:
        echo.replies[SPEC] = [serving_document(url=echo.url)]
        spec = f"{{url: {echo.url}{SPEC}}}"
        assert await problems(tmp_path, env, spec, "health: {tool: items.delete}") == []


async def test_a_probe_of_a_preset_is_no_mistake_of_the_file(tmp_path: Path, env: Mapping[str, str]) -> None:
    text = config_text(inline(shop())).replace("kind: openapi", "preset: github").replace("[", "[", 1)
    loaded = load(
        written(tmp_path, text.replace("description:", "include: []\n    exclude: []\n    description:"))
    )
    assert loaded.config is not None
    async with connections_in(env) as connections:
        assert health_problems(loaded, await connections.open(loaded.config)) == []
