"""The pages that there are, and their routes."""

from __future__ import annotations

from typing import Final

from quart import Quart

from proxy.serving.console import connect, connections, executions, overview, policies, run_code, tools
from proxy.serving.console.frame import ConsolePage, ConsoleRoute, Frame
from proxy.serving.console.live import LiveStreams
from proxy.serving.drain import Drain
from proxy.serving.gateway import Gateway
from proxy.serving.pages.boundary import with_problem_pages
from proxy.serving.pages.navigation import CONSOLE_PATH
from proxy.serving.pages.options import PageOptions

PAGES: Final[tuple[ConsolePage, ...]] = (
    overview.PAGE,
    connections.PAGE,
    tools.PAGE,
    policies.PAGE,
    executions.PAGE,
    run_code.PAGE,
    connect.PAGE,
)


def add_console(app: Quart, gateway: Gateway, options: PageOptions, drain: Drain) -> None:
    """Add the console to the Quart app that serves the approval pages too."""
    frame = Frame(gateway, options)
    streams = LiveStreams(frame.auth, drain)
    live = ConsolePage("live", (ConsoleRoute("GET", f"{CONSOLE_PATH}/live", streams.open),))
    for one in (*PAGES, live):
        for route in one.routes:
            view = with_problem_pages(frame.auth, frame.around(one, route))
            name = f"console {route.method} {route.path}"
            app.add_url_rule(route.path, name, view, methods=[route.method])
