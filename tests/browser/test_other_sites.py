"""What pages of others can do with a signed-in person's browser (T12): nothing but link to us."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.approval_server import CREATE, KEYS, ApprovalServer, Window, window

pytestmark = pytest.mark.timeout(240)
HELD = "return (await " + CREATE % json.dumps({"name": "held"}) + ").ok"


@contextmanager
def elsewhere(html: str) -> Iterator[str]:
    """A server of somebody else. For browsers `localhost` is another site than 127.0.0.1, and for our check of Host and
    Origin it is one of this machine."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode() if self.path == "/" else b"")

        def log_message(self, format: str, *args: Any) -> None:
            """Tests do not print."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://localhost:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def beside(browser: Browser, approvals: ApprovalServer, html: str) -> Iterator[tuple[Window, str]]:
    """A person who is signed in, and then opens a page of somebody else."""
    execution_id, url = approvals.pause(HELD)
    text = html.replace("URL", url).replace("SERVER", approvals.proxy.url)
    with window(browser) as person, elsewhere(text) as place:
        person.open(url, "agent")
        person.page.goto(place)
        yield person, execution_id


def undecided(approvals: ApprovalServer, execution_id: str) -> bool:
    view = approvals.view(execution_id)
    return view["status"] == "user_approval_required" and not view.get("decided")


def test_they_cannot_frame_the_page(browser: Browser, approvals: ApprovalServer) -> None:
    html = "<iframe src='URL'></iframe><iframe src='SERVER/healthz'></iframe>"
    with beside(browser, approvals, html) as (person, _):
        # That our answers can be framed at all is the proof that it was the policy which refused.
        expect(person.page.frame_locator("iframe >> nth=1").get_by_text("ok")).to_be_visible()
        person.page.wait_for_load_state()
        assert "Approve" not in person.page.frames[1].content()
        assert any("frame-ancestors" in one for one in person.complaints)
        person.complaints.clear()


def test_they_cannot_post_a_decision(browser: Browser, approvals: ApprovalServer) -> None:
    html = (
        "<form id=f method=post action='URL'><input name=action value=accept><input name=question value=int_1>"
        "</form><script>f.submit()</script>"
    )
    with beside(browser, approvals, html) as (person, execution_id):
        person.page.wait_for_url(f"{approvals.proxy.url}/**")
        expect(person.page.get_by_role("heading")).to_have_text("This did not come from our page")
        person.complaints.clear()
        assert undecided(approvals, execution_id)


def test_a_link_of_theirs_keeps_who_is_signed_in(browser: Browser, approvals: ApprovalServer) -> None:
    with beside(browser, approvals, "<a href='URL'>please approve</a>") as (person, _):
        person.page.get_by_role("link", name="please approve").click()
        expect(person.page.get_by_role("heading", level=1)).to_have_text("A decision is needed")


def test_no_credential_is_left_in_addresses_storage_or_readable_cookies(
    browser: Browser, approvals: ApprovalServer
) -> None:
    _, url = approvals.pause(HELD)
    with window(browser) as person:
        page = person.open(url, "agent")
        assert page.evaluate("document.cookie") == ""
        assert page.evaluate("localStorage.length + sessionStorage.length") == 0
        (cookie,) = page.context.cookies()
        assert (cookie.get("httpOnly"), cookie.get("sameSite"), cookie.get("path")) == (True, "Strict", "/")
        assert KEYS["agent"] not in json.dumps(cookie) + page.url + page.content()
    assert KEYS["agent"] not in approvals.proxy.err.text + approvals.proxy.out.text
