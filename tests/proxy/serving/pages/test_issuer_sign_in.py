"""Away to an authorization server and back: the cookie in between, and whose browser comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from integrations.http import HttpClient
from proxy.auth import IssuerPool
from proxy.serving.pages.issuer_sign_in import PENDING_SECONDS
from proxy.tasks import TaskSupervisor
from tests.oauth.issuer import Issuer, issuing
from tests.proxy.auth.test_page_sign_in import CLIENT, page_issuer
from tests.proxy.serving.board import Board
from tests.proxy.serving.pages.support import Browser, Clock, Site, asked, site


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as running:
        yield running


@pytest.fixture
async def here(issuer: Issuer) -> AsyncIterator[Site]:
    tasks = TaskSupervisor()
    async with HttpClient() as http:
        board = Board(issuers=(page_issuer(issuer, IssuerPool(http, tasks)),))
        yield site(*asked("one"), board=board)
        await tasks.close()


async def leave(browser: Browser, issuer: Issuer, token: str = "alice", place: str = "/console") -> str:
    """Begin; the callback that brings a code for this access token."""
    away = await browser.get(f"/login/with/0?next={place}")
    assert away.status_code == 303
    fields = parse_qs(urlsplit(away.headers["location"]).query)
    id_token = issuer.token(CLIENT, header={"typ": "JWT"}, nonce=fields["nonce"][0])
    issuer.granted["good"] = {"access_token": token, "token_type": "Bearer", "id_token": id_token}
    return f"/login/callback?code=good&state={fields['state'][0]}"


async def test_signing_in_leads_to_the_page_that_was_wanted(here: Site, issuer: Issuer) -> None:
    async with here.browser() as browser:
        login = (await browser.get("/console")).text
        assert 'href="/login/with/0?next=/console"' in login
        back = await browser.get(await leave(browser, issuer))
        assert (back.status_code, back.headers["location"]) == (303, "/console")
        assert "key:alice" in (await browser.get("/console")).text


async def test_the_cookie_in_between_is_sealed_short_and_gone_afterwards(here: Site, issuer: Issuer) -> None:
    async with here.browser() as browser:
        away = await browser.get("/login/with/0")
        cookie = away.headers["set-cookie"]
        assert "HttpOnly; SameSite=Lax" in cookie
        assert f"Max-Age={PENDING_SECONDS:.0f}" in cookie
        state = parse_qs(urlsplit(away.headers["location"]).query)["state"][0]
        assert state not in cookie
        back = await browser.get(await leave(browser, issuer))
        names = [one.partition("=")[0] for one in back.headers.get_list("set-cookie")]
        assert sorted(names) == ["executor-8080", "executor-8080-sign-in"]
        # The same callback again: neither the cookie nor the code is there any more.
        assert (await browser.get(f"/login/callback?code=good&state={state}")).status_code == 403


async def test_t31_another_browser_cannot_finish_it(here: Site, issuer: Issuer) -> None:
    async with here.browser() as mine, here.browser() as theirs:
        callback = await leave(mine, issuer)
        refused = await theirs.get(callback)
        assert (refused.status_code, "No sign-in was begun" in refused.text) == (403, True)
        await theirs.get("/login/with/0")
        assert "does not belong" in (await theirs.get(callback)).text
        assert "alice" not in (await theirs.get("/console")).text


async def test_a_new_sign_in_replaces_the_one_before(here: Site, issuer: Issuer) -> None:
    async with here.browser() as browser:
        await browser.sign_in("bob")
        before = await browser.csrf("/console")
        await browser.get(await leave(browser, issuer))
        assert await browser.csrf("/console") != before
        assert (await browser.post("/logout", {"csrf": before})).status_code == 403


async def test_it_takes_ten_minutes_at_most(here: Site, issuer: Issuer) -> None:
    clock = here.options.clock
    assert isinstance(clock, Clock)
    async with here.browser() as browser:
        callback = await leave(browser, issuer)
        clock.now += PENDING_SECONDS
        refused = await browser.get(callback)
        assert (refused.status_code, "took too long" in refused.text) == (403, True)
        assert "Max-Age=0" in refused.headers["set-cookie"]


async def test_a_token_that_is_not_let_in_signs_nobody_in(here: Site, issuer: Issuer) -> None:
    async with here.browser() as browser:
        refused = await browser.get(await leave(browser, issuer, token="nobody"))
        assert (refused.status_code, "You are not signed in" in refused.text) == (403, True)


@pytest.mark.parametrize("place", ["https://evil.example", "//evil.example", "/console//evil"])
async def test_nobody_is_led_elsewhere(here: Site, issuer: Issuer, place: str) -> None:
    async with here.browser() as browser:
        back = await browser.get(await leave(browser, issuer, place=place))
        assert back.headers["location"] == "/approvals"


@pytest.mark.parametrize("number", ["1", "x", "-1", "99999999999999999999"])
async def test_there_is_no_other_one(here: Site, number: str) -> None:
    async with here.browser() as browser:
        assert (await browser.get(f"/login/with/{number}")).status_code == 404
