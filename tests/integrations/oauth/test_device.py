"""What servers answer where sign-ins on another device begin (RFC 8628 section 3.2)."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.base import Secret
from integrations.http import EgressRules, HttpClient
from integrations.oauth.client import OAuthClient
from integrations.oauth.device import DeviceCode, request_device_code
from integrations.oauth.errors import OAuthAnswerWrong, OAuthRefused, OAuthUnavailable
from integrations.oauth.http import OAuthHttp
from integrations.oauth.token import TokenEndpoint
from tests.integrations.echo import Reply, Seen, echo_server

GOOD: dict[str, Any] = {
    "device_code": "d-1",
    "user_code": "WDJB-MJHT",
    "verification_uri": "https://as.example/device",
    "expires_in": 900,
}


async def asked(reply: Reply, client: OAuthClient) -> tuple[DeviceCode, Seen]:
    seen: list[Seen] = []
    async with echo_server() as echo, HttpClient() as http:

        def answer(request: Seen) -> Reply:
            seen.append(request)
            return reply

        echo.answer = answer
        oauth = OAuthHttp(http, EgressRules(origins=frozenset({echo.url})))
        code = await request_device_code(oauth, TokenEndpoint(f"{echo.url}/device"), client, [("scope", "a")])
    return code, seen[0]


def json_reply(status: int = 200, **changes: Any) -> Reply:
    import json

    found = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return Reply(status, [("Content-Type", "application/json")], json.dumps(found).encode())


@pytest.mark.parametrize(
    ("reply", "url", "interval"),
    [
        (json_reply(), "https://as.example/device", 5.0),
        (json_reply(interval=1), "https://as.example/device", 1.0),
        (json_reply(interval="7"), "https://as.example/device", 7.0),
        (json_reply(interval=0), "https://as.example/device", 5.0),
        (json_reply(interval=10_000), "https://as.example/device", 60.0),
        # Google's name of it.
        (
            json_reply(verification_uri=None, verification_url="https://g.example/d"),
            "https://g.example/d",
            5.0,
        ),
        # GitHub's form.
        (
            Reply(
                200,
                [("Content-Type", "application/x-www-form-urlencoded")],
                b"device_code=d-1&user_code=WDJB-MJHT&verification_uri=https%3A%2F%2Fas.example%2Fdevice&expires_in=899"
                b"&interval=5",
            ),
            "https://as.example/device",
            5.0,
        ),
    ],
)
async def test_good_answers(reply: Reply, url: str, interval: float) -> None:
    code, seen = await asked(reply, OAuthClient("cid", "client_secret_basic", Secret("s3cret-value")))
    assert (code.url, code.user_code, code.interval) == (url, "WDJB-MJHT", interval)
    # The id is in the form even where the client shows itself in a header.
    assert seen.body.decode() == "scope=a&client_id=cid"
    assert (seen.header("authorization") or "").startswith("Basic ")


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (json_reply(400, error="unauthorized_client"), OAuthRefused, "unauthorized_client"),
        (json_reply(200, error="device_flow_disabled"), OAuthRefused, "device_flow_disabled"),
        (Reply(404, [], b"<html>"), OAuthRefused, "http_404"),
        (Reply(200, [], b"<html>"), OAuthAnswerWrong, "no `device_code`"),
        (Reply(503), OAuthUnavailable, "503"),
        (json_reply(device_code=None), OAuthAnswerWrong, "`device_code`"),
        (json_reply(device_code=7), OAuthAnswerWrong, "`device_code`"),
        (json_reply(user_code="a\nb"), OAuthAnswerWrong, "`user_code`"),
        (json_reply(user_code="x" * 65), OAuthAnswerWrong, "`user_code`"),
        (json_reply(verification_uri="javascript:alert(1)"), OAuthAnswerWrong, "`verification_uri`"),
        (json_reply(verification_uri=None), OAuthAnswerWrong, "`verification_uri`"),
        (json_reply(expires_in=None), OAuthAnswerWrong, "`expires_in`"),
    ],
)
async def test_bad_answers(reply: Reply, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        await asked(reply, OAuthClient("cid"))


async def test_what_no_browser_may_open_is_left_out() -> None:
    code, _ = await asked(json_reply(verification_uri_complete="file:///etc/passwd"), OAuthClient("cid"))
    assert code.complete_url is None
    code, _ = await asked(json_reply(verification_uri_complete="https://as.example/d?c=1"), OAuthClient("c"))
    assert code.complete_url == "https://as.example/d?c=1"
