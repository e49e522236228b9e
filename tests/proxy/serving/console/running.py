"""The console of a whole application, asked in process as a browser would ask it."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx2
from quart import Quart

from proxy.app.application import Application
from proxy.auth import hash_key
from proxy.executions import SILENT, ExecutionRequest, ExecutionResult
from proxy.principal import Principal
from proxy.serving.console import add_console
from proxy.serving.drain import Drain
from proxy.serving.http.asgi import AsgiApp
from proxy.serving.http.prefix import PrefixedApp
from proxy.serving.pages import PageOptions, add_pages
from tests.proxy.app.started import MEMORY, application_of
from tests.proxy.serving.pages.support import ORIGIN, Browser, field_of
from tests.proxy.support import config_text

KEYS = {"agent": "exk_agent-key-1", "boss": "exk_boss-key-2", "bob": "exk_bob-key-3"}
AGENT = Principal("default", "key:agent", "key")
RULES = """\
policies:
  - {id: no-deletes, pattern: shop.*.*.items.delete, action: block, reason: "Kept <b>for ever</b>"}
  - {id: hidden, pattern: shop.*.*.items.list, principals: ["key:bob"], action: block, disclose: false}
  - {id: asks, pattern: shop.*.*.items.create, action: require_approval}
  - {id: never, pattern: shop.org.main.items.create, action: approve}
"""


def config(audit: Path | None = None, state: str = MEMORY) -> str:
    keys = ", ".join(
        f'{name}: {{hash: "sha256:{hash_key(key)}"{", groups: [ops]" if name == "boss" else ""}}}'
        for name, key in KEYS.items()
    )
    auth = f"auth: {{api_keys: {{keys: {{{keys}}}}}, roles: {{admin: [ops], approver: [ops]}}}}\n"
    trail = f"audit: {{sink: {{file: {audit}}}}}\n" if audit is not None else ""
    return config_text(more=RULES + auth + state + trail)


@dataclass
class Console:
    """A running application and its pages. Upstreams do not answer, which is an outcome of a call like others."""

    application: Application
    app: Quart
    prefix: str = ""

    async def run(self, code: str, who: Principal = AGENT, **request: Any) -> ExecutionResult:
        wanted = ExecutionRequest(code=code, **request)
        return await self.application.gateway.execute(wanted, who, SILENT)

    @asynccontextmanager
    async def as_(self, who: str, prefix: str = "") -> AsyncIterator[Browser]:
        served = PrefixedApp(cast(AsgiApp, self.app), lambda: self.prefix)
        transport = httpx2.ASGITransport(app=served)
        async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as http:
            browser = Browser(http)
            signed = await browser.post(f"{prefix}/login", {"credential": KEYS[who], "next": "/approvals"})
            assert signed.status_code == 303
            yield browser


@asynccontextmanager
async def console(folder: Path, env: Mapping[str, str], text: str | None = None) -> AsyncIterator[Console]:
    async with application_of(folder, text or config(), env) as application:
        app = Quart("console", static_folder=None, template_folder=None)
        options = PageOptions()
        add_pages(app, application.gateway, options)
        add_console(app, application.gateway, options, Drain())
        yield Console(application, app)


async def sent(browser: Browser, path: str, **fields: str) -> httpx2.Response:
    """A form of the page at `path`, sent as it is rendered there."""
    page = await browser.get(path)
    return await browser.post(path, {"csrf": field_of(page.text, "csrf"), **fields})


def text_of(answer: httpx2.Response) -> str:
    """What a person reads: without tags, white space folded."""
    body = answer.text.split("<main", 1)[-1].replace("<wbr>", "")
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())
