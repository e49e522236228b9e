"""Somebody signs in on another device: who may ask, how often the server is asked, and what ends it (RFC 8628)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.connections.oauth.basis import SignInProblem
from proxy.connections.oauth.device import BegunDevice, DeviceStanding
from proxy.principal import Principal
from proxy.state import MemoryState, State
from tests.integrations.oauth.server import AuthServer, Quirks, auth_server
from tests.proxy.connections.oauth.support import ANN, BOB, NOBODY, Replica, replica
from tests.proxy.support import call, data_of

MINE = "shop.user.me"
OURS = "shop.org.main"


@asynccontextmanager
async def scene(
    folder: Path, env: Mapping[str, str], state: State | None = None, **quirks: Any
) -> AsyncIterator[tuple[AuthServer, Replica]]:
    asked = {"devices": True, **quirks}
    async with (
        auth_server(Quirks(**asked)) as server,
        replica(folder, env, server, state or MemoryState()) as one,
    ):
        yield server, one


def connected(standing: DeviceStanding) -> bool:
    return standing.connected


async def ended(
    one: Replica, begun: BegunDevice, until: Callable[[DeviceStanding], object] = connected
) -> DeviceStanding:
    """Asked again and again, as often as the server allows."""
    while True:
        standing = await one.sign_ins.devices.ask(begun.state, ANN, operator=False)
        if until(standing):
            return standing
        await asyncio.sleep(begun.interval)


async def test_the_code_is_entered_elsewhere(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with scene(tmp_path, env) as (server, one):
        begun = await one.sign_ins.devices.begin(MINE, ANN, operator=False)
        assert begun.url == f"{server.url}/device-page"
        waiting = await one.sign_ins.devices.ask(begun.state, ANN, operator=False)
        assert (waiting.connection, waiting.connected) == (MINE, False)
        server.enter(begun.user_code, "ann-upstream")
        assert (await ended(one, begun)).connected
        assert data_of(await call(one[MINE], "items.list", principal=ANN))["account"] == "ann-upstream"
        # Registered once, for this grant, without a place to be sent back to.
        assert len(server.clients) == 1
        await one.sign_ins.devices.begin(MINE, BOB, operator=False)
        assert len(server.clients) == 1
        with pytest.raises(SignInProblem) as refused:
            await one.sign_ins.devices.ask(begun.state, ANN, operator=False)
        assert (refused.value.status, refused.value.code) == (400, "state_mismatch")
        # What was got is refreshed like any other token.
        server.revoke_all()
        assert data_of(await call(one[MINE], "items.list", principal=ANN))["account"] == "ann-upstream"


async def test_whose_it_is_and_who_may(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with scene(tmp_path, env) as (server, one):
        devices = one.sign_ins.devices
        begun = await devices.begin(MINE, ANN, operator=False)
        server.enter(begun.user_code, "ann")
        elsewhere = Principal("other", "key:ann", "key")
        for who in (BOB, elsewhere):
            with pytest.raises(SignInProblem) as refused:
                await devices.ask(begun.state, who, operator=True)
            assert refused.value.status == 403
        for prefix, who, status in ((OURS, ANN, 403), (MINE, NOBODY, 403), ("no.org.such", ANN, 404)):
            with pytest.raises(SignInProblem) as refused:
                await devices.begin(prefix, who, operator=False)
            assert refused.value.status == status
        assert (await ended(one, begun)).connected
        for forged in ("", "forged"):
            with pytest.raises(SignInProblem) as refused:
                await devices.ask(forged, ANN, operator=False)
            assert refused.value.code == "state_mismatch"
        shared = await devices.begin(OURS, ANN, operator=True)
        server.enter(shared.user_code, "bot")
        # Somebody who is no operator any more does not finish what he began as one.
        with pytest.raises(SignInProblem) as refused:
            await devices.ask(shared.state, ANN, operator=False)
        assert refused.value.status == 403


async def test_begun_on_one_replica_and_asked_on_others(tmp_path: Path, env: Mapping[str, str]) -> None:
    state = MemoryState()
    async with (
        scene(tmp_path, env, state, device_interval=30) as (server, one),
        replica(tmp_path, env, server, state) as other,
    ):
        begun = await one.sign_ins.devices.begin(MINE, ANN, operator=False)
        server.enter(begun.user_code, "ann")
        asks = (each.sign_ins.devices.ask(begun.state, ANN, operator=False) for each in (one, other) * 5)
        standings = await asyncio.gather(*asks)
        # The server is not asked before its interval is over, whoever wants to know.
        assert [(each.connected, each.interval) for each in standings] == [(False, 30.0)] * 10
        assert server.asked == []


@pytest.mark.parametrize(
    ("answers", "least"), [(["authorization_pending"], 0.0), (["slow_down"], 5.0), (["slow_down"] * 2, 5.0)]
)
async def test_the_server_says_later(
    tmp_path: Path, env: Mapping[str, str], answers: list[str], least: float
) -> None:
    async with scene(tmp_path, env) as (server, one):
        begun = await one.sign_ins.devices.begin(MINE, ANN, operator=False)
        server.device_answers = list(answers)
        standing = await ended(one, begun, lambda _: server.asked)
        assert (standing.connected, standing.why) == (False, None)
        assert standing.interval >= least


async def test_a_server_that_is_down_is_asked_again(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with scene(tmp_path, env) as (server, one):
        begun = await one.sign_ins.devices.begin(MINE, ANN, operator=False)
        server.down = True
        standing = await ended(one, begun, lambda asked: asked.why)
        assert (standing.connected, standing.interval >= 5) == (False, True)
        assert "503" in (standing.why or "")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("access_denied", "access_denied"),
        ("expired_token", "expired_token"),
        ("invalid_grant", "invalid_grant"),
        ("invalid_client", "invalid_client"),
    ],
)
async def test_the_server_says_no(tmp_path: Path, env: Mapping[str, str], answer: str, words: str) -> None:
    async with scene(tmp_path, env) as (server, one):
        begun = await one.sign_ins.devices.begin(MINE, ANN, operator=False)
        server.device_answers = [answer]
        with pytest.raises(SignInProblem, match=words) as refused:
            await ended(one, begun)
        assert (refused.value.status, refused.value.code) == (400, "sign_in_failed")
        with pytest.raises(SignInProblem) as refused:
            await one.sign_ins.devices.ask(begun.state, ANN, operator=False)
        assert refused.value.code == "state_mismatch"
        # A server that has forgotten the client gets a new one.
        await one.sign_ins.devices.begin(MINE, ANN, operator=False)
        assert len(server.clients) == (2 if answer == "invalid_client" else 1)


async def test_a_server_without_it_is_named(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with scene(tmp_path, env, devices=False) as (server, one):
        with pytest.raises(SignInProblem, match="device_authorization_url") as refused:
            await one.sign_ins.devices.begin(MINE, ANN, operator=False)
        assert (refused.value.status, refused.value.code) == (409, "device_flow_not_supported")
        assert server.clients == {}


async def test_urls_of_the_config_and_what_they_are_asked(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with auth_server(Quirks(forms=True, errors_with_200=True, metadata_at=())) as server:
        server.clients["cid"] = "s3cret-value"
        auth = {
            "authorization_url": f"{server.url}/authorize",
            "token_url": f"{server.url}/token",
            "device_authorization_url": f"{server.url}/device",
            "client_id": "cid",
            "client_secret": {"env": "S"},
            "scopes": ["repo"],
            "audience": "api",
        }
        async with replica(tmp_path, env, server, MemoryState(), auth, secrets={"S": "s3cret-value"}) as one:
            begun = await one.sign_ins.devices.begin(MINE, ANN, operator=False)
            assert server.device_asked == [{"scope": "repo", "audience": "api", "client_id": "cid"}]
            server.enter(begun.user_code, "ann")
            assert (await ended(one, begun)).connected
