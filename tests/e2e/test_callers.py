"""Who may call and how often: keys and workspaces on every path, the table of refusals, and the rate limits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from proxy.auth import hash_key
from tests.e2e import configs
from tests.e2e.running import MODERN, Answer, Proxy, envelope, headers_of, post, serving
from tests.e2e.upstream import Upstream

WHO = "const r = await tools.catalog.namespaces({}); return r.map((one) => one.namespace)"
KEYS = {name: f"{name}-key-0123456789abcdef" for name in ("red", "blue", "green", "old", "boss", "lost")}


def key(name: str, workspace: str, **more: Any) -> dict[str, Any]:
    return {"hash": f"sha256:{hash_key(KEYS[name])}", "workspace": workspace, **more}


@pytest.fixture(scope="module")
def keyed(api: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Two workspaces with a key each; `blue` sees one connection only."""
    folder = tmp_path_factory.mktemp("keyed")
    keys = {
        "red": key("red", "ws_red"),
        "blue": key("blue", "ws_blue", groups=["ci"]),
        "old": key("old", "ws_red", expires="2020-01-01"),
        "boss": key("boss", "ws_red", groups=["admins"]),
    }
    connection = {"auth": {"kind": "bearer", "token": {"env": "SHOP_TOKEN"}}}
    config = configs.base(
        api,
        {
            "id": "ci-writes",
            "pattern": "depot.*.*.things.create",
            "action": "approve",
            "principals": ["group:ci"],
        },
        {
            "id": "no-reads-for-red",
            "pattern": "shop.*.*.things.get",
            "action": "block",
            "principals": ["key:red"],
        },
        auth={"api_keys": {"keys": keys}, "roles": {"admin": ["admins"]}},
        workspaces={"ws_red": {"name": "Red"}, "ws_blue": {"integrations": ["depot"]}},
        integrations={"shop": configs.shop(api), "depot": configs.shop(api, description="The depot")},
        connections={"shop.org.main": connection, "depot.org.main": connection},
    )
    file = configs.write(folder / "executor.yaml", config)
    with serving(file, folder / "state", env=configs.ENV) as proxy:
        yield proxy


async def spaces(proxy: Proxy, name: str, path: str = "/mcp") -> Any:
    answer = await proxy.execute(WHO, token=KEYS[name], path=path)
    return answer.structured["workspaceId"], answer.structured["accountId"], answer.value


async def test_the_key_chooses_the_workspace(keyed: Proxy) -> None:
    assert await spaces(keyed, "red") == ("ws_red", "key:red", ["depot.org.main", "shop.org.main"])
    assert await spaces(keyed, "blue") == ("ws_blue", "key:blue", ["depot.org.main"])


@pytest.mark.parametrize(
    "path",
    [
        "/mcp",
        "/v1/mcp",
        "/mcp/",
        "/ws_blue/mcp",
        "/mcp?workspaceId=ws_blue",
        "/mcp/anonymous?workspaceId=ws_blue",
    ],
)
async def test_every_path_reaches_the_same_workspace(keyed: Proxy, path: str) -> None:
    assert (await spaces(keyed, "blue", path))[0] == "ws_blue"


async def test_x_api_key_is_as_good_as_a_bearer(keyed: Proxy) -> None:
    async with keyed.client() as client:
        client.headers["x-api-key"] = KEYS["blue"]
        for path in ("/mcp", "/mcp/anonymous?workspaceId=ws_blue"):
            response = await post(client, "execute", {"code": WHO}, path)
            assert Answer(response.json()["result"]).value == ["depot.org.main"]


async def test_each_caller_reads_its_own_description(keyed: Proxy) -> None:
    texts = {}
    for name in ("red", "blue"):
        async with keyed.client(KEYS[name]) as client:
            response = await client.post(
                "/mcp", json=envelope("tools/list"), headers=headers_of("tools/list")
            )
        texts[name] = response.json()["result"]["tools"][0]["description"]
    assert "shop" in texts["red"]
    assert "shop" not in texts["blue"]
    assert "depot" in texts["blue"]


async def test_policies_judge_the_key_and_its_groups(keyed: Proxy, api: Upstream) -> None:
    create = (
        "const r = await tools.depot.org.main.things.create({body: {name: 'x'}}); return r.ok || r.error.code"
    )
    get = "const r = await tools.shop.org.main.things.get({id: 't1'}); return r.ok || r.error.code"
    assert (await keyed.execute(create, token=KEYS["blue"])).value is True
    assert (await keyed.execute(create, token=KEYS["red"])).status == "waiting_for_interaction"
    assert (await keyed.execute(get, token=KEYS["red"])).value == "tool_not_found"
    assert (await keyed.execute(get, token=KEYS["boss"])).value is True
    assert (await keyed.execute(get, token=KEYS["blue"])).value == "tool_not_found"


