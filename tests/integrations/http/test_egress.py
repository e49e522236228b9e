from __future__ import annotations

import ipaddress

import pytest

from integrations.http.egress import (
    EgressRules,
    check_scheme,
    embedded_addresses,
    names_host,
    origin_of,
    parse_address,
    parse_target,
    permits,
)
from integrations.http.errors import EgressDenied


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://API.example.com/x", "https://api.example.com"), ("https://a.example:443", "https://a.example"),
        ("http://a.example:8080/", "http://a.example:8080"), ("https://[::1]:9/x", "https://[::1]:9"),
        ("https://a.example./", "https://a.example"), ("/x", ""), ("ftp://x/", ""), ("https://a@b/", ""), ("", ""),
        ("https://a.example:99999/", ""), ("https://a b/", ""), ("https://é.example/", ""),
    ],
)  # fmt: skip
def test_origins(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://a/x?y#z", b"/x?y"),
        ("https://a", b"/"),
        ("https://a?x=1", b"/?x=1"),
        ("https://a/%2e%2E/", b"/%2e%2E/"),
    ],
)
def test_targets_are_not_normalised(url: str, target: bytes) -> None:
    assert parse_target(url).target == target


def test_authority_leaves_out_default_ports() -> None:
    assert parse_target("https://a:443/").authority == "a"
    assert parse_target("http://[::1]:81/").authority == "[::1]:81"


@pytest.mark.parametrize(
    ("allow", "host", "named"),
    [
        (("a.example",), "a.example", True), (("*.example",), "a.example", True), (("*.example",), "example", False),
        (("10.0.0.0/8",), "10.1.2.3", True), (("10.0.0.0/8",), "11.1.2.3", False), (("::1/128",), "::1", True),
        (("10.0.0.0/8",), "a.example", False), (("A.Example",), "a.example", True),
    ],
)  # fmt: skip
def test_allow_lists(allow: tuple[str, ...], host: str, named: bool) -> None:
    assert names_host(allow, host) is named


def allowed(address: str, host: str = "h.example", port: int = 443, rules: EgressRules | None = None) -> bool:
    return permits(ipaddress.ip_address(address), host, port, rules or EgressRules())


def test_public_addresses_need_no_rule() -> None:
    assert allowed("93.184.216.34")
    assert allowed("2606:2800:220:1::1")
    assert allowed("::ffff:93.184.216.34")


def test_rules_open_exactly_what_they_name() -> None:
    by_cidr = EgressRules(allow=("10.0.0.0/8",))
    assert allowed("10.1.1.1", rules=by_cidr)
    assert allowed("::ffff:10.1.1.1", rules=by_cidr)
    assert not allowed("192.168.1.1", rules=by_cidr)
    spelled = EgressRules(origins=frozenset({"https://h.example:8443"}))
    assert allowed("127.0.0.1", port=8443, rules=spelled)
    assert not allowed("127.0.0.1", port=443, rules=spelled)
    declared = EgressRules(declared=frozenset({"https://h.example"}))
    assert allowed("10.0.0.1", rules=declared)
    assert not allowed("169.254.169.254", rules=declared)
    assert not allowed("::ffff:169.254.169.254", rules=declared)


def test_plain_http_needs_a_reason() -> None:
    target = parse_target("http://h.example/")
    for rules in (EgressRules(("h.example",)), EgressRules(origins=frozenset({"http://h.example"}))):
        check_scheme(target, rules)
    with pytest.raises(EgressDenied):
        check_scheme(target, EgressRules(origins=frozenset({"https://h.example"})))
    check_scheme(parse_target("https://h.example/"), EgressRules())


def test_faces_show_embedded_addresses() -> None:
    def shown(text: str) -> set[str]:
        return {str(face) for face in embedded_addresses(ipaddress.ip_address(text))}

    assert "127.0.0.1" in shown("::ffff:127.0.0.1") & shown("64:ff9b::7f00:1") & shown("2002:7f00:1::")
    assert shown("1.2.3.4") == {"1.2.3.4"}
    assert parse_address("nope") is None
