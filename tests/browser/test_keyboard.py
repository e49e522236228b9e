"""Every page with the keyboard alone: what can be used is reached in the order in which it is read, is seen when it has
the focus, and the links at the top can be skipped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.approval_server import Window, window
from tests.browser.records_server import RecordsServer, records_server
from tests.e2e.upstream import upstream

pytestmark = pytest.mark.timeout(240)
MOST = 150
# Where the focus is: its place among all that can have it, and whether somebody sees that it is there.
FOCUS = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const usable = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
  const all = [...document.querySelectorAll(usable)].filter((each) => each.checkVisibility());
  const style = getComputedStyle(one), box = one.getBoundingClientRect();
  return {
    place: all.indexOf(one), of: all.length, text: one.innerText || one.name || one.id,
    seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
      && box.width > 0 && box.right > 0 && box.bottom > 0 && box.top < innerHeight,
  };
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordsServer]:
    with upstream() as api, records_server(api, tmp_path_factory.mktemp("keyboard")) as running:
        yield running


def paths(server: RecordsServer) -> list[str]:
    executions = [f"/console/executions/{one}" for one in (server.failed, server.resumed, server.waiting)]
    return [
        *("/console", "/console/connections", "/console/tools?q=create", "/console/policies", "/approvals"),
        *("/console/tools/shop.org.main.things.create", "/console/executions", *executions),
        *(f"/console/run?execution={server.failed}", "/console/connect"),
    ]


def stops(page: Page) -> list[dict[str, Any]]:
    """What has the focus, one Tab after the other, until it leaves the page or comes back to the beginning."""
    found: list[dict[str, Any]] = []
    for _ in range(MOST):
        page.keyboard.press("Tab")
        now = page.evaluate(FOCUS)
        if now is None or (found and now["place"] == found[0]["place"]):
            return found
        found.append(now)
    raise AssertionError("the focus never leaves the page")


def test_the_focus_goes_through_every_page_in_order_and_is_seen(
    browser: Browser, server: RecordsServer
) -> None:
    with window(browser) as person:
        person.open(f"{server.proxy.url}/console", "boss")
        for path in paths(server):
            page = went(person, server, path)
            found = stops(page)
            assert [one["place"] for one in found] == list(range(found[0]["of"])), path
            assert [one for one in found if not one["seen"]] == [], path
            assert found[0]["text"] == "Skip to content"


def test_the_links_at_the_top_can_be_skipped(browser: Browser, server: RecordsServer) -> None:
    with window(browser) as person:
        person.open(f"{server.proxy.url}/console", "boss")
        for path in ("/console/policies", "/console/executions"):
            page = went(person, server, path)
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            expect(page.locator("main")).to_be_focused()
            page.keyboard.press("Tab")
            assert page.evaluate("document.querySelector('main').contains(document.activeElement)"), path


def test_approving_takes_no_pointer(browser: Browser, server: RecordsServer) -> None:
    """From the inbox to the decision."""
    with window(browser) as person:
        person.open(f"{server.proxy.url}/console", "boss")
        page = went(person, server, "/approvals")
        reach(page, page.locator("main a[href*='/resume/'], main .cover").first)
        page.keyboard.press("Enter")
        reach(page, page.get_by_role("button", name="Approve").first)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Decided")


def reach(page: Page, wanted: Any) -> None:
    for _ in range(MOST):
        page.keyboard.press("Tab")
        if wanted.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError(f"{wanted} is not reached with the keyboard")


def went(person: Window, server: RecordsServer, path: str) -> Page:
    answer = person.page.goto(server.proxy.url + path)
    assert answer is not None
    assert answer.status == 200, path
    return person.page
