"""Signing in and out, and the two locks of every POST."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.auth import AuthRequest
from proxy.principal import Principal
from proxy.serving.mcp.elicitation import Seals
from proxy.serving.pages import LocalFiles
from tests.proxy.serving.board import TOKENS, Board
from tests.proxy.serving.pages.support import Clock, asked, field_of, site


async def test_signing_in_leads_back_to_the_page_that_was_asked_for() -> None:
    async with site().browser() as browser:
        form = (await browser.get("/resume/exec_1?mcp_session_id=s-1")).text
        assert field_of(form, "next") == "/resume/exec_1?mcp_session_id=s-1"
        done = await browser.sign_in(place=field_of(form, "next"))
        assert (done.status_code, done.headers["location"]) == (303, "/resume/exec_1?mcp_session_id=s-1")


@pytest.mark.parametrize(
    "place",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/resume/../login",
        "javascript:1",
        "",
        "/approvals\r\nx: y",
    ],
)
async def test_signing_in_leads_nowhere_else(place: str) -> None:
    async with site().browser() as browser:
        assert (await browser.sign_in(place=place)).headers["location"] == "/approvals"


async def test_the_cookie_has_its_attributes_and_hides_the_credential() -> None:
    async with site().browser() as browser:
        cookie = (await browser.sign_in()).headers["set-cookie"]
    assert cookie.startswith("executor-8080=")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert "bob" not in cookie


async def test_behind_https_the_cookie_is_tied_to_the_host() -> None:
    here = site(public_url=lambda: "https://executor.example")
    async with here.browser("https://executor.example") as browser:
        cookie = (await browser.sign_in()).headers["set-cookie"]
        assert cookie.startswith("__Host-executor=")
        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")
        assert (await browser.answer("accept")).status_code == 303


async def test_a_wrong_key_is_told_and_stays_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with site().browser() as browser:
        answer = await browser.sign_in("wrong-key-9f3b")
        assert answer.status_code == 403
        assert "A valid bearer token is needed." in answer.text
        assert "set-cookie" not in answer.headers
        assert "Sign in" in (await browser.get("/resume/exec_1")).text
    assert "wrong-key-9f3b" not in caplog.text + answer.text


@pytest.mark.parametrize("credential", ["", "  ", "x" * 3000])
async def test_what_cannot_be_a_credential_is_told(credential: str) -> None:
    async with site().browser() as browser:
        assert (await browser.sign_in(credential)).status_code == 403


async def test_a_pasted_header_is_understood() -> None:
    async with site().browser() as browser:
        assert (await browser.sign_in(" Bearer bob\n")).status_code == 303


async def test_a_key_that_is_gone_is_out_with_the_next_request() -> None:
    class Revoking(Board):
        gone = False

        async def authenticate(self, request: AuthRequest, peer_ip: str) -> Principal:
            asked = replace(request, headers=()) if self.gone else request
            return await super().authenticate(asked, peer_ip)

    board = Revoking()
    here = site(board=board)
    async with here.signed_in() as bob:
        token = await bob.csrf()
        board.gone = True
        form = {"csrf": token, "question": "int_1", "action": "accept"}
        answer = await bob.post("/resume/exec_1", form)
        assert "Sign in" in answer.text
        assert "Max-Age=0" in answer.headers["set-cookie"]
    assert here.decided() == {}


async def test_a_sign_in_ends_after_eight_hours() -> None:
    clock = Clock()
    async with site(*asked("x"), clock=clock).signed_in() as bob:
        clock.now += 8 * 3600 - 1
        assert "key:bob" in (await bob.get("/resume/exec_1")).text
        clock.now += 2
        page = await bob.get("/resume/exec_1")
        assert "Your sign-in has ended." in page.text
        assert "Max-Age=0" in page.headers["set-cookie"]


async def test_every_replica_with_the_keys_reads_the_cookie_and_no_other_does() -> None:
    seals = Seals()
    one, other, stranger = site(seals=seals), site(seals=seals), site()
    async with one.signed_in() as bob, other.browser() as there, stranger.browser() as elsewhere:
        cookie = "; ".join(f"{name}={value}" for name, value in bob.http.cookies.items())
        assert "key:bob" in (await there.get("/approvals", cookie=cookie)).text
        assert "key:bob" not in (await elsewhere.get("/approvals", cookie=cookie)).text


async def test_signing_out_needs_the_token_and_ends_the_cookie() -> None:
    async with site().signed_in() as bob:
        assert (await bob.post("/logout", {"csrf": "guess"})).status_code == 403
        done = await bob.post("/logout", {"csrf": await bob.csrf()})
        assert (done.status_code, done.headers["location"]) == (303, "/login")
        assert "Sign in" in (await bob.get("/approvals")).text


async def test_who_is_signed_in_is_not_asked_again() -> None:
    async with site().signed_in() as bob:
        assert (await bob.get("/login")).headers["location"] == "/approvals"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://localhost:8080"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
    ],
)
async def test_a_post_of_another_page_does_nothing(headers: dict[str, str]) -> None:
    here = site()
    async with here.signed_in() as bob:
        form = {"csrf": await bob.csrf(), "question": "int_1", "action": "accept"}
        assert (await bob.post("/resume/exec_1", form, **headers)).status_code == 403
        assert (await bob.post("/logout", form, **headers)).status_code == 403
        assert (await bob.post("/login", {"credential": "bob"}, **headers)).status_code == 403
    assert here.decided() == {}


async def test_a_post_that_says_nothing_of_its_page_does_nothing() -> None:
    here = site()
    async with here.signed_in() as bob:
        form = {"csrf": await bob.csrf(), "question": "int_1", "action": "accept"}
        assert (await bob.http.post("/resume/exec_1", data=form)).status_code == 403
        assert (
            await bob.http.post("/resume/exec_1", data=form, headers={"sec-fetch-site": "same-origin"})
        ).status_code == 303


@pytest.mark.parametrize("token", ["", "guess", "\u00e9"])
async def test_a_form_without_the_sign_ins_token_does_nothing(token: str) -> None:
    here = site()
    async with here.signed_in() as bob:
        form = {"csrf": token, "question": "int_1", "action": "accept"}
        assert (await bob.post("/resume/exec_1", form)).status_code == 403
    assert here.decided() == {}


async def test_the_token_of_one_sign_in_is_no_good_for_another() -> None:
    here = site()
    async with here.signed_in() as bob, here.signed_in() as same:
        form = {"csrf": await bob.csrf(), "question": "int_1", "action": "accept"}
        assert (await same.post("/resume/exec_1", form)).status_code == 403
    assert here.decided() == {}


async def test_sign_ins_are_limited_by_address_and_good_ones_count() -> None:
    async with site().browser() as browser:
        answers = await asyncio.gather(*(browser.sign_in("wrong") for _ in range(30)))
        assert {one.status_code for one in answers} == {403}
        late = await browser.sign_in("bob")
    assert late.status_code == 429
    assert int(late.headers["retry-after"]) > 0


async def test_a_link_from_another_site_asks_again_from_ours() -> None:
    here = site()
    async with here.browser() as browser:
        page = await browser.get("/resume/exec_1?mcp_session_id=s-1", sec_fetch_site="cross-site")
        assert (
            '<meta http-equiv="refresh" content="0; url=/resume/exec_1?mcp_session_id=s-1&amp;again=1">'
            in page.text
        )
        second = await browser.get("/resume/exec_1?mcp_session_id=s-1&again=1", sec_fetch_site="cross-site")
        assert "Sign in" in second.text
        assert field_of(second.text, "next") == "/resume/exec_1?mcp_session_id=s-1"
        listed = await browser.get("/approvals", sec_fetch_site="cross-site")
        assert "url=/approvals?again=1" in listed.text


async def test_an_auth_provider_that_is_down_does_not_end_the_sign_in() -> None:
    board = Board()
    async with site(board=board).signed_in() as bob:
        board.auth_down = True
        page = await bob.get("/resume/exec_1")
        assert (page.status_code, "set-cookie" in page.headers) == (503, False)
        board.auth_down = False
        assert "key:bob" in (await bob.get("/resume/exec_1")).text


async def test_a_server_without_auth_says_where_the_tokens_are() -> None:
    files = LocalFiles(Path("/state/local-token"), Path("/state/approver.token"))
    async with site(local_files=lambda: files).browser() as browser:
        page = (await browser.get("/login")).text
    assert "/state/approver.token" in page


async def test_the_workspace_is_kept_with_the_sign_in() -> None:
    asked_for: list[str | None] = []

    class Spaces(Board):
        async def authenticate(self, request: AuthRequest, peer_ip: str) -> Principal:
            asked_for.append(dict(request.query).get("workspaceId", [None])[0])
            return TOKENS["bob"]

    async with site(board=Spaces()).browser() as browser:
        await browser.sign_in("bob", workspace="ws_one")
        await browser.get("/approvals")
        assert (await browser.sign_in("bob", workspace="x" * 300)).status_code == 403
    assert asked_for == ["ws_one", "ws_one"]
