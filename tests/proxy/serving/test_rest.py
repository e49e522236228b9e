"""What stands before every route of the API."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from proxy.auth import AuthRequest
from proxy.principal import Principal
from proxy.serving.admission import AdmissionOptions, is_api
from proxy.serving.app import AppOptions
from proxy.serving.http.origins import HostRules
from tests.proxy.serving.board import Board
from tests.proxy.serving.support import serving

BODY_BYTES = AdmissionOptions().max_body_bytes
PATHS = ("/api/executions", "/api/approvals", "/api/tools", "/api/unknown", "/api/executions/e/resume")


@pytest.mark.parametrize("path", PATHS)
async def test_a_credential_is_needed_before_anything_is_told(path: str) -> None:
    async with serving() as server, server.client(None) as client:
        without = await client.get(path)
        bad = await client.get(path, headers={"x-api-key": "nonsense"})
    assert (without.status_code, without.json()["error"]["code"]) == (401, "unauthorized")
    assert without.headers["www-authenticate"] == 'Bearer realm="executor"'
    assert bad.headers["www-authenticate"] == 'Bearer realm="executor", error="invalid_token"'


async def test_keys_come_in_either_header_and_a_wrong_workspace_is_refused() -> None:
    async with serving() as server, server.client(None) as client:
        assert (await client.get("/api/approvals", headers={"x-api-key": "alice"})).status_code == 200
        unknown = await client.get("/api/nothing", headers={"x-api-key": "alice"})
        method = await client.delete("/api/approvals", headers={"x-api-key": "alice"})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "not_found")
    assert (method.status_code, method.json()["error"]["code"]) == (405, "method_not_allowed")
    assert server.board.finished == [("api", 200), ("api", 404), ("api", 405)]


async def test_anonymous_callers_share_an_account_and_see_nothing_here() -> None:
    class Open(Board):
        async def authenticate(self, request: AuthRequest, peer_ip: str) -> Principal:
            return Principal("ws_one", "anonymous", "anonymous")

    async with serving(board=Open()) as server, server.client(None) as client:
        answer = await client.get("/api/executions")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"host": "evil.example"}, 421, "wrong_host"),
        ({"origin": "https://evil.example"}, 403, "bad_origin"),
        ({"origin": "null"}, 403, "bad_origin"),
    ],
)
async def test_t35_other_hosts_and_origins_do_not_reach_it(
    headers: dict[str, str], status: int, code: str
) -> None:
    async with serving() as server, server.client() as client:
        answers = [
            await client.get("/api/approvals", headers=headers),
            await client.post("/api/executions", json={"code": "return 1"}, headers=headers),
        ]
        own = await client.get("/api/approvals", headers={"origin": server.url})
    assert [(one.status_code, one.json()["error"]["code"]) for one in answers] == [(status, code)] * 2
    assert server.board.requests == []
    assert own.status_code == 200
    assert "access-control-allow-origin" not in own.headers


async def test_t35_a_preflight_opens_nothing() -> None:
    async with serving() as server, server.client(None) as client:
        asks = {"origin": server.url, "access-control-request-method": "POST"}
        answer = await client.options("/api/executions", headers=asks)
    assert answer.status_code == 401
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_repeated_headers_are_refused() -> None:
    async with serving() as server, server.client(None) as client:
        twice = [("authorization", "Bearer alice"), ("authorization", "Bearer bob")]
        answer = await client.get("/api/approvals", headers=twice)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "path",
    ["/api/approvals?workspaceId=a&workspaceId=b", "/api/executions?limit=1&limit=2", "/login?a=1&a=2"],
)
async def test_a_query_parameter_with_two_values_is_refused(path: str) -> None:
    """Whoever stands before us may have looked at the other one."""
    async with serving() as server, server.client() as client:
        answer = await client.get(path)
        same = await client.get("/api/executions?limit=1&limit=1")
    assert answer.status_code == 400
    assert "is given more than once" in answer.text
    assert same.status_code == 200


async def test_bodies() -> None:
    async with serving() as server, server.client() as client:
        kind = await client.post("/api/executions", content=b"{}", headers={"content-type": "text/plain"})
        large = await client.post("/api/executions", json={"code": "x" * (BODY_BYTES + 1)})
        broken = await client.post(
            "/api/executions", content=b"{", headers={"content-type": "application/json"}
        )
        chunked = await client.post(
            "/api/executions", content=_chunks(), headers={"content-type": "application/json"}
        )
    assert (kind.status_code, kind.json()["error"]["code"]) == (415, "unsupported_media_type")
    assert (large.status_code, large.json()["error"]["code"]) == (413, "too_large")
    assert (broken.status_code, broken.json()["error"]["code"]) == (400, "bad_request")
    assert chunked.status_code == 413


async def _chunks() -> AsyncIterator[bytes]:
    for _ in range(BODY_BYTES // 65536 + 2):
        yield b" " * 65536


async def test_the_request_limit_counts_the_api_too() -> None:
    async with serving(board=Board(limit=1)) as server, server.client() as client:
        assert (await client.get("/api/approvals")).status_code == 200
        answer = await client.get("/api/approvals")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limited")
    assert answer.headers["retry-after"] == "12"


async def test_a_defect_is_eight_digits_and_the_auth_provider_may_be_down() -> None:
    async with serving(board=Board(auth_down=True)) as server, server.client() as client:
        answer = await client.get("/api/approvals")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        server.board.auth_down = False
        answer = await client.post("/api/executions", json={"code": "boom"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert server.board.finished[-1] == ("api", 500)


async def test_request_ids_come_back() -> None:
    async with serving() as server, server.client() as client:
        answer = await client.get("/api/approvals", headers={"x-request-id": "mine-1"})
        refused = await client.get("/api/approvals", headers={"x-request-id": "mine-2", "x-api-key": "no"})
    assert (answer.headers["x-request-id"], refused.headers["x-request-id"]) == ("mine-1", "mine-2")


async def test_forwarded_addresses_count_for_limits_only() -> None:
    hosts = HostRules.build("127.0.0.1", None, (), (), ("127.0.0.0/8",))
    options = AppOptions(AdmissionOptions(hosts))
    async with serving(options) as server, server.client() as client:
        answer = await client.get("/api/approvals", headers={"x-forwarded-for": "203.0.113.9"})
    assert answer.status_code == 200


def test_what_belongs_to_the_api() -> None:
    assert [is_api(one) for one in ("/api", "/api/", "/api/x/y", "/apix", "/", "/mcp")] == [True] * 3 + [
        False
    ] * 3
