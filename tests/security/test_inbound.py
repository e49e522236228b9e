"""T33 (forged hosts), T34 (session theft and fixation), T35 (DNS rebinding), on a real server; T36 (API keys)
and T37 (ways around rate limits), on what the server asks."""

from __future__ import annotations

import asyncio

import pytest
from limits.errors import StorageError

from integrations.base import Secret
from proxy.auth import (
    Authenticator,
    AuthError,
    AuthRequest,
    KeyRecord,
    Keyring,
    create_key,
    hash_key,
    key_records,
)
from proxy.config import load_config
from proxy.config.model import DEFAULT_RATE_LIMITS
from proxy.config.secrets import Resolver
from proxy.limits import (
    Denied,
    LimitRule,
    LimitSubject,
    MemoryWindows,
    RateLimiter,
    RateWindow,
    limit_rules,
)
from proxy.principal import Principal
from proxy.serving.admission import AdmissionOptions
from proxy.serving.app import AppOptions
from proxy.serving.http.origins import HostRules
from tests.proxy.serving.support import call, initialize, open_session, serving

FORGED = [
    "attacker.example",
    "attacker.example:80",
    "127.0.0.1.attacker.example",
    "localhost.attacker.example",
    "localhost@attacker.example",
    "[::1].attacker.example",
    "10.0.0.7",
    "127.0.0.1:80:90",
]
FOREIGN = [
    "null",
    "http://attacker.example",
    "https://localhost.attacker.example",
    "file://",
    "javascript:0",
    "",
]


@pytest.mark.parametrize("host", FORGED)
async def test_t35_forged_host_is_421_on_every_route(host: str) -> None:
    async with serving() as server, server.client() as client:
        answer = await client.post("/mcp", json=initialize(), headers={"host": host})
        assert answer.status_code == 421
        assert answer.json()["error"]["code"] == -32600
        assert (await client.get("/-/status", headers={"host": host})).status_code == 421
        assert (await client.post("/-/reload", headers={"host": host})).status_code == 421
        for health in ("/healthz", "/readyz", "/-/healthy", "/-/ready"):  # recipe 11: probes by any name
            assert (await client.get(health, headers={"host": host})).status_code == 200
    assert server.board.finished == [("mcp", 421)]


@pytest.mark.parametrize("origin", FOREIGN)
async def test_t35_foreign_origin_is_403_on_every_route(origin: str) -> None:
    async with serving() as server, server.client() as client:
        for code, answer in (
            (-32600, await client.post("/mcp", json=initialize(), headers={"origin": origin})),
            (-32600, await client.options("/mcp", headers={"origin": origin})),
            ("bad_origin", await client.post("/-/reload", headers={"origin": origin})),
        ):
            assert answer.status_code == 403, origin
            assert answer.json()["error"]["code"] == code
            assert "access-control-allow-origin" not in answer.headers


