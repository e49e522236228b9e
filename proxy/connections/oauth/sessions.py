"""The token of an MCP session: asked for before each request, replaced after a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from integrations.base import SourceError
from integrations.oauth.challenge import bearer_challenge
from proxy.connections.oauth.storage import TokenHolder
from proxy.connections.oauth.tokens import ConnectionTokens, NoToken, TokenUnavailable

_HEADER: Final = "Authorization"


class SessionToken:
    """Implements `TokenHeaders` of `integrations.mcp` for one holder."""

    def __init__(self, tokens: ConnectionTokens, holder: TokenHolder) -> None:
        self._tokens = tokens
        self._holder = holder

    async def present(self) -> Mapping[str, str]:
        """Nothing while nobody has signed in: then the server says where that is done."""
        try:
            record = await self._tokens.access(self._holder)
        except NoToken:
            return {}
        except TokenUnavailable as error:
            raise SourceError(str(error)) from None
        return {_HEADER: f"Bearer {record.access_token}"}

    async def refused(self, status: int, challenge: str, sent: Mapping[str, str]) -> Mapping[str, str] | None:
        said = bearer_challenge(challenge).parameters
        if status == 403:
            if said.get("error") == "insufficient_scope":
                self._tokens.found_missing(self._holder, challenge)
            return None
        self._tokens.challenge = challenge or self._tokens.challenge
        token = sent.get(_HEADER, "").removeprefix("Bearer ")
        if not token:
            return None
        try:
            record = await self._tokens.after_refusal(self._holder, token)
        except (NoToken, TokenUnavailable):
            return None
        return {_HEADER: f"Bearer {record.access_token}"}
