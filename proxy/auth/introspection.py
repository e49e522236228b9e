"""Tokens that only their issuer can read (RFC 7662): it is asked about them, and its answer counts for a while."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote_plus

from integrations.base import Secret
from integrations.credentials import basic_text
from integrations.oauth.errors import OAuthError
from integrations.oauth.http import OAuthHttp, json_object
from proxy.auth.jwt import BadToken
from proxy.config.secrets import SecretMissing


class IntrospectionUnavailable(Exception):
    """The issuer did not say whether the token is good. The text is for the log."""


class Introspector:
    """Asks one issuer, as one client. `url` finds the endpoint, `secret` is read for each request."""

    def __init__(
        self,
        http: OAuthHttp,
        url: Callable[[], Awaitable[str]],
        client_id: str,
        secret: Callable[[], Secret],
    ) -> None:
        self._http = http
        self._url = url
        self._client_id = client_id
        self._secret = secret

    async def claims(self, token: str) -> Mapping[str, Any]:
        """What the issuer says of an active token. Raises `BadToken` for another, `IntrospectionUnavailable`."""
        fields = (("token", token), ("token_type_hint", "access_token"))
        # RFC 6749 section 2.3.1: both are form-encoded before they are joined.
        try:
            name, value = quote_plus(self._client_id), quote_plus(self._secret().reveal())
            headers = (("Authorization", basic_text(name, value)),)
            answer = await self._http.form(await self._url(), fields, headers)
        except (OAuthError, SecretMissing) as error:
            raise IntrospectionUnavailable(str(error)) from None
        said = json_object(answer) if answer.status == 200 else None
        if said is None or not isinstance(said.get("active"), bool):
            raise IntrospectionUnavailable(f"introspection answered {answer.status}")
        if not said["active"]:
            raise BadToken("This token is not active")
        return said
