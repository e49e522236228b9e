"""People decide in a real browser, agents see the result over MCP. What they are shown is inert (T10)."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.approval_server import CREATE, ApprovalServer, window

pytestmark = pytest.mark.timeout(240)
TWO = (
    "const said = await Promise.allSettled(['first', 'second'].map((name) =>"
    " tools.shop.org.main.things.create({body: {name}})));"
    " return said.map((one) => one.status + ' ' + (one.value?.ok ?? one.reason?.name));"
)
HOSTILE = {
    "html": "<img src=x onerror=alert(1)><script>alert(2)</script></pre></section><h1>Approved</h1>",
    "attribute": "\" onmouseover=alert(3) x='",
    "link": "[click](https://evil.example) <a href=https://evil.example>here</a>",
    "terminal": "\x1b[2J\x1b[31mred\x07",
    "direction": "safe\u202egnihtyna\u2066\u2069",
    "invisible": "pay\u200bpal\u00ad\u3164.example",
    "template": "{{ 7 * 7 }} {% include 'x' %} ${7 * 7}",
    "name": "x" * 100_000,
}


def create(name: str) -> str:
    return "return (await " + CREATE % json.dumps({"name": name}) + ").data.body"


def test_a_person_approves_with_the_keyboard_and_the_agent_goes_on(
    browser: Browser, approvals: ApprovalServer
) -> None:
    execution_id, url = approvals.pause(create("bolt"))
    with window(browser) as person:
        page = person.open(url, "agent")
        expect(page.get_by_role("heading", level=1)).to_have_text("A decision is needed")
        expect(page.get_by_label("Arguments", exact=True)).to_contain_text('"name": "bolt"')
        approve = page.get_by_role("button", name="Approve")
        for _ in range(12):
            if approve.evaluate("one => one === document.activeElement"):
                break
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Decided")
        expect(page.get_by_text("1 approved")).to_be_visible()
        assert json.loads(approvals.result(execution_id).value) == {"name": "bolt"}
        # The page finds out by itself.
        expect(page.get_by_role("heading", level=1)).to_have_text("Completed")
        assert person.places == {approvals.proxy.url}


def test_each_call_is_decided_alone(browser: Browser, approvals: ApprovalServer) -> None:
    execution_id, url = approvals.pause(TWO)
    with window(browser) as person:
        page = person.open(url, "agent")
        cards = page.locator("section.question")
        expect(cards).to_have_count(2)
        cards.filter(has_text='"name": "first"').get_by_role("button", name="Approve").click()
        expect(page.locator("section.question.accept")).to_have_count(1)
        page.get_by_role("button", name="Deny").click()
        expect(page.get_by_text("1 approved, 1 denied")).to_be_visible()
    assert approvals.result(execution_id).value == ["fulfilled true", "rejected ToolApprovalDeclinedError"]


def test_all_are_denied_at_once(browser: Browser, approvals: ApprovalServer) -> None:
    execution_id, url = approvals.pause(TWO)
    with window(browser) as person:
        page = person.open(url, "agent")
        page.get_by_role("button", name="Deny all 2").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Decided")
    assert approvals.result(execution_id).value == ["rejected ToolApprovalDeclinedError"] * 2


def test_a_double_click_is_one_decision(browser: Browser, approvals: ApprovalServer) -> None:
    before = len(approvals.api.seen)
    execution_id, url = approvals.pause(create("once"))
    with window(browser) as person:
        page = person.open(url, "agent")
        page.get_by_role("button", name="Approve").dblclick()
        expect(page.get_by_role("heading", level=1)).to_have_text("Decided")
    assert json.loads(approvals.result(execution_id).value) == {"name": "once"}
    assert len(approvals.api.seen) == before + 1


def test_what_a_rule_reserves_for_another_person(browser: Browser, approvals: ApprovalServer) -> None:
    execution_id, url = approvals.pause("return (await tools.shop.org.main.things.delete({id: 't1'})).ok")
    with window(browser) as asking, window(browser) as boss:
        page = asking.open(url, "agent")
        expect(page.get_by_text("another person approves it")).to_be_visible()
        expect(page.get_by_role("button", name="Approve")).to_have_count(0)
        theirs = boss.open(f"{approvals.proxy.url}/approvals", "boss")
        theirs.locator("section.card").filter(has_text="things.delete").get_by_role("link").click()
        theirs.get_by_role("button", name="Approve").click()
        expect(theirs.get_by_role("heading", level=1)).to_have_text("Decided")
        assert approvals.result(execution_id).value is True


def test_others_see_nothing_of_it(browser: Browser, approvals: ApprovalServer) -> None:
    _, url = approvals.pause(create("secret plan"))
    with window(browser) as stranger:
        page = stranger.open(f"{approvals.proxy.url}/approvals", "bob")
        expect(page.get_by_role("heading", level=1)).to_have_text("Nothing waits for a decision")
        answer = page.goto(url)
        assert answer is not None
        assert answer.status == 404
        foreign = page.content()
        page.goto(re.sub("exec_[0-9a-f]+", "exec_" + "0" * 32, url))
        assert page.content() == foreign
        stranger.complaints.clear()  # Chromium writes both 404s into its console


@pytest.mark.parametrize("colors", ["light", "dark"])
def test_hostile_arguments_are_inert_also_on_a_small_screen(
    browser: Browser, approvals: ApprovalServer, colors: str
) -> None:
    execution_id, url = approvals.pause("return (await " + CREATE % json.dumps(HOSTILE) + ").ok")
    small = {"viewport": {"width": 360, "height": 740}, "color_scheme": colors}
    with window(browser, **small) as person:
        person.open(url)
        assert person.overflow == 0
        page = person.open(url, "agent")
        shown = page.get_by_label("Arguments", exact=True)
        text = shown.inner_text()
        assert shown.locator("*").count() == 0
        assert shown.evaluate("one => one.scrollHeight - one.clientHeight") == 0
        assert len(text) <= 4200
        for name in HOSTILE:
            assert f'"{name}": ' in text
        assert "<img src=x onerror=alert(1)>" in text
        assert r"\u{202E}" in text
        assert r"pay\u{200B}pal\u{AD}\u{3164}" in text
        assert "100,002 bytes" in text
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u200b\u202e\u2066\u3164\u00ad]", text)
        assert page.locator("main img, main script, main pre a").count() == 0
        expect(page.get_by_role("heading", name="Approved")).to_have_count(0)
        assert person.overflow == 0
        page.goto(f"{approvals.proxy.url}/approvals")
        assert person.overflow == 0
        page.goto(url)
        page.get_by_role("button", name="Deny").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Decided")
        assert person.places == {approvals.proxy.url}
    assert approvals.result(execution_id).status == "failed"


def test_everything_works_without_scripts(browser: Browser, approvals: ApprovalServer) -> None:
    execution_id, url = approvals.pause(create("plain"))
    with window(browser, java_script_enabled=False) as person:
        page = person.open(url, "agent")
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Decided")
        assert json.loads(approvals.result(execution_id).value) == {"name": "plain"}
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text("Completed")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_a_page_that_is_out_of_date_says_so_and_moves_nothing(
    browser: Browser, approvals: ApprovalServer
) -> None:
    _, url = approvals.pause(create("twice seen"))
    with window(browser) as one, window(browser) as other:
        first, second = one.open(url, "agent"), other.open(url, "boss")
        second.get_by_role("button", name="Deny").click()
        expect(second.get_by_role("heading", level=1)).to_have_text("Decided")
        expect(first.get_by_text("Something changed meanwhile")).to_be_visible()
        expect(first.get_by_role("button", name="Approve")).to_be_visible()
        first.get_by_role("button", name="Approve").click()
        expect(first.get_by_role("alert")).to_contain_text("decided otherwise")
        one.complaints.clear()  # Chromium writes the 409 into its console


def test_what_nobody_decided_in_time_cannot_be_approved_any_more(
    browser: Browser, approvals: ApprovalServer
) -> None:
    before = len(approvals.api.seen)
    approvals.use(approval_timeout="2s")
    execution_id, url = approvals.pause(
        "return (await " + CREATE % json.dumps({"name": "late"}) + ").error.code"
    )
    approvals.use()
    with window(browser) as person:
        page = person.open(url, "agent")
        over = page.get_by_role("heading", name="Too late")
        expect(page.get_by_text("Something changed meanwhile").or_(over).first).to_be_visible()
        page.goto(url)
        expect(over).to_be_visible()
        expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    assert "expired" in approvals.result(execution_id).text.lower()
    assert len(approvals.api.seen) == before
