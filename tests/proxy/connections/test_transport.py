"""Proxy, certificates and client key of an integration, and that there are none where the config names none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from integrations import OpenApi
from integrations.base import Secret
from integrations.http import EgressRules, HttpClient, TransportOptions, Unreachable
from proxy.config.secrets import Resolver
from proxy.connections.transport import client_for, transport_chooser, transport_settings
from tests.integrations.echo import echo_server

CERT = {"cert": "/etc/client.pem", "key": {"env": "CLIENT_KEY"}}


def api(**more: Any) -> OpenApi:
    return OpenApi.model_validate({"kind": "openapi", "spec": {"url": "https://x.example/o.json"}, **more})


def test_without_settings_the_transport_is_direct() -> None:
    assert not any(transport_settings(api()))
    assert transport_chooser(api(), Resolver({}))() == TransportOptions()


async def test_the_connections_of_a_client_are_its_owners() -> None:
    async with echo_server() as echo, HttpClient() as http:
        rules = EgressRules(origins=frozenset({echo.url}))
        clients = [client_for(http, api(), Resolver({}), owner) for owner in ("one", "two", "one")]
        for client in clients:
            await client.request("GET", echo.url, [], None, timeout_seconds=10, max_bytes=10_000, allow=rules)
        assert sorted(len(pool.connections) for pool in http._pools.values()) == [1, 1]


def test_every_setting_is_used() -> None:
    one = api(proxy="http://proxy.example:3128", ca_bundle="/etc/ca.pem", client_cert=CERT)
    expected = TransportOptions(
        "http://proxy.example:3128", Path("/etc/ca.pem"), Path("/etc/client.pem"), Secret("k")
    )
    assert transport_chooser(one, Resolver({"CLIENT_KEY": "k"}))() == expected


def test_the_key_is_asked_for_anew_and_may_be_missing() -> None:
    env: dict[str, str] = {}
    choose = transport_chooser(api(client_cert=CERT), Resolver(env))
    with pytest.raises(Unreachable, match="client_cert: CLIENT_KEY is not set"):
        choose()
    env["CLIENT_KEY"] = "k"
    assert choose().client_key == Secret("k")
