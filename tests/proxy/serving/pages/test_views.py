"""The pages as a person gets them, what they refuse, and forms that no page of ours renders."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from proxy.executions import DecideOutcome, ExecutionView, InteractionDecision, Via
from proxy.principal import Principal
from proxy.serving.pages.guard import Form, PageProblem
from proxy.serving.pages.views import answers_of
from proxy.state import StateUnavailable
from tests.proxy.serving.board import Board
from tests.proxy.serving.pages.support import Clock, asked, field_of, site
from tests.proxy.serving.pages.test_presenting import view
from tests.proxy.support import logged

FORM = {
    "type": "object",
    "properties": {"count": {"type": "integer", "title": "How many", "maximum": 5}},
    "required": ["count"],
}


async def test_who_is_not_signed_in_gets_the_login_form_for_every_id() -> None:
    async with site().browser() as browser:
        known, unknown = await browser.get("/resume/exec_1"), await browser.get("/resume/exec_9")
    assert (known.status_code, unknown.status_code) == (200, 200)
    assert known.text.replace("exec_1", "exec_9") == unknown.text
    assert "demo.org" not in known.text


async def test_the_page_shows_what_waits_and_decides_it() -> None:
    here = site()
    async with here.signed_in() as bob:
        page = (await bob.get("/resume/exec_1")).text
        for text in ("key:bob", "demo.<wbr>org.<wbr>main.<wbr>write", "executor.yaml:7", "careful", "hello"):
            assert text in page
        done = await bob.answer("accept")
        assert (done.status_code, done.headers["location"]) == (303, "/resume/exec_1")
        page = (await bob.get("/resume/exec_1")).text
    assert here.decided() == {"int_1": "accept"}
    assert "1 approved" in page
    assert '<button class="main"' not in page


async def test_the_same_answer_twice_is_fine_and_another_one_is_refused() -> None:
    here = site(*asked("one", "two"))
    async with here.signed_in() as bob:
        form = {"csrf": await bob.csrf(), "question": "int_1", "action": "accept"}
        assert [(await bob.post("/resume/exec_1", form)).status_code for _ in range(1)] == [303]
        late = await bob.post("/resume/exec_1", {**form, "action": "decline"})
        assert late.status_code == 409
    assert here.decided() == {"int_1": "accept"}


async def test_all_stands_for_those_that_were_on_the_page() -> None:
    here = site(*asked("one", "two", "came later"))
    async with here.signed_in() as bob:
        assert (await bob.answer("accept", "int_1", "int_2")).status_code == 303
    assert here.decided() == {"int_1": "accept", "int_2": "accept"}


async def test_unknown_foreign_and_misspelled_executions_look_the_same() -> None:
    here = site()
    here.pause(*asked("of alice"), account="alice")
    here.pause(*asked("of another workspace"), account="eve")
    async with here.signed_in() as bob:
        token = await bob.csrf()
        pages = [
            await bob.get(f"/resume/{name}") for name in ("exec_2", "exec_3", "exec_9", "a%20b", "x" * 200)
        ]
        form = {"csrf": token, "question": "int_1", "action": "accept"}
        posts = [await bob.post(f"/resume/{name}", form) for name in ("exec_2", "exec_3", "exec_9")]
        states = [await bob.get(f"/resume/{name}/state") for name in ("exec_2", "exec_9")]
    assert {one.status_code for one in (*pages, *posts, *states)} == {404}
    assert len({one.text for one in (*pages, *posts, *states)}) == 1
    assert here.decided("exec_2") == {}


async def test_the_session_in_the_link_has_to_be_the_right_one() -> None:
    here = site()
    name = here.pause(*asked("x"), session="s-1")
    async with here.signed_in() as bob:
        assert (await bob.get(f"/resume/{name}?mcp_session_id=s-1")).status_code == 200
        assert (await bob.get(f"/resume/{name}")).status_code == 200
        assert (await bob.get(f"/resume/{name}?mcp_session_id=s-2")).status_code == 404
        done = await bob.answer("accept", path=f"/resume/{name}?mcp_session_id=s-1")
        assert done.headers["location"] == f"/resume/{name}?mcp_session_id=s-1"


async def test_a_call_reserved_for_another_person_has_no_button_for_its_own_account() -> None:
    here = site(*asked("hello", approver="human"))
    async with here.signed_in() as bob:
        page = (await bob.get("/resume/exec_1")).text
        assert "another person approves it" in page
        assert 'value="accept"' not in page
        forced = await bob.answer("accept")
        assert forced.status_code == 409
        assert "another person" in forced.text
    assert here.decided() == {}
    async with here.signed_in("boss") as boss:
        assert 'value="accept"' in (await boss.get("/resume/exec_1")).text
        assert (await boss.answer("accept")).status_code == 303
    assert here.decided() == {"int_1": "accept"}


async def test_who_asked_may_always_deny() -> None:
    here = site(*asked("hello", approver="human"))
    async with here.signed_in() as bob:
        assert (await bob.answer("decline")).status_code == 303
    assert here.decided() == {"int_1": "decline"}


async def test_what_expired_has_no_buttons() -> None:
    clock = Clock()
    here = site(*asked("hello", clock=clock), clock=clock)
    clock.now += 601
    async with here.signed_in() as bob:
        page = (await bob.get("/resume/exec_1")).text
    assert "Too late" in page
    assert 'name="action"' not in page


@pytest.mark.parametrize("choice", ["retry", "done", "fail"])
async def test_an_unknown_outcome_is_settled_by_a_person(choice: str) -> None:
    here = site(*asked("sent?", kind="outcome_unknown"))
    async with here.signed_in() as bob:
        page = (await bob.get("/resume/exec_1")).text
        assert f'value="{choice}"' in page
        assert 'value="accept"' not in page
        assert (await bob.answer(choice)).status_code == 303
    assert here.board.paused["exec_1"].decided["int_1"] == InteractionDecision("accept", {"outcome": choice})


async def test_a_form_is_filled_in_checked_and_sent() -> None:
    here = site(*asked("", kind="form", requested_schema=FORM))
    async with here.signed_in() as bob:
        wrong = await bob.answer("accept", **{"field.count": "9"})
        assert wrong.status_code == 422
        assert "At most 5." in wrong.text
        assert 'value="9"' in wrong.text
        assert (await bob.answer("accept", **{"field.count": "3"})).status_code == 303
    assert here.board.paused["exec_1"].decided["int_1"] == InteractionDecision("accept", {"count": 3})


async def test_a_form_that_cannot_be_shown_can_be_declined() -> None:
    schema = {"properties": {"x": {"type": "object"}}, "required": ["x"]}
    here = site(*asked("", kind="form", requested_schema=schema))
    async with here.signed_in() as bob:
        assert 'value="accept"' not in (await bob.get("/resume/exec_1")).text
        assert (await bob.answer("accept")).status_code == 400
        assert (await bob.answer("decline")).status_code == 303


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://example.com/a?b=1", True),
        ("http://example.com/", False),
        ("javascript:alert(1)", False),
        ("https://good.example@evil.example/", False),
        ("https://exa\u0430mple.com/", False),
    ],
)
async def test_only_plain_https_is_a_link(url: str, linked: bool) -> None:
    here = site(*asked("", kind="url", url=url))
    async with here.signed_in() as bob:
        page = (await bob.get("/resume/exec_1")).text
    assert ('target="_blank"' in page) is linked
    assert page.count('href="http') == int(linked)


async def test_hostile_texts_are_text() -> None:
    nasty = (
        '</pre><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m\u202e\u200b"\'><a href="//evil">'
    )
    (one,) = asked("x")
    one = replace(
        one,
        args=nasty,
        address=nasty,
        summary=nasty,
        rule=replace(one.rule, id=nasty, source=nasty, reason=nasty, pattern=nasty),
    )
    async with site(one).signed_in() as bob:
        page = (await bob.get("/resume/exec_1")).text
    body = page.partition("<main")[2]
    assert "<script" not in body
    assert "<img" not in body
    assert '//evil">' not in body
    assert not re.search("[\x00-\x09\x0b-\x1f\u200b\u202e]", page)
    assert r"\u{202E}" in page


async def test_the_list_shows_what_this_person_may_decide() -> None:
    here = site()
    here.pause(*asked("x"), account="alice")
    here.pause(*asked("x"), account="eve")
    async with here.signed_in() as bob, here.signed_in("boss") as boss:
        assert re.findall("/resume/(exec_.)", (await bob.get("/approvals")).text) == ["exec_1"]
        assert re.findall("/resume/(exec_.)", (await boss.get("/approvals")).text) == ["exec_1", "exec_2"]
        before = (await boss.get("/approvals/state")).text
        await bob.answer("accept")
        assert (await boss.get("/approvals/state")).text != before
        assert "Nothing waits" in (await bob.get("/approvals")).text


async def test_the_state_changes_when_the_page_would() -> None:
    here = site(*asked("one", "two"))
    async with here.signed_in() as bob, here.browser() as stranger:
        page = (await bob.get("/resume/exec_1")).text
        before = (await bob.get("/resume/exec_1/state")).text
        assert f'data-state="{before}"' in page
        await bob.answer("accept", "int_1")
        assert (await bob.get("/resume/exec_1/state")).text != before
        assert (await stranger.get("/resume/exec_1/state")).status_code == 401
        assert (await stranger.get("/approvals/state")).status_code == 401


async def test_every_page_carries_the_headers() -> None:
    here = site()
    async with here.signed_in() as bob, here.browser() as stranger:
        answers = [
            await bob.get("/resume/exec_1"),
            await bob.get("/resume/exec_9"),
            await bob.get("/resume/exec_1/state"),
            await bob.get("/approvals"),
            await bob.answer("nonsense"),
            await bob.answer("accept"),
            await stranger.get("/login"),
            await stranger.post("/login", origin="https://evil.example"),
        ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self'" in policy
        assert "base-uri 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["x-frame-options"] == "DENY"
        assert not re.search(r"<script>|<style|\son\w+=|style=", answer.text)


async def test_the_request_limit_holds_for_pages() -> None:
    async with site(board=Board(limit=1)).signed_in() as bob:
        assert (await bob.get("/resume/exec_1")).status_code == 200
        again = await bob.get("/resume/exec_1")
    assert (again.status_code, again.headers["retry-after"]) == (429, "12")


async def test_a_store_that_is_away_decides_nothing() -> None:
    class Away(Board):
        async def decide(
            self, execution_id: str, decisions: object, decider: Principal, via: Via
        ) -> DecideOutcome:
            raise StateUnavailable("the store at /secret/place is locked")

    async with site(board=Away()).signed_in() as bob:
        answer = await bob.answer("accept")
    assert answer.status_code == 503
    assert "secret" not in answer.text


async def test_a_defect_is_a_page_with_digits_only(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Board):
        async def decide(
            self, execution_id: str, decisions: object, decider: Principal, via: Via
        ) -> DecideOutcome:
            raise RuntimeError("the secret cause")

    async with site(board=Broken()).signed_in() as bob:
        answer = await bob.answer("accept")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "the secret cause" in logged(caplog)


async def test_decisions_say_that_they_came_from_the_page() -> None:
    heard: list[tuple[str, str]] = []

    class Listening(Board):
        async def decide(
            self, execution_id: str, decisions: object, decider: Principal, via: Via
        ) -> DecideOutcome:
            heard.append((decider.account_id, via))
            return DecideOutcome({"int_1": "accept"})

    async with site(board=Listening()).signed_in("boss") as boss:
        await boss.answer("accept")
    assert heard == [("key:boss", "browser")]


async def test_the_links_of_a_page_lead_back_to_it() -> None:
    here = site()
    name = here.pause(*asked("x"), session="a/b c")
    async with here.signed_in() as bob:
        page = (await bob.get(f"/resume/{name}")).text
        assert field_of(page, "question") == "int_1"
        assert f'action="/resume/{name}?mcp_session_id=a%2Fb%20c"' in page


def forms() -> ExecutionView:
    return view(*asked("a", "b", kind="form", requested_schema={"properties": {}}))


@pytest.mark.parametrize(
    "form",
    [
        {"action": ("accept",)},
        {"question": ("int_1",)},
        {"question": ("int_1",), "action": ("approve",)},
        {"question": ("int_1", "int_2"), "action": ("accept",)},
    ],
)
def test_they_are_refused(form: Form) -> None:
    with pytest.raises(PageProblem):
        answers_of(form, forms())


def test_fields_of_a_form_cannot_pass_for_ours() -> None:
    schema = {"properties": {"action": {"type": "string"}}}
    shown = view(*asked("a", kind="form", requested_schema=schema))
    said = answers_of({"question": ("int_1",), "action": ("accept",), "field.action": ("decline",)}, shown)
    assert said.decisions["int_1"].action == "accept"
    assert dict(said.decisions["int_1"].content) == {"action": "decline"}
