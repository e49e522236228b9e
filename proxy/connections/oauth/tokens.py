"""The tokens of one connection: read, kept fresh, given up.

Rules of a refresh, so that rotation never destroys a grant:
- One replica at a time: read, lease in the store, read again, ask the server (in less time than the lease lasts),
  compare and set, release. In one process everybody waits for the same refresh.
- Whoever waits may be cancelled; the refresh itself is not: its answer may hold the only refresh token there is.
- A server that is down or slow (5xx, 429, no answer) leaves the token as it is; all replicas wait until `retry_at`.
- A refresh token that the server calls dead is looked up once more: another replica may have a newer one.
- Without the store a token is used until it ends and never refreshed: nobody could tell the other replicas.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from integrations.base import JsonObject, Secret
from integrations.oauth.challenge import bearer_challenge
from integrations.oauth.client import OAuthClient
from integrations.oauth.errors import OAuthAnswerWrong, OAuthError, OAuthRefused, OAuthUnavailable
from integrations.oauth.http import OAuthHttp
from integrations.oauth.token import TokenAnswer, TokenEndpoint, request_token, revoke_token
from proxy.config.secrets import Resolver, SecretMissing
from proxy.connections.oauth.known import NOBODY, KnownToken, TokenExpiry
from proxy.connections.oauth.plan import OAuthPlan
from proxy.connections.oauth.records import ClientRecord, TokenRecord
from proxy.connections.oauth.servers import OAuthServers
from proxy.connections.oauth.storage import SHARED, StoredToken, TokenHolder, TokenStore
from proxy.state import Conflict, StateError
from proxy.telemetry import Logger

log = Logger("connections")
LEASE_SECONDS: Final = 15.0
EARLY_SECONDS: Final = 60.0
# How long what was read from the store counts: so long a sign-out on another replica goes unnoticed.
FRESH_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.05
_WAIT_SECONDS: Final = 2 * LEASE_SECONDS
_FIRST_PAUSE: Final = 2.0
_LONGEST_PAUSE: Final = 60.0
_REMEMBERED: Final = 8
_MOST_SCOPES: Final = 64
_OTHER_SETTINGS: Final = "the connection's settings have changed since somebody signed in"
# What servers call a refresh token that will never work again. RFC 6749 has the first; the others are met in the field.
_DEAD: Final = frozenset({"invalid_grant", "unauthorized_client", "invalid_request", "bad_refresh_token"})


class NoToken(Exception):
    """Nobody has signed in, or not any more. The text is a half sentence that says why."""


class TokenUnavailable(Exception):
    """No token at the moment. `code` is an error code of inner calls."""

    def __init__(self, message: str, code: str = "oauth_refresh_failed", *, retryable: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable


SpawnRenewal = Callable[[Coroutine[Any, Any, TokenRecord], str], "asyncio.Future[TokenRecord]"]


@dataclass(frozen=True, slots=True)
class OAuthParts:
    """What tokens are got with. `spawn` makes a task that outlives the call that wants it; `clock` is in seconds since
    1970; `workspaces` are those whose accounts may have tokens."""

    http: OAuthHttp
    store: TokenStore
    resolver: Resolver
    spawn: SpawnRenewal
    changed: Callable[[], None]
    clock: Callable[[], float] = time.time
    workspaces: Callable[[], Sequence[str]] = tuple


class ConnectionTokens:
    """Shared by everybody who uses one connection, over generations that say the same of it."""

    def __init__(self, plan: OAuthPlan, parts: OAuthParts) -> None:
        self.plan = plan
        self.parts = parts
        self.servers = OAuthServers(plan, parts.http)
        self._known: dict[TokenHolder, KnownToken] = {}
        self._secrets: dict[TokenHolder, deque[str]] = {}
        self._missing: dict[TokenHolder, tuple[str, ...]] = {}
        self.listeners: list[Callable[[], None]] = []
        self.challenge = ""
        """`WWW-Authenticate` of the last refusal by an MCP server: discovery begins with it."""

    # ---- for calls ----------------------------------------------------------------------------------------------
    async def access(self, holder: TokenHolder) -> TokenRecord:
        """A token that is good for now. Raises `NoToken`, `TokenUnavailable`."""
        known = self._of(holder)
        try:
            record = await self._read(holder, known)
        except StateError as error:
            record = known.stored.record if known.stored is not None else None
            if record is None or self._ended(record):
                raise TokenUnavailable(f"the state store cannot be used: {error}") from None
            return record
        if record is None:
            if self.plan.grant == "client_credentials":
                return await self._renewed(holder, None)
            raise NoToken(known.why)
        if not self._due(record):
            return record
        if record.refresh_token is None and self.plan.grant != "client_credentials":
            # There is nothing to refresh with: it is used until the server refuses it.
            return record
        try:
            return await self._renewed(holder, record.generation)
        except TokenUnavailable:
            if self._ended(record):
                raise
            return record

    async def after_refusal(self, holder: TokenHolder, refused: str) -> TokenRecord:
        """Another token than the one that the upstream has just refused with 401. Raises `NoToken`,
        `TokenUnavailable`."""
        known = self._of(holder)
        known.read_at = float("-inf")
        try:
            record = await self._read(holder, known)
        except StateError as error:
            raise TokenUnavailable(f"the state store cannot be used: {error}") from None
        if record is None:
            raise NoToken(known.why)
        if record.access_token != refused:
            return record
        if record.refresh_token is None and self.plan.grant != "client_credentials":
            await self._give_up(holder, record.generation, "the upstream no longer takes the token")
            raise NoToken(known.why)
        renewed = await self._renewed(holder, record.generation)
        if renewed.access_token == refused:
            # It was a refresh under way for somebody with an older token, and ended with this one.
            renewed = await self._renewed(holder, renewed.generation)
        return renewed

    def asked(self, holder: TokenHolder) -> int | None:
        """The generation that this process itself, and not another replica, got from the server last."""
        return self._of(holder).asked

    # ---- what is known ------------------------------------------------------------------------------------------
    async def look(self, holder: TokenHolder) -> None:
        """Read the store now, so that `status` says what is true for all replicas. Raises nothing."""
        known = self._of(holder)
        known.read_at = float("-inf")
        try:
            await self._read(holder, known)
        except StateError as error:
            known.why = f"the state store cannot be used: {error}"

    def status(self, holder: TokenHolder) -> JsonObject:
        """`connected`, with `expiresAt` where it is known, or `needs_auth`. From memory."""
        if self.trouble(holder) is not None and self.plan.grant == "authorization_code":
            return {"status": "needs_auth"}
        stored = self._of(holder).stored
        ends = stored.record.expires_at if stored is not None else None
        return {"status": "connected"} if ends is None else {"status": "connected", "expiresAt": int(ends)}

    def expiry(self, holder: TokenHolder) -> TokenExpiry | None:
        """When the holder's token ends, where that is known. From memory."""
        stored = self._of(holder).stored
        if stored is None or stored.record.expires_at is None:
            return None
        renewable = stored.record.refresh_token is not None or self.plan.grant == "client_credentials"
        return TokenExpiry(stored.record.expires_at, renewable)

    def trouble(self, holder: TokenHolder) -> str | None:
        """Why there is no token, as a half sentence; None when there is one."""
        known = self._of(holder)
        if known.stored is None:
            return known.why if self.plan.grant == "authorization_code" or known.why != NOBODY else None
        record = known.stored.record
        return "the token has ended" if record.refresh_token is None and self._ended(record) else None

    def secrets(self, holder: TokenHolder) -> list[str]:
        """Every token of this holder that may still appear somewhere."""
        return list(self._secrets.get(holder, ()))

    def found_missing(self, holder: TokenHolder, challenge: str) -> None:
        """The upstream wants scopes that the token has not (RFC 6750 section 3.1): the next sign-in asks for them."""
        scopes = bearer_challenge(challenge).parameters.get("scope", "").split()
        known = self._missing.get(holder, ())
        self._missing[holder] = tuple(dict.fromkeys((*known, *scopes)))[:_MOST_SCOPES]
        self.challenge = challenge

    def missing_scopes(self, holder: TokenHolder) -> tuple[str, ...]:
        """What the upstream has found missing since this process started."""
        return self._missing.get(holder, ())

    async def holders(self) -> list[TokenHolder]:
        """Whose tokens are stored, be they of use or not. Raises nothing."""
        if not self.plan.per_user:
            await self.look(SHARED)
            return [SHARED] if self._of(SHARED).stored is not None else []
        try:
            return [
                TokenHolder(workspace, account)
                for workspace in self.parts.workspaces()
                for account in await self.parts.store.accounts(self.plan.prefix, workspace)
            ]
        except StateError as error:
            log.warning("accounts_not_listed", connection=self.plan.prefix, error=str(error))
            return []

    # ---- changes ------------------------------------------------------------------------------------------------
    async def keep(self, holder: TokenHolder, record: TokenRecord) -> None:
        """Store the token of a new sign-in, whatever was there before. Raises `StateError`."""
        known = self._of(holder)
        for _ in range(5):
            stored = await self.parts.store.read(self.plan.prefix, holder)
            generation = stored.record.generation + 1 if stored is not None else 1
            fresh = replace(record, generation=generation)
            try:
                written = await self.parts.store.write(
                    self.plan.prefix, holder, fresh, stored.entry if stored else None
                )
            except Conflict:
                continue
            known.wrote()
            self._remember(holder, known, written)
            self._missing.pop(holder, None)
            self._tell()
            return
        raise StateError("the token of this connection changes all the time")

    async def forget(self, holder: TokenHolder) -> TokenRecord | None:
        """Drop the token; what it was. Raises `StateError`."""
        known = self._of(holder)
        stored = await self.parts.store.read(self.plan.prefix, holder)
        if stored is not None:
            await self.parts.store.drop(stored.entry)
        known.wrote()
        self._lost(known, NOBODY)
        self._tell()
        return stored.record if stored is not None else None

    async def revoke(self, record: TokenRecord) -> None:
        """Tell the server to forget a token (RFC 7009). Raises nothing: it is forgotten here in any case."""
        url = record.revocation_endpoint
        if url is None:
            return
        kinds = (("refresh_token", record.refresh_token), ("access_token", record.access_token))
        try:
            client = self._client(record)
            for hint, token in kinds:
                if token:
                    await revoke_token(self.parts.http, url, client, Secret(token), hint)
        except (OAuthError, SecretMissing) as error:
            log.warning("token_not_revoked", connection=self.plan.prefix, error=str(error))

    def _tell(self) -> None:
        for listener in self.listeners:
            listener()
        self.parts.changed()

    # ---- refreshing ---------------------------------------------------------------------------------------------
    async def _renewed(self, holder: TokenHolder, generation: int | None) -> TokenRecord:
        """The same refresh for everybody who wants one now, and not cancelled with any of them."""
        known = self._of(holder)
        if known.renewal is None or known.renewal.done():
            work = self._renew(holder, generation)
            known.renewal = self.parts.spawn(work, f"refresh {self.plan.prefix}")
        return await asyncio.shield(known.renewal)

    async def _renew(self, holder: TokenHolder, generation: int | None) -> TokenRecord:
        store, prefix = self.parts.store, self.plan.prefix
        until = self.parts.clock() + _WAIT_SECONDS
        try:
            while self.parts.clock() < until:
                lease = await store.lease(prefix, holder, secrets.token_hex(8), LEASE_SECONDS)
                if lease is None:
                    newer = await self._newer(holder, generation)
                    if newer is not None:
                        return newer
                    await asyncio.sleep(_POLL_SECONDS)
                    continue
                try:
                    return await self._newer(holder, generation) or await self._ask(holder)
                finally:
                    await store.release(lease)
        except StateError as error:
            raise TokenUnavailable(f"the state store cannot be used: {error}") from None
        raise TokenUnavailable("another replica is refreshing the token, and has not finished")

    async def _newer(self, holder: TokenHolder, generation: int | None) -> TokenRecord | None:
        """What another replica has stored meanwhile."""
        known = self._of(holder)
        known.read_at = float("-inf")
        record = await self._read(holder, known)
        if record is None:
            if generation is not None:
                raise NoToken(known.why)
            return None
        return record if record.generation != generation and not self._due(record) else None

    async def _ask(self, holder: TokenHolder) -> TokenRecord:
        """Ask the authorization server, under the lease."""
        known = self._of(holder)
        before, now = known.stored, self.parts.clock()
        if before is not None and before.record.retry_at > now:
            raise TokenUnavailable("the authorization server is not available; trying again later")
        try:
            answer, record = await self._asked(before.record if before is not None else None)
        except SecretMissing as missing:
            raise TokenUnavailable(str(missing), "connection_value_missing", retryable=False) from None
        except OAuthUnavailable as error:
            await self._postpone(holder, error)
            raise TokenUnavailable(str(error)) from None
        except OAuthRefused as error:
            return await self._refused(holder, error)
        except OAuthError as error:
            raise TokenUnavailable(str(error), retryable=False) from None
        fresh = record.renewed(answer, self.parts.clock())
        written = await self._written(holder, fresh, before)
        known.asked = written.generation
        return written

    async def _written(
        self, holder: TokenHolder, fresh: TokenRecord, before: StoredToken | None
    ) -> TokenRecord:
        known = self._of(holder)
        try:
            stored = await self.parts.store.write(self.plan.prefix, holder, fresh, known.entry)
        except Conflict:
            # Somebody signed in anew, or out, while the server was asked: theirs is what counts.
            known.read_at = float("-inf")
            record = await self._read(holder, known)
            if record is None:
                raise NoToken(known.why) from None
            return record
        known.wrote()
        self._remember(holder, known, stored)
        log.info("token_renewed", connection=self.plan.prefix, token_generation=fresh.generation)
        if before is None:
            self._tell()
        return fresh

    async def _asked(self, record: TokenRecord | None) -> tuple[TokenAnswer, TokenRecord]:
        """What the server answers, and the record that the answer renews."""
        plan, parts = self.plan, self.parts
        if plan.grant == "client_credentials":
            return await self._client_credentials(record)
        assert record is not None
        assert record.refresh_token is not None
        client = self._client(record)
        fields = [("grant_type", "refresh_token"), ("refresh_token", record.refresh_token)]
        if record.resource is not None:
            fields.append(("resource", record.resource))
        endpoint = TokenEndpoint(record.token_endpoint, record.issuer)
        return await request_token(parts.http, endpoint, client, fields), record

    async def _client_credentials(self, record: TokenRecord | None) -> tuple[TokenAnswer, TokenRecord]:
        plan, parts = self.plan, self.parts
        server = await self.servers.server()
        assert plan.client is not None
        client = plan.client.resolved(parts.resolver, server.client_auths)
        fields = [("grant_type", "client_credentials")]
        fields += [("scope", " ".join(plan.scopes))] if plan.scopes else []
        fields += [("audience", plan.audience)] if plan.audience else []
        fields += [("resource", plan.resource)] if isinstance(plan.resource, str) else []
        answer = await request_token(
            parts.http, TokenEndpoint(server.token_endpoint, server.issuer), client, fields
        )
        fresh = TokenRecord(
            "", None, 0.0, None, " ".join(plan.scopes), server.token_endpoint,
            asdict(ClientRecord.of(client, configured=True)), plan.binding, server.issuer or None,
            generation=record.generation if record is not None else 0,
        )  # fmt: skip
        return replace(answer, refresh_token=None), fresh

    def _client(self, record: TokenRecord) -> OAuthClient:
        """Raises `SecretMissing`; `OAuthAnswerWrong` when the config no longer has the client of this token."""
        kept = record.client_record()
        if not kept.configured:
            return kept.client()
        if self.plan.client is None:
            raise OAuthAnswerWrong("the token belongs to a client that the config does not name any more")
        return self.plan.client.resolved(self.parts.resolver, record.client_auths)

    async def _refused(self, holder: TokenHolder, error: OAuthRefused) -> TokenRecord:
        """The server has said no. Another replica may know a newer token all the same."""
        known = self._of(holder)
        record = known.stored.record if known.stored is not None else None
        if record is None or self.plan.grant == "client_credentials":
            raise TokenUnavailable(
                f"the authorization server refuses the client: {error}", retryable=False
            ) from None
        newer = await self._newer(holder, record.generation)
        if newer is not None:
            return newer
        log.warning("refresh_refused", connection=self.plan.prefix, error=str(error))
        if error.code == "invalid_client" and not record.client_record().configured:
            if record.issuer and record.redirect_uri:
                await self.parts.store.forget_client(record.issuer, record.redirect_uri)
            await self._give_up(
                holder, record.generation, "the authorization server has forgotten this client"
            )
        elif error.code in _DEAD:
            await self._give_up(holder, record.generation, f"the sign-in has ended ({error.code})")
        else:
            raise TokenUnavailable(f"the token was not refreshed: {error}", retryable=False) from None
        raise NoToken(known.why) from None

    async def _give_up(self, holder: TokenHolder, generation: int, why: str) -> None:
        known = self._of(holder)
        stored = known.stored
        if stored is not None and stored.record.generation == generation:
            await self.parts.store.drop(stored.entry)
        known.wrote()
        self._lost(known, why)
        self._tell()

    async def _postpone(self, holder: TokenHolder, error: OAuthUnavailable) -> None:
        """Write down for all replicas when to ask again."""
        known = self._of(holder)
        stored = known.stored
        if stored is None:
            return
        failures = stored.record.failures + 1
        pause = error.retry_after_seconds or _FIRST_PAUSE * 2.0 ** min(failures - 1, 10)
        retry_at = self.parts.clock() + min(pause, _LONGEST_PAUSE)
        record = replace(stored.record, failures=failures, retry_at=retry_at)
        try:
            written = await self.parts.store.write(self.plan.prefix, holder, record, stored.entry)
        except Conflict:
            return
        known.wrote()
        self._remember(holder, known, written)

    # ---- parts --------------------------------------------------------------------------------------------------
    def _of(self, holder: TokenHolder) -> KnownToken:
        return self._known.setdefault(holder, KnownToken())

    async def _read(self, holder: TokenHolder, known: KnownToken) -> TokenRecord | None:
        now = time.monotonic()
        if now - known.read_at < FRESH_SECONDS:
            return known.stored.record if known.stored is not None else None
        while True:
            turn = known.begins()
            stored = await self.parts.store.read(self.plan.prefix, holder)
            if known.is_newest(turn):
                break
        if stored is None or stored.record.binding != self.plan.binding:
            # Got for another server or by another client: the config has changed since.
            self._lost(known, _OTHER_SETTINGS if stored is not None else known.why)
            known.entry = stored.entry if stored is not None else None
            return None
        self._remember(holder, known, stored)
        return stored.record

    def _remember(self, holder: TokenHolder, known: KnownToken, stored: StoredToken) -> None:
        known.stored, known.entry, known.read_at = stored, stored.entry, time.monotonic()
        kept = self._secrets.setdefault(holder, deque(maxlen=_REMEMBERED))
        for secret in stored.record.secrets():
            if secret not in kept:
                kept.append(secret)

    @staticmethod
    def _lost(known: KnownToken, why: str) -> None:
        known.stored, known.entry, known.why, known.read_at = None, None, why, time.monotonic()

    def _due(self, record: TokenRecord) -> bool:
        """A minute before the end; for tokens that live shorter, in the last quarter of their life."""
        if record.expires_at is None:
            return False
        early = min(EARLY_SECONDS, (record.expires_at - record.obtained_at) / 4)
        return record.expires_at - self.parts.clock() <= early

    def _ended(self, record: TokenRecord) -> bool:
        return record.expires_at is not None and record.expires_at <= self.parts.clock()


__all__ = ["SHARED", "ConnectionTokens", "NoToken", "OAuthParts", "TokenUnavailable"]
