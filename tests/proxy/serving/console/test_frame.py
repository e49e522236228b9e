"""Who gets a page of the console, which forms reach its views, and what stands around it."""

from __future__ import annotations

from typing import Any

import pytest
from quart import Response

from proxy.serving.console.frame import ConsolePage, ConsoleRoute, Frame, Visit
from proxy.serving.console.site import PAGES
from proxy.serving.pages.boundary import with_problem_pages
from proxy.serving.pages.navigation import NAVIGATION
from tests.proxy.serving.pages.support import Site, asked, site


async def done(visit: Visit) -> Response:
    return Response(f"{visit.request.method} {visit.principal.account_id} {visit.form.get('what', ())}")


PROBE = ConsolePage(
    "probe", tuple(ConsoleRoute(method, "/console/probe", done) for method in ("GET", "POST")), operators=True
)


def probed(**options: Any) -> Site:
    """The console with a page for operators that says who came."""
    made = site(*asked("one"), **options)
    frame = Frame(made.board, made.options)
    for route in PROBE.routes:
        view = with_problem_pages(frame.auth, frame.around(PROBE, route))
        made.app.add_url_rule(route.path, f"probe {route.method}", view, methods=[route.method])
    return made


async def test_who_is_not_signed_in_is_asked_to_and_comes_back_to_the_page_with_its_query() -> None:
    async with site().browser() as browser:
        page = (await browser.get("/console?q=a%20b&again=1")).text
        assert 'name="next" value="/console?q=a+b"' in page
        signed = await browser.sign_in("bob", "/console?q=a+b")
        assert (signed.status_code, signed.headers["location"]) == (303, "/console?q=a+b")


@pytest.mark.parametrize(
    "place",
    [
        "//evil.example",
        "/console//evil.example",
        "/console/../login?x",
        "/console/%2e%2e/x",
        "/console?u=//e",
        "/consoles",
    ],
)
async def test_nobody_is_led_elsewhere_by_signing_in(place: str) -> None:
    async with site().browser() as browser:
        assert (await browser.sign_in("bob", place)).headers["location"] == "/approvals"


async def test_a_page_for_operators_is_for_nobody_else() -> None:
    made = probed()
    async with made.signed_in("bob") as bob, made.signed_in("alice") as alice:
        refused, shown = await bob.get("/console/probe"), await alice.get("/console/probe")
    assert (refused.status_code, "auth.roles.admin" in refused.text) == (403, True)
    assert shown.text == "GET key:alice ()"


async def test_t12_a_form_needs_our_origin_and_the_token_of_this_sign_in() -> None:
    async with probed().signed_in("alice") as alice:
        token = await alice.csrf("/console")
        taken = await alice.post("/console/probe", {"csrf": token, "what": "x"})
        refused = [
            await alice.post("/console/probe", {"what": "x"}),
            await alice.post("/console/probe", {"csrf": "wrong"}),
            await alice.post("/console/probe", {"csrf": token}, origin="http://evil.example"),
            await alice.post("/console/probe", {"csrf": token}, sec_fetch_site="cross-site"),
        ]
    assert taken.text == "POST key:alice ('x',)"
    assert [one.status_code for one in refused] == [403] * 4


async def test_switched_off_there_is_no_page_and_no_navigation() -> None:
    made = probed(console=lambda: False)
    async with made.signed_in("alice") as alice:
        assert (await alice.get("/console")).status_code == 404
        assert (await alice.get("/console/probe")).status_code == 404
        approvals = await alice.get("/approvals")
    assert (approvals.status_code, 'aria-label="Pages"' in approvals.text) == (200, False)


async def test_every_entry_of_the_navigation_is_a_page_and_says_where_we_are() -> None:
    made = site()
    async with made.signed_in("alice") as alice:
        for entry in NAVIGATION:
            shown = await alice.get(entry.path)
            assert shown.status_code == 200
            assert f'href="{entry.path}" aria-current="page"' in shown.text
            assert shown.text.count('aria-current="page"') == 1
    async with made.signed_in("bob") as bob:
        assert 'href="/approvals" aria-current="page"' in (await bob.get("/resume/exec_1")).text
    served = {route.path for one in PAGES for route in one.routes}
    assert {one.path for one in NAVIGATION} - served == {"/approvals"}


async def test_t12_every_page_has_the_headers_of_the_approval_page() -> None:
    async with site().signed_in("alice") as alice:
        console, approvals = await alice.get("/console"), await alice.get("/approvals")
    for name in ("content-security-policy", "x-frame-options", "cache-control", "referrer-policy"):
        assert console.headers[name] == approvals.headers[name]
