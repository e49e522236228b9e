"""One connection of one generation: an upstream, the credential it needs, and its status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from integrations.base import Credential, Failure, JsonObject, PreparedCall, Result, Upstream
from integrations.conversation import SILENT, Conversation, InputNeeded
from proxy.config.secrets import SecretMissing

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
    upstreams that are connected or not by themselves (MCP). `note` is what a person should know beside the status.
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
    note: str | None = None

    @property
    def prefix(self) -> str:
        return f"{self.integration}.{self.owner}.{self.name}"

    @property
    def status(self) -> JsonObject:
        """`{"status": "connected"}`, or another status with its `error`: `needs_secret`, `needs_auth`, `failed`.

        MCP servers have more of them: theirs is what their session says.
        """
        if self.failure is not None:
            return dict(self.failure)
        try:
            self.resolve()
        except SecretMissing as missing:
            return {"status": "needs_secret", "error": str(missing)}
        return self.session.status if self.session is not None else {"status": "connected"}

    @property
    def talks(self) -> bool:
        """Whether its calls may report progress and ask questions."""
        return self.session is not None

    async def invoke(self, call: PreparedCall, timeout_seconds: float) -> Result:
        """Resolve the credential, send, return what came back. The credential lives only inside this call."""
        result = await self.converse(call, timeout_seconds, SILENT)
        assert not isinstance(result, InputNeeded), "only who can be asked is asked"
        return result

    async def converse(
        self, call: PreparedCall, timeout_seconds: float, conversation: Conversation
    ) -> Result | InputNeeded:
        """The same for a call that can be talked to while it is under way."""
        if self.upstream is None:
            return Failure("connection_not_ready", f"{self.prefix} is not ready: {self._reason()}", True)
        try:
            credential = self.resolve()
        except SecretMissing as missing:
            return Failure("connection_value_missing", f"{self.prefix}: {missing}")
        seconds = min(timeout_seconds, self.timeout_seconds)
        if self.session is not None:
            return await self.session.converse(call, seconds, conversation)
        return await self.upstream.invoke(call, credential, seconds)

    def _reason(self) -> str:
        status = self.status
        return str(status.get("error") or self.note or status["status"])

    def known_secrets(self) -> list[str]:
        """Secret strings that must never appear in what agents, logs or people see."""
        try:
            return self.resolve().secrets()
        except SecretMissing:
            return []
