"""Which server an upstream speaks to, with which headers, and within which limits. Plain values, made by the caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from integrations.base import Credential, SourceError
from integrations.credentials import CredentialProblem, cookie_pair, placements_of
from integrations.http import EgressRules, TransportOptions, origin_of
from integrations.http.transport import DIRECT, ChooseTransport
from integrations.mcp.config import RemoteTransport

ResolveValues = Callable[[], Mapping[str, str]]
"""The present headers (remote) or environment variables (local). Raises `SourceError` when a value is missing."""
_EMPTY: Mapping[str, str] = MappingProxyType({})


class TokenHeaders(Protocol):
    """The headers of whoever has signed in to a remote server. Made and kept by `proxy.connections`."""

    async def present(self) -> Mapping[str, str]:
        """The headers now; none while nobody has signed in. Raises `SourceError` when a token cannot be had."""
        ...

    async def refused(self, status: int, challenge: str, sent: Mapping[str, str]) -> Mapping[str, str] | None:
        """The server has refused a request with 401 or 403: other headers to try once more, None when there are
        none."""
        ...


def _direct() -> TransportOptions:
    return DIRECT


@dataclass(frozen=True, slots=True)
class LocalServer:
    """An MCP server that is started here and spoken to over stdin and stdout. There is never a shell.

    `environment` holds resolved values; besides them the child sees PATH, HOME, LANG and TMPDIR only. A server that has
    not answered after `start_timeout_seconds` is reported as failed, and left running as long as it lives.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    cwd: str | None = None
    timeout_seconds: float = 5.0
    start_timeout_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """An MCP server at a URL. Where the config `spells_out` the `url`, its origin may be a private address.

    `choose` gives proxy, certificates and client key, and is called before every session; it may raise an `HttpError`.
    `auto` tries streamable HTTP, then HTTP with SSE (the transport of 2024-11-05) if the server refuses the first.
    `detect_oauth`: whether a 401 starts OAuth discovery (`sign_in`), needless when the config names the client.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    transport: RemoteTransport = "auto"
    timeout_seconds: float = 5.0
    egress: EgressRules = field(default_factory=EgressRules)
    choose: ChooseTransport = _direct
    detect_oauth: bool = True
    has_client: bool = False
    spells_out: bool = True

    def egress_rules(self) -> EgressRules:
        """The configured rules, and the origin of a `url` that the config spells out."""
        own = {origin_of(self.url)} - {""} if self.spells_out else set[str]()
        return EgressRules(self.egress.allow, self.egress.origins | own, self.egress.declared)


McpServer = LocalServer | RemoteServer


@dataclass(frozen=True, slots=True)
class McpLimits:
    """The limits of one upstream. The defaults fit a server on a desktop as well as a busy gateway."""

    connect_seconds: float = 30.0
    list_seconds: float = 30.0
    idle_seconds: float = 300.0
    refresh_seconds: float = 300.0
    shortest_refresh_seconds: float = 1.0
    probe_seconds: float = 10.0
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 300.0
    shortest_pause_seconds: float = 1.0
    grace_seconds: float = 2.0
    parallel_calls: int = 64
    waiting_calls: int = 256
    tenant_sessions: int = 256
    message_bytes: int = 10 * 1024 * 1024
    stray_lines: int = 1000
    messages_per_second: int = 5000
    tools: int = 10_000
    pages: int = 1000
    input_rounds: int = 10


class ChildSlots:
    """How many local servers may run at once; one object is shared by all upstreams of a process."""

    def __init__(self, maximum: int = 64) -> None:
        self.maximum = maximum
        self.taken = 0

    def acquire(self) -> bool:
        """False when all are taken."""
        if self.taken >= self.maximum:
            return False
        self.taken += 1
        return True

    def release(self) -> None:
        self.taken -= 1


def credential_headers(credential: Credential) -> dict[str, str]:
    """Header name to value. Raises `SourceError` for a part that is no header (a query parameter), or that holds
    what no header may hold.
    """
    try:
        placements = placements_of(credential)
    except CredentialProblem as problem:
        raise SourceError(problem.failure.message) from None
    if any(one.target == "query" for one in placements):
        raise SourceError("an MCP server takes its credential in headers: `auth.kind: query` cannot be used")
    headers = {one.name: one.text for one in placements if one.target == "header"}
    cookies = [cookie_pair(one.name, one.text) for one in placements if one.target == "cookie"]
    return {**headers, "Cookie": "; ".join(cookies)} if cookies else headers