async def test_a_result_is_read_by_its_owner_only(keyed: Proxy) -> None:
    answer = await keyed.execute("return 'x'.repeat(300000)", token=KEYS["red"])
    read = f"return await tools.executor.results.read({{ref: '{answer.structured['result']['resultRef']}', limit: 2}})"
    assert (await keyed.execute(read, token=KEYS["red"])).value["value"] == "xx"
    for other in ("blue", "boss"):
        assert (await keyed.execute(read, token=KEYS[other])).value["error"]["code"] == "result_not_found"


# ---- the table of refusals -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "path", "status", "code"),
    [
        (None, "/mcp", 401, -32001),
        ("lost", "/mcp", 401, -32001),
        ("old", "/mcp", 401, -32001),
        ("red", "/ws_blue/mcp", 403, -32001),
        ("red", "/mcp?workspaceId=ws_blue", 403, -32001),
        ("red", "/mcp?workspaceId=no_such", 403, -32001),
        ("red", "/no_such/mcp", 403, -32001),
        ("red", "/mcp/anonymous", 400, -32000),
        (None, "/mcp/anonymous?workspaceId=ws_red", 401, -32001),
        ("red", "/ws_blue/mcp?workspaceId=ws_red", 400, -32000),
        ("red", f"/mcp?api_key={KEYS['red']}", 400, -32000),
    ],
)
async def test_refusals_follow_the_table(
    keyed: Proxy, name: str | None, path: str, status: int, code: int
) -> None:
    async with keyed.client(KEYS[name] if name else None) as client:
        response = await post(client, "execute", {"code": "return 1"}, path)
    assert response.status_code == status, response.text
    body = response.json()
    assert body["error"]["code"] == code
    assert body["id"] is None
    if status == 401:
        challenge = response.headers["www-authenticate"]
        assert challenge.startswith("Bearer ")
        assert ("invalid_token" in challenge) is (name is not None)
    assert not any(value in response.text for value in KEYS.values())


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD", "TRACE"])
async def test_other_methods_are_405_before_anybody_is_asked(keyed: Proxy, method: str) -> None:
    async with keyed.client() as client:
        response = await client.request(method, "/mcp")
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == {"GET", "POST", "DELETE", "OPTIONS"}


@pytest.mark.parametrize(
    ("method", "headers", "status", "code"),
    [
        ("GET", {}, 400, -32000),
        ("GET", {"mcp-session-id": "0" * 32}, 404, -32001),
        ("DELETE", {"mcp-session-id": "0" * 32}, 404, -32001),
        ("POST", {"content-type": "text/plain"}, 415, -32600),
        ("GET", {"mcp-protocol-version": MODERN}, 405, -32001),
        ("DELETE", {"mcp-protocol-version": MODERN}, 405, -32001),
        ("POST", {"host": "evil.example"}, 421, -32600),
        ("POST", {"origin": "https://evil.example"}, 403, -32600),
    ],
)
async def test_protocol_refusals_follow_the_table(
    keyed: Proxy, method: str, headers: dict[str, str], status: int, code: int
) -> None:
    async with keyed.client(KEYS["red"], **{"content-type": "application/json", **headers}) as client:
        response = await client.request(method, "/mcp", content=b"{}" if method == "POST" else None)
    assert response.status_code == status, response.text
    assert response.json()["error"]["code"] == code


async def test_unknown_paths_are_404(keyed: Proxy) -> None:
    async with keyed.client(KEYS["red"]) as client:
        for path in ("/sse", "/mcp/other", "/a/b/mcp"):
            assert (await client.get(path)).status_code == 404


async def test_a_session_belongs_to_its_owner(keyed: Proxy) -> None:
    """The same workspace is not enough: another key of it may not use the session."""
    info = {"name": "test", "version": "1"}
    opening = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info}
    hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": opening}
    listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    async with (
        keyed.client(KEYS["red"]) as red,
        keyed.client(KEYS["boss"]) as boss,
        keyed.client(KEYS["blue"]) as blue,
    ):
        session = (await red.post("/mcp", json=hello)).headers["mcp-session-id"]
        headers = {"mcp-session-id": session}
        assert (await red.post("/mcp", json=listing, headers=headers)).status_code == 200
        for thief in (boss, blue):
            stolen = await thief.post("/mcp", json=listing, headers=headers)
            assert (stolen.status_code, stolen.json()["error"]["code"]) == (403, -32003)
        assert (await red.delete("/mcp", headers=headers)).status_code == 204
        assert (await red.post("/mcp", json=listing, headers=headers)).status_code == 404


