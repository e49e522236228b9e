"""Texts that a model or its client reads without asking for them, word for word: the description of `execute`, and what
is said of a limit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import configs
from tests.e2e.running import QUICKSTART, Proxy, post, serving
from tests.e2e.upstream import Upstream

_TOLD = Path(__file__).parents[1] / "data" / "execute_of_the_quickstart.txt"
_BIG = "//" + "x" * 1_200_000


async def test_what_the_quickstart_says_of_itself(tmp_path: Path) -> None:
    with serving(QUICKSTART, tmp_path, "--demo") as proxy:
        async with proxy.sdk("legacy") as client:
            listed = {tool.name: tool.description or "" for tool in (await client.list_tools()).tools}
            instructions = re.sub(r"r_[0-9a-f]+", "r_...", client.instructions or "")
    assert (
        f"{listed['execute']}\n--------\n{listed['resume']}\n--------\n{instructions}\n" == _TOLD.read_text()
    )


@pytest.fixture(scope="module")
def few(api: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("few")
    limits = {
        "runs": {"per": "workspace", "limit": "2/minute", "applies_to": "executions"},
        "calls": {"per": "tool", "limit": "1/minute", "applies_to": "tool_calls"},
        "all": {"per": "workspace", "limit": "3/minute"},
    }
    config = configs.write(folder / "executor.yaml", configs.base(api, rate_limits=limits))
    with serving(config, folder / "state", env=configs.ENV) as proxy:
        yield proxy


TWICE = "await tools.shop.org.main.things.list({}); return (await tools.shop.org.main.things.list({})).error.message"


async def test_what_is_said_of_limits(few: Proxy) -> None:
    """In this order: each request takes from what the next one finds."""
    table: list[tuple[str, int, str]] = [
        (TWICE, 200, "The rate limit `calls` is used up. Try again in N s."),
        ("return 1", 200, "1"),
        ("return 1", 200, "rate_limited: the limit `runs` is used up. Try again in N s."),
        ("return 1", 429, "Rate limit `all` is used up. Try again in N s."),
    ]
    async with few.client() as client:
        for number, (code, status, text) in enumerate(table):
            answer = await post(client, "execute", {"code": code})
            assert (answer.status_code, said(answer.json())) == (status, text), number
            assert answer.json()["id"] == 1
            assert ("retry-after" in answer.headers) == (status == 429)


async def test_what_is_too_large_is_said_under_its_id(shop: Proxy) -> None:
    async with shop.client() as client:
        answer = await post(client, "execute", {"code": _BIG})
    assert (answer.status_code, answer.json()["id"]) == (413, 1)
    assert said(answer.json()) == "The request body is larger than 1048576 bytes."


def said(answer: dict[str, Any]) -> str:
    text = answer["error"]["message"] if "error" in answer else answer["result"]["content"][0]["text"]
    return re.sub(r"in \d+ s\.", "in N s.", text)
