"""Own certificate authorities, client certificates and proxies, over real TLS."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from integrations.base import Secret
from integrations.http import EgressDenied, EgressRules, HttpClient, TransportOptions, Unreachable
from integrations.http.egress import parse_target
from integrations.http.transport import check_proxied, plain_context
from tests.integrations.echo import Echo, echo_server
from tests.integrations.tls import Authority, forward_proxy, tls_in_front_of


def port_of(echo: Echo) -> int:
    return int(echo.url.rsplit(":", 1)[1])


async def get(
    http: HttpClient, url: str, transport: TransportOptions, *, spelled: bool = True, path: str = "/x"
) -> int:
    rules = EgressRules(origins=frozenset({url})) if spelled else EgressRules()
    client = http.through(lambda: transport)
    response = await client.request(
        "GET", url + path, [], None, timeout_seconds=5, max_bytes=10_000, allow=rules
    )
    return response.status


async def test_an_own_authority_is_trusted_where_it_is_named_and_nowhere_else(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server_context(authority.issue("server", "127.0.0.1"))
    async with echo_server() as echo, tls_in_front_of(port_of(echo), context) as port, HttpClient() as http:
        url = f"https://127.0.0.1:{port}"
        with pytest.raises(Unreachable, match="certificate verify failed"):
            await get(http, url, TransportOptions())
        assert echo.log == []
        assert await get(http, url, TransportOptions(ca_bundle=authority.bundle)) == 200
        with pytest.raises(Unreachable, match="certificate verify failed"):
            await get(http, url, TransportOptions())
        assert len(echo.log) == 1


async def test_names_are_still_verified(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server_context(authority.issue("server", "other.test"))
    async with echo_server() as echo, tls_in_front_of(port_of(echo), context) as port, HttpClient() as http:
        with pytest.raises(Unreachable, match="certificate"):
            await get(http, f"https://127.0.0.1:{port}", TransportOptions(ca_bundle=authority.bundle))
        assert echo.log == []


async def test_a_client_certificate_opens_a_server_that_wants_one(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server_context(authority.issue("server", "127.0.0.1"), client_required=True)
    client = authority.issue("client")
    async with echo_server() as echo, tls_in_front_of(port_of(echo), context) as port, HttpClient() as http:
        url = f"https://127.0.0.1:{port}"
        with pytest.raises(Unreachable):
            await get(http, url, TransportOptions(ca_bundle=authority.bundle))
        shown = TransportOptions(None, authority.bundle, client.cert, client.secret)
        assert await get(http, url, shown) == 200
        with pytest.raises(Unreachable):
            await get(http, url, TransportOptions(ca_bundle=authority.bundle))
        assert len(echo.log) == 1


async def test_a_replaced_certificate_and_key_are_used_for_the_next_request(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    stale, fresh = old.issue("client"), new.issue("client")
    context = new.server_context(new.issue("server", "127.0.0.1"), client_required=True)
    async with echo_server() as echo, tls_in_front_of(port_of(echo), context) as port, HttpClient() as http:
        url = f"https://127.0.0.1:{port}"
        with pytest.raises(Unreachable):
            await get(http, url, TransportOptions(None, new.bundle, stale.cert, stale.secret))
        os.replace(fresh.cert, stale.cert)
        assert await get(http, url, TransportOptions(None, new.bundle, stale.cert, fresh.secret)) == 200


@pytest.mark.parametrize(
    ("bundle", "cert", "key", "words"),
    [
        ("missing.pem", None, None, "ca_bundle missing.pem cannot be used"),
        ("text.pem", None, None, "ca_bundle text.pem cannot be used"),
        (None, "text.pem", "key", "client_cert text.pem cannot be used"),
        (None, "client.pem", "not a key", "client_cert client.pem cannot be used"),
    ],
)
async def test_files_that_cannot_be_used_are_named_and_keys_are_not_shown(
    tmp_path: Path, bundle: str | None, cert: str | None, key: str | None, words: str
) -> None:
    Authority(tmp_path).issue("client")
    (tmp_path / "text.pem").write_text("not a certificate")
    transport = TransportOptions(
        ca_bundle=tmp_path / bundle if bundle else None,
        client_cert=tmp_path / cert if cert else None,
        client_key=Secret(key) if key else None,
    )
    async with HttpClient() as http:
        with pytest.raises(Unreachable, match=words) as caught:
            await get(http, "https://127.0.0.1:9", transport)
    assert "not a key" not in str(caught.value)


async def test_an_encrypted_key_does_not_ask_on_the_terminal(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    client = Authority(tmp_path).issue("client")
    key = serialization.load_pem_private_key(client.key.read_bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"word"),
    )
    async with HttpClient() as http:
        with pytest.raises(Unreachable, match="client_cert"):
            await get(
                http,
                "https://127.0.0.1:9",
                TransportOptions(None, None, client.cert, Secret(encrypted.decode())),
            )


async def test_https_goes_through_a_tunnel_that_the_proxy_cannot_read(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server_context(authority.issue("server", "api.public.test"))
    async with (
        echo_server() as echo,
        tls_in_front_of(port_of(echo), context) as port,
        forward_proxy({"api.public.test": port}) as proxy,
        HttpClient() as http,
    ):
        transport = TransportOptions(proxy.url, authority.bundle)
        assert await get(http, "https://api.public.test", transport, spelled=False) == 200
        assert proxy.asked == ["CONNECT api.public.test:443 HTTP/1.1"]
        assert [seen.target for seen in echo.log] == ["/x"]


async def test_a_client_certificate_is_shown_to_the_upstream_through_an_https_proxy(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    upstream = authority.server_context(authority.issue("server", "api.public.test"), client_required=True)
    outer = authority.server_context(authority.issue("proxy", "127.0.0.1"))
    client = authority.issue("client")
    async with (
        echo_server() as echo,
        tls_in_front_of(port_of(echo), upstream) as port,
        forward_proxy({"api.public.test": port}, outer) as proxy,
        HttpClient() as http,
    ):
        transport = TransportOptions(proxy.url, authority.bundle, client.cert, client.secret)
        assert await get(http, "https://api.public.test", transport, spelled=False) == 200
        assert len(echo.log) == 1


async def test_plain_http_is_forwarded_with_the_target_as_it_is() -> None:
    async with (
        echo_server() as echo,
        forward_proxy({"api.public.test": port_of(echo)}) as proxy,
        HttpClient() as http,
    ):
        url = "http://api.public.test"
        assert await get(http, url, TransportOptions(proxy.url), path="/a/%2e%2e/b?c=%5B") == 200
        assert proxy.asked == ["GET http://api.public.test:80/a/%2e%2e/b?c=%5B HTTP/1.1"]
        assert (echo.log[0].target, echo.log[0].header("host")) == ("/a/%2e%2e/b?c=%5B", "api.public.test")


async def test_a_proxy_that_refuses_is_an_upstream_that_cannot_be_reached() -> None:
    async with forward_proxy({}) as proxy, HttpClient() as http:
        proxy.refuses = True
        with pytest.raises(Unreachable, match="403") as caught:
            await get(http, "https://api.public.test", TransportOptions(proxy.url), spelled=False)
        assert not caught.value.sent


async def test_pools_of_different_transports_are_apart() -> None:
    async with (
        echo_server() as echo,
        forward_proxy({"127.0.0.1": port_of(echo)}) as proxy,
        HttpClient() as http,
    ):
        for transport in (TransportOptions(), TransportOptions(proxy.url), TransportOptions()):
            assert await get(http, echo.url, transport) == 200
        assert len(proxy.asked) == 1
        assert len(echo.log) == 3


async def test_the_transport_is_chosen_for_each_request() -> None:
    async with (
        echo_server() as echo,
        forward_proxy({"127.0.0.1": port_of(echo)}) as proxy,
        HttpClient() as http,
    ):
        choices = [TransportOptions(), TransportOptions(proxy.url)]
        client = http.through(lambda: choices.pop(0))
        async with client:
            for _ in range(2):
                rules = EgressRules(origins=frozenset({echo.url}))
                await client.request(
                    "GET", echo.url, [], None, timeout_seconds=5, max_bytes=1000, allow=rules
                )
        assert len(proxy.asked) == 1
        assert await get(http, echo.url, TransportOptions()) == 200


@pytest.mark.parametrize("url", ["https://api.example.com/", "https://93.184.216.34/", "https://abc.def/"])
def test_public_targets_may_be_asked_of_a_proxy(url: str) -> None:
    check_proxied(parse_target(url), EgressRules())


def test_a_private_target_may_be_named() -> None:
    check_proxied(parse_target("https://10.1.2.3/"), EgressRules(allow=("10.0.0.0/8",)))
    check_proxied(parse_target("https://127.1/"), EgressRules(allow=("127.1",)))
    with pytest.raises(EgressDenied):
        check_proxied(parse_target("https://10.1.2.3/"), EgressRules(allow=("10.2.0.0/16",)))


def test_a_pool_for_plain_http_trusts_nobody_should_it_ever_speak_tls() -> None:
    context = plain_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.get_ca_certs() == []
