"""T24 (first part), T25, T26, T28: where requests may go, and what may come back."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import Any

import orjson
import pytest

from integrations.base import Credential, CredentialPart, Failure, Secret, SourceError, Success
from integrations.http import EgressDenied, EgressRules, HttpClient, TooLarge, TransportOptions
from integrations.openapi import OpenApiOptions, OpenApiUpstream, SpecSource, load_toolset
from integrations.openapi.load import parse_source
from tests.integrations.echo import Echo, Reply, echo_server
from tests.integrations.openapi.documents import operation, problems_of, request_of
from tests.integrations.tls import Authority, forward_proxy

BEARER = Credential(parts=(CredentialPart("bearer", Secret("canary-token")),))


async def fetch(http: HttpClient, url: str, rules: EgressRules, max_bytes: int = 100_000) -> bytes:
    response = await http.request("GET", url, [], None, timeout_seconds=5, max_bytes=max_bytes, allow=rules)
    return response.body


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "0.0.0.0", "2130706433", "0x7f000001",
        "017700000001", "127.1", "100.64.0.1", "100.100.100.200", "10.0.0.1", "172.16.0.1", "192.168.1.1",
        "localhost", "[::1]", "[::]", "[fe80::1]", "[fd00:ec2::254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
        "224.0.0.1", "255.255.255.255", "198.18.0.1",
    ],
)  # fmt: skip
async def test_T24_private_addresses_are_refused_at_dial_time(host: str) -> None:
    async with HttpClient() as http:
        with pytest.raises(EgressDenied):
            await fetch(http, f"https://{host}/", EgressRules())


PRIVATE = [
    "169.254.169.254", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "0.0.0.0", "2130706433", "0x7f000001",
    "017700000001", "127.1", "0x7f.1", "100.64.0.1", "100.100.100.200", "10.0.0.1", "172.16.0.1", "192.168.1.1",
    "localhost", "api.localhost", "localhost.", "metadata.google.internal", "[::1]", "[::]", "[fe80::1]",
    "[fd00:ec2::254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "224.0.0.1", "255.255.255.255", "198.18.0.1",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
async def test_T24_a_proxy_is_not_asked_for_private_targets(host: str) -> None:
    async with forward_proxy({}) as proxy, HttpClient() as http:
        client = http.through(lambda: TransportOptions(proxy.url))
        with pytest.raises(EgressDenied):
            await fetch(client, f"https://{host}/", EgressRules())
        assert proxy.asked == []


async def test_T24_the_address_of_a_direct_connection_is_checked_with_tls_options_too(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    client = authority.issue("client")
    async with HttpClient() as http:
        direct = http.through(lambda: TransportOptions(None, authority.bundle, client.cert, client.secret))
        with pytest.raises(EgressDenied):
            await fetch(direct, "https://10.0.0.1/", EgressRules())


async def test_T24_a_name_that_flips_after_the_check_is_not_looked_up_again() -> None:
    """First the allowed address, then a private one: what was checked is what is dialled."""
    answers = [["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1"]]

    async def flips(host: str, port: int) -> list[str]:
        return answers.pop(0)

    async with echo_server() as echo, HttpClient(resolve=flips) as http:
        port = echo.url.rsplit(":", 1)[1]
        url = f"http://flips.test:{port}"
        rules = EgressRules(allow=("127.0.0.0/8", "flips.test"))
        await fetch(http, url, rules)
        assert len(answers) == 2
        by_address = EgressRules(allow=("127.0.0.0/8",), declared=frozenset({url}))
        with pytest.raises(EgressDenied, match="169"):
            await fetch(http, url, by_address)
        assert len(echo.log) == 1


async def test_T24_a_name_is_looked_up_once_and_the_checked_address_dialled() -> None:
    answers = [["127.0.0.1"], ["93.184.216.34"]]
    asked: list[str] = []

    async def flips(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers.pop(0)

    async with echo_server() as echo, HttpClient(resolve=flips) as http:
        port = echo.url.rsplit(":", 1)[1]
        with pytest.raises(EgressDenied):
            await fetch(http, f"https://rebind.example:{port}/", EgressRules())
        assert asked == ["rebind.example"]
        assert echo.log == []


async def test_T24_of_a_mixed_answer_only_permitted_addresses_are_dialled() -> None:
    async def mixed(host: str, port: int) -> list[str]:
        return ["10.0.0.1", "127.0.0.1"]

    async with echo_server() as echo, HttpClient(resolve=mixed) as http:
        url = f"http://mixed.test:{echo.url.rsplit(':', 1)[1]}"
        by_address = EgressRules(allow=("127.0.0.1/32",))
        with pytest.raises(EgressDenied, match="plain http"):
            await fetch(http, url, by_address)
        assert echo.log == []


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/", "gopher://x", "//x/y", "http:///x", "https://a@b/"]
)
async def test_T24_only_http_urls_without_user_information(url: str) -> None:
    async with HttpClient() as http:
        with pytest.raises(EgressDenied):
            await fetch(http, url, EgressRules(allow=("0.0.0.0/0",)))


async def test_T24_plain_http_needs_to_be_spelled_out() -> None:
    async with HttpClient() as http:
        with pytest.raises(EgressDenied, match="plain http"):
            await fetch(http, "http://93.184.216.34/", EgressRules())


async def test_T24_connections_are_not_shared_between_rules() -> None:
    async with echo_server() as echo, HttpClient() as http:
        await fetch(http, f"{echo.url}/a", EgressRules(origins=frozenset({echo.url})))
        with pytest.raises(EgressDenied):
            await fetch(http, f"{echo.url}/b", EgressRules())
        assert [seen.target for seen in echo.log] == ["/a"]


async def upstream_of(echo: Echo, http: HttpClient, **options: Any) -> OpenApiUpstream:
    toolset = await load_toolset(SpecSource(inline=operation("/x")), OpenApiOptions(), http, None)
    return OpenApiUpstream(toolset, http, base_url=echo.url, headers={"X-Static": "static-canary"}, **options)


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest", "https://10.0.0.1/", "http://[::1]:1/"])
async def test_T24_redirects_are_checked_again(target: str) -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/x"] = [Reply(302, [("Location", target)])]
        upstream = await upstream_of(echo, http)
        result = await upstream.invoke(upstream.prepare(upstream.toolset.tools[0].name, {}), BEARER, 5)
        assert isinstance(result, Failure)
        assert result.code == "egress_denied"


@pytest.mark.parametrize("server", ["http://169.254.169.254", "https://[fd00:ec2::254]/"])
async def test_T24_a_document_cannot_declare_a_metadata_server(server: str) -> None:
    document = operation("/x", servers=[{"url": server}])
    async with HttpClient() as http:
        toolset = await load_toolset(SpecSource(inline=document), OpenApiOptions(), http, None)
        upstream = OpenApiUpstream(toolset, http, base_url=None, headers={})
        result = await upstream.invoke(upstream.prepare(toolset.tools[0].name, {}), Credential(), 5)
        assert isinstance(result, Failure)
        assert result.code == "egress_denied"


async def test_T24_a_fetched_document_cannot_declare_a_private_server() -> None:
    async with echo_server() as documents, echo_server() as private, HttpClient() as http:
        document = orjson.dumps(operation("/x", servers=[{"url": private.url}]))
        documents.replies["/spec"] = [Reply(200, [], document)]
        source = SpecSource(url=f"{documents.url}/spec")
        toolset = await load_toolset(source, OpenApiOptions(), http, None)
        upstream = OpenApiUpstream(toolset, http, base_url=None, headers={})
        result = await upstream.invoke(upstream.prepare(toolset.tools[0].name, {}), BEARER, 5)
        assert isinstance(result, Failure)
        assert (result.code, private.log) == ("egress_denied", [])


ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
ESCAPES = [
    "..", ".", "../admin", "..\\admin", "%2e%2e", "%2e", ".%2e", "%252e%252e", "a/../../b", "..;x", "..%2fadmin", "",
    "x/..", "..%5cadmin", ". ", "..%00",
]  # fmt: skip


@pytest.mark.parametrize("value", ESCAPES)
def test_T25_a_path_argument_never_leaves_its_template(value: str) -> None:
    document = operation("/one/{id}", parameters=[ID])
    found = problems_of(document, {"id": value})
    if value != "..%00":
        assert "/id" in found


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("a/b", "a%2Fb"), ("a\\b", "a%5Cb"), ("a;b", "a%3Bb"), ("a?b", "a%3Fb"), ("a#b", "a%23b"), ("a%2fb", "a%252fb"),
        ("...", "..."), ("\r\n", "%0D%0A"), ("@evil.com", "%40evil.com"), ("//evil.com", "%2F%2Fevil.com"),
    ],
)  # fmt: skip
async def test_T25_special_characters_arrive_as_data(value: str, sent: str) -> None:
    document = operation("/one/{id}", parameters=[ID])
    async with echo_server() as echo, HttpClient() as http:
        toolset = await load_toolset(SpecSource(inline=document), OpenApiOptions(), http, None)
        upstream = OpenApiUpstream(toolset, http, base_url=echo.url, headers={})
        await upstream.invoke(upstream.prepare(toolset.tools[0].name, {"id": value}), Credential(), 5)
        assert echo.log[-1].target == f"/one/{sent}"


async def test_T25_arguments_cannot_set_protected_headers() -> None:
    names = ["Host", "Authorization", "Cookie", "Content-Length", "Transfer-Encoding", "Connection"]
    parameters = [{"name": name, "in": "header", "schema": {"type": "string"}} for name in names]
    async with echo_server() as echo, HttpClient() as http:
        toolset = await load_toolset(
            SpecSource(inline=operation("/x", parameters=parameters)), OpenApiOptions(), http, None
        )
        upstream = OpenApiUpstream(toolset, http, base_url=echo.url, headers={})
        call = upstream.prepare(toolset.tools[0].name, {"header": dict.fromkeys(names, "evil")})
        assert isinstance(await upstream.invoke(call, BEARER, 5), Success)
        seen = echo.log[-1]
        assert "evil" not in str(seen.headers)
        assert seen.header("authorization") == "Bearer canary-token"


def test_T25_queries_and_cookies_cannot_smuggle() -> None:
    parameters = [
        {"name": "q", "in": "query", "schema": {"type": "string"}},
        {"name": "c", "in": "cookie", "schema": {"type": "string"}},
    ]
    document = operation("/x", parameters=parameters)
    request = request_of(document, {"q": "1&admin=true#x", "c": "1; session=evil"})
    assert request.url.endswith("?q=1%26admin%3Dtrue%23x")
    assert request.cookies == (("c", "c=1%3B%20session%3Devil"),)


async def test_T26_credentials_do_not_follow_to_another_origin() -> None:
    async with echo_server() as echo, echo_server() as other, HttpClient() as http:
        echo.replies["/x"] = [Reply(302, [("Location", f"{other.url}/y")])]
        upstream = await upstream_of(echo, http, egress_allow=["127.0.0.1"])
        result = await upstream.invoke(upstream.prepare(upstream.toolset.tools[0].name, {}), BEARER, 5)
        assert isinstance(result, Success)
        assert echo.log[-1].header("authorization") == "Bearer canary-token"
        assert "canary" not in str(other.log[-1].headers)


async def test_T26_credentials_stay_on_redirects_within_the_origin() -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/x"] = [Reply(307, [("Location", "/y")])]
        upstream = await upstream_of(echo, http)
        await upstream.invoke(upstream.prepare(upstream.toolset.tools[0].name, {}), BEARER, 5)
        assert [seen.path for seen in echo.log] == ["/x", "/y"]
        assert echo.log[-1].header("authorization") == "Bearer canary-token"


async def test_T26_a_redirect_loop_ends() -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/x"] = [Reply(302, [("Location", "/x")])]
        upstream = await upstream_of(echo, http)
        result = await upstream.invoke(upstream.prepare(upstream.toolset.tools[0].name, {}), BEARER, 5)
        assert isinstance(result, Failure)
        assert len(echo.log) == 6


def bomb(encoding: str) -> bytes:
    if encoding == "deflate":
        return zlib.compress(b"\0" * 50_000_000)
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb") as file:
        file.write(b"\0" * 50_000_000)
    return out.getvalue()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_T28_decompression_is_cut_off(encoding: str) -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/x"] = [Reply(200, [("Content-Encoding", encoding)], bomb(encoding))]
        with pytest.raises(TooLarge):
            await fetch(http, f"{echo.url}/x", EgressRules(origins=frozenset({echo.url})))


async def test_T28_a_long_body_is_cut_off_before_it_is_read() -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/x"] = [Reply(200, [], b"x", length=10**9, then="hang")]
        with pytest.raises(TooLarge):
            await fetch(http, f"{echo.url}/x", EgressRules(origins=frozenset({echo.url})))


@pytest.mark.parametrize(
    "source",
    [
        b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
            b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)
        ),
        b"[" * 100_000,
        b"{\"a\":" * 100_000,
        b"a: " + b"[" * 1_000 + b"]" * 1_000,
    ],
    ids=["alias-bomb", "json-depth", "json-object-depth", "yaml-depth"],
)  # fmt: skip
def test_T28_bombs_in_documents_are_errors(source: bytes) -> None:
    with pytest.raises(SourceError):
        parse_source(source, "bomb")


async def test_T28_a_huge_fetched_document_is_refused() -> None:
    async with echo_server() as echo, HttpClient() as http:
        echo.replies["/spec"] = [Reply(200, [("Content-Encoding", "gzip")], gzip.compress(b" " * 70_000_000))]
        with pytest.raises(SourceError, match="larger"):
            await load_toolset(SpecSource(url=f"{echo.url}/spec"), OpenApiOptions(), http, None)
