"""The demo upstream on HTTP: an inventory API on a loopback port, run by the same process as the proxy.

It wants a bearer token for everything but its document and its health, so that the quickstart shows
credentials at work: the token is made at the start and handed to the config through the environment
(`demo_environment`).
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from hypercorn.asyncio import serve
from hypercorn.config import Config as ListenerConfig
from quart import Quart, Response, jsonify, request

from proxy.commands.demo_api import (
    LONGEST_DELAY_SECONDS,
    DemoAnswer,
    Inventory,
    delay_seconds,
    openapi_document,
)

DEFAULT_PORT: Final = 9797
_BACKLOG: Final = 100
_LARGEST_BODY: Final = 64 * 1024
_OPEN: Final = frozenset({"/openapi.json", "/health"})


def demo_token() -> str:
    return secrets.token_urlsafe(24)


def demo_environment(url: str, token: str) -> dict[str, str]:
    """The variables that `examples/quickstart/executor.yaml` refers to."""
    return {"INVENTORY_URL": url, "INVENTORY_OPENAPI_URL": f"{url}/openapi.json", "INVENTORY_TOKEN": token}


def quickstart() -> Path:
    """The quickstart's config. A wheel has it too."""
    return Path(__file__).parents[2] / "examples/quickstart/executor.yaml"


def bind_demo(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError if the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


async def run_demo(
    host: str,
    port: int,
    ready: asyncio.Event,
    shutdown: asyncio.Event,
    *,
    token: str,
    listener: socket.socket | None = None,
) -> None:
    """Serves until `shutdown`. `ready` is set once connections are accepted.

    With `listener` (from `bind_demo`) host and port are not used, and the socket is closed at the end.
    """
    bound = listener or bind_demo(host, port)
    config = ListenerConfig()
    config.bind = [f"fd://{bound.detach()}"]
    config.errorlog = logging.getLogger(__name__)
    config.graceful_timeout = 1
    ready.set()
    await serve(demo_app(token), config, shutdown_trigger=shutdown.wait)


def demo_app(token: str) -> Quart:
    """The routes. State lives as long as the app."""
    app = Quart("executor-demo")
    app.config["MAX_CONTENT_LENGTH"] = _LARGEST_BODY
    inventory = Inventory()
    app.before_request(_gate(token))
    _add_item_routes(app, inventory)
    _add_other_routes(app, inventory)
    return app


def _gate(token: str) -> Callable[[], Awaitable[Response | None]]:
    async def refuse_strangers() -> Response | None:
        if request.path in _OPEN:
            return None
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode()):
            return None
        refusal = _respond((401, {"message": "the bearer token is missing or wrong"}))
        refusal.headers["WWW-Authenticate"] = "Bearer"
        return refusal

    return refuse_strangers


def _respond(answer: DemoAnswer) -> Response:
    status, body = answer
    response = Response("") if body is None else jsonify(body)
    response.status_code = status
    return response


def _add_item_routes(app: Quart, inventory: Inventory) -> None:
    @app.get("/items")
    async def list_items() -> Response:
        return _respond(inventory.page(request.args))

    @app.post("/items")
    async def create_item() -> Response:
        return _respond(inventory.create(await request.get_json(force=True)))

    @app.get("/items/<item_id>")
    async def get_item(item_id: str) -> Response:
        return _respond(inventory.get(item_id))

    @app.patch("/items/<item_id>")
    async def update_item(item_id: str) -> Response:
        return _respond(inventory.update(item_id, await request.get_json(force=True)))

    @app.delete("/items/<item_id>")
    async def delete_item(item_id: str) -> Response:
        return _respond(inventory.delete(item_id))

    @app.post("/items/<item_id>/stock")
    async def adjust_stock(item_id: str) -> Response:
        return _respond(inventory.adjust_stock(item_id, await request.get_json(force=True)))


def _add_other_routes(app: Quart, inventory: Inventory) -> None:
    @app.get("/openapi.json")
    async def document() -> Response:
        return _respond((200, openapi_document()))

    @app.get("/health")
    async def health() -> Response:
        return _respond((200, {"status": "ok"}))

    @app.post("/items:purge")
    async def purge() -> Response:
        return _respond(inventory.purge())

    @app.get("/reports/valuation")
    async def valuation() -> Response:
        try:
            seconds = delay_seconds(request.args)
        except ValueError:
            return _respond((400, {"message": f"seconds: expected 0 to {LONGEST_DELAY_SECONDS:g}"}))
        await asyncio.sleep(seconds)
        return _respond(inventory.valuation())
