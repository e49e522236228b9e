"""Signing in to the pages at an issuer of `auth.oauth`: authorization code with PKCE (RFC 7636, RFC 9700, OIDC Core).

Rules
- What is asked for is an access token for this server (RFC 8707): the sign-in is then worth exactly what the same token
  is worth on every other path. The ID token only says that the answer belongs to this very request (`nonce`).
- `state`, `nonce` and the verifier are random and stay in a sealed cookie of the browser that began: a callback that
  somebody else's browser brings finishes nothing.
- The redirect URI is one, to the letter, and made of `server.public_url`; no header has a part in it.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from integrations.oauth.authorization import AuthorizationRequest, check_callback, new_verifier
from integrations.oauth.client import OAuthClient, proof, usual_auth
from integrations.oauth.errors import OAuthAnswerWrong, OAuthError
from integrations.oauth.token import answer_in, read_answer
from proxy.auth.issuer import IssuerSource, TrustedIssuer
from proxy.auth.jwt import BadToken, check_times, listed_audiences, read_jwt
from proxy.auth.key_set import KeysUnavailable

CALLBACK_PATH = "/login/callback"


class PageSignInFailed(Exception):
    """Nobody was signed in. The text is a sentence for the person, and repeats no token."""


@dataclass(frozen=True, slots=True)
class PageSignInRequest:
    """What the browser keeps, sealed, until it comes back. `issuer` is the name of the one that was asked."""

    issuer: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    verifier: str = field(default_factory=new_verifier)


class PageIssuer:
    """One issuer where people may sign in to the pages. `resource` is this server, as its tokens name it."""

    def __init__(
        self,
        source: IssuerSource,
        trusted: TrustedIssuer,
        client: OAuthClient,
        scopes: tuple[str, ...],
        resource: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._trusted = trusted
        self._client = client
        self._scopes = scopes
        self._resource = resource
        self._clock = clock

    @property
    def name(self) -> str:
        return self._trusted.rules.name

    @property
    def redirect_uri(self) -> str:
        return f"{self._resource}{CALLBACK_PATH}"

    async def url(self, request: PageSignInRequest) -> str:
        """Where the browser goes. Raises `PageSignInFailed`."""
        try:
            endpoint = await self._source.endpoint("authorization_endpoint")
        except OAuthError as error:
            raise PageSignInFailed(f"{self.name} cannot be asked: {error}.") from None
        return AuthorizationRequest(
            endpoint,
            self._client.client_id,
            self.redirect_uri,
            request.state,
            request.verifier,
            self._scopes,
            self._resource,
            {"nonce": request.nonce},
        ).url

    async def token(self, request: PageSignInRequest, parameters: Mapping[str, str]) -> str:
        """The access token for what the browser brought back. Raises `PageSignInFailed`."""
        if not hmac.compare_digest(parameters.get("state", "").encode(), request.state.encode()):
            raise PageSignInFailed("This answer does not belong to the sign-in that was begun here.")
        try:
            return await self._redeemed(request, parameters)
        except OAuthError as error:
            raise PageSignInFailed(f"{self.name} did not sign you in: {error}.") from None
        except BadToken as error:
            raise PageSignInFailed(
                f"{self.name} sent an ID token that is not good: {error.message}."
            ) from None
        except KeysUnavailable:
            raise PageSignInFailed(f"The keys of {self.name} cannot be fetched at the moment.") from None

    async def _redeemed(self, request: PageSignInRequest, parameters: Mapping[str, str]) -> str:
        metadata = await self._source.metadata()
        names_itself = metadata.get("authorization_response_iss_parameter_supported") is True
        issuer = metadata.get("issuer")
        code = check_callback(parameters, issuer if isinstance(issuer, str) else None, names_itself)
        url = await self._source.endpoint("token_endpoint")
        client = self._authenticated(metadata.get("token_endpoint_auth_methods_supported"))
        own, headers = proof(client, self.name)
        fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect_uri),
            ("code_verifier", request.verifier),
            ("resource", self._resource),
            *own,
        ]
        response = await self._source.http.form(url, fields, headers)
        answer = read_answer(response, [code, request.verifier, *client.secrets()])
        await self._check_id_token(answer_in(response, "access_token").get("id_token"), request.nonce)
        return answer.access_token.reveal()

    def _authenticated(self, methods: object) -> OAuthClient:
        """The client, with its secret shown as the server lists it."""
        if self._client.secret is None:
            return self._client
        listed = [one for one in methods if isinstance(one, str)] if isinstance(methods, list) else None
        return OAuthClient(self._client.client_id, usual_auth(listed), self._client.secret)

    async def _check_id_token(self, text: object, nonce: str) -> None:
        """OpenID Connect Core section 3.1.3.7. Raises `BadToken`, `KeysUnavailable`, `OAuthAnswerWrong`."""
        if not isinstance(text, str):
            raise OAuthAnswerWrong("the answer holds no ID token; the scope `openid` must be granted")
        token = read_jwt(text)
        await self._trusted.keys.verify(token, self._trusted.rules.algorithms)
        claims = token.claims
        if claims.get("iss") not in self._trusted.rules.spellings:
            raise BadToken("it is of another issuer")
        audiences = listed_audiences(claims)
        if self._client.client_id not in audiences:
            raise BadToken("it is for another client")
        if claims.get("azp", self._client.client_id) != self._client.client_id:
            raise BadToken("it was issued to another client")
        check_times(claims, self._clock())
        said = claims.get("nonce")
        if not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):
            raise BadToken("it belongs to another sign-in")
