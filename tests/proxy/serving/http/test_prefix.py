"""The path of our public address is taken off, kept or stripped by the proxy; everything else stays as it came."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.serving.http.asgi import BASE_KEY
from proxy.serving.http.prefix import PrefixedApp, path_prefix, without_prefix


@pytest.mark.parametrize(
    ("url", "prefix"),
    [
        (None, ""),
        ("https://x.example", ""),
        ("https://x.example:444/a", "/a"),
        ("https://x.example/a/b/", "/a/b"),
    ],
)
def test_the_prefix_is_the_path_of_the_address(url: str | None, prefix: str) -> None:
    assert path_prefix(url) == prefix


@pytest.mark.parametrize(
    ("path", "prefix", "own"),
    [
        ("/mcp", "", "/mcp"),
        ("/mcp", "/a", "/mcp"),
        ("/a/mcp", "/a", "/mcp"),
        ("/a", "/a", "/"),
        ("/a/", "/a", "/"),
        ("/ab/mcp", "/a", "/ab/mcp"),
        ("/a/a/mcp", "/a", "/a/mcp"),
        ("/A/mcp", "/a", "/A/mcp"),
        ("//a/mcp", "/a", "//a/mcp"),
        ("/a/b/mcp", "/a/b", "/mcp"),
    ],
)
def test_it_is_taken_off_once(path: str, prefix: str, own: str) -> None:
    assert without_prefix(path, prefix) == own


async def served(scope: dict[str, Any], prefix: str) -> dict[str, Any]:
    seen: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    async def nothing(*_: Any) -> Any:
        raise AssertionError("nothing is read or sent here")

    await PrefixedApp(app, lambda: prefix)(scope, nothing, nothing)
    return seen[0]


async def test_the_scope_says_what_stands_before_our_links() -> None:
    scope = {"type": "http", "path": "/a/mcp"}
    assert await served(scope, "/a") == {"type": "http", "path": "/mcp", BASE_KEY: "/a"}
    assert await served({"type": "http", "path": "/mcp"}, "/a") == {
        "type": "http",
        "path": "/mcp",
        BASE_KEY: "/a",
    }
    assert scope == {"type": "http", "path": "/a/mcp"}, "the caller's own is not touched"
    assert await served(scope, "") is scope
    assert await served({"type": "lifespan"}, "/a") == {"type": "lifespan"}
