"""Proxy, certificates and client key of an integration, and that there are none where the config names none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from integrations import OpenApi
from integrations.base import Secret
from integrations.http import HttpClient, TransportOptions, Unreachable
from proxy.config.secrets import Resolver
from proxy.connections.transport import client_for, transport_chooser, transport_settings

CERT = {"cert": "/etc/client.pem", "key": {"env": "CLIENT_KEY"}}


def api(**more: Any) -> OpenApi:
    return OpenApi.model_validate({"kind": "openapi", "spec": {"url": "https://x.example/o.json"}, **more})


def test_without_settings_the_transport_is_direct() -> None:
    assert not any(transport_settings(api()))
    assert transport_chooser(api(), Resolver({}))() == TransportOptions()


async def test_only_an_integration_with_settings_gets_a_client_of_its_own() -> None:
    async with HttpClient() as http:
        assert client_for(http, api(), Resolver({})) is http
        assert client_for(http, api(proxy="http://proxy.example:3128"), Resolver({})) is not http


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
