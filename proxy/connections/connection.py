"""One connection of one generation: an upstream, the credential it needs, and its status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from integrations.base import Credential, Failure, JsonObject, PreparedCall, Result, Upstream
from integrations.conversation import SILENT, Conversation, InputNeeded
from proxy.config.secrets import SecretMissing
from proxy.connections.oauth.access import OAuthAccess
from proxy.connections.oauth.storage import TokenHolder
from proxy.principal import Principal

ResolveCredential = Callable[[], Credential]
_VENDORED = "its tools are those of the vendored catalog: its source has not answered yet"


class SessionUpstream(Protocol):
    """An upstream that knows by itself how it is, and talks during calls: one with a session of its own."""

    @property
    def status(self) -> JsonObject: ...

    @property
    def last_stderr(self) -> tuple[str, ...]:
        """What a local server wrote last, for people who run it."""
        ...

    async def converse(
        self, call: PreparedCall, timeout_seconds: float, conversation: Conversation
    ) -> Result | InputNeeded:
        """Like `Upstream.invoke`, with somebody who hears of progress and can be asked."""
        ...

    def signed_in(self) -> None:
        """Somebody has signed in, or out."""
        ...

    async def settled(self, timeout_seconds: float) -> bool:
        """Wait for the outcome of the attempt to connect that is under way."""
        ...


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """What the calls of one prefix (`github.org.main`) go through.

    `upstream` is None while the integration's source could not be loaded; `error` then says why. `resolve` reads the
    secrets anew for every call, so a rotated file is used at once; it raises `SecretMissing`. `session` is set for
    upstreams that are connected or not by themselves (MCP), `oauth` where somebody signs in. `scope` is the workspace
    where it was registered at run time, "" for connections of the files. `vendored`: its tools are those of the
    vendored catalog, because its source has not answered.
    """

    integration: str
    owner: str
    name: str
    kind: str
    title: str
    timeout_seconds: float
    digest: str
    upstream: Upstream | None
    resolve: ResolveCredential
    failure: Mapping[str, str] | None = None
    session: SessionUpstream | None = None
    oauth: OAuthAccess | None = None
    scope: str = ""
    vendored: bool = False

    @property
    def prefix(self) -> str:
        return f"{self.integration}.{self.owner}.{self.name}"

    @property
    def label(self) -> str:
        """Unlike the prefix, no other connection of the process has the same."""
        return f"{self.scope}/{self.prefix}" if self.scope else self.prefix

    def disconnected(self) -> OpenConnection:
        """The same for a workspace that has disconnected it."""
        return replace(self, upstream=None, failure={"status": "disabled"}, session=None)

    @property
    def status(self) -> JsonObject:
        """`{"status": "connected"}`, or another status with its `error`: `needs_secret`, `needs_auth`, `failed`.

        MCP servers have more of them: theirs is what their session says.
        """
        return self.status_for(None)

    def status_for(self, principal: Principal | None) -> JsonObject:
        """The same as one caller sees it: where each account signs in for itself, it is connected for some."""
        if self.failure is not None:
            return dict(self.failure)
        try:
            self.resolve()
            if self.session is not None:
                return self._session_status(self.session.status, principal)
            return self.oauth.status(principal) if self.oauth is not None else {"status": "connected"}
        except SecretMissing as missing:
            return {"status": "needs_secret", "error": str(missing)}

    def _session_status(self, own: JsonObject, principal: Principal | None) -> JsonObject:
        """Where each account signs in for itself, `own` is that of the session which lists the tools."""
        oauth = self.oauth
        if oauth is None or not oauth.per_user or own["status"] in ("failed", "disabled"):
            return own
        if principal is None or not oauth.required:
            # Whoever has signed in is connected, once the tools are known.
            return {"status": "connected"} if self.upstream is not None else own
        account = oauth.status(principal)
        return own if account["status"] == own["status"] == "needs_auth" else account

    @property
    def note(self) -> str | None:
        """What a person should know beside the status."""
        said = [_VENDORED] if self.vendored else []
        return "; ".join([*said, *filter(None, [self._oauth_note])]) or None

    @property
    def _oauth_note(self) -> str | None:
        if self.oauth is None or self.failure is not None:
            return None
        return self.oauth.first_note if self._is_unlisted and self.oauth.per_user else self.oauth.note

    def note_for(self, principal: Principal) -> str | None:
        """The same for one caller."""
        return self.oauth.note_for(principal) if self.oauth is not None and self.failure is None else None

    @property
    def _is_unlisted(self) -> bool:
        """Whether its tools wait for a sign-in."""
        return (
            self.session is not None
            and self.upstream is None
            and self.session.status["status"] == "needs_auth"
        )

    @property
    def begins_with_sign_in(self) -> bool:
        """Whether whoever calls it can only sign in: then its tools will be known."""
        return self._is_unlisted and self.failure is None and self.oauth is not None and self.oauth.asks

    async def begin(
        self, conversation: Conversation, principal: Principal, wait_seconds: float
    ) -> InputNeeded | Failure | None:
        """A call of a tool that is not known before somebody has signed in. None when the caller has: then the tools
        have been asked for."""
        assert self.oauth is not None
        assert self.session is not None
        wanted = await self.oauth.begin(conversation, principal)
        if wanted is None:
            self.session.signed_in()
            await self.session.settled(wait_seconds)
        return wanted

    @property
    def talks(self) -> bool:
        """Whether its calls may report progress and ask questions."""
        return self.session is not None or (self.oauth is not None and self.oauth.asks)

    async def invoke(
        self, call: PreparedCall, timeout_seconds: float, principal: Principal | None = None
    ) -> Result:
        """Resolve the credential, send, return what came back. The credential lives only inside this call."""
        result = await self.converse(call, timeout_seconds, SILENT, principal)
        assert not isinstance(result, InputNeeded), "only who can be asked is asked"
        return result

    async def converse(
        self,
        call: PreparedCall,
        timeout_seconds: float,
        conversation: Conversation,
        principal: Principal | None = None,
    ) -> Result | InputNeeded:
        """The same for a call that can be talked to while it is under way. `principal` is who calls, None for us."""
        if self.upstream is None:
            return Failure("connection_not_ready", f"{self.prefix} is not ready: {self._reason()}", True)
        try:
            credential = self.resolve()
        except SecretMissing as missing:
            return Failure("connection_value_missing", f"{self.prefix}: {missing}")
        seconds = min(timeout_seconds, self.timeout_seconds)
        if principal is not None:
            call = replace(call, tenant=principal.workspace_id)
        if self.session is not None:
            return await self._on_session(self.session, call, seconds, conversation, principal)
        if self.oauth is None:
            return await self.upstream.invoke(call, credential, seconds)
        upstream = self.upstream

        async def send(whole: Credential) -> Result:
            return await upstream.invoke(call, whole, seconds)

        return await self.oauth.send(send, credential, conversation, principal)

    async def _on_session(
        self,
        session: SessionUpstream,
        call: PreparedCall,
        seconds: float,
        conversation: Conversation,
        principal: Principal | None,
    ) -> Result | InputNeeded:
        if self.oauth is None:
            return await session.converse(call, seconds, conversation)
        per_user = self.oauth.per_user

        async def send(holder: TokenHolder, conversation: Conversation) -> Result | InputNeeded:
            own = replace(call, tenant=holder.tenant) if per_user else call
            return await session.converse(own, seconds, conversation)

        return await self.oauth.converse(send, conversation, principal)

    def _reason(self) -> str:
        status = self.status
        return str(status.get("error") or self.note or status["status"])

    def known_secrets(self, principal: Principal | None = None) -> list[str]:
        """Secret strings that must never appear in what agents, logs or people see."""
        tokens = self.oauth.secrets(principal) if self.oauth is not None else []
        try:
            return [*self.resolve().secrets(), *tokens]
        except SecretMissing:
            return tokens
