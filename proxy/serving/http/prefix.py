"""The path of `server.public_url`, below which a proxy may put everything.

Some proxies keep it, so that requests begin with it, and some strip it. Both are served, and what we link to has it in
any case: it is taken off what comes in, once, before anything looks at the path. The config refuses a path that one of
our own begins with (`proxy.config.semantics.public_path`), because only then could the two not be told apart.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from proxy.serving.http.asgi import BASE_KEY, AsgiApp, AsgiReceive, AsgiScope, AsgiSend


def path_prefix(public_url: str | None) -> str:
    """The path of our address, without a slash at its end; empty when it has none."""
    return urlsplit(public_url).path.rstrip("/") if public_url else ""


def without_prefix(path: str, prefix: str) -> str:
    """The path as this server knows it, whether or not a proxy kept the prefix."""
    if not prefix or not (path == prefix or path.startswith(f"{prefix}/")):
        return path
    return path.removeprefix(prefix) or "/"


class PrefixedApp:
    """`app` for requests below `prefix`, which is asked for each request: a reload may change it."""

    def __init__(self, app: AsgiApp, prefix: Callable[[], str]) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        if scope["type"] == "http" and (prefix := self._prefix()):
            path = without_prefix(scope["path"], prefix)
            scope = {**scope, "path": path, BASE_KEY: prefix}
        await self._app(scope, receive, send)
