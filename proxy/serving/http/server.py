"""Hypercorn, run inside our own task tree on a socket that we bind, so that port 0 works and its number is known."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast

import h11
import hypercorn.asyncio
from hypercorn.config import Config
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.typing import Framework

from proxy.serving.http.asgi import AsgiApp

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Seconds: `keep_alive` for idle connections, `grace` for what still runs after shutdown was asked for."""

    keep_alive_seconds: float = 75.0
    grace_seconds: float = 5.0
    backlog: int = 512


async def _stay_with_http_1(self: H11Protocol, event: h11.Request) -> None:
    """Upgrades are ignored (RFC 9110 section 7.8 allows it), and the preface of HTTP/2 is a request like any other.

    It repairs Hypercorn, which speaks HTTP/2 over plain TCP to everybody who asks (`Upgrade: h2c`, prior knowledge) and
    has no setting against it: frames that cost nothing to send, before anybody has authenticated.
    """


def bind(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes a free one. Raises `OSError` with the address in its text."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host.strip("[]"), port))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    return sock


async def serve_http(
    app: AsgiApp,
    *,
    host: str,
    port: int,
    shutdown: asyncio.Event,
    bound: Callable[[int], None] | None = None,
    limits: HttpLimits | None = None,
) -> None:
    """Serve until `shutdown` is set, then let open requests end for `grace_seconds`, cancel the rest and return.

    `bound` is called with the port once the socket listens. Raises `OSError` when the address cannot be had.
    """
    limits = limits or HttpLimits()
    setattr(H11Protocol, "_check_protocol", _stay_with_http_1)  # noqa: B010
    with closing(bind(host, port)) as sock:
        sock.listen(limits.backlog)
        if bound is not None:
            bound(sock.getsockname()[1])
        # Hypercorn closes the descriptor it is given; ours stays ours.
        await _serve(app, _config(sock.dup(), limits), shutdown, limits)


async def _serve(app: AsgiApp, config: Config, shutdown: asyncio.Event, limits: HttpLimits) -> None:
    """Requests are cancelled by us: from Python 3.12 on, `Server.wait_closed` waits for every connection, so
    Hypercorn would come to its own limit only when nothing is left to cancel. Ours for the whole is a second later."""
    requests = _Requests(app)
    framework = cast(Framework, requests)
    async with asyncio.TaskGroup() as group:
        limit = asyncio.timeout(None)
        ending = group.create_task(
            _end(shutdown, requests, limit, limits.grace_seconds), name="http-deadline"
        )
        try:
            async with limit:
                await hypercorn.asyncio.serve(framework, config, shutdown_trigger=shutdown.wait, mode="asgi")
        except TimeoutError:
            log.warning("http connections were still open %s s after shutdown", limits.grace_seconds + 1.0)
        finally:
            ending.cancel()


class _Requests:
    """An ASGI app around another one, which knows the tasks of the requests that run."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        task = asyncio.current_task()
        if scope["type"] == "lifespan" or task is None:
            return await self._app(scope, receive, send)
        self._tasks.add(task)
        try:
            await self._app(scope, receive, send)
        finally:
            self._tasks.discard(task)

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()


async def _end(
    shutdown: asyncio.Event, requests: _Requests, limit: asyncio.Timeout, grace_seconds: float
) -> None:
    await shutdown.wait()
    limit.reschedule(asyncio.get_running_loop().time() + grace_seconds + 1.0)
    await asyncio.sleep(grace_seconds)
    requests.cancel()


def _config(sock: socket.socket, limits: HttpLimits) -> Config:
    config = Config()
    config.bind = [f"fd://{sock.detach()}"]
    config.keep_alive_timeout = limits.keep_alive_seconds
    config.graceful_timeout = limits.grace_seconds
    config.backlog = limits.backlog
    config.accesslog = None
    config.errorlog = _quiet_logger()
    config.include_server_header = False
    return config


def _quiet_logger() -> Any:
    """Hypercorn puts a handler of its own on `hypercorn.error` *and* lets records rise to the root: double
    lines. Given a logger it takes it as it is, so records reach the root handlers once."""
    return logging.getLogger("proxy.serving.hypercorn")
