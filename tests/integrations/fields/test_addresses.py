from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from integrations.fields import (
    Cidr,
    CidrOrHost,
    HeaderName,
    Listen,
    PublicUrl,
    Url,
    check_origin,
    is_local_host,
    parse_listen,
)


def refused(kind: Any, value: object) -> str:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    (error,) = caught.value.errors()
    context = error.get("ctx", {})
    assert context["code"] == "E206"
    return f"{context['message']} {context['help']}"


@pytest.mark.parametrize(
    "url", ["https://a.example.com", "http://127.0.0.1:8080/x?y=z", "HTTPS://a/%20", "https://[::1]/"]
)
def test_urls(url: str) -> None:
    assert TypeAdapter(Url).validate_python(url) == url


@pytest.mark.parametrize(
    ("url", "fragment"),
    [
        ("a.example.com/x", "did you mean `https://a.example.com/x`?"),
        ("ftp://a.example.com", "URL scheme must be http or https"),
        ("https://", "no host"),
        ("https://bob:hunter2@a.example.com", "URL contains credentials"),
        ("https://a.example.com/a b", "percent-encoded"),
        ("https://a.example.com:99999/", "invalid host or port"),
        ("https://a.example.com:0/", "invalid host or port"),
        ("https://[::1/", "invalid host or port"),
        ("https://a.example.com/${X}", "there are no templates here"),
        (5, "expected a URL"),
        ("", "expected a URL"),
    ],
)
def test_other_urls(url: object, fragment: str) -> None:
    assert fragment in refused(Url, url)


def test_public_urls_have_no_trailing_slash() -> None:
    assert TypeAdapter(PublicUrl).validate_python("https://a.example.com/x/") == "https://a.example.com/x"
    assert "query or fragment" in refused(PublicUrl, "https://a.example.com/#x")


@pytest.mark.parametrize(
    ("text", "listen", "loopback"),
    [
        ("127.0.0.1:8080", Listen("127.0.0.1", 8080), True),
        ("[::1]:80", Listen("::1", 80), True),
        ("localhost:0", Listen("localhost", 0), True),
        ("0.0.0.0:1", Listen("0.0.0.0", 1), False),
        ("[::]:1", Listen("::", 1), False),
        ("example.com:1", Listen("example.com", 1), False),
        ("unix:/run/executor.sock", Listen.unix("/run/executor.sock"), True),
    ],
)
def test_listeners(text: str, listen: Listen, loopback: bool) -> None:
    assert parse_listen(text) == listen
    assert str(listen) == text
    assert listen.is_loopback is loopback
    assert parse_listen(listen) is listen


@pytest.mark.parametrize(
    ("value", "help"),
    [
        (8080, 'did you mean "127.0.0.1:8080"?'),
        ("8080", 'did you mean "127.0.0.1:8080"?'),
        (":8080", 'did you mean "127.0.0.1:8080" or "0.0.0.0:8080"?'),
        ("*:8080", 'did you mean "127.0.0.1:8080" or "0.0.0.0:8080"?'),
        ("example.com", 'did you mean "example.com:8080"?'),
        ("http://a.example.com:80/", 'did you mean "a.example.com:80"?'),
        ("::1:80", 'write for example "127.0.0.1:8080"'),
        ("a:99999", ""),
        ("/run/executor.sock", 'did you mean "unix:/run/executor.sock"?'),
        ("unix:///run/executor.sock", 'did you mean "unix:/run/executor.sock"?'),
        ("unix:executor.sock", "write an absolute path"),
        ("unix:/run/", "write an absolute path"),
        ("unix:@executor", "anybody on this machine could connect"),
        (f"unix:/{'a' * 107}", "shorten it"),
        (True, 'write for example "127.0.0.1:8080"'),
    ],
)
def test_other_listeners(value: object, help: str) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        parse_listen(value)
    assert str((caught.value.context or {}).get("help") or "").startswith(help)


def test_ranges() -> None:
    assert TypeAdapter(Cidr).validate_python("10.0.0.1") == "10.0.0.1/32"
    assert TypeAdapter(Cidr).validate_python("fd00::/8") == "fd00::/8"
    assert "did you mean `10.0.0.0/8`?" in refused(Cidr, "10.1.2.3/8")
    for value in ("10.0.0.0/99", "example.com", "10.0.0.0/255.0.0.0", "fe80::1%eth0", 5):
        refused(Cidr, value)


def test_hosts_or_ranges() -> None:
    for value in ("10.0.0.0/8", "*.example.com", "localhost", "a_b.example.com."):
        assert TypeAdapter(CidrOrHost).validate_python(value)
    for wrong in ("10.0.0.0/99", "http://x", "a b", "-a.example.com", "a..b", ""):
        refused(CidrOrHost, wrong)


@pytest.mark.parametrize("origin", ["https://a.example.com", "http://localhost:3000", "https://[::1]:1"])
def test_origins(origin: str) -> None:
    check_origin(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "https://a.example.com/",
        "https://a.example.com/x",
        "*",
        "a.example.com",
        "https://*.x",
        "https://a:",
        "null",
    ],
)
def test_other_origins(origin: str) -> None:
    with pytest.raises(PydanticCustomError, match="is not an origin"):
        check_origin(origin)


def test_header_names() -> None:
    assert TypeAdapter(HeaderName).validate_python("X-Api-Key") == "X-Api-Key"
    for value in ("X Key", "X:Key", "", "Ä", 5):
        refused(HeaderName, value)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("a.localhost.", True),
        ("127.1.2.3", True),
        ("[::1]", True),
        ("10.0.0.1", False),
        ("x.com", False),
    ],
)
def test_local_hosts(host: str, local: bool) -> None:
    assert is_local_host(host) is local
