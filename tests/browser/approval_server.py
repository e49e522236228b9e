"""A server with agents and people, and a person's window that notices everything that must not happen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, expect

from proxy.auth import hash_key
from tests.e2e import configs
from tests.e2e.running import Answer, Proxy, envelope, headers_of, serving
from tests.e2e.upstream import Upstream

JsonObject = dict[str, Any]
LIMIT_MS = 30_000.0
KEYS = {"agent": "exk_agent-key-1", "boss": "exk_boss-key-2", "bob": "exk_bob-key-3"}
HUMAN = {
    "id": "people-delete",
    "pattern": "shop.org.main.things.delete",
    "action": "require_approval",
    "approver": "human",
    "reason": "A thing that is deleted is gone",
}
CREATE = "tools.shop.org.main.things.create({body: %s})"
expect.set_options(timeout=LIMIT_MS)


def config(api: Upstream, **elicitation: Any) -> JsonObject:
    """`agent` runs code, `boss` approves, `bob` may do neither for the other."""
    keys = {name: {"hash": f"sha256:{hash_key(key)}"} for name, key in KEYS.items()}
    keys["boss"]["groups"] = ["approvers"]  # type: ignore[assignment]
    auth = {"api_keys": {"keys": keys}, "roles": {"approver": ["approvers"]}}
    asking = {"mode": "model", "client_may_choose": True, **elicitation}
    return configs.base(api, HUMAN, auth=auth, elicitation=asking)


@dataclass
class ApprovalServer:
    """The server, as agents reach it."""

    proxy: Proxy
    api: Upstream
    config_file: Path

    def call(self, tool: str, arguments: JsonObject, path: str = "/mcp") -> Answer:
        """One tool call of the agent."""
        bearer = {"authorization": f"Bearer {KEYS['agent']}", **headers_of("tools/call", tool)}
        body = envelope("tools/call", {"name": tool, "arguments": arguments})
        answer = httpx2.post(self.proxy.url + path, json=body, headers=bearer, timeout=60)
        assert answer.status_code == 200, answer.text
        return Answer(answer.json()["result"])

    def pause(self, code: str) -> tuple[str, str]:
        """Run code that has to wait; the execution's id and the address of its page."""
        held = self.call("execute", {"code": code}, "/mcp?elicitation_mode=browser")
        assert held.status == "user_approval_required", held.text
        return held.structured["executionId"], held.structured["approvalUrl"]

    def result(self, execution_id: str) -> Answer:
        """What came out, once it was decided."""
        return self.call("resume", {"executionId": execution_id}, "/mcp?elicitation_mode=browser")

    def use(self, **elicitation: Any) -> None:
        """Serve with other settings of `elicitation` from now on."""
        seen = self.proxy.err.mark()
        configs.write(self.config_file, config(self.api, **elicitation))
        self.proxy.logged("config applied", seen)

    def view(self, execution_id: str) -> JsonObject:
        """The execution as REST shows it to the agent."""
        bearer = {"authorization": f"Bearer {KEYS['agent']}"}
        answer = httpx2.get(f"{self.proxy.url}/api/executions/{execution_id}", headers=bearer, timeout=60)
        assert answer.status_code == 200, answer.text
        body: JsonObject = answer.json()
        return body


@contextmanager
def approval_server(api: Upstream, folder: Path) -> Iterator[ApprovalServer]:
    file = configs.write(folder / "executor.yaml", config(api))
    with serving(file, folder / "state", env=configs.ENV) as proxy:
        yield ApprovalServer(proxy, api, file)


@dataclass
class Window:
    """One person's page. `complaints` are errors of scripts, of the policy and of the console; `dialogs` should stay
    empty, `places` are the origins that were asked for anything."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    places: set[str] = field(default_factory=set)

    def watch(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._asked_in_a_box)
        self.page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _asked_in_a_box(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _asked(self, request: Request) -> None:
        self.places.add("/".join(request.url.split("/")[:3]))

    def open(self, url: str, who: str | None = None) -> Page:
        """Go there; sign in on the way as `who`."""
        self.page.goto(url)
        if who is not None:
            self.page.get_by_label("Token or key").fill(KEYS[who])
            self.page.get_by_role("button", name="Sign in").click()
            expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()
        return self.page

    @property
    def overflow(self) -> int:
        """Pixels that the page is wider than its window."""
        found: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return found


@contextmanager
def window(browser: Browser, **options: Any) -> Iterator[Window]:
    """A profile of its own. Nothing may have gone wrong by its end."""
    context = browser.new_context(**options)
    context.set_default_timeout(LIMIT_MS)
    try:
        opened = Window(context.new_page())
        opened.watch()
        yield opened
    finally:
        context.close()
    assert (opened.complaints, opened.dialogs) == ([], [])
