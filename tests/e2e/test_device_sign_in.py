"""Somebody signs in on another device (RFC 8628) at an authorization server that is not ours, and calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import pytest

from proxy.auth import hash_key
from tests.e2e import configs
from tests.e2e.running import Proxy, serving, spawn
from tests.e2e.upstream import Upstream
from tests.oauth.npm import provider

pytestmark = pytest.mark.specs
ALICE, MINE = "exk_alice-key-000000000000", "shop.user.me"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with provider() as running:
        yield running


@pytest.fixture(scope="module")
def proxy(api: Upstream, issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("device")
    auth = {
        "kind": "oauth2",
        "grant": "authorization_code",
        "issuer": issuer,
        "client_id": "device",
        "scopes": ["executor"],
    }
    keys = {"alice": {"hash": f"sha256:{hash_key(ALICE)}", "workspace": "default"}}
    config = configs.base(api, connections={MINE: {"auth": auth}}, auth={"api_keys": {"keys": keys}})
    file = configs.write(folder / "executor.yaml", config)
    with serving(file, folder / "state", env=configs.ENV) as running:
        yield running


class Browser:
    """Submits the forms of pages as a person who agrees to everything, on any device."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def open(self, url: str) -> httpx2.Response:
        return await self._followed(await self._http.get(url))

    async def submit(self, page: httpx2.Response, **typed: str) -> httpx2.Response:
        action = re.search(r'<form[^>]*action="([^"]+)"', page.text)
        assert action is not None, page.text
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        url = urljoin(str(page.url), unescape(action[1]))
        return await self._followed(await self._http.post(url, data={**fields, **typed}))

    async def _followed(self, answer: httpx2.Response) -> httpx2.Response:
        while answer.is_redirect:
            answer = await self._http.get(urljoin(str(answer.url), answer.headers["location"]))
        return answer


async def test_a_code_entered_in_a_browser_signs_the_command_line_in(
    proxy: Proxy, issuer: str, api: Upstream, tmp_path: Path
) -> None:
    words = ("auth", "login", MINE, "--device", "--server", proxy.url)
    login = spawn(*words, state=tmp_path, env={"EXECUTOR_TOKEN": ALICE})
    page = login.err.wait(lambda line: line.startswith("Open http")).split()[1]
    code = login.err.wait(lambda line: re.fullmatch(r"\s+[A-Z]{4}-[A-Z]{4}", line) is not None).strip()
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
        browser = Browser(http)
        confirm = await browser.submit(await browser.open(page), user_code=code)
        assert code in confirm.text
        done = await browser.submit(confirm)
    assert "Sign-in Success" in done.text
    assert login.wait() == 0, login.err.text
    assert login.out.text.strip() == f"signed in to {MINE}"
    assert await proxy.value("return (await tools.shop.user.me.things.list({})).ok", token=ALICE) is True
    bearer = api.seen[-1].headers["Authorization"].removeprefix("Bearer ")
    async with httpx2.AsyncClient(timeout=60, trust_env=False, auth=("rs", "rs-secret")) as http:
        said = (await http.post(f"{issuer}/token/introspection", data={"token": bearer})).json()
    assert (said["active"], said["sub"], said["client_id"]) == (True, "alice", "device"), said