# ---- rate limits ---------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def limited(api: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A workspace and a key for each limit, so that tests do not use up each other's."""
    folder = tmp_path_factory.mktemp("limited")
    names = ("red", "blue", "green")
    config = configs.base(
        api,
        auth={
            "anonymous": True,
            "api_keys": {"keys": {name: key(name, f"ws_{name}") for name in names}},
            "roles": {"admin": ["key:green"]},
        },
        workspaces={f"ws_{name}": {} for name in names},
        rate_limits={
            "few-requests": {"per": "key", "limit": "5/minute"},
            "few-runs": {"per": "workspace", "applies_to": "executions", "limit": "3/minute"},
            "few-gets": {
                "per": "tool",
                "applies_to": "tool_calls",
                "limit": "4/minute",
                "pattern": "shop.*.*.things.get",
            },
        },
    )
    file = configs.write(folder / "executor.yaml", config)
    with serving(file, folder / "state", env=configs.ENV) as proxy:
        proxy.admin = KEYS["green"]
        yield proxy


async def test_a_used_up_request_limit_is_429_with_its_name_and_when_to_come_back(limited: Proxy) -> None:
    async with limited.client(KEYS["red"]) as client:
        # What keeps a session going does not count.
        for _ in range(8):
            listed = await client.post("/mcp", json=envelope("tools/list"), headers=headers_of("tools/list"))
            assert listed.status_code == 200
        answers = [await client.get("/api/connections") for _ in range(5)]
        answers.append(await post(client, "execute", {"code": "return 1"}))
    assert [one.status_code for one in answers] == [200] * 5 + [429]
    refused = answers[-1]
    assert (refused.json()["error"]["code"], refused.json()["id"]) == (-32029, 1)
    assert "`few-requests`" in refused.json()["error"]["message"]
    assert refused.json()["error"]["data"]["limit"] == "few-requests"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    async with limited.client(KEYS["red"], **{"x-forwarded-for": "203.0.113.9"}) as client:
        spoofed = await post(client, "execute", {"code": "return 1"})
    assert spoofed.status_code == 429
    async with limited.client(KEYS["green"]) as other:
        fine = await other.get("/api/connections")
    assert fine.status_code == 200
    assert await limited.counted("executor_rate_limit_hits_total", limit="few-requests") == 2


async def test_a_used_up_execution_limit_is_told_to_the_model(limited: Proxy) -> None:
    async with limited.client(KEYS["blue"]) as client:
        answers = [(await post(client, "execute", {"code": "return 1"})).json()["result"] for _ in range(4)]
    assert [one["isError"] for one in answers] == [False] * 3 + [True]
    assert "rate_limited: the limit `few-runs` is used up" in answers[-1]["content"][0]["text"]


async def test_a_used_up_tool_call_limit_is_a_value_with_its_time(limited: Proxy, api: Upstream) -> None:
    code = """
        const calls = [];
        for (let i = 0; i < 6; i++) calls.push(await tools.shop.org.main.things.get({id: 't1'}));
        calls.push(await tools.shop.org.main.things.list({}));
        return calls.map((call) => call.ok || call.error);"""
    before = len(api.seen)
    seen = (await limited.execute(code, token=KEYS["green"])).value
    assert seen[:4] == [True] * 4
    assert seen[6] is True
    for refused in seen[4:6]:
        assert (refused["code"], refused["retryable"]) == ("rate_limited", True)
        assert refused["details"]["scope"] == "few-gets"
        assert 1 <= refused["details"]["retryAfterMs"] <= 60_000
    assert len(api.seen) == before + 5


