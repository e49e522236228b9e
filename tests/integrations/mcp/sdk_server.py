"""A server made with the official SDK: `python sdk_server.py stdio`, or `http`, which prints its port.

Over HTTP it serves the same tools four times: `/mcp` (both eras), `/old/mcp` (a server that knows no 2026-07-28),
`/sse`, and `/closed/mcp`, which wants `Authorization: Bearer open-sesame`.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Annotated, Any

import uvicorn
from mcp.server.mcpserver import Context, Elicit, MCPServer, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.utilities.types import Image
from mcp_types import ToolAnnotations
from pydantic import BaseModel

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Any, Send], Awaitable[None]]
PNG = bytes.fromhex("89504e470d0a1a0a")
shop = MCPServer("shop")


class Point(BaseModel):
    x: int
    y: int


class Name(BaseModel):
    name: str


async def ask_name() -> Elicit[Name]:
    return Elicit("who are you?", Name)


@shop.tool(annotations=ToolAnnotations(read_only_hint=True), title="Add two numbers")
def add(a: int, b: int) -> Point:
    return Point(x=a + b, y=0)


@shop.tool()
def picture() -> Image:
    return Image(data=PNG, format="png")


@shop.tool(name="dotted.name-with space")
def odd() -> str:
    return "odd"


@shop.tool(annotations=ToolAnnotations(destructive_hint=True))
def fail() -> str:
    raise ToolError("the shelf is empty")


@shop.tool()
async def steps(context: Context) -> str:
    for step in (1, 2):
        await context.report_progress(step, 2, f"step {step}")
    return "done"


@shop.tool()
def headers(context: Context) -> dict[str, str]:
    return dict(context.headers or {})


@shop.tool()
async def greet(who: Annotated[Name, Resolve(ask_name)]) -> str:
    return f"hello {who.name}"


@shop.tool()
async def grow(context: Context) -> str:
    shop.add_tool(odd, name="fresh")
    await context.notify_tools_changed()
    await context.session.send_tool_list_changed()
    return "grown"


@shop.resource("shop://motto")
def motto() -> str:
    return "always open"


@shop.prompt()
def advertise(product: str) -> str:
    return f"Praise {product}."


def web_app() -> App:
    streamable, sse = shop.streamable_http_app(), shop.sse_app()

    async def app(scope: Scope, receive: Any, send: Send) -> None:
        path = scope.get("path", "")
        sent = {name.decode(): value.decode() for name, value in scope.get("headers", ())}
        if path.startswith(("/sse", "/messages")):
            await sse(scope, receive, send)
        elif path.startswith("/old") and sent.get("mcp-protocol-version", "").startswith("2026"):
            await refuse(400, send)
        elif path.startswith("/closed") and sent.get("authorization") != "Bearer open-sesame":
            await refuse(401, send)
        else:
            place = "/mcp" if path.endswith("/mcp") else path
            await streamable({**scope, "path": place, "raw_path": place.encode()}, receive, send)

    return app


async def refuse(status: int, send: Send) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def serve_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(web_app(), log_level="error"))
        print(listener.getsockname()[1], flush=True)
        server.run(sockets=[listener])


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        shop.run("stdio")
    else:
        serve_http()
