"""One connection of one generation: an upstream, the credential it needs, and its status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from integrations.base import Credential, Failure, JsonObject, PreparedCall, Result, Upstream
from integrations.conversation import SILENT, Conversation, InputNeeded
from proxy.config.secrets import SecretMissing
from proxy.connections.oauth.access import OAuthAccess
from proxy.principal import Principal

ResolveCredential = Callable[[], Credential]


class SessionUpstream(Protocol):
    """An upstream that knows by itself how it is, and talks during calls: one with a session of its own."""

    @property
    def status(self) -> JsonObject: ...

    async def converse(
        self, call: PreparedCall, timeout_seconds: float, conversation: Conversation
    ) -> Result | InputNeeded:
        """Like `Upstream.invoke`, with somebody who hears of progress and can be asked."""
        ...


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """What the calls of one prefix (`github.org.main`) go through.

    `upstream` is None while the integration's source could not be loaded; `error` then says why. `resolve` reads the
    secrets anew for every call, so a rotated file is used at once; it raises `SecretMissing`. `session` is set for
    upstreams that are connected or not by themselves (MCP), `oauth` where somebody signs in.
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

    @property
    def prefix(self) -> str:
        return f"{self.integration}.{self.owner}.{self.name}"

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
                return self.session.status
            return self.oauth.status(principal) if self.oauth is not None else {"status": "connected"}
        except SecretMissing as missing:
            return {"status": "needs_secret", "error": str(missing)}

    @property
    def note(self) -> str | None:
        """What a person should know beside the status."""
        return self.oauth.note if self.oauth is not None and self.failure is None else None

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
            result = await self.session.converse(call, seconds, conversation)
            return result if self.oauth is None else self.oauth.explained(result, conversation, principal)
        if self.oauth is None:
            return await self.upstream.invoke(call, credential, seconds)
        upstream = self.upstream

        async def send(whole: Credential) -> Result:
            return await upstream.invoke(call, whole, seconds)

        return await self.oauth.send(send, credential, conversation, principal)

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
