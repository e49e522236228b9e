"""Every page of the console in Chromium: light, dark, small, without JavaScript, by keyboard, as axe-core sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from proxy.serving.pages.navigation import NAVIGATION
from tests.browser.approval_server import ApprovalServer, window
from tests.browser.axe import findings
from tests.browser.console_server import SOURCE, console_server
from tests.e2e import configs
from tests.e2e.upstream import upstream

pytestmark = pytest.mark.timeout(240)
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 900}},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "small": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"},
}


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApprovalServer]:
    with upstream() as api, console_server(api, tmp_path_factory.mktemp("console")) as running:
        yield running


def opened(page: Page, console: ApprovalServer, path: str) -> Page:
    """Every look at a page is its own request: what is on it is what a reload shows."""
    answer = page.goto(f"{console.proxy.url}{path}")
    assert answer is not None
    assert answer.status == 200, path
    return page


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_readable_and_axe_finds_nothing(
    browser: Browser, console: ApprovalServer, look: str
) -> None:
    with window(browser, **LOOKS[look]) as person:
        person.open(f"{console.proxy.url}/console", "boss")
        for entry in NAVIGATION:
            page = opened(person.page, console, entry.path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            expect(page.locator("nav.pages [aria-current=page]")).to_have_text(entry.title)
            assert (entry.path, person.overflow) == (entry.path, 0)
            assert (entry.path, findings(page)) == (entry.path, [])
        assert person.places == {console.proxy.url}


def test_on_a_small_screen_carets_stand_below_their_word_and_text_in_its_box(
    browser: Browser, console: ApprovalServer
) -> None:
    with window(browser, **LOOKS["small"]) as person:
        person.open(f"{console.proxy.url}/console", "boss")
        excerpt = person.page.locator("#overview-diagnostics pre").first
        lines = excerpt.inner_text().rstrip("\n").count("\n") + 1
        height = excerpt.evaluate("e => parseFloat(getComputedStyle(e).lineHeight)")
        padding = excerpt.evaluate("e => 2 * parseFloat(getComputedStyle(e).paddingTop)")
        assert (
            excerpt.evaluate("e => e.clientHeight") <= lines * height + padding + 20
        )  # a bar to scroll with
        page = opened(person.page, console, "/connections")
        card, text = (page.locator(one).first.bounding_box() for one in ("li.card", "li.card .address"))
        assert card is not None
        assert text is not None
        assert text["x"] - card["x"] >= 12
        assert text["y"] - card["y"] >= 8


def test_every_page_works_without_javascript(browser: Browser, console: ApprovalServer) -> None:
    with window(browser, java_script_enabled=False) as person:
        person.open(f"{console.proxy.url}/console", "boss")
        for entry in NAVIGATION:
            page = opened(person.page, console, entry.path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
        page = opened(person.page, console, "/console")
        expect(page.get_by_role("img", name="3 executions in the last 60 minutes, 1 failed")).to_be_visible()
        page.get_by_role("link", name="1 needs auth").click()
        expect(page.locator("section.connection")).to_have_count(1)
        opened(page, console, "/console/connections?status=failed")
        page.get_by_role("button", name="Connect again").click()
        expect(page.get_by_role("status")).to_contain_text(
            "broken.org.main was connected again, and is failed."
        )


def test_the_keyboard_alone_is_enough(browser: Browser, console: ApprovalServer) -> None:
    with window(browser) as person:
        page = person.open(f"{console.proxy.url}/console", "boss")
        tab_to(page, page.locator("nav.pages").get_by_role("link", name="Connections"))
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Connections")
        tab_to(page, page.get_by_role("button", name="Connect again to broken.org.main"))
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("connected again")


def tab_to(page: Page, wanted: Any) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if wanted.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError("the keyboard does not get there")


def test_the_overview_says_what_serves_and_who_was_refused(browser: Browser, console: ApprovalServer) -> None:
    with window(browser) as person:
        page = person.open(f"{console.proxy.url}/console", "boss")
        expect(page.locator("#overview-config")).to_contain_text("generation")
        # Questions are counted, as on the page that the figure leads to, not the executions that ask them.
        code = (
            "return await Promise.all([1, 2].map((n) => tools.shop.org.main.things.delete({id: String(n)})))"
        )
        console.pause(code)
        expect(page.locator("#overview-waiting")).to_contain_text("3 waiting")
        limits = page.locator("#overview-limits")
        expect(limits).to_contain_text("two-an-hour")
        expect(limits.get_by_role("link")).to_have_attribute("href", link_to(console, "two-an-hour"))
        expect(page.locator("#overview-replicas tbody tr")).to_have_count(1)


def link_to(console: ApprovalServer, key: str) -> str:
    """Where `console.source_url` leads for the line that has this key."""
    lines = console.config_file.read_text().split("\n")
    line = next(number for number, text in enumerate(lines, 1) if f'"{key}": {{' in text)
    return SOURCE.replace("{file}", "executor.yaml").replace("{line}", str(line))


def test_t10_what_an_upstream_says_stays_text(browser: Browser, console: ApprovalServer) -> None:
    with window(browser) as person:
        person.open(f"{console.proxy.url}/console", "boss")
        page = opened(person.page, console, "/console/connections?status=failed")
        why = page.get_by_role("group", name="Why")
        expect(why).to_contain_text("<b onmouseover=alert(1)>broken</b>")
        expect(why).to_contain_text("second line")
        assert why.locator("*").count() == 0
        assert not {"\u202e", "\u2066", "\u200b"} & set(page.locator("main").inner_text())


def test_others_see_their_workspace_and_nothing_of_the_server(
    browser: Browser, console: ApprovalServer
) -> None:
    with window(browser) as person:
        page = person.open(f"{console.proxy.url}/console", "bob")
        expect(page.locator("#overview-waiting")).to_contain_text("0 waiting")
        for part in ("#overview-replicas", "#overview-limits", "#overview-activity"):
            expect(page.locator(part)).to_have_count(0)
        opened(page, console, "/console/connections")
        expect(page.get_by_role("button", name="Connect again")).to_have_count(0)
        expect(page.get_by_text("executor.yaml")).to_have_count(0)


def test_a_page_follows_what_happens_and_a_rejected_config_shows_its_line(
    browser: Browser, console: ApprovalServer
) -> None:
    text = console.config_file.read_text()
    with window(browser) as person:
        page = person.open(f"{console.proxy.url}/console", "boss")
        waiting = page.locator("#overview-waiting")
        before = waiting.inner_text()
        execution_id, _ = console.pause(
            "return (await tools.shop.org.main.things.create({body: {name: 'x'}})).ok"
        )
        expect(waiting).not_to_have_text(before)
        console.config_file.write_text(text.replace('"version": 1', '"version": 1, "colour": "blue"'))
        notes = page.locator("#overview-notes")
        expect(notes).to_contain_text("The newest config was rejected")
        expect(notes.locator("pre")).to_contain_text("unknown key `colour`")
        console.config_file.write_text(text)
        expect(notes).not_to_contain_text("rejected")
        assert execution_id


def test_switched_off_only_the_approval_page_is_left(browser: Browser, console: ApprovalServer) -> None:
    text = console.config_file.read_text()
    seen = console.proxy.err.mark()
    try:
        configs.write(
            console.config_file,
            json.loads(text) | {"console": {"enabled": False}},
        )
        console.proxy.logged("config applied", seen)
        with window(browser) as person:
            page = person.open(f"{console.proxy.url}/", "agent")
            expect(page).to_have_url(f"{console.proxy.url}/approvals")
            expect(page.locator("nav.pages")).to_have_count(0)
            answer = page.goto(f"{console.proxy.url}/console")
            assert answer is not None
            assert answer.status == 404
            person.complaints.clear()  # Chromium writes the 404 into its console
    finally:
        seen = console.proxy.err.mark()
        console.config_file.write_text(text)
        console.proxy.logged("config applied", seen)
