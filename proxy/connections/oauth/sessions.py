"""The tokens of an MCP server's sessions: asked for before each request, replaced after a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from integrations.base import SourceError
from integrations.oauth.challenge import bearer_challenge
from proxy.connections.oauth.storage import TokenHolder
from proxy.connections.oauth.tokens import ConnectionTokens, NoToken, TokenUnavailable

_HEADER: Final = "Authorization"
_UNAUTHORIZED: Final = 401


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


class ListingToken:
    """Implements `TokenHeaders` for the session that lists the tools where each account signs in for itself.

    It shows no token until the server refuses to list without one. Then it is that of one account, and stays that
    account's while it has one: tools that came from one account now and from another then would change all the time.
    """

    def __init__(self, tokens: ConnectionTokens) -> None:
        self._tokens = tokens
        self._lender: SessionToken | None = None

    async def present(self) -> Mapping[str, str]:
        return {} if self._lender is None else await self._lent()

    async def refused(self, status: int, challenge: str, sent: Mapping[str, str]) -> Mapping[str, str] | None:
        self._tokens.challenge = challenge or self._tokens.challenge
        if status != _UNAUTHORIZED:
            return None
        if self._lender is not None and sent.get(_HEADER):
            fresh = await self._lender.refused(status, challenge, sent)
            if fresh is not None:
                return fresh
        return await self._lent() or None

    async def _lent(self) -> Mapping[str, str]:
        """The token of the lender, or of the next account that has one. Raises `SourceError`."""
        if self._lender is not None and (headers := await self._lender.present()):
            return headers
        self._lender = None
        for holder in await self._tokens.holders():
            lender = SessionToken(self._tokens, holder)
            if headers := await lender.present():
                self._lender = lender
                return headers
        return {}
