"""The pages around a `Board`, asked in process as a browser would ask them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from html import unescape
from typing import Any, cast

import httpx2
from quart import Quart

from proxy.executions import ExecutionRequest, Interaction
from proxy.serving.console import add_console
from proxy.serving.drain import Drain
from proxy.serving.http.asgi import AsgiApp
from proxy.serving.http.prefix import PrefixedApp
from proxy.serving.mcp.elicitation import Seals
from proxy.serving.pages import PageOptions, add_pages
from tests.proxy.serving.board import TOKENS, Board, Paused, question

ORIGIN = "http://127.0.0.1:8080"
FORM = "application/x-www-form-urlencoded"


@dataclass
class Clock:
    """Seconds since 1970; the test moves it."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def asked(*texts: str, clock: Clock | None = None, **changes: Any) -> tuple[Interaction, ...]:
    """One approval for each text, open for ten minutes."""
    until = (clock or Clock()).now * 1000 + 600_000
    return tuple(
        replace(question(text, number), expires_at_ms=until, **changes)
        for number, text in enumerate(texts, start=1)
    )


@dataclass
class Browser:
    """Keeps cookies, sends what browsers send, and follows nothing by itself."""

    http: httpx2.AsyncClient
    headers: Mapping[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.http.get(path, headers={**self.headers, **_named(headers)})

    async def post(self, path: str, data: Mapping[str, Any] | None = None, **headers: str) -> httpx2.Response:
        own = {"origin": str(self.http.base_url).rstrip("/"), "sec-fetch-site": "same-origin", **self.headers}
        return await self.http.post(path, data=data or {}, headers={**own, **_named(headers)})

    async def sign_in(self, token: str = "bob", place: str = "/approvals", **more: str) -> httpx2.Response:
        return await self.post("/login", {"credential": token, "next": place, **more})

    async def csrf(self, path: str = "/approvals") -> str:
        """The token in the forms of this page."""
        return field_of((await self.get(path)).text, "csrf")

    async def answer(
        self, action: str, *ids: str, path: str = "/resume/exec_1", **more: str
    ) -> httpx2.Response:
        form = {"csrf": await self.csrf(path), "question": list(ids or ("int_1",)), "action": action, **more}
        return await self.post(path, form)


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def field_of(html: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found is not None, html
    return unescape(found[1])


@dataclass
class Site:
    """Pages of which `bob` has paused `exec_1`."""

    board: Board
    options: PageOptions
    app: Quart
    prefix: str = ""

    @property
    def served(self) -> AsgiApp:
        return PrefixedApp(cast(AsgiApp, self.app), lambda: self.prefix)

    def pause(self, *questions: Interaction, account: str = "bob", session: str | None = None) -> str:
        """A new paused execution of this account; its id."""
        execution_id = f"exec_{len(self.board.paused) + 1}"
        request = ExecutionRequest(code="1", session_id=session)
        self.board.paused[execution_id] = Paused(request, TOKENS[account], questions)
        return execution_id

    def decided(self, execution_id: str = "exec_1") -> dict[str, str]:
        return {name: one.action for name, one in self.board.paused[execution_id].decided.items()}

    @asynccontextmanager
    async def browser(self, origin: str = ORIGIN, **headers: str) -> AsyncIterator[Browser]:
        transport = httpx2.ASGITransport(app=self.served)
        async with httpx2.AsyncClient(transport=transport, base_url=origin) as http:
            yield Browser(http, _named(headers))

    @asynccontextmanager
    async def signed_in(self, token: str = "bob", origin: str = ORIGIN) -> AsyncIterator[Browser]:
        async with self.browser(origin) as browser:
            assert (await browser.sign_in(token)).status_code == 303
            yield browser


def site(*questions: Interaction, board: Board | None = None, prefix: str = "", **options: Any) -> Site:
    """Pages with one paused execution of `bob`; without questions one plain approval. `prefix` is the path of their
    public address."""
    chosen = PageOptions(**{"clock": Clock(), "seals": Seals(), **options})
    app = Quart("pages", static_folder=None, template_folder=None)
    board = board or Board()
    add_pages(app, board, chosen)
    add_console(app, board, chosen, Drain())
    made = Site(board, chosen, app, prefix)
    made.pause(*(questions or asked("hello")))
    return made
