"""All pages below the path of `public_url`, from proxies that keep it and from those that strip it."""

from __future__ import annotations

import re

import httpx2
import pytest

from tests.proxy.serving.pages.support import Site, asked, site

PREFIX = "/team/executor"
LINK = re.compile(r'(?:href|action|src|data-watch|data-here)="([^"]*)"|url=([^"]*)"')
BOTH = pytest.mark.parametrize("sent", [PREFIX, ""], ids=["keeps", "strips"])


def below(scheme: str = "http") -> Site:
    url = f"{scheme}://127.0.0.1:8080{PREFIX}"
    return site(*asked("one", "two"), prefix=PREFIX, public_url=lambda: url, endpoint=lambda: f"{url}/mcp")


def links(answer: httpx2.Response) -> set[str]:
    """Those that leave the page."""
    found = {first or second for first, second in LINK.findall(answer.text)}
    return {link for link in found if not link.startswith("#")}


@BOTH
async def test_every_link_leads_below_it(sent: str) -> None:
    async with below().browser() as browser:
        pages = [
            await browser.get(f"{sent}/login"),
            await browser.post(f"{sent}/login", {"credential": "no", "next": "/approvals"}),
        ]
        signed = await browser.post(f"{sent}/login", {"credential": "bob", "next": "/resume/exec_1"})
        assert signed.headers["location"] == f"{PREFIX}/resume/exec_1"
        # A browser knows the whole path, and sends its cookie there; a proxy that strips it keeps the cookie.
        browser.headers = {"cookie": signed.headers["set-cookie"].partition(";")[0]}
        paths = ("/approvals", "/resume/exec_1", "/resume/no", "/connections")
        pages += [await browser.get(f"{sent}{path}") for path in paths]
        assert [page.status_code for page in pages] == [200, 403, 200, 200, 404, 200]
        found = {link for page in pages for link in links(page)}
        assert {link for link in found if not link.startswith(f"{PREFIX}/")} == set()
        assert {f"{PREFIX}/login", f"{PREFIX}/resume/exec_1/state", f"{PREFIX}/logout"} <= found
        for link in sorted(one for one in found if "/pages/" in one):
            assert (await browser.get(link.removeprefix(PREFIX) if not sent else link)).status_code == 200


async def test_a_link_from_another_site_comes_back_below_it() -> None:
    async with below().browser() as browser:
        again = await browser.get(f"{PREFIX}/resume/exec_1?mcp_session_id=s", sec_fetch_site="cross-site")
    assert f"{PREFIX}/resume/exec_1?mcp_session_id=s&amp;again=1" in links(again)
    assert all(link.startswith(f"{PREFIX}/") for link in links(again))


async def test_decisions_come_from_the_forms_below_it() -> None:
    made, path = below(), f"{PREFIX}/resume/exec_1"
    async with made.browser() as browser:
        await browser.post(f"{PREFIX}/login", {"credential": "bob", "next": ""})
        answer = await browser.answer("accept", "int_1", path=path)
        assert (answer.status_code, answer.headers["location"]) == (303, path)
        foreign = await browser.post(path, {"csrf": "x"}, origin="http://evil.example")
        assert foreign.status_code == 403
    assert made.decided() == {"int_1": "accept"}


@pytest.mark.parametrize(
    ("scheme", "name", "end"),
    [
        ("http", "executor-8080", f"; Path={PREFIX}; HttpOnly; SameSite=Strict"),
        ("https", "__Secure-executor", f"; Path={PREFIX}; HttpOnly; SameSite=Strict; Secure"),
    ],
)
async def test_the_cookie_is_for_this_path_only(scheme: str, name: str, end: str) -> None:
    async with below(scheme).browser(f"{scheme}://127.0.0.1:8080") as browser:
        answer = await browser.post(f"{PREFIX}/login", {"credential": "bob", "next": ""})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{name}=")
        assert cookie.endswith(end)
        csrf = await browser.csrf(f"{PREFIX}/approvals")
        out = await browser.post(f"{PREFIX}/logout", {"csrf": csrf})
    assert (out.status_code, out.headers["location"]) == (303, f"{PREFIX}/login")
    assert f"{name}=; Max-Age=0; Path={PREFIX};" in out.headers["set-cookie"]
