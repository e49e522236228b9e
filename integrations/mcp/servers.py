"""Which server an upstream speaks to, and the limits it lives under. Plain values, made by the composition root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from integrations.http import EgressRules, Transport
from integrations.http.transport import DIRECT, ChooseTransport

RemoteTransport = Literal["auto", "streamable-http", "sse"]
_NOTHING: Mapping[str, str] = MappingProxyType({})


def _directly() -> Transport:
    return DIRECT


@dataclass(frozen=True, slots=True)
class LocalServer:
    """An MCP server that is started here and spoken to over stdin and stdout. There is never a shell.

    `environment` holds resolved values; besides them the child sees PATH, HOME, LANG and TMPDIR only.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    cwd: str | None = None
    timeout_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """An MCP server at a URL. The origin of `url` is spelled out by the config, so it may be a private address.

    `choose` is asked before every session for proxy, certificates and client key; it may raise an `HttpError`.
    `auto` tries streamable HTTP, then HTTP with SSE (the transport of 2024-11-05) if the server refuses the first.
    `detect_oauth` and `client_id` say what a 401 is looked into for (`sign_in`).
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    transport: RemoteTransport = "auto"
    timeout_seconds: float = 5.0
    egress: EgressRules = field(default_factory=EgressRules)
    choose: ChooseTransport = _directly
    detect_oauth: bool = True
    client_id: str | None = None


Server = LocalServer | RemoteServer


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one upstream. Seconds and bytes; the defaults fit a desktop server as well as a busy gateway."""

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

    def take(self) -> bool:
        """False when all are taken."""
        if self.taken >= self.maximum:
            return False
        self.taken += 1
        return True

    def give(self) -> None:
        self.taken -= 1