async def test_without_declared_limits_a_workspace_has_a_hundred_requests_a_minute(
    api: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("default-limits")
    file = configs.write(folder / "executor.yaml", configs.base(api, rate_limits=None))
    with serving(file, folder / "state", env=configs.ENV) as proxy:
        async with proxy.client() as client:
            some = [client.get("/api/connections") for _ in range(100)]
            statuses = [one.status_code for one in await asyncio.gather(*some)]
            last = await post(client, "execute", {"code": "return 1"})
    assert statuses == [200] * 100
    assert last.status_code == 429
    assert "`per-workspace` (built in: 100 in 60 s per workspace; `rate_limits`" in last.text


async def test_a_limit_that_answers_the_model_and_workspaces_with_their_own(
    api: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Field report 12: the session of every client lives on."""
    folder = tmp_path_factory.mktemp("told-limits")
    config = configs.base(
        api,
        auth={"api_keys": {"keys": {name: key(name, f"ws_{name}") for name in ("red", "blue")}}},
        workspaces={"ws_red": {}, "ws_blue": {"rate_limits": {"all": "3/minute"}}},
        rate_limits={"all": {"per": "workspace", "limit": "1/minute", "respond": "tool_error"}},
    )
    with serving(configs.write(folder / "executor.yaml", config), folder / "state", env=configs.ENV) as proxy:
        for name, many in (("red", 1), ("blue", 3)):
            for era in ("legacy", MODERN):
                async with proxy.sdk(era, token=KEYS[name]) as client:
                    said = [await client.call_tool("execute", {"code": "return 1"}) for _ in range(many + 1)]
                    listed = await client.list_tools()
                    text = getattr(said[-1].content[0], "text", "")
                    assert listed.tools
                    assert said[-1].is_error
                    assert text.startswith("Rate limit `all` is used up. Try again in ")
                    # The second client finds the limit used up by the first.
                    assert [one.is_error for one in said[:-1]] == [era != "legacy"] * many


async def test_bad_keys_count_by_address_and_good_ones_go_on(
    api: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("guessed")
    auth = {"api_keys": {"keys": {one: {"hash": f"sha256:{hash_key(KEYS[one])}"} for one in ("red", "blue")}}}
    with serving(
        configs.write(folder / "executor.yaml", configs.base(api, auth=auth)),
        folder / "state",
        env=configs.ENV,
    ) as proxy:
        assert (await proxy.execute("return 1", token=KEYS["red"])).value == 1
        async with proxy.client("guess") as client:
            answers = [await client.get("/api/connections") for _ in range(31)]
            by_mcp = await post(client, "execute", {"code": "return 1"})
        assert [one.status_code for one in answers] == [401] * 30 + [429]
        assert by_mcp.status_code == 429
        remedy = "a limit `per: ip` in `rate_limits` replaces it"
        assert f"`bad-credentials` (built in: 30 in 60 s per ip; {remedy})" in by_mcp.text
        assert 1 <= int(by_mcp.headers["retry-after"]) <= 60
        # A key that was good before is looked at; one that nobody knows yet is not.
        assert (await proxy.execute("return 1", token=KEYS["red"])).value == 1
        async with proxy.client(KEYS["blue"]) as client:
            assert (await client.get("/api/connections")).status_code == 429


async def test_behind_a_trusted_proxy_who_guesses_locks_out_nobody_else(
    api: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("behind")
    keys = {one: {"hash": f"sha256:{hash_key(KEYS[one])}"} for one in ("red", "blue")}
    auth = {"api_keys": {"keys": keys}, "roles": {"admin": ["key:blue"]}}
    server = {"trusted_proxies": ["127.0.0.1/32"]}
    config = configs.write(folder / "executor.yaml", configs.base(api, auth=auth, server=server))
    with serving(config, folder / "state", env=configs.ENV) as proxy:
        # What a guesser writes into the header itself comes before what the proxy adds; an IPv6 /64 is one address.
        for number in range(100):
            sender = f"198.51.100.{number}, 2001:db8::{number:x}"
            async with proxy.client(f"guess-{number}", **{"x-forwarded-for": sender}) as client:
                refused = await client.get("/-/status" if number % 2 else "/api/connections")
            assert refused.status_code == (401 if number < 30 else 429), number
        async with proxy.client(KEYS["blue"], **{"x-forwarded-for": "192.0.2.7"}) as client:
            assert (await client.get("/api/connections")).status_code == 200
            assert (await client.get("/-/status")).status_code == 200
            assert (await post(client, "execute", {"code": "return 1"})).status_code == 200
        async with proxy.client(KEYS["red"], **{"x-forwarded-for": "2001:db8::ffff"}) as client:
            assert (await client.get("/api/connections")).status_code == 429


async def test_anonymous_callers_are_let_in_where_the_config_says_so(limited: Proxy) -> None:
    async with limited.client() as client:
        unnamed = await post(client, "execute", {"code": WHO})
        named = await post(client, "execute", {"code": WHO}, "/ws_red/mcp")
        wrong = await post(client, "execute", {"code": WHO}, "/no_such/mcp")
    assert unnamed.status_code == 400
    assert "workspaceId" in unnamed.json()["error"]["message"]
    assert "ws_red" not in unnamed.text
    assert Answer(named.json()["result"]).structured["accountId"] == "anonymous"
    assert wrong.status_code == 403
