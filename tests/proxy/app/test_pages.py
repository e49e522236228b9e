"""What pages are told, and the page of a stdio server. Its looks: tests/proxy/serving/pages; its use: tests/e2e."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from proxy.app.pages import LocalPages, link_to_source, page_options
from proxy.serving.http.origins import HostRules
from proxy.serving.mcp.elicitation import Seals
from tests.proxy.app.started import MEMORY, application_of
from tests.proxy.failing import FailingSupervisor
from tests.proxy.support import supervised

HOSTS = HostRules(loopback=True)


async def shown(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


async def test_it_is_served_from_the_first_question_to_the_end() -> None:
    told: list[str] = []
    async with supervised() as tasks:
        pages = LocalPages(tasks, shown, told.append)
        assert told == []
        first, second = await asyncio.gather(pages.page("exec_1", None), pages.page("exec_2", "mcp&1"))
        assert [first, second] == [
            f"{told[0]}/resume/exec_1",
            f"{told[0]}/resume/exec_2?mcp_session_id=mcp%261",
        ]
        assert len(told) == 1
        async with httpx2.AsyncClient() as client:
            assert (await client.get(first or "")).text == "ok"
        await pages.close()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(first or "")


async def test_without_a_pause_nothing_is_bound() -> None:
    async with supervised() as tasks:
        await LocalPages(tasks, shown, lambda origin: pytest.fail(origin)).close()


async def test_a_server_without_auth_names_both_token_files(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, f"version: 1\n{MEMORY}", env) as application:
        options = page_options(application, HOSTS, Seals())
        files = options.local_files()
        assert files is not None
        assert files.token.read_text().strip() != ""
        assert files.approver is not None
        assert files.approver.read_text() != files.token.read_text()
        assert options.public_url() is None


async def test_a_server_with_keys_names_none_and_knows_its_address(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    text = (
        f"version: 1\n{MEMORY}server: {{public_url: https://executor.example}}\n"
        "auth: {api_keys: {keys: {bot: {value: {env: BOT_KEY}}}}}\n"
    )
    secrets = {"BOT_KEY": "a-key-long-enough-to-be-one"}
    async with application_of(tmp_path, text, env, secrets) as application:
        options = page_options(application, HOSTS, Seals())
        assert options.local_files() is None
        assert options.public_url() == "https://executor.example"
        assert page_options(application, HOSTS, Seals(), public=False).public_url() is None


async def test_a_listener_that_fails_is_started_again(tmp_path: Path) -> None:
    told: list[str] = []
    tasks = FailingSupervisor("approval page")
    pages = LocalPages(tasks, shown, told.append)
    page = await pages.page("exec_1", None)
    assert tasks.failures == 1.0
    async with httpx2.AsyncClient() as client:
        assert (await client.get(page or "")).text == "ok"
    await pages.close()


def test_the_link_to_the_line_of_a_rule(tmp_path: Path) -> None:
    template = "https://git.example.com/{file}#L{line}"
    folder = (tmp_path,)
    assert link_to_source(None, "executor.yaml:9", folder) is None
    assert link_to_source(template, "default", folder) is None
    assert (
        link_to_source(template, "other/a b.yaml:9", folder) == "https://git.example.com/other/a%20b.yaml#L9"
    )
    inside = f"{tmp_path}/teams/executor.yaml:12"
    assert link_to_source(template, inside, folder) == "https://git.example.com/teams/executor.yaml#L12"