async def test_t35_loopback_names_are_answered() -> None:
    async with serving() as server, server.client() as client:
        port = server.url.rpartition(":")[2]
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", "LOCALHOST"):
            answer = await client.post("/mcp", json=initialize(), headers={"host": host})
            assert answer.status_code == 200, host
        for origin in (server.url, "http://localhost:5173"):
            answer = await client.post("/mcp", json=initialize(), headers={"origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin


async def raw(url: str, *lines: str) -> bytes:
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write("\r\n".join((*lines, "connection: close", "", "")).encode())
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_t35_repeated_headers_are_refused() -> None:
    async with serving() as server:
        host = "host: " + server.url.removeprefix("http://")
        start = ("GET /mcp HTTP/1.1", host)
        two_origins = await raw(
            server.url, *start, f"origin: {server.url}", "origin: http://attacker.example"
        )
        assert two_origins.startswith(b"HTTP/1.1 403 ")
        two_tokens = await raw(server.url, *start, "authorization: Bearer alice", "authorization: Bearer bob")
        assert two_tokens.startswith(b"HTTP/1.1 400 ")
        two_sessions = await raw(
            server.url, *start, "authorization: Bearer alice", "mcp-session-id: a", "mcp-session-id: b"
        )
        assert two_sessions.startswith(b"HTTP/1.1 400 ")
        two_hosts = await raw(server.url, *start, "host: attacker.example")
        assert two_hosts.startswith(b"HTTP/1.1 4")


async def test_t33_forwarded_headers_and_hosts_are_never_echoed() -> None:
    rules = HostRules.build("0.0.0.0", "https://mcp.example.org/x", (), ())
    async with (
        serving(AppOptions(admission=AdmissionOptions(hosts=rules))) as server,
        server.client(None) as client,
    ):
        forged = {
            "x-forwarded-host": "attacker.example",
            "x-forwarded-proto": "https",
            "forwarded": "host=attacker.example",
            "host": "mcp.example.org",
        }
        answer = await client.post("/mcp", json=initialize(), headers=forged)
        assert answer.status_code == 401
        assert "attacker" not in answer.text + str(answer.headers)
        assert (await client.post("/mcp", json={}, headers={"host": "attacker.example"})).status_code == 421


async def test_t34_sessions_are_random_and_chosen_by_the_server() -> None:
    async with serving() as server, server.client() as client:
        ids = {await open_session(client) for _ in range(20)}
        assert len(ids) == 20
        assert all(len(name) == len("mcp_") + 32 for name in ids)
        fixed = await client.post("/mcp", json=initialize(), headers={"mcp-session-id": "mcp_" + "0" * 32})
        assert fixed.status_code == 404


async def test_t34_session_in_the_url_is_ignored() -> None:
    async with serving() as server, server.client() as client:
        session = await open_session(client)
        answer = await client.post(f"/mcp?mcp-session-id={session}", json=call("return 1"))
        assert answer.status_code == 400


async def test_t34_the_same_account_name_in_another_workspace_is_another_owner() -> None:
    async with serving() as server, server.client() as alice, server.client("eve") as eve:
        session = await open_session(alice)
        answer = await eve.post("/mcp", json=call("return 1"), headers={"mcp-session-id": session})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, -32003)


def authenticator(*keys: tuple[str, str]) -> Authenticator:
    """As a reload makes it from files that hold these keys by hash."""
    lines = "".join(
        f"      {name}: {{hash: 'sha256:{hash_key(key)}', workspace: ws}}\n" for name, key in keys
    )
    text = f"version: 1\nworkspaces: {{ws: {{name: W}}}}\nauth:\n  api_keys:\n    keys:\n{lines}"
    config = load_config(["-"], env=None, stdin=text.encode()).config
    assert config is not None
    return Authenticator("keys", Keyring(key_records(config, Resolver({}).resolve, str)), None, ["ws"])


async def enter(who: Authenticator, key: str) -> str | int:
    try:
        return (await who.authenticate(AuthRequest([("x-api-key", key)], {}))).account_id
    except AuthError as error:
        return error.status


async def test_t36_a_key_that_left_the_files_is_revoked_and_a_new_one_works() -> None:
    old, _ = create_key("bot", "ws")
    new, _ = create_key("bot", "ws")
    before = authenticator(("bot", old), ("other", "exk_other"))
    after = authenticator(("bot", new), ("other", "exk_other"))
    assert [await enter(before, key) for key in (old, new, "exk_other")] == ["key:bot", 401, "key:other"]
    assert [await enter(after, key) for key in (old, new, "exk_other")] == [401, "key:bot", "key:other"]


def test_t36_every_key_is_compared_also_after_a_match() -> None:
    """Of two keys with one digest the last is found, so the comparison did not stop at the first."""
    first, last = KeyRecord("first", hash_key("k"), "ws"), KeyRecord("last", hash_key("k"), "ws")
    assert Keyring([first, last, KeyRecord("x", hash_key("x"), "ws")]).match("k") is last


def test_t36_nothing_that_is_kept_holds_a_key() -> None:
    key, lines = create_key("bot", "ws")
    who = Authenticator("local", Keyring([KeyRecord("bot", hash_key(key), "ws")]), Secret("canary"), ["ws"])
    held = [repr(vars(who)), repr(who._keyring._digests), lines]
    assert not [text for text in held if key in text or "canary" in text]


@pytest.mark.parametrize(
    "name", ["api_key", "apikey", "x-api-key", "token", "access_token", "key", "Authorization"]
)
async def test_t36_keys_in_the_url_are_refused_even_when_they_are_good(name: str) -> None:
    who = authenticator(("bot", "exk_good"))
    for headers in ([], [("x-api-key", "exk_good")]):
        with pytest.raises(AuthError, match="Credentials in the URL are refused") as caught:
            await who.authenticate(AuthRequest(headers, {name: ["exk_good"]}))
        assert caught.value.status == 400
        assert "exk_good" not in str(caught.value)


def fresh(*rules: LimitRule) -> RateLimiter:
    return RateLimiter(rules, MemoryWindows(lambda: 1000.0), clock=lambda: 1000.0)


@pytest.mark.parametrize("per", ["user", "workspace", "server"])
async def test_t37_new_sessions_and_addresses_are_no_new_callers(per: str) -> None:
    limits = fresh(LimitRule("mine", per, "requests", RateWindow(3, 60)))  # type: ignore[arg-type]
    eva = Principal("ws", "user:eva", "user")
    answers = [
        await limits.check("requests", LimitSubject.of(eva, ip=f"10.0.0.{n}", session=f"mcp_{n}"))
        for n in range(9)
    ]
    assert answers.count(None) == 3


async def test_t37_a_key_is_counted_as_a_key_wherever_it_comes_from() -> None:
    limits = fresh(LimitRule("keys", "key", "requests", RateWindow(1, 60)))
    bot = Principal("ws", "key:bot", "key")
    assert await limits.check("requests", LimitSubject.of(bot, ip="10.0.0.1")) is None
    assert await limits.check("requests", LimitSubject.of(bot, ip="10.0.0.2")) is not None
    # A person of the same name is somebody else.
    assert await limits.check("requests", LimitSubject.of(Principal("ws", "user:bot", "user"))) is None


async def test_t37_leaving_the_session_out_is_no_way_around() -> None:
    limits = fresh(LimitRule("session", "session", "requests", RateWindow(1, 60)))
    eva = Principal("ws", "user:eva", "user")
    answers = [await limits.check("requests", LimitSubject.of(eva, ip=f"10.0.0.{n}")) for n in range(5)]
    assert answers.count(None) == 1


class Outage(MemoryWindows):
    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        raise StorageError(ConnectionError("gone"))


async def test_t37_an_outage_of_the_store_does_what_the_rule_declares() -> None:
    subject = LimitSubject.of(Principal("ws", "user:eva", "user"))
    for mode, expected in (("allow", None), ("deny", Denied("mine", 1000, "user", store_failed=True))):
        rule = LimitRule("mine", "user", "requests", RateWindow(1, 60), on_store_failure=mode)  # type: ignore[arg-type]
        assert await RateLimiter([rule], Outage()).check("requests", subject) == expected


async def test_t37_a_workspace_has_a_limit_when_nobody_declared_one() -> None:
    limits = fresh(*limit_rules(DEFAULT_RATE_LIMITS))
    answers = [
        await limits.check("requests", LimitSubject.of(Principal("ws", f"user:{n}", "user")))
        for n in range(101)
    ]
    assert answers.index(answers[-1]) == 100
    assert answers[-1] is not None
