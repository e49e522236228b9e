"""Connect: what to copy into a client. A token is shown when somebody asks for it, and only on the machine itself."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import quote

from quart import Response

from proxy.serving.console.frame import ConsolePage, ConsoleRoute, Visit
from proxy.serving.console.set_ups import VARIABLE, ConnectFacts, set_ups
from proxy.serving.http.origins import split_port
from proxy.serving.pages.guard import PageProblem
from proxy.serving.pages.navigation import CONSOLE_PATH

CONNECT: Final = f"{CONSOLE_PATH}/connect"
_TOKEN_BYTES: Final = 4096


async def show(visit: Visit) -> Response:
    return await _page(visit, "")


async def show_token(visit: Visit) -> Response:
    """The agents' token, once, on the page that answers; no URL and no history has it. Raises `PageProblem`."""
    if not may_show_token(visit):
        raise PageProblem(
            403,
            "Not shown here",
            "The token is shown only to the person at the machine: an operator, over loopback, on a server without "
            "`auth` and `server.public_url`.",
        )
    files = visit.options.local_files()
    assert files is not None
    try:
        token = await asyncio.to_thread(_read, files.token)
    except (OSError, UnicodeDecodeError) as error:
        raise PageProblem(500, "The token cannot be read", f"{files.token}: {type(error).__name__}") from None
    return await _page(visit, token)


async def _page(visit: Visit, token: str) -> Response:
    facts = await connect_facts(visit)
    return visit.page(
        "connect_console.html",
        facts=facts,
        set_ups=set_ups(facts) if facts is not None else (),
        files=visit.options.local_files(),
        may_show=may_show_token(visit),
        token=token,
        variable=VARIABLE,
    )


async def connect_facts(visit: Visit) -> ConnectFacts | None:
    """None where agents use stdio. Whoever chose a workspace when signing in gets its own endpoint."""
    endpoint = visit.options.endpoint()
    if endpoint is None:
        return None
    base = endpoint.removesuffix("/mcp")
    chosen = visit.reader.sign_in.workspace
    url = f"{base}/{quote(visit.principal.workspace_id, safe='')}/mcp" if chosen else endpoint
    metadata = visit.gateway.protected_resource("", {})
    return ConnectFacts(
        url, base, base.startswith("https://"), bool((metadata or {}).get("authorization_servers"))
    )


def may_show_token(visit: Visit) -> bool:
    """Only to somebody who sits at the machine, and could read the file anyway."""
    options, request = visit.options, visit.request
    if options.local_files() is None or options.public_url() is not None or not visit.is_operator:
        return False
    return is_loopback(request.peer_ip) and is_loopback(split_port(request.headers.get("host", ""))[0])


def is_loopback(host: str) -> bool:
    """Of an address or the host of a URL. Names other than `localhost` are not looked up."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _read(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(_TOKEN_BYTES).decode("ascii").strip()


PAGE: Final = ConsolePage(
    "connect", (ConsoleRoute("GET", CONNECT, show), ConsoleRoute("POST", f"{CONNECT}/token", show_token))
)
