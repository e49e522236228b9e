"""What one start fixes for the pages."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from limits.aio.storage import MovingWindowSupport

from proxy.limits import open_storage
from proxy.serving.http.origins import HostRules, OriginRules
from proxy.serving.mcp.elicitation import Seals


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """Where a server without an `auth` section keeps its tokens: that of the agents, and that of the approver."""

    token: Path
    approver: Path | None = None


@dataclass(frozen=True, slots=True)
class PageOptions:
    """`hosts` and `seals` are those of the listener; `seals` must have the same keys on all replicas. `public_url`,
    `local_files`, `endpoint` (the URL that agents connect to; None where they use stdio), `source_link` (where the
    `file:line` of a rule can be read) and `console` (whether its pages are on) are called each time, because a reload
    may change them. `windows` counts requests and sign-ins; `clock` gives seconds since 1970."""

    hosts: OriginRules = field(default_factory=lambda: HostRules(loopback=True))
    seals: Seals = field(default_factory=Seals)
    public_url: Callable[[], str | None] = lambda: None
    local_files: Callable[[], LocalFiles | None] = lambda: None
    endpoint: Callable[[], str | None] = lambda: None
    source_link: Callable[[str], str | None] = lambda source: None
    console: Callable[[], bool] = lambda: True
    windows: MovingWindowSupport = field(default_factory=open_storage)
    clock: Callable[[], float] = time.time
