"""Registrations as config: judged like lines of a file, with places of the body."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proxy.overlay import InvalidRegistration, OverlaySnapshot, ServerRegistration, configured
from proxy.overlay.entries import RegisteredServer

URL = "https://mcp.example.com/x"


def registration(name: str = "docs", **config: Any) -> ServerRegistration:
    return ServerRegistration(name, name, {"type": "remote", "url": URL, **config})


def test_a_good_one_is_a_config_of_its_own() -> None:
    found = configured(registration(headers={"A": "b"}), "ws", off=True, allow=("10.0.0.0/8",))
    integration: Any = found.config.integrations["docs"]
    assert (integration.enabled, integration.egress.allow) == (False, ("10.0.0.0/8",))
    assert found.values == {integration.headers["A"].env: "b"}


@pytest.mark.parametrize(
    ("one", "pointer", "code"),
    [
        (registration(url="ftp://x.example"), "/config/url", "E206"),
        (registration(url="https://user:pass@x.example"), "/config/url", None),
        (registration(headers={"A B": "x"}), "/config/headers/A B", "E206"),
        (registration(url="http://x.example", headers={"A": "x"}), "/config/url", "E502"),
        (registration(oauth={"clientSecret": "s" * 20, "clientId": "x"}), "/config/oauth", "E501"),
        (registration("9x"), "/name", "E206"),
        (registration("search"), "/name", "E206"),
        (registration("a b"), "/name", "E206"),
        (registration("a\u2028b"), "/config", "E110"),
    ],
)
def test_a_bad_one_has_the_codes_of_files(one: ServerRegistration, pointer: str, code: str | None) -> None:
    with pytest.raises(InvalidRegistration) as refused:
        configured(one, "ws")
    first = refused.value.problems[0]
    assert first.pointer == pointer
    assert code in (None, first.code)
    if code == "E501":
        assert "oauth.issuer" in str(first.help)


def test_equal_contents_have_equal_revisions() -> None:
    one = RegisteredServer("ws", registration(), False, "key:a", 1.0, 1)
    snapshots = [
        OverlaySnapshot(),
        OverlaySnapshot({"ws": (one,)}),
        OverlaySnapshot({"ws": (replace(one, version=2),)}),
        OverlaySnapshot({"other": (one,)}),
        OverlaySnapshot({"ws": (one,)}, {"ws": frozenset(["docs.org.main"])}),
    ]
    assert len({one.revision for one in snapshots}) == len(snapshots)
    assert OverlaySnapshot({"ws": (one,)}).revision == OverlaySnapshot({"ws": (one,)}).revision
