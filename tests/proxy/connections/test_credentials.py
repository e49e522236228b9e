"""From `auth` in a config to the parts of a credential."""

from __future__ import annotations

from pathlib import Path

import pytest

from integrations.base import Credential, CredentialPart, SchemeCredential, Secret
from integrations.openapi.config import OpenApi
from proxy.config.secrets import Resolver, SecretMissing
from proxy.connections.credentials import credential_source, plain_headers
from tests.proxy.support import config_of, config_text, inline, shop

SECRETS = {"TOKEN": "t0k", "USER": "ann", "PASSWORD": "pw", "OTHER": "0th"}


def resolved(
    folder: Path, auth: str, headers: str = "{}", secrets: dict[str, str] | None = None
) -> Credential:
    spec = f"{inline(shop())}\n    headers: {headers}"
    config = config_of(folder, config_text(spec, connection=f"{{auth: {auth}}}"))
    integration = config.integrations["shop"]
    assert isinstance(integration, OpenApi)
    connection = config.connections["shop.org.main"]
    resolve = credential_source(
        connection.auth, integration.headers, Resolver(SECRETS if secrets is None else secrets)
    )
    assert resolve is not None
    return resolve()


@pytest.mark.parametrize(
    ("auth", "part"),
    [
        ("{kind: bearer, token: {env: TOKEN}}", CredentialPart("bearer", Secret("t0k"))),
        (
            "{kind: basic, username: bob, password: {env: PASSWORD}}",
            CredentialPart("basic", Secret("pw"), username=Secret("bob")),
        ),
        (
            "{kind: basic, username: {env: USER}, password: {env: PASSWORD}}",
            CredentialPart("basic", Secret("pw"), username=Secret("ann")),
        ),
        (
            '{kind: header, name: X-Key, prefix: "Token ", value: {env: TOKEN}}',
            CredentialPart("header", Secret("t0k"), "X-Key", prefix="Token "),
        ),
        ("{kind: query, name: key, value: {env: TOKEN}}", CredentialPart("query", Secret("t0k"), "key")),
        ("{kind: cookie, name: sid, value: {env: TOKEN}}", CredentialPart("cookie", Secret("t0k"), "sid")),
    ],
)
def test_simple_kinds_are_one_part(tmp_path: Path, auth: str, part: CredentialPart) -> None:
    assert resolved(tmp_path, auth) == Credential((part,))


def test_no_auth_is_an_empty_credential(tmp_path: Path) -> None:
    assert resolved(tmp_path, "{kind: none}") == Credential()


def test_parts_are_sent_together(tmp_path: Path) -> None:
    auth = "{kind: parts, parts: [{kind: bearer, token: {env: TOKEN}}, {kind: query, name: k, value: {env: OTHER}}]}"
    assert resolved(tmp_path, auth).parts == (
        CredentialPart("bearer", Secret("t0k")),
        CredentialPart("query", Secret("0th"), "k"),
    )


def test_schemes_are_bound_by_name(tmp_path: Path) -> None:
    schemes = (
        "a: {value: {env: TOKEN}}, b: {token: {env: OTHER}}, c: {username: bob, password: {env: PASSWORD}}"
    )
    credential = resolved(tmp_path, f"{{kind: schemes, schemes: {{{schemes}}}}}")
    assert credential.parts == ()
    assert credential.schemes == {
        "a": SchemeCredential(Secret("t0k")),
        "b": SchemeCredential(Secret("0th")),
        "c": SchemeCredential(None, Secret("bob"), Secret("pw")),
    }


@pytest.mark.parametrize("auth", ["{kind: none}", "{kind: schemes, schemes: {a: {value: {env: TOKEN}}}}"])
def test_secret_headers_of_the_integration_come_first(tmp_path: Path, auth: str) -> None:
    credential = resolved(tmp_path, auth, "{X-Team: blue, X-Key: {env: OTHER}}")
    assert credential.parts == (CredentialPart("header", Secret("0th"), "X-Key"),)
    assert "0th" in credential.secrets()


def test_text_headers_are_not_secret(tmp_path: Path) -> None:
    spec = f"{inline(shop())}\n    headers: {{X-Team: blue, X-Key: {{env: OTHER}}}}"
    integration = config_of(tmp_path, config_text(spec)).integrations["shop"]
    assert isinstance(integration, OpenApi)
    assert plain_headers(integration.headers) == {"X-Team": "blue"}


@pytest.mark.parametrize(
    ("auth", "headers"),
    [
        ("{kind: bearer, token: {env: TOKEN}}", "{}"),
        ("{kind: basic, username: {env: TOKEN}, password: {env: PASSWORD}}", "{}"),
        ("{kind: schemes, schemes: {a: {value: {env: TOKEN}}}}", "{}"),
        ("{kind: none}", "{X-Key: {env: TOKEN}}"),
    ],
)
def test_a_missing_secret_is_named(tmp_path: Path, auth: str, headers: str) -> None:
    with pytest.raises(SecretMissing, match="TOKEN is not set"):
        resolved(tmp_path, auth, headers, {"PASSWORD": "pw"})
