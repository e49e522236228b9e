"""Who we are to an authorization server, and how a request proves it (RFC 6749 section 2.3, RFC 7523)."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote_plus

from integrations.base import Secret
from integrations.oauth.errors import OAuthAnswerWrong

KeyType = Literal["RSA", "EC", "OKP"]
ClientAuth = Literal["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS: Final = 60
_KEY_TYPES: Final[Mapping[str, KeyType]] = {"RS": "RSA", "PS": "RSA", "ES": "EC"}


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """`secret` is the client's secret, or with `private_key_jwt` its private key as PEM."""

    client_id: str
    auth: ClientAuth = "none"
    secret: Secret | None = None
    key_id: str | None = None
    algorithm: str = "RS256"

    def secrets(self) -> list[str]:
        return [self.secret.reveal()] if self.secret is not None else []


def usual_auth(supported: Collection[str] | None) -> ClientAuth:
    """How a client with a secret shows it: as the server lists it, else in the header (RFC 8414: the default)."""
    if supported and "client_secret_basic" not in supported and "client_secret_post" in supported:
        return "client_secret_post"
    return "client_secret_basic"


def proof(client: OAuthClient, audience: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The form fields and headers that authenticate the client. `audience` is for a signed assertion: the issuer, or
    the token endpoint where no issuer is known."""
    if client.auth == "client_secret_basic" and client.secret is not None:
        # Both are form-encoded before they are joined (RFC 6749 section 2.3.1).
        pair = f"{quote_plus(client.client_id)}:{quote_plus(client.secret.reveal())}"
        return [], [("Authorization", "Basic " + base64.b64encode(pair.encode()).decode("ascii"))]
    fields = [("client_id", client.client_id)]
    if client.auth == "client_secret_post" and client.secret is not None:
        fields.append(("client_secret", client.secret.reveal()))
    elif client.auth == "private_key_jwt":
        fields += [("client_assertion_type", _ASSERTION), ("client_assertion", _assertion(client, audience))]
    return fields, []


def _assertion(client: OAuthClient, audience: str) -> str:
    # Loading it takes time that only those who sign should spend.
    from joserfc import jwt
    from joserfc.jwk import JWKRegistry

    assert client.secret is not None
    header = {"alg": client.algorithm, "typ": "JWT"} | ({"kid": client.key_id} if client.key_id else {})
    now = int(time.time())
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": audience,
        "iat": now,
        "exp": now + _ASSERTION_SECONDS,
        "jti": secrets.token_urlsafe(24),
    }
    try:
        key = JWKRegistry.import_key(client.secret.reveal(), _KEY_TYPES.get(client.algorithm[:2], "OKP"))
        return jwt.encode(header, claims, key, algorithms=[client.algorithm])
    except Exception as error:
        # Whatever the library raises for a key it cannot use; its words may hold parts of the key.
        raise OAuthAnswerWrong(
            f"the client's private key cannot sign {client.algorithm} ({type(error).__name__})"
        ) from None
