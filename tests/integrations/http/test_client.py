from __future__ import annotations

from importlib import metadata

import pytest

from integrations.http import EgressDenied, EgressRules, HttpClient, HttpResponse, TimedOut, Unreachable
from tests.integrations.echo import Echo, Reply, echo_server


async def ask(
    http: HttpClient, echo: Echo, path: str = "/x", method: str = "GET", **more: object
) -> HttpResponse:
    headers: list[tuple[str, str]] = more.get("headers", [])  # type: ignore[assignment]
    body: bytes | None = more.get("body")  # type: ignore[assignment]
    rules = EgressRules(origins=frozenset({echo.url}))
    return await http.request(
        method, echo.url + path, headers, body, timeout_seconds=5, max_bytes=100_000, allow=rules,
        partial=more.get("partial", ()),  # type: ignore[arg-type]
    )  # fmt: skip


async def test_the_target_is_sent_byte_for_byte() -> None:
    async with echo_server() as echo, HttpClient() as http:
        await ask(http, echo, "/a/../b%2F%2e;x=1?c=%5B&d=a+b&e=%2525")
        assert echo.log[-1].target == "/a/../b%2F%2e;x=1?c=%5B&d=a+b&e=%2525"


async def test_headers_and_bodies() -> None:
    async with echo_server() as echo, HttpClient() as http:
        headers = [("X-A", "1"), ("Host", "evil"), ("Content-Length", "99"), ("X-U", "é")]
        await ask(http, echo, method="POST", headers=headers, body=b"abc")
        seen = echo.log[-1]
        assert (seen.body, seen.header("x-a"), seen.header("content-length")) == (b"abc", "1", "3")
        assert seen.header("host") == echo.url.removeprefix("http://")
        assert seen.header("x-u") == "é".encode().decode("latin-1")
        await ask(http, echo, method="PUT")
        assert echo.log[-1].header("content-length") == "0"
        await ask(http, echo)
        assert echo.log[-1].header("content-length") is None


async def test_requests_say_who_sends_them_unless_told_otherwise() -> None:
    async with echo_server() as echo, HttpClient() as http:
        await ask(http, echo)
        assert echo.log[-1].header("user-agent") == f"executor/{metadata.version('executor-proxy')}"
        await ask(http, echo, headers=[("user-agent", "mine/1")])
        assert echo.log[-1].header("user-agent") == "mine/1"


@pytest.mark.parametrize(
    "header", [("X\r\nY", "1"), ("X", "a\r\nY: 1"), ("X", "a\x00"), ("X Y", "1"), ("", "1")]
)
async def test_headers_cannot_split_a_request(header: tuple[str, str]) -> None:
    async with echo_server() as echo, HttpClient() as http:
        with pytest.raises(EgressDenied):
            await ask(http, echo, headers=[header])
        with pytest.raises(EgressDenied):
            await ask(http, echo, method="GET / HTTP/1.1\r\nX:")
        assert echo.log == []


async def test_redirects_are_not_followed() -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/x"] = [Reply(302, [("Location", "/y")])]
        response = await ask(http, echo)
        assert (response.status, response.header("LOCATION"), response.header("nope")) == (302, "/y", "")
        assert len(echo.log) == 1


async def test_streams_keep_what_arrived() -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/x"] = [
            Reply(200, [("Content-Type", "text/event-stream; charset=utf-8")], b"x" * 200_000)
        ]
        response = await ask(http, echo, partial={"text/event-stream"})
        assert response.truncated
        assert len(response.body) <= 100_000


async def test_broken_answers() -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/x"] = [Reply(200, [("Content-Encoding", "br")], b"x")]
        with pytest.raises(Unreachable, match="br"):
            await ask(http, echo)
        echo.replies["/y"] = [Reply(200, [], b"ab", length=9, then="close")]
        with pytest.raises(Unreachable):
            await ask(http, echo, "/y")
        echo.replies["/h"] = [Reply(200, [], b"", length=9, then="hang")]
        rules = EgressRules(origins=frozenset({echo.url}))
        with pytest.raises(TimedOut):
            await http.request(
                "GET", f"{echo.url}/h", [], None, timeout_seconds=0.1, max_bytes=9, allow=rules
            )


async def test_head_and_204_have_no_body() -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/x"] = [Reply(204)]
        assert (await ask(http, echo)).body == b""
        echo.replies["/y"] = [Reply(200, [], b"", length=10**9)]
        assert (await ask(http, echo, "/y", "HEAD")).body == b""


async def test_pools_of_forgotten_rules_are_closed() -> None:
    async with echo_server() as echo, HttpClient() as http:
        for number in range(70):
            rules = EgressRules(allow=(f"10.0.0.{number}",), origins=frozenset({echo.url}))
            await http.request(
                "GET", f"{echo.url}/x", [], None, timeout_seconds=5, max_bytes=9_999, allow=rules
            )
        assert len(echo.log) == 70
