"""Tools, policies, approvals and executions of the console in a real browser: by keyboard, without scripts, on a small
screen, and with texts that try to be more than texts (T10)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.approval_server import Window, window
from tests.browser.axe import findings
from tests.browser.records_server import RecordsServer, records_server
from tests.e2e.upstream import upstream

pytestmark = pytest.mark.timeout(240)
SMALL = {"viewport": {"width": 360, "height": 740}}
TOOL = "/console/tools/shop.org.main.things.create"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordsServer]:
    with upstream() as api, records_server(api, tmp_path_factory.mktemp("console")) as running:
        yield running


def pages(server: RecordsServer) -> list[str]:
    ids = (server.failed, server.resumed, server.waiting)
    shown = [f"/console/executions/{one}" for one in ids]
    more = ["/approvals", "/console/executions", f"/console/run?execution={server.failed}"]
    return ["/console/tools?q=create", TOOL, "/console/policies", *more, *shown]


def go(person: Window, server: RecordsServer, path: str) -> Page:
    answer = person.page.goto(server.proxy.url + path)
    assert answer is not None
    assert answer.status == 200, path
    return person.page


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, SMALL], ids=["light", "dark", "small"])
def test_every_page_is_fit_for_everybody(
    browser: Browser, server: RecordsServer, options: dict[str, object]
) -> None:
    with window(browser, **options) as person:
        person.open(f"{server.proxy.url}/console", "boss")
        for path in pages(server):
            page = go(person, server, path)
            page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
            assert findings(page) == [], path
            assert person.overflow == 0, path
            assert page.locator("main script, main img, main iframe, main [style]").count() == 0
            assert not re.search("[\u202e\x1b]", page.content()), path
        assert person.places == {server.proxy.url}


def test_a_tool_is_found_and_run_with_the_keyboard_alone(browser: Browser, server: RecordsServer) -> None:
    with window(browser) as person:
        person.open(f"{server.proxy.url}/console", "boss")
        page = go(person, server, "/console/tools")
        page.get_by_label("Search as agents do").focus()
        page.keyboard.type("get thing")
        page.keyboard.press("Enter")
        link = page.get_by_role("link", name="shop.org.main.things.get")
        press_tab_until(page, link)
        page.keyboard.press("Enter")
        press_tab_until(page, page.get_by_label("id", exact=True))
        page.keyboard.type("7")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
        expect(page.get_by_role("group", name="Result")).to_contain_text("/things/7")
        expect(page.get_by_text("key:boss").first).to_be_visible()


def press_tab_until(page: Page, wanted: object) -> None:
    for _ in range(40):
        if wanted.evaluate("one => one === document.activeElement"):  # type: ignore[attr-defined]
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} is not reached with the keyboard")


def test_what_needs_approval_is_tried_and_approved_without_scripts(
    browser: Browser, server: RecordsServer
) -> None:
    with window(browser, java_script_enabled=False, **SMALL) as person:
        person.open(f"{server.proxy.url}/console", "agent")
        page = go(person, server, TOOL)
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_text("Please answer this.")).to_be_visible()
        page.get_by_label("body.name").fill("tried")
        page.get_by_role("button", name="Show the code").click()
        expect(page.get_by_text("return await tools.shop.org.main.things.create({")).to_be_visible()
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_text("paused", exact=True)).to_be_visible()
        page.get_by_role("link", name="Decide").click()
        ours = page.url.rpartition("/")[2]
        page.get_by_role("button", name="Approve").click()
        # Nobody asks for its result: it goes on by itself, and the page without scripts says so when it is opened.
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Decided|at work|Completed"))
        server.ended(ours)
        go(person, server, f"/console/executions/{ours}")
        expect(page.get_by_role("group", name="Result")).to_contain_text("tried")
        person.complaints.clear()  # Chromium writes the 422 into its console


def test_each_rule_answers_and_hidden_ones_are_named(browser: Browser, server: RecordsServer) -> None:
    with window(browser) as person:
        person.open(f"{server.proxy.url}/console", "boss")
        page = go(person, server, "/console/policies")
        expect(page.get_by_text("never applies")).to_be_visible()
        expect(page.get_by_text("matches no tool")).to_be_visible()
        page.get_by_label("Tool", exact=True).fill("shop.org.main.things.create")
        page.get_by_label("Caller").fill("key=agent")
        page.get_by_label("Arguments").fill('{"body": {"name": "x"}}')
        page.get_by_role("button", name="Explain").click()
        answers = page.get_by_role("group", name="The answer of every rule")
        expect(answers.get_by_text("decides")).to_be_visible()
        expect(answers.get_by_text("not reached")).to_be_visible()
        expect(answers.get_by_role("link").first).to_have_attribute(
            "href", re.compile("^https://git.example/")
        )


def test_one_is_denied_in_the_list_and_others_learn_that_it_changed(
    browser: Browser, server: RecordsServer
) -> None:
    waits = "return await tools.shop.org.main.things.create({body: {name: 'listed'}})"
    server.run(waits, "/mcp?elicitation_mode=browser")
    with window(browser) as one, window(browser) as other:
        one.open(f"{server.proxy.url}/approvals", "boss")
        page = other.open(f"{server.proxy.url}/approvals?tool=things.create", "agent")
        card = page.locator("section.card").filter(has_text='"listed"')
        expect(card.locator("li.asks")).to_contain_text("tools.shop.org.main.things.create")
        card.get_by_role("button", name="Deny").click()
        expect(card).to_have_count(0)
        expect(one.page.get_by_text("The list has changed")).to_be_visible()


def test_the_page_of_one_that_waits_follows_it_by_itself(browser: Browser, server: RecordsServer) -> None:
    waits = "return await tools.shop.org.main.things.create({body: {name: 'followed'}})"
    execution = server.run(waits, "/mcp?elicitation_mode=browser").structured["executionId"]
    with window(browser) as person:
        person.open(f"{server.proxy.url}/console", "boss")
        page = go(person, server, f"/console/executions/{execution}")
        head = page.locator("#execution-head")
        expect(head.get_by_text("paused", exact=True)).to_be_visible()
        expect(page.get_by_text("so far")).to_be_visible()
        server.approve(execution)
        expect(head.get_by_text("completed", exact=True)).to_be_visible()
        expect(page.get_by_role("group", name="Result")).to_contain_text("followed")
        expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


def test_strangers_see_nothing(browser: Browser, server: RecordsServer) -> None:
    with window(browser) as stranger:
        stranger.open(f"{server.proxy.url}/console", "bob")
        page = go(stranger, server, "/console/executions")
        expect(page.get_by_text("Nothing has run here yet.")).to_be_visible()
        for path, status in ((f"/console/executions/{server.failed}", 404), ("/console/policies", 403)):
            answer = page.goto(server.proxy.url + path)
            assert answer is not None
            assert answer.status == status
        expect(page.get_by_role("link", name="Policies")).to_have_count(0)
        stranger.complaints.clear()  # Chromium writes both into its console
