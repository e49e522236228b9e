"""What is kept of OAuth, as values and as the bytes that the state store seals. Times are seconds since 1970."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self, cast

from integrations.base import Secret
from integrations.json_text import read_json, write_json
from integrations.oauth.client import ClientAuth, OAuthClient
from integrations.oauth.token import TokenAnswer


class _Stored:
    """A frozen dataclass of plain values, as JSON. Unknown members of a newer version are left out."""

    def to_bytes(self) -> bytes:
        return write_json(asdict(cast(Any, self)))

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        known = cast(Any, cls).__dataclass_fields__
        return cls(**{name: value for name, value in read_json(content).items() if name in known})


@dataclass(frozen=True)
class ClientRecord(_Stored):
    """A client as it was registered, or named by a document. `configured`: the config has it, and its secret."""

    client_id: str
    auth: str = "none"
    secret: str | None = None
    configured: bool = False

    @classmethod
    def of(cls, client: OAuthClient, *, configured: bool) -> ClientRecord:
        """Of a configured client nothing is kept that the config can replace."""
        if configured:
            return cls(client.client_id, configured=True)
        secret = client.secret.reveal() if client.secret is not None else None
        return cls(client.client_id, client.auth, secret)

    def client(self) -> OAuthClient:
        secret = Secret(self.secret) if self.secret is not None else None
        return OAuthClient(self.client_id, cast(ClientAuth, self.auth), secret)


@dataclass(frozen=True)
class TokenRecord(_Stored):
    """One account's token for one connection. `expires_at` None: nothing is known of the end.

    `generation` grows with every token of this record. `retry_at`: no replica asks again before; `failures` counts
    since the last success.
    """

    access_token: str
    refresh_token: str | None
    obtained_at: float
    expires_at: float | None
    scope: str
    token_endpoint: str
    client: dict[str, Any]
    binding: str
    issuer: str | None = None
    revocation_endpoint: str | None = None
    client_auths: tuple[str, ...] | None = None
    resource: str | None = None
    redirect_uri: str | None = None
    generation: int = 1
    retry_at: float = 0.0
    failures: int = 0

    def renewed(self, answer: TokenAnswer, now: float) -> TokenRecord:
        """After a refresh. A server that sends no new refresh token keeps the old one good (RFC 6749 section 6)."""
        fresh = answer.refresh_token
        return replace(
            self,
            access_token=answer.access_token.reveal(),
            refresh_token=fresh.reveal() if fresh is not None else self.refresh_token,
            obtained_at=now,
            expires_at=now + answer.expires_in if answer.expires_in is not None else None,
            scope=answer.scope if answer.scope is not None else self.scope,
            generation=self.generation + 1,
            retry_at=0.0,
            failures=0,
        )

    def client_record(self) -> ClientRecord:
        return ClientRecord(**self.client)

    def secrets(self) -> list[str]:
        own = [self.access_token, self.refresh_token, self.client.get("secret")]
        return [one for one in own if one]


@dataclass(frozen=True)
class PendingSignIn(_Stored):
    """A sign-in that began and waits for its callback. Whose it is was decided then, not by who comes back."""

    prefix: str
    workspace: str
    account: str
    binding: str
    verifier: str
    redirect_uri: str
    token_endpoint: str
    client: dict[str, Any]
    scope: str
    issuer: str | None = None
    names_itself: bool = False
    revocation_endpoint: str | None = None
    client_auths: tuple[str, ...] | None = None
    resource: str | None = None
    began_in: str = ""
    began_by: str = ""


@dataclass(frozen=True)
class PendingDevice(_Stored):
    """A sign-in on another device (RFC 8628): `sign_in` are the members of a `PendingSignIn`. The server is not asked
    before `ask_at`, by any replica, and then every `interval` seconds."""

    sign_in: dict[str, Any]
    device_code: str
    interval: float
    ask_at: float

    def begun(self) -> PendingSignIn:
        return PendingSignIn(**self.sign_in)
