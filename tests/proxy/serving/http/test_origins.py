from __future__ import annotations

import pytest

from proxy.serving.http.asgi import HttpRequest
from proxy.serving.http.errors import RequestRefusal
from proxy.serving.http.origins import HostRules, is_loopback, split_port

LOCAL = HostRules.build(
    "127.0.0.1", "https://mcp.example.org/path", ("proxy.internal",), ("https://app.example.org/",)
)
OPEN = HostRules.build("0.0.0.0", None, (), ())
PUBLIC = HostRules.build("0.0.0.0", "https://mcp.example.org", (), ())

NAMED = HostRules.build("0.0.0.0", "https://mcp.example.org", ("executor.tools.svc",), ())


def request(host: str, origin: str | None = None) -> HttpRequest:
    headers = [(b"host", host.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    return HttpRequest.of(
        {"method": "POST", "path": "/mcp", "headers": headers, "query_string": b"", "client": None}
    )


@pytest.mark.parametrize(
    ("rules", "host", "known"),
    [
        (LOCAL, "127.0.0.1:8080", True),
        (LOCAL, "127.8.9.1", True),
        (LOCAL, "[::1]:8080", True),
        (LOCAL, "LocalHost.:80", True),
        (LOCAL, "mcp.example.org", True),
        (LOCAL, "proxy.internal:9999", True),
        (LOCAL, "example.org", False),
        (LOCAL, "192.168.1.7", False),
        (LOCAL, "", False),
        (LOCAL, "[::1", False),
        (LOCAL, "localhost:x", False),
        (OPEN, "anything.example", True),
        (NAMED, "Executor.tools.svc:8080", True),
        (NAMED, "executor", False),
        (NAMED, "mcp.example.org", True),
        (PUBLIC, "mcp.example.org", True),
        (PUBLIC, "mcp.example.org:8443", True),
        (PUBLIC, "other.example.org", False),
        (PUBLIC, "10.1.2.3:8080", True),
    ],
)
def test_hosts(rules: HostRules, host: str, known: bool) -> None:
    if known:
        assert rules.check(request(host)) is None
        return
    with pytest.raises(RequestRefusal) as caught:
        rules.check(request(host))
    assert caught.value.fault.status == 421


@pytest.mark.parametrize(
    ("rules", "host", "origin", "allowed"),
    [
        (LOCAL, "127.0.0.1:8080", "http://127.0.0.1:8080", True),
        (LOCAL, "127.0.0.1:8080", "http://localhost:3000", True),
        (LOCAL, "127.0.0.1:8080", "https://app.example.org", True),
        (LOCAL, "127.0.0.1:8080", "https://mcp.example.org", True),
        (LOCAL, "127.0.0.1:8080", "null", False),
        (LOCAL, "127.0.0.1:8080", "https://app.example.org.attacker.example", False),
        (LOCAL, "127.0.0.1:8080", "chrome-extension://abc", False),
        (PUBLIC, "mcp.example.org", "https://mcp.example.org:443", True),
        (PUBLIC, "mcp.example.org", "http://localhost:3000", False),
        (PUBLIC, "10.1.2.3", "http://attacker.example", False),
    ],
)
def test_origins(rules: HostRules, host: str, origin: str, allowed: bool) -> None:
    if allowed:
        assert rules.check(request(host, origin)) == origin
        return
    with pytest.raises(RequestRefusal) as caught:
        rules.check(request(host, origin))
    assert caught.value.fault.status == 403


def test_parts_of_a_host() -> None:
    assert split_port("a:1") == ("a", "1")
    assert split_port("[::1]:1") == ("[::1]", "1")
    assert split_port("[::1]") == ("[::1]", "")
    assert split_port("a") == ("a", "")
    assert is_loopback("::1")
    assert not is_loopback("localhost.example")


def forwarded(peer: str, header: str | None) -> HttpRequest:
    headers = [(b"host", b"localhost")]
    if header is not None:
        headers.append((b"x-forwarded-for", header.encode()))
    return HttpRequest.of(
        {
            "type": "http",
            "method": "GET",
            "path": "/mcp",
            "query_string": b"",
            "headers": headers,
            "client": (peer, 1),
        }
    )


SENDERS = pytest.mark.parametrize(
    ("peer", "header", "seen"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("::1", "[2001:db8::1]", "::1"),
    ],
)


@SENDERS
def test_t37_several_lines_are_one_list(peer: str, header: str | None, seen: str) -> None:
    """Some proxies add a line instead of going on with the one that they got (HAProxy)."""
    lines = [part.strip().encode() for part in (header or "").split(",") if part]
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/mcp",
        "query_string": b"",
        "headers": [(b"x-forwarded-for", line) for line in lines],
        "client": (peer, 1),
    }
    rules = HostRules.build("127.0.0.1", None, (), (), ["10.0.0.0/8"])
    assert rules.client_ip(HttpRequest.of(scope)) == seen


@SENDERS
def test_t37_only_trusted_proxies_say_who_sent_a_request(peer: str, header: str | None, seen: str) -> None:
    rules = HostRules.build("127.0.0.1", None, (), (), ["10.0.0.0/8"])
    assert rules.client_ip(forwarded(peer, header)) == seen
