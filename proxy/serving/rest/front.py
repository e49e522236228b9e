"""`GET /`: where somebody who only knows the address is told what there is. Open to everybody, tells nothing secret."""

from __future__ import annotations

from collections.abc import Callable

from quart import Quart, Response, request

from proxy.serving.http.asgi import BASE_KEY

PLAIN = "text/plain; charset=utf-8"
PublicAddress = Callable[[], str | None]
"""The address under which callers reach this server, without a slash at its end; None when it is not known."""


def add_front(app: Quart, address: PublicAddress, front_page: Callable[[], str | None]) -> None:
    """Browsers go to the front page, where there is one; everybody else gets a few lines of text."""

    async def front() -> Response:
        page = front_page()
        if page is not None and "text/html" in request.headers.get("accept", ""):
            location = f"{request.scope.get(BASE_KEY, '')}{page}"
            return Response(b"", 303, {"location": location, "cache-control": "no-store"}, content_type=PLAIN)
        return Response(front_text(address() or "", page), content_type=PLAIN)

    app.add_url_rule("/", "front", front, methods=["GET"])


def front_text(base: str, page: str | None) -> str:
    """Paths only where the address is not known."""
    base = base.rstrip("/")
    rows = [
        ("MCP endpoint", f"{base}/mcp", "Streamable HTTP, with `Authorization: Bearer <token or key>`"),
        ("REST API", f"{base}/api/openapi.json", "described as OpenAPI"),
        ("health", f"{base}/healthz, {base}/readyz", "for probes"),
    ]
    if page is not None:
        rows.insert(1, ("web pages", f"{base}{page}", "for people, in a browser"))
    lines = [f"  {name:<13} {where}   ({what})" for name, where, what in rows]
    return "\n".join(["Executor: one MCP endpoint in front of every API you use.", *lines, ""])
