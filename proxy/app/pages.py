"""The approval pages: what they need to know of the config that serves now, and the listener for a stdio server.

A server over stdio binds its listener when the first pause needs the page; it ends with the process.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import quote

from proxy.app.application import Application
from proxy.serving.http.asgi import AsgiApp
from proxy.serving.http.origins import OriginRules
from proxy.serving.http.server import serve_http
from proxy.serving.mcp.elicitation import Seals
from proxy.serving.pages import LocalFiles, PageOptions
from proxy.tasks import TaskSupervisor


class LocalPages:
    """Serves `app` on a free port of 127.0.0.1, in a task of `tasks`. `told` gets the origin once it is bound."""

    def __init__(self, tasks: TaskSupervisor, app: AsgiApp, told: Callable[[str], None]) -> None:
        self._tasks = tasks
        self._listener: asyncio.Task[None] | None = None
        self._app = app
        self._told = told
        self._shutdown = asyncio.Event()
        self._bound: asyncio.Future[int] | None = None

    async def page(self, execution_id: str, session_id: str | None) -> str | None:
        """Where a person decides about this execution. None when no address can be had."""
        if self._bound is None:
            self._bound = asyncio.get_running_loop().create_future()
            self._listener = self._tasks.keep("approval page", partial(self._serve, self._bound))
        try:
            port = await asyncio.shield(self._bound)
        except OSError:
            return None
        session = f"?mcp_session_id={quote(session_id, safe='')}" if session_id else ""
        return f"{_origin(port)}/resume/{execution_id}{session}"

    async def close(self) -> None:
        """Let open requests end, and return when the listener is closed."""
        self._shutdown.set()
        if self._listener is not None:
            await asyncio.wait([self._listener])

    async def _serve(self, bound: asyncio.Future[int]) -> None:
        def told(port: int) -> None:
            if not bound.done():
                self._told(_origin(port))
                bound.set_result(port)

        try:
            # Started again, it keeps its port: people have the links.
            port = bound.result() if bound.done() else 0
            await serve_http(self._app, host="127.0.0.1", port=port, shutdown=self._shutdown, bound=told)
        except OSError as error:
            if bound.done():
                raise
            bound.set_exception(error)


def _origin(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def page_options(
    application: Application, hosts: OriginRules, seals: Seals, *, public: bool = True
) -> PageOptions:
    """`public` false: a listener on this machine beside a stdio server, which `public_url` does not lead to."""

    def files() -> LocalFiles | None:
        access = application.access
        if access.local_token is None:
            return None
        return LocalFiles(access.token_file, access.approver_file if access.approver_token else None)

    def public_url() -> str | None:
        return application.config.server.public_url if public else None

    def endpoint() -> str | None:
        return f"{application.address}/mcp" if public and application.address else None

    def source_link(source: str) -> str | None:
        return link_to_source(application.config.console.source_url, source, application.directories)

    def console() -> bool:
        return application.config.console.enabled

    return PageOptions(hosts, seals, public_url, files, endpoint, source_link, console)


def link_to_source(template: str | None, source: str, directories: Sequence[Path]) -> str | None:
    """`console.source_url` for a rule's `file:line`. Files in the config's directories are named as those see them."""
    file, _, line = source.rpartition(":")
    if template is None or not line.isdigit():
        return None
    path = Path(os.path.abspath(file))
    inside = next((path.relative_to(one) for one in directories if path.is_relative_to(one)), Path(file))
    return template.replace("{file}", quote(inside.as_posix())).replace("{line}", line)
